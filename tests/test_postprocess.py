"""From a probability to a mask, step by step."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from napari_dextr.errors import PromptError
from napari_dextr.postprocess import PostProcess, finish_mask
from napari_dextr.prompt import Prompt

ORIGIN = (100, 200)


def region(shape: tuple[int, int]) -> tuple[slice, slice]:
    return slice(ORIGIN[0], ORIGIN[0] + shape[0]), slice(ORIGIN[1], ORIGIN[1] + shape[1])


def finish(probability, post=None, prompt=None, threshold=0.5):
    probability = np.asarray(probability, np.float32)
    prompt = prompt or Prompt.box(100, 200, 110, 210)
    return finish_mask(probability, region(probability.shape), prompt, threshold, post or PostProcess())


def picture(*rows: str) -> np.ndarray:
    return np.array([[character == "#" for character in row] for row in rows])


RING = picture(
    ".........",
    ".#####...",
    ".#...#.#.",
    ".#.#.#...",
    ".#...#.##",
    ".#####.##",
)


@given(arrays(np.float32, (6, 7), elements=st.floats(0, 1, width=32)), st.floats(0.01, 0.99))
def test_without_steps_only_the_threshold_acts(probability, threshold):
    np.testing.assert_array_equal(finish(probability, threshold=threshold), probability > threshold)


def test_nan_is_background():
    np.testing.assert_array_equal(finish([[math.nan, 0.9]]), [[False, True]])


def test_holes_are_filled_up_to_their_size():
    np.testing.assert_array_equal(finish(RING, PostProcess(fill_holes=7)), RING)
    filled = finish(RING, PostProcess(fill_holes=8))
    assert filled[2:5, 2:5].all()
    np.testing.assert_array_equal(finish(RING, PostProcess(fill_holes=math.inf)), filled)
    assert not filled[0].any()


def test_what_reaches_the_border_is_no_hole():
    bay = picture("###", "#.#", "#.#")
    np.testing.assert_array_equal(finish(bay, PostProcess(fill_holes=math.inf)), bay)


def test_islands_are_dropped_by_size_but_never_the_largest():
    kept = finish(RING, PostProcess(remove_islands=4))
    assert kept[4, 7]
    assert not kept[2, 7]
    assert not kept[3, 3]
    assert finish(RING, PostProcess(remove_islands=5)).sum() == 16
    assert finish(RING, PostProcess(remove_islands=1000)).sum() == 16


def test_only_marked_parts_stay():
    post = PostProcess(keep_marked=True)
    inside = Prompt.clicks([(104.2, 207.6)])
    assert finish(RING, post, inside).sum() == 4
    nearer = Prompt.clicks([(103.5, 207.3)])  # within two pixels of the single pixel above as well
    assert finish(RING, post, nearer).sum() == 4 + 1
    outline = Prompt.extreme([(101, 203), (103, 201), (105, 203), (103, 205)])
    np.testing.assert_array_equal(finish(RING, post, outline)[:, :7].sum(), RING[:, :7].sum())


def test_where_no_part_is_marked_the_largest_stays():
    far = Prompt.clicks([(500, 500)])
    kept = finish(RING, PostProcess(keep_marked=True), far)
    assert kept.sum() == 16
    assert kept[1, 1]
    before = Prompt.clicks([(50, 50)])
    np.testing.assert_array_equal(finish(RING, PostProcess(keep_marked=True), before), kept)


def test_outside_marks_keep_nothing():
    prompt = Prompt.box(100, 200, 105, 208).with_outside([(102, 207)])
    assert not finish(RING, PostProcess(keep_marked=True), prompt)[2, 7]


def test_clipping_follows_the_box_of_the_marks_in_image_coordinates():
    prompt = Prompt.box(102, 203, 105, 206)
    clipped = finish(np.ones((10, 12)), PostProcess(clip_slack=0), prompt)
    assert np.argwhere(clipped).min(axis=0).tolist() == [2, 3]
    assert np.argwhere(clipped).max(axis=0).tolist() == [5, 6]
    wider = finish(np.ones((10, 12)), PostProcess(clip_slack=2), prompt)
    assert np.argwhere(wider).min(axis=0).tolist() == [0, 1]
    assert np.argwhere(wider).max(axis=0).tolist() == [7, 8]
    assert finish(np.ones((4, 4)), PostProcess(clip_slack=0), Prompt.clicks([(101, 201)])).all()


@given(arrays(bool, (9, 9)), st.floats(0, 20), st.floats(0, 20), st.booleans())
def test_holes_only_add_and_islands_only_remove(mask, holes, islands, marked):
    prompt = Prompt.clicks([(104, 204)])
    assert (finish(mask, PostProcess(fill_holes=holes), prompt) >= mask).all()
    kept = finish(mask, PostProcess(remove_islands=islands, keep_marked=marked), prompt)
    assert (kept <= mask).all()
    assert kept.any() == mask.any()


@pytest.mark.parametrize("sizes", [{"fill_holes": -1}, {"remove_islands": math.nan}, {"clip_slack": -0.5}])
def test_sizes_must_make_sense(sizes):
    with pytest.raises(PromptError, match="0 or more"):
        PostProcess(**sizes)
