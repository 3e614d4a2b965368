"""A model without a network, so that widget tests are quick and exact; and a hand for the mouse."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from napari.components import ViewerModel
from qtpy.QtCore import QEvent, QPoint, QPointF, Qt
from qtpy.QtGui import QMouseEvent
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication

from napari_dextr.errors import DextrError
from napari_dextr.models.spec import ModelSpec
from napari_dextr.postprocess import PostProcess
from napari_dextr.prompt import Prompt
from napari_dextr.segmenter import Segmentation
from napari_dextr.widgets.controller import AnnotateController

from .fake_training import Stage


@pytest.fixture
def qtbot(qtbot: Any) -> Any:
    """As ever, but patient: a machine with other work to do may take its time."""
    qtbot.waitUntil = partial(qtbot.waitUntil, timeout=60_000)
    qtbot.waitSignal = partial(qtbot.waitSignal, timeout=60_000)
    return qtbot


class FakeSegmenter:
    """Finds the box of the marks. It can be held, and it can fail."""

    def __init__(self, marks: tuple[str, ...] = ("extreme", "boundary", "inside", "outside")) -> None:
        self.spec = ModelSpec(name="fake", architecture="none", marks=marks, has_score=True)
        self.device = "cpu"
        self.calls: list[tuple[Any, Prompt, tuple[float, float] | None]] = []
        self.error: Exception | None = None
        self.gate = threading.Event()
        self.gate.set()
        self.entered = threading.Event()

    def segment(
        self, image: Any, prompt: Prompt, *, channels: Any = None, limits: tuple[float, float] | None = None
    ) -> Segmentation:
        self.calls.append((image, prompt, limits))
        self.entered.set()
        assert self.gate.wait(30)
        if self.error is not None:
            raise self.error
        finest = image[0] if isinstance(image, list) else image
        height, width = finest.shape[:2]
        prompt.check((height, width))
        bounds = prompt.bounds
        assert bounds is not None
        r0, c0, r1, c1 = (int(np.rint(value)) for value in bounds)
        rows = slice(max(r0 - 2, 0), min(r1 + 3, height))
        cols = slice(max(c0 - 2, 0), min(c1 + 3, width))
        probability = np.zeros((rows.stop - rows.start, cols.stop - cols.start), np.float32)
        probability[r0 - rows.start : r1 + 1 - rows.start, c0 - cols.start : c1 + 1 - cols.start] = 0.6
        return Segmentation(
            probability, (rows, cols), (height, width), prompt, 0.9, "fake", 0.5, PostProcess(), seconds=0.05
        )


@pytest.fixture
def segmenter() -> Iterator[FakeSegmenter]:
    fake = FakeSegmenter()
    yield fake
    fake.gate.set()  # no thread may stay behind


@pytest.fixture
def load(segmenter: FakeSegmenter) -> Callable[..., FakeSegmenter]:
    def loader(source: str, device: str, progress: Any = None) -> FakeSegmenter:
        if source == "broken":
            raise DextrError("This model is broken; choose another one.")
        return segmenter

    return loader


class Hand:
    """Real mouse and keys on the canvas of a shown viewer."""

    def __init__(self, qtbot: Any, viewer: Any) -> None:
        self.qtbot, self.viewer = qtbot, viewer
        self.canvas = viewer.window._qt_viewer.canvas.native

    def pixel(self, row: float, col: float) -> QPoint:
        """Canvas pixel of a world (row, col) of the axes on the screen."""
        camera = getattr(self.viewer, "scene", self.viewer).camera
        offset = (np.array([row, col]) - np.asarray(camera.center)[-2:]) * camera.zoom
        return QPoint(round(self.canvas.width() / 2 + offset[1]), round(self.canvas.height() / 2 + offset[0]))

    def move(self, row: float, col: float) -> QPoint:
        """Move there; a window that is still finding its size is waited for."""
        moved_to: list[QPoint] = []

        def arrived() -> bool:
            place = self.pixel(row, col)
            if not self.canvas.rect().contains(place):
                self.viewer.reset_view()
                return False
            if moved_to != [place]:
                moved_to[:] = [place]
                QTest.mouseMove(self.canvas, place)
            return self._near((row, col))

        self.qtbot.waitUntil(arrived)
        return self.pixel(row, col)

    def _near(self, goal: tuple[float, float], pixels: float = 1.5) -> bool:
        camera = getattr(self.viewer, "scene", self.viewer).camera
        off = np.abs(np.array(self.viewer.cursor.position)[-2:] - goal).max()
        return bool(off * camera.zoom <= pixels)

    def click(self, row: float, col: float) -> None:
        """Move there and click."""
        self.qtbot.mouseClick(self.canvas, Qt.MouseButton.LeftButton, pos=self.move(row, col))

    def drag(self, start: tuple[float, float], end: tuple[float, float]) -> None:
        """Press, move and release."""
        first, last = self.move(*start), self.pixel(*end)
        self.qtbot.mousePress(self.canvas, Qt.MouseButton.LeftButton, pos=first)
        middle = ((start[0] + end[0]) / 2, (start[1] + end[1]) / 2)
        for place, goal in (((first + last) / 2, middle), (last, end)):
            # napari takes moves up a little later, and the screen's own pointer may come in between
            self.qtbot.waitUntil(lambda place=place, goal=goal: self._pull(place) or self._near(goal))
        self.qtbot.mouseRelease(self.canvas, Qt.MouseButton.LeftButton, pos=last)

    def _pull(self, place: QPoint) -> None:
        """Move with the button held, which QTest does not."""
        event = QMouseEvent(
            QEvent.Type.MouseMove,
            QPointF(place),
            QPointF(self.canvas.mapToGlobal(place)),
            Qt.MouseButton.NoButton,
            Qt.MouseButton.LeftButton,
            Qt.KeyboardModifier.NoModifier,
        )
        QApplication.sendEvent(self.canvas, event)

    def key(self, key: Any, modifier: Any = Qt.KeyboardModifier.NoModifier) -> None:
        """Press a key on the canvas."""
        self.qtbot.keyClick(self.canvas, key, modifier)


@pytest.fixture
def hand(qtbot: Any) -> Callable[[Any], Hand]:
    return lambda viewer: Hand(qtbot, viewer)


CLICKS = [(5.0, 12.0), (14.0, 4.0), (24.0, 13.0), (13.0, 22.0)]


class Rig:
    """A viewer model with an image, a controller, and what it said."""

    def __init__(self, qtbot: Any, load: Callable[[str, str], Any], segmenter: Any) -> None:
        self.qtbot, self.segmenter = qtbot, segmenter
        self.viewer = ViewerModel()
        self.do = AnnotateController(self.viewer, load=load)
        self.notices: list[tuple[str, bool]] = []
        self.do.noticed.connect(lambda text, severe: self.notices.append((text, severe)))
        self.do.set_model("fake", "auto")

    def open(self, data: Any = None, **options: Any) -> Any:
        image = self.viewer.add_image(np.zeros((40, 50), np.uint8) if data is None else data, **options)
        self.do.set_image(image)
        return image

    @property
    def layer(self) -> Any:
        assert self.do.bench.clicks is not None
        return self.do.bench.clicks.layer

    def click(self, points: Any = CLICKS, *before: float) -> None:
        for point in points:
            self.layer.add([*before, *point])

    def wait(self) -> None:
        self.qtbot.waitUntil(lambda: not self.do.session.busy)

    def segment(self, points: Any = CLICKS, *before: float) -> None:
        self.click(points, *before)
        self.wait()

    @property
    def names(self) -> list[str]:
        return [layer.name for layer in self.viewer.layers]


@pytest.fixture
def rig(qtbot: Any, load: Callable[[str, str], Any], segmenter: Any) -> Iterator[Rig]:
    made = Rig(qtbot, load, segmenter)
    yield made
    made.do.close()
    segmenter.gate.set()
    qtbot.waitUntil(lambda: not made.do.model.running)


EVERY_MARK = ("extreme", "boundary", "inside", "outside", "box")


@pytest.fixture
def full(rig: Rig) -> Rig:
    """A rig whose model takes every kind of mark, with an image open."""
    rig.segmenter.spec = type(rig.segmenter)(EVERY_MARK).spec
    rig.qtbot.waitUntil(lambda: rig.do.model.segmenter is not None)
    rig.do.set_model("fake", "cpu")
    rig.qtbot.waitUntil(lambda: rig.do.model.segmenter is not None)
    rig.open()
    return rig


@pytest.fixture
def stage() -> Iterator[Stage]:
    """What the fake trainings of a test do."""
    made = Stage()
    yield made
    made.release()


@pytest.fixture
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A library of own models that is the test's alone; runs of trainings go beside it."""
    monkeypatch.setenv("NAPARI_DEXTR_DATA", str(tmp_path))
    monkeypatch.setenv("NAPARI_DEXTR_MODELS", str(tmp_path / "models"))
    return tmp_path / "models"
