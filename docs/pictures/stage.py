"""A real viewer with real mouse and key events, for pictures."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from qtpy.QtCore import QEvent, QPoint, QPointF, Qt
from qtpy.QtGui import QMouseEvent
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QDockWidget, QMainWindow, QWidget

from napari_dextr.napari_io.parked_sessions import release_closed
from napari_dextr.places import DATA_VARIABLE
from napari_dextr.session.recovery import dismiss, recoverable
from napari_dextr.widgets.safety import sessions_folder

from .files import Pixels, save_png
from .film import STEP, Film

IMAGES = Path(__file__).parents[1] / "images"
PLUGIN = "napari-dextr"
WINDOW = (1200, 780)  # pixels
PATIENCE = 600.0  # seconds: loading the model takes a while on a slow machine
SHIFT, CTRL = Qt.KeyboardModifier.ShiftModifier, Qt.KeyboardModifier.ControlModifier
_NONE = Qt.KeyboardModifier.NoModifier
_REST = 300  # milliseconds: a window that has just changed paints once more
_FRAMES = 9  # of a way of the mouse in a film

Point = tuple[float, float]


class Stage:
    """A viewer window of a known size, and hands that work in it.

    Parameters
    ----------
    sample : str
        Key of the sample data to open, as with *File > Open Sample*.
    size : (width, height)
        Pixels of the window.
    """

    def __init__(self, sample: str | None, size: tuple[int, int] = WINDOW) -> None:
        import napari

        self.film: Film | None = None
        self.cursor = QPoint(0, 0)
        before = set(QApplication.topLevelWidgets()) if QApplication.instance() else set()
        self.viewer: Any = napari.Viewer(title="napari")
        windows = [w for w in QApplication.topLevelWidgets() if isinstance(w, QMainWindow) and w not in before]
        self.window: Any = windows[0]
        self.canvas: Any = next(w for w in self.window.findChildren(QWidget) if hasattr(w, "frameSwapped"))
        self.window.resize(*size)
        if sample is not None:
            self.viewer.open_sample(PLUGIN, sample)
        QTest.qWait(_REST)

    def close(self) -> None:
        """Close the viewer without a question, and throw away what nobody exported: the next one would offer it."""
        self.viewer.close()
        QTest.qWait(_REST)
        release_closed()
        if DATA_VARIABLE in os.environ:  # never anybody's own
            for found in recoverable(sessions_folder()):
                dismiss(found.path)

    # -- docks ------------------------------------------------------------------------------------------------------

    def dock(self, name: str, **options: Any) -> Any:
        """A widget of the plugin, opened as its entry in the Plugins menu does."""
        _, widget = self.viewer.window.add_plugin_dock_widget(PLUGIN, name, **options)
        loads = getattr(getattr(widget, "controller", None), "model", None)
        self.wait(lambda: widget.isVisible() and (loads is None or loads.segmenter is not None))
        self.viewer.reset_view()
        self.wait(lambda: True)
        return widget

    def hide_panels(self) -> None:
        """Hide napari's own panels on the left, for more room."""
        for dock in self.window.findChildren(QDockWidget):
            if dock.windowTitle() in {"layer list", "layer controls"}:
                dock.hide()
        self.wait(lambda: True)

    # -- mouse and keys ---------------------------------------------------------------------------------------------

    def place(self, row: float, col: float) -> QPoint:
        """Pixel of the canvas of a (row, col) of the world."""
        camera = getattr(self.viewer, "scene", self.viewer).camera
        offset = (np.array([row, col]) - np.asarray(camera.center)[-2:]) * camera.zoom
        return QPoint(round(self.canvas.width() / 2 + offset[1]), round(self.canvas.height() / 2 + offset[0]))

    def move(self, row: float, col: float) -> QPoint:
        """Move the mouse to a (row, col) of the world."""
        goal, start = self.place(row, col), self.cursor
        if self.film is not None:
            for step in range(1, _FRAMES):
                share = 0.5 - 0.5 * np.cos(np.pi * step / _FRAMES)
                self.cursor = start + (goal - start) * float(share)
                QTest.mouseMove(self.canvas, self.cursor)
                QTest.qWait(30)
                self.film.take(self._in_window())
        self.cursor = goal
        QTest.mouseMove(self.canvas, goal)
        camera = getattr(self.viewer, "scene", self.viewer).camera
        shown = list(self.viewer.dims.displayed)
        self.wait(lambda: np.abs(np.array(self.viewer.cursor.position)[shown] - (row, col)).max() * camera.zoom <= 1.5)
        return goal

    def click(self, row: float, col: float, modifier: Qt.KeyboardModifier = _NONE) -> None:
        """Move the mouse there and click, as a hand would."""
        place = self.move(row, col)
        if self.film is not None:
            self.film.take(self._in_window(), ring=16)
        QTest.mouseClick(self.canvas, Qt.MouseButton.LeftButton, modifier, place)
        if self.film is not None:
            QTest.qWait(100)
            self.film.take(self._in_window(), ring=11)

    def drag(self, start: Point, end: Point) -> None:
        """Press the button, move, and let go."""
        first, last = self.move(*start), self.place(*end)
        QTest.mousePress(self.canvas, Qt.MouseButton.LeftButton, _NONE, first)
        for place in ((first + last) / 2, last, last):
            held = QMouseEvent(  # QTest moves without the button
                QEvent.Type.MouseMove,
                QPointF(place),
                QPointF(self.canvas.mapToGlobal(place)),
                Qt.MouseButton.NoButton,
                Qt.MouseButton.LeftButton,
                _NONE,
            )
            QApplication.sendEvent(self.canvas, held)
            QTest.qWait(100)
        QTest.mouseRelease(self.canvas, Qt.MouseButton.LeftButton, _NONE, last)
        self.wait(lambda: True)

    def key(self, key: Qt.Key, modifier: Qt.KeyboardModifier = _NONE) -> None:
        """Press a key over the canvas."""
        QTest.keyClick(self.canvas, key, modifier)
        self.wait(lambda: True)

    def press(self, button: QWidget) -> None:
        """Click on a button of a dock widget."""
        QTest.mouseClick(button, Qt.MouseButton.LeftButton)
        self.wait(lambda: True)

    # -- annotating -------------------------------------------------------------------------------------------------

    def outline(self, widget: Any, points: Iterable[Point]) -> None:
        """Click the extreme points of an object and wait for its preview."""
        for point in points:
            self.click(*point)
        self.see(widget)

    def see(self, widget: Any) -> None:
        """Wait for the preview of what is marked."""
        self.wait(lambda: widget.controller.session.segmentation is not None)

    def accept(self, widget: Any) -> None:
        """Press Enter over the canvas and wait until the object is written."""
        self.key(Qt.Key.Key_Return)
        self.wait(lambda: not widget.accept.isEnabled())

    # -- pictures ---------------------------------------------------------------------------------------------------

    def shoot(self) -> Pixels:
        """What the window shows, ``(H, W, 3)``."""
        pixels = self.viewer.window.screenshot(flash=False, canvas_only=False)
        return np.ascontiguousarray(np.asarray(pixels, np.uint8)[..., :3])

    def save(self, name: str) -> None:
        """Write what the window shows into ``docs/images``."""
        self.wait(lambda: True)
        save_png(self.shoot(), IMAGES / name)

    @contextmanager
    def filming(self) -> Iterator[Film]:
        """Take a film of what the mouse does meanwhile."""
        middle = self.canvas.mapTo(self.window, QPoint(self.canvas.width() // 2, self.canvas.height()))
        self.film = Film(self.shoot, (middle.x(), middle.y()))
        yield self.film
        self.film = None

    def hold(self, milliseconds: int) -> None:
        """Show the next frame of a film for some time."""
        assert self.film is not None
        self.film.take(self._in_window(), milliseconds)

    def wait(self, ready: Callable[[], bool], patience: float = PATIENCE) -> None:
        """Let the viewer work until something is so; ``patience`` in seconds."""
        end = time.monotonic() + patience
        QTest.qWait(STEP if self.film is not None else _REST)
        while not ready():
            if time.monotonic() > end:
                sys.exit("The viewer did not get there in time; run it again on a machine that is less busy.")
            QTest.qWait(30)

    def _in_window(self) -> tuple[int, int]:
        place = self.canvas.mapTo(self.window, self.cursor)
        return place.x(), place.y()


def nobodys_home(folder: str) -> None:
    """Make an empty folder the user's: settings, sessions and models of nobody are in the pictures."""
    from napari_dextr.models.download import CACHE_VARIABLE

    os.environ["HOME"] = os.environ["USERPROFILE"] = folder  # what "~" means
    os.environ[CACHE_VARIABLE] = str(Path(folder) / "cache")
    os.environ["NAPARI_DEXTR_DATA"] = str(Path(folder) / "data")
    os.environ["NAPARI_DEXTR_MODELS"] = str(Path(folder) / "models")
    os.environ["NAPARI_CONFIG"] = str(Path(folder) / "napari.yaml")
