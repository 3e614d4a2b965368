"""Figures that sum up many objects. Every mean comes with the interval in which it would lie with other images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

GOOD = 0.85
"""IoU from which a mask counts as good: few annotators would still correct it."""

POOR = 0.8
"""IoU below which the gain of a correction is also told apart: these are the masks that people correct."""

CLEARLY = 0.01
"""Loss of IoU from which a correction clearly made a mask worse."""

_RESAMPLES = 2000
_BINS = 10
_LOTS = 2000  # groups drawn from at most; more are drawn together, which bounds memory and time

Values = npt.NDArray[np.float64]


@lru_cache(maxsize=2)
def _resamples(many: int) -> Values:
    """How often each of so many groups is drawn, in each resample: ``(2000, many)``, always the same."""
    return np.random.default_rng(0).multinomial(many, np.full(many, 1 / many), size=_RESAMPLES).astype(np.float64)


@dataclass(frozen=True)
class Mean:
    """A mean and its 95 % confidence interval, from `low` to `high`."""

    mean: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float] | Values, groups: Sequence[Any]) -> Mean:
        """Mean with a bootstrap interval (percentiles of 2000 resamples; always the same for the same values).

        Whole groups are drawn, not single values: objects of one image resemble each other, and the question is
        what other images would give.

        Parameters
        ----------
        values : (N,) floats
        groups : (N,) sequence
            What each value belongs to, e.g. the name of its image.
        """
        array = np.asarray(values, dtype=np.float64)
        _, group = np.unique(np.asarray([str(name) for name in groups]), return_inverse=True)
        sums, counts = np.bincount(group % _LOTS, weights=array), np.bincount(group % _LOTS)
        drawn = _resamples(len(counts))
        low, high = np.percentile((drawn @ sums) / (drawn @ counts), (2.5, 97.5))
        return cls(float(array.mean()), float(low), float(high))


@dataclass(frozen=True)
class Spread:
    """IoUs of many objects: mean with its interval, median, 10th percentile, share of at least `GOOD`."""

    mean: float
    low: float
    high: float
    median: float
    p10: float
    good: float

    @classmethod
    def of(cls, values: Sequence[float], groups: Sequence[Any]) -> Spread:
        """Summarise values, one at least; ``groups`` as in `Mean.of`."""
        array = np.asarray(values, dtype=np.float64)
        mean = Mean.of(array, groups)
        return cls(
            mean=mean.mean,
            low=mean.low,
            high=mean.high,
            median=float(np.median(array)),
            p10=float(np.percentile(array, 10)),
            good=float((array >= GOOD).mean()),
        )


@dataclass(frozen=True)
class Correction:
    """What one correcting click does to the IoU.

    Attributes
    ----------
    click : int
        1 for the first correcting click.
    iou : float
        Mean IoU after it.
    gain : Mean
        IoU gained by it.
    poor : int
        How many objects were below `POOR` before it.
    poor_gain : Mean or None
        IoU gained on these.
    lowered, clearly_lowered : float
        Share of all objects on which it lowers the IoU at all, and by more than `CLEARLY`.
    """

    click: int
    iou: float
    gain: Mean
    poor: int
    poor_gain: Mean | None
    lowered: float
    clearly_lowered: float

    @classmethod
    def of(cls, click: int, before: Sequence[float], after: Sequence[float], groups: Sequence[Any]) -> Correction:
        """From the IoUs of the same objects before and after the click."""
        first, second = np.asarray(before, dtype=np.float64), np.asarray(after, dtype=np.float64)
        gains = second - first
        poor = np.flatnonzero(first < POOR).tolist()
        return cls(
            click=click,
            iou=float(second.mean()),
            gain=Mean.of(gains, groups),
            poor=len(poor),
            poor_gain=Mean.of(gains[poor], [groups[i] for i in poor]) if len(poor) else None,
            lowered=float((gains < 0).mean()),
            clearly_lowered=float((gains < -CLEARLY).mean()),
        )


@dataclass(frozen=True)
class Clicks:
    """Number of clicks to an IoU (NoC; Xu et al., CVPR 2016, section 4.2).

    Attributes
    ----------
    target : float
        The IoU.
    mean : Mean
        Clicks; an object that never got there counts the most clicks allowed.
    failed : float
        Share of the objects that never got there.
    """

    target: float
    mean: Mean
    failed: float

    @classmethod
    def of(cls, target: float, counts: Sequence[int | None], most: int, groups: Sequence[Any]) -> Clicks:
        """From the clicks that each object needed, None where `most` clicks did not suffice."""
        filled = [most if count is None else count for count in counts]
        return cls(target, Mean.of(filled, groups), sum(count is None for count in counts) / len(counts))


@dataclass(frozen=True)
class Bin:
    """Objects whose predicted IoU lies between two values: how many, and the means of predicted and true IoU."""

    low: float
    high: float
    objects: int
    score: float
    iou: float


@dataclass(frozen=True)
class Calibration:
    """How far the IoU that the model predicts for its own mask can be trusted.

    Attributes
    ----------
    error : Mean
        Mean absolute difference between predicted and true IoU of an object.
    bias : float
        Mean of predicted minus true IoU: above 0, the model praises itself too much.
    expected_error : float
        Expected calibration error: mean over the bins, weighted by their objects, of the absolute difference between
        the mean predicted and the mean true IoU (Guo et al., ICML 2017, section 2, with IoU in place of accuracy).
    bins : list of Bin
        Ten of equal width from 0 to 1; empty ones are left out.
    """

    error: Mean
    bias: float
    expected_error: float
    bins: list[Bin]

    @classmethod
    def of(cls, scores: Sequence[float], ious: Sequence[float], groups: Sequence[Any]) -> Calibration:
        """From predicted and true IoUs of the same objects."""
        said, true = np.asarray(scores, dtype=np.float64), np.asarray(ious, dtype=np.float64)
        number = np.clip((said * _BINS).astype(int), 0, _BINS - 1)
        bins = []
        for index in np.unique(number):
            there = number == index
            means = float(said[there].mean()), float(true[there].mean())
            bins.append(Bin(index / _BINS, (index + 1) / _BINS, int(there.sum()), *means))
        return cls(
            error=Mean.of(np.abs(said - true), groups),
            bias=float((said - true).mean()),
            expected_error=sum(each.objects * abs(each.score - each.iou) for each in bins) / len(said),
            bins=bins,
        )
