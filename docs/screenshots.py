"""Make the screenshots of the documentation: real clicks in a real viewer, with the embedded model.

Run it on a screen, or on a virtual one::

    sh tools/with_screen.sh python docs/screenshots.py

It writes ``docs/images/annotate.png``, two objects accepted and the preview of a third with its points, and
``docs/images/corrections.png``, a preview that two further clicks have corrected.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from qtpy.QtCore import QPoint, Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QWidget

from napari_dextr.demo import PHOTOS
from napari_dextr.files import atomic_write
from napari_dextr.models.download import CACHE_VARIABLE
from napari_dextr.widgets.launch import open_viewer

IMAGES = Path(__file__).parent / "images"
WINDOW = (1200, 780)  # pixels
PATIENCE = 120.0  # seconds: loading the model takes a while on a slow machine

ACCEPTED = ("helmet", "mission patch")  # objects of the astronaut's photograph, named as in the demo
PREVIEWED = "space shuttle"
CORRECTED = "saucer"  # of the coffee's photograph
INSIDE, OUTSIDE = (330.0, 330.0), (236.0, 252.0)  # (row, col): on the saucer; on the cup


def main() -> int:
    """Write the pictures; returns the exit code."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as cache:
        os.environ[CACHE_VARIABLE] = cache  # nobody's own sessions are offered in the pictures
        viewer, canvas, widget = open_window("astronaut")
        for name in ACCEPTED:
            segment(viewer, canvas, widget, points_of("astronaut", name))
            QTest.keyClick(canvas, Qt.Key.Key_Return)
            wait(lambda: not widget.accept.isEnabled())
        segment(viewer, canvas, widget, points_of("astronaut", PREVIEWED))
        finish(viewer, "annotate.png")
        viewer, canvas, widget = open_window("coffee")
        segment(viewer, canvas, widget, points_of("coffee", CORRECTED))
        click(viewer, canvas, *INSIDE)
        wait(widget.accept.isEnabled)
        click(viewer, canvas, *OUTSIDE, modifier=Qt.KeyboardModifier.ShiftModifier)
        wait(widget.accept.isEnabled)
        finish(viewer, "corrections.png")
    return 0


def open_window(sample: str) -> tuple[Any, QWidget, Any]:
    """A viewer of the wanted size with a photograph, its canvas, and the widget."""
    viewer, widget = open_viewer(sample)
    viewer.window.resize(*WINDOW)
    viewer.window._qt_window.show()
    canvas = viewer.window._qt_viewer.canvas.native
    wait(lambda: widget.isVisible() and canvas.width() > canvas.height() / 2)
    viewer.reset_view()
    return viewer, canvas, widget


def points_of(photo: str, name: str) -> Iterable[tuple[float, float]]:
    """Extreme points of an object of the demo."""
    return next(item.points for other in PHOTOS if other.name == photo for item in other.objects if item.name == name)


def finish(viewer: Any, name: str) -> None:
    """Save what the window shows, and close it."""
    save(viewer.window.screenshot(flash=False, canvas_only=False), IMAGES / name)
    viewer.close()


def segment(viewer: Any, canvas: QWidget, widget: Any, points: Iterable[tuple[float, float]]) -> None:
    """Click the extreme points of an object and wait for its preview."""
    for row, col in points:
        click(viewer, canvas, row, col)
    wait(widget.accept.isEnabled)


def click(
    viewer: Any,
    canvas: QWidget,
    row: float,
    col: float,
    modifier: Qt.KeyboardModifier = Qt.KeyboardModifier.NoModifier,
) -> None:
    """Move the mouse to a (row, col) of the image and click there, as a hand would."""
    camera = getattr(viewer, "scene", viewer).camera
    offset = (np.array([row, col]) - np.asarray(camera.center)[-2:]) * camera.zoom
    place = QPoint(round(canvas.width() / 2 + offset[1]), round(canvas.height() / 2 + offset[0]))
    QTest.mouseMove(canvas, place)
    wait(lambda: np.abs(np.array(viewer.cursor.position)[-2:] - (row, col)).max() * camera.zoom <= 1)
    QTest.mouseClick(canvas, Qt.MouseButton.LeftButton, modifier, place)


def wait(ready: Callable[[], bool]) -> None:
    """Let the viewer work until something is so."""
    end = time.monotonic() + PATIENCE
    QTest.qWait(300)  # a window that has just changed paints once more
    while not ready():
        if time.monotonic() > end:
            sys.exit("The viewer did not get there in time; run the script again on a machine that is less busy.")
        QTest.qWait(50)


def save(pixels: np.ndarray, path: Path) -> None:
    """Write a screenshot with a palette of 256 colours: a third of the size, and rare colours stay."""
    picture = Image.fromarray(np.asarray(pixels)[..., :3]).quantize(256, Image.Quantize.MAXCOVERAGE)
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(path) as temporary:
        picture.save(temporary, format="PNG", optimize=True)
    print(f"{path}: {picture.width} x {picture.height} pixels, {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    sys.exit(main())
