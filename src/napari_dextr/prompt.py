"""Prompts: the marks a person makes on one image plane.

A `Prompt` is immutable. Coordinates are float ``(row, col)`` in pixels of the image plane, and the centre of
pixel ``(i, j)`` is exactly ``(i, j)``: a pixel covers ``[i - 0.5, i + 0.5]``. Marks are never rounded here.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from .errors import PromptError

Points = npt.NDArray[np.float64]
"""An ``(N, 2)`` array of float row and column."""

Bounds = tuple[float, float, float, float]
"""``(row_min, col_min, row_max, col_max)``, through the outermost marks."""

Region = tuple[slice, slice]
"""Two slices with explicit start and stop, inside the image plane."""

MARKS = ("extreme", "boundary", "box", "inside", "outside", "stroke", "mask")
"""Kinds of mark a model may support (`ModelSpec.marks`)."""

_MINIMUM_EXTREMES = 3
_COINCIDENT = 0.5  # pixels; closer marks cannot be told apart on the image
_FARTHEST = 1e9  # pixels; no image is that large, and far beyond it distances overflow


def as_points(points: Any, what: str = "points") -> Points:
    """Check and convert marks to an ``(N, 2)`` float array (row, column; pixels).

    Raises
    ------
    PromptError
        If the shape is not ``(N, 2)``, or a coordinate is not finite or one that no image has.
    """
    try:
        array = np.array(points, dtype=np.float64)  # a copy: the prompt must not change under its owner
    except (TypeError, ValueError, OverflowError):
        raise PromptError(f"The {what} must be numbers, one row and column for each point.") from None
    if array.size == 0:
        array = array.reshape(0, 2)
    if array.ndim == 1 and array.shape == (2,):
        array = array[None]
    if array.ndim != 2 or array.shape[1] != 2:
        raise PromptError(f"The {what} must have shape (N, 2), row and column; got {array.shape}.")
    if not np.isfinite(array).all():
        raise PromptError(f"The {what} hold a coordinate that is not a finite number; remove that point.")
    farthest = np.abs(array).max(initial=0)
    if farthest > _FARTHEST:
        raise PromptError(f"The {what} hold a coordinate that no image has ({farthest:g}); remove that point.")
    array.flags.writeable = False
    return array


def _no_points() -> Points:
    return as_points(())


@dataclass(frozen=True, eq=False)
class PreviousMask:
    """Probability of an earlier mask on the region it covers (``(h, w)`` float32 in 0..1)."""

    probability: npt.NDArray[np.float32]
    region: Region


@dataclass(frozen=True, eq=False)
class Prompt:
    """Immutable marks on an image plane, all in float (row, col).

    Build it with one of the class methods, then add marks with the ``with_`` methods; each returns a new prompt.

    Examples
    --------
    >>> from napari_dextr import Prompt
    >>> prompt = Prompt.extreme([(10, 40), (50, 5), (90, 42), (48, 80)])
    >>> prompt.bounds
    (10.0, 5.0, 90.0, 80.0)
    >>> sorted(prompt.with_inside([(50, 40)]).marks)
    ['extreme', 'inside']
    """

    extreme_points: Points = field(default_factory=_no_points)
    boundary_points: Points = field(default_factory=_no_points)
    inside_points: Points = field(default_factory=_no_points)
    outside_points: Points = field(default_factory=_no_points)
    inside_strokes: tuple[Points, ...] = ()
    outside_strokes: tuple[Points, ...] = ()
    box_bounds: Bounds | None = None
    previous: PreviousMask | None = None

    # -- makers ---------------------------------------------------------------------------------------------

    @classmethod
    def extreme(cls, points: Any) -> Prompt:
        """Extreme points of an object, in any order: topmost, leftmost, bottommost, rightmost.

        Parameters
        ----------
        points : (N, 2) array-like of float
            Row and column in pixels, at least three; more than four are further points on the outline.

        Raises
        ------
        PromptError
            With fewer than three points, coincident or collinear points, or coordinates that are not finite.
        """
        array = as_points(points, "extreme points")
        check_extreme_points(array)
        return cls(extreme_points=array)

    @classmethod
    def box(cls, r0: float, c0: float, r1: float, c1: float) -> Prompt:
        """A box through the outermost pixels of the object, its corners in any order."""
        corners = as_points([(r0, c0), (r1, c1)], "box corners")
        (top, left), (bottom, right) = corners.min(axis=0), corners.max(axis=0)
        if bottom - top < _COINCIDENT or right - left < _COINCIDENT:
            raise PromptError("The box is empty; drag it over the whole object.")
        return cls(box_bounds=(float(top), float(left), float(bottom), float(right)))

    @classmethod
    def inside_outside(cls, inside: Any, corner: Any, opposite_corner: Any) -> Prompt:
        """Inside-outside guidance (Zhang et al., CVPR 2020): one point inside, two opposite corners of a box.

        The two other corners follow; the four corners are outside marks of an almost tight box.
        """
        centre = as_points(inside, "inside point")
        a, b = as_points([corner, opposite_corner], "corners")
        boxed = cls.box(a[0], a[1], b[0], b[1])
        assert boxed.box_bounds is not None
        top, left, bottom, right = boxed.box_bounds
        if len(centre) != 1:
            raise PromptError("Inside-outside guidance takes exactly one inside point; add more with with_inside.")
        if not (top <= centre[0, 0] <= bottom and left <= centre[0, 1] <= right):
            raise PromptError("The inside point lies outside the box of the two corners; click inside the object.")
        corners = as_points([(top, left), (top, right), (bottom, right), (bottom, left)], "corners")
        return replace(boxed, inside_points=centre, outside_points=corners)

    @classmethod
    def clicks(cls, inside: Any, outside: Any = ()) -> Prompt:
        """Clicks inside the object and, if any, outside it, without a box."""
        prompt = cls(
            inside_points=as_points(inside, "inside points"), outside_points=as_points(outside, "outside points")
        )
        if not len(prompt.inside_points):
            raise PromptError("There is no click inside the object; add at least one.")
        return prompt

    @classmethod
    def strokes(cls, inside: Sequence[Any], outside: Sequence[Any] = ()) -> Prompt:
        """Scribbles: sequences of ``(N, 2)`` polylines drawn inside and outside the object."""
        prompt = cls(inside_strokes=_as_strokes(inside), outside_strokes=_as_strokes(outside))
        if not prompt.inside_strokes:
            raise PromptError("There is no stroke inside the object; draw at least one.")
        return prompt

    # -- additions ------------------------------------------------------------------------------------------

    def with_boundary(self, points: Any) -> Prompt:
        """Add points on the object's outline (a fifth point and further)."""
        return replace(self, boundary_points=_join(self.boundary_points, as_points(points, "boundary points")))

    def with_inside(self, points: Any) -> Prompt:
        """Add points inside the object (positive clicks)."""
        return replace(self, inside_points=_join(self.inside_points, as_points(points, "inside points")))

    def with_outside(self, points: Any) -> Prompt:
        """Add points outside the object (negative clicks)."""
        return replace(self, outside_points=_join(self.outside_points, as_points(points, "outside points")))

    def with_inside_stroke(self, stroke: Any) -> Prompt:
        """Add one polyline drawn inside the object."""
        return replace(self, inside_strokes=(*self.inside_strokes, *_as_strokes([stroke])))

    def with_outside_stroke(self, stroke: Any) -> Prompt:
        """Add one polyline drawn outside the object."""
        return replace(self, outside_strokes=(*self.outside_strokes, *_as_strokes([stroke])))

    def with_mask(self, probability: Any, region: Region) -> Prompt:
        """Add the probability of an earlier mask, ``(h, w)`` in 0..1 (or bool), covering ``region``."""
        try:
            array = np.array(probability, dtype=np.float32)
            extent = tuple(int(part.stop) - int(part.start) for part in region)
        except (TypeError, ValueError, AttributeError):
            raise PromptError(
                "An earlier mask is an (h, w) array of numbers with its region: two slices with start and stop."
            ) from None
        if array.ndim != 2 or array.shape != extent:
            raise PromptError(f"The earlier mask has shape {array.shape}, but its region covers {extent}.")
        if not array.size:
            raise PromptError("The earlier mask covers no pixel; leave it out.")
        if not np.isfinite(array).all():
            raise PromptError("The earlier mask holds values that are not finite numbers.")
        array = np.clip(array, 0, 1)
        array.flags.writeable = False
        return replace(self, previous=PreviousMask(array, (region[0], region[1])))

    def without_mask(self) -> Prompt:
        """The same marks without an earlier mask."""
        return replace(self, previous=None)

    # -- what it holds ----------------------------------------------------------------------------------------

    @property
    def marks(self) -> frozenset[str]:
        """Kinds of mark present, a subset of `MARKS`."""
        present = {
            "extreme": len(self.extreme_points),
            "boundary": len(self.boundary_points),
            "box": self.box_bounds is not None,
            "inside": len(self.inside_points),
            "outside": len(self.outside_points),
            "stroke": len(self.inside_strokes) + len(self.outside_strokes),
            "mask": self.previous is not None,
        }
        return frozenset(name for name, there in present.items() if there)

    @property
    def outline_points(self) -> Points:
        """Extreme and boundary points together: marks that lie on the object's outline."""
        return _join(self.extreme_points, self.boundary_points)

    @property
    def positive_points(self) -> Points:
        """Marks that must belong to the object: inside clicks and the vertices of inside strokes."""
        return _join(self.inside_points, *self.inside_strokes)

    @property
    def bounds(self) -> Bounds | None:
        """Box that extreme points or a box open, and boundary points widen; None where neither is there.

        Boundary points alone leave it open: one click on the outline of a known object says nothing about its extent.
        """
        if not len(self.extreme_points) and self.box_bounds is None:
            return None
        corners = () if self.box_bounds is None else (np.reshape(self.box_bounds, (2, 2)),)
        stacked = np.concatenate([self.outline_points, *corners])
        low, high = stacked.min(axis=0), stacked.max(axis=0)
        return float(low[0]), float(low[1]), float(high[0]), float(high[1])

    def __len__(self) -> int:
        """Number of marks a person made (a stroke, a box and an earlier mask count once each)."""
        points = (self.extreme_points, self.boundary_points, self.inside_points, self.outside_points)
        strokes = len(self.inside_strokes) + len(self.outside_strokes)
        return sum(map(len, points)) + strokes + (self.box_bounds is not None) + (self.previous is not None)

    def check(self, shape: tuple[int, int]) -> None:
        """Raise `PromptError` unless the prompt says something about a plane of ``(H, W)`` pixels.

        A mark a little outside is fine (objects are cut by the image's border); one farther away than a
        quarter of the image is a slip of the hand or a wrong plane.
        """
        if not len(self):
            raise PromptError("The prompt is empty; click the object's extreme points first.")
        limit = np.asarray(shape, np.float64)
        marks = _join(self.outline_points, self.inside_points, *self.inside_strokes)
        if self.box_bounds is not None:
            marks = _join(marks, np.reshape(self.box_bounds, (2, 2)))
        if not len(marks) and self.previous is None:
            raise PromptError("The prompt holds outside marks only; click the object itself as well.")
        slack = 0.25 * limit + 8
        if len(marks) and ((marks < -slack) | (marks > limit - 1 + slack)).any():
            raise PromptError(
                f"A mark lies far outside the image of {shape[0]} x {shape[1]} pixels; remove or move it."
            )
        inside = ((marks >= -0.5) & (marks <= limit - 0.5)).all(axis=1)
        bounds = self.bounds
        overlap = bounds is not None and (
            bounds[0] < limit[0] - 0.5 and bounds[1] < limit[1] - 0.5 and bounds[2] > -0.5 and bounds[3] > -0.5
        )
        if len(marks) and not inside.any() and not overlap:
            raise PromptError(
                f"All marks lie outside the image of {shape[0]} x {shape[1]} pixels; click on the object."
            )


def check_extreme_points(points: Points) -> None:
    """Raise `PromptError` unless ``(N, 2)`` extreme points enclose an area."""
    if len(points) < _MINIMUM_EXTREMES:
        raise PromptError(
            f"Extreme points: {len(points)} given, at least {_MINIMUM_EXTREMES} are needed; click the remaining ones."
        )
    distinct, twins = _told_apart(points)
    if distinct < _MINIMUM_EXTREMES:
        raise PromptError(
            f"Points {twins[0] + 1} and {twins[1] + 1} coincide; move one of them to another side of the object."
        )
    centred = points - points.mean(axis=0)
    if np.linalg.svd(centred, compute_uv=False)[1] < _COINCIDENT:
        raise PromptError("The points lie on one line; an object needs extent both ways, so move one of them.")


def sample_stroke(line: Points, spacing: float) -> Points:
    """Points along an ``(N, 2)`` polyline, at most ``spacing`` apart."""
    if len(line) < 2:
        return line
    lengths = np.linalg.norm(np.diff(line, axis=0), axis=1)
    along = np.concatenate([[0.0], np.cumsum(lengths)])
    count = max(2, int(np.ceil(along[-1] / spacing)) + 1)
    at = np.linspace(0, along[-1], count)
    return np.column_stack([np.interp(at, along, line[:, axis]) for axis in (0, 1)])


def _told_apart(points: Points) -> tuple[int, tuple[int, int]]:
    """How many points can be told apart, up to as many as are needed, and the first two that cannot."""
    twins, distinct = (0, 0), 0
    left = np.arange(len(points))
    while len(left) and distinct < _MINIMUM_EXTREMES:
        near = np.linalg.norm(points[left] - points[left[0]], axis=1) < _COINCIDENT
        together = left[near]
        if twins == (0, 0) and len(together) > 1:
            twins = int(together[0]), int(together[1])
        left, distinct = left[~near], distinct + 1
    return distinct, twins


def _as_strokes(strokes: Iterable[Any]) -> tuple[Points, ...]:
    lines = tuple(as_points(stroke, "stroke") for stroke in strokes)
    return tuple(line for line in lines if len(line))


def _join(*arrays: Points) -> Points:
    joined = np.concatenate([array for array in arrays if len(array)] or [arrays[0]])
    joined.flags.writeable = False
    return joined
