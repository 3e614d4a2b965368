"""The model as the widgets see it: loaded in the background, asked in the background."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

from qtpy.QtCore import QObject, Signal

from ..prompt import Prompt
from ..session import KINDS, Request
from .worker import PredictionWorker

ModelLoader = Callable[[str, str], Any]
"""Takes a model's name or file and a device, gives a segmenter."""


def load_segmenter(source: str, device: str) -> Any:
    """Load a model by name or file. Imports torch, may download: not for the main thread."""
    if "torch" not in sys.modules:
        # Read once, when torch loads OpenMP. Threads that spin while they wait cost 30 times the computation as soon
        # as a core is busy with something else (another program, software OpenGL); sleeping ones cost nothing.
        os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    from ..models import load_model

    return load_model(source, device=device)


class ModelClient(QObject):
    """Loads and asks one model at a time.

    Parameters
    ----------
    load : callable
        Makes a segmenter from a model's name and a device.

    Signals
    -------
    loaded
        The model is ready.
    load_failed(exception)
        It cannot be used; requests fail with the same exception.
    answered(serial, segmentation), failed(serial, exception)
        What came of the latest request.
    """

    loaded = Signal()
    load_failed = Signal(object)
    answered = Signal(int, object)
    failed = Signal(int, object)

    def __init__(self, load: ModelLoader = load_segmenter) -> None:
        super().__init__()
        self._load = load
        self.segmenter: Any = None
        self.error: Exception | None = None
        self.source = ""
        self._worker = PredictionWorker()
        self._worker.loaded.connect(self._on_loaded)
        self._worker.load_failed.connect(self._on_load_failed)
        self._worker.predicted.connect(self.answered)
        self._worker.failed.connect(self.failed)

    @property
    def loading(self) -> bool:
        """Whether the model is on its way."""
        return bool(self.source) and self.segmenter is None and self.error is None

    @property
    def kinds(self) -> tuple[str, ...]:
        """Kinds of click that the model takes; all of them while it is not known."""
        marks = getattr(getattr(self.segmenter, "spec", None), "marks", KINDS)
        return tuple(kind for kind in KINDS if kind in marks)

    def choose(self, source: str, device: str) -> None:
        """Replace the model."""
        self.source, self.segmenter, self.error = source, None, None
        self._worker.load(partial(self._load, source, device))

    def ask(self, request: Request, pixels: Any, limits: tuple[float, float] | None) -> None:
        """Ask for a segmentation of a plane; supersedes earlier requests, waits for a model that is loading."""
        self._worker.predict(request.serial, partial(_segment, pixels=pixels, prompt=request.prompt, limits=limits))

    def cancel(self) -> None:
        """Withdraw the latest request."""
        self._worker.cancel()

    def stop(self) -> None:
        """End the thread, without waiting for it."""
        self._worker.stop()

    @property
    def running(self) -> bool:
        """Whether the thread is alive."""
        return self._worker.running

    def _on_loaded(self, segmenter: Any) -> None:
        self.segmenter = segmenter
        self.loaded.emit()

    def _on_load_failed(self, error: Exception) -> None:
        self.error = error
        self.load_failed.emit(error)


def _segment(segmenter: Any, *, pixels: Any, prompt: Prompt, limits: tuple[float, float] | None) -> Any:
    segmentation = segmenter.segment(pixels, prompt, limits=limits)
    _ = segmentation.mask  # thresholded here, in the background
    return segmentation
