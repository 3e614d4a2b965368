"""Make the screenshots of the documentation: real clicks in a real viewer, with the embedded model.

Run it on a screen, or on a virtual one::

    sh tools/with_screen.sh python docs/screenshots.py

It writes ``docs/images/annotate.png``: two objects accepted, the preview of a third.
"""

from __future__ import annotations

import sys
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
from napari_dextr.widgets.launch import open_viewer

IMAGES = Path(__file__).parent / "images"
WINDOW = (1200, 780)  # pixels
PATIENCE = 120.0  # seconds: loading the model takes a while on a slow machine

ACCEPTED = ("helmet", "mission patch")  # objects of the astronaut's photograph, named as in the demo
PREVIEWED = "space shuttle"


def main() -> int:
    """Write the picture; returns the exit code."""
    viewer, widget = open_viewer("astronaut")
    viewer.window.resize(*WINDOW)
    viewer.window._qt_window.show()
    canvas = viewer.window._qt_viewer.canvas.native
    wait(lambda: widget.isVisible() and canvas.width() > canvas.height() / 2)
    viewer.reset_view()
    points = {item.name: item.points for photo in PHOTOS if photo.name == "astronaut" for item in photo.objects}
    for name in ACCEPTED:
        segment(viewer, canvas, widget, points[name])
        QTest.keyClick(canvas, Qt.Key.Key_Return)
        wait(lambda: not widget.accept.isEnabled())
    segment(viewer, canvas, widget, points[PREVIEWED])
    save(viewer.window.screenshot(flash=False, canvas_only=False), IMAGES / "annotate.png")
    viewer.close()
    return 0


def segment(viewer: Any, canvas: QWidget, widget: Any, points: Iterable[tuple[float, float]]) -> None:
    """Click the extreme points of an object and wait for its preview."""
    for row, col in points:
        click(viewer, canvas, row, col)
    wait(widget.accept.isEnabled)


def click(viewer: Any, canvas: QWidget, row: float, col: float) -> None:
    """Move the mouse to a (row, col) of the image and click there, as a hand would."""
    camera = getattr(viewer, "scene", viewer).camera
    offset = (np.array([row, col]) - np.asarray(camera.center)[-2:]) * camera.zoom
    place = QPoint(round(canvas.width() / 2 + offset[1]), round(canvas.height() / 2 + offset[0]))
    QTest.mouseMove(canvas, place)
    wait(lambda: np.abs(np.array(viewer.cursor.position)[-2:] - (row, col)).max() * camera.zoom <= 1)
    QTest.mouseClick(canvas, Qt.MouseButton.LeftButton, pos=place)


def wait(ready: Callable[[], bool]) -> None:
    """Let the viewer work until something is so."""
    end = time.monotonic() + PATIENCE
    QTest.qWait(300)  # a window that has just changed paints once more
    while not ready():
        if time.monotonic() > end:
            sys.exit("The viewer did not get there in time; run the script again on a machine that is less busy.")
        QTest.qWait(50)


def save(pixels: np.ndarray, path: Path) -> None:
    """Write a screenshot with a palette of 256 colours: a third of the size, and hardly a difference."""
    picture = Image.fromarray(np.asarray(pixels)[..., :3]).quantize(256)
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(path) as temporary:
        picture.save(temporary, format="PNG", optimize=True)
    print(f"{path}: {picture.width} x {picture.height} pixels, {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    sys.exit(main())
