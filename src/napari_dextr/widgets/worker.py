"""The thread that loads models and asks them. One thread; the latest request wins."""

from __future__ import annotations

import atexit
import threading
from collections.abc import Callable
from typing import Any

from qtpy.QtCore import QObject, Signal

from ..errors import ModelError
from .background import PATIENCE

Progress = Callable[[int, int], None]
"""Called with bytes done and bytes in all; raises `LoadCancelledError` once nobody waits for them."""

Loader = Callable[[Progress], Any]
"""Makes a segmenter; may take long, may raise."""

Job = Callable[[Any], Any]
"""Takes the segmenter, gives a `Segmentation`; may raise."""

_STEPS = 200  # progress signals of one download at most


class LoadCancelledError(ModelError):
    """The user did not want to wait for a model."""

    def __init__(self) -> None:
        super().__init__("Loading the model was cancelled; choose a model above.")


class PredictionWorker(QObject):
    """Runs a model off the main thread.

    A request replaces the one that is still waiting; the one that is running ends, and its answer is not
    delivered. Signals arrive in the thread that made the worker.

    Signals
    -------
    loaded(segmenter), load_failed(exception)
        What came of the latest `load`. Where it failed and there was a model before, that one answers on, and is told
        with `loaded` after the failure.
    progressed(done, total)
        Bytes of a download; total is 0 where the server does not say.
    predicted(serial, segmentation), failed(serial, exception)
        What came of the latest `predict`.
    """

    loaded = Signal(object)
    load_failed = Signal(object)
    progressed = Signal(object, object)
    predicted = Signal(int, object)
    failed = Signal(int, object)

    def __init__(self) -> None:
        super().__init__()
        self._changed = threading.Condition()
        self._loader: Loader | None = None
        self._job: tuple[int, Job] | None = None
        self._model: Any = None
        self._earlier: Any = None  # the last model that was ready, to go back to
        self._load_error: Exception | None = None  # what requests fail with
        self._failure: Exception | None = None
        self._loads = 0
        self._jobs = 0
        self._stopped = False
        self._thread = threading.Thread(target=self._run, name="napari-dextr prediction", daemon=True)
        self._thread.start()
        atexit.register(self._wait)

    def load(self, loader: Loader) -> None:
        """Replace the model; requests made from now on wait for it."""
        with self._changed:
            self._earlier = self._model or self._earlier
            self._loader, self._model, self._load_error, self._failure = loader, None, None, None
            self._loads += 1
            self._changed.notify()

    @property
    def model(self) -> Any:
        """The model that answers; None while one is on its way."""
        return self._model

    @property
    def failure(self) -> Exception | None:
        """Why the latest `load` failed, even where a model before it answers on."""
        return self._failure

    def cancel_load(self) -> bool:
        """Stop waiting for the model and go back to the one before; False where nothing is on its way any more."""
        with self._changed:
            if self._model is not None or self._load_error is not None or not self._loads:
                return False
            self._loads += 1
            self._loader, self._model = None, self._earlier
            model, error = self._model, None if self._model is not None else LoadCancelledError()
            self._load_error = self._failure = error
            self._changed.notify()
        if error is None:
            self._emit(self.loaded, model)
        else:
            self._emit(self.load_failed, error)
        return True

    def predict(self, serial: int, job: Job) -> None:
        """Ask the model; supersedes every earlier request."""
        with self._changed:
            self._job = (serial, job)
            self._jobs += 1
            self._changed.notify()

    def cancel(self) -> None:
        """Withdraw the latest request."""
        with self._changed:
            self._job = None
            self._jobs += 1

    def stop(self) -> None:
        """Deliver nothing any more and end the thread as soon as what runs has ended. Does not wait."""
        with self._changed:
            self._stopped = True
            self._loader = self._job = self._model = self._earlier = None
            self._changed.notify()

    @property
    def running(self) -> bool:
        """Whether the thread is alive."""
        return self._thread.is_alive()

    def _wait(self) -> None:
        self.stop()
        self._thread.join(PATIENCE)

    def _run(self) -> None:
        try:
            while self._step():
                pass
        finally:
            atexit.unregister(self._wait)

    def _step(self) -> bool:
        """Wait for work and do one piece of it; False at the end."""
        with self._changed:
            while not (self._stopped or self._loader or (self._job and (self._model or self._load_error))):
                self._changed.wait()
            if self._stopped:
                return False
            loader, self._loader = self._loader, None
            job = None
            if loader is None:
                job, self._job = self._job, None
            model, error, load_number, job_number = self._model, self._load_error, self._loads, self._jobs
        if loader is not None:
            self._load(loader, load_number)
        elif job is not None:
            self._predict(job, model, error, job_number)
        return True

    def _load(self, loader: Loader, number: int) -> None:
        model: Any = None
        error: Exception | None = None
        try:
            model = loader(self._meter(number))
        except Exception as failure:  # whatever it is, the user hears of it
            error = failure
        with self._changed:
            if self._stopped or number != self._loads:
                return
            self._earlier = model = model or self._earlier
            self._model, self._load_error, self._failure = model, None if model is not None else error, error
        if error is not None:
            self._emit(self.load_failed, error)
        if model is not None:
            self._emit(self.loaded, model)

    def _meter(self, number: int) -> Progress:
        """Progress of one load: says how far it is, and stops it once another model is wanted."""
        last = -1

        def progress(done: int, total: int) -> None:
            nonlocal last
            if self._stopped or number != self._loads:
                raise LoadCancelledError
            step = _STEPS * done // total if total else done >> 20
            if step != last:
                last = step
                self._emit(self.progressed, done, total)

        return progress

    def _predict(self, job: tuple[int, Job], model: Any, error: Exception | None, number: int) -> None:
        serial, ask = job
        answer: Any = None
        if error is None:
            try:
                answer = ask(model)
            except Exception as failure:
                error = failure
        with self._changed:
            if self._stopped or number != self._jobs:
                return
        if error is None:
            self._emit(self.predicted, serial, answer)
        else:
            self._emit(self.failed, serial, error)

    def _emit(self, signal: Any, *values: Any) -> None:
        try:
            signal.emit(*values)
        except RuntimeError:  # Qt has deleted this object together with the window
            self._stopped = True
