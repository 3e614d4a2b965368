"""The crops of a fine-tuning: who learns, who judges, and how few objects are dealt out to do both in turns."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import DataError
from ..files import atomic_write
from .config import TrainConfig
from .crops import Crop, CropStore, Progress, write_store
from .distribution import World
from .finetune_plan import CROSS_VALIDATED, GROUP, FineTunePlan
from .run_folder import RunFolder
from .sources import Source

DATA = "data.json"

Fitting = Callable[[Iterable[Crop], Progress], Iterable[Crop]]
Indices = Sequence[int] | npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class TrainingData:
    """Crops of a run.

    Attributes
    ----------
    training : CropStore
        What the final model learns from.
    judges : CropStore or None
        What never learns.
    parts : CropStore or None
        For a cross-validation: the objects once more, a group for each part.
    """

    training: CropStore
    judges: CropStore | None = None
    parts: CropStore | None = None

    def fold(self, number: int) -> tuple[CropStore, CropStore]:
        """Who learns and who judges when the part of a number is held out; both in memory."""
        assert self.parts is not None, "there are folds only where objects were dealt out"
        held = self.parts.groups == number
        return portion(self.parts, np.flatnonzero(~held)), portion(self.parts, np.flatnonzero(held))


def portion(store: CropStore, indices: Indices) -> CropStore:
    """Some crops of a store as one group, in memory."""
    chosen = np.asarray(indices, np.int64)
    sides = None if store.sides is None else store.sides[chosen]
    places = None if store.places is None else store.places[chosen]
    groups = np.zeros(len(chosen), np.int64)
    return CropStore(store.images[chosen], store.masks[chosen], groups, (GROUP,), sides, places)


def images_of(store: CropStore) -> list[int]:
    """Number of the image that each crop of a store was cut from; each its own where the store does not know."""
    return list(range(len(store))) if store.places is None else [int(place) for place in store.places]


def prepare(
    plan: FineTunePlan, config: TrainConfig, folder: RunFolder, world: World, progress: Progress, fitting: Fitting
) -> TrainingData:
    """The crops of a plan, cut once; later, and in every other process, they are opened.

    Of what is cut, ``fitting`` lets those pass that the model can use.

    Raises
    ------
    DataError
        If there is nothing to learn from, the folder is of other data, or the plan brings no source and the folder
        does not hold all objects.
    OutputError
        If the crops cannot be written.
    """
    path = folder.path / DATA
    if world.first and not (path.is_file() and plan.source is None):
        if plan.source is None:
            raise DataError(
                f"The run in '{folder.path}' was interrupted before its objects were cut out, so it cannot go on by "
                "itself; start it again from the annotations."
            )
        side = plan.side or max(64, -(-max(canvas for canvas, _ in config.canvases) * 5 // 64) * 16)
        facts = {
            "training": plan.source.facts(),
            "validation": plan.validation and plan.validation.facts(),
            "hold_out": plan.hold_out,
            "folds": plan.folds,
            "side": side,
        }
        if path.is_file():
            known = _read(path)
            if {name: known.get(name) for name in facts} != json.loads(json.dumps(facts)):
                raise DataError(
                    f"The run in '{folder.path}' was started with other data; give the same again to go on with it, or "
                    "choose another run folder."
                )
        else:
            stores = _cut(plan, config, folder, side, progress, fitting)
            with atomic_write(path) as temporary:
                temporary.write_text(json.dumps({**facts, "stores": stores}), encoding="utf-8")
    world.tell(None)  # the others wait for the crops
    stores = _read(path).get("stores", ["training", "validation"])
    found = {name: CropStore.open(folder.path / "crops" / name) for name in stores}
    return TrainingData(found["training"], found.get("validation"), found.get("parts"))


def _read(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(content, dict):
            raise ValueError("it holds no object")
    except (OSError, ValueError) as error:
        raise DataError(
            f"The description of the objects in '{path}' cannot be read ({error}); choose another run folder, or "
            "remove this one and train again."
        ) from None
    return content


def _cut(
    plan: FineTunePlan, config: TrainConfig, folder: RunFolder, side: int, progress: Progress, fitting: Fitting
) -> list[str]:
    """Cut and write all stores; their names."""
    source, judge = plan.source, plan.validation
    assert source is not None, "the caller refused that"
    objects = _count(source)
    named: dict[str, list[tuple[str, Source]]] = {"training": [(GROUP, source)]}
    if parts := plan.parts(objects):
        dealt = deal(source, parts, config.seed)
        if len(dealt) > 1:
            named["parts"] = [(str(number), part) for number, part in enumerate(dealt, start=1)]
        else:
            progress("The objects cannot be parted, so nothing will judge the new model.")
    elif share := plan.share(objects):
        source, judge = source.split(share, config.seed)
        named["training"] = [(GROUP, source)]
    if judge is not None:
        named["validation"] = [(GROUP, judge)]
    for name, sources in named.items():
        quiet: Progress = progress if name != "parts" else lambda _line: None
        crops = [(label, fitting(part.crops(side, config.seed, quiet), quiet)) for label, part in sources]
        write_store(folder.path / "crops" / name, crops, side, quiet)
    return list(named)


def deal(source: Source, parts: int, seed: int) -> list[Source]:
    """Deal a source out to so many parts of about as many objects each; to fewer where it cannot be parted more often.

    No image is in two parts, or where there are too few images, no region of one.
    """
    rest, dealt = source, []
    for left in range(parts, 1, -1):
        try:
            rest, part = rest.split(1 / left, seed)
        except DataError:
            break
        dealt.append(part)
    return [*dealt, rest]


def _count(source: Source) -> int:
    """How many objects a source has, counted no further than matters."""
    objects = 0
    for image in source.images:
        objects += len(image.objects())
        if objects >= CROSS_VALIDATED:
            break
    return objects
