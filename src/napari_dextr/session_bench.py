"""What a long session costs: time to accept an object, time to save it, memory; at the first object and the last."""

from __future__ import annotations

import statistics
import tempfile
import time
import tracemalloc
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from .prompt import Prompt, Region
from .segmentation import Segmentation
from .session import AcceptPolicy, Session
from .session.autosave import Journal
from .session.patches import Labels, Mask
from .session.recovery import recover

_ENDS = 50  # objects at each end whose median is "the first" and "the last"
_SIDE = 4096

T = TypeVar("T")


@dataclass(frozen=True)
class SessionReport:
    """Costs of a session of ``objects`` objects, on a plane of 4096 x 4096 pixels.

    Attributes
    ----------
    accept_first, accept_last : float
        Milliseconds to accept an object, median of the first and of the last 50; autosave included.
    autosave : float
        Milliseconds of that for the journal, median.
    undo : float
        Milliseconds to undo an accept, median.
    journal : float
        Bytes of the journal for each object, its clicks included.
    memory : float
        Bytes of memory for each object, all undo steps included.
    rewrite, recovery : float
        Milliseconds to write the journal anew, and to read it after a crash.
    """

    objects: int
    accept_first: float
    accept_last: float
    autosave: float
    undo: float
    journal: float
    memory: float
    rewrite: float
    recovery: float

    @property
    def ratio(self) -> float:
        """Time of the last accept over that of the first."""
        return self.accept_last / self.accept_first


class _Plane:
    """Labels in one array."""

    largest = 65535

    def __init__(self) -> None:
        self.pixels: npt.NDArray[np.uint16] = np.zeros((_SIDE, _SIDE), np.uint16)

    def highest(self) -> int:
        return int(self.pixels.max())

    def read(self, place: Hashable, region: Region) -> Labels:
        return self.pixels[region]

    def write(self, place: Hashable, region: Region, values: Labels, changed: Mask) -> None:
        self.pixels[region][changed] = values[changed]


def bench_session(objects: int = 1000, progress: Callable[[int, int], object] | None = None) -> SessionReport:
    """Annotate many objects without a network, and measure what keeping track of them costs.

    Parameters
    ----------
    objects : int
        At least 2.
    progress : callable, optional
        Called with the number of objects done, and of all that will be.

    Returns
    -------
    SessionReport
    """
    total = 3 * objects
    tell = progress or (lambda done, of: None)
    plain = _accept_all(_session(), objects, lambda done: tell(done, total))
    with tempfile.TemporaryDirectory() as folder:
        session = _session()
        journal = Journal(folder, session)
        saved = _accept_all(session, objects, lambda done: tell(objects + done, total))
        size = journal.path.stat().st_size
        undo = _undo(session, min(_ENDS, objects))
        rewrite = _timed(journal.rewrite)
        path = Path(journal.path)
        recovery = _timed(lambda: recover(path))
        journal.close(keep=False)
    session = _session()
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    _accept_all(session, objects, lambda done: tell(2 * objects + done, total))
    memory = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    first, last = ends(saved)
    median = statistics.median
    return SessionReport(
        objects=objects,
        accept_first=median(first),
        accept_last=median(last),
        autosave=max(0.0, median(saved) - median(plain)),
        undo=median(undo),
        journal=size / objects,
        memory=memory / objects,
        rewrite=rewrite,
        recovery=recovery,
    )


def ends(items: Sequence[T]) -> tuple[Sequence[T], Sequence[T]]:
    """What of a long session counts as its beginning, and what as its end."""
    count = max(1, min(_ENDS, len(items) // 2))
    return items[:count], items[-count:]


def stamp(prompt: Prompt, shape: tuple[int, int]) -> Segmentation:
    """The answer of a model that needs no time: a disc in the bounds of the marks, on a plane of a shape."""
    assert prompt.bounds is not None
    top, left, bottom, right = (round(value) for value in prompt.bounds)
    rows, cols = np.mgrid[-1 : 1 : (bottom - top + 1) * 1j, -1 : 1 : (right - left + 1) * 1j]
    disc = (rows**2 + cols**2 <= 1).astype(np.float32)
    region = slice(top, bottom + 1), slice(left, right + 1)
    return Segmentation(disc, region, shape, prompt, 0.9, "stamp", 0.5)


def outermost(row: float, col: float, radius: float) -> list[tuple[float, float]]:
    """The four extreme points of a disc."""
    return [(row - radius, col), (row, col - radius), (row + radius, col), (row, col + radius)]


def _session() -> Session:
    session = Session()
    session.policy = AcceptPolicy("overwrite")
    session.bind("plane", _Plane())
    return session


def _accept_all(session: Session, objects: int, progress: Callable[[int], object]) -> list[float]:
    """Click, answer, accept; milliseconds of each accept."""
    rng = np.random.default_rng(0)
    times = []
    for number in range(objects):
        radius = int(rng.integers(10, 40))
        row, col = (int(value) for value in rng.integers(radius, _SIDE - radius, 2))
        for point in outermost(row, col, radius):
            session.add_point("extreme", point)
        request = session.begin()
        assert request is not None
        session.finish(request.serial, stamp(request.prompt, (_SIDE, _SIDE)))
        times.append(_timed(session.accept))
        progress(number + 1)
    return times


def _undo(session: Session, accepts: int) -> list[float]:
    """Milliseconds to undo each of the last accepts; the clicks between them are undone too."""
    times: list[float] = []
    while len(times) < accepts:
        accepted = not session.marks
        spent = _timed(session.undo)
        times += [spent] if accepted else []
    return times


def _timed(job: Callable[[], object]) -> float:
    """Milliseconds that a job takes."""
    started = time.perf_counter()
    job()
    return 1000 * (time.perf_counter() - started)
