"""What is held out to judge a training: whole images, or where there is only one, its part beyond a straight line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..prompt import Region
from .finetune_plan import CROSS_VALIDATED
from .verdict import FEWEST

ENOUGH = 5
"""From so many objects on, at least `LEAST` of them are held out."""

LEAST = 2
"""Fewer held-out objects say next to nothing."""


@dataclass(frozen=True)
class Cut:
    """A straight line through an image, between two rows or two columns.

    Attributes
    ----------
    axis : int
        0 for a line between rows, 1 for one between columns.
    line : int
        The first row or column beyond it.
    beyond : bool
        Whether the part from the line on is held out, or the part before it.
    left_out : int
        Objects that the line goes through; they are on neither side.
    """

    axis: int
    line: int
    beyond: bool
    left_out: int

    def sides(self, shape: tuple[int, int]) -> tuple[Region, Region]:
        """The part that is kept, and the part that is held out, of an image of ``shape``."""
        parts = []
        for span in (slice(0, self.line), slice(self.line, shape[self.axis])):
            other = slice(0, shape[1 - self.axis])
            parts.append((span, other) if self.axis == 0 else (other, span))
        return (parts[0], parts[1]) if self.beyond else (parts[1], parts[0])


def to_hold(total: int, share: float) -> int:
    """How many of all objects to hold out."""
    return min(max(round(share * total), LEAST if total >= ENOUGH else 1), max(total - 1, 0))


def choose_images(counts: Sequence[int], share: float, seed: int) -> set[int] | None:
    """Which images to hold out.

    Parameters
    ----------
    counts : sequence of int
        Objects of each image, all at least 1.
    share : float
        Of the objects, about.
    seed : int

    Returns
    -------
    set of int or None
        Places in ``counts``. None where no choice of whole images leaves objects enough on both sides: at least
        `LEAST` to judge by, from `ENOUGH` objects on, and where there are so many that they are not dealt out, as many
        as a verdict needs; and not more than are trained on, unless so many were asked for.
    """
    if len(counts) < 2:
        return None
    wanted, total = share * sum(counts), sum(counts)
    order = [int(i) for i in np.random.default_rng((seed, 7)).permutation(len(counts))]
    held: list[int] = []
    count = 0
    for place in order:
        if len(held) < len(counts) - 1 and abs(count + counts[place] - wanted) < abs(count - wanted):
            held.append(place)
            count += counts[place]
    least = LEAST if total >= ENOUGH else 1
    if total >= CROSS_VALIDATED:  # nothing else will judge
        least = max(least, min(FEWEST, round(wanted)))
    taken = set(held)
    for place in sorted((place for place in order if place not in taken), key=lambda place: counts[place]):
        if count >= least:
            break
        held.append(place)
        count += counts[place]
    if count < least or count > max(total // 2, round(wanted)) or count == total:
        return None
    return set(held)


def choose_cut(boxes: Sequence[Region], wanted: int, seed: int) -> Cut | None:
    """The line through an image that has about ``wanted`` of its objects on one side and goes through the fewest.

    An object that the line goes through weighs as much as one too many or too few beyond it. Of lines that are as
    good as each other the seed chooses one.

    Parameters
    ----------
    boxes : sequence of Region
        Where the objects lie.
    wanted : int
        From 1 to one less than there are.
    seed : int

    Returns
    -------
    Cut or None
        None where no line parts the objects. From `ENOUGH` objects on, `LEAST` are on either side, where that can be.
    """
    found: list[tuple[int, Cut]] = []
    for axis in (0, 1):
        starts = np.array([box[axis].start for box in boxes])
        stops = np.array([box[axis].stop for box in boxes])
        for edge in sorted(set(stops.tolist())):
            right = starts >= edge
            if not right.any():
                continue
            line = (edge + int(starts[right].min())) // 2  # in the middle of the gap
            before, beyond = int((stops <= line).sum()), int(right.sum())
            crossed = len(boxes) - before - beyond
            for held, kept, far in ((beyond, before, True), (before, beyond, False)):
                poor = len(boxes) >= ENOUGH and min(held, kept) < LEAST
                cost = crossed + abs(held - wanted) + (len(boxes) if poor else 0)
                found.append((cost, Cut(axis, line, far, crossed)))
    if not found:
        return None
    best = min(cost for cost, _ in found)
    choices = [cut for cost, cut in found if cost == best]
    return choices[int(np.random.default_rng((seed, 11)).integers(len(choices)))]


def same_objects(here: Mapping[int, Region], there: Mapping[int, Region]) -> bool:
    """Whether two neighbouring planes show the same objects: most labels of the emptier one lie there in both.

    Parameters
    ----------
    here, there : mapping of int to Region
        Where each label lies.
    """
    both = here.keys() & there.keys()
    return 2 * sum(_overlap(here[label], there[label]) > 0.5 for label in both) > min(len(here), len(there))


def _overlap(one: Region, other: Region) -> float:
    """Intersection over union of two boxes."""
    common, areas = 1, [1, 1]
    for a, b in zip(one, other, strict=True):
        common *= max(0, min(a.stop, b.stop) - max(a.start, b.start))
        areas = [areas[0] * (a.stop - a.start), areas[1] * (b.stop - b.start)]
    return common / (sum(areas) - common)
