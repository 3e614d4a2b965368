"""Obedience: a correcting click does what it says, and nothing against it.

A network weighs a click against the picture, and now and then the picture wins: of the correcting clicks on the
validation packs the embedded model left 0 to 5 in 100 as they were. Whoever clicked would click again, and in vain. And
it judges the whole object anew at each click: 10 to 18 in 100 made the mask worse, as right pixels elsewhere were lost.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from .prompt import Points, PreviousMask, Prompt, Region, sample_stroke

Probability = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]

_REACH = 0.1  # of the object's longer side: as far as a click that the network did not follow is followed here
_LEAST = 1.5  # pixels
_AS_LIKELY = 0.7  # of the clicked pixel's probability: what is followed around it


def obey(probability: Probability, region: Region, prompt: Prompt, threshold: float) -> Probability:
    """The probability of a mask that heeds every click.

    A click inside that the earlier mask contradicts takes nothing from that mask, one outside adds nothing to it;
    where there are clicks of both kinds the network's answer is taken. Then, where a clicked pixel is not on the side
    that the click says, what is about as likely as that pixel, hangs together with it and is not far away changes
    sides for good, probability 0 or 1; never what lies nearer to a mark that says the opposite.

    Parameters
    ----------
    probability : (h, w) array of float32
        The network's answer, in 0..1; it stays as it is.
    region : two slices
        Part of the image plane that it covers.
    prompt : Prompt
        Inside and outside points and strokes count; marks on the outline belong to neither side.
    threshold : float
        Pixels above it belong to the object.

    Returns
    -------
    (h, w) array of float32
        ``probability`` itself where there is nothing to do; nor is there anything to correct where nothing was found.
    """
    inside = _marks(prompt.inside_points, prompt.inside_strokes, region)
    outside = _marks(prompt.outside_points, prompt.outside_strokes, region)
    if not (len(inside) or len(outside)) or not (probability > threshold).any():
        return probability
    heeded = _keep(probability, region, prompt.previous, inside, outside, threshold)
    for marks, others, wanted in ((inside, outside, True), (outside, inside, False)):
        for mark in marks[_on(heeded, marks, threshold) != wanted]:
            if heeded is probability:
                heeded = probability.copy()
            _follow(heeded, mark, others, wanted, prompt, threshold)
    return heeded


def _keep(
    probability: Probability,
    region: Region,
    previous: PreviousMask | None,
    inside: Points,
    outside: Points,
    threshold: float,
) -> Probability:
    """What corrections of one kind must not change is as in the earlier mask."""
    if previous is None:
        return probability
    offset = [own.start - part.start for part, own in zip(previous.region, region, strict=True)]
    added = not _on(previous.probability, inside + offset, threshold).all()
    taken = bool(_on(previous.probability, outside + offset, threshold).any())
    if added == taken:
        return probability
    here, there = [], []  # what both cover, in the one and in the other
    for start, extent, seen in zip(offset, probability.shape, previous.probability.shape, strict=True):
        low = max(0, -start)
        high = max(low, min(extent, seen - start))
        here.append(slice(low, high))
        there.append(slice(low + start, high + start))
    earlier = previous.probability[tuple(there)]
    kept = probability.copy()
    common = kept[tuple(here)]
    if added:
        np.copyto(common, earlier, where=(earlier > threshold) & (common <= threshold))
        return kept
    undone = kept > threshold
    undone[tuple(here)] &= earlier <= threshold
    kept[undone] = 0
    return kept


def _marks(points: Points, strokes: tuple[Points, ...], region: Region) -> Points:
    """Points and, pixel by pixel, strokes, in pixels of a region; those beyond it are left out."""
    marks: Points = np.concatenate([points, *(sample_stroke(line, 1.0) for line in strokes)])
    marks = marks - [part.start for part in region]
    within: Points = marks[_within(marks, tuple(part.stop - part.start for part in region))]
    return within


def _within(marks: Points, shape: tuple[int, ...]) -> Mask:
    """Which marks lie on a pixel of an array of this shape."""
    pixels = np.rint(marks)
    within: Mask = np.all((pixels >= 0) & (pixels < shape), axis=1)
    return within


def _on(probability: Probability, marks: Points, threshold: float) -> Mask:
    """Which marks lie on the object; beyond the border there is none."""
    on = _within(marks, probability.shape)
    rows, cols = np.rint(marks[on]).astype(np.int64).T
    on[on] = probability[rows, cols] > threshold
    return on


def _reach(prompt: Prompt, probability: Probability, threshold: float) -> float:
    """How far around a click it is followed, pixels."""
    if (bounds := prompt.bounds) is not None:
        side = max(bounds[2] - bounds[0], bounds[3] - bounds[1]) + 1
    else:
        side = math.sqrt(np.count_nonzero(probability > threshold))
    return max(_LEAST, _REACH * side)


def _follow(
    probability: Probability, mark: Points, others: Points, wanted: bool, prompt: Prompt, threshold: float
) -> None:
    """Let the surroundings of a mark change sides, in place."""
    from scipy import ndimage

    row, col = (int(part) for part in np.rint(mark))
    if (probability[row, col] > threshold) == wanted:  # an earlier mark of the same stroke has seen to it
        return
    reach = _reach(prompt, probability, threshold)  # only now: it may count the pixels of the whole mask
    top, left = max(0, math.floor(mark[0] - reach)), max(0, math.floor(mark[1] - reach))
    window = probability[top : math.ceil(mark[0] + reach) + 1, left : math.ceil(mark[1] + reach) + 1]
    likely = window if wanted else 1 - window
    rows, cols = np.indices(window.shape)
    apart = np.hypot(rows + top - mark[0], cols + left - mark[1])
    follows = ((window > threshold) != wanted) & (apart <= reach)
    follows &= likely >= _AS_LIKELY * likely[row - top, col - left]
    for other in others[np.hypot(*(others - mark).T) <= 2 * reach]:
        follows &= apart < np.hypot(rows + top - other[0], cols + left - other[1])
    if follows[row - top, col - left]:  # not where both sides were clicked on one pixel
        parts, _ = ndimage.label(follows, structure=np.ones((3, 3)))
        window[parts == parts[row - top, col - left]] = wanted
