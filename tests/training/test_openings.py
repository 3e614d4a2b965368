"""Opening prompts: marks where the object is, whatever its size and turn."""

from __future__ import annotations

import numpy as np
import pytest

from napari_dextr.training.openings import OPENINGS, open_prompt


def turned(angle):
    return np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])


def disc(size=80, centre=(50.0, 25.0), radius=14.0):
    rows, cols = np.mgrid[:size, :size]
    return np.hypot(rows - centre[0], cols - centre[1]) < radius


@pytest.mark.parametrize("kind", OPENINGS)
@pytest.mark.parametrize("angle", [0.0, 0.7, 3.0])
def test_marks_lie_where_the_turned_object_is(kind, angle):
    turn, centre = turned(angle), np.array([50.0, 25.0])
    for seed in range(12):
        opening = open_prompt(kind, disc(), turn, np.random.default_rng(seed))
        middle = turn @ centre
        if kind in ("clicks", "strokes", "inside_outside"):
            assert np.linalg.norm(opening.inside - middle, axis=1).max() < 15
        if kind == "extreme":
            assert np.median(abs(np.linalg.norm(opening.outline - middle, axis=1) - 14)) < 2
        low, high = np.array(opening.crop[:2]), np.array(opening.crop[2:])
        assert (low < middle).all()
        assert (middle < high).all()


@pytest.mark.parametrize("kind", OPENINGS)
def test_a_one_pixel_mask_still_opens(kind):
    mask = np.zeros((32, 32), bool)
    mask[15, 17] = True
    for seed in range(20):
        opening = open_prompt(kind, mask, np.eye(2), np.random.default_rng(seed))
        assert np.isfinite(opening.crop).all()
        assert abs(np.array(opening.crop).reshape(2, 2) - (15, 17)).max() < 12


def test_where_the_object_lies_in_its_crop_does_not_matter():
    near, far = disc(centre=(20.0, 20.0)), disc(centre=(51.0, 48.0))
    for kind in OPENINGS:
        first, other = (open_prompt(kind, mask, np.eye(2), np.random.default_rng(3)) for mask in (near, far))
        np.testing.assert_allclose(np.reshape(other.crop, (2, 2)) - (31, 28), np.reshape(first.crop, (2, 2)))


def test_extreme_points_are_sometimes_three_or_more_than_four():
    counts = {
        len(open_prompt("extreme", disc(), np.eye(2), np.random.default_rng(seed)).outline) for seed in range(200)
    }
    assert counts >= {3, 4, 5, 6, 7, 8}


def test_an_object_of_few_pixels_is_missed_by_more_of_its_side():
    spans = {}
    for native in (0.0, 27.0, 9.0):  # of a disc 27 pixels across in its crop
        found = [
            open_prompt("extreme", disc(), np.eye(2), np.random.default_rng(seed), native).outline
            for seed in range(200)
        ]
        spans[native] = np.mean([np.ptp(points, axis=0).mean() for points in found if len(points) == 4])
    assert spans[0.0] == spans[27.0]
    assert spans[9.0] < spans[27.0] - 0.5


def test_corners_around_an_object_of_few_pixels_are_as_far_out_as_pixels_are():
    slack = {}
    for native in (27.0, 9.0):  # of a disc 27 pixels across in its crop, whose outline is 13 from the centre
        boxes = [
            open_prompt("inside_outside", disc(), np.eye(2), np.random.default_rng(seed), native).box
            for seed in range(200)
        ]
        slack[native] = np.mean([np.ptp(np.reshape(box, (2, 2)), axis=0).mean() / 2 for box in boxes]) - 13
    assert 1.2 < slack[27.0] < 2.4
    assert slack[9.0] > slack[27.0] + 1.5


@pytest.mark.parametrize("kind", ["box", "inside_outside"])
def test_boxes_and_corners_are_drawn_close_and_with_room_to_spare(kind):
    boxes = [open_prompt(kind, disc(), np.eye(2), np.random.default_rng(seed), 27.0).box for seed in range(300)]
    room = np.mean(np.abs(np.array(boxes) - (50, 25, 50, 25)), axis=1) - 13  # beyond the outline, in pixels of 27
    assert np.mean(room < 1.7) > 0.25
    assert np.mean(room > 2.0) > 0.1
    assert 3.3 < room.max() < 6
