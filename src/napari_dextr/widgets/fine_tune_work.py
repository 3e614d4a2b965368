"""A fine-tuning as its thread does it: no Qt, no layers. `napari_dextr.widgets.fine_tune_job` starts and ends it."""

from __future__ import annotations

import os
import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import DextrError
from ..threads import wait_politely
from .background import Tell
from .fine_tune_form import Choices
from .fine_tune_sources import COCO, AnnotationFile

if TYPE_CHECKING:
    from ..training.finetune import FineTunePlan, FineTuning, Outcome
    from ..training.sources import Source
    from ..training.survey import Survey

_NICE = 5  # steps of courtesy of the training's thread, where the system lets a thread have its own

Maker = Callable[["FineTunePlan", Tell], "FineTuning"]
"""Makes a training of a plan, and a callback for sentences; told None, it only ends what nobody waits for."""


@dataclass
class Order:
    """A training that is under way: what both threads share."""

    planned: Callable[[], Any]  # gives the plan
    fresh: bool  # no earlier checkpoint is in its folder
    discard: bool = False  # on cancelling: leave no trace
    paused: bool = False
    stopping: bool = False
    steps_done: int = 0
    tuning: Any = None
    since: float = field(default_factory=time.monotonic)


@dataclass(frozen=True)
class Ended:
    """How a training ended.

    Attributes
    ----------
    outcome : Outcome
    kept : str or None
        Name of the model in the library; only a model that helps gets there by itself.
    run : Path
        Its folder.
    name : str
        What the model was to be called.
    """

    outcome: Outcome
    kept: str | None
    run: Path
    name: str

    @property
    def unmade(self) -> bool:
        """Whether it was stopped before there was a new model, in the rounds of judging; it can be resumed."""
        return self.outcome.ended == "stopped" and self.outcome.tuned is None

    def verdict(self) -> tuple[str, bool, str, Sequence[Any]]:
        """What is shown of it: the verdict, whether the model helps, how the training ended, objects to look at."""
        outcome = self.outcome
        if outcome.verdict is None:
            early = "The training ended too early to tell" if outcome.ended == "stopped" else "No object could judge"
            sentence, helps = f"{early} whether the new model helps: keeping the old model.", False
        else:
            sentence, helps = outcome.verdict.sentence(), outcome.verdict.helps
        facts = []
        if outcome.ended == "stopped":
            facts.append("Stopped before the end.")
        elif outcome.ended == "settled":
            facts.append("Ended early: it did not get better any more.")
        if self.kept is not None:
            facts.append(f"It is among your models as '{self.kept}'.")
        elif outcome.tuned is None:
            facts.append("Nothing spoke for a new model, so none was made.")
        else:
            facts.append("The new model is thrown away unless you keep it now.")
        return sentence, helps, " ".join(facts), outcome.objects


def joined(taken: Sequence[Any], files: Sequence[AnnotationFile]) -> Source:
    """What was taken in the main thread, and COCO files, as one source."""
    from ..training.joined import JoinedSource
    from ..training.sources import CocoSource

    coco = [CocoSource(file.path, file.images or file.path.parent) for file in files if file.kind == COCO]
    parts: list[Source] = [*taken, *coco]
    return parts[0] if len(parts) == 1 else JoinedSource(parts)


def look_through(taken: Sequence[Any], files: Sequence[AnnotationFile], model: str, tell: Tell) -> Survey:
    """Survey the objects that a model is to learn from; ``tell`` ends it where nobody waits any more."""
    from ..training.survey import survey

    def going(share: float) -> bool:
        tell(share)  # raises where nobody waits any more
        return True

    return survey(joined(taken, files), going, model=model)


def estimate(choices: Choices, objects: int) -> float | None:
    """Time that a training will take, seconds; None where that is not known."""
    from ..training.estimate import estimate_seconds
    from ..training.finetune_plan import FineTunePlan

    return estimate_seconds(
        FineTunePlan(
            None, Path(), initial=choices.initial, preset=choices.preset, settings=choices.settings,
            device=choices.device, hold_out=choices.hold_out,
        ),
        objects,
    )  # fmt: skip


def unfinished() -> list[Any]:
    """Trainings that were interrupted, or that another program is at."""
    from ..training.finetune_runs import unfinished_runs

    return list(unfinished_runs())


def make_plan(taken: Sequence[Any], files: Sequence[AnnotationFile], choices: Choices) -> FineTunePlan:
    """The plan of a new training, in a folder of its own.

    Raises
    ------
    DextrError
        If the name cannot be used, or the folder not be made.
    """
    from ..models.naming import check_name
    from ..training.finetune import GROUP, FineTunePlan
    from ..training.finetune_runs import new_run

    settings = dict(choices.settings)
    if choices.any_angle is not None:
        settings["turning"] = (GROUP,) if choices.any_angle else ()
    name = check_name(choices.name or "my model")
    return FineTunePlan(
        joined(taken, files), new_run(name), initial=choices.initial, preset=choices.preset, settings=settings,
        device=choices.device, name=name, hold_out=choices.hold_out,
    )  # fmt: skip


def reopened(path: Path) -> FineTunePlan:
    """The plan of a training that was interrupted."""
    from ..training.finetune import FineTunePlan

    return FineTunePlan.reopen(path)


def make_tuning(plan: FineTunePlan, tell: Tell) -> FineTuning:
    """The training of a plan."""
    from ..training.finetune import FineTuning

    return FineTuning(plan, tell, check=partial(tell, None))


def train(order: Order, make: Maker, tell: Tell) -> Ended | None:
    """Train, and keep a model that helps; ``tell`` is given sentences and updates, and ends it by what it raises.

    None where it was stopped while the objects were cut out: nothing of it is left, as nothing was learned.
    """
    with manners():
        plan = order.planned()
        try:
            order.tuning = make(plan, tell)
            if order.stopping:  # asked before there was something to stop
                order.tuning.stop()
            elif order.paused:
                order.tuning.pause()
            with closing(order.tuning.run()) as updates:
                for update in updates:
                    order.steps_done = update.step
                    tell(update)
            outcome = order.tuning.outcome
            if outcome is None:
                order.tuning = None  # its crops are open files, which Windows would not remove
                _remove(plan.out)
                return None
            tell("The verdict is in.")  # raises where it was given up, or the viewer closed, while objects judged
            name = plan.name or plan.out.name
            kept = keep(outcome.model, name) if outcome.verdict is not None and outcome.verdict.helps else None
            return Ended(outcome, kept, plan.out, name)
        except BaseException:
            if order.discard or (order.fresh and not order.steps_done):
                order.tuning = None  # its crops are open files, which Windows would not remove
                _remove(plan.out)
            raise


def _remove(run: Path) -> None:
    """Remove what a training left, which may not have come as far as to its plan."""
    from ..training.finetune_plan import PLAN
    from ..training.finetune_runs import discard_run

    with suppress(DextrError):
        if (run / PLAN).exists():
            discard_run(run)
        else:
            shutil.rmtree(run, ignore_errors=True)


def keep(model: Path, name: str) -> str:
    """Put a model into the library; the name that it got there."""
    from ..models.own import keep_model

    return keep_model(model, name).name


@contextmanager
def manners() -> Iterator[None]:
    """Leave a core, and the first turn, to the viewer."""
    wait_politely()
    aside = threading.current_thread() is not threading.main_thread()
    if sys.platform == "linux" and aside:  # elsewhere a thread's number is no process's
        thread = threading.get_native_id()
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, thread, os.getpriority(os.PRIO_PROCESS, thread) + _NICE)
    with _FEWER_THREADS:
        yield


class _FewerThreads:
    """One thread of PyTorch less. Their number is the process's: the first training sets it, the last puts it back."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = self._before = 0

    def __enter__(self) -> None:
        import torch

        with self._lock:
            if not self._inside:
                self._before = torch.get_num_threads()
            torch.set_num_threads(max(1, self._before - 1))
            self._inside += 1

    def __exit__(self, *_: object) -> None:
        import torch

        with self._lock:
            self._inside -= 1
            if not self._inside:
                torch.set_num_threads(self._before)


_FEWER_THREADS = _FewerThreads()
