"""Simulated annotators: from a mask to the marks a person would give, and to the next correction.

Training, evaluation and tests all use this one implementation. With ``exact=True`` marks are the ideal,
deterministic ones; otherwise they are drawn the way people miss.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from .errors import DataError, PromptError
from .prompt import Bounds, Points, Prompt, check_extreme_points

BoolMask = npt.NDArray[np.bool_]

_TOLERANCE = 0.02  # extreme points are drawn among pixels this close to the extremum, share of the longer side
_INSIDE_OUTSIDE_SLACK = 0.02  # corners of inside-outside guidance lie this far outside, share of the longer side
_DEEP = 0.5  # clicks fall where the distance to the border exceeds this share of its maximum


class Simulator:
    """A simulated annotator.

    Parameters
    ----------
    rng : numpy.random.Generator or int, optional
        Source of randomness; a seed makes the marks repeatable.

    Examples
    --------
    >>> mask = np.zeros((9, 9), bool)
    >>> mask[2:7, 3:6] = True
    >>> Simulator().extreme(mask).bounds
    (2.0, 3.0, 6.0, 5.0)
    """

    def __init__(self, rng: np.random.Generator | int | None = None) -> None:
        self.rng = rng if isinstance(rng, np.random.Generator) else np.random.default_rng(rng)

    def extreme(self, mask: Any, *, jitter: float = 0.0, exact: bool = True) -> Prompt:
        """Four extreme points of a ``(H, W)`` mask.

        Parameters
        ----------
        mask : (H, W) bool
        jitter : float
            Standard deviation of each coordinate's error, as a share of the mask's longer side.
        exact : bool
            Take the middle of each extreme side; otherwise any pixel within a few pixels of the extremum.
        """
        coordinates = outline(mask)
        points = extreme_points(coordinates, None if exact else self.rng)
        if jitter:
            points = points + self._slip(points.shape, jitter * longer_side(coordinates))
        return Prompt.extreme(_usable(points, coordinates))

    def box(self, mask: Any, *, jitter: float = 0.0) -> Prompt:
        """The mask's box, each side moved by normal ``jitter`` (share of the longer side)."""
        return Prompt.box(*self.jitter_box(box_of(outline(mask)), jitter))

    def inside_outside(self, mask: Any, *, jitter: float = 0.0) -> Prompt:
        """Inside-outside guidance: the deepest point, and a box a little larger than the object.

        Source: Zhang et al., CVPR 2020, section 3.1.
        """
        coordinates = outline(mask)
        side = longer_side(coordinates)
        slack = max(1.0, _INSIDE_OUTSIDE_SLACK * side)
        r0, c0, r1, c1 = self.jitter_box(box_of(coordinates), jitter)
        r0, c0, r1, c1 = r0 - slack, c0 - slack, r1 + slack, c1 + slack
        centre = deepest(mask) + (self._slip((2,), jitter * side) if jitter else 0)
        centre = np.clip(centre, (r0 + 0.5, c0 + 0.5), (r1 - 0.5, c1 - 0.5))
        return Prompt.inside_outside(centre, (r0, c0), (r1, c1))

    def clicks(self, mask: Any, *, count: int = 1, exact: bool = True) -> Prompt:
        """``count`` clicks inside the object; the first one exact or random, further ones random."""
        points = [deepest(mask)] if exact else []
        while len(points) < count:
            points.append(self.click(mask))
        return Prompt.clicks(points)

    def click(self, mask: Any) -> Points:
        """One click well inside the mask, ``(2,)``."""
        depth, corner = _depth(mask)
        candidates = np.argwhere(depth > _DEEP * depth.max())
        chosen: Points = candidates[self.rng.integers(len(candidates))] + self.rng.uniform(-0.5, 0.5, 2) + corner
        return chosen

    def stroke(self, mask: Any) -> Points:
        """A scribble inside the mask: an ``(N, 2)`` polyline between pixels well inside."""
        depth, corner = _depth(mask)
        candidates = np.argwhere(depth > 0.35 * depth.max())
        at = candidates[self.rng.integers(len(candidates))].astype(np.float64)
        line = [at]
        reach = 0.35 * float(depth.max()) + 1
        heading = self.rng.uniform(0, 2 * np.pi)
        for _ in range(int(self.rng.integers(3, 14))):
            for _attempt in range(4):
                turn = heading + self.rng.normal(0, 0.5)
                step = at + reach * np.array([np.sin(turn), np.cos(turn)])
                row, col = np.round(step).astype(int)
                if 0 <= row < depth.shape[0] and 0 <= col < depth.shape[1] and depth[row, col] > 1:
                    line.append(step)
                    at, heading = step, turn
                    break
                heading = self.rng.uniform(0, 2 * np.pi)
        return np.array(line) + corner

    def correction(
        self, truth: Any, predicted: Any, ignore: Any = None, *, exact: bool = True, boundary: float = 0.0
    ) -> tuple[str, Points] | None:
        """The next correcting mark, or None where nothing is wrong.

        The larger of the biggest missed and the biggest surplus region gets a click: at its deepest point if
        ``exact``, otherwise anywhere deep enough. With probability ``boundary`` it is the point of the true
        outline nearest to the error instead (the fifth point of DEXTR, section 4.6).

        Parameters
        ----------
        truth, predicted : (H, W) bool
        ignore : (H, W) bool, optional
            Pixels without a true label.

        Returns
        -------
        kind : {"inside", "outside", "boundary"}
        point : (2,) float64
        """
        truth, predicted = np.asarray(truth, bool), np.asarray(predicted, bool)
        wrong = truth != predicted
        if ignore is not None:
            wrong &= ~np.asarray(ignore, bool)
        rows, cols = (np.flatnonzero(wrong.any(axis=axis)) for axis in (1, 0))
        if not len(rows):
            return None
        part = np.s_[rows[0] : rows[-1] + 1, cols[0] : cols[-1] + 1]  # the same answer, sooner in a large image
        missed, missed_size = _largest(wrong[part] & truth[part])
        surplus, surplus_size = _largest(wrong[part] & predicted[part])
        kind, region = ("inside", missed) if missed_size >= surplus_size else ("outside", surplus)
        point = (deepest(region) if exact else self.click(region)) + (rows[0], cols[0])
        if boundary and self.rng.random() < boundary:
            edge = outline(truth)
            nearest = edge[np.argmin(np.linalg.norm(edge - point, axis=1))]
            return "boundary", nearest.astype(np.float64)
        return kind, point

    def jitter_box(self, bounds: Bounds, jitter: float) -> Bounds:
        """Move each side of a box by normal ``jitter`` (share of its longer side), never past the box's middle."""
        low, high = np.array(bounds[:2]), np.array(bounds[2:])
        if jitter:
            middle, slip = (low + high) / 2, self._slip((2, 2), jitter * float((high - low).max()))
            low, high = np.minimum(low + slip[0], middle), np.maximum(high + slip[1], middle)
        flat = high - low < 1
        low, high = low - 0.5 * flat, high + 0.5 * flat
        return float(low[0]), float(low[1]), float(high[0]), float(high[1])

    def _slip(self, shape: tuple[int, ...], deviation: float) -> Points:
        return self.rng.normal(0, deviation, shape)


def extreme_points(
    coordinates: Points,
    rng: np.random.Generator | None = None,
    tolerance: float = _TOLERANCE,
    least: float = 1.0,
) -> Points:
    """Topmost, leftmost, bottommost and rightmost of ``(N, 2)`` coordinates, as ``(4, 2)``.

    Without ``rng``: the middle of each extreme side. With it: any coordinate within ``tolerance`` (share of the
    longer side) of the extremum, and at least within ``least``, a pixel of the image that people click in.
    """
    reach = max(least, tolerance * longer_side(coordinates))
    points = []
    for axis, sign in ((0, -1), (1, -1), (0, 1), (1, 1)):
        height = sign * coordinates[:, axis]
        top = height.max()
        if rng is None:
            side = coordinates[height > top - 0.5]
            middle = np.median(side[:, 1 - axis])
            points.append(side[np.argmin(np.abs(side[:, 1 - axis] - middle))])
        else:
            side = coordinates[height >= top - reach]
            points.append(side[rng.integers(len(side))])
    return np.array(points, np.float64)


def outline(mask: Any) -> Points:
    """Coordinates ``(N, 2)`` of the mask's pixels that touch the background or the image's border."""
    array, corner = _cut(mask)
    inner = np.zeros_like(array)
    inner[1:-1, 1:-1] = array[1:-1, 1:-1] & array[:-2, 1:-1] & array[2:, 1:-1] & array[1:-1, :-2] & array[1:-1, 2:]
    return np.argwhere(array & ~inner).astype(np.float64) + corner


def box_of(coordinates: Points) -> Bounds:
    """Bounding box ``(r0, c0, r1, c1)`` of ``(N, 2)`` coordinates."""
    low, high = coordinates.min(axis=0), coordinates.max(axis=0)
    return float(low[0]), float(low[1]), float(high[0]), float(high[1])


def longer_side(coordinates: Points) -> float:
    """Longer side of the bounding box of ``(N, 2)`` coordinates, pixels."""
    return float(np.ptp(coordinates, axis=0).max()) + 1


def deepest(mask: Any) -> Points:
    """The mask's point farthest from its border, ``(2,)``."""
    depth, corner = _depth(mask)
    return np.array(np.unravel_index(int(depth.argmax()), depth.shape), np.float64) + corner


def _depth(mask: Any) -> tuple[npt.NDArray[np.float64], tuple[int, int]]:
    """Distance of the mask's pixels to the background, the image's border included; of the part that holds them."""
    from scipy.ndimage import distance_transform_edt

    part, corner = _cut(mask)
    return distance_transform_edt(np.pad(part, 1))[1:-1, 1:-1], corner


def _cut(mask: Any) -> tuple[BoolMask, tuple[int, int]]:
    """The part of a mask that holds its pixels, and where that begins: in a large image the same answers sooner."""
    array = np.asarray(mask, bool)
    rows, cols = (np.flatnonzero(array.any(axis=axis)) for axis in (1, 0))
    if not len(rows):
        raise DataError("The mask is empty, so there is nothing to click on.")
    return array[rows[0] : rows[-1] + 1, cols[0] : cols[-1] + 1], (int(rows[0]), int(cols[0]))


def _largest(mask: BoolMask) -> tuple[BoolMask, int]:
    """Largest connected component and its size in pixels."""
    from scipy.ndimage import label

    labels, count = label(mask)
    if not count:
        return mask, 0
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    best = int(sizes.argmax())
    return labels == best, int(sizes[best])


def _usable(points: Points, coordinates: Points) -> Points:
    """The points, or where those of a very small or thin mask enclose nothing, the middles of its box's sides."""
    try:
        check_extreme_points(points)
    except PromptError:
        r0, c0, r1, c1 = box_of(coordinates)
        row, col = (r0 + r1) / 2, (c0 + c1) / 2
        return np.array([(r0 - 0.5, col), (row, c0 - 0.5), (r1 + 0.5, col), (row, c1 + 0.5)])
    return points
