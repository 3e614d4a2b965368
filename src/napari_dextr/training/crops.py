"""Cutting objects out of annotated images with their surroundings."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from ..coco import MissingImageError
from ..errors import DataError, DextrError, ImageError, first_line
from ..frame import Frame
from ..image import ImagePlane
from ..prompt import Region
from ..session.patches import placed
from .annotated import AnnotatedImage, Choice, Going, Mask, Stopped, reasons, trimmed
from .stacks import Units
from .store import (
    IGNORE,
    LEAST_PIXELS,
    OBJECT,
    OUTSIDE,
    TOO_THIN,
    Crop,
    CropStore,
    NothingUsable,
    Progress,
    write_store,
)

__all__ = [
    "IGNORE", "OBJECT", "OUTSIDE", "SURROUNDINGS", "TOO_THIN", "Crop", "CropStore", "NothingUsable", "Progress",
    "crops_of", "cut", "is_too_thin", "read_pixels", "side_for", "write_store",
]  # fmt: skip

SURROUNDINGS = 0.5
"""Margin kept on each side of an object, as a share of its longer side."""

_LEAST_SIDE = 64  # pixels of a crop
_NAMED = 5  # images left out that are named
_AT_ONCE = 1 << 26  # bytes of a plane that are read at once


def side_for(canvas: int) -> int:
    """Pixels of a crop's side that suffice for a canvas, in sixteens."""
    return max(_LEAST_SIDE, -(-canvas * 5 // 64) * 16)


def cut(plane: ImagePlane, mask: Any, ignore: Any | None, side: int, region: Region | None = None) -> Crop:
    """Cut one object out of a plane, with `SURROUNDINGS`, at the scale where the crop has ``side`` pixels.

    Pixels whose value is no number (NaN, infinite) have no true label either.

    Parameters
    ----------
    plane : ImagePlane
    mask : (H, W) bool, or (h, w) on ``region``
    ignore : (H, W) bool or None
        Pixels without a true label; needs only slicing.
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
    origin: Region = (slice(0, mask.shape[0]), slice(0, mask.shape[1])) if region is None else region
    tight, mask = trimmed(origin, mask)
    if not mask.any():
        raise DataError("The mask is empty, so there is nothing to cut out.")
    frame = _frame(tight, side, plane.shape)
    pixels, inside = frame.read(plane, quiet=not frame.smears(plane, mask))  # as it is read when somebody clicks it
    flags = torch.where(_seen(frame, tight, mask, plane.shape), OBJECT, 0)
    border = _border(frame)
    seen = _grown(frame.region, border, plane.shape)
    unknown = None if ignore is None else np.asarray(ignore[seen])
    if np.dtype(plane.levels[0].dtype).kind == "f":
        empty = ~_numbers(plane, seen)
        unknown = empty if unknown is None else unknown | empty
    if unknown is not None and unknown.any():
        flags += torch.where(frame.read_mask(unknown, seen) > 0.5, IGNORE, 0)
    flags += torch.where(inside, 0, OUTSIDE)
    image = pixels.clamp(0, 255).round().to(torch.uint8).permute(1, 2, 0)
    longer = float(max(span.stop - span.start for span in tight))
    return Crop(np.ascontiguousarray(image.numpy()), flags.to(torch.uint8).numpy(), longer)


def is_too_thin(region: Region, mask: Mask, shape: tuple[int, int], side: int) -> bool:
    """Whether hardly a pixel of an object is left on its crop, which is coarser than the image.

    Parameters
    ----------
    region : two slices
        The smallest that holds the object.
    mask : (h, w) bool
        Its pixels there.
    shape : (int, int)
        Of the image.
    side : int
        Pixels of a crop.
    """
    frame = _frame(region, side, shape)
    return frame.zoom < 1 and int(_seen(frame, region, mask, shape).sum()) < LEAST_PIXELS


def _frame(tight: Region, side: int, shape: tuple[int, int]) -> Frame:
    bounds = (float(tight[0].start), float(tight[1].start), float(tight[0].stop - 1), float(tight[1].stop - 1))
    return Frame.around(bounds, side, shape, margin=SURROUNDINGS, least=2.0, stretch=1.0)


def _seen(frame: Frame, tight: Region, mask: Mask, shape: tuple[int, int]) -> torch.Tensor:
    """Where on a crop an object is."""
    place = _grown(tight, _border(frame), shape)
    part = placed(mask, tight, place)  # with empty pixels around it, where the plane has any
    return frame.read_mask(part, place) > 0.5


def _border(frame: Frame) -> int:
    return 2 * math.ceil(1 / frame.zoom) + 1


def crops_of(
    images: Sequence[AnnotatedImage],
    side: int,
    seed: int,
    progress: Progress = lambda _message: None,
    *,
    name: str,
    units: Units | None = None,
    going: Going = lambda: True,
) -> Iterator[Crop]:
    """Crops of the objects of some images that can be used.

    Parameters
    ----------
    images : sequence of AnnotatedImage
    side : int
        Pixels of a crop.
    seed : int
        Of the choice where an image has too many objects.
    progress : callable
        Called with sentences about what was left out.
    name : str
        What the images are called in messages.
    units : Units, optional
        Numbers the images and objects; by default each image and each object has its own.
    going : callable
        Asked again and again; answers False to stop.

    Raises
    ------
    Stopped
        When it was.
    DataError, ImageError
        If annotations or an image cannot be read.
    NothingUsable
        If no object is left.
    """
    choice = Choice(images, seed, going)
    units = units or Units()
    unreadable: list[str] = []
    found = 0
    for _, image, parts in choice:
        if not parts:
            continue
        try:
            plane, unknown = _at_once(image.plane(), len(parts)), image.unknown()
            for item, region, mask, _ in parts:
                if not going():
                    raise Stopped
                crop = cut(plane, mask, unknown(item, region, mask), side, region)
                if ((crop.mask & (OBJECT | IGNORE)) == OBJECT).any() or not (crop.mask & OBJECT).any():
                    found += 1
                    yield replace(crop, place=units.image(image.key), thing=units.object(image.key, item.thing))
                else:
                    choice.left_out["on pixels of which nothing is known"] += 1
        except (ImageError, MissingImageError) as error:
            if not image.rules.skip_unreadable:
                raise DataError(f"The image '{image.name}' cannot be used: {error}{image.hint}") from error
            unreadable.append(image.name)
    left_out = reasons(choice.left_out)
    if unreadable:
        names = ", ".join(f"'{name}'" for name in unreadable[:_NAMED]) + ", ..." * (len(unreadable) > _NAMED)
        progress(f"{len(unreadable)} of {len(images)} images could not be read and were left out: {names}")
    if not found:
        if unreadable:
            left_out = ", ".join(filter(None, (left_out, f"{len(unreadable)} images that could not be read")))
        raise NothingUsable(
            f"{name} has no usable object (left out: {left_out or 'none, it is empty'}); annotate some, or check the "
            "annotations and the least area."
        )
    if left_out:
        progress(f"Objects left out: {left_out}")


def _at_once(plane: ImagePlane, objects: int) -> ImagePlane:
    """The plane in memory, where it is small and several objects are cut from it: lazy arrays load whole chunks."""
    level = plane.levels[0]
    size = math.prod(level.shape) * np.dtype(level.dtype).itemsize
    if objects < 2 or len(plane.levels) > 1 or isinstance(level, np.ndarray) or size > _AT_ONCE:
        return plane
    return replace(plane, levels=(read_pixels(plane, (slice(0, plane.shape[0]), slice(0, plane.shape[1]))),))


def _numbers(plane: ImagePlane, region: Region) -> npt.NDArray[np.bool_]:
    """Where a region of a plane holds numbers in all channels that are looked at, ``(h, w)``."""
    block = read_pixels(plane, region)
    finite: npt.NDArray[np.bool_] = np.isfinite(block)
    return finite if plane.channels is None else np.logical_and.reduce(finite[..., list(plane.channels)], axis=-1)


def read_pixels(plane: ImagePlane, region: Region) -> npt.NDArray[Any]:
    """Pixels of a region of a plane, ``(h, w)`` or ``(h, w, channels)``.

    Raises
    ------
    ImageError
        If whatever library holds them cannot read them.
    """
    try:
        return np.asarray(plane.levels[0][region])
    except DextrError:
        raise
    except Exception as error:  # of whatever library reads the pixels
        raise ImageError(
            f"The image could not be read here ({first_line(error)}); check that its file is still there and whole."
        ) from error


def _grown(region: Region, border: int, shape: tuple[int, int]) -> Region:
    """A region with a border, inside the plane."""
    rows, cols = (
        slice(max(part.start - border, 0), min(part.stop + border, extent))
        for part, extent in zip(region, shape, strict=True)
    )
    return rows, cols
