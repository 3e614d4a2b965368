"""The training loop: a generator of updates that the command line, the widget and the tests all drive."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import closing, nullcontext
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import torch

from ..errors import DataError, ModelError, OutputError
from ..memory import is_full
from ..models.heads import PromptNet
from ..models.runtime import choose_device
from . import checkpoints, figures
from .batch import Batch
from .config import TrainConfig
from .crops import CropStore
from .distribution import World
from .learner import Learner
from .optimisation import Best, Weights
from .pace import Pace
from .prefetch import drawn_ahead
from .room import Room
from .run_folder import RunFolder, read_metrics
from .sampling import Sampler
from .update import Update
from .validation import Look, Showing, examples, validation_ious

_LEAST_BATCH = 4  # fewer samples are no ground for the statistics of normalisations
_JUDGED_AT_ONCE = 32  # crops of a validation
_DRAWN_AHEAD = 4  # threads that draw batches while a graphics card works


class Trainer:
    """Trains a network on a crop store; resumes from the run folder where it stopped.

    Parameters
    ----------
    network : PromptNet
        Changed in place.
    sampler : Sampler
    config : TrainConfig
    run : path or RunFolder
        Folder for checkpoints, record and pictures; created where missing.
    validation : CropStore, optional
        Validated with exact extreme points on the last canvas.
    device : str or torch.device
        Where the network is trained; a name that `napari_dextr.load_model` takes.
    ahead : int, optional
        Threads that draw batches ahead; by default none on the processor, which has enough to do.
    world : World, optional
        The processes that train together; by default this one alone.
    look : callable, optional
        Makes the batches of a validation, see `napari_dextr.training.validation.Showing`.
    threshold : float
        Probability above which a pixel counts in a validation.

    Raises
    ------
    DataError, ModelError
        If settings, network, device and checkpoint do not fit each other.
    """

    def __init__(
        self,
        network: PromptNet,
        sampler: Sampler,
        config: TrainConfig,
        run: str | os.PathLike[str] | RunFolder,
        validation: CropStore | None = None,
        *,
        device: str | torch.device = "cpu",
        ahead: int | None = None,
        world: World | None = None,
        look: Look | None = None,
        threshold: float = 0.5,
    ) -> None:
        self.world = world or World()
        self.device = choose_device(device)
        torch.manual_seed(config.seed)
        self.learner = Learner(network, config, self.device, self.world)
        self.sampler = sampler
        self.config = config
        self.folder = run if isinstance(run, RunFolder) else RunFolder(run)
        self.validation = validation if validation is not None and len(validation) else None
        self.step = 0
        self.best = Best()
        self.before: Mapping[str, float] | None = None
        self.judged: dict[int, list[float]] = {}  # by step, the IoU of every object that validated
        self._ahead = ahead
        self._look, self._threshold = look, threshold
        self._room = Room(self.device)
        self._stop = threading.Event()
        self._going = threading.Event()
        self._going.set()
        self._saved: int | None = None
        self._notices: list[str] = []
        state, notice = checkpoints.load(self.folder.path)
        if state is not None:
            self._restore(state)
        if notice is not None:
            self._notices.append(notice)

    # -- the run ----------------------------------------------------------------------------------------------

    def train(self) -> Generator[Update, None, None]:
        """Run from the current step to the end, yielding an `Update` a step.

        What a step does depends on the seed and the step alone, so a run that was stopped and resumed gives the
        curve of an uninterrupted one, on the processor bit for bit. However the run ends, by itself, by `stop` or by
        closing the generator, the checkpoint of its last step and the best weights are on disk.

        Raises
        ------
        DataError
            If the loss is no number any more; the last checkpoint is from before that.
        OutputError
            If another training uses the folder, or what the run ends with cannot be written.
        """
        with self.folder.claimed() if self.world.first else nullcontext():
            if self.world.first:
                self.folder.start(self.config, self.step)
            try:
                yield from self._steps()
            except GeneratorExit:
                self._keep()
                raise
            self._keep()

    def stop(self) -> None:
        """Ask the run to end after the step it is at; from any thread, or a signal's handler."""
        self._stop.set()
        self._going.set()

    def pause(self) -> None:
        """Ask the run to wait after the step it is at, with a checkpoint on disk; from any thread."""
        self._going.clear()

    def resume(self) -> None:
        """Let a run that waits go on; from any thread."""
        self._going.set()

    def validate_before(self, check: Callable[[], object] = lambda: None) -> Mapping[str, float]:
        """Validate what the run starts from, once: it is the best until something better comes.

        Returns the mean IoU of each group; after a resume, the same as before it. Nothing where the run has no
        validation crops, or began without this. ``check`` is called again and again; what it raises ends it.
        """
        if self.before is None and self.step == 0 and self.validation is not None:
            self.before = self._validate(check)
            self.best.judge(self.before, 0, self.averaged, 0.0)
        return self.before or {}

    def settled(self) -> bool:
        """Whether validations have stopped getting better, for as long as the settings wait for it."""
        return bool(self.config.patience) and self.best.waited >= self.config.patience

    @property
    def averaged(self) -> PromptNet:
        """The network with the running average of the weights."""
        return self.learner.averaged

    def best_state(self) -> Weights:
        """The averaged weights of the best validation, or the current ones where nothing was validated."""
        return self.averaged.state_dict() if self.best.weights is None else self.best.weights

    def _steps(self) -> Generator[Update, None, None]:
        config, world = self.config, self.world
        pace = Pace()
        saved_at = time.monotonic()
        drawing = self._drawing()
        with closing(drawing):
            while self.step < config.steps and not self.settled():
                self._wait()
                started = time.perf_counter()
                try:
                    batch = next(drawing)
                    lesson = self.learner.learn(batch, self.step, self._stop.is_set())
                except (RuntimeError, MemoryError) as error:
                    if not is_full(error):
                        raise
                    drawing.close()
                    self._make_room(error)
                    drawing = self._drawing()
                    continue
                pace.step(time.perf_counter() - started, lesson.network_seconds, len(batch.marks) * world.size)
                self.step += 1
                report, improved = None, False
                if self.step % config.validate_every == 0 or self.step == config.steps:
                    report, improved = self._judge(pace)
                ended = "finished" if self.step == config.steps else "stopped" if lesson.asked else ""
                if not ended and self.settled():
                    ended = "settled"
                update = Update(
                    self.step, config.steps, lesson.loss, config.rate_at(self.step - 1), lesson.iou, report,
                    pace.samples_per_second, pace.outside_network, pace.seconds_left(config, self.step),
                    self.best.iou, improved, ended,
                    before=float(np.mean(list(self.before.values()))) if self.before else None,
                )  # fmt: skip
                if world.first:
                    self._try(partial(self.folder.record, update.line()))
                    every = config.checkpoint_every and self.step % config.checkpoint_every == 0
                    late = config.checkpoint_seconds and time.monotonic() - saved_at >= config.checkpoint_seconds
                    if report is not None or every or late:
                        self._try(self.save)
                        saved_at = time.monotonic()
                    if report is not None and config.pictures:
                        self._try(self._draw_pictures)
                yield replace(update, notices=self._noticed())
                if ended:
                    self._stop.clear()
                    return

    def _wait(self) -> None:
        """Wait while the run is paused; what was learned is on disk by then."""
        if not self._going.is_set():
            if self.world.first and self._saved != self.step:
                self._try(self.save)
            self._going.wait()

    def _drawing(self) -> Generator[Batch, None, None]:
        ahead = (_DRAWN_AHEAD if self.device.type == "cuda" else 0) if self._ahead is None else self._ahead
        return drawn_ahead(self._draw, self.step, self.config.steps, ahead)

    def _make_room(self, error: Exception) -> None:
        """After memory ran out: smaller batches, then the processor; or the error, put plainly."""
        self.learner.start_over()
        if self.world.size > 1:
            raise ModelError(
                f"The memory of {self.device} is not enough; start again with a smaller batch (--batch "
                f"{max(1, self.config.batch // 2)}): the run goes on from its last checkpoint."
            ) from error
        least = 1 if self.config.frozen_statistics else _LEAST_BATCH
        self._notices.append(self._room.make(self.config.batch_at(self.step), least))
        if self._room.device != self.device:
            self.device = self._room.device
            self.learner.to(self.device)

    def _draw(self, step: int) -> Batch:
        config, world = self.config, self.world
        count = self._room.of(world.share(config.batch_at(step)))
        return self.sampler.draw(count, config.canvas_at(step), world.seed(config.seed, step, 0), self.device)

    # -- validation -------------------------------------------------------------------------------------------

    def _judge(self, pace: Pace) -> tuple[Mapping[str, float], bool]:
        started = time.perf_counter()
        report = self._validate()
        pace.validated(time.perf_counter() - started)
        improved = bool(report) and self.best.judge(report, self.step, self.averaged, self.config.least_gain)
        if improved and self.world.first:
            self._try(self._save_best)
        return report, improved

    def _validate(self, check: Callable[[], object] = lambda: None) -> dict[str, float]:
        """Mean IoU per validation group, exact extreme points, averaged weights; the same in every process."""
        report: dict[str, float] = {}
        if self.validation is not None and self.world.first:
            found = None
            while found is None:
                try:
                    found = validation_ious(
                        self.averaged, self.validation, self._showing(check), most=self.config.validate_most,
                        threshold=self._threshold,
                    )  # fmt: skip
                except (RuntimeError, MemoryError) as error:
                    if not is_full(error):
                        raise
                    self._make_room(error)
            report = {name: float(np.mean(ious)) for name, ious in found.items()}
            self.judged[self.step] = [iou for ious in found.values() for iou in ious]
        return self.world.tell(report)

    def _showing(self, check: Callable[[], object] = lambda: None) -> Showing:
        canvas, at_once = self.config.canvases[-1][0], self._room.of(_JUDGED_AT_ONCE)
        return Showing(canvas, at_once, self.device, self.learner.autocast(), self._look, check)

    # -- the folder -------------------------------------------------------------------------------------------

    def save(self) -> None:
        """Write the checkpoint; the one before stays as ``previous.pt``.

        Raises
        ------
        OutputError
            If it cannot be written; the earlier checkpoints stay.
        """
        state = {
            **self.learner.state(),
            "step": self.step,
            "seed": self.config.seed,
            "best": self.best.state(),
            "before": self.before,
            "judged": self.judged,
            "shrunk": self._room.shrunk,
            "shrunk_on": self.device.type,
        }
        checkpoints.save(self.folder.path, state)
        self._saved = self.step

    def _restore(self, state: Mapping[str, Any]) -> None:
        changed = self.learner.differs(state)
        if changed:
            raise DataError(
                f"The run in '{self.folder.path}' was begun with {changed}, which cannot change on the way; set it "
                "again, or choose another run folder."
            )
        try:
            self.learner.restore(state)
            if state.get("best"):
                self.best = Best.of(state["best"])
            self.before = state.get("before")
            self.judged = dict(state.get("judged") or {})  # runs of before it was kept have none
            if state.get("shrunk_on") == self.device.type:  # what was too much for one device may fit another
                self._room.shrunk = int(state.get("shrunk", 1))
            self.step = self._saved = int(state["step"])
        except Exception as error:  # whatever a foreign file holds
            raise ModelError(
                f"The checkpoint in '{self.folder.path}' is of another network or another version "
                f"({type(error).__name__}), so the run cannot be resumed; choose another run folder."
            ) from error

    def _save_best(self) -> None:
        state = {**self.best.state(), "averaged": self.best_state()}
        checkpoints.save_best(self.folder.path, {**state, "step": self.best.step or self.step})

    def _keep(self) -> None:
        """Leave the last step and the best weights on disk, or say why that is impossible."""
        if not self.world.first:
            return
        if self._saved != self.step:
            self.save()
        self._save_best()

    def _draw_pictures(self) -> None:
        start = [{"step": 0, "validation": self.before}] if self.before else []
        figures.draw_curves([*start, *read_metrics(self.folder.path)], self.folder.curves)
        crops = self.validation or self.sampler.store
        shown = examples(self.averaged, crops, self._showing(), self.config.pictures)
        figures.draw_examples(shown, f"step {self.step}", self.folder.overlay(self.step))

    def _try(self, action: Callable[[], None]) -> None:
        """Do what the run can live without; a failure becomes a notice."""
        try:
            action()
        except (RuntimeError, MemoryError) as error:
            if not is_full(error):
                raise
            self._notices.append("There was no memory left for the pictures of this validation. The training goes on.")
        except OutputError as error:
            self._notices.append(f"{error} The training goes on.")

    def _noticed(self) -> tuple[str, ...]:
        found, self._notices = tuple(self._notices), []
        return found
