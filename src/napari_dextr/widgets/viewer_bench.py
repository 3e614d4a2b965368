"""Speed in the viewer, as a person meets it: ``python -m napari_dextr.widgets.viewer_bench``.

From the fourth click to the drawn label on images of all sizes, frames while the model runs, and a long session.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from qtpy.QtCore import Qt, QTimer

from ..bench import Timing
from ..demo import PHOTOS
from ..errors import DextrError
from ..napari_io.label_storage import level_shapes
from ..session_bench import SessionReport, bench_session
from .bench_scene import Point, Scene
from .bench_session import long_session
from .model_client import ModelLoader, load_segmenter

SIDES = (512, 4096, 20_000)
"""Sides of the images in memory, pixels."""

STORED_SIDE = 50_000
"""Side of the image and the labels on disk, pixels."""

_CHUNK = 512
_TICK = 16  # milliseconds: 60 frames a second
_IDLE, _BUSY = "frame to frame, idle", "frame to frame, a prediction running"


@dataclass(frozen=True)
class ViewerReport:
    """What `run` measured.

    Attributes
    ----------
    model : str
    timings : mapping of str to Timing
        From the fourth click to the drawn label, for each image; frames; accepting in a long session.
    size_ratio : float
        Longest over shortest median of the images.
    session : SessionReport
        A long session without the viewer: what keeping, saving and recovering its objects costs.
    accept_ratio : float
        Median time to accept the last objects of such a session in the viewer over that of the first ones.
    growth : float or None
        By how much it made the process larger at its peak for each object, kB.
    idle_gap_ms, busy_gap_ms : float
        Longest time in which the viewer did not react, while nothing and while the model runs.
    """

    model: str
    timings: Mapping[str, Timing]
    size_ratio: float
    session: SessionReport
    accept_ratio: float
    growth: float | None
    idle_gap_ms: float
    busy_gap_ms: float

    def remarks(self) -> list[str]:
        """The figures that are no timings, as sentences."""
        session = self.session
        in_viewer = "" if self.growth is None else f" and {self.growth:.0f} kB in the viewer"
        return [
            f"the slowest image size takes {self.size_ratio:.2f} times as long as the quickest",
            f"accepting the last of {session.objects} objects takes {self.accept_ratio:.2f} times as long as the first "
            f"ones in the viewer, {session.ratio:.2f} times without it",
            f"an object takes {session.memory / 1e3:.1f} kB of memory with all its undo steps{in_viewer}, and "
            f"{session.journal:.0f} bytes of the journal; saving it takes {session.autosave:.2f} ms",
            f"{session.objects} objects are recovered from the journal in {session.recovery:.0f} ms",
            f"longest pause of the viewer while a prediction runs: {self.busy_gap_ms:.0f} ms, idle "
            f"{self.idle_gap_ms:.0f} ms",
        ]

    def to_json(self) -> dict[str, Any]:
        """Everything as plain values for `json.dump`."""
        timings = {name: vars(timing) for name, timing in self.timings.items()}
        session = {**vars(self.session), "ratio": self.session.ratio}
        return {**vars(self), "timings": timings, "session": session, "remarks": self.remarks()}


def run(
    load: ModelLoader,
    *,
    quick: bool = False,
    sides: Sequence[int] = SIDES,
    stored_side: int = STORED_SIDE,
    say: Callable[[str], object] = print,
) -> ViewerReport:
    """Measure; opens several windows. Needs a running `QApplication` and a screen that draws OpenGL.

    Parameters
    ----------
    load : callable
        Makes the model, as for `AnnotateWidget`.
    quick : bool
        Few repetitions.
    sides, stored_side : int
        Sides of the images in memory and on disk; without zarr none is stored.
    say : callable
        Is told what is done.
    """
    clicks, objects, seconds = (4, 60, 1.0) if quick else (20, 1000, 4.0)
    say(f"a session of {objects} objects")
    first, last, growth = long_session(objects)  # before large images have made the process large
    session = bench_session(objects)
    with tempfile.TemporaryDirectory(prefix="napari-dextr-", ignore_cleanup_errors=True) as folder:
        say("from the fourth click to the drawn label")
        sizes, frames, gaps, model = _sizes(load, Path(folder), sides, stored_side, clicks, seconds)
    medians = [timing.median_ms for timing in sizes.values()]
    timings = {**sizes, **frames}
    timings |= {"accept, first objects": Timing.of(first), f"accept, last of {objects} objects": Timing.of(last)}
    return ViewerReport(
        model=model,
        timings=timings,
        size_ratio=max(medians) / min(medians),
        session=session,
        accept_ratio=statistics.median(last) / statistics.median(first),
        growth=growth,
        idle_gap_ms=gaps[0],
        busy_gap_ms=gaps[1],
    )


def _sizes(
    load: ModelLoader, folder: Path, sides: Sequence[int], stored_side: int, runs: int, seconds: float
) -> tuple[dict[str, Timing], dict[str, Timing], list[float], str]:
    """Click to drawn label on images of several sizes, in turns; frames and gaps, idle and busy; name of the model."""
    photo, points = PHOTOS[2].read(), PHOTOS[2].objects[0].points
    scenes: dict[str, tuple[Scene, list[Point]]] = {}
    try:
        for side in sides:
            image = np.zeros((side, side), np.uint8)
            moved = _paste([image], photo, points)
            scenes[f"{side}² numpy"] = Scene(image, moved[0], load), moved
        stored = _stored(folder, stored_side)
        if stored is not None:
            images, labels = stored
            moved = _paste(images, photo, points)
            scenes[f"{stored_side}² zarr"] = Scene(images, moved[0], load, target=labels), moved
        for scene, _ in scenes.values():
            scene.do.set_auto_accept(True)
        seconds_of: dict[str, list[float]] = {name: [] for name in scenes}
        for number in range(runs + 1):
            for name, (scene, moved) in scenes.items():
                taken = _click_to_label(scene, moved)
                if number:  # the first one does not count
                    seconds_of[name].append(taken)
        scene, moved = next(iter(scenes.values()))
        moving = {name: _frames(scene, moved, seconds, name == _BUSY) for name in (_IDLE, _BUSY)}
        model = scene.do.model.segmenter.spec.name
    finally:
        for scene, _ in scenes.values():
            scene.close()
    sizes = {f"click to label, {name}": Timing.of(times) for name, times in seconds_of.items()}
    return sizes, {name: times for name, (times, _) in moving.items()}, [gap for _, gap in moving.values()], model


def _click_to_label(scene: Scene, points: Sequence[Point]) -> float:
    scene.click(points[:3])
    scene.settle()
    before = len(scene.do.session.objects)
    return scene.until_drawn(lambda: scene.click(points[3:]), lambda: len(scene.do.session.objects) > before)


def _frames(scene: Scene, points: Sequence[Point], seconds: float, busy: bool) -> tuple[Timing, float]:
    """From frame to frame, and the longest gap between ticks (ms), while the view moves; ``busy``: the model runs."""
    do = scene.do
    do.set_auto_accept(False)
    ticks: list[float] = []
    drawn: list[float] = []
    centre = tuple(scene.camera.center)

    def tick() -> None:
        ticks.append(time.perf_counter())
        offset = 20 * np.sin(len(ticks) / 10)
        scene.camera.center = (centre[0], centre[1] + offset, centre[2])

    def note() -> None:
        drawn.append(time.perf_counter())

    def again() -> None:
        if busy and do.bench.clicks is not None and not do.session.busy:
            data = np.array(do.bench.clicks.layer.data)
            data[-1] += 0.5 if len(ticks) % 2 else -0.5
            do.bench.clicks.layer.data = data

    if busy:
        scene.click(points)
    timer = QTimer()
    timer.setTimerType(Qt.TimerType.PreciseTimer)
    timer.timeout.connect(tick)
    timer.start(_TICK)
    started = time.perf_counter()
    do.answers.shown.connect(again, Qt.ConnectionType.QueuedConnection)
    scene.canvas.frameSwapped.connect(note)
    scene.wait(lambda: time.perf_counter() - started > seconds and len(drawn) > 2)
    scene.canvas.frameSwapped.disconnect(note)
    do.answers.shown.disconnect(again)
    timer.stop()
    scene.camera.center = centre
    if busy:
        do.discard()
    return Timing.of(list(np.diff(drawn))), 1e3 * float(np.diff(ticks).max())


def _stored(folder: Path, side: int) -> tuple[list[Any], list[Any]] | None:
    """An image and labels as pyramids on disk, of which only what is written takes room; None without zarr."""
    try:
        import zarr
    except ImportError:
        return None

    def pyramid(name: str, dtype: str) -> list[Any]:
        options = {"mode": "w", "chunks": (_CHUNK, _CHUNK), "dtype": dtype, "fill_value": 0}
        shapes = level_shapes((side, side))
        return [zarr.open(str(folder / f"{name}{i}.zarr"), shape=shape, **options) for i, shape in enumerate(shapes)]

    return pyramid("image", "u1"), pyramid("labels", "u2")


def _paste(levels: list[Any], photo: npt.NDArray[np.uint8], points: Sequence[Point]) -> list[Point]:
    """Put a photograph into the middle of a pyramid; where its points lie then."""
    height, width = photo.shape
    side = levels[0].shape[0]
    corner = ((side - height) // 2, (side - width) // 2)
    for level in levels:
        step = round(side / level.shape[0])
        part = photo[step // 2 :: step, step // 2 :: step]
        top, left = corner[0] // step, corner[1] // step
        level[top : top + part.shape[0], left : left + part.shape[1]] = part
    return [(row + corner[0], col + corner[1]) for row, col in points]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m napari_dextr.widgets.viewer_bench", description=__doc__)
    parser.add_argument("--model", default="embedded")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--quick", action="store_true", help="few repetitions")
    parser.add_argument("--json", type=Path, help="file for the results; without it they are printed")
    options = parser.parse_args(arguments)
    load = partial(_load, model=options.model, device=options.device)
    os.environ["NAPARI_CONFIG"] = ""  # measured with napari's defaults and our own, whatever the user prefers
    from napari.qt import get_qapp

    application = get_qapp()  # stays alive while the windows do
    try:
        report = run(load, quick=options.quick, say=lambda text: print(text, file=sys.stderr))
    except DextrError as error:
        print(f"napari-dextr: {error}", file=sys.stderr)
        return 2
    del application
    text = json.dumps(report.to_json(), indent=2)
    if options.json is None:
        print(text)
    else:
        options.json.write_text(text + "\n", encoding="utf-8")
    return 0


def _load(source: str, device_of_widget: str, progress: Any = None, *, model: str, device: str) -> Any:
    """The model of the command line, whatever the widget's boxes say."""
    return load_segmenter(model, device, progress)


if __name__ == "__main__":
    sys.exit(main())
