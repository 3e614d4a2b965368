"""Journals of sessions and of runs with damage: what was accepted before the damage must survive."""

from __future__ import annotations

import json
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import strategies as st

from napari_dextr.annotate.journal import Journal as RunJournal
from napari_dextr.annotate.work import ObjectResult
from napari_dextr.objects import AnnotatedObject
from napari_dextr.rle import encode
from napari_dextr.segmentation import Segmentation
from napari_dextr.session import AcceptPolicy, Session
from napari_dextr.session.autosave import SUFFIX, Journal
from napari_dextr.session.patches import SparseLabels
from napari_dextr.session.recovery import Recovered, recover, recoverable

from .harness import Area, Wrong
from .mutations import as_bytes, byte_edits, damage, json_edits, reshape

OBJECTS = 6
SHAPE = (20, 200)


@cache
def journal() -> bytes:
    """The journal of a session that accepted objects on two planes, classified one, and was at another when it died."""
    session = Session()
    session.policy = AcceptPolicy("overwrite")
    session.add_class("cell", "#102030")
    with tempfile.TemporaryDirectory() as folder:
        saved = Journal(folder, session, lambda key: {"called": str(key)})
        session.bind("labels", SparseLabels(np.uint16))
        for number in range(OBJECTS):
            session.go_to("a" if number < OBJECTS // 2 else "b")
            accept(session, 12 * number)
        session.set_class(1, 1)
        session.add_point("extreme", (3, 150))
        session.add_point("inside", (4, 151))
        data = saved.path.read_bytes()
        saved.close(keep=False)
    return data


def accept(session: Session, left: int) -> None:
    """Draw a box, get a mask of it, accept."""
    session.set_box((2, left, 11, left + 9))
    request = session.begin()
    assert request is not None
    region = (slice(2, 12), slice(left, left + 10))
    answer = Segmentation(np.ones((10, 10), np.float32), region, SHAPE, request.prompt, 0.9, "stress", 0.5)
    session.finish(request.serial, answer)
    session.accept()


def objects_of(recovered: Recovered) -> dict[int, tuple[AnnotatedObject, int]]:
    """What came back: each object with the number of its pixels."""
    found: dict[int, tuple[AnnotatedObject, int]] = {}
    for target in recovered.targets:
        image = _Planes()
        target.write(image, str)
        for item in target.objects(str):
            found[item.label] = item, image.count(str(item.place), item.label)
    return found


class _Planes(SparseLabels):
    def __init__(self) -> None:
        super().__init__(np.int64)

    def count(self, place: str, label: int) -> int:
        return sum(int((values == label).sum()) for _, values, _ in self.written(place))


def _recover(data: bytes, folder: Path) -> Recovered:
    path = folder / f"session{SUFFIX}"
    path.write_bytes(data)
    recoverable(folder)
    return recover(path)


_share = st.floats(0, 1, exclude_max=True)
_session_cases = st.one_of(
    st.tuples(st.just("cut"), _share),
    st.tuples(st.just("flip"), _share, st.integers(0, 7)),
    st.tuples(st.just("zeros"), _share, st.integers(1, 600)),
    st.tuples(st.just("bytes"), byte_edits()),
    st.tuples(st.just("lines"), _share, json_edits(2)),
)


def check_session(case: Any, folder: Path) -> str:
    data, kind = journal(), case[0]
    first = data.index(b"\n") + 1  # without its first line a file is no journal
    at = first + int(case[1] * (len(data) - first)) if kind in ("cut", "flip", "zeros") else 0
    if kind == "bytes":
        objects_of(_recover(damage(data, case[1]), folder))
        return "read"
    if kind == "lines":
        lines = data.splitlines()
        number = int(case[1] * len(lines))
        (line,) = reshape([_unsigned(lines[number])], case[2])[:1] or [None]
        lines[number] = as_bytes(line)
        objects_of(_recover(b"\n".join(lines), folder))
        return "read"
    if kind == "cut":
        broken = data[:at]
    elif kind == "flip":
        broken = data[:at] + bytes([data[at] ^ 1 << case[2]]) + data[at + 1 :]
    else:
        broken = data[:at] + bytes(min(case[2], len(data) - at)) + data[at + case[2] :]
    before = objects_of(_recover(data[: data.rindex(b"\n", 0, at) + 1], folder))
    after = objects_of(_recover(broken, folder))
    for label, (item, pixels) in before.items():
        now = after.get(label)
        if now is None or now[1] != pixels or now[0].region != item.region or now[0].facts.box != item.facts.box:
            raise Wrong(f"object {label} was accepted before the damage, and is lost or changed")
    return "all before the damage survives"


def _unsigned(line: bytes) -> Any:
    """A line without its check sum, so that what is in it is looked at."""
    record = json.loads(line)
    record.pop("sum", None)
    return record


# -- runs of `annotate` ------------------------------------------------------------------------------------------------

HEADER = {"annotations": "0123", "model": "embedded", "settings": {"prompt": "auto"}}


@cache
def run_journal() -> bytes:
    """The journal of a run that did four images."""
    with tempfile.TemporaryDirectory() as folder:
        with RunJournal(Path(folder) / "run.journal", HEADER) as saved:
            for number in range(4):
                rle = encode(np.eye(8, dtype=bool))
                saved.add(number, [ObjectResult(number, rle, 8, [0, 0, 8, 8], 0.5, [["extreme", 1.0, 2.0]], None)])
        return saved.path.read_bytes()


_run_cases = st.one_of(
    st.tuples(st.just("bytes"), byte_edits()),
    st.tuples(st.just("lines"), _share, json_edits(2)),
    st.tuples(st.just("cut"), _share),
)


def check_run(case: Any, folder: Path) -> str:
    path, data = folder / "run.journal", run_journal()
    if case[0] == "bytes":
        data = damage(data, case[1])
    elif case[0] == "cut":
        data = data[: int(case[1] * len(data))]
    else:
        lines = data.splitlines(keepends=True)
        number = int(case[1] * len(lines))
        (line,) = reshape([json.loads(lines[number])], case[2])[:1] or [None]
        lines[number] = as_bytes(line) + b"\n"
        data = b"".join(lines)
    path.write_bytes(data)
    with RunJournal(path, HEADER) as journal:
        done = dict(journal.done)
        journal.add(99, [ObjectResult(1)])
    if case[0] == "cut" and len(done) != max(0, data.count(b"\n") - 1):
        raise Wrong(f"{len(done)} images of {data.count(b'newline') - 1} come back")
    with RunJournal(path, HEADER) as journal:
        if set(journal.done) != {*done, 99}:
            raise Wrong("what was noted after the damage does not come back")
    return "goes on"


SESSIONS = Area(
    "session journals", "journals of sessions: cut, bits turned, lines changed", 1800, _session_cases, check_session
)
RUNS = Area("run journals", "journals of annotate runs: cut, damaged, lines changed", 1300, _run_cases, check_run)
