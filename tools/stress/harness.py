"""Cases, what may come of them, and the guards around each: time, memory, files."""

from __future__ import annotations

import contextlib
import faulthandler
import shutil
import signal
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from napari_dextr.errors import DextrError

PROCESSOR_SECONDS = 30.0
"""What one case may take of a processor; what a busy machine does to the clock on the wall does not count."""

WALL_SECONDS = 600.0
"""When a case that waits for something that never comes ends the program, with a traceback."""

ROOM = 3 << 30
"""Bytes of address space that a case may take beyond what the program has when it starts."""

_ZARR = {".zarray", ".zattrs", ".zgroup"}  # what zarr 2 calls its own files
_LONGEST_SENTENCE = 1000  # characters; a message that holds a whole file helps nobody


class Wrong(AssertionError):
    """An answer that is none: of another shape, not finite, not what was written."""


class TooLong(BaseException):
    """A case took more than its time. No `Exception`, so that nothing takes it for an error of a file."""


@dataclass(frozen=True)
class Area:
    """One kind of hostile input.

    Attributes
    ----------
    name, title : str
        A word, and what is thrown at what.
    share : int
        Cases of a full run.
    cases : strategy
        Descriptions of cases, small and readable: they stand in the report.
    check : callable
        Takes a case and an empty folder; returns what came of it in a word or two, or raises.
    """

    name: str
    title: str
    share: int
    cases: st.SearchStrategy[Any]
    check: Callable[[Any, Path], str]


@dataclass
class Finding:
    """Something that must not be.

    Attributes
    ----------
    what : str
        Type and message of the error.
    where : str
        Line of ours at which it came out.
    case : str
        The smallest case that was found to lead to it.
    trace : str
    times : int
    """

    what: str
    where: str
    case: str
    trace: str
    times: int = 1


@dataclass
class Result:
    """What came of an area.

    Attributes
    ----------
    outcomes : dict of str to int
        Cases that ended in each way.
    seconds : float
        Of the processor.
    memory : float or None
        Megabytes by which the program became larger at its peak; None where the system does not tell.
    """

    name: str
    title: str
    cases: int = 0
    outcomes: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0
    memory: float | None = None
    findings: list[Finding] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """The result as plain values."""
        return asdict(self)


def explore(area: Area, cases: int, number: int = 0, *, budget: float = float("inf")) -> Result:
    """Try cases of an area.

    Parameters
    ----------
    area : Area
    cases : int
        How many, at least; cases tried while a finding is made smaller come on top.
    number : int
        Seed.
    budget : float
        Seconds of the processor after which no further case is begun.

    Returns
    -------
    Result
    """
    result = Result(area.name, area.title)
    counts: Counter[str] = Counter()
    known: dict[tuple[str, str], Finding] = {}
    fresh: dict[tuple[str, str], Finding] = {}
    started, memory = time.process_time(), peak_megabytes()

    def attempt(case: Any) -> None:
        if time.process_time() - started > budget:
            return
        result.cases += 1
        try:
            counts[_outcome(area, case)] += 1
        except Exception as error:
            key = signature(error)
            counts["finding"] += 1
            if key in known:
                known[key].times += 1
                return
            fresh[key] = Finding(f"{key[0]}: {_first_line(error)}", key[1], _shown(case), _trace(error))
            raise

    while result.cases < cases and time.process_time() - started <= budget:
        before = result.cases
        rules = settings(
            max_examples=cases - result.cases,
            database=None,
            deadline=None,
            phases=(Phase.generate, Phase.shrink),
            suppress_health_check=list(HealthCheck),
            print_blob=False,
        )
        try:
            with contextlib.redirect_stdout(sys.stderr):
                seed(number)(rules(given(area.cases)(attempt)))()
        except Exception:
            if not fresh:  # not a case, but this program
                raise
        known.update(fresh)
        fresh.clear()
        number += 1
        if result.cases == before:  # all there are
            break
    result.outcomes = dict(counts.most_common())
    result.seconds = time.process_time() - started
    after = peak_megabytes()
    result.memory = None if memory is None or after is None else after - memory
    result.findings = list(known.values())
    return result


def _outcome(area: Area, case: Any) -> str:
    """What comes of one case; raises where that must not be."""
    folder = Path(tempfile.mkdtemp(prefix="napari-dextr-stress-"))
    try:
        with limited(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                outcome = area.check(case, folder)
            except DextrError as error:
                check_sentence(error)
                outcome = f"refused: {type(error).__name__}"
        left = sorted(path.name for path in folder.rglob(".*") if path.name not in _ZARR)
        if left:
            raise Wrong(f"files are left behind: {left}")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return outcome


def check_sentence(error: BaseException) -> None:
    """Raise `Wrong` unless the message of an error is a sentence that a person can read."""
    text = str(error)
    if not text.endswith((".", "?", "!")) or len(text) > _LONGEST_SENTENCE or "Traceback" in text:
        raise Wrong(f"the message is no sentence: {text[:300]!r}")


@contextlib.contextmanager
def limited(seconds: float = PROCESSOR_SECONDS) -> Iterator[None]:
    """End what takes too long: seconds of the processor, where the system counts them, and of the clock."""
    faulthandler.dump_traceback_later(WALL_SECONDS, exit=True)
    counted = hasattr(signal, "setitimer")
    if counted:
        signal.signal(signal.SIGPROF, _too_long)
        signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    except TooLong:
        raise Wrong(f"took more than {seconds:.0f} s of the processor") from None
    finally:
        if counted:
            signal.setitimer(signal.ITIMER_PROF, 0)
        faulthandler.cancel_dump_traceback_later()


def _too_long(number: int, frame: FrameType | None) -> None:
    raise TooLong


def cap_memory(room: int = ROOM) -> bool:
    """Let this program's address space grow by so many bytes and no more; False where the system cannot do it."""
    status = Path("/proc/self/statm")
    if not status.exists():
        return False
    import resource

    size = int(status.read_text(encoding="ascii").split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (size + room, resource.getrlimit(resource.RLIMIT_AS)[1]))
    return True


def peak_megabytes() -> float | None:
    """Largest size of this program so far, MB."""
    from napari_dextr.bench import peak_megabytes as peak

    return peak()


def signature(error: BaseException) -> tuple[str, str]:
    """Type of an error and the innermost place of ours that it came through: what makes two findings one."""
    places = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if "napari_dextr" in Path(frame.filename).parts or Path(frame.filename).parent.name == "stress"
    ]
    last = places[-1] if places else None
    where = "" if last is None else f"{Path(last.filename).parent.name}/{Path(last.filename).name}:{last.lineno}"
    return type(error).__name__, where


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [""])[0][:300]


def _shown(case: Any) -> str:
    text = repr(case)
    return text if len(text) <= 600 else f"{text[:400]} … {text[-150:]}"


def _trace(error: BaseException) -> str:
    return "".join(traceback.format_exception(error)[-12:])[-4000:]
