"""What the Fine-tune widget does: objects surveyed, models trained, both in the background. The view only shows it."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, Signal

from ..errors import DextrError
from . import fine_tune_work as work
from .background import Background
from .collecting import MainThreadCollector
from .fine_tune_form import Choices
from .fine_tune_sources import SESSION, Wanted
from .fine_tune_work import Ended, Maker, Order

if TYPE_CHECKING:
    from ..training.finetune_runs import UnfinishedRun

_LOG = logging.getLogger(__name__)
_WORTH_ASKING = 60.0  # seconds of training that are not thrown away without a question


class FineTuneJob(QObject):
    """Surveys, trains, keeps; one of each at a time.

    Parameters
    ----------
    viewer : napari.Viewer or ViewerModel
    make : callable, optional
        Makes a training; tests pass their own.

    Signals
    -------
    surveyed(survey), unusable(sentence)
        What was found in the objects; why they cannot be used.
    estimated(seconds)
        How long a training will take, or None.
    staged(sentence), updated(list of Update)
        What the training is doing; its steps since the last time.
    done(Ended), unbegun, failed(sentence), cancelled, interrupted
        How it ended; unbegun where it was stopped before anything was learned, and left nothing; interrupted where
        napari's list of activities ended it, and it can be resumed.
    found(list of UnfinishedRun)
        Trainings that were interrupted.
    """

    surveyed = Signal(object)
    unusable = Signal(str)
    estimated = Signal(object)
    staged = Signal(str)
    updated = Signal(list)
    done = Signal(object)
    unbegun = Signal()
    failed = Signal(str)
    cancelled = Signal()
    interrupted = Signal()
    found = Signal(object)

    def __init__(self, viewer: Any, make: Maker | None = None) -> None:
        super().__init__()
        self._viewer = viewer
        self._make = make or work.make_tuning
        self._order: Order | None = None
        self.seen: Path | None = None
        """Run whose outcome the user has seen: it goes together with the window, as with the widget."""
        self._surveying = Background()
        self._surveying.done.connect(self.surveyed)
        self._surveying.failed.connect(lambda error: self.unusable.emit(sentence_of(error)))
        self._estimating = Background()
        self._estimating.done.connect(self.estimated)
        self._estimating.failed.connect(lambda _: self.estimated.emit(None))
        self._looking = Background()
        self._looking.done.connect(self.found)
        self._collector = MainThreadCollector()
        # Not in napari's list of activities: the wheel that turns there makes the window draw itself thirty times a
        # second, and where no graphics card does that, it takes half of the processor from minutes of training.
        self._training = Background(patient=True)
        self._training.told.connect(self._on_told)
        self._training.done.connect(self._on_done)
        self._training.failed.connect(self._on_failed)
        self._training.cancelled.connect(self._on_cancelled)

    # -- what is there --------------------------------------------------------------------------------------------

    @property
    def busy(self) -> bool:
        """Whether a training is under way."""
        return self._training.running

    @property
    def surveying(self) -> bool:
        """Whether the objects are being looked at."""
        return self._surveying.running

    @property
    def paused(self) -> bool:
        """Whether the training was asked to wait."""
        return self._order is not None and self._order.paused

    @property
    def stopping(self) -> bool:
        """Whether the training was asked to end with what it has."""
        return self._order is not None and self._order.stopping

    @property
    def learned(self) -> bool:
        """Whether something has been learned yet."""
        return self._order is not None and (not self._order.fresh or self._order.steps_done > 0)

    @property
    def would_lose(self) -> float:
        """Seconds of training, or more, that cancelling would throw away, where they are worth a question; else 0."""
        order = self._order
        if order is None or not self.learned:
            return 0.0
        spent = time.monotonic() - order.since
        if not order.fresh:  # what was learned before it was interrupted would go as well
            return spent + _WORTH_ASKING
        return spent if spent > _WORTH_ASKING else 0.0

    def survey(self, wanted: Wanted, model: str) -> None:
        """Look at the objects that a model is to learn from; supersedes a survey that is under way."""
        try:
            sources = self._taken(wanted)
        except DextrError as error:
            self._surveying.stop()
            self.unusable.emit(str(error))
            return
        self._surveying.start(lambda tell: work.look_through(sources, wanted.files, model, tell))

    def estimate(self, choices: Choices, objects: int) -> None:
        """Find out how long a training would take; `estimated` follows."""
        self._estimating.start(lambda tell: work.estimate(choices, objects))

    def look(self) -> None:
        """Look for trainings that were interrupted; `found` follows."""
        self._looking.start(lambda tell: work.unfinished())

    # -- a training -----------------------------------------------------------------------------------------------

    def start(self, wanted: Wanted, choices: Choices) -> None:
        """Train; `done`, `failed` or `cancelled` follows."""
        try:
            sources = self._taken(wanted)
        except DextrError as error:
            self.failed.emit(str(error))
            return
        self._begin(lambda: work.make_plan(sources, wanted.files, choices), fresh=True)

    def resume(self, run: UnfinishedRun) -> None:
        """Go on with a training that was interrupted."""
        self._begin(lambda: work.reopened(run.path), fresh=False)

    def pause(self) -> None:
        """Let the training wait after the step, or the object, it is at."""
        if self._order is not None:
            self._order.paused = True
            if self._order.tuning is not None:
                self._order.tuning.pause()

    def go_on(self) -> None:
        """Let a training that waits go on."""
        if self._order is not None:
            self._order.paused = False
            if self._order.tuning is not None:
                self._order.tuning.resume()

    def stop(self) -> None:
        """End the training with the best that it has; `done` follows, or `unbegun`."""
        if self._order is not None:
            self._order.stopping, self._order.paused = True, False
            if self._order.tuning is not None:
                self._order.tuning.stop()

    def cancel(self) -> None:
        """Give the training up and leave nothing of it; `cancelled` follows."""
        if self._order is not None:
            self._order.discard = True
            self._training.cancel()
            self.go_on()  # one that waits would not notice

    def discard(self, run: Path) -> None:
        """Remove everything of a training.

        Raises
        ------
        OutputError
            If another program works on it.
        """
        from ..training.finetune_runs import discard_run

        discard_run(run)

    def keep(self, ended: Ended) -> str:
        """Put a model that does not help into the library all the same; its name there.

        Raises
        ------
        DextrError
            If that is impossible.
        """
        assert ended.outcome.tuned is not None, "where no model was made, none can be kept"
        return work.keep(ended.outcome.tuned, ended.name)

    def close(self) -> None:
        """Let go of everything; a training writes its checkpoint and ends, and can be resumed."""
        order, self._order = self._order, None
        for background in (self._training, self._surveying, self._estimating, self._looking):
            with suppress(RuntimeError):  # at the end of the program Qt may have deleted its timer already
                background.stop()
        with suppress(RuntimeError):
            self._collector.stop()
        if order is not None:
            order.paused = False  # before it begins, as after: one that waits would not notice
            if order.tuning is not None:
                order.tuning.resume()
        seen, self.seen = self.seen, None
        if seen is not None:
            with suppress(DextrError):  # nobody is there to be told; it is offered again
                self.discard(seen)

    # -- in the main thread ---------------------------------------------------------------------------------------

    def _taken(self, wanted: Wanted) -> list[Any]:
        """What is wanted, as it is now: layers, and sessions, whose images may be layers."""
        from ..napari_io.training_layers import layer_source
        from ..napari_io.training_sessions import session_source

        layers = [layer_source(labels, image, self._viewer) for labels, image in wanted.pairs]
        return [*layers, *(session_source(file.path, self._viewer) for file in wanted.files if file.kind == SESSION)]

    def _begin(self, planned: Callable[[], Any], *, fresh: bool) -> None:
        order = self._order = Order(planned, fresh)
        self._collector.start()
        self._training.start(lambda tell: work.train(order, self._make, tell))

    def _on_told(self, news: list[Any]) -> None:
        updates = [item for item in news if item is not None and not isinstance(item, str)]
        for sentence in (item for item in news if isinstance(item, str)):
            self.staged.emit(sentence)
        if updates:
            self.updated.emit(updates)

    def _on_done(self, ended: Ended | None) -> None:
        self._end()
        if ended is None:
            self.unbegun.emit()
        else:
            self.done.emit(ended)

    def _on_failed(self, error: Exception) -> None:
        self._end()
        self.failed.emit(sentence_of(error))

    def _end(self) -> Order | None:
        self._collector.stop()
        order, self._order = self._order, None
        return order

    def _on_cancelled(self) -> None:
        order = self._end()
        (self.cancelled if order is not None and order.discard else self.interrupted).emit()


def sentence_of(error: Exception) -> str:
    """What the user reads of an error."""
    if isinstance(error, DextrError):
        return str(error)
    _LOG.error("Unexpected error in the Fine-tune widget", exc_info=error)
    return f"That failed unexpectedly ({type(error).__name__}: {error}). No model was changed; please report it."
