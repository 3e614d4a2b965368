"""Masks as COCO's run lengths and polygons, and back.

Runs of pixels go down the columns, background first. They stand in a list, or packed into a string ("compressed
RLE", the COCO API's format). Masks are ``(H, W)`` bool arrays.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from .errors import DataError

Mask = npt.NDArray[np.bool_]


def decode(segmentation: Any, shape: tuple[int, int]) -> Mask:
    """Pixels of a COCO segmentation: polygons, run lengths, or compressed run lengths.

    Parameters
    ----------
    segmentation : list of polygons, or mapping with ``size`` and ``counts``
        Polygons are flat lists x, y, x, y, …, and become pixels as pycocotools does it.
    shape : (H, W)
        Size of the image in pixels.

    Raises
    ------
    DataError
        When it is none of these or does not fill the image exactly.
    """
    height, width = shape
    if isinstance(segmentation, Mapping):
        runs = _checked_runs(segmentation, shape)
    elif isinstance(segmentation, list) and segmentation:
        runs = _unpack(_polygons_to_rle(segmentation, shape))
    else:
        raise DataError("its segmentation is neither polygons nor run lengths.")
    inside = np.arange(len(runs)) % 2 == 1
    return np.ascontiguousarray(np.repeat(inside, runs).reshape(width, height).T)


def encode(
    mask: npt.ArrayLike, *, corner: tuple[int, int] = (0, 0), shape: tuple[int, int] | None = None
) -> dict[str, Any]:
    """Compressed run lengths of a mask, as COCO writes them, with ``counts`` a string.

    Parameters
    ----------
    mask : (h, w) array of bool
        The object's pixels.
    corner : (row, col)
        Where the mask's first pixel lies in the image.
    shape : (H, W), optional
        Size of the whole image; by default the mask is the whole image. The cost grows with the mask, not the image.
    """
    from pycocotools import mask as cocomask

    pixels = np.asarray(mask, dtype=bool)
    height, width = shape if shape is not None else pixels.shape
    rows, cols = pixels.shape
    # Column by column, each with an empty pixel above and below: every object run has a start and an end.
    framed = np.zeros((cols, rows + 2), dtype=np.int8)
    framed[:, 1:-1] = pixels.T
    column, edge = np.nonzero(np.diff(framed, axis=1))
    edges = (column + corner[1]).astype(np.int64) * height + edge + corner[0]
    # A run that ends at the foot of a column and one that starts at the head of the next are one run.
    joined = np.flatnonzero(edges[1:-1:2] == edges[2::2])
    edges = np.delete(edges, np.concatenate([2 * joined + 1, 2 * joined + 2]))
    ends = edges if edges.size and edges[-1] == height * width else np.append(edges, height * width)
    counts = np.diff(ends, prepend=0)
    rle = cocomask.frPyObjects({"size": [height, width], "counts": counts.tolist()}, height, width)
    return {"size": [int(height), int(width)], "counts": rle["counts"].decode("ascii")}


def measure(rle: Mapping[str, Any]) -> dict[str, Any]:
    """Area (pixels) and bbox (x, y, width, height) of compressed run lengths, as pycocotools defines them."""
    from pycocotools import mask as cocomask

    packed = {"size": list(rle["size"]), "counts": rle["counts"].encode("ascii")}
    return {"area": float(cocomask.area(packed)), "bbox": [float(value) for value in cocomask.toBbox(packed)]}


def _checked_runs(segmentation: Mapping[str, Any], shape: tuple[int, int]) -> npt.NDArray[np.int64]:
    size, counts = segmentation.get("size"), segmentation.get("counts")
    if not isinstance(size, (list, tuple)) or list(size) != list(shape):
        raise DataError(f"its run lengths are for an image of {size} pixels, but the image has {list(shape)}.")
    if isinstance(counts, (str, bytes)):
        runs = _unpack(counts)
    elif isinstance(counts, list) and all(isinstance(count, int) for count in counts):
        runs = np.array(counts, dtype=np.int64)
    else:
        raise DataError("its run lengths are neither a string nor a list of whole numbers.")
    if (runs < 0).any() or int(runs.sum()) != shape[0] * shape[1]:
        raise DataError("its run lengths do not fill the image; the file was cut or changed.")
    return runs


def _unpack(counts: str | bytes) -> npt.NDArray[np.int64]:
    """Run lengths from a compressed string.

    Each number is written in 5-bit digits, least first, as characters from "0"; the sixth bit says that more
    follow, the top bit of the last digit is the sign; from the fourth number on, the difference to the number two
    before is stored (maskApi.c of the COCO API). pycocotools decodes too, but reads unset memory when a string is cut.
    """
    try:
        data = counts.encode("ascii") if isinstance(counts, str) else counts
    except UnicodeEncodeError:
        raise DataError("its run lengths hold characters that do not belong there.") from None
    digits = np.frombuffer(data, dtype=np.uint8).astype(np.int64) - 48
    if digits.size == 0 or digits.min() < 0 or digits.max() > 63 or digits[-1] & 32:
        raise DataError("its run lengths are cut short or hold characters that do not belong there.")
    last = np.flatnonzero(digits & 32 == 0)
    first = np.concatenate([[0], last[:-1] + 1])
    length = last - first + 1
    if length.max() > 7:  # 35 bits hold every count of an image
        raise DataError("its run lengths hold a number that no image can have.")
    place = np.arange(digits.size) - np.repeat(first, length)
    numbers = np.add.reduceat((digits & 31) << (5 * place), first)
    numbers -= np.where(digits[last] & 16, np.int64(1) << (5 * length), 0)
    numbers[1::2] = np.cumsum(numbers[1::2])
    numbers[2::2] = np.cumsum(numbers[2::2])
    return numbers


def _polygons_to_rle(polygons: list[Any], shape: tuple[int, int]) -> bytes:
    from pycocotools import mask as cocomask

    height, width = shape
    outlines = []
    for polygon in polygons:
        try:
            outline = np.array(polygon, dtype=np.float64)
        except (TypeError, ValueError):
            raise DataError("its polygons hold something that is not a number.") from None
        if outline.ndim != 1 or outline.size < 6 or outline.size % 2:
            raise DataError("a polygon needs at least three points, each with x and y.")
        # Far coordinates overflow the rasteriser's integers, and are a mistake anyway.
        if not np.isfinite(outline).all() or np.abs(outline).max() > 4 * (height + width) + 100:
            raise DataError("a polygon leaves its image by far.")
        outlines.append(outline.tolist())
    rle = cocomask.merge(cocomask.frPyObjects(outlines, height, width))
    return bytes(rle["counts"])
