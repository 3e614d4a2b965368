"""Overlays: marks and masks are drawn where they are."""

from __future__ import annotations

import numpy as np
import pytest

from napari_dextr._overlay import PALETTE, draw_overlay

IMAGE = np.full((60, 80, 3), 40, np.uint8)
MASK = np.zeros((60, 80), bool)
MASK[20:50, 30:70] = True
POINTS = np.array([(20.0, 50), (35, 30), (49, 50), (35, 69)])


@pytest.mark.parametrize("scale", [1, 2, 3])
@pytest.mark.parametrize("image", [IMAGE, IMAGE[..., 0]])
def test_the_fill_covers_the_mask_and_nothing_else(image, scale):
    picture = draw_overlay(image, [MASK], [POINTS], scale=scale)
    assert picture.shape == (60 * scale, 80 * scale, 3)
    assert picture.dtype == np.uint8
    inside, outside = picture[42 * scale, 50 * scale], picture[10 * scale, 10 * scale]
    assert outside.tolist() == [40, 40, 40]
    expected = 40 + 0.45 * (np.array(PALETTE[0]) - 40)
    np.testing.assert_allclose(inside, expected, atol=1)


def test_marks_lie_on_the_centres_of_their_pixels():
    picture = draw_overlay(IMAGE, [np.zeros_like(MASK)], [np.array([(30.0, 40.0)])], scale=4).astype(int)
    changed = np.argwhere((picture != 40).any(axis=-1))
    np.testing.assert_allclose(changed.mean(axis=0), [(30 + 0.5) * 4 - 0.5, (40 + 0.5) * 4 - 0.5])


def test_names_are_written_and_the_image_is_left_alone():
    before = IMAGE.copy()
    plain = draw_overlay(IMAGE, [MASK], [POINTS])
    named = draw_overlay(IMAGE, [MASK], [POINTS], ["cell"])
    assert (plain != named).any()
    np.testing.assert_array_equal(IMAGE, before)


def test_marks_outside_the_picture_do_no_harm():
    far = np.array([(-30.0, -30), (500, 10), (10, 500), (-1, -1)])
    picture = draw_overlay(IMAGE, [MASK], [far], ["far"])
    assert picture.shape == (120, 160, 3)


def test_masks_without_an_edge_draw_no_line():
    nowhere = [np.full((1, 2), -50.0)]
    assert (draw_overlay(IMAGE, [np.zeros_like(MASK)], nowhere) == 40).all()
    everywhere = draw_overlay(IMAGE, [np.ones_like(MASK)], nowhere)
    assert (everywhere == everywhere[0, 0]).all()


def test_many_objects_reuse_the_colours():
    count = len(PALETTE) + 2
    picture = draw_overlay(IMAGE, [MASK] * count, [POINTS] * count)
    assert (picture[80, 100] != 40).all()
