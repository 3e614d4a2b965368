"""The model as the widgets see it: loaded in the background, asked in the background."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from qtpy.QtCore import QObject, Qt, Signal

from ..errors import DextrError, ModelError
from ..file_names import forward_slashes
from ..prompt import Prompt
from ..session import KINDS, Request
from ..threads import wait_politely
from .worker import PredictionWorker, Progress

ModelLoader = Callable[[str, str, Progress], Any]
"""Takes a model's name or file, a device and a callback for progress; gives a segmenter."""


def load_segmenter(source: str, device: str, progress: Progress | None = None) -> Any:
    """Load a model by name or file, and run it once. Imports torch, may download: not for the main thread.

    Where the GPU has no room for it, the model runs on the CPU.
    """
    wait_politely()
    from ..models import load_model

    try:
        segmenter = load_model(source, device=device, progress=progress)
    except ModelError as error:
        if not _out_of_memory(error.__cause__):
            raise
        segmenter = load_model(source, device="cpu", progress=progress)
    warm_up(segmenter)
    _ = getattr(segmenter, "model_hash", None)  # reads all weights, and is kept: for accepted objects, later
    return segmenter


def short_name(source: str) -> str:
    """A model's name; of a path, its last part."""
    return forward_slashes(source).rstrip("/").rsplit("/", 1)[-1]


def warm_up(segmenter: Any) -> None:
    """Segment a blank image, so that the first click does not wait for what PyTorch does once."""
    if "extreme" in segmenter.spec.marks:
        prompt = Prompt.extreme([(8, 32), (32, 8), (56, 32), (32, 56)])
        segment_somewhere(segmenter, np.zeros((64, 64), np.uint8), prompt, None)


def segment_somewhere(segmenter: Any, pixels: Any, prompt: Prompt, limits: tuple[float, float] | None) -> Any:
    """Segment; where the GPU runs out of memory, move the model to the CPU and segment there."""
    try:
        return segmenter.segment(pixels, prompt, limits=limits)
    except Exception as error:
        if not _out_of_memory(error) or str(segmenter.device) == "cpu":
            raise
    segmenter.runtime.to("cpu")  # outside of the except clause: the traceback holds on to tensors on the GPU
    return segmenter.segment(pixels, prompt, limits=limits)


def _out_of_memory(error: BaseException | None) -> bool:
    """Whether a GPU had no room: torch.OutOfMemoryError, told by its name because torch takes seconds to import."""
    return type(error).__name__ == "OutOfMemoryError"


class ModelClient(QObject):
    """Loads and asks one model at a time.

    Parameters
    ----------
    load : callable
        Makes a segmenter from a model's name, a device and a callback for progress.

    Signals
    -------
    loaded
        The model is ready.
    load_failed(exception)
        It cannot be used. Requests go to the model before it, which `returned` and `loaded` tell next; where there is
        none, they fail with the same exception.
    answered(serial, segmentation), failed(serial, exception)
        What came of the latest request.
    progressed
        A download has come further; see `progress`.
    moved(device)
        The device that was asked for has no room; the model runs on this one.
    returned(source, device)
        Loading was cancelled, or has failed; this model, which was in use before, is in use again.
    cancelled(sentence)
        The user did not want to wait for a model, and has the one before again.
    """

    loaded = Signal()
    load_failed = Signal(object)
    answered = Signal(int, object)
    failed = Signal(int, object)
    progressed = Signal()
    moved = Signal(str)
    returned = Signal(str, str)
    cancelled = Signal(str)

    def __init__(self, load: ModelLoader = load_segmenter) -> None:
        super().__init__()
        self._load = load
        self.segmenter: Any = None
        self.error: Exception | None = None
        self.source = ""
        self.progress: tuple[int, int] | None = None
        self._device = ""  # where the model was last seen
        self._choice = self._earlier = ("", "")  # source and device asked for: now, and of the last model that came
        self._worker = PredictionWorker()
        later = Qt.ConnectionType.QueuedConnection  # also where it speaks in this thread: once it is done here
        self._worker.loaded.connect(self._on_loaded, later)
        self._worker.load_failed.connect(self._on_load_failed, later)
        self._worker.progressed.connect(self._on_progress)
        self._worker.predicted.connect(self._on_predicted)
        self._worker.failed.connect(self.failed)

    @property
    def loading(self) -> bool:
        """Whether the model is on its way."""
        return bool(self.source) and self.segmenter is None and self.error is None

    @property
    def kinds(self) -> tuple[str, ...]:
        """Kinds of mark that the model takes; all of them while it is not known."""
        marks = getattr(getattr(self.segmenter, "spec", None), "marks", (*KINDS, "box"))
        return tuple(kind for kind in (*KINDS, "box") if kind in marks)

    def choose(self, source: str, device: str) -> None:
        """Replace the model."""
        self.source, self.segmenter, self.error, self.progress = source, None, None, None
        self._choice = (source, device)
        self._device = "" if device == "auto" else device
        self._worker.load(partial(self._load, source, device))

    def cancel_load(self) -> None:
        """Stop waiting for the model that is on its way, and go back to the one before, if there is one."""
        unwanted = self.source
        if not self.loading or not self._worker.cancel_load():
            return
        self.progress = None
        if self._earlier[0]:
            self._go_back()
            again = short_name(self.source)
            self.cancelled.emit(f"'{again}' is in use again; loading '{short_name(unwanted)}' was cancelled.")

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
        if segmenter is not self._worker.model:  # another was asked for while the news was on its way
            return
        self.segmenter, self.progress, self._earlier = segmenter, None, self._choice
        self._see_device()
        self.loaded.emit()

    def _on_load_failed(self, error: Exception) -> None:
        if error is not self._worker.failure:
            return
        self.progress = None
        if not self._earlier[0]:
            self.error = error
        elif isinstance(error, DextrError):
            error = ModelError(f"{error} The model before, '{short_name(self._earlier[0])}', stays in use.")
        self.load_failed.emit(error)
        if self._earlier[0]:
            self._go_back()

    def _go_back(self) -> None:
        self._choice, self._device = self._earlier, ""
        self.source = self._earlier[0]
        self.returned.emit(*self._earlier)

    def _on_progress(self, done: int, total: int) -> None:
        self.progress = (done, total)
        self.progressed.emit()

    def _on_predicted(self, serial: int, segmentation: Any) -> None:
        self._see_device()
        self.answered.emit(serial, segmentation)

    def _see_device(self) -> None:
        """Tell where the model no longer runs where it did, or where it was asked to."""
        device = str(getattr(self.segmenter, "device", ""))
        before, self._device = self._device, device
        if before and before.partition(":")[0] != device.partition(":")[0]:
            self.moved.emit(device)


def _segment(segmenter: Any, *, pixels: Any, prompt: Prompt, limits: tuple[float, float] | None) -> Any:
    segmentation = segment_somewhere(segmenter, pixels, prompt, limits)
    _ = segmentation.mask  # thresholded here, in the background
    return segmentation
