"""Outlines give back exactly their pixels when pycocotools fills them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from scipy import ndimage

from napari_dextr.coco.outlines import join, one_polygon, polygons, trace
from napari_dextr.rle import decode

masks = arrays(bool, array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=14)).filter(lambda mask: mask.any())
places = st.tuples(*[st.integers(0, 4)] * 4)


def placed(mask: np.ndarray, place: tuple[int, ...]) -> tuple[np.ndarray, tuple[int, int]]:
    above, left, below, right = place
    return np.pad(mask, ((above, below), (left, right))), (above, left)


@given(masks, places)
def test_polygons_with_bridges_fill_exactly_the_mask(mask, place):
    whole, corner = placed(mask, place)
    np.testing.assert_array_equal(decode(polygons(mask, corner, bridges=True), whole.shape), whole)


@given(masks, places)
def test_one_polygon_does_too(mask, place):
    whole, corner = placed(mask, place)
    np.testing.assert_array_equal(decode([one_polygon(mask, corner)], whole.shape), whole)


@given(masks, places)
def test_without_bridges_only_masks_without_holes_have_polygons(mask, place):
    whole, corner = placed(mask, place)
    found = polygons(mask, corner)
    holes = ndimage.label(~np.pad(mask, 1), np.ones((3, 3)))[1] - 1
    assert (found is None) == (holes > 0)
    if found is not None:
        np.testing.assert_array_equal(decode(found, whole.shape), whole)


@given(masks)
def test_parts_and_holes_are_counted_right(mask):
    parts, holes = trace(mask)
    assert len(parts) == len(holes) == ndimage.label(mask)[1]
    assert sum(map(len, holes)) == ndimage.label(~np.pad(mask, 1), np.ones((3, 3)))[1] - 1


def test_a_square_has_four_corners_in_x_and_y():
    assert polygons(np.ones((2, 3), bool), (10, 20)) == [[20, 10, 23, 10, 23, 12, 20, 12]]


def test_a_hole_belongs_to_the_part_around_it():
    mask = np.zeros((9, 12), bool)
    mask[0:3, 0:3] = True
    mask[3:9, 5:12] = True
    mask[5:7, 7:9] = False
    parts, holes = trace(mask)
    assert [len(loops) for loops in holes] == [0, 1]
    assert parts[1].min(axis=0).tolist() == [3, 5]
    assert holes[1][0].min(axis=0).tolist() == [5, 7]


def test_joined_outlines_walk_their_bridge_twice():
    outer = np.array([[0, 0], [0, 9], [9, 9], [9, 0]])
    hole = np.array([[3, 3], [3, 5], [5, 5], [5, 3]])
    assert join([outer, hole]).tolist() == [[0, 0], *hole.tolist(), [3, 3], *outer.tolist()]


@pytest.mark.parametrize("seed", range(3))
def test_specks_and_sponges_are_joined_to_one_line_that_fills_them(seed):
    rng = np.random.default_rng(seed)
    specks = rng.random((60, 90)) < (0.2, 0.5, 0.8)[seed]
    np.testing.assert_array_equal(decode([one_polygon(specks)], specks.shape), specks)
    sponge = polygons(specks, bridges=True)
    np.testing.assert_array_equal(decode(sponge, specks.shape), specks)


def test_thousands_that_hang_on_each_other_in_a_row_are_joined():
    comb = np.zeros((3, 9001), bool)
    comb[1, ::3] = True
    np.testing.assert_array_equal(decode([one_polygon(comb)], comb.shape), comb)
