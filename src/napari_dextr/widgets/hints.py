"""What is doubtful about the marks of an object, in a sentence. Nothing is refused: a hint only."""

from __future__ import annotations

from collections.abc import Sequence

from ..objects import Mark
from ..prompt import Bounds

_COINCIDENT = 1.5  # pixels; closer marks mean the same place
_SMALL = 16.0  # pixels of the screen; on smaller objects a hand is not exact
_OFF_SIDE = 0.2  # of the box's side; an extreme point farther inside marks no end of the object


def hint_of(marks: Sequence[Mark], box: Bounds | None, zooms: tuple[float, float] = (1.0, 1.0)) -> str | None:
    """The most important doubt about the marks, or None.

    Parameters
    ----------
    marks : sequence of Mark
        Numbered from 1 in this order.
    box : (row_min, col_min, row_max, col_max), optional
        Box that was drawn around the object.
    zooms : (float, float)
        Pixels of the screen for each row and each column of the image.
    """
    extremes = [(number, mark) for number, mark in enumerate(marks, 1) if mark.kind == "extreme"]
    return _coincident(marks) or _small(extremes, box, zooms) or _no_end(extremes) or _outside(marks, extremes, box)


def _coincident(marks: Sequence[Mark]) -> str | None:
    for second, mark in enumerate(marks, 1):
        for first, earlier in enumerate(marks[: second - 1], 1):
            if abs(mark.row - earlier.row) < _COINCIDENT and abs(mark.col - earlier.col) < _COINCIDENT:
                return f"Points {first} and {second} coincide; move or undo one."
    return None


def _small(extremes: Sequence[tuple[int, Mark]], box: Bounds | None, zooms: tuple[float, float]) -> str | None:
    bounds = _bounds(extremes, box)
    if bounds is None:
        return None
    width, height = (bounds[3] - bounds[1]) * zooms[1], (bounds[2] - bounds[0]) * zooms[0]
    for length, word in ((width, "wide"), (height, "high")):
        if length < _SMALL:
            return f"The object is {max(1, round(length))} px {word} on the screen: zoom in for exact points."
    return None


def _no_end(extremes: Sequence[tuple[int, Mark]]) -> str | None:
    """An extreme point lies on a side of the box around all of them."""
    bounds = _bounds(extremes, None)
    if bounds is None:
        return None
    height, width = bounds[2] - bounds[0], bounds[3] - bounds[1]
    for number, mark in extremes:
        rows = min(mark.row - bounds[0], bounds[2] - mark.row) / max(height, 1.0)
        cols = min(mark.col - bounds[1], bounds[3] - mark.col) / max(width, 1.0)
        if min(rows, cols) > _OFF_SIDE:
            return f"Point {number} is at no end of the object; drag it to its outline."
    return None


def _outside(marks: Sequence[Mark], extremes: Sequence[tuple[int, Mark]], box: Bounds | None) -> str | None:
    bounds = _bounds(extremes, box)
    if bounds is None:
        return None
    for number, mark in enumerate(marks, 1):
        within = bounds[0] <= mark.row <= bounds[2] and bounds[1] <= mark.col <= bounds[3]
        if mark.kind == "inside" and not within:
            return f"Point {number} is an inside point, but it lies outside of the others."
    return None


def _bounds(extremes: Sequence[tuple[int, Mark]], box: Bounds | None) -> Bounds | None:
    if box is not None:
        return box
    if len(extremes) < 4:
        return None
    rows = [mark.row for _, mark in extremes]
    cols = [mark.col for _, mark in extremes]
    return min(rows), min(cols), max(rows), max(cols)
