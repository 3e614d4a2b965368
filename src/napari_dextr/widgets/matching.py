"""Marks and boxes as the layers hold them, told from those of the session: they differ by rounding."""

from __future__ import annotations

from ..objects import Mark
from ..prompt import Bounds

_SAME = 1e-3  # pixels; the way through the layers' transforms and back is not exact


def settled(box: Bounds | None, known: Bounds | None) -> Bounds | None:
    """The known box, where the other differs from it by rounding only."""
    if box is None or known is None:
        return box
    return known if max(abs(one - other) for one, other in zip(box, known, strict=True)) < _SAME else box


def box_between(corner: tuple[float, float], opposite: tuple[float, float]) -> Bounds | None:
    """The box between two corners; None where it is narrower than a pixel."""
    (r0, c0), (r1, c1) = corner, opposite
    if abs(r1 - r0) < 1 or abs(c1 - c0) < 1:
        return None
    return min(r0, r1), min(c0, c1), max(r0, r1), max(c0, c1)


def corners_of(box: Bounds | None) -> tuple[Mark, ...]:
    """The corners of a box as outside points."""
    if box is None:
        return ()
    r0, c0, r1, c1 = box
    return tuple(Mark("outside", row, col) for row, col in ((r0, c0), (r0, c1), (r1, c1), (r1, c0)))


def with_corners(marks: tuple[Mark, ...], box: Bounds | None, before: tuple[Mark, ...]) -> tuple[Mark, ...]:
    """Inside-outside guidance: the first point inside makes the box's corners outside points."""
    had_one, has_one = (any(mark.kind == "inside" for mark in some) for some in (before, marks))
    return (*corners_of(box), *marks) if has_one and not had_one else marks


def take(known: list[Mark], mark: Mark) -> Mark | None:
    """Remove the mark from ``known`` that lies where ``mark`` does, and return it."""
    for other in known:
        if other.kind == mark.kind and abs(other.row - mark.row) < _SAME and abs(other.col - mark.col) < _SAME:
            known.remove(other)
            return other
    return None
