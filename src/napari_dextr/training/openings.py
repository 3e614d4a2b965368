"""Opening prompts of training samples: the marks that people would make first, on a turned copy of the crop."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..prompt import Bounds, Points, sample_stroke
from ..simulation import Simulator, box_of, extreme_points, longer_side, outline

Matrix = npt.NDArray[np.float64]

OPENINGS: Mapping[str, float] = {"extreme": 0.5, "box": 0.14, "inside_outside": 0.14, "clicks": 0.12, "strokes": 0.10}
"""Share of each kind of opening prompt."""

_NONE = np.zeros((0, 2))
_LOOSE = 0.4  # share of the boxes and corners that are drawn around the object with room to spare
_LOOSEST = 0.08  # room that they have at most, as a share of the object's longer side
_STROKE_STEP = 3.0  # pixels of the crop between the points that a stroke is drawn with


@dataclass(frozen=True, eq=False)
class Opening:
    """Marks in the turned copy of a crop, and the box that the crop is made around."""

    outline: Points
    inside: Points
    outside: Points
    box: Bounds | None
    crop: Bounds


def open_prompt(
    kind: str, mask: npt.NDArray[np.bool_], turn: Matrix, rng: np.random.Generator, native_side: float = 0.0
) -> Opening:
    """Simulate an opening prompt of a kind of `OPENINGS` on a mask turned by ``turn``.

    ``native_side`` is the object's longer side in the image that it was cut from (pixels, 0 where unknown): people
    miss by a pixel of that image, however far the crop was enlarged.
    """
    simulator = Simulator(rng)
    part, corner = _cut_to_object(mask)
    edge = (outline(part) + corner) @ turn.T
    side = longer_side(edge)
    true_box = box_of(edge)
    pixel = side / native_side if native_side else 1.0  # of the image, in those of the crop
    # marks inside the object need its depth: half resolution is plenty, and four times as quick
    small = part[::2, ::2]
    if kind == "extreme" or (kind != "box" and not small.any()):
        points = _extremes(edge, side, rng, pixel)
        bounds = box_of(points)
        return Opening(points, _NONE, _NONE, bounds, bounds)
    if kind == "box":
        bounds = simulator.jitter_box(true_box, rng.uniform(0, 0.06))
        if rng.random() < _LOOSE:
            bounds = _grown(bounds, rng.uniform(0, _LOOSEST, 4) * side + rng.uniform(0, 1.5) * pixel)
        return Opening(_NONE, _NONE, _NONE, bounds, bounds)
    if kind == "inside_outside":
        centre = (corner + 2 * simulator.click(small)) @ turn.T
        missed = simulator.jitter_box(true_box, rng.uniform(0, 0.03))
        # the corners are outside, so beside the object's last pixels at the nearest: far out, seen from a small object
        loose = rng.random() < _LOOSE
        slack = rng.uniform(0, _LOOSEST if loose else 0.05) * side + rng.uniform(0.5, 2.5 if loose else 1.5) * pixel
        bounds = _grown(missed, np.full(4, slack))
        corners = np.array([(bounds[i], bounds[j]) for i, j in ((0, 1), (0, 3), (2, 3), (2, 1))])
        return Opening(_NONE, centre.reshape(1, 2), corners, bounds, bounds)
    if kind == "clicks":
        inside = (corner + 2 * np.array([simulator.click(small) for _ in range(int(rng.integers(1, 4)))])) @ turn.T
    else:
        lines = [corner + 2 * simulator.stroke(small) for _ in range(int(rng.integers(1, 3)))]
        inside = np.concatenate([sample_stroke(line, _STROKE_STEP) for line in lines]) @ turn.T
    # no box: what is looked at is anything from the object itself to several times its extent, off centre
    grow = side * np.exp(rng.uniform(np.log(0.03), np.log(0.9), 4))
    return Opening(_NONE, inside, _NONE, None, _grown(true_box, grow))


def _grown(bounds: Bounds, room: npt.NDArray[np.float64]) -> Bounds:
    """Bounds with room ``(4,)`` added: above, to the left, below and to the right."""
    return (bounds[0] - room[0], bounds[1] - room[1], bounds[2] + room[2], bounds[3] + room[3])


def _cut_to_object(mask: npt.NDArray[np.bool_]) -> tuple[npt.NDArray[np.bool_], Points]:
    """The part of a mask that holds its object, and the row and column of that part's first pixel."""
    rows, cols = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        return mask, np.zeros(2)
    part = mask[rows[0] : rows[-1] + 1, cols[0] : cols[-1] + 1]
    return part, np.array([rows[0], cols[0]], np.float64)


def _extremes(edge: Points, side: float, rng: np.random.Generator, pixel: float) -> Points:
    """Extreme points as people click them: a little off, sometimes one far off, sometimes 3 or up to 8.

    ``pixel`` is the size of the image's pixels in those of the crop.
    """
    points = extreme_points(edge, rng if rng.random() < 0.8 else None, least=max(1.0, pixel))
    points = points + rng.normal(
        0, rng.choice([0.0, 0.008, 0.02, 0.03], p=[0.26, 0.27, 0.32, 0.15]) * side, points.shape
    )
    if rng.random() < 0.06:
        points[rng.integers(4)] += rng.normal(0, 0.12 * side, 2)
    if rng.random() < 0.08:
        further = edge[rng.integers(len(edge), size=int(rng.integers(1, 5)))]
        points = np.concatenate([points, further + rng.normal(0, 0.008 * side, further.shape)])
    elif rng.random() < 0.04:
        points = np.delete(points, rng.integers(4), axis=0)
    return points
