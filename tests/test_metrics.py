"""Agreement measures: known cases, bounds and symmetry."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis.extra.numpy import arrays

from napari_dextr.metrics import boundary_f, iou

masks = arrays(bool, (9, 11))


def square(top: int, left: int, side: int = 20, size: int = 60) -> np.ndarray:
    mask = np.zeros((size, size), bool)
    mask[top : top + side, left : left + side] = True
    return mask


@given(masks, masks, masks)
def test_iou_is_symmetric_bounded_and_blind_to_ignored_pixels(a, b, ignore):
    value = iou(a, b, ignore)
    assert 0 <= value <= 1
    assert value == iou(b, a, ignore) == iou(a ^ (ignore & b), b, ignore)
    assert iou(a, a) == 1


def test_iou_of_known_masks():
    assert iou(square(0, 0), square(0, 10)) == pytest.approx(1 / 3)
    assert iou(square(0, 0), square(30, 30)) == 0
    assert iou(np.zeros((3, 3)), np.zeros((3, 3))) == 1
    assert iou(square(0, 0), square(0, 10), ignore=~square(0, 10)) == pytest.approx(0.5)


def test_boundary_f_forgives_up_to_the_tolerance_only():
    truth = square(20, 20)
    assert boundary_f(truth, truth) == 1
    assert boundary_f(square(22, 20), truth, tolerance=2) == 1
    assert boundary_f(square(22, 20), truth, tolerance=1) < 1
    assert boundary_f(square(22, 20), truth, tolerance=0) < boundary_f(square(22, 20), truth, tolerance=1)
    assert boundary_f(square(0, 0, 5), square(50, 50, 5), tolerance=3) == 0


def test_the_default_tolerance_grows_with_the_image():
    small, large = square(20, 20, 20, 60), square(20, 20, 20, 600)
    assert boundary_f(square(22, 20, 20, 60), small) < 1  # 1 pixel
    assert boundary_f(square(22, 20, 20, 600), large) == 1  # 7 pixels


def test_boundary_f_without_outlines():
    empty, full = np.zeros((8, 8), bool), np.ones((8, 8), bool)
    assert boundary_f(empty, empty) == boundary_f(full, full) == 1
    assert boundary_f(empty, full) == 0
    assert boundary_f(empty, square(2, 2, 3, 8)) == 0


def test_ignored_pixels_draw_no_outline_of_their_own():
    truth = square(20, 20)
    ignore = square(20, 30)
    assert boundary_f(truth, truth, ignore=ignore) == 1
    wrong_where_ignored = truth & ~square(25, 35, 3)
    assert boundary_f(wrong_where_ignored, truth, tolerance=0, ignore=ignore) == 1
    assert boundary_f(wrong_where_ignored, truth, tolerance=0) < 1


def test_an_outline_within_a_void_border_is_good():
    truth = square(20, 20)
    void = square(17, 17, 26) & ~truth
    assert boundary_f(square(18, 18, 24), truth, tolerance=2, ignore=void) == 1
    bulge = square(18, 18, 24) | square(28, 40, 8)  # wrong on one side, beyond the void
    assert 0.8 < boundary_f(bulge, truth, tolerance=2, ignore=void) < 1
    assert boundary_f(square(10, 10, 40), truth, tolerance=2, ignore=void) == 0
    assert boundary_f(square(24, 24, 12), truth, tolerance=2, ignore=void) == 0


@given(masks, masks)
def test_boundary_f_is_symmetric_and_bounded(a, b):
    value = boundary_f(a, b)
    assert 0 <= value <= 1
    assert value == pytest.approx(boundary_f(b, a))


def test_masks_of_different_shapes_are_refused():
    with pytest.raises(ValueError, match="one shape"):
        iou(np.zeros((2, 2)), np.zeros((2, 3)))
