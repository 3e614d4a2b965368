"""Packed changes of pixels, and labels held in tiles."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from napari_dextr.session.patches import PackedMask, Patch, SparseLabels, join, meet, placed, within

SHAPE = st.tuples(st.integers(1, 12), st.integers(1, 12))
BOOLS = arrays.arrays(bool, SHAPE)
LABELS = SHAPE.flatmap(lambda shape: st.tuples(*[arrays.arrays(np.uint16, shape, elements=st.integers(0, 4))] * 2))


def region_of(array: Any, row: int = 5, col: int = 7) -> tuple[slice, slice]:
    return slice(row, row + array.shape[0]), slice(col, col + array.shape[1])


@given(BOOLS)
def test_a_packed_mask_is_the_mask(mask: Any) -> None:
    packed = PackedMask.of(mask, region_of(mask))
    whole = (slice(0, 40), slice(0, 40))
    expected = placed(mask, region_of(mask), whole)
    np.testing.assert_array_equal(placed(packed.mask(), packed.region, whole), expected)
    assert packed.shape <= mask.shape or not mask.any()


@given(LABELS)
def test_a_patch_goes_forth_and_back(pair: tuple[Any, Any]) -> None:
    before, after = pair
    region = region_of(before)
    image = SparseLabels(np.uint16)
    image.write("here", region, before, np.ones(before.shape, bool))
    patch = Patch.of(region, before, after)
    if patch is None:
        assert (before == after).all()
        return
    assert patch.labels == (set(before[before != after].tolist()) | set(after[before != after].tolist())) - {0}
    patch.apply(image, "here")
    np.testing.assert_array_equal(image.read("here", region), after)
    patch.apply(image, "here", forward=False)
    np.testing.assert_array_equal(image.read("here", region), before)


def test_a_patch_spares_what_others_changed() -> None:
    region = (slice(0, 1), slice(0, 3))
    image = SparseLabels(np.uint8)
    patch = Patch.of(region, np.zeros((1, 3), np.uint8), np.full((1, 3), 2, np.uint8))
    assert patch is not None
    patch.apply(image, "here")
    image.write("here", (slice(0, 1), slice(1, 2)), np.full((1, 1), 9, np.uint8), np.ones((1, 1), bool))
    patch.apply(image, "here", forward=False)
    assert image.read("here", region).tolist() == [[0, 9, 0]]
    patch.apply(image, "here")
    assert image.read("here", region).tolist() == [[2, 9, 2]]


def test_a_large_smooth_change_is_small() -> None:
    rows, cols = np.mgrid[:400, :400]
    disc = (rows - 200) ** 2 + (cols - 200) ** 2 < 190**2
    patch = Patch.of((slice(0, 400), slice(0, 400)), np.zeros(disc.shape, np.int64), np.where(disc, 3, 0))
    assert patch is not None
    assert len(patch.where.data) < 3000


@pytest.mark.parametrize("dtype", [np.int8, np.uint64, np.int64])
def test_the_largest_labels_survive(dtype: Any) -> None:
    largest = np.iinfo(dtype).max
    before, after = np.array([[0, 1]], dtype), np.array([[largest, largest - 1]], dtype)
    patch = Patch.of((slice(0, 1), slice(0, 2)), before, after)
    assert patch is not None
    assert patch.labels == {1, int(largest), int(largest) - 1}
    assert patch.values()[1].tolist() == [int(largest), int(largest) - 1]


REGION = st.tuples(st.integers(-300, 300), st.integers(1, 300), st.integers(-300, 300), st.integers(1, 300)).map(
    lambda box: (slice(box[0], box[0] + box[1]), slice(box[2], box[2] + box[3]))
)


@given(st.lists(st.tuples(REGION, st.integers(1, 5)), max_size=4), REGION)
def test_tiles_are_one_large_array(writes: list[tuple[Any, int]], look: Any) -> None:
    labels = SparseLabels(np.int32)
    everything = np.zeros((1200, 1200), np.int32)
    base = (slice(-600, 600), slice(-600, 600))
    for region, value in writes:
        shape = (region[0].stop - region[0].start, region[1].stop - region[1].start)
        changed = np.indices(shape).sum(0) % 2 == 0
        labels.write("here", region, np.full(shape, value), changed)
        everything[within(region, base)][changed] = value
    np.testing.assert_array_equal(labels.read("here", look), everything[within(look, base)])
    assert not labels.read("elsewhere", look).any()
    assert labels.highest() == everything.max()
    again = np.zeros_like(everything)
    for region, values, mask in labels.written("here"):
        again[within(region, base)][mask] = values[mask]
    np.testing.assert_array_equal(again, everything)


def test_tiles_know_what_was_never_written() -> None:
    labels = SparseLabels(np.int16, fill=-1)
    labels.write("here", (slice(0, 1), slice(0, 2)), np.zeros((1, 2), np.int16), np.array([[True, False]]))
    assert labels.read("here", (slice(0, 1), slice(0, 2))).tolist() == [[0, -1]]
    assert labels.places == ("here",)
    assert labels.largest == 32767
    assert labels.highest() == 0
    ((region, values, mask),) = labels.written("here")
    assert (region, values.tolist(), mask.tolist()) == ((slice(0, 1), slice(0, 1)), [[0]], [[True]])


def test_regions() -> None:
    first, second = (slice(0, 4), slice(2, 5)), (slice(3, 6), slice(5, 9))
    assert join(first, second) == (slice(0, 6), slice(2, 9))
    assert not meet(first, second)
    assert meet(first, (slice(3, 6), slice(4, 9)))
    assert within(second, join(first, second)) == (slice(3, 6), slice(3, 7))
