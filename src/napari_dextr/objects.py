"""An annotated object: its marks, its class, and what made it. One form serves undo, autosave, layers and COCO."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Any

from .errors import DataError, PromptError
from .prompt import Bounds, Region

NAMESPACE = "napari_dextr"
"""Key of our record in files and layers of others: COCO annotations, a layer's metadata."""

KINDS = ("extreme", "boundary", "inside", "outside")
"""Kinds of point a session takes; each is a mark of `napari_dextr.prompt.MARKS`."""

NEEDED = 4
"""Extreme points of an object: when so many are there it is segmented, and of a list of points each so many are one."""

_TELLING = 3  # extreme points that say where an object lies

CLASS_COLOURS = (
    "#e69f00",
    "#56b4e9",
    "#009e73",
    "#f0e442",
    "#0072b2",
    "#d55e00",
    "#cc79a7",
    "#a6a6a6",
    "#7f5fd3",
)
"""Colours that new classes get in turn: the first seven after Okabe and Ito, told apart by colour-blind people."""


@dataclass(frozen=True, slots=True)
class Mark:
    """One click: its kind and where it lies on the plane (float row and column, pixels)."""

    kind: str
    row: float
    col: float

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise PromptError(f"Points of kind '{self.kind}' are not known; use one of {', '.join(KINDS)}.")


Marks = tuple[Mark, ...]


@dataclass(frozen=True, slots=True)
class ObjectClass:
    """A class that objects can belong to.

    Attributes
    ----------
    id : int
        From 1; never given to another class of the same list.
    name : str
    colour : str
        ``"#rrggbb"``.
    """

    id: int
    name: str
    colour: str

    def __post_init__(self) -> None:
        if self.id < 1:
            raise DataError(f"The class '{self.name}' has the number {self.id}; numbers of classes start at 1.")
        if not self.name.strip():
            raise DataError("A class needs a name.")
        if len(self.colour) != 7 or self.colour[0] != "#" or set(self.colour[1:].lower()) - set("0123456789abcdef"):
            raise DataError(f"The colour of class '{self.name}' is '{self.colour}'; write it as #rrggbb.")

    def to_json(self) -> dict[str, Any]:
        """The class as JSON."""
        return {"id": self.id, "name": self.name, "colour": self.colour}

    @classmethod
    def from_json(cls, value: Any) -> ObjectClass:
        """Read what `to_json` wrote; unknown keys are ignored, a missing colour is given.

        Raises
        ------
        DataError
            If it is no class.
        """
        if not isinstance(value, Mapping):
            raise DataError("A class is not written as a JSON object with id and name.")
        number, name = value.get("id"), value.get("name")
        if not isinstance(number, int) or isinstance(number, bool) or not isinstance(name, str):
            raise DataError("A class has no whole number as its id, or no name.")
        colour = value.get("colour")
        return cls(number, name, colour if isinstance(colour, str) else class_colour(number))


@dataclass(frozen=True, slots=True)
class ObjectFacts:
    """What made one object. Everything may be missing: objects also come from files and brushes.

    Attributes
    ----------
    marks : tuple of Mark
        In the order in which they were made.
    box : (row_min, col_min, row_max, col_max) or None
        Box through the object's outermost pixels that a person drew.
    class_id : int or None
        Number of an `ObjectClass`.
    score : float or None
        IoU in 0..1 that the model predicted for its mask.
    model, model_hash : str or None
        Name of the model, and the hash of its weights.
    seconds : float or None
        Time from the first mark to accepting; corrections add theirs.
    plane : tuple of int
        Indices along the axes that are not displayed, in the order of the axes; empty for a 2-D image.
    axes : (int, int) or None
        The axes that were displayed, in ascending order; None where nobody noted them, or there are no others.
    author : str or None
    created : str or None
        UTC, ISO 8601.
    """

    marks: Marks = ()
    box: Bounds | None = None
    class_id: int | None = None
    score: float | None = None
    model: str | None = None
    model_hash: str | None = None
    seconds: float | None = None
    plane: tuple[int, ...] = ()
    axes: tuple[int, int] | None = None
    author: str | None = None
    created: str | None = None

    @property
    def prompts(self) -> str:
        """The marks in words, e.g. ``"4 extreme, 1 inside"``."""
        counts = [(sum(mark.kind == kind for mark in self.marks), kind) for kind in KINDS]
        words = [f"{count} {kind}" for count, kind in counts if count]
        return ", ".join((["box"] if self.box is not None else []) + words)

    def to_json(self) -> dict[str, Any]:
        """The facts as JSON; what is unknown is left out."""
        facts: dict[str, Any] = {}
        if self.marks:
            facts["marks"] = [[mark.kind, mark.row, mark.col] for mark in self.marks]
        if self.box is not None:
            facts["box"] = list(self.box)
        if self.plane:
            facts["plane"] = list(self.plane)
        if self.axes is not None:
            facts["axes"] = list(self.axes)
        for name in ("class_id", "score", "model", "model_hash", "seconds", "author", "created"):
            value = getattr(self, name)
            if value is not None:
                facts[name] = value
        return facts

    @classmethod
    def from_json(cls, value: Any) -> ObjectFacts:
        """Read what `to_json` wrote; keys that are not known are ignored.

        Raises
        ------
        DataError
            If a known key holds something that makes no sense there.
        """
        if not isinstance(value, Mapping):
            raise DataError("The record of an object is not a JSON object.")
        box = value.get("box")
        return cls(
            marks=_marks(value.get("marks", [])),
            box=None if box is None else _box(box),
            class_id=_whole(value, "class_id"),
            score=_number(value, "score"),
            model=_text(value, "model"),
            model_hash=_text(value, "model_hash"),
            seconds=_number(value, "seconds"),
            plane=_plane(value.get("plane", [])),
            axes=_axes(value.get("axes")),
            author=_text(value, "author"),
            created=_text(value, "created"),
        )


@dataclass(frozen=True, slots=True)
class AnnotatedObject:
    """An object of a Labels layer, as a session knows it.

    Attributes
    ----------
    label : int
        Value of its pixels.
    place : hashable
        The plane on which it lies, as whoever shows the session names it.
    region : two slices
        Holds all its pixels, and perhaps some room around them.
    facts : ObjectFacts
    """

    label: int
    place: Hashable
    region: Region
    facts: ObjectFacts


def class_colour(number: int) -> str:
    """Colour of the class with this number, unless somebody chooses another."""
    return CLASS_COLOURS[(number - 1) % len(CLASS_COLOURS)]


def _marks(value: Any) -> Marks:
    marks = []
    for item in value if isinstance(value, (list, tuple)) else [None]:
        if not isinstance(item, (list, tuple)) or len(item) != 3 or item[0] not in KINDS:
            raise DataError("A mark of an object is not written as kind, row, column.")
        marks.append(Mark(item[0], _finite(item[1], "mark"), _finite(item[2], "mark")))
    return tuple(marks)


def _box(value: Any) -> Bounds:
    if not isinstance(value, (list, tuple)) or len(value) != 4:
        raise DataError("The box of an object is not written as four numbers.")
    r0, c0, r1, c1 = (_finite(number, "box") for number in value)
    if r1 <= r0 or c1 <= c0:
        raise DataError("The box of an object is empty.")
    return r0, c0, r1, c1


def _plane(value: Any) -> tuple[int, ...]:
    if not isinstance(value, (list, tuple)) or any(type(index) is not int for index in value):
        raise DataError("The plane of an object is not written as whole numbers.")
    return tuple(value)


def _axes(value: Any) -> tuple[int, int] | None:
    if value is None:
        return None
    axes = _plane(value)
    if len(axes) != 2 or not 0 <= axes[0] < axes[1]:
        raise DataError("The axes of an object's plane are not written as two whole numbers, the smaller first.")
    return axes[0], axes[1]


def _finite(value: Any, what: str) -> float:
    try:
        number = math.nan if isinstance(value, bool) or not isinstance(value, (int, float)) else float(value)
    except OverflowError:  # whole numbers in JSON may be larger than any float
        number = math.inf
    if not math.isfinite(number):
        raise DataError(f"The {what} of an object holds '{str(value)[:40]}', which is not a number.")
    return number


def _number(record: Mapping[str, Any], key: str) -> float | None:
    value = record.get(key)
    return None if value is None else _finite(value, key)


def _whole(record: Mapping[str, Any], key: str) -> int | None:
    value = record.get(key)
    if value is not None and type(value) is not int:
        raise DataError(f"The {key} of an object holds '{value}', which is not a whole number.")
    return value


def _text(record: Mapping[str, Any], key: str) -> str | None:
    value = record.get(key)
    if value is not None and not isinstance(value, str):
        raise DataError(f"The {key} of an object holds '{value}', which is not text.")
    return value


def region_of(facts: ObjectFacts) -> Region | None:
    """Where an object should lie by its marks and its box, with a quarter of their extent and 8 pixels to spare.

    None where they do not say it: a point or two on an object do not tell how far it goes. The region starts at 0 or
    later; it may end beyond the plane.
    """
    if facts.box is None and sum(mark.kind == "extreme" for mark in facts.marks) < _TELLING:
        return None
    points = [(mark.row, mark.col) for mark in facts.marks if mark.kind != "outside"]
    if facts.box is not None:
        points += [facts.box[:2], facts.box[2:]]
    rows, cols = zip(*points, strict=True)
    low, high = (min(rows), min(cols)), (max(rows), max(cols))
    slack = 0.25 * max(high[0] - low[0], high[1] - low[1]) + 8
    top, left = (max(0, math.floor(value - slack)) for value in low)
    bottom, right = (max(1, math.ceil(value + slack) + 1) for value in high)
    return slice(top, max(bottom, top + 1)), slice(left, max(right, left + 1))
