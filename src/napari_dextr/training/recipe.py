"""Recipes: a training run from data folders to a checkpoint, described in one TOML file."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import DataError
from ..image_file import read_image
from ..models.checkpoint import write_checkpoint
from ..models.compact import CompactNet
from ..models.spec import ModelSpec
from ..prompt import MARKS
from .config import TrainConfig
from .crops import Crop, CropStore, Progress, coco_crops, write_store
from .loop import Trainer, Update
from .sampling import Sampler
from .synthetic import procedural_crops, superpixel_crops

BUILT_IN = Path(__file__).parent / "recipes"
"""Folder of the recipes that come with the plugin."""

_BEST = "best.safetensors"


@dataclass(frozen=True)
class Recipe:
    """A TOML file's tables ``crops``, ``model`` and ``train``; paths in it are relative to the data folder."""

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
        return cls(path.stem, crops, tables.get("model", {}), TrainConfig.from_mapping(tables.get("train", {})))


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
        named = [(str(entry["name"]), _crops(entry, Path(data), side, recipe.train.seed)) for entry in entries]
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
    initial: Callable[[], CompactNet] = CompactNet,
) -> Iterator[Update]:
    """Build the crops, train, and export ``best.safetensors`` into the run folder; yields every step's update.

    Parameters
    ----------
    recipe : Recipe
    data : path
        Folder that the recipe's paths are relative to.
    folder : path
        Run folder: crops, checkpoint, settings and the exported model. A stopped run goes on from its checkpoint.
    progress : callable
        Called with a line for each source of crops.
    initial : callable
        Makes the network to start from.
    """
    training, validation = stores(recipe, data, Path(folder) / "crops", progress)
    sampler = Sampler(training, recipe.train.shares or dict.fromkeys(training.names, 1.0), recipe.train.turning)
    trainer = Trainer(initial(), sampler, recipe.train, folder, validation)
    yield from trainer.train()
    export(trainer.averaged, Path(folder) / _BEST, recipe, trainer.step)


def export(network: CompactNet, path: Path, recipe: Recipe, steps: int) -> Path:
    """Write a network as a checkpoint that `napari_dextr.load_model` opens."""
    facts = {
        "title": "Small network for every kind of mark; comes with the plugin",
        "recipe": recipe.name,
        "steps": steps,
        "data": str(recipe.model.get("data", "own data")),
        "licence": str(recipe.model.get("licence", "as the data's")),
    }
    spec = ModelSpec(
        name=recipe.name,
        architecture="compact",
        options={"sharpness": float(recipe.model.get("sharpness", 1.0))},
        pipeline="house",
        canvas=int(recipe.model.get("canvas", recipe.train.canvases[-1][0])),
        margin=0.2,
        marks=MARKS,
        threshold=float(recipe.model.get("threshold", 0.5)),
        has_score=True,
        reduced_precision=bool(recipe.model.get("reduced_precision", False)),
        provenance=facts,
    )
    return write_checkpoint(path, network, spec)


def _crops(entry: Mapping[str, Any], data: Path, side: int, seed: int) -> Iterable[Crop]:
    if "annotations" in entry:
        return coco_crops(
            data / entry["annotations"],
            data / entry["images"],
            side,
            least_area=int(entry.get("least_area", 60)),
            most_per_image=entry.get("most_per_image"),
            seed=seed,
        )
    if "superpixels_of" in entry:
        return _superpixels([data / part for part in entry["superpixels_of"]], int(entry["photographs"]), side, seed)
    if "procedural" in entry:
        return procedural_crops(side, np.random.default_rng((seed, 3)), int(entry["procedural"]))
    raise DataError(
        f"The source '{entry.get('name')}' of the recipe says neither annotations, superpixels_of nor procedural."
    )


def _superpixels(folders: list[Path], photographs: int, side: int, seed: int) -> Iterator[Crop]:
    rng = np.random.default_rng((seed, 5))
    files = sorted(file for folder in folders for file in folder.glob("*") if file.is_file())
    if not files:
        raise DataError(f"There are no images in {', '.join(map(str, folders))}; check the data folder.")
    for index in rng.permutation(len(files))[:photographs]:
        image = np.asarray(read_image(files[int(index)]))
        if image.ndim == 2:
            image = np.repeat(image[..., None], 3, axis=-1)
        yield from superpixel_crops(image[..., :3], side, rng)
