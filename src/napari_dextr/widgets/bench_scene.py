"""A viewer with the Annotate widget that a benchmark clicks in, and waits for as a person does: for the picture."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from qtpy.QtCore import QEventLoop, QTimer
from qtpy.QtWidgets import QApplication

from ..errors import DextrError
from ..napari_io.saved_session import describe
from ..session.autosave import Journal
from ..session.labelling import AcceptPolicy
from .annotate import AnnotateWidget
from .model_client import ModelLoader

_PATIENCE = 120.0  # seconds until a benchmark that hangs says so
_SEEN = 300.0  # pixels of the image on the shorter side of the canvas

Point = tuple[float, float]


class Scene:
    """A shown viewer with one image, annotated through the controller of a docked widget.

    Parameters
    ----------
    image : array-like, or list of array-like
        Grey; a list is a pyramid.
    centre : (row, col)
        What the camera looks at.
    load : callable
        Makes the model.
    target : array-like, or list of array-like, optional
        Labels to write into; by default the layer that the widget makes.
    """

    def __init__(self, image: Any, centre: Point, load: ModelLoader, *, target: Any = None) -> None:
        import napari

        before = set(QApplication.allWidgets())
        self.viewer = napari.Viewer(title="napari-dextr bench", show=True)
        made = [widget for widget in QApplication.allWidgets() if widget not in before]
        self.canvas: Any = next(widget for widget in made if hasattr(widget, "frameSwapped"))
        self.frames = 0
        self.canvas.frameSwapped.connect(self._on_frame)
        several = isinstance(image, list)
        self.image: Any = self.viewer.add_image(image, multiscale=several, contrast_limits=(0, 255))
        self.widget = AnnotateWidget(self.viewer, load=load)
        self.viewer.window.add_dock_widget(self.widget, name="Annotate")
        self.do = self.widget.controller
        self.widget.safety.close()  # what is done here does not belong among the user's sessions
        self._folder = TemporaryDirectory(prefix="napari-dextr-", ignore_cleanup_errors=True)
        self._journal = Journal(self._folder.name, self.do.session, describe)
        if target is not None:
            several = isinstance(target, list)
            self.do.set_target(self.viewer.add_labels(target, multiscale=several, name="labels"))
        self.do.session.policy = AcceptPolicy("overwrite")
        self.do.arm()
        self.wait(lambda: self.do.model.segmenter is not None and not self.do.target.scanning)
        self.camera: Any = getattr(self.viewer, "scene", self.viewer).camera
        self.camera.center = (0, *centre)
        self.camera.zoom = min(self.canvas.width(), self.canvas.height()) / _SEEN
        self.settle()

    def click(self, points: Sequence[Point]) -> None:
        """Add points, one after the other."""
        assert self.do.bench.clicks is not None
        for point in points:
            self.do.bench.clicks.layer.add(np.asarray(point, np.float64))

    def put(self, points: Sequence[Point]) -> None:
        """Add points all at once, which is quicker than a hand."""
        assert self.do.bench.clicks is not None
        self.do.bench.clicks.layer.data = np.asarray(points, np.float64)

    def until_drawn(self, act: Callable[[], object], done: Callable[[], bool]) -> float:
        """Seconds from an action until a frame is drawn after ``done`` has become true."""
        started = time.perf_counter()
        act()
        seen = [self.frames]

        def drawn() -> bool:
            if not done():
                seen[0] = self.frames
            return self.frames > seen[0]

        self.canvas.update()
        self.wait(drawn)
        return time.perf_counter() - started

    def wait(self, done: Callable[[], bool]) -> None:
        """Let the viewer work until a condition holds; looked at after each frame and every few milliseconds.

        Raises
        ------
        DextrError
            If it does not come about.
        """
        loop, started = QEventLoop(), time.perf_counter()

        def look() -> None:
            if done() or time.perf_counter() - started > _PATIENCE:
                loop.quit()

        timer = QTimer()
        timer.timeout.connect(look)
        timer.start(2)
        self.canvas.frameSwapped.connect(look)
        loop.exec()
        self.canvas.frameSwapped.disconnect(look)
        timer.stop()
        if not done():
            problem = self.do.notices.problem if hasattr(self, "do") else None
            raise DextrError(f"The viewer did not finish in {_PATIENCE:.0f} s: {problem or 'nothing was said'}")

    def settle(self) -> None:
        """Wait until the viewer has nothing left to draw."""
        quiet = [self.frames, time.perf_counter()]

        def calm() -> bool:
            if self.frames != quiet[0]:
                quiet[:] = [self.frames, time.perf_counter()]
            return time.perf_counter() - quiet[1] > 0.05

        self.wait(calm)

    def close(self) -> None:
        """Close the viewer."""
        self._journal.close(keep=False)
        self._folder.cleanup()
        self.widget.release()
        self.canvas.frameSwapped.disconnect(self._on_frame)
        self.viewer.close()

    def _on_frame(self) -> None:
        self.frames += 1
