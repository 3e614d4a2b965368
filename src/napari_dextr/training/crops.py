"""Cutting objects out of data sets with their surroundings: COCO files, or images with label images."""

from __future__ import annotations

import math
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from ..coco import CocoDataset, CocoImage, CocoObject, MissingImageError, open_annotated, read_coco
from ..errors import DataError, ImageError
from ..frame import Frame
from ..image import ImagePlane, as_plane
from ..prompt import Region
from .store import IGNORE, OBJECT, OUTSIDE, Crop, CropStore, Progress, write_store

__all__ = [
    "IGNORE", "OBJECT", "OUTSIDE", "SURROUNDINGS", "Crop", "CropStore", "Progress", "array_crops", "coco_crops", "cut",
    "write_store",
]  # fmt: skip

SURROUNDINGS = 0.5
"""Margin kept on each side of an object, as a share of its longer side."""

_NAMED = 5  # images left out that are named
_DIRECT = 1 << 22  # labels up to here are looked up without sorting them first


def cut(plane: ImagePlane, mask: Any, ignore: Any | None, side: int, region: Region | None = None) -> Crop:
    """Cut one object out of a plane, with `SURROUNDINGS`, at the scale where the crop has ``side`` pixels.

    Parameters
    ----------
    plane : ImagePlane
    mask : (H, W) bool, or (h, w) on ``region``
    ignore : (H, W) bool or None
        Pixels without a true label.
    side : int
        P, pixels. The aspect ratio is kept.
    region : two slices, optional
        Part of the plane that ``mask`` covers: all of it by default.

    Raises
    ------
    DataError
        If the mask is empty.
    ImageError
        If the plane cannot be read.
    """
    mask = np.asarray(mask, bool)
    origin = (0, 0) if region is None else (region[0].start, region[1].start)
    spans = [np.flatnonzero(mask.any(axis=axis)) + start for axis, start in zip((1, 0), origin, strict=True)]
    if not len(spans[0]):
        raise DataError("The mask is empty, so there is nothing to cut out.")
    bounds = tuple(float(span[end]) for end in (0, -1) for span in spans)
    frame = Frame.around(bounds, side, plane.shape, margin=SURROUNDINGS, least=2.0, stretch=1.0)  # type: ignore[arg-type]
    pixels, inside = frame.read(plane)
    border = 2 * math.ceil(1 / frame.zoom) + 1
    part, place = _padded(mask, origin, spans, border, plane.shape)
    flags = torch.where(frame.read_mask(part, place) > 0.5, OBJECT, 0)
    if ignore is not None:
        seen = _grown(frame.region, border, plane.shape)
        flags += torch.where(frame.read_mask(np.asarray(ignore)[seen], seen) > 0.5, IGNORE, 0)
    flags += torch.where(inside, 0, OUTSIDE)
    image = pixels.clamp(0, 255).round().to(torch.uint8).permute(1, 2, 0)
    longer = max(bounds[2] - bounds[0], bounds[3] - bounds[1]) + 1
    return Crop(np.ascontiguousarray(image.numpy()), flags.to(torch.uint8).numpy(), longer)


def coco_crops(
    annotations: str | os.PathLike[str] | CocoDataset,
    images: str | os.PathLike[str],
    side: int,
    *,
    least_area: int = 60,
    most_per_image: int | None = None,
    seed: int = 0,
    skip_unreadable: bool = False,
    progress: Progress = lambda _message: None,
) -> Iterator[Crop]:
    """Crops of the objects of a COCO file.

    Crowds, and objects without a mask or under ``least_area`` pixels, are left out. A crowd's pixels, and those of an
    object's ``ignore_segmentation``, count neither for nor against the other objects of the image.

    Parameters
    ----------
    annotations : path or CocoDataset
    images : path
        Folder of the images.
    side : int
        Pixels of a crop.
    least_area : int
        In pixels.
    most_per_image : int, optional
        At most so many objects of an image, drawn at random.
    seed : int
    skip_unreadable : bool
        Leave out images that are missing or cannot be read, and say how many, instead of stopping at the first.
    progress : callable
        Called with that sentence.

    Raises
    ------
    DataError
        If an image is missing, unreadable or of another size than its masks, or no object is left.
    """
    data = annotations if isinstance(annotations, CocoDataset) else read_coco(annotations)
    rng = np.random.default_rng(seed)
    left_out: Counter[str] = Counter()
    unreadable: list[str] = []
    found = 0
    for image, objects in data.by_image():
        chosen = [obj for obj in objects if not obj.iscrowd and obj.segmentation]
        left_out["marking crowds"] += sum(obj.iscrowd for obj in objects)
        left_out["without a mask"] += sum(not obj.iscrowd and not obj.segmentation for obj in objects)
        if most_per_image is not None and len(chosen) > most_per_image:
            chosen = [chosen[int(i)] for i in rng.choice(len(chosen), most_per_image, replace=False)]
        parts = [(obj, *data.cut(obj)) for obj in chosen]
        large = [part for part in parts if np.count_nonzero(part[2]) >= least_area]
        left_out[f"smaller than {least_area} pixels"] += len(parts) - len(large)
        if not large:
            continue
        try:
            plane = as_plane(open_annotated(images, image))
            crowd = _crowd(data, objects)
            crops = [cut(plane, mask, _unlabelled(data, obj, mask, at, crowd), side, at) for obj, at, mask in large]
        except (ImageError, MissingImageError) as error:
            if not skip_unreadable:
                raise _refused(image, error) from error
            unreadable.append(image.file_name)
            continue
        found += len(crops)
        yield from crops
    if unreadable:
        names = ", ".join(f"'{name}'" for name in unreadable[:_NAMED]) + ", ..." * (len(unreadable) > _NAMED)
        progress(f"{len(unreadable)} of {len(data.images)} images could not be read and were left out: {names}")
    if not found:
        reasons = [f"{count} {why}" for why, count in left_out.items() if count]
        if unreadable:
            reasons.append(f"{len(unreadable)} images that could not be read")
        raise DataError(
            f"'{data.path.name}' has no usable object (left out: {', '.join(reasons) or 'none, it is empty'}); "
            "check the annotations and the least area."
        )


def array_crops(
    image: Any,
    labels: Any,
    side: int,
    *,
    axis: int | Sequence[int] | None = None,
    channels: Sequence[int] | None = None,
    limits: tuple[float, float] | None = None,
    ignore: int | None = None,
    least_area: int = 60,
    most_per_plane: int | None = None,
    seed: int = 0,
) -> Iterator[Crop]:
    """Crops of the objects of a label image, plane by plane.

    Parameters
    ----------
    image : array-like
        Of the shape of ``labels``, with or without a further, last axis of channels: numpy, dask or zarr. One plane
        at a time is in memory.
    labels : (H, W) array-like of int or bool, or more axes for a stack
        0 is background, every other value one object of its plane.
    side : int
        Pixels of a crop.
    axis : int or sequence of int, optional
        Axes of ``labels`` that lead from plane to plane; by default all but the last two.
    channels, limits
        As in `napari_dextr.image.as_plane`: which channels are seen, and the contrast limits.
    ignore : int, optional
        Label of the pixels without a true label.
    least_area : int
        Smaller objects, in pixels, are left out.
    most_per_plane : int, optional
        At most so many objects of a plane, drawn at random.
    seed : int

    Raises
    ------
    DataError
        If image and labels do not fit on each other, the labels are no whole numbers, or no object is left.
    ImageError
        If the image cannot be read.
    """
    image = image if hasattr(image, "shape") else np.asarray(image)
    labels = labels if hasattr(labels, "shape") else np.asarray(labels)
    extents = tuple(int(extent) for extent in labels.shape)
    if tuple(int(extent) for extent in image.shape)[: len(extents)] != extents or not (
        len(extents) <= len(image.shape) <= len(extents) + 1
    ):
        raise DataError(
            f"The image has shape {tuple(image.shape)} but its labels have {extents}; they must agree, except for a "
            "last axis of channels in the image."
        )
    if np.dtype(labels.dtype).kind not in "iub":
        raise DataError(f"Labels must be whole numbers, got {labels.dtype}; convert them to integers.")
    rng = np.random.default_rng(seed)
    seen = found = 0
    for index in _planes(extents, axis):
        plane_labels = np.asarray(labels[index])
        objects = [(at, mask) for at, mask in _label_masks(plane_labels, ignore)]
        seen += len(objects)
        objects = [(at, mask) for at, mask in objects if np.count_nonzero(mask) >= least_area]
        if most_per_plane is not None and len(objects) > most_per_plane:
            objects = [objects[int(i)] for i in rng.choice(len(objects), most_per_plane, replace=False)]
        if not objects:
            continue
        plane = as_plane(np.asarray(image[index]), channels=channels, limits=limits)
        unknown = None if ignore is None else plane_labels == ignore
        for at, mask in objects:
            yield cut(plane, mask, unknown, side, at)
        found += len(objects)
    if not found:
        raise DataError(
            f"The labels hold no usable object ({seen} in all, none of at least {least_area} pixels); label some, or "
            "lower the least area."
        )


def _crowd(data: CocoDataset, objects: Sequence[CocoObject]) -> npt.NDArray[np.bool_] | None:
    """Pixels of an image's crowds, ``(H, W)``."""
    masks = [data.mask(obj) for obj in objects if obj.iscrowd and obj.segmentation]
    return np.logical_or.reduce(masks) if masks else None


def _unlabelled(
    data: CocoDataset, obj: CocoObject, mask: Any, region: Region, crowd: npt.NDArray[np.bool_] | None
) -> npt.NDArray[np.bool_] | None:
    """Pixels that count neither for nor against an object, ``(H, W)``: a crowd that overlaps it does not undo it."""
    own = data.ignore_mask(obj)
    if crowd is None:
        return own
    beside = crowd.copy()
    beside[region] &= ~mask
    return beside if own is None else own | beside


def _refused(image: CocoImage, error: Exception) -> DataError:
    return DataError(
        f"The image '{image.file_name}' cannot be used: {error} To train without such images, set skip_unreadable."
    )


def _planes(extents: tuple[int, ...], axis: int | Sequence[int] | None) -> Iterator[tuple[int | slice, ...]]:
    """Index of each plane of a stack, once it is clear which two axes a plane has."""
    count = len(extents)
    given = range(count - 2) if axis is None else (axis,) if isinstance(axis, int) else tuple(axis)
    stacked = {place % count for place in given if -count <= place < count}
    if len(stacked) != len(given) or count - len(stacked) != 2:
        raise DataError(
            f"Labels of shape {extents} with axis {axis} do not leave planes of two axes; name the axes that lead from "
            "plane to plane."
        )
    for numbers in np.ndindex(*(extents[place] for place in sorted(stacked))):
        at = iter(numbers)
        yield tuple(int(next(at)) if place in stacked else slice(None) for place in range(count))


def _label_masks(labels: npt.NDArray[Any], ignore: int | None) -> Iterator[tuple[Region, npt.NDArray[np.bool_]]]:
    """Region and ``(h, w)`` mask of each object of a plane of labels."""
    from scipy.ndimage import find_objects

    if labels.dtype == bool:
        labels = labels.astype(np.uint8)
    if labels.size and 0 <= labels.min() and labels.max() <= _DIRECT:
        values: Sequence[Any] = range(1, int(labels.max()) + 1)
        boxes = find_objects(labels.astype(np.int32))
    else:  # find_objects needs small positive values, whatever the labels are
        values = [value for value in np.unique(labels) if value != 0]
        numbered = np.where(labels == 0, 0, np.searchsorted(np.array(values, labels.dtype), labels) + 1)
        boxes = find_objects(numbered.astype(np.int32))
    for value, box in zip(values, boxes, strict=True):
        if box is not None and value != ignore:
            yield (box[0], box[1]), labels[box] == value


def _padded(
    mask: npt.NDArray[np.bool_],
    origin: tuple[int, int],
    spans: Sequence[npt.NDArray[np.int64]],
    border: int,
    shape: tuple[int, int],
) -> tuple[npt.NDArray[np.bool_], Region]:
    """The object's part of a mask with empty pixels around it where the plane has any, and where that lies."""
    tight = (slice(int(spans[0][0]), int(spans[0][-1]) + 1), slice(int(spans[1][0]), int(spans[1][-1]) + 1))
    place = _grown(tight, border, shape)
    part = np.zeros([span.stop - span.start for span in place], bool)
    target, source = (
        tuple(slice(span.start - start, span.stop - start) for span, start in zip(tight, starts, strict=True))
        for starts in ((place[0].start, place[1].start), origin)
    )
    part[target] = mask[source]
    return part, place


def _grown(region: Region, border: int, shape: tuple[int, int]) -> Region:
    """A region with a border, inside the plane."""
    rows, cols = (
        slice(max(part.start - border, 0), min(part.stop + border, extent))
        for part, extent in zip(region, shape, strict=True)
    )
    return rows, cols
