"""Train on one's own annotations: from objects to a model and a verdict on it, for the command line and the viewer."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Generator
from contextlib import nullcontext

from ..errors import DataError
from ..models.runtime import choose_device
from .annotated import Stopped
from .config import TrainConfig
from .distribution import World
from .finetune_data import are_thin, prepare
from .finetune_plan import FROM_SCRATCH, GROUP, SCRATCH, FineTunePlan
from .finetune_run import Run
from .loop import Trainer
from .outcome import MODEL, OUTCOME, TUNED, Outcome, read_outcome
from .run_folder import CONFIG, RunFolder
from .starts import Start
from .update import Update

__all__ = [
    "FROM_SCRATCH", "GROUP", "MODEL", "SCRATCH", "TUNED", "FineTunePlan", "FineTuning", "Outcome", "read_outcome",
]  # fmt: skip


_FREE = {
    "steps", "patience", "least_gain", "blends", "pictures", "precision",
    "validate_every", "validate_most", "checkpoint_every", "checkpoint_seconds",
}  # fmt: skip
"""Settings that a run which is over may be repeated or prolonged with."""
_NAP = 0.05  # seconds between two looks whether a pause in the cutting is over


class FineTuning:
    """A run of a plan.

    Parameters
    ----------
    plan : FineTunePlan
    progress : callable, optional
        Called with a sentence at each stage; what it raises ends the run.
    world : World, optional
        The processes that train together.
    check : callable, optional
        Called again and again while a model is downloaded, objects are cut out, and while they judge; what it raises
        ends the run.

    Attributes
    ----------
    outcome : Outcome or None
        Once `run` has ended, in the first process; None where it was stopped before all objects were cut out.
    """

    def __init__(
        self,
        plan: FineTunePlan,
        progress: Callable[[str], None] = lambda _line: None,
        *,
        world: World | None = None,
        check: Callable[[], object] = lambda: None,
    ) -> None:
        self.plan = plan
        self.outcome: Outcome | None = None
        self._progress, self._check = progress, check
        self._world = world or World()
        self._trainer: Trainer | None = None
        self._asked = self._paused = self._downloading = False

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

        A run that was stopped, or killed, goes on from its last checkpoint when the same plan is run again; one that
        was stopped before all objects were cut out has learned nothing, and cuts them out anew. The model in the run
        folder is never one that did not pass the verdict: until then it is the one to start from.

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
            try:
                start = Start.of(plan, folder.path, world, self._arrived)
            except Stopped:
                return
            device = choose_device(world.device(plan.device))
            config = plan.config(start.spec, device)
            start.check(config)
            _refuse_other_settings(folder, config, plan)
            try:
                data = prepare(plan, config, folder, world, self._progress, start.fitting, self._check, self._going)
            except Stopped:
                return
            usual, config = config, plan.config(start.spec, device, thin=are_thin(data.training))
            if config != usual:
                self._progress("The objects are thin: every step sees them at full size, which takes longer.")
            run = Run(plan, start, config, device, folder, data, world, self._watch, self._progress, self._check)
            try:
                yield from run.updates()
            finally:
                self.outcome = run.outcome

    def stop(self) -> None:
        """Ask the run to end after the step, or the crop, it is at; from any thread, or a signal's handler."""
        self._asked, self._paused = True, False
        if self._trainer is not None:
            self._trainer.stop()

    def pause(self) -> None:
        """Ask the run to wait after the step it is at, with a checkpoint on disk, or the crop; from any thread."""
        self._paused = True
        if self._trainer is not None:
            self._trainer.pause()

    def resume(self) -> None:
        """Let a run that waits go on; from any thread."""
        self._paused = False
        if self._trainer is not None:
            self._trainer.resume()

    def _arrived(self, done: int, total: int) -> None:
        """While the model to start from is downloaded; with several processes, the others wait for it."""
        if not self._downloading:
            self._downloading = True
            self._progress(f"The model '{self.plan.initial}' is downloaded first …")
        self._check()
        if self._asked and self._world.size == 1:
            raise Stopped

    def _going(self) -> bool:
        """While objects are cut out: wait as long as that was asked for; False where a stop was."""
        while self._paused and not self._asked:
            time.sleep(_NAP)
            self._check()
        return not self._asked

    def _watch(self, trainer: Trainer) -> bool:
        """Pass on to a trainer what was asked and will be asked; whether a stop was asked for."""
        self._trainer = trainer
        if self._asked:
            trainer.stop()
        elif self._paused:
            trainer.pause()
        return self._asked


def _refuse_other_settings(folder: RunFolder, config: TrainConfig, plan: FineTunePlan) -> None:
    """A run that is over cannot become that of other settings: nothing would be trained, and a verdict given on it."""
    if not (folder.path / OUTCOME).is_file() or not (folder.path / CONFIG).is_file():
        return
    try:
        outcome = json.loads((folder.path / OUTCOME).read_text(encoding="utf-8"))
        if outcome["ended"] not in ("finished", "settled"):
            return  # it was stopped, and goes on
        before = json.loads((folder.path / CONFIG).read_text(encoding="utf-8"))
        now = json.loads(config.to_json())
        free = _FREE if "canvases" in plan.settings else _FREE | {"canvases"}  # they follow from model and objects
        other = [name for name in sorted(before) if name in now and name not in free and before[name] != now[name]]
    except (OSError, ValueError, TypeError, KeyError):
        return
    if other:
        was = ", ".join(f"{name} {before[name]}" for name in other)
        raise DataError(
            f"The run in '{folder.path}' is over; its model was made with {was}. Choose another run folder for other "
            "settings, or give more steps to go on with this one."
        )
