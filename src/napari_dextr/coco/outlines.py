"""Outlines of masks that give back exactly their pixels: polygons along the edges of the pixels.

pycocotools fills a polygon by counting, down each column of pixel centres, the edges that it crosses; a second crossing
undoes the first. An outline along the pixels' edges is crossed exactly where the object begins and ends. Parts that
touch at a corner only are outlines of their own.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

import numpy as np
import numpy.typing as npt

from ..rle import Mask

Loop = npt.NDArray[np.int64]
"""``(N, 2)`` corners of one closed outline, row and column of pixel edges: pixel (i, j) lies between i and i + 1."""


def trace(mask: npt.ArrayLike) -> tuple[list[Loop], list[list[Loop]]]:
    """Outlines of an ``(h, w)`` mask: one for each part (pixels that share a side), and the holes of each part.

    Holes end where background touches background at a corner; such a hole that reaches the outside is none.
    """
    pixels = np.asarray(mask, dtype=bool)
    parts: list[Loop] = []
    holes: list[Loop] = []
    framed = np.pad(pixels, 1)
    for loop in _loops(framed):
        row, col = loop[0]  # the topmost corner, of these the leftmost: below and right of it lies the inside
        (parts if framed[row + 1, col + 1] else holes).append(loop)
    nested: list[list[Loop]] = [[] for _ in parts]
    if len(parts) == 1:
        nested[0] = holes
    elif holes:
        from scipy.ndimage import label

        numbers, _ = label(framed)
        owners = {int(numbers[loop[0, 0] + 1, loop[0, 1] + 1]): index for index, loop in enumerate(parts)}
        for loop in holes:
            nested[owners[int(numbers[loop[0, 0], loop[0, 1] + 1])]].append(loop)
    return parts, nested


def polygons(mask: npt.ArrayLike, corner: tuple[int, int] = (0, 0), *, bridges: bool = False) -> list[list[int]] | None:
    """COCO polygons of a mask: one for each part, flat lists of x and y.

    Parameters
    ----------
    mask : (h, w) array of bool
    corner : (row, col)
        Where its first pixel lies in the image.
    bridges : bool
        Write a hole as part of the outline around it, which goes to the hole and back on the same way. Without, a
        mask with holes has no polygons: None.
    """
    parts, nested = trace(mask)
    if not bridges and any(nested):
        return None
    return [_flat(join([part, *holes]), corner) for part, holes in zip(parts, nested, strict=True)]


def one_polygon(mask: npt.ArrayLike, corner: tuple[int, int] = (0, 0)) -> list[int]:
    """All parts and holes of a mask as one closed line, x and y in turn; bridges without width hold them together."""
    parts, nested = trace(mask)
    return _flat(join([loop for part, holes in zip(parts, nested, strict=True) for loop in (part, *holes)]), corner)


def join(loops: list[Loop]) -> Loop:
    """One line through several outlines: from the first to each other one, around it, and back the same way.

    The bridges are walked twice, so that they cancel where crossings are counted. Each starts at that corner of
    the outlines before it that is nearest to the outline's first corner.
    """
    if len(loops) == 1:
        return loops[0]
    corners = np.concatenate(loops)
    starts = np.cumsum([0, *map(len, loops)]).tolist()
    hanging: dict[int, list[int]] = {}  # the outlines that hang on a corner
    for number, corner in enumerate(_nearest_before(corners, np.array(starts[1:-1])).tolist(), start=1):
        hanging.setdefault(corner, []).append(number)
    walk: list[int] = []
    ways: list[Iterator[int]] = [iter(range(starts[1]))]  # no recursion: thousands may hang on each other
    while ways:
        at = next(ways[-1], None)
        if at is None:
            ways.pop()
            continue
        walk.append(at)
        for number in hanging.pop(at, ()):
            ways.append(chain(range(starts[number], starts[number + 1]), (starts[number], at)))
    return corners[walk]


def _nearest_before(corners: Loop, firsts: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """For each outline that begins at a number of ``firsts``, the nearest corner of a smaller number (city blocks)."""
    from scipy.spatial import cKDTree

    tree = cKDTree(corners)
    found = np.full(len(firsts), -1)
    left, count = np.arange(len(firsts)), 16
    while len(left):  # nearly always one of the few nearest is of an outline before
        _, near = tree.query(corners[firsts[left]], min(count, len(corners)), p=1)
        before = near < firsts[left, None]
        done = before.any(axis=1)
        found[left[done]] = near[done, before[done].argmax(axis=1)]
        left, count = left[~done], 4 * count
    return found


def _flat(loop: Loop, corner: tuple[int, int]) -> list[int]:
    flat: list[int] = (loop[:, ::-1] + (corner[1], corner[0])).ravel().tolist()  # columns are x
    return flat


def _loops(framed: Mask) -> list[Loop]:
    """Closed outlines of a mask that has a frame of background, each from its topmost, then leftmost corner."""
    nw, ne, sw, se = framed[:-1, :-1], framed[:-1, 1:], framed[1:, :-1], framed[1:, 1:]
    falling, rising = nw & se & ~ne & ~sw, ne & sw & ~nw & ~se  # corners where two pixels touch: two outlines pass
    count = (nw ^ ne ^ sw ^ se).astype(np.int8) + 2 * (falling | rising)
    rows, cols = np.nonzero(count)
    times = count[rows, cols]
    second = np.repeat(rising[rows, cols], times)
    rows, cols = np.repeat(rows, times), np.repeat(cols, times)
    total = len(rows)
    # Along a row, corners are joined in pairs, first with second, third with fourth; and so along a column. Of the two
    # outlines through a double corner, the one that comes from the left goes up where pixels touch like a backslash,
    # and down where they touch like a slash.
    across = np.arange(total) ^ 1
    rank = np.zeros(total, np.int64)
    double = np.flatnonzero(np.repeat(times == 2, times))
    rank[double[1::2]] = 1
    rank[second] ^= 1
    order = np.lexsort((rank, rows, cols))
    along = np.empty(total, np.int64)
    along[order] = order[np.arange(total) ^ 1]
    next_across, next_along = across.tolist(), along.tolist()
    used = bytearray(total)
    points = np.column_stack([rows, cols]).astype(np.int64)
    loops = []
    for start in range(total):
        if used[start]:
            continue
        chain, at = [], start
        while not used[at]:
            across_to = next_across[at]
            used[at] = used[across_to] = 1
            chain += [at, across_to]
            at = next_along[across_to]
        loops.append(points[chain])
    return loops
