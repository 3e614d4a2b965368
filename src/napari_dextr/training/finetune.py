"""Train on one's own annotations: from objects to a model and a verdict on it, for the command line and the viewer."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator
from contextlib import nullcontext

from ..models.runtime import choose_device
from .distribution import World
from .finetune_data import prepare
from .finetune_plan import FROM_SCRATCH, GROUP, SCRATCH, FineTunePlan
from .finetune_run import Run
from .loop import Trainer, Update
from .outcome import MODEL, TUNED, Outcome, read_outcome
from .run_folder import RunFolder
from .starts import Start

__all__ = [
    "FROM_SCRATCH", "GROUP", "MODEL", "SCRATCH", "TUNED", "FineTunePlan", "FineTuning", "Outcome", "read_outcome",
]  # fmt: skip


class FineTuning:
    """A run of a plan.

    Parameters
    ----------
    plan : FineTunePlan
    progress : callable, optional
        Called with a sentence at each stage; what it raises ends the run.
    world : World, optional
        The processes that train together.

    Attributes
    ----------
    outcome : Outcome or None
        Once `run` has ended.
    """

    def __init__(
        self,
        plan: FineTunePlan,
        progress: Callable[[str], None] = lambda _line: None,
        *,
        world: World | None = None,
    ) -> None:
        self.plan = plan
        self.outcome: Outcome | None = None
        self._progress = progress
        self._world = world or World()
        self._trainer: Trainer | None = None
        self._asked = self._paused = False

    @classmethod
    def open(cls, folder: str | os.PathLike[str], progress: Callable[[str], None] = lambda _line: None) -> FineTuning:
        """The run of a folder, to go on with what the folder holds: neither layers nor images need be there.

        Raises
        ------
        DataError
            If the folder holds no run.
        """
        return cls(FineTunePlan.reopen(folder), progress)

    def run(self) -> Generator[Update, None, None]:
        """Cut out the objects, train, judge and export; yields every step's update.

        A run that was stopped, or killed, goes on from its last checkpoint when the same plan is run again. The
        model in the run folder is never one that did not pass the verdict: until then it is the one to start from.

        Raises
        ------
        DataError
            If the data or settings cannot be used, or the run folder is of other data or of another start.
        ModelError
            If the model to start from cannot be trained.
        OutputError
            If the run folder cannot be written, or another training uses it.
        """
        plan, world = self.plan, self._world
        folder = RunFolder(plan.out)
        with folder.claimed() if world.first else nullcontext():
            start = Start.of(plan, folder.path, world)
            device = choose_device(world.device(plan.device))
            config = plan.config(start.spec, device)
            start.check(config)
            if world.first:
                plan.write()
            data = prepare(plan, config, folder, world, self._progress, start.fitting)
            run = Run(plan, start, config, device, folder, data, world, self._watch, self._progress)
            try:
                yield from run.updates()
            finally:
                self.outcome = run.outcome

    def stop(self) -> None:
        """Ask the run to end after the step it is at; from any thread, or a signal's handler."""
        self._asked, self._paused = True, False
        if self._trainer is not None:
            self._trainer.stop()

    def pause(self) -> None:
        """Ask the run to wait after the step it is at, with a checkpoint on disk; from any thread."""
        self._paused = True
        if self._trainer is not None:
            self._trainer.pause()

    def resume(self) -> None:
        """Let a run that waits go on; from any thread."""
        self._paused = False
        if self._trainer is not None:
            self._trainer.resume()

    def _watch(self, trainer: Trainer) -> bool:
        """Pass on to a trainer what was asked and will be asked; whether a stop was asked for."""
        self._trainer = trainer
        if self._asked:
            trainer.stop()
        elif self._paused:
            trainer.pause()
        return self._asked
