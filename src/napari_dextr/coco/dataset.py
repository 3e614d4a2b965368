"""What a COCO file holds, once it was read and checked: images, objects, categories, and the masks on demand."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from ..errors import DataError
from ..objects import NAMESPACE, Mark, ObjectClass, ObjectFacts, class_colour
from ..prompt import Region
from ..rle import Mask, Runs, cut_runs, decode, decode_runs


@dataclass(frozen=True)
class CocoImage:
    """One image of a data set; height and width in pixels.

    Attributes
    ----------
    file_name : str
        Relative to the folder of the images.
    extra : dict
        Every other key of the image's entry.
    bare : bool
        Whether no other image of the data set has this name in another folder, so that the file is known by its bare
        name where the folders are missing.
    """

    id: int
    file_name: str
    height: int
    width: int
    extra: dict[str, Any] = field(default_factory=dict, compare=False)
    bare: bool = field(default=True, compare=False)

    @property
    def source(self) -> str | None:
        """File name of the stack that the image is a plane of, or None."""
        source = self._ours.get("source")
        return source if isinstance(source, str) else None

    @property
    def plane(self) -> tuple[int, ...]:
        """Where in its stack the image lies: indices along the axes that are not displayed."""
        plane = self._ours.get("plane")
        whole = isinstance(plane, list) and all(type(index) is int and index >= 0 for index in plane)
        return tuple(plane) if whole and isinstance(plane, list) else ()

    @property
    def axes(self) -> str:
        """A letter for each index of `plane`, e.g. ``"tz"``."""
        axes = self._ours.get("axes")
        return axes if isinstance(axes, str) else ""

    @property
    def _ours(self) -> Mapping[str, Any]:
        ours = self.extra.get(NAMESPACE)
        return ours if isinstance(ours, dict) else {}


@dataclass(frozen=True, eq=False)
class CocoObject:
    """One annotated object.

    Attributes
    ----------
    segmentation : polygons, run lengths or None
        As it stands in the file; `CocoDataset.mask` turns it into pixels.
    bbox : tuple of float or None
        x, y, width and height in pixels, as COCO defines it.
    iscrowd : bool
        Whether it marks a crowd, not one object.
    extra : dict
        Every other key of the annotation, e.g. ``ignore_segmentation``.
    """

    id: int
    image_id: int
    category_id: int
    segmentation: Any
    bbox: tuple[float, float, float, float] | None
    iscrowd: bool
    extra: dict[str, Any] = field(default_factory=dict)

    @property
    def record(self) -> Mapping[str, Any]:
        """What this project wrote about the object, under its own key; empty for objects of others."""
        record = self.extra.get(NAMESPACE)
        return record if isinstance(record, dict) else {}


@dataclass(frozen=True, eq=False)
class CocoDataset:
    """A COCO file that was read and checked: images by id, objects in file order, category names by id."""

    images: dict[int, CocoImage]
    objects: list[CocoObject]
    categories: dict[int, str]
    path: Path
    colours: dict[int, str] = field(default_factory=dict)

    def mask(self, obj: CocoObject) -> Mask:
        """Pixels of an object, ``(H, W)`` bool.

        Raises
        ------
        DataError
            When the object has no segmentation, or one that does not fit its image.
        """
        mask: Mask = self._decoded(decode, self._segmentation(obj), obj)
        return mask

    def runs(self, obj: CocoObject) -> Runs:
        """Runs of an object's pixels (`napari_dextr.rle.decode_runs`); errors as of `mask`."""
        runs: Runs = self._decoded(decode_runs, self._segmentation(obj), obj)
        return runs

    def cut(self, obj: CocoObject) -> tuple[Region, Mask]:
        """The part of the image that an object covers, and its ``(h, w)`` mask there; errors as of `mask`."""
        image = self.images[obj.image_id]
        return cut_runs(self.runs(obj), (image.height, image.width))

    def ignore_mask(self, obj: CocoObject) -> Mask | None:
        """Pixels to leave out of loss and score (key ``ignore_segmentation``), ``(H, W)`` bool, or None."""
        segmentation = obj.extra.get("ignore_segmentation")
        return self._decoded(decode, segmentation, obj) if segmentation else None

    def by_image(self) -> Iterator[tuple[CocoImage, list[CocoObject]]]:
        """Each image with its objects, in the order of the file; images without objects too."""
        for image_id, image in self.images.items():
            yield image, self.objects_of(image_id)

    def objects_of(self, image_id: int) -> list[CocoObject]:
        """The objects of one image, in the order of the file."""
        return list(self._grouped.get(image_id, ()))

    @cached_property
    def classes(self) -> list[ObjectClass]:
        """The categories as classes; a class has its category's number, where that starts at 1 as ours do."""
        return [
            ObjectClass(self.class_ids[number], class_name(number, name), self.colours.get(number, class_colour(place)))
            for place, (number, name) in enumerate(self.categories.items(), start=1)
        ]

    @cached_property
    def class_ids(self) -> dict[int, int]:
        """Number of the class of each category."""
        spare = max(self.categories, default=0)
        ids = {}
        for number in self.categories:
            if number < 1:
                spare = max(spare, 0) + 1
            ids[number] = number if number > 0 else spare
        return ids

    def facts(self, obj: CocoObject) -> ObjectFacts:
        """What is known about how an object was made.

        Records of this project, and the keys ``extreme_points`` (x, y each, as DEXTR and ExtremeNet write them) and
        ``score`` of others.

        Raises
        ------
        DataError
            When they are written in a form that makes no sense.
        """
        try:
            facts = facts_of(obj.extra)
        except DataError as error:
            raise self._about(obj, error) from None
        plane = facts.plane or self.images[obj.image_id].plane
        return replace(facts, class_id=self.class_ids.get(obj.category_id), plane=plane)

    @cached_property
    def _grouped(self) -> dict[int, list[CocoObject]]:
        grouped: dict[int, list[CocoObject]] = {}
        for obj in self.objects:
            grouped.setdefault(obj.image_id, []).append(obj)
        return grouped

    def _segmentation(self, obj: CocoObject) -> Any:
        if not obj.segmentation:
            raise DataError(f"Object {obj.id} of '{self.path.name}' has no segmentation, so it has no mask.")
        return obj.segmentation

    def _decoded(self, decoder: Any, segmentation: Any, obj: CocoObject) -> Any:
        image = self.images[obj.image_id]
        try:
            return decoder(segmentation, (image.height, image.width))
        except DataError as error:
            raise self._about(obj, error) from None

    def _about(self, obj: CocoObject, error: DataError) -> DataError:
        return DataError(f"Object {obj.id} of '{self.path.name}': {error}")


def facts_of(entry: Mapping[str, Any]) -> ObjectFacts:
    """The facts that an annotation's entry holds, ours or others'.

    Raises
    ------
    DataError
        When they are written in a form that makes no sense.
    """
    record = entry.get(NAMESPACE)
    facts = ObjectFacts.from_json(record) if isinstance(record, dict) else ObjectFacts()
    if not facts.marks and entry.get("extreme_points"):
        facts = replace(facts, marks=extreme_marks(entry["extreme_points"]))
    score = entry.get("score")
    if facts.score is None and isinstance(score, (int, float)) and 0 <= score <= 1:
        facts = replace(facts, score=float(score))
    return facts


def extreme_marks(points: Any) -> tuple[Mark, ...]:
    """Extreme points as the key ``extreme_points`` holds them: ``[[x, y], …]``, or all in one list.

    Raises
    ------
    DataError
        When they are something else.
    """
    try:
        if not isinstance(points, list) or not points:
            raise ValueError
        flat = [float(value) for point in points for value in (point if isinstance(point, list) else [point])]
        if len(flat) % 2 or not all(abs(value) < float("inf") for value in flat):
            raise ValueError
    except (TypeError, ValueError, OverflowError):
        raise DataError("its extreme_points are not pairs of x and y.") from None
    return tuple(Mark("extreme", row, col) for col, row in zip(flat[::2], flat[1::2], strict=True))


def class_name(number: int, name: str) -> str:
    """Name of a category, or one made from its number where it has none."""
    return name if name.strip() else f"category {number}"
