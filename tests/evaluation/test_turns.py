"""Flips and quarter turns of images and marks belong together."""

from __future__ import annotations

import numpy as np
import pytest

from napari_dextr.evaluation.turns import TURNS, sum_up
from napari_dextr.prompt import Prompt

IMAGE = np.arange(5 * 7).reshape(5, 7)
SPOTS = [(0, 0), (1, 5), (4, 6), (3, 2)]


@pytest.mark.parametrize("turn", TURNS, ids=lambda turn: turn.name)
def test_points_stay_on_their_pixels(turn):
    turned = turn.pixels(IMAGE)
    moved = turn.points(np.array(SPOTS, float), IMAGE.shape)
    for (row, col), (new_row, new_col) in zip(SPOTS, moved.astype(int), strict=True):
        assert turned[new_row, new_col] == IMAGE[row, col]
    np.testing.assert_array_equal(turn.back(turned), IMAGE)
    assert turn.pixels(np.stack([IMAGE] * 3, axis=-1)).shape == (*turned.shape, 3)


def test_the_turns_are_all_different():
    assert len({turn.pixels(IMAGE).tobytes() + bytes(turn.pixels(IMAGE).shape) for turn in TURNS}) == len(TURNS)
    named = {turn.name: turn for turn in TURNS}
    np.testing.assert_array_equal(named["left and right exchanged"].pixels(IMAGE), IMAGE[:, ::-1])
    np.testing.assert_array_equal(named["top and bottom exchanged"].pixels(IMAGE), IMAGE[::-1])


@pytest.mark.parametrize("turn", TURNS, ids=lambda turn: turn.name)
def test_all_marks_of_a_prompt_turn(turn):
    prompt = Prompt.inside_outside((2, 3), (1, 1), (4, 6)).with_boundary([(0, 2)])
    turned = turn.prompt(prompt, IMAGE.shape)
    for name in ("boundary_points", "inside_points", "outside_points"):
        np.testing.assert_array_equal(getattr(turned, name), turn.points(getattr(prompt, name), IMAGE.shape))
    r0, c0, r1, c1 = turned.box_bounds
    assert r0 < r1
    assert c0 < c1
    np.testing.assert_array_equal(
        np.unique(turned.outside_points, axis=0), [(r0, c0), (r0, c1), (r1, c0), (r1, c1)]
    )  # the corners are still those of the box


def test_a_model_that_sees_pixels_alone_does_not_mind(run, fake):
    turned = run(fake(), turns=True).turns
    assert [each.name for each in turned] == [turn.name for turn in TURNS]
    assert all((each.change.mean, each.agreement.mean) == (0, 1) for each in turned)


def test_a_model_that_always_errs_on_the_left_is_found_out(run, fake):
    model = fake(mistake=0.4)
    result = run(model, turns=True, corrections=0)
    mirrored, upside_down, *_ = result.turns
    assert upside_down.agreement.mean == 1
    assert mirrored.agreement.mean < 0.6
    assert abs(mirrored.change.mean) < 0.02  # as wrong as before, on the other side
    shapes = {image.shape[:2] for image in model.images}
    assert shapes == {(80, 100), (100, 80)}


def test_the_summary_is_the_mean_over_objects():
    first = [(0.1, 0.9), (0.0, 0.8), (0, 1), (0, 1), (0, 1)]
    second = [(-0.3, 0.7), (0.2, 0.8), (0, 1), (0, 1), (0, 1)]
    found = sum_up([first, second], ["a", "b"])
    assert found[0].change.mean == pytest.approx(-0.1)
    assert found[0].agreement.mean == pytest.approx(0.8)
    assert found[1].change.mean == pytest.approx(0.1)
