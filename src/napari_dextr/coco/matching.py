"""How much an object of a file and one of a label image have in common."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import DataError
from ..rle import Runs, decode_runs, run_pixels

SAME = 0.5
"""Intersection over union from which on two objects of one layer and label are taken for one that was corrected."""


def same_pixels(segmentation: Any, runs: Runs, shape: tuple[int, int]) -> bool:
    """Whether a segmentation as it stands in a file means just the pixels of an object's runs."""
    before = _runs_of(segmentation, shape)
    return before is not None and np.array_equal(before, runs)


def overlap(segmentation: Any, runs: Runs, shape: tuple[int, int]) -> float:
    """Intersection over union of a segmentation as it stands in a file, and an object's runs; 0 where it is broken."""
    before = _runs_of(segmentation, shape)
    if before is None:
        return 0.0
    if np.array_equal(before, runs):
        return 1.0
    one, other = run_pixels(before), run_pixels(runs)
    common = np.intersect1d(one, other, assume_unique=True).size
    return common / (one.size + other.size - common)


def _runs_of(segmentation: Any, shape: tuple[int, int]) -> Runs | None:
    try:
        return decode_runs(segmentation, shape)
    except DataError:
        return None
