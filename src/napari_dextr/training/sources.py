"""Where the objects to train on come from, and how they are split so that no image is on both sides."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from ..coco import CocoDataset, read_coco
from ..errors import DataError
from .crops import Crop, Progress, array_crops, coco_crops


class Source(Protocol):
    """Annotated objects that can be cut out and split by image."""

    def crops(self, side: int, seed: int, progress: Progress) -> Iterable[Crop]:
        """The objects with their surroundings, ``side`` pixels a side; tells ``progress`` what was left out."""

    def facts(self) -> dict[str, Any]:
        """Plain values that tell these data from others."""

    def split(self, share: float, seed: int) -> tuple[Source, Source]:
        """The larger part, and about ``share`` of the images held out of it."""


@dataclass(frozen=True, eq=False)
class CocoSource:
    """The objects of a COCO file.

    Attributes
    ----------
    annotations : path
    images : path
        Folder of the images.
    least_area : int
        Smaller objects (pixels) are left out.
    most_per_image : int or None
        At most so many objects of an image, drawn at random.
    skip_unreadable : bool
        Leave out images that are missing or cannot be read, instead of stopping at the first.
    chosen : frozenset of int or None
        Ids of the images that are used; None for all.
    """

    annotations: Path
    images: Path
    least_area: int = 60
    most_per_image: int | None = None
    skip_unreadable: bool = False
    chosen: frozenset[int] | None = None

    @cached_property
    def dataset(self) -> CocoDataset:
        """The file's content, of the chosen images only.

        Raises
        ------
        DataError
            If it is no COCO file, or has no objects.
        """
        found = read_coco(self.annotations)
        if self.chosen is not None:
            images = {key: image for key, image in found.images.items() if key in self.chosen}
            objects = [obj for obj in found.objects if obj.image_id in self.chosen]
            found = replace(found, images=images, objects=objects)
        if not any(obj.segmentation and not obj.iscrowd for obj in found.objects):
            raise DataError(
                f"'{self.annotations.name}' holds no object with a mask to train on; annotate some, or choose another "
                "file."
            )
        return found

    def crops(self, side: int, seed: int, progress: Progress) -> Iterable[Crop]:
        return coco_crops(
            self.dataset, self.images, side, least_area=self.least_area, most_per_image=self.most_per_image, seed=seed,
            skip_unreadable=self.skip_unreadable, progress=progress,
        )  # fmt: skip

    def facts(self) -> dict[str, Any]:
        return {
            "annotations": self.annotations.name,
            "sha256": hashlib.sha256(self.annotations.read_bytes()).hexdigest(),
            "images": None if self.chosen is None else sorted(self.chosen),
            "least_area": self.least_area,
            "most_per_image": self.most_per_image,
        }

    def split(self, share: float, seed: int) -> tuple[CocoSource, CocoSource]:
        """Two sources of different images; only images with objects are counted.

        Raises
        ------
        DataError
            If the share is not between 0 and 1, or there are not two images to share out.
        """
        if not 0 < share < 1:
            raise DataError(f"The share of images to hold out must be between 0 and 1; got {share}, try 0.2.")
        with_objects = sorted({obj.image_id for obj in self.dataset.objects if not obj.iscrowd and obj.segmentation})
        kept, held = _shared_out(with_objects, share, seed)
        return replace(self, chosen=frozenset(kept)), replace(self, chosen=frozenset(held))


class ArraySource:
    """The objects of images and label images in memory, or lazily loaded: numpy, dask or zarr.

    Parameters
    ----------
    pairs : sequence of (image, labels)
        Labels ``(H, W)`` or with further axes before, e.g. time; the image of that shape, with or without a last
        axis of channels. 0 is background, every other value an object of its plane.
    channels, limits, ignore, least_area
        As in `napari_dextr.training.crops.array_crops`.

    Raises
    ------
    DataError
        If image and labels do not fit on each other.
    """

    def __init__(
        self,
        pairs: Sequence[tuple[Any, Any]],
        *,
        channels: Sequence[int] | None = None,
        limits: tuple[float, float] | None = None,
        ignore: int | None = None,
        least_area: int = 60,
    ) -> None:
        for image, labels in pairs:
            if tuple(image.shape[: labels.ndim]) != tuple(labels.shape) or labels.ndim < 2:
                raise DataError(
                    f"An image of shape {tuple(image.shape)} and labels of shape {tuple(labels.shape)} do not fit on "
                    "each other; choose the labels of this image."
                )
        self._options: dict[str, Any] = {
            "channels": channels, "limits": limits, "ignore": ignore, "least_area": least_area,
        }  # fmt: skip
        # what is held out whole: the planes along the first axis of a stack, or an image
        self._parts = [part for pair in pairs for part in _planes(*pair)]

    def crops(self, side: int, seed: int, progress: Progress) -> Iterator[Crop]:
        """The objects of all parts; parts without any are passed over.

        Raises
        ------
        DataError
            If no part has a usable object.
        """
        found, reason = 0, None
        for number, (image, labels) in enumerate(self._parts):
            try:
                for crop in array_crops(image, labels, side, seed=seed + number, **self._options):
                    found += 1
                    yield crop
            except DataError as error:
                reason = reason or error
        if not found:
            raise reason or DataError("There is no image with labels to train on; choose some.")

    def facts(self) -> dict[str, Any]:
        digest = hashlib.sha256()
        for _, labels in self._parts:
            plane = np.ascontiguousarray(labels)
            digest.update(f"{plane.shape}{plane.dtype}".encode())
            digest.update(plane.tobytes())
        options = {name: list(value) if isinstance(value, tuple) else value for name, value in self._options.items()}
        return {"images": len(self._parts), "sha256": digest.hexdigest(), **options}

    def split(self, share: float, seed: int) -> tuple[ArraySource, ArraySource]:
        """Two sources of different images, or of different planes of a stack; only those with objects are counted."""
        ignore = self._options["ignore"]
        labelled = [
            number
            for number, (_, labels) in enumerate(self._parts)
            if any(value not in (0, ignore) for value in np.unique(np.asarray(labels)))
        ]
        kept, held = (ArraySource([], **self._options) for _ in range(2))
        for part, numbers in zip((kept, held), _shared_out(labelled, share, seed), strict=True):
            part._parts = [self._parts[number] for number in numbers]
        return kept, held


def _planes(image: Any, labels: Any) -> list[tuple[Any, Any]]:
    if labels.ndim == 2:
        return [(image, labels)]
    return [(image[index], labels[index]) for index in range(labels.shape[0])]


def _shared_out(members: Sequence[int], share: float, seed: int) -> tuple[list[int], list[int]]:
    """The members to keep, and about ``share`` of them to hold out; at least one of each."""
    if not 0 < share < 1:
        raise DataError(f"The share of images to hold out must be between 0 and 1; got {share}, try 0.2.")
    if len(members) < 2:
        raise DataError(
            "There is only one image with objects, so none can be held out for validation; annotate another image, "
            "or train without validation."
        )
    count = min(len(members) - 1, max(1, round(share * len(members))))
    held = {members[int(i)] for i in np.random.default_rng((seed, 7)).permutation(len(members))[:count]}
    return [member for member in members if member not in held], sorted(held)
