"""Train on one's own annotations: from a COCO file to a model that opens, for the command line and the viewer alike."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Generator, Mapping
from contextlib import closing, nullcontext
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import torch

from .. import __version__
from ..errors import DataError, ModelError
from ..files import atomic_write
from ..models.heads import PromptNet
from ..models.spec import ModelSpec
from ..prompt import MARKS
from .config import TrainConfig
from .crops import CropStore, write_store
from .distribution import World
from .loop import Trainer, Update
from .run_folder import RunFolder
from .sampling import Sampler
from .sources import Source
from .validation import fit_threshold

SCRATCH = "scratch"
MODEL = "best.safetensors"
GROUP = "own"  # the one group of the crop store
_DATA = "data.json"

FINE_TUNING: Mapping[str, Any] = {
    "steps": 600, "batch": 12, "learning_rate": 3e-4, "warm_up": 0.1, "decay": 0.6, "average": 0.98,
    "validate_every": 50, "turning": (GROUP,),
}  # fmt: skip
"""Settings where a trained model is the start; what a plan says goes before them."""

FROM_SCRATCH: Mapping[str, Any] = {
    "steps": 6000, "canvases": ((128, 0.4), (192, 0.6)), "batch": 48, "validate_every": 250, "turning": (GROUP,),
}  # fmt: skip
"""Settings where nothing is."""


@dataclass(frozen=True)
class FineTunePlan:
    """What is trained, from what, on what.

    Attributes
    ----------
    source : Source
        The annotated objects, e.g. a `napari_dextr.training.sources.CocoSource`.
    out : path
        Run folder.
    initial : str
        ``"embedded"`` or the path of a model of this project, whose training goes on; ``"scratch"`` for none.
    validation : Source, optional
        Objects that judge and never train.
    hold_out : float
        Without these: share of the images to hold out for it; 0 for no validation.
    settings : mapping
        Settings of `TrainConfig` that differ from `FINE_TUNING` or `FROM_SCRATCH`. The precision is the fastest that
        the device does well, unless it is named here.
    device : str
        A name that `napari_dextr.load_model` takes.
    side : int, optional
        Pixels of a stored crop; by default enough for the largest canvas.
    name : str, optional
        Name of the new model; by default that of the run folder.
    """

    source: Source
    out: Path
    initial: str = "embedded"
    validation: Source | None = None
    hold_out: float = 0.0
    settings: Mapping[str, Any] = field(default_factory=dict)
    device: str = "auto"
    side: int | None = None
    name: str | None = None

    def config(self, spec: ModelSpec, device: torch.device) -> TrainConfig:
        """All settings, for a model to start from and the device to train on."""
        from ..models.runtime import choose_dtype

        fastest = choose_dtype("auto", device, agrees=True)
        precision = {"precision": str(fastest).removeprefix("torch.")}
        if self.initial == SCRATCH:
            return TrainConfig.from_mapping({**precision, **FROM_SCRATCH, **self.settings})
        return TrainConfig.from_mapping(
            {**precision, "canvases": ((spec.canvas, 1.0),), **FINE_TUNING, **self.settings}
        )


@dataclass(frozen=True)
class Outcome:
    """What a run came to.

    Attributes
    ----------
    model : path
        The checkpoint, which `napari_dextr.load_model` opens; so does it the run folder.
    steps, best_step : int
        Steps done, and where the weights of the model are from; 0 is the model that the run started from.
    before, after : mapping of str to float
        Mean IoU on the validation objects; empty without any, and ``before`` for a start from scratch.
    threshold : float
        Probability above which a pixel counts.
    ended : str
        As `napari_dextr.training.loop.Update.ended`.
    """

    model: Path
    steps: int
    best_step: int
    before: Mapping[str, float]
    after: Mapping[str, float]
    threshold: float
    ended: str


class FineTuning:
    """A run of a plan.

    Parameters
    ----------
    plan : FineTunePlan
    progress : callable, optional
        Called with a sentence at each stage.
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
        self._asked = False

    def run(self) -> Generator[Update, None, None]:
        """Cut out the objects, train and export; yields every step's update.

        A run that was stopped, or killed, goes on from its last checkpoint when the same plan is run again. The model
        in the run folder is the best so far from the first validation on, and at the end in any case.

        Raises
        ------
        DataError
            If the data or settings cannot be used, or the run folder is of other data.
        ModelError
            If the model to start from cannot be trained.
        OutputError
            If the run folder cannot be written, or another training uses it.
        """
        plan, world = self.plan, self._world
        folder = RunFolder(plan.out)
        with folder.claimed() if world.first else nullcontext():
            spec, network = self._start()
            from ..models.runtime import choose_device

            device = choose_device(world.device(plan.device))
            config = plan.config(spec, device)
            training, validation = self._stores(folder, config)
            sampler = Sampler.of(training, config)
            trainer = Trainer(network, sampler, config, folder, validation, device=device, world=world)
            self._trainer = trainer
            if self._asked:
                trainer.stop()
            if plan.initial != SCRATCH:
                trainer.validate_before()
            ended = "finished"
            with closing(trainer.train()) as updates:
                try:
                    for update in updates:
                        ended = update.ended or ended
                        if update.improved:
                            self._export(trainer, spec, spec.threshold)
                        yield update
                except GeneratorExit:
                    updates.close()
                    self._export(trainer, spec, spec.threshold)
                    raise
            if world.first:
                self._finish(trainer, spec, ended)

    def stop(self) -> None:
        """Ask the run to end after the step it is at; from any thread, or a signal's handler."""
        self._asked = True
        if self._trainer is not None:
            self._trainer.stop()

    def _start(self) -> tuple[ModelSpec, PromptNet]:
        """The network to start from, and how it is run."""
        from ..models.checkpoint import load_network
        from ..models.registry import EMBEDDED, EMBEDDED_FILE, build_network

        torch.manual_seed(int(self.plan.settings.get("seed", 0)))
        if self.plan.initial == SCRATCH:
            spec = ModelSpec("scratch", "compact", options={"sharpness": 4.0}, marks=MARKS, has_score=True)
            network = build_network(spec)
        else:
            spec, network = load_network(EMBEDDED_FILE if self.plan.initial == EMBEDDED else self.plan.initial)
        if not isinstance(network, PromptNet) or spec.pipeline != "house":
            raise ModelError(
                f"The model '{spec.name}' is of a kind that cannot be trained here; start from 'embedded', from a "
                "model that napari-dextr trained, or from scratch."
            )
        return spec, network

    def _stores(self, folder: RunFolder, config: TrainConfig) -> tuple[CropStore, CropStore | None]:
        """The crops, cut once; another run in the same folder must be of the same data."""
        plan = self.plan
        source, judge = plan.source, plan.validation
        if judge is None and plan.hold_out:
            source, judge = source.split(plan.hold_out, config.seed)
        side = plan.side or max(64, -(-max(canvas for canvas, _ in config.canvases) * 5 // 64) * 16)
        facts = {"training": source.facts(), "validation": judge and judge.facts(), "side": side}
        path = folder.path / _DATA
        places = [(folder.path / "crops" / name, part) for name, part in (("training", source), ("validation", judge))]
        if self._world.first:
            if path.is_file():
                if json.loads(path.read_text(encoding="utf-8")) != json.loads(json.dumps(facts)):
                    raise DataError(
                        f"The run in '{folder.path}' was started with other data; give the same again to go on with "
                        "it, or choose another run folder."
                    )
            else:
                for place, part in places:
                    if part is not None:
                        write_store(
                            place, [(GROUP, part.crops(side, config.seed, self._progress))], side, self._progress
                        )
                with atomic_write(path) as temporary:
                    temporary.write_text(json.dumps(facts), encoding="utf-8")
        self._world.tell(None)  # the others wait for the crops
        training, validation = (None if part is None else CropStore.open(place) for place, part in places)
        assert training is not None  # its source was never None
        return training, validation

    def _finish(self, trainer: Trainer, spec: ModelSpec, ended: str) -> None:
        threshold = spec.threshold
        network = _with_weights(trainer)
        if trainer.validation is not None:
            threshold = fit_threshold(
                network, trainer.validation, trainer.config.canvases[-1][0], most=trainer.config.validate_most,
                device=trainer.device, precision=trainer.learner.autocast(),
            )  # fmt: skip
        self._export(trainer, spec, threshold)
        self.outcome = Outcome(
            self.plan.out / MODEL, trainer.step, trainer.best.step if trainer.best.weights else trainer.step,
            trainer.before or {}, trainer.best.report or {}, threshold, ended,
        )  # fmt: skip

    def _export(self, trainer: Trainer, spec: ModelSpec, threshold: float) -> None:
        """Write the best weights so far as a model that opens."""
        from ..models.checkpoint import write_checkpoint

        if not self._world.first:
            return
        name = self.plan.name or self.plan.out.resolve().name
        facts = {
            "title": f"Trained on {len(trainer.sampler.store)} objects of one's own",
            "started_from": spec.name,
            "data": str(self.plan.source.facts().get("annotations", "own annotations")),
            "objects": len(trainer.sampler.store),
            "steps": trainer.best.step if trainer.best.weights else trainer.step,
            "validation": {"before": dict(trainer.before or {}), "after": dict(trainer.best.report or {})},
            "licence": "as the data's",
            "created": datetime.now(timezone.utc).isoformat(timespec="seconds"),
            "program": f"napari-dextr {__version__}",
        }
        described = replace(
            spec, name=name, options=trainer.learner.network.options, canvas=trainer.config.canvases[-1][0],
            marks=MARKS, threshold=threshold, has_score=True, provenance=facts,
        )  # fmt: skip
        write_checkpoint(self.plan.out / MODEL, trainer.best_state(), described)


def _with_weights(trainer: Trainer) -> PromptNet:
    network = copy.deepcopy(trainer.averaged)
    network.load_state_dict(trainer.best_state())
    return network
