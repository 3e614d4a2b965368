"""What is marked on one place: points, a box, the masks that belong to them. Immutable, so that undo can keep it."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..objects import NEEDED, Marks
from ..prompt import Bounds
from .patches import PackedMask

if TYPE_CHECKING:
    from ..postprocess import PostProcess

    Tuning = tuple[float | None, PostProcess | None]


@dataclass(frozen=True, slots=True)
class Answer:
    """A mask that was shown, small enough to keep: going back to it needs no network."""

    mask: PackedMask
    score: float | None
    model: str
    tuning: Tuning


@dataclass(frozen=True, slots=True)
class Draft:
    """What is marked on one place, and what is known about it.

    Attributes
    ----------
    marks : tuple of Mark
    box : (row_min, col_min, row_max, col_max) or None
    correcting : (target, label) or None
        The accepted object that is being corrected.
    class_id : int or None
        Class of the object that is being corrected.
    previous : PackedMask or None
        Mask that the last click corrects.
    answer : Answer or None
        Answer to these marks, as far as it was kept.
    seconds : float
        Time spent on the object before this draft was (re)opened.
    origin : Draft or None
        How the object that is being corrected was reopened, where its marks are others now.
    reopened : PackedMask or None
        Pixels that this object had then: what has changed since was painted by hand.
    """

    marks: Marks = ()
    box: Bounds | None = None
    correcting: tuple[Hashable, int] | None = None
    class_id: int | None = None
    previous: PackedMask | None = None
    answer: Answer | None = None
    seconds: float = 0.0
    origin: Draft | None = None
    reopened: PackedMask | None = None

    @property
    def enough(self) -> bool:
        """Whether the marks say which object is meant."""
        return self.box is not None or self.extremes >= NEEDED or (self.leans_on_mask and bool(self.marks))

    @property
    def leans_on_mask(self) -> bool:
        """Whether only an earlier mask says where the object is: one from a file or a brush, without extreme points."""
        return self.correcting is not None and self.box is None and self.extremes < NEEDED

    @property
    def extremes(self) -> int:
        """Number of extreme points."""
        return sum(mark.kind == "extreme" for mark in self.marks)


EMPTY = Draft()
"""The draft of a place where nothing is marked."""


def adds_correction(before: Marks, after: Marks) -> bool:
    """Whether all that happened is that points were added that correct an answer."""
    added = after[len(before) :]
    return bool(added) and after[: len(before)] == before and all(mark.kind != "extreme" for mark in added)


def told(before: Draft, after: Draft) -> str:
    """What a change of marks or box is called."""
    if before.box != after.box:
        return "change the box"
    if len(after.marks) != len(before.marks):
        return "add a point" if len(after.marks) > len(before.marks) else "remove a point"
    return "move a point"
