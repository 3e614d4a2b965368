"""Work that is interrupted: programs killed, disks full, folders that may not be written to.

The work is done in children of this program (`os.fork`), so that it can be killed and limited; Windows has none.
"""

from __future__ import annotations

import contextlib
import os
import random
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from napari_dextr.annotate.journal import Journal as RunJournal
from napari_dextr.annotate.work import ObjectResult
from napari_dextr.coco import ImageLabels, labels_to_coco, read_coco, read_labels, write_coco
from napari_dextr.errors import DextrError
from napari_dextr.image_file import read_image
from napari_dextr.label_formats import FORMATS, export_labels
from napari_dextr.mask_file import write_mask
from napari_dextr.session import AcceptPolicy, Session
from napari_dextr.session.autosave import SUFFIX, Journal
from napari_dextr.session.patches import SparseLabels
from napari_dextr.session.recovery import recover

from .coco_files import labels
from .harness import Finding, Result, Wrong, check_sentence, signature
from .journals import accept, objects_of

CAN_FORK = hasattr(os, "fork")
_NOBODY = 65534
_AGED = 3600.0  # seconds by which what a killed program left is made older: younger files may be somebody's
_PATIENCE = 240.0  # seconds for a child to say something

Case = Callable[[random.Random, Path], str]


def try_all(name: str, title: str, case: Case, cases: int, number: int) -> Result:
    """Run a case so many times, each in an empty folder."""
    result = Result(name, title)
    if not CAN_FORK:
        result.notes.append("This system starts no children that can be limited: nothing was tried.")
        return result
    counts: Counter[str] = Counter()
    found: dict[tuple[str, str], Finding] = {}
    started = os.times()
    for index in range(cases):
        chance = random.Random(f"{name} {number} {index}")
        folder = Path(tempfile.mkdtemp(prefix="napari-dextr-stress-"))
        result.cases += 1
        try:
            counts[case(chance, folder)] += 1
        except Exception as error:
            counts["finding"] += 1
            key = signature(error)
            text = f"{type(error).__name__}: {error}"
            known = found.setdefault(
                key, Finding(text[:600], key[1], f"{name} {number} {index}", traceback.format_exc()[-3000:], 0)
            )
            known.times += 1
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    ended = os.times()
    result.seconds = sum(ended[:4]) - sum(started[:4])
    result.outcomes = dict(counts.most_common())
    result.findings = list(found.values())
    return result


class Child:
    """A copy of this program that does a job and reports bytes through a pipe."""

    def __init__(self, job: Callable[[Callable[[str], object]], object]) -> None:
        self._out, into = os.pipe()
        self.process = os.fork()
        if self.process:
            os.close(into)
            return
        code = 1
        try:
            os.close(self._out)
            job(lambda text: os.write(into, text.encode()))
            code = 0
        except BaseException:
            os.write(into, f"!{traceback.format_exc()}".encode())
        finally:
            os._exit(code)  # nothing of the parent's is tidied up here

    def hear(self, seconds: float = _PATIENCE) -> str:
        """What it has said next; "" at its end."""
        if not select.select([self._out], [], [], seconds)[0]:
            self.kill()
            self.close()
            raise Wrong(f"a child says nothing for {seconds:.0f} s")
        return os.read(self._out, 1 << 16).decode()

    def everything(self) -> str:
        """All that it still says, up to its end."""
        said = ""
        while part := self.hear():
            said += part
        return said

    def kill(self) -> None:
        """End it at once, as a crash does."""
        os.kill(self.process, signal.SIGKILL)

    def close(self) -> int:
        """Wait for its end; returns how it ended."""
        os.close(self._out)
        return os.waitpid(self.process, 0)[1]


# -- killed ------------------------------------------------------------------------------------------------------------


def kill_export(chance: random.Random, folder: Path) -> str:
    """A program is killed while it exports in all formats; the next one finds the old state or the new."""
    path = folder / "out" / "annotations.json"
    planes = [labels(), np.where(labels() == 2, 7, 0)]
    first = _export(path, planes[0])

    def job(say: Callable[[str], object]) -> None:
        known = first
        for turn in range(1, 10_000):
            known = _export(path, planes[turn % 2], known)
            say(".")

    child = Child(job)
    child.hear()
    time.sleep(chance.random() * 0.05)
    child.kill()
    child.close()
    if not any(_same_labels(path, plane) for plane in planes):
        raise Wrong("after the kill the file holds neither the old labels nor the new ones")
    for left in path.parent.rglob(".*"):
        os.utime(left, (time.time() - _AGED,) * 2)
    _export(path, planes[1], first)
    if not _same_labels(path, planes[1]) or (read_image(path.parent / "instances" / "a.tif") != planes[1]).any():
        raise Wrong("the export after the kill is not what was exported")
    _nothing_hidden(path.parent)
    return "old or new, and swept"


def kill_autosave(chance: random.Random, folder: Path) -> str:
    """A session is killed while it saves; all that it had accepted comes back."""

    def job(say: Callable[[str], object]) -> None:
        session = Session()
        session.policy = AcceptPolicy("overwrite")
        Journal(folder, session, lambda key: str(key))
        session.bind("labels", SparseLabels(np.uint16))
        session.go_to("plane")
        for number in range(5000):
            accept(session, 12 * (number % 15))
            say("+")

    told = _told_until_killed(job, chance)
    (path,) = folder.glob(f"*{SUFFIX}")
    recovered = recover(path)
    back = len(objects_of(recovered))
    if recovered.damaged > 1 or back < told:
        raise Wrong(f"{told} objects were accepted, {back} come back, {recovered.damaged} lines damaged")
    return "all accepted objects"


def kill_checkpoint(chance: random.Random, folder: Path) -> str:
    """A training is killed while it writes its checkpoints; a whole one is there, not older than it had said."""
    import torch

    from napari_dextr.training import checkpoints

    def state(step: int) -> dict[str, Any]:
        return {"step": step, "weights": torch.full((200_000,), float(step))}

    def job(say: Callable[[str], object]) -> None:
        for step in range(1, 10_000):
            checkpoints.save(folder, state(step))
            say("+")

    told = _told_until_killed(job, chance)
    found, _ = checkpoints.load(folder)
    if found is None or found["step"] < told or not bool((found["weights"] == found["step"]).all()):
        raise Wrong(f"step {told} was saved, step {None if found is None else found['step']} comes back")
    checkpoints.sweep(folder)
    _nothing_hidden(folder)
    return "a whole checkpoint"


def kill_training(chance: random.Random, folder: Path) -> str:
    """`napari-dextr train` is killed at any moment; the same command goes on and ends with a model that opens."""
    from napari_dextr import load_model

    rng = np.random.default_rng(0)
    for number in range(3):
        from napari_dextr.mask_file import write_image

        write_image(folder / f"{number}.png", (rng.integers(0, 90, (24, 30)) + 80 * (labels() > 0)).astype(np.uint8))
    documents = [labels_to_coco(labels(), f"{number}.png") for number in range(3)]
    from napari_dextr.coco import merge_coco

    write_coco(folder / "train.json", merge_coco(documents))
    config = folder / "settings.toml"
    config.write_text("[train]\nsteps = 12\nbatch = 2\ncheckpoint_every = 2\n", encoding="utf-8")
    words = [
        "train",
        str(folder / "train.json"),
        "--images",
        str(folder),
        "--init",
        "embedded",
        "--canvas",
        "64",
        "--device",
        "cpu",
    ]
    command = [sys.executable, "-m", "napari_dextr", *words, "--config", str(config), "-o", str(folder / "run")]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    metrics = folder / "run" / "metrics.jsonl"
    until = time.monotonic() + _PATIENCE
    while process.poll() is None and not (metrics.exists() and metrics.stat().st_size) and time.monotonic() < until:
        time.sleep(0.05)
    time.sleep(chance.random() * 3)
    killed = process.poll() is None
    process.kill()
    process.wait()
    done = subprocess.run(command, capture_output=True, text=True, timeout=20 * _PATIENCE)
    if done.returncode:
        raise Wrong(f"the training does not go on after the kill: {(done.stderr or done.stdout)[-1500:]}")
    load_model(folder / "run", device="cpu")
    return "goes on and ends" if killed else "had ended before"


# -- no room, no right -------------------------------------------------------------------------------------------------


def _export(path: Path, plane: Any, known: Mapping[int, int] = MappingProxyType({})) -> dict[int, int]:
    """Export labels; ``known`` are the numbers that earlier exports gave them, and the answer those from now on."""
    path.parent.mkdir(exist_ok=True)
    planes = [ImageLabels("a.png", plane, ids=dict(known))]
    report = export_labels(path, planes, formats=FORMATS, author="stress", versions=1)
    return {**known, **report.ids["a.png", ""]}


def _checkpoint(path: Path, plane: Any) -> None:
    import torch

    from napari_dextr.training import checkpoints

    checkpoints.save(path.parent, {"step": int(plane.max()), "weights": torch.zeros(30_000)})


@cache
def _network() -> Any:
    """Spec and network of a small checkpoint."""
    from napari_dextr.models.checkpoint import load_network

    from .checkpoints import small

    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "small.safetensors"
        source.write_bytes(small())
        return load_network(source)


def _weights(path: Path, plane: Any) -> None:
    from napari_dextr.models.checkpoint import write_checkpoint

    spec, network = _network()
    write_checkpoint(path.with_suffix(".safetensors"), network, replace(spec, name=f"v{int(plane.max())}"))


def _noted(path: Path, plane: Any) -> None:
    with RunJournal(path.with_suffix(".journal"), {"run": 1}) as journal:
        for number in range(40):
            journal.add(1000 * int(plane.max()) + number, [ObjectResult(1, {"size": [1, 1], "counts": "01"})])


WRITERS: dict[str, Callable[[Path, Any], object]] = {
    "export in all formats": _export,
    "COCO document": lambda path, plane: write_coco(path, labels_to_coco(np.tile(plane, (9, 9)), "a.png")),
    "mask": lambda path, plane: write_mask(
        path.with_suffix(".tif"), np.random.default_rng(int(plane.max())).random((200, 200)) > 0.5
    ),
    "weights": _weights,
    "training checkpoint": _checkpoint,
    "run journal": _noted,
}
"""What writes files: each is given a path in an existing folder, and labels that make the contents differ."""

_APPENDS = {"run journal"}  # what was written before the disk was full stays, by intent


def _refused(
    writer: str, folder: Path, limit: Callable[[], object], relieve: Callable[[], object] = lambda: None
) -> str:
    """Write in a child under a limit: it must succeed, or be refused with a sentence and change nothing."""
    path = folder / "work" / "annotations.json"
    path.parent.mkdir()
    path.parent.chmod(0o755)
    folder.chmod(0o755)
    write, first, second = WRITERS[writer], labels(), np.where(labels() == 5, 6, labels())
    write(path, first)
    before = _contents(path.parent)

    def job(say: Callable[[str], object]) -> None:
        limit()
        try:
            write(path, second)
        except DextrError as error:
            check_sentence(error)
            say(f"refused: {type(error).__name__}")
        else:
            say("written")

    child = Child(job)
    said = child.everything()
    child.close()
    if said.startswith("!") or not said:
        raise Wrong(f"{writer}: {said[-1500:] or 'the child died'}")
    path.parent.chmod(0o755)
    relieve()
    if said != "written":
        after = _contents(path.parent)
        changed = {name for name in {*before, *after} if before.get(name) != after.get(name)}
        if changed and writer not in _APPENDS and not _swapped(writer, before, after):
            raise Wrong(f"{writer} was refused, but has changed {sorted(changed)}")
    _nothing_hidden(path.parent)
    write(path, second)  # when there is room again
    return said


def _swapped(writer: str, before: dict[str, bytes], after: dict[str, bytes]) -> bool:
    """The last checkpoint may have become the one before: one whole checkpoint is there all the time."""
    return writer == "training checkpoint" and set(before.values()) == set(after.values())


def full_disk(chance: random.Random, folder: Path) -> str:
    """No file may become larger than so many bytes (the system's limit for a process)."""
    import resource

    writer = chance.choice(sorted(WRITERS))
    size = int(2 ** (chance.random() * 18))
    return _refused(writer, folder, lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size)))


def full_volume(chance: random.Random, folder: Path) -> str:
    """A volume in memory that has no more room, or only a little."""
    volume = folder / "volume"
    volume.mkdir()
    if not _mounted(volume):
        return "no volume could be made here"
    filler = volume / "filler"
    try:
        writer = chance.choice(sorted(WRITERS))
        room = int(2 ** (chance.random() * 17))
        return _refused(
            writer,
            volume,
            lambda: filler.write_bytes(b"x" * max(0, shutil.disk_usage(volume).free - room)),
            lambda: filler.unlink(missing_ok=True),
        )
    finally:
        subprocess.run(["umount", str(volume)], check=False)


def can_mount() -> bool:
    """Whether volumes in memory can be made here."""
    with tempfile.TemporaryDirectory() as folder:
        made = _mounted(Path(folder))
        if made:
            subprocess.run(["umount", folder], check=False)
    return made


def _mounted(volume: Path) -> bool:
    words = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(volume)]
    with contextlib.suppress(OSError):
        return subprocess.run(words, capture_output=True).returncode == 0
    return False


def read_only(chance: random.Random, folder: Path) -> str:
    """A folder, or the files in it, that may not be written to."""
    writer = chance.choice(sorted(WRITERS))

    rights = chance.choice([0o555, 0])  # to read, or nothing

    def forbid() -> None:
        (folder / "work").chmod(rights)
        if os.geteuid() == 0:  # who may write everywhere
            os.setgid(_NOBODY)
            os.setuid(_NOBODY)

    said = _refused(writer, folder, forbid)
    if said == "written":
        raise Wrong(f"{writer} was written to a folder that is read-only")
    return said


def full_autosave(chance: random.Random, folder: Path) -> str:
    """The disk fills up under a session: it goes on, says so once, and what was saved comes back."""
    import resource

    size = 2000 + int(chance.random() * 20_000)

    def job(say: Callable[[str], object]) -> None:
        session = Session()
        session.policy = AcceptPolicy("overwrite")
        journal = Journal(folder, session, lambda key: str(key))
        session.bind("labels", SparseLabels(np.uint16))
        session.go_to("plane")
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
        saved = 0
        for number in range(200):
            accept(session, 12 * (number % 15))
            saved += journal.problem is None
        assert journal.problem, "nothing was said"
        check_sentence(DextrError(journal.problem))
        say(f"{saved}")

    child = Child(job)
    said = child.everything()
    child.close()
    if not said.isdecimal():
        raise Wrong(said[-1500:] or "the child died")
    (path,) = folder.glob(f"*{SUFFIX}")
    recovered = recover(path)
    if recovered.objects < int(said) or recovered.damaged > 1:
        raise Wrong(f"{said} objects were saved, {recovered.objects} come back, {recovered.damaged} lines damaged")
    return "says so, goes on"


FAULTS: dict[str, tuple[str, Case, int]] = {
    "killed exports": ("SIGKILL during an export in four formats", kill_export, 40),
    "killed autosaves": ("SIGKILL during a session's autosave", kill_autosave, 40),
    "killed checkpoints": ("SIGKILL while a training saves", kill_checkpoint, 20),
    "killed trainings": ("SIGKILL during `napari-dextr train`, then the same command again", kill_training, 1),
    "full disk": ("writing where files cannot become larger than 1 byte to 256 kB", full_disk, 100),
    "full volume": ("writing on a volume in memory with 1 byte to 128 kB left", full_volume, 40),
    "full disk, autosave": ("a session whose journal finds no more room", full_autosave, 15),
    "read-only folders": ("writing into folders without the right to", read_only, 40),
}
"""Name to title, case, and number of cases of a full run."""


def _same_labels(path: Path, plane: Any) -> bool:
    dataset = read_coco(path)
    drawn = read_labels(dataset, next(iter(dataset.images)))
    return len(drawn) == 1 and bool((drawn[0].labels == plane).all())


def _contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def _nothing_hidden(folder: Path) -> None:
    left = sorted(path.name for path in _hidden(folder))
    if left:
        raise Wrong(f"files are left behind: {left}")


def _hidden(folder: Path) -> Iterator[Path]:
    yield from folder.rglob(".*")


def _told_until_killed(job: Callable[[Callable[[str], object]], None], chance: random.Random) -> int:
    """How often a child had said that something is done when it was killed, at a moment of no choice."""
    child = Child(job)
    told = len(child.hear())
    time.sleep(chance.random() * 0.1)
    child.kill()
    told += len(child.everything())
    child.close()
    return told
