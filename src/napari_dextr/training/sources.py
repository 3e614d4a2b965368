"""Where the objects to train on come from, and how they are split so that nothing held out is trained on."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from ..coco import CocoDataset, read_coco
from ..errors import DataError
from ..image import ImagePlane, as_plane
from ..prompt import Region
from .annotated import AnnotatedImage, Choice, Going, Rules, View, Window, reasons
from .coco_planes import CocoPlane
from .crops import Crop, Progress, crops_of
from .label_planes import LabelPlane, planes_of
from .regions import Cut, choose_cut, choose_images, to_hold
from .stacks import Found, Neighbours, Units, kept_together, objects_of, planes_before

_LOOKS = 64  # objects at whose pixels is looked to tell the images from others


class Source(ABC):
    """Annotated objects that can be cut out and split.

    What can take long asks ``going`` again and again, and raises `napari_dextr.training.annotated.Stopped` once it
    answers False.

    Attributes
    ----------
    name : str
        For people, at the beginning of a sentence.
    """

    name: str

    @property
    @abstractmethod
    def images(self) -> Sequence[AnnotatedImage]:
        """The images with their objects; reading them does not read pixels."""

    @abstractmethod
    def facts(self) -> dict[str, Any]:
        """Plain values that tell these data from others."""

    @cached_property
    def neighbours(self) -> Neighbours:
        """Planes before each image in its stack, by their keys."""
        return {image.key: image.neighbours for image in self.images if image.neighbours}

    def crops(
        self, side: int, seed: int, progress: Progress, units: Units | None = None, going: Going = lambda: True
    ) -> Iterable[Crop]:
        """The objects with their surroundings, ``side`` pixels a side; tells ``progress`` what was left out.

        Images and objects are numbered by ``units``, or else by themselves.

        Raises
        ------
        DataError
            If something cannot be read, or there is no usable object.
        """
        return crops_of(self.images, side, seed, progress, name=self.name, units=units, going=going)

    def units(self, seed: int, going: Going = lambda: True) -> Units:
        """Numbers for the images and objects of this source, and of all parts of it."""
        if not self.neighbours:
            return Units()
        return Units(kept_together(_found(Choice(self.images, seed, going)), self.neighbours))

    def split(self, share: float, seed: int, going: Going = lambda: True) -> tuple[Source, Source]:
        """What is kept for training, and about ``share`` of the objects held out of it.

        Whole images are held out where that leaves enough objects on both sides. Otherwise a straight line parts the
        image with the most objects: those beyond it are held out, those on it belong to neither part, and neither
        part sees pixels of the other (`napari_dextr.training.regions`). Neighbouring planes of a stack that show the
        same objects are one image, and parted by one line; where no line parts them, the planes at one end of the
        stack are held out. The same seed gives the same split.

        Raises
        ------
        DataError
            If the share is not between 0 and 1, or the objects cannot be parted.
        """
        if not 0 < share < 1:
            raise DataError(f"The share of objects to hold out must be between 0 and 1; got {share}, try 0.2.")
        choice = Choice(self.images, seed, going)
        found = _found(choice)
        total = sum(len(boxes) for _, _, boxes in found)
        if total < 2:
            raise DataError(
                f"{self.name} has {'only one usable object' if total else 'no usable object'}, so none can be held "
                f"out{_because(reasons(choice.left_out))}; annotate more, or train without validation."
            )
        groups = kept_together(found, self.neighbours)
        held = choose_images([objects_of(group) for group in groups], share, seed)
        if held is not None:
            return self._by_image(groups, held)
        largest, wanted = max(groups, key=_outlines), to_hold(total, share)
        boxes = [box for _, _, here in largest for box in here.values()]
        cut = choose_cut(boxes, min(wanted, len(boxes) - 1), seed) if len(boxes) > 1 else None
        if cut is not None:
            return self._by_region([number for number, _, _ in found], [entry[:2] for entry in largest], cut)
        if len({image.key for _, image, _ in largest}) > 1:
            return self._by_image(*_ends(found, wanted, seed))
        raise DataError(
            f"The objects of '{largest[0][1].name}' lie around or beside each other so that no straight line parts "
            "them, and none can be held out; annotate another image, or train without validation."
        )

    def _by_image(self, groups: Sequence[Sequence[Found]], held: set[int]) -> tuple[Source, Source]:
        kept, out = (
            Portion(self, {number: None for place, group in enumerate(groups) if (place in held) is side
                           for number, _, _ in group})
            for side in (False, True)
        )  # fmt: skip
        return kept, out

    def _by_region(
        self, numbers: Sequence[int], parted: Sequence[tuple[int, AnnotatedImage]], cut: Cut
    ) -> tuple[Source, Source]:
        sides = {number: cut.sides(image.shape) for number, image in parted}
        kept = Portion(self, {number: sides[number][0] if number in sides else None for number in numbers})
        return kept, Portion(self, {number: out for number, (_, out) in sides.items()})


class Portion(Source):
    """Some images of a source, and of some of these only a part.

    Parameters
    ----------
    source : Source
    chosen : mapping of int to Region or None
        The images by their number; None for the whole image.
    """

    def __init__(self, source: Source, chosen: Mapping[int, Region | None]) -> None:
        self.name = source.name
        self.source = source
        self.chosen = dict(sorted(chosen.items()))

    @cached_property
    def images(self) -> Sequence[AnnotatedImage]:
        images = self.source.images
        return [
            images[number] if region is None else Window(images[number], region)
            for number, region in self.chosen.items()
        ]

    @cached_property
    def neighbours(self) -> Neighbours:
        # a chain of planes goes on where some of them belong to another portion, or to none
        return self.source.neighbours

    def facts(self) -> dict[str, Any]:
        portion = [
            [number, region and [[part.start, part.stop] for part in region]] for number, region in self.chosen.items()
        ]
        facts = self.source.facts()
        return {**facts, "portion": [*facts.get("portion", []), portion]}


@dataclass(frozen=True, eq=False)
class CocoSource(Source):
    """The objects of a COCO file.

    Crowds, and objects without a mask or under ``least_area`` pixels, are left out. A crowd's pixels, and those of an
    object's ``ignore_segmentation``, count neither for nor against the other objects of the image.

    Attributes
    ----------
    annotations : path
    folder : path
        Of the images.
    least_area : int
        Smaller objects (pixels) are left out.
    most_per_image : int or None
        At most so many objects of an image, drawn at random.
    skip_unreadable : bool
        Leave out images that are missing or cannot be read, instead of stopping at the first.
    """

    annotations: Path
    folder: Path
    least_area: int = 60
    most_per_image: int | None = None
    skip_unreadable: bool = False

    @property
    def name(self) -> str:  # type: ignore[override]
        return f"'{self.annotations.name}'"

    @cached_property
    def dataset(self) -> CocoDataset:
        """The file's content.

        Raises
        ------
        DataError
            If it is no COCO file, or has no objects.
        """
        found = read_coco(self.annotations)
        if not any(obj.segmentation and not obj.iscrowd for obj in found.objects):
            raise DataError(
                f"'{self.annotations.name}' holds no object with a mask to train on; annotate some, or choose another "
                "file."
            )
        return found

    @cached_property
    def images(self) -> Sequence[AnnotatedImage]:
        rules = Rules(self.least_area, self.most_per_image, self.skip_unreadable)
        planes = [CocoPlane(self.dataset, image, self.folder, rules) for image in self.dataset.images.values()]
        stacks: dict[str, dict[tuple[int, ...], CocoPlane]] = {}
        for plane in planes:
            if plane.stack is not None:
                name, place = plane.stack
                stacks.setdefault(name, {})[place] = plane
        for stack in stacks.values():
            for place, before in planes_before({place: plane.key for place, plane in stack.items()}).items():
                stack[place].neighbours = before
        return planes

    def facts(self) -> dict[str, Any]:
        return dict(self._facts)

    @cached_property
    def _facts(self) -> dict[str, Any]:
        try:
            content = self.annotations.read_bytes()
        except OSError as error:
            raise DataError(f"'{self.annotations}' cannot be read ({error.strerror or error}).") from error
        return {
            "annotations": self.annotations.name,
            "sha256": hashlib.sha256(content).hexdigest(),
            "least_area": self.least_area,
            "most_per_image": self.most_per_image,
        }


class LabelSource(Source):
    """The objects of planes of labels.

    Parameters
    ----------
    planes : sequence of LabelPlane
    name : str
        For people, at the beginning of a sentence.
    facts : mapping
        Plain values that belong to the data: which channels are looked at, between which limits.
    """

    def __init__(self, planes: Sequence[LabelPlane], name: str, facts: Mapping[str, Any]) -> None:
        self.name = name
        self._planes = list(planes)
        self._said = dict(facts)

    @property
    def images(self) -> Sequence[AnnotatedImage]:
        return self._planes

    def facts(self) -> dict[str, Any]:
        return dict(self._facts)

    @cached_property
    def _facts(self) -> dict[str, Any]:
        """Of all labels, and of the images where some of the objects lie: reading images whole takes too long."""
        digest = hashlib.sha256()
        for plane in self._planes:
            digest.update(plane.digest())
        objects = [(plane, item.label) for plane in self._planes for item in plane.objects()]
        some = np.unique(np.linspace(0, len(objects) - 1, min(len(objects), _LOOKS)).astype(int)).tolist()
        for plane, places in groupby(some, key=lambda place: objects[place][0]):
            digest.update(plane.look(objects[place][1] for place in places))
        return {"images": len(self._planes), "sha256": digest.hexdigest(), **self._said}


class ArraySource(LabelSource):
    """The objects of images and label images in memory, or lazily loaded: numpy, dask or zarr.

    Parameters
    ----------
    pairs : sequence of (image, labels)
        Labels ``(H, W)`` or with further axes, e.g. time; the image of that shape, with or without a last axis of
        channels. 0 is background, every other value an object of its plane.
    axis : int or sequence of int, optional
        Axes of the labels that lead from plane to plane; by default all but the last two.
    channels, limits
        As in `napari_dextr.image.as_plane`: which channels are seen, and the contrast limits.
    ignore : int, optional
        Label of the pixels without a true label.
    least_area : int
        Smaller objects, in pixels, are left out.
    most_per_image : int, optional
        At most so many objects of a plane, drawn at random.

    Raises
    ------
    DataError
        If image and labels do not fit on each other.
    """

    def __init__(
        self,
        pairs: Sequence[tuple[Any, Any]],
        *,
        axis: int | Sequence[int] | None = None,
        channels: Sequence[int] | None = None,
        limits: tuple[float, float] | None = None,
        ignore: int | None = None,
        least_area: int = 60,
        most_per_image: int | None = None,
    ) -> None:
        planes: list[LabelPlane] = []
        for number, (image, labels) in enumerate(pairs, start=1):
            image, labels = (part if hasattr(part, "shape") else np.asarray(part) for part in (image, labels))
            extents = tuple(int(extent) for extent in labels.shape)
            if tuple(image.shape[: len(extents)]) != extents or not 0 <= len(image.shape) - len(extents) <= 1:
                raise DataError(
                    f"An image of shape {tuple(image.shape)} and labels of shape {extents} do not fit on each other: "
                    "they must agree, except for a last axis of channels in the image; choose the labels of this image."
                )
            indices = {
                tuple(part for part in index if isinstance(part, int)): index for index in planes_of(extents, axis)
            }
            keys = {place: ("array", id(image), place) for place in indices}
            before = planes_before(keys)
            for place, index in indices.items():
                plane = LabelPlane(
                    View(labels, index), partial(_opened, image, index, channels, limits),
                    f"image {number}" + (f", plane {', '.join(map(str, place))}" if place else ""), keys[place],
                    Rules(least_area, most_per_image), neighbours=before[place],
                    ignore=() if ignore is None else (ignore,), at_hand=True,
                )  # fmt: skip
                planes.append(plane)
        if not planes:
            raise DataError("There is no image with labels to train on; choose some.")
        super().__init__(
            planes, "The labels",
            {
                "axis": axis if axis is None or isinstance(axis, int) else list(axis),
                "channels": None if channels is None else list(channels),
                "limits": None if limits is None else [float(limit) for limit in limits],
                "ignore": ignore, "least_area": least_area, "most_per_image": most_per_image,
            },
        )  # fmt: skip


def _opened(image: Any, index: Sequence[int | slice], channels: Any, limits: Any) -> ImagePlane:
    return as_plane(View(image, index), channels=channels, limits=limits)


def _found(choice: Choice) -> list[Found]:
    return [
        (number, image, {part.annotation.thing: part.region for part in parts})
        for number, image, parts in choice
        if parts
    ]


def _outlines(group: Iterable[Found]) -> int:
    return sum(len(boxes) for _, _, boxes in group)


def _ends(found: Sequence[Found], wanted: int, seed: int) -> tuple[list[list[Found]], set[int]]:
    """All images one by one, and which of them to hold out: the first or the last, until they have enough objects."""
    groups: dict[Hashable, list[Found]] = {}
    for entry in found:
        groups.setdefault(entry[1].key, []).append(entry)
    images = list(groups.values())
    order = list(range(len(images)))
    held: set[int] = set()
    for place in order[:0:-1] if seed % 2 else order[:-1]:
        if sum(_outlines(images[number]) for number in held) < wanted:
            held.add(place)
    return images, held


def _because(left_out: str) -> str:
    return f" (left out: {left_out})" if left_out else ""
