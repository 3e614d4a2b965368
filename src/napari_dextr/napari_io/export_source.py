"""What an export reads: Labels layers and their images, as arrays and facts that a background thread may use."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import product
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..objects import ObjectClass, ObjectFacts
from .belonging import coco_of, noted_image, opened_together, pictures_of
from .label_storage import finest
from .object_table import record
from .placement import plain, same_place
from .planes import PlaneView, layer_shape, shown_limits

if TYPE_CHECKING:
    from napari.layers import Image, Labels


_AXES = "abdefghijklmnopqrsuvwctz"  # what the axes before row and column are called: the last is z, before it t, then c


@dataclass(frozen=True, eq=False)
class ImageSource:
    """An image layer: its array at full resolution, and where it comes from.

    Attributes
    ----------
    name : str
        The layer's name.
    array : array-like
        Numpy, dask or zarr; RGB channels last.
    ndim : int
        Number of axes without channels.
    limits : tuple of float or None
        Contrast limits as the user sees them.
    path : Path or None
        The file it was opened from.
    images : mapping
        By plane index, the ``file_name`` that a COCO file gave this plane.
    root : Path or None
        Folder to which these names are relative.
    """

    name: str
    array: Any
    ndim: int
    limits: tuple[float, float] | None
    path: Path | None
    images: Mapping[tuple[int, ...], str] = field(default_factory=dict)
    root: Path | None = None

    def plane(self, index: tuple[int, ...]) -> PlaneView:
        """The plane at an index of the axes before row and column, read where it is sliced."""
        return PlaneView(self.array, (self.ndim - 2, self.ndim - 1), (*index, 0, 0))


@dataclass(frozen=True, eq=False)
class LabelSource:
    """A Labels layer: its array, the record of its objects, and its image.

    Attributes
    ----------
    layer : Labels
        For telling it apart, and for keeping ids after the export; not for the background.
    name : str
        Its name.
    array : array-like
        Integers, at full resolution. The last two axes are rows and columns.
    facts : mapping of label to ObjectFacts
    classes : list of ObjectClass
    image : ImageSource or None
    axes : str
        One letter for each axis before row and column.
    coco : mapping
        What an earlier import or export left: ``file``, ``ids``, ``crowds``, ``images``.
    place : mapping
        Scale, translation and units, for reading the layer back.
    numbers : mapping of int to int
        What the export calls a class of the layer, where other layers make it another number.
    """

    layer: Any
    name: str
    array: Any
    facts: Mapping[int, ObjectFacts]
    classes: Sequence[ObjectClass]
    image: ImageSource | None
    axes: str
    coco: Mapping[str, Any]
    place: Mapping[str, Any]
    numbers: Mapping[int, int] = field(default_factory=dict)

    @property
    def extents(self) -> tuple[int, ...]:
        """Length of each axis before row and column."""
        return tuple(int(extent) for extent in self.array.shape[:-2])

    @property
    def planes(self) -> int:
        """Number of planes."""
        return prod(self.extents)

    @cached_property
    def crowds(self) -> frozenset[int]:
        """Labels that mark crowds."""
        return frozenset(int(label) for label in self.coco.get("crowds", ()))

    def indices(self) -> Iterator[tuple[int, ...]]:
        """Index of each plane, in the order of the axes."""
        return product(*map(range, self.extents))

    def key(self, index: tuple[int, ...]) -> tuple[int, tuple[int, ...]]:
        """A plane of the image, or of the labels where they have none: layers on one image share its planes."""
        return id(self.array if self.image is None else self.image.array), index

    def read(self, index: tuple[int, ...]) -> npt.NDArray[Any]:
        """``(H, W)`` labels of a plane; where a COCO file gave it a smaller image than the stack, of that size."""
        values = np.asarray(self.array[index])
        size = self.sizes.get(index)
        return values if size is None else values[: size[0], : size[1]]

    @cached_property
    def pictures(self) -> Mapping[tuple[int, ...], tuple[str, str | None]]:
        """File name, and name of the stack or None, that a COCO file gave each plane."""
        return {
            tuple(entry["index"]): (str(entry["file_name"]), entry.get("stack"))
            for entry in self.coco.get("images", ())
        }

    @cached_property
    def own_pictures(self) -> frozenset[tuple[int, ...]]:
        """Planes whose picture an earlier export wrote."""
        return frozenset(tuple(entry["index"]) for entry in self.coco.get("images", ()) if entry.get("ours"))

    @cached_property
    def sizes(self) -> Mapping[tuple[int, ...], tuple[int, int]]:
        """Height and width of the image of each plane that a COCO file described."""
        return {tuple(entry["index"]): (entry["height"], entry["width"]) for entry in self.coco.get("images", ())}

    def facts_on(self, index: tuple[int, ...]) -> Mapping[int, ObjectFacts]:
        """Facts of the objects of a plane, their classes as the export calls them.

        Marks stay on the plane they were made on; the class holds everywhere.
        """
        return _PlaneFacts(self, index)

    def class_of(self, label: int) -> int | None:
        """What the export calls the class of an object; None where it has none."""
        facts = self.facts.get(label)
        return None if facts is None or facts.class_id is None else self.numbers.get(facts.class_id, facts.class_id)


class _PlaneFacts(Mapping[int, ObjectFacts]):
    """What is known of the objects of one plane, worked out for those that are asked for: a layer may have many."""

    def __init__(self, source: LabelSource, index: tuple[int, ...]) -> None:
        self._source, self._index = source, index

    def __getitem__(self, label: int) -> ObjectFacts:
        facts, class_id = self._source.facts[label], self._source.class_of(label)
        if class_id != facts.class_id:
            facts = replace(facts, class_id=class_id)
        return facts if facts.plane in ((), self._index) else replace(facts, marks=(), box=None, plane=self._index)

    def __iter__(self) -> Iterator[int]:
        return iter(self._source.facts)

    def __len__(self) -> int:
        return len(self._source.facts)


def label_source(labels: Labels, image: Image | None) -> LabelSource:
    """Take a Labels layer, and the image it belongs to, as they are now."""
    labels = plain(labels)
    facts, classes = record(labels)
    return LabelSource(
        layer=labels,
        name=str(labels.name),
        array=finest(labels),
        facts=facts,
        classes=classes,
        image=None if image is None else image_source(plain(image)),
        axes=axis_letters(labels),
        coco=dict(coco_of(labels)),
        place={
            "scale": [float(value) for value in labels.scale],
            "translate": [float(value) for value in labels.translate],
            "units": [str(unit) for unit in labels.units],
        },
    )


def image_source(image: Image) -> ImageSource:
    """Take an image layer as it is now."""
    coco = coco_of(image)
    return ImageSource(
        name=str(image.name),
        array=finest(image),
        ndim=image.ndim,
        limits=shown_limits(image),
        path=file_of(image),
        images=pictures_of(image),
        root=Path(coco["root"]) if "root" in coco else None,
    )


def file_of(layer: Any) -> Path | None:
    """The file that an image layer was opened from, where it is a picture."""
    path = getattr(getattr(layer, "source", None), "path", None)
    return Path(path) if isinstance(path, str) and not path.lower().endswith(".json") else None


def image_of(labels: Labels, layers: Iterable[Any]) -> Image | None:
    """The image that a Labels layer belongs to, on the same pixels.

    That on which it was annotated, or with which it came out of a COCO file; where nothing is known of that, the
    nearest one below it, or else above it.
    """
    from napari.layers import Image

    labels, order = plain(labels), [plain(layer) for layer in layers]
    position = next((number for number, layer in enumerate(order) if layer is labels), len(order))
    noted = noted_image(labels)
    fitting = [
        (layer is not noted, not opened_together(labels, layer), number > position, abs(number - position), layer)
        for number, layer in enumerate(order)
        if isinstance(layer, Image) and layer_shape(layer) == layer_shape(labels) and same_place(layer, labels)
    ]
    return min(fitting, key=lambda entry: entry[:-1])[-1] if fitting else None


def axis_letters(layer: Any) -> str:
    """A letter for each axis before row and column: its own labels where they are letters, else …, t, z."""
    count = layer.ndim - 2
    own = [str(label).lower() for label in tuple(layer.axis_labels)[:count]]
    if len(set(own)) == count and all(len(letter) == 1 and letter.isascii() and letter.isalpha() for letter in own):
        return "".join(own)
    return _AXES[len(_AXES) - count :]
