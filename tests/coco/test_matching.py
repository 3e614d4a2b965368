"""Objects that are the same, or nearly."""

from __future__ import annotations

import numpy as np
import pytest

from napari_dextr.coco.matching import overlap, same_pixels
from napari_dextr.rle import decode_runs, encode


def square(top: int, left: int) -> np.ndarray:
    mask = np.zeros((12, 14), bool)
    mask[top : top + 4, left : left + 4] = True
    return mask


@pytest.mark.parametrize(("corner", "shared"), [((2, 3), 16), ((2, 4), 12), ((5, 6), 1), ((8, 9), 0)])
def test_overlap_is_intersection_over_union(corner, shared):
    old, new = encode(square(2, 3)), decode_runs(encode(square(*corner)), (12, 14))
    assert overlap(old, new, (12, 14)) == pytest.approx(shared / (32 - shared))
    assert same_pixels(old, new, (12, 14)) == (shared == 16)


def test_what_is_broken_has_nothing_in_common():
    runs = decode_runs(encode(square(2, 3)), (12, 14))
    for broken in (None, {"size": [3, 3], "counts": "1"}):
        assert overlap(broken, runs, (12, 14)) == 0
        assert not same_pixels(broken, runs, (12, 14))
