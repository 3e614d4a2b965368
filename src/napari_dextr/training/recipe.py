"""Recipes: a training run from data folders to a checkpoint, described in one TOML file."""

from __future__ import annotations

import copy
import os
import sys
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..errors import DataError, ImageError
from ..image_file import read_image
from ..models.architectures import build_network
from ..models.checkpoint import write_checkpoint
from ..models.heads import PromptNet
from ..models.spec import MARGIN, ModelSpec
from ..prompt import MARKS
from .config import TrainConfig
from .distribution import World
from .loop import Trainer
from .sampling import Sampler
from .sources import CocoSource
from .store import Crop, CropStore, Progress, write_store
from .synthetic import procedural_crops, superpixel_crops, thread_crops
from .update import Update

BUILT_IN = Path(__file__).parent / "recipes"
"""Folder of the recipes that come with the plugin."""

_BEST = "best.safetensors"
_COMPACT = ("widths", "blocks", "decoder", "pools")
_BACKBONE = ("backbone", "pretrained", "decoder", "pools")
_OF_PHOTOGRAPHS: Mapping[str, Callable[..., Iterable[Crop]]] = {
    "superpixels_of": superpixel_crops, "threads_over": thread_crops,
}  # fmt: skip
_RUNNING = ("canvas", "threshold", "sharpness", "reduced_precision", "title", "data", "licence")


@dataclass(frozen=True)
class Recipe:
    """A TOML file's tables ``crops``, ``model`` and ``train``; paths in it are relative to the data folder.

    The table ``model`` describes the network: ``widths``, ``blocks``, ``decoder`` and ``pools`` of
    `napari_dextr.models.compact.CompactNet`, or ``backbone`` and ``pretrained`` (with ``decoder`` and ``pools``) of
    `napari_dextr.models.backbone.BackboneNet`. And how it is run: ``canvas``, ``threshold``, ``sharpness``,
    ``reduced_precision``, with ``title``, ``data`` and ``licence`` for people.
    """

    name: str
    crops: Mapping[str, Any]
    model: Mapping[str, Any]
    train: TrainConfig

    @classmethod
    def read(cls, source: str | os.PathLike[str]) -> Recipe:
        """Read a recipe file, or one that comes with the plugin by its name.

        Raises
        ------
        DataError
            If there is none, or it is not understood.
        """
        if sys.version_info >= (3, 11):
            import tomllib
        else:
            import tomli as tomllib
        path = Path(source)
        built_in = BUILT_IN / f"{source}.toml"
        if not path.is_file() and built_in.is_file():
            path = built_in
        try:
            tables = tomllib.loads(path.read_text(encoding="utf-8"))
        except OSError:
            known = ", ".join(sorted(file.stem for file in BUILT_IN.glob("*.toml")))
            raise DataError(
                f"There is no recipe '{source}'; give the path of a TOML file, or one of: {known}."
            ) from None
        except ValueError as error:
            raise DataError(f"The recipe '{path}' is not valid TOML ({error}).") from None
        crops = tables.get("crops", {})
        if not isinstance(crops, dict) or not crops.get("sources"):
            raise DataError(f"The recipe '{path}' names no [[crops.sources]] to train on.")
        model = tables.get("model", {})
        allowed = {*_RUNNING, "backbone", *(_BACKBONE if "backbone" in model else _COMPACT)}
        if unknown := sorted(set(model) - allowed):
            raise DataError(
                f"The recipe '{path}' has an unknown setting in [model]: {', '.join(unknown)}; known are "
                f"{', '.join(sorted(allowed))}."
            )
        return cls(path.stem, crops, model, TrainConfig.from_mapping(tables.get("train", {})))

    def network(self) -> PromptNet:
        """The network of the table ``model``, with fresh weights, or ImageNet's where it says ``pretrained``.

        Raises
        ------
        ModelError
            If the table describes none, or the pretrained weights cannot be had.
        """
        names = _BACKBONE if "backbone" in self.model else _COMPACT
        options = {name: self.model[name] for name in names if name in self.model}
        architecture = "backbone" if "backbone" in self.model else "compact"
        network = build_network(ModelSpec(self.name, architecture, options))
        assert isinstance(network, PromptNet)  # both architectures are
        return network


def stores(
    recipe: Recipe, data: str | os.PathLike[str], folder: str | os.PathLike[str], progress: Progress
) -> tuple[CropStore, CropStore | None]:
    """Training and validation crops of a recipe, built in ``folder`` unless they are there already."""
    found: list[CropStore | None] = []
    for kind in ("sources", "validation"):
        entries = recipe.crops.get(kind)
        if not entries:
            found.append(None)
            continue
        path = Path(folder) / kind
        if (path / "facts.json").is_file():
            found.append(CropStore.open(path))
            continue
        side = int(recipe.crops.get("side", 224))
        skip = bool(recipe.crops.get("skip_unreadable", False))
        named = [
            (str(entry["name"]), _crops(entry, Path(data), side, recipe.train.seed, skip, progress))
            for entry in entries
        ]
        found.append(write_store(path, named, side, progress))
    training, validation = found
    assert training is not None  # a recipe without sources was refused
    return training, validation


def run(
    recipe: Recipe,
    data: str | os.PathLike[str],
    folder: str | os.PathLike[str],
    progress: Progress = lambda _message: None,
    *,
    initial: Callable[[], PromptNet] | None = None,
    device: str = "cpu",
    world: World | None = None,
) -> Generator[Update, None, None]:
    """Build the crops, train, and export ``best.safetensors`` into the run folder; yields every step's update.

    Closing the generator stops the run: its best weights so far are exported, and a later call goes on.

    Parameters
    ----------
    recipe : Recipe
    data : path
        Folder that the recipe's paths are relative to.
    folder : path
        Run folder: crops, checkpoint, settings and the exported model. A stopped run goes on from its checkpoint.
    progress : callable
        Called with a line for each source of crops.
    initial : callable, optional
        Makes the network to start from, instead of `Recipe.network`.
    device : str
        Where it is trained; a name that `napari_dextr.load_model` takes.
    world : World, optional
        The processes that train together; by default this one alone.
    """
    config, world = recipe.train, world or World()
    torch.manual_seed(config.seed)
    network = (initial or recipe.network)()
    for side in {side for side, _ in config.canvases} | {_canvas(recipe)}:
        network.check_canvas(side)  # before hours of cutting
    place = Path(folder) / "crops"
    if world.first:
        stores(recipe, data, place, progress)
    world.tell(None)  # the others wait for the crops
    training, validation = stores(recipe, data, place, progress)
    trainer = Trainer(network, Sampler.of(training, config), config, folder, validation, device=device, world=world)
    with closing(trainer.train()) as updates:
        try:
            yield from updates
        except GeneratorExit:
            updates.close()
            _export_best(trainer, Path(folder), recipe)
            raise
    _export_best(trainer, Path(folder), recipe)


def export(network: PromptNet, path: Path, recipe: Recipe, steps: int) -> Path:
    """Write a network as a checkpoint that `napari_dextr.load_model` opens."""
    table = recipe.model
    facts = {
        "recipe": recipe.name,
        "steps": steps,
        "data": str(table.get("data", "own data")),
        "licence": str(table.get("licence", "as the data's")),
    }
    if "title" in table:
        facts["title"] = str(table["title"])
    spec = ModelSpec(
        name=recipe.name,
        architecture=network.architecture,
        options={**network.options, "sharpness": float(table.get("sharpness", network.sharpness))},
        pipeline="house",
        canvas=_canvas(recipe),
        margin=MARGIN,
        marks=MARKS,
        threshold=float(table.get("threshold", 0.5)),
        has_score=True,
        reduced_precision=bool(table.get("reduced_precision", False)),
        provenance=facts,
    )
    return write_checkpoint(path, network, spec)


def _export_best(trainer: Trainer, folder: Path, recipe: Recipe) -> None:
    if trainer.world.first:
        network = copy.deepcopy(trainer.averaged)
        network.load_state_dict(trainer.best_state())
        export(network, folder / _BEST, recipe, trainer.step)


def _canvas(recipe: Recipe) -> int:
    """Side of the canvas that the model is run at: that of the end of its training, unless the recipe names one."""
    return int(recipe.model.get("canvas", recipe.train.canvases[-1][0]))


def _crops(
    entry: Mapping[str, Any], data: Path, side: int, seed: int, skip: bool, progress: Progress
) -> Iterable[Crop]:
    if "annotations" in entry:
        source = CocoSource(
            data / entry["annotations"],
            data / entry["images"],
            least_area=int(entry.get("least_area", 60)),
            most_per_image=entry.get("most_per_image"),
            skip_unreadable=skip,
        )
        return source.crops(side, seed, progress)
    for key, draw in _OF_PHOTOGRAPHS.items():
        if key in entry:
            folders = [data / part for part in entry[key]]
            return _of_photographs(draw, folders, int(entry["photographs"]), side, seed, skip, progress)
    if "procedural" in entry:
        return procedural_crops(side, np.random.default_rng((seed, 3)), int(entry["procedural"]))
    raise DataError(
        f"The source '{entry.get('name')}' of the recipe says neither annotations, superpixels_of, threads_over nor "
        "procedural."
    )


def _of_photographs(
    draw: Callable[..., Iterable[Crop]], folders: list[Path], photographs: int, side: int, seed: int, skip: bool,
    progress: Progress,
) -> Iterator[Crop]:  # fmt: skip
    rng = np.random.default_rng((seed, 5))
    files = sorted(file for folder in folders for file in folder.glob("*") if file.is_file())
    if not files:
        raise DataError(f"There are no images in {', '.join(map(str, folders))}; check the data folder.")
    unreadable = 0
    for index in rng.permutation(len(files))[:photographs]:
        try:
            image = np.asarray(read_image(files[int(index)]))
        except ImageError as error:
            if not skip:
                raise DataError(f"{error} To train without such images, set skip_unreadable.") from error
            unreadable += 1
            continue
        if image.ndim == 2:
            image = np.repeat(image[..., None], 3, axis=-1)
        yield from draw(image[..., :3], side, rng)
    if unreadable:
        progress(f"{unreadable} photographs could not be read and were left out")
