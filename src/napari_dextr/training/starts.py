"""What a fine-tuning starts from: a network, how it is run, and how its input is made."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import torch

from ..errors import DataError, ModelError
from ..models import open_network
from ..models.architectures import build_network
from ..models.checkpoint import load_network, write_checkpoint
from ..models.deeplab import DextrNet
from ..models.heads import PromptNet
from ..models.spec import ModelSpec
from ..prompt import MARKS
from .blending import deepened
from .config import TrainConfig
from .crops import SURROUNDINGS, Crop, CropStore, NothingUsable, Progress
from .distribution import World
from .finetune_plan import PLAN, SCRATCH, FineTunePlan
from .optimisation import Weights
from .published import PublishedNet, PublishedSampler, published_look
from .recipe import Recipe
from .sampling import Sampler
from .validation import Look, marked

BASE = "base.safetensors"
"""Copy of the model to start from, in the run folder: a run that goes on does so from the same."""

_HOUSE_SAMPLES = ("composites", "shares", "size_balance", "usual_margin", "quarter_turns")
"""Settings of how samples are drawn that `PublishedSampler`, which draws as the authors did, does not know."""


class NothingFits(NothingUsable, ModelError):
    """None of the objects is large enough for the model."""


@dataclass(frozen=True, eq=False)
class Start:
    """A network to train and how it is run.

    Attributes
    ----------
    spec : ModelSpec
    network : PromptNet
        On the CPU, never trained itself: it also judges "before".
    compares : bool
        Whether it can do anything yet; a start from scratch cannot.
    """

    spec: ModelSpec
    network: PromptNet
    compares: bool = True

    @classmethod
    def of(
        cls, plan: FineTunePlan, folder: Path, world: World, arrived: Callable[[int, int], None] = lambda *_: None
    ) -> Start:
        """What a plan starts from; kept in the run folder, so that a run that goes on starts from the same.

        Where the model is downloaded first, ``arrived`` is called again and again, with the bytes that are there and
        those in all; what it raises ends it.

        Raises
        ------
        ModelError
            If there is no such model, or it is of a kind that cannot be trained.
        DataError
            If the run in the folder was started from another model.
        """
        torch.manual_seed(TrainConfig.from_mapping({"seed": plan.settings.get("seed", 0)}).seed)
        if plan.initial == SCRATCH:
            spec = ModelSpec("scratch", "compact", options={"sharpness": 4.0}, marks=MARKS, has_score=True)
            return cls(spec, _trainable(spec, build_network(spec)), compares=False)
        base = folder / BASE
        if world.first and base.is_file() and (folder / PLAN).is_file():
            _same_start(plan, folder)
        elif world.first:  # a base without a plan is of a command that was refused
            spec, network = open_network(plan.initial, progress=arrived)
            _trainable(spec, network)  # before anything is written
            write_checkpoint(base, network, spec, dtype=torch.float32)
        world.tell(None)  # the others wait for the file
        spec, network = load_network(base)
        return cls(spec, _trainable(spec, network))

    def fresh(self) -> PromptNet:
        """A copy of the network to train."""
        return copy.deepcopy(self.network)

    @property
    def look(self) -> Look:
        """How objects are shown to it when it is judged."""
        return partial(published_look, margin=self.spec.margin) if self._published else marked

    def sampler(self, store: CropStore, config: TrainConfig) -> Sampler:
        """What draws its training samples from a store."""
        if self._published:
            chosen = PublishedSampler.of(store, config)
            assert isinstance(chosen, PublishedSampler), "a class makes its own kind"
            return replace(chosen, margin=self.spec.margin)
        return Sampler.of(store, config)

    def check(self, config: TrainConfig) -> None:
        """Refuse settings that this network cannot follow.

        Raises
        ------
        ModelError
        """
        if not self._published:
            return
        usual = TrainConfig()
        unfit = [
            name
            for name, fits in (
                ("corrections", sum(config.corrections[1:]) == 0),
                ("openings", set(config.openings) <= {"extreme"}),
                *((name, getattr(config, name) == getattr(usual, name)) for name in _HOUSE_SAMPLES),
            )
            if not fits
        ]
        if unfit:
            raise ModelError(
                f"The published model '{self.spec.name}' is trained as its authors did: four extreme points, every "
                f"object as often as any other. It cannot follow the setting {', '.join(unfit)}; leave that out, or "
                "start from 'embedded'."
            )

    def fitting(self, crops: Iterable[Crop], progress: Progress) -> Iterator[Crop]:
        """The crops that it can learn from or be judged by.

        Raises
        ------
        NothingFits
            At the end, if there was none.
        """
        margin = float(self.spec.margin)
        fit = unfit = 0
        for crop in crops:
            if self._published and 0 < crop.side * SURROUNDINGS < margin:
                unfit += 1
            else:
                fit += 1
                yield crop
        if unfit and not fit:
            raise NothingFits(
                f"The published model '{self.spec.name}' looks at {margin:g} pixels around an object, whatever its "
                f"size; your objects are smaller than {2 * margin:g} pixels, too small to train it on. Start from "
                "'embedded', or enlarge the images."
            )
        if unfit:
            progress(f"{unfit} objects are smaller than {2 * margin:g} pixels, too small for this model: left out.")

    def exported(self, weights: Weights, canvas: int) -> tuple[Weights, ModelSpec]:
        """Weights as a checkpoint of its architecture holds them, and how such a model is run."""
        if self._published:
            return PublishedNet.stripped(weights), self.spec
        return weights, replace(
            self.spec, options=self.network.options, canvas=canvas, marks=MARKS, has_score=True
        )  # fmt: skip

    @property
    def _published(self) -> bool:
        return isinstance(self.network, PublishedNet)


def _trainable(spec: ModelSpec, network: torch.nn.Module) -> PromptNet:
    if isinstance(network, PromptNet) and spec.pipeline == "house":
        return network
    if isinstance(network, DextrNet) and spec.pipeline == "published":
        return PublishedNet(network, spec)
    raise ModelError(
        f"The model '{spec.name}' is of a kind that cannot be trained here (a {spec.architecture} network in the "
        f"{spec.pipeline} pipeline); start from 'embedded', from a published DEXTR model, from one that napari-dextr "
        "trained, or from scratch."
    )


def _same_start(plan: FineTunePlan, folder: Path) -> None:
    try:
        before = json.loads((folder / PLAN).read_text(encoding="utf-8")).get("initial")
    except (OSError, ValueError, AttributeError):
        return
    if before is not None and before != str(plan.initial):
        raise DataError(
            f"The run in '{folder}' was started from the model '{before}', not from '{plan.initial}'; choose another "
            "run folder."
        )


def recipe_network(recipe: Recipe, initial: str) -> PromptNet:
    """The weights of a model in the network of a recipe, for a recipe that goes on from a model.

    The recipe's network may have further blocks in its encoder, which begin as the identity: the deeper network then
    answers as the model does, until it learns (T. Chen et al., "Net2Net", ICLR 2016).

    Raises
    ------
    ModelError
        If there is no such model, or it is another network.
    """
    spec, network = open_network(initial)
    wanted = recipe.network()
    if not isinstance(network, PromptNet) or not _fits(network, wanted):
        raise ModelError(
            f"The model '{spec.name}' is another network than that of the recipe '{recipe.name}', so its training "
            "cannot go on there; give the recipe's table [model] the same architecture, or leave out --init."
        )
    wanted.load_state_dict(deepened(network.state_dict(), wanted.state_dict()))
    wanted.sharpness = wanted.options["sharpness"] = network.sharpness  # a recipe's own comes with the export
    return wanted


def _fits(network: PromptNet, wanted: PromptNet) -> bool:
    """Whether all tensors of a network are in another, which has no more than blocks of the encoder beside them."""
    mine, others = ({name: value.shape for name, value in each.state_dict().items()} for each in (network, wanted))
    further = others.keys() - mine.keys()
    return (
        network.architecture == wanted.architecture
        and all(others.get(name) == shape for name, shape in mine.items())
        and all(name.startswith("stages.") for name in further)
    )
