"""The crops of a fine-tuning: who learns, who judges, and how few objects are dealt out to do both in turns."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import DataError
from ..files import atomic_write
from ..noise import thickness
from .annotated import Choice, Going, Stopped
from .config import TrainConfig
from .crops import OBJECT, Crop, CropStore, NothingUsable, Progress, side_for, write_store
from .distribution import World
from .finetune_plan import CROSS_VALIDATED, GROUP, FineTunePlan
from .run_folder import RunFolder
from .sources import Portion, Source

DATA = "data.json"

_THIN = 0.06  # thickness of an object by its length; a canvas of 160 pixels shows it as seven pixels then
_ASKED = 48  # objects whose thickness is looked at

Check = Callable[[], object]
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
    name : str
        Of the annotations.
    """

    training: CropStore
    judges: CropStore | None = None
    parts: CropStore | None = None
    name: str = "own annotations"

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
    things = None if store.things is None else store.things[chosen]
    groups = np.zeros(len(chosen), np.int64)
    return CropStore(store.images[chosen], store.masks[chosen], groups, (GROUP,), sides, places, things)


def images_of(store: CropStore) -> list[int]:
    """Number of the image that each crop of a store was cut from; each its own where the store does not know."""
    return list(range(len(store))) if store.places is None else [int(place) for place in store.places]


def objects_of(store: CropStore) -> list[int]:
    """Number of the object of each crop of a store; each its own where the store does not know."""
    return list(range(len(store))) if store.things is None else [int(thing) for thing in store.things]


def are_thin(store: CropStore) -> bool:
    """Whether the objects of a store are mostly thin for their length: cracks, vessels, fibres, roots.

    What is thin is gone first where a canvas is coarse. Of many objects, some spread over the store answer.
    """
    some = np.unique(np.linspace(0, len(store) - 1, _ASKED).round().astype(int))
    ratios = []
    for index in some:
        across, along = thickness(store.masks[index] & OBJECT > 0)
        if along:
            ratios.append(across / along)
    return bool(ratios) and float(np.median(ratios)) < _THIN


def prepare(
    plan: FineTunePlan,
    config: TrainConfig,
    folder: RunFolder,
    world: World,
    progress: Progress,
    fitting: Fitting,
    check: Check = lambda: None,
    going: Going = lambda: True,
) -> TrainingData:
    """The crops of a plan, cut once; later, and in every other process, they are opened.

    Of what is cut, ``fitting`` lets those pass that the model can use. The plan is written once it is known to belong
    to the folder. ``check`` is called again and again; what it raises ends the cutting. ``going`` is asked as often,
    by the first process and unless all is cut already.

    Raises
    ------
    Stopped
        In every process, once ``going`` has answered False. The same plan begins anew.
    DataError
        If there is nothing to learn from, the folder is of other data, or the plan brings no source and the folder
        does not hold all objects.
    OutputError
        If the crops cannot be written.
    """
    path = folder.path / DATA
    stopped = False
    if world.first:
        there = path.is_file()  # then what was learned may be there as well, and a stop has to judge it

        def asked() -> bool:
            check()
            return there or going()

        try:
            _write(plan, config, folder, progress, fitting, asked)
        except Stopped:
            stopped = True
    if world.tell(stopped):  # the others wait for the crops
        raise Stopped
    known = _read(path)
    found = {
        name: CropStore.open(folder.path / "crops" / name) for name in known.get("stores", ["training", "validation"])
    }
    about = known.get("training")
    name = about.get("annotations") if isinstance(about, dict) else None
    return TrainingData(found["training"], found.get("validation"), found.get("parts"), str(name or "own annotations"))


def _write(
    plan: FineTunePlan, config: TrainConfig, folder: RunFolder, progress: Progress, fitting: Fitting, going: Going
) -> None:
    """Write what is missing of a plan's crops."""
    path = folder.path / DATA
    facts: dict[str, Any] = {}
    if plan.source is not None:
        facts = _facts(plan, plan.source, config, going)
        _same_data(folder, facts)
    elif not path.is_file():
        raise DataError(
            f"The run in '{folder.path}' was interrupted before its objects were cut out, so it cannot go on by "
            "itself; start it again from the annotations."
        )
    cutting = None
    if not path.is_file():
        cutting = _Cutting(plan, config, folder, facts["side"], progress, fitting, going)  # may refuse the plan
    plan.write()
    if cutting is not None:
        stores = cutting.stores()
        with atomic_write(path) as temporary:
            temporary.write_text(json.dumps({**facts, "stores": stores}), encoding="utf-8")


def _facts(plan: FineTunePlan, source: Source, config: TrainConfig, going: Going) -> dict[str, Any]:
    """What tells the data of a plan from others."""
    for judged in (source, plan.validation):
        for image in [] if judged is None else judged.images:
            image.objects(going)  # labels are read now, however large they are, and never again
    return {
        "training": source.facts(),
        "validation": plan.validation and plan.validation.facts(),
        "hold_out": plan.hold_out,
        "folds": plan.folds,
        "side": plan.side or side_for(max(canvas for canvas, _ in config.canvases)),
    }


def _same_data(folder: RunFolder, facts: dict[str, Any]) -> None:
    path = folder.path / DATA
    if not path.is_file():
        return
    known = _read(path)
    if {name: known.get(name) for name in facts} != json.loads(json.dumps(facts)):
        raise DataError(
            f"The run in '{folder.path}' was started with other data; give the same again to go on with it, or "
            "choose another run folder."
        )


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


class _Cutting:
    """Cuts and writes the stores of a plan."""

    def __init__(
        self, plan: FineTunePlan, config: TrainConfig, folder: RunFolder, side: int, progress: Progress,
        fitting: Fitting, going: Going,
    ) -> None:  # fmt: skip
        assert plan.source is not None, "the caller refused that"
        self._plan, self._source, self._seed, self._side = plan, plan.source, config.seed, side
        self._folder, self._say, self._fitting, self._going = folder.path / "crops", progress, fitting, going
        self._units = plan.source.units(config.seed, going)
        if plan.validation is not None:
            self._source = apart(plan.source, plan.validation, progress)

    def stores(self) -> list[str]:
        """Write all stores; their names."""
        objects = self._count()
        if parts := self._plan.parts(objects):
            return self._in_parts(parts)
        if share := self._plan.share(objects):
            return self._held_out(share)
        self._write("training", [(GROUP, self._source)])
        if self._plan.validation is None:
            return ["training"]
        self._units = self._plan.validation.units(self._seed, self._going)
        self._write("validation", [(GROUP, self._plan.validation)])
        return ["training", "validation"]

    def _in_parts(self, parts: int) -> list[str]:
        usable = self._usable(self._write("training", [(GROUP, self._source)]))
        dealt = deal(usable, parts, self._seed, self._going)
        if len(dealt) > 1:
            with suppress(NothingUsable):
                store = self._write("parts", [(str(number), part) for number, part in enumerate(dealt, start=1)])
                if len(set(store.groups.tolist())) > 1:
                    return ["training", "parts"]
        self._say("The objects cannot be parted, so nothing will judge the new model.")
        return ["training"]

    def _held_out(self, share: float) -> list[str]:
        kept, judge = self._source.split(share, self._seed, self._going)
        with suppress(NothingUsable):
            self._write("training", [(GROUP, kept)])
            self._write("validation", [(GROUP, judge)])
            return ["training", "validation"]
        # nothing of one side can be used, as its images cannot be read, for instance: those that can are parted
        usable = self._usable(self._write("training", [(GROUP, self._source)]))
        with suppress(DataError):
            kept, judge = usable.split(share, self._seed, self._going)
            self._write("validation", [(GROUP, judge)])
            self._write("training", [(GROUP, kept)])
            return ["training", "validation"]
        self._write("training", [(GROUP, self._source)])
        self._say("No object that could be held out can be used, so nothing will judge the new model.")
        return ["training"]

    def _write(self, name: str, sources: Sequence[tuple[str, Source]]) -> CropStore:
        alone = len(sources) == 1
        quiet: Progress = self._say if alone else lambda _line: None
        crops = [(label, self._crops(part, quiet, alone)) for label, part in sources]
        return write_store(self._folder / name, crops, self._side, quiet)

    def _crops(self, source: Source, progress: Progress, alone: bool) -> Iterator[Crop]:
        try:
            crops = source.crops(self._side, self._seed, progress, self._units, self._going)
            yield from self._fitting(crops, progress)
        except NothingUsable:
            if alone:
                raise

    def _usable(self, store: CropStore) -> Source:
        """The images of the source of which something is in a store."""
        there = set(images_of(store))
        images = enumerate(self._source.images)
        chosen = {number: None for number, image in images if self._units.image(image.key) in there}
        return self._source if len(chosen) == len(self._source.images) else Portion(self._source, chosen)

    def _count(self) -> int:
        """How many objects can be used, counted no further than matters; one that several planes show is one."""
        objects: set[int] = set()
        for _, image, parts in Choice(self._source.images, self._seed, self._going):
            objects |= {self._units.object(image.key, part.annotation.thing) for part in parts}
            if len(objects) >= CROSS_VALIDATED:
                break
        return len(objects)


def apart(source: Source, judges: Source, progress: Progress) -> Source:
    """A source without the images on which others judge; tells ``progress`` how many these are.

    Raises
    ------
    DataError
        If nothing is left.
    """
    judged = {image.key for image in judges.images}
    rest = {number: None for number, image in enumerate(source.images) if image.key not in judged}
    shared = len(source.images) - len(rest)
    if not shared:
        return source
    if not rest:
        raise DataError(
            f"All images of {source.name} are also those to validate on: what was learned by heart would pass for a "
            "success. Validate on other images, or hold out a share of these (--hold-out 0.2)."
        )
    progress(
        f"{shared} of {len(source.images)} images are also among those to validate on. They do not teach, so that the "
        "verdict is honest."
    )
    return Portion(source, rest)


def deal(source: Source, parts: int, seed: int, going: Going = lambda: True) -> list[Source]:
    """Deal a source out to so many parts of about as many objects each; to fewer where it cannot be parted more often.

    No image is in two parts, or where there are too few images, no region of one.
    """
    rest, dealt = source, []
    for left in range(parts, 1, -1):
        try:
            rest, part = rest.split(1 / left, seed, going)
        except DataError:
            break
        dealt.append(part)
    return [*dealt, rest]
