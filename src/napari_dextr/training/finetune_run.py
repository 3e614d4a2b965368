"""The stages of a fine-tuning: rounds in which some objects judge what the others taught, and the training itself."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import closing, suppress
from dataclasses import replace
from datetime import datetime, timezone
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from .. import __version__
from ..errors import DataError
from ..files import atomic_write
from ..memory import is_full
from ..models.checkpoint import write_checkpoint
from ..models.heads import PromptNet
from . import checkpoints
from .blending import blended
from .config import TrainConfig
from .crops import CropStore
from .crossfit import highest, lent
from .distribution import World
from .finetune_data import TrainingData, images_of, objects_of
from .finetune_plan import GROUP, FineTunePlan
from .judging import Judged, JudgedObject, compare, judge, read_comparisons, write_comparisons
from .loop import Trainer
from .optimisation import Weights
from .outcome import COMPARISONS, MODEL, TUNED, Outcome
from .run_folder import RunFolder
from .starts import BASE, Start
from .update import Update
from .validation import Showing, spread_sample, threshold_chosen, threshold_ious
from .verdict import Verdict, units_of
from .votes import Vote, read_vote, write_vote

_SHOWN = 6  # judging objects that are kept to be looked at
_JUDGED_AT_ONCE = 8  # objects that go through the network together: a ResNet-101 has no room for more
_MANY = 20  # held-out objects from which another threshold than the start's can be chosen by them


class _Asked(Exception):
    """Objects that judge are not waited for, as a stop was asked for."""


class Run:
    """One run of a plan, in its claimed folder.

    Parameters
    ----------
    plan, start, config, device, folder, data, world
        As they were made for it.
    watch : callable
        Called with each stage's trainer, which it can stop and pause; answers whether a stop was asked for before.
    progress : callable
        Called with sentences.
    check : callable
        Called again and again while objects judge and nothing new would be lost; what it raises ends the run.

    Attributes
    ----------
    outcome : Outcome or None
        Once `updates` has ended; in the first process only.
    """

    def __init__(
        self, plan: FineTunePlan, start: Start, config: TrainConfig, device: torch.device, folder: RunFolder,
        data: TrainingData, world: World, watch: Callable[[Trainer], bool], progress: Callable[[str], None],
        check: Callable[[], object] = lambda: None,
    ) -> None:  # fmt: skip
        self.outcome: Outcome | None = None
        self._plan, self._start, self._config, self._device = plan, start, config, device
        self._folder, self._data, self._world = folder, data, world
        self._watch, self._say, self._check = watch, progress, check
        self._threshold = start.spec.threshold
        self._left_card = False

    def updates(self) -> Generator[Update, None, None]:
        """Go through all stages; yields every step's update."""
        keeps_old = self._start.compares and (self._data.judges is not None or self._plan.hold_out != 0)
        if keeps_old and self._world.first and not (self._folder.path / MODEL).is_file():
            self._give_back()
        if self._data.parts is not None:
            yield from self._in_turns(self._data.parts)
            return
        trainer, ended = yield from self._stage(self._folder, self._data.training, self._data.judges, 0, 1, "")
        if ended == "stopped" and not trainer.step:
            self._leave(trainer, ended)
            return
        verdict: Verdict | None = None
        alpha, shown = self._config.blends[-1], list[JudgedObject]()
        if self._world.first and self._data.judges is not None and self._start.compares:
            vote, shown = self._vote(trainer, trainer.best_state(), self._data.judges, self._check, refit=True)
            verdict, alpha = replace(vote, already=vote.already + _lent_by_steps(trainer, self._data.judges)).verdict()
        elif keeps_old:
            verdict = Verdict.impossible()
        self._conclude(trainer, ended, verdict, alpha, shown)

    def _in_turns(self, parts: CropStore) -> Generator[Update, None, None]:
        """Cross-validation, then the training on all objects unless nothing speaks for it."""
        votes: list[Vote] = []
        shown: list[JudgedObject] = []
        numbers = sorted({int(group) for group in parts.groups})
        rounds = len(numbers)
        plain = replace(self._config, patience=0)  # the last training has no judges that could end it
        for place, number in enumerate(numbers):
            folder = RunFolder(self._folder.path / "rounds" / str(place + 1))
            vote = self._world.tell(read_vote(folder.path, self._config) if self._world.first else None)
            if vote is None:
                training, judges = self._data.fold(number)
                title = f"Judging, round {place + 1} of {rounds}"
                trainer, ended = yield from self._stage(folder, training, judges, place, rounds + 1, title, plain)
                if ended == "stopped":
                    self._leave(trainer, ended)
                    return
                if self._world.first:
                    with suppress(_Asked):
                        vote = self._held(trainer, judges, folder)
                vote = self._world.tell(vote)
                if vote is None:
                    self._leave(trainer, "stopped")
                    return
            votes.append(vote)
            if self._world.first:
                with suppress(DataError):  # only pictures are lost
                    shown += read_comparisons(folder.path / COMPARISONS)
        verdict, alpha = Vote.joined(votes).verdict()
        if verdict.gain <= 0:
            if self._world.first:
                self._give_back()  # an earlier run of the plan may have left another
                self.outcome = self._outcome(None, "finished", verdict, shown)
            return
        title = f"All objects, after {rounds} rounds of judging"
        trainer, ended = yield from self._stage(
            self._folder, self._data.training, None, rounds, rounds + 1, title, plain
        )
        if ended == "stopped":
            self._leave(trainer, ended)
        else:
            self._conclude(trainer, ended, verdict, alpha, shown)

    def _stage(
        self, folder: RunFolder, training: CropStore, judges: CropStore | None, place: int, count: int, title: str,
        config: TrainConfig | None = None,
    ) -> Generator[Update, None, tuple[Trainer, str]]:  # fmt: skip
        """One training; its updates count the steps of all stages."""
        config = config or self._config
        if config.precision == "float16" and self._left_card:  # which alone computes in it
            config = replace(config, precision="float32")
        trainer = Trainer(
            self._start.fresh(), self._start.sampler(training, config), config, folder, judges, device=self._device,
            world=self._world, look=self._start.look, threshold=self._start.spec.threshold,
        )  # fmt: skip
        asked = self._watch(trainer)
        if place and self._world.mean([float(asked)])[0]:  # it was asked for during the last step of the stage before
            return trainer, "stopped"
        if self._start.compares:
            if trainer.before is None and judges is not None:
                self._say("Objects that are held out judge the model as it is now …")  # many seconds without a step
            try:
                trainer.validate_before(partial(self._check_before, trainer))
            except _Asked:
                return trainer, "stopped"
        ended, last = "settled" if trainer.settled() else "finished", place == count - 1
        with closing(trainer.train()) as updates:
            try:
                for update in updates:
                    ended = update.ended or ended
                    ahead = (count - 1 - place) * config.steps * config.batch / max(update.samples_per_second, 1e-9)
                    yield replace(
                        update, step=place * config.steps + update.step, steps=count * config.steps, stage=title,
                        ended=update.ended if last or update.ended == "stopped" else "",
                        seconds_left=update.seconds_left + ahead,
                    )  # fmt: skip
            except GeneratorExit:
                updates.close()
                self._leave(trainer, "stopped")
                raise
        self._move(trainer.device)  # a card that had no room for this stage has none for the next
        return trainer, ended

    def _check_before(self, trainer: Trainer) -> None:
        self._check()
        if self._world.size == 1 and self._watch(trainer):  # with several, the others wait for what is found
            raise _Asked

    # -- judging ----------------------------------------------------------------------------------------------

    def _held(self, trainer: Trainer, judges: CropStore, folder: RunFolder) -> Vote:
        """The vote of a round, kept in its folder.

        Raises
        ------
        _Asked
            If a stop is asked for meanwhile.
        """

        def check() -> None:
            self._check()
            if self._watch(trainer):
                raise _Asked

        vote, objects = self._vote(trainer, trainer.averaged.state_dict(), judges, check)
        checkpoints.remove(self._folder.path)  # of a last stage that followed on other rounds
        write_comparisons(folder.path / COMPARISONS, objects)
        write_vote(folder.path, vote, self._config)
        checkpoints.remove(folder.path)
        return vote

    def _vote(
        self, trainer: Trainer, weights: Weights, judges: CropStore, check: Callable[[], object], *, refit: bool = False
    ) -> tuple[Vote, list[JudgedObject]]:
        """What held-out objects say of the start, and of the new weights at each share."""
        self._say("Objects that it did not learn from judge the model …")
        base = self._start.fresh()
        origin = base.state_dict()
        origin = {key: value.clone() for key, value in origin.items()}
        usual = self._start.spec.threshold
        before = self._judge(base, trainer, judges, usual, check)
        after: dict[float, Judged] = {}
        for alpha in self._config.blends:
            base.load_state_dict(blended(origin, weights, alpha))
            after[alpha] = self._judge(base, trainer, judges, usual, check)
        vote = Vote(before.ious, {alpha: judged.ious for alpha, judged in after.items()}, *_numbers(judges))
        alpha, by_share = vote.share()
        if refit and len(set(vote.objects)) >= _MANY:
            base.load_state_dict(blended(origin, weights, alpha))
            levels, ious = threshold_ious(base.to(self._device), judges, self._showing(trainer, check), usual=usual)
            choose = partial(threshold_chosen, usual=levels.index(usual))
            self._threshold = levels[choose(ious.mean(axis=1))]
            after[alpha] = self._judge(base, trainer, judges, self._threshold, check)
            by_threshold = lent(ious, units_of(vote.images, vote.objects), choose)
            vote = replace(vote, after={alpha: after[alpha].ious}, already=by_share + by_threshold)
        return vote, compare(judges, range(len(judges)), before, after[alpha], self._start.look)

    def _judge(
        self, network: PromptNet, trainer: Trainer, judges: CropStore, threshold: float, check: Callable[[], object]
    ) -> Judged:
        while True:
            showing = self._showing(trainer, check)
            try:
                return judge(network.to(self._device).eval(), judges, range(len(judges)), showing, threshold)
            except (RuntimeError, MemoryError) as error:
                if self._device.type == "cpu" or not is_full(error):
                    raise
                self._say("The graphics card has no room for judging, which therefore happens on the processor.")
                self._move(torch.device("cpu"))

    def _move(self, device: torch.device) -> None:
        self._left_card = self._left_card or device.type != self._device.type
        self._device = device

    def _showing(self, trainer: Trainer, check: Callable[[], object]) -> Showing:
        # the processor that took over from a full card has an arithmetic of its own
        arithmetic = trainer.learner.autocast() if self._device == trainer.device else None
        side = self._config.canvases[-1][0]
        return Showing(side, _JUDGED_AT_ONCE, self._device, arithmetic, self._start.look, check)

    # -- the end ----------------------------------------------------------------------------------------------

    def _conclude(
        self, trainer: Trainer, ended: str, verdict: Verdict | None, alpha: float, shown: list[JudgedObject]
    ) -> None:
        if not self._world.first:
            return
        self._export(trainer, self._folder.path / TUNED, alpha, verdict)
        if verdict is None or verdict.helps:
            _copy(self._folder.path / TUNED, self._folder.path / MODEL)
        else:
            self._give_back()
        self.outcome = self._outcome(trainer, ended, verdict, shown)

    def _leave(self, trainer: Trainer, ended: str) -> None:
        """After a stop before there is a verdict: what was learned so far is there, but the model is the old one."""
        if not self._world.first:
            return
        learned = trainer.folder is self._folder and trainer.step > 0
        if learned:
            self._export(trainer, self._folder.path / TUNED, self._config.blends[-1], None)
            if not self._start.compares or (self._data.judges is None and self._plan.hold_out == 0):
                _copy(self._folder.path / TUNED, self._folder.path / MODEL)
        self.outcome = self._outcome(trainer if learned else None, ended, None, [])

    def _give_back(self) -> None:
        _copy(self._folder.path / BASE, self._folder.path / MODEL)

    def _outcome(
        self, trainer: Trainer | None, ended: str, verdict: Verdict | None, shown: list[JudgedObject]
    ) -> Outcome:
        before: dict[str, float] = {}
        after: dict[str, float] = {}
        if verdict is not None and verdict.objects:
            before, after = {GROUP: verdict.before}, {GROUP: verdict.after}
        elif trainer is not None and trainer.best.report:
            before, after = dict(trainer.before or {}), dict(trainer.best.report)
        path = self._folder.path
        order = sorted(shown, key=lambda each: each.iou_after - each.iou_before)
        picked = sorted({round(float(place)) for place in np.linspace(0, len(order) - 1, min(_SHOWN, len(order)))})
        outcome = Outcome(
            path / MODEL, 0 if trainer is None else trainer.step, _best_step(trainer), before, after, self._threshold,
            ended, verdict, path / TUNED if trainer is not None else None, tuple(order[place] for place in picked),
        )  # fmt: skip
        if verdict is not None or ended != "stopped":
            outcome.write(path)
        return outcome

    def _export(self, trainer: Trainer, path: Path, alpha: float, verdict: Verdict | None) -> None:
        """Write the best weights so far, as far from the start as ``alpha`` says, as a model that opens."""
        start, plan = self._start, self._plan
        weights = trainer.best_state()
        if alpha < 1:
            weights = blended(start.network.state_dict(), weights, alpha)
        weights, spec = start.exported(weights, trainer.config.canvases[-1][0])
        facts: dict[str, Any] = {
            "title": f"Trained on {len(trainer.sampler.store)} objects of one's own",
            "started_from": start.spec.name,
            "data": self._data.name,
            "objects": len(trainer.sampler.store),
            "images": len(set(images_of(trainer.sampler.store))),
            "preset": plan.preset if start.compares else "scratch",
            "steps": _best_step(trainer),
            "share_of_new_weights": alpha,
            "licence": "as the data's",
            "created": datetime.now(timezone.utc).isoformat(timespec="seconds"),
            "program": f"napari-dextr {__version__}",
        }
        if verdict is not None and verdict.objects:
            facts["validation"] = {"before": {GROUP: verdict.before}, "after": {GROUP: verdict.after}}
            facts["verdict"] = verdict.sentence()
        elif trainer.best.report:
            facts["validation"] = {"before": dict(trainer.before or {}), "after": dict(trainer.best.report)}
        name = plan.name or plan.out.resolve().name
        write_checkpoint(path, weights, replace(spec, name=name, threshold=self._threshold, provenance=facts))


def _numbers(judges: CropStore) -> tuple[list[int], list[int]]:
    return images_of(judges), objects_of(judges)


def _lent_by_steps(trainer: Trainer, judges: CropStore) -> float:
    """What the choice of the best step lent to the mean of the objects, some of which validated."""
    looked_at = spread_sample(judges, trainer.config.validate_most)
    ious = [trainer.judged[step] for step in sorted(trainer.judged)]
    if trainer.best.step not in trainer.judged or any(len(of_step) != len(looked_at) for of_step in ious):
        return 0.0  # a run that an earlier version began
    units = units_of(*_numbers(judges))
    return lent(np.array(ious), [units[index] for index in looked_at], highest) * len(looked_at) / len(judges)


def _best_step(trainer: Trainer | None) -> int:
    if trainer is None:
        return 0
    return trainer.best.step if trainer.best.weights else trainer.step


def _copy(source: Path, target: Path) -> None:
    with atomic_write(target) as part:
        part.write_bytes(source.read_bytes())
