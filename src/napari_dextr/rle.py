"""Masks as COCO's run lengths and polygons, and back.

Runs of pixels go down the columns, background first. They stand in a list, or packed into a string ("compressed
RLE", the COCO API's format). Masks are ``(H, W)`` bool arrays.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from .errors import DataError
from .prompt import Region

Mask = npt.NDArray[np.bool_]

Runs = npt.NDArray[np.int64]
"""``(N, 2)`` start and stop of an object's runs of pixels, counted down the columns of its image."""

_AT_ONCE = 32  # polygons that are merged in one go
_MOST_PIXELS = 2**32  # pycocotools counts in 32 bits
_OVERHANG, _OVERHANG_PIXELS = 0.25, 8  # how far a polygon may leave its image: objects are cut by its border


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
        When it is none of these or does not fill the image exactly; or when the image is too large for this machine.
    """
    height, width = shape
    counts = _counts(segmentation, shape)
    inside = np.arange(len(counts)) % 2 == 1
    try:
        return np.ascontiguousarray(np.repeat(inside, counts).reshape(width, height).T)
    except MemoryError:
        raise DataError(f"there is not enough memory for a mask of {height} x {width} pixels.") from None


def decode_runs(segmentation: Any, shape: tuple[int, int]) -> Runs:
    """A COCO segmentation as the runs of its pixels; the cost is that of the object, not of the image.

    Parameters
    ----------
    segmentation, shape
        As for `decode`.

    Returns
    -------
    (N, 2) int64
        Start and stop of each run, counted down the columns of the image.

    Raises
    ------
    DataError
        As `decode`.
    """
    edges = np.cumsum(_counts(segmentation, shape))
    edges = edges[: edges.size // 2 * 2]
    if (edges[1:] == edges[:-1]).any():  # uncompressed counts may hold zeros: runs that are empty, or touch
        places, times = np.unique(edges, return_counts=True)
        edges = places[times % 2 == 1]
    return edges.reshape(-1, 2)


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
    return encode_runs(edges.reshape(-1, 2), (height, width))


def encode_runs(runs: Runs, shape: tuple[int, int]) -> dict[str, Any]:
    """Compressed run lengths of an object given by its runs, ``(N, 2)``: start and stop, in order, none touching."""
    from pycocotools import mask as cocomask

    height, width = shape
    if height * width >= _MOST_PIXELS:
        raise DataError(f"An image of {height} x {width} pixels is larger than run lengths can be; cut it into tiles.")
    edges = runs.ravel()
    ends = edges if edges.size and edges[-1] == height * width else np.append(edges, height * width)
    counts = np.diff(ends, prepend=0)
    rle = cocomask.frPyObjects({"size": [height, width], "counts": counts.tolist()}, height, width)
    return {"size": [int(height), int(width)], "counts": rle["counts"].decode("ascii")}


def label_runs(labels: npt.NDArray[Any]) -> Iterator[tuple[int, Runs]]:
    """Each label of an ``(H, W)`` label image (0 is background) with its runs, in ascending order.

    One pass over the image serves all labels.
    """
    flat = np.ascontiguousarray(labels.T).ravel()
    starts = np.concatenate([[0], np.flatnonzero(flat[1:] != flat[:-1]) + 1])
    runs = np.column_stack([starts, np.append(starts[1:], flat.size)]).astype(np.int64)
    values = flat[starts]
    labelled = np.flatnonzero(values)
    order = labelled[np.argsort(values[labelled], kind="stable")]
    runs, values = runs[order], values[order]
    for part in np.split(np.arange(len(values)), np.flatnonzero(np.diff(values) != 0) + 1):
        if len(part):
            yield int(values[part[0]]), runs[part[0] : part[-1] + 1]


def run_pixels(runs: Runs) -> npt.NDArray[np.int64]:
    """Positions of an object's pixels, counted down the columns of its image."""
    lengths = runs[:, 1] - runs[:, 0]
    before = np.cumsum(lengths) - lengths
    return np.repeat(runs[:, 0] - before, lengths) + np.arange(int(lengths.sum()))


def cut_runs(runs: Runs, shape: tuple[int, int]) -> tuple[Region, Mask]:
    """The part of the image that an object covers and its ``(h, w)`` mask there; an empty object covers one pixel."""
    if not len(runs):
        return (slice(0, 1), slice(0, 1)), np.zeros((1, 1), bool)
    cols, rows = np.divmod(run_pixels(runs), shape[0])
    top, left = int(rows.min()), int(cols.min())
    mask = np.zeros((int(rows.max()) - top + 1, int(cols.max()) - left + 1), bool)
    mask[rows - top, cols - left] = True
    return (slice(top, top + mask.shape[0]), slice(left, left + mask.shape[1])), mask


def encode_polygons(polygons: list[Any], shape: tuple[int, int]) -> dict[str, Any]:
    """Compressed run lengths of the pixels that pycocotools fills; errors as of `decode`."""
    return {"size": [int(shape[0]), int(shape[1])], "counts": _polygons_to_rle(polygons, shape).decode("ascii")}


def measure(rle: Mapping[str, Any]) -> dict[str, Any]:
    """Area (pixels) and bbox (x, y, width, height) of compressed run lengths, as pycocotools defines them."""
    from pycocotools import mask as cocomask

    packed = {"size": list(rle["size"]), "counts": rle["counts"].encode("ascii")}
    return {"area": float(cocomask.area(packed)), "bbox": [float(value) for value in cocomask.toBbox(packed)]}


def _counts(segmentation: Any, shape: tuple[int, int]) -> npt.NDArray[np.int64]:
    """Lengths of the runs of background and object in turn, background first."""
    if isinstance(segmentation, Mapping):
        return _checked_counts(segmentation, shape)
    if isinstance(segmentation, list) and segmentation:
        return _unpack(_polygons_to_rle(segmentation, shape))
    raise DataError("its segmentation is neither polygons nor run lengths.")


def _checked_counts(segmentation: Mapping[str, Any], shape: tuple[int, int]) -> npt.NDArray[np.int64]:
    size, counts = segmentation.get("size"), segmentation.get("counts")
    if not isinstance(size, (list, tuple)) or list(size) != list(shape):
        raise DataError(f"its run lengths are for an image of {size} pixels, but the image has {list(shape)}.")
    if isinstance(counts, (str, bytes)):
        runs = _unpack(counts)
    elif isinstance(counts, list) and all(isinstance(count, int) for count in counts):
        if any(not 0 <= count <= shape[0] * shape[1] for count in counts):
            raise DataError("its run lengths do not fit into the image; the file was cut or changed.")
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
    if height * width >= _MOST_PIXELS:
        raise DataError(f"its image of {height} x {width} pixels is larger than pycocotools' masks can be.")
    outlines = []
    for polygon in polygons:
        try:
            outline = np.array(polygon, dtype=np.float64)
        except (TypeError, ValueError, OverflowError):
            raise DataError("its polygons hold something that is not a number.") from None
        if outline.ndim != 1 or outline.size < 6 or outline.size % 2:
            raise DataError("a polygon needs at least three points, each with x and y.")
        _check_place(outline.reshape(-1, 2), shape)
        outlines.append(outline.tolist())
    parts = cocomask.frPyObjects(outlines, height, width)
    while len(parts) > _AT_ONCE:  # one after the other, each would be merged with all that came before
        parts = [cocomask.merge(parts[start : start + _AT_ONCE]) for start in range(0, len(parts), _AT_ONCE)]
    rle = cocomask.merge(parts)
    return bytes(rle["counts"])


def _check_place(points: npt.NDArray[np.float64], shape: tuple[int, int]) -> None:
    """Refuse a polygon, ``(N, 2)`` x and y, that is not finite, leaves its image by far, or misses it."""
    extent = np.array([shape[1], shape[0]], np.float64)
    if not np.isfinite(points).all():
        raise DataError("a polygon has a corner that is not a finite number.")
    low, high = points.min(axis=0), points.max(axis=0)
    slack = _OVERHANG * extent + _OVERHANG_PIXELS
    if (low < -slack).any() or (high > extent + slack).any():
        far = points[np.argmax(np.maximum(-points, points - extent).max(axis=1))]
        raise DataError(
            f"a polygon leaves its image of {shape[1]} x {shape[0]} pixels by far, at x, y = {far[0]:g}, {far[1]:g}."
        )
    if (high < 0).any() or (low > extent).any():
        raise DataError(f"a polygon lies outside its image of {shape[1]} x {shape[0]} pixels.")
