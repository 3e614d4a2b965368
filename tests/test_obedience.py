"""What was clicked gets its way, and no more than that."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from napari_dextr.obedience import obey
from napari_dextr.prompt import Prompt

REGION = (slice(100, 160), slice(200, 260))
AT = st.tuples(st.floats(100, 111), st.floats(200, 213))


def halves() -> np.ndarray:
    """Probability of an object in the left half, rather unlikely in the right one."""
    probability = np.full((60, 60), 0.3, np.float32)
    probability[:, :30] = 0.9
    return probability


def obeyed(prompt: Prompt, probability: np.ndarray | None = None) -> np.ndarray:
    probability = halves() if probability is None else probability
    return obey(probability, REGION, prompt, 0.5) > 0.5


def boxed(**marks: object) -> Prompt:
    return Prompt(box_bounds=(100.0, 200.0, 159.0, 259.0), **marks)


@given(
    arrays(np.float32, (12, 14), elements=st.floats(0, 1, width=32)), st.lists(AT, max_size=5), st.lists(AT, max_size=5)
)
def test_every_clicked_pixel_is_as_it_was_clicked(probability, inside, outside):
    pixels = [tuple(np.rint(point)) for point in inside], [tuple(np.rint(point)) for point in outside]
    prompt = boxed().with_inside(inside).with_outside(outside)
    probability[0, 0] = 1  # of an empty mask nothing is asked
    before = probability.copy()
    mask = obey(probability, (slice(100, 112), slice(200, 214)), prompt, 0.5) > 0.5
    np.testing.assert_array_equal(probability, before)
    for mine, others, wanted in ((pixels[0], pixels[1], True), (pixels[1], pixels[0], False)):
        for row, col in set(mine) - set(others):
            assert mask[int(row) - 100, int(col) - 200] == wanted


def test_a_click_that_was_followed_changes_nothing():
    probability = halves()
    prompt = boxed().with_inside([(120, 210)]).with_outside([(120, 250)])
    assert obey(probability, REGION, prompt, 0.5) is probability


def test_the_surroundings_that_are_as_likely_come_along_and_what_is_far_does_not():
    mask = obeyed(boxed().with_inside([(130, 245)]))
    rows, cols = np.nonzero(mask & (halves() < 0.5))
    apart = np.hypot(rows - 30, cols - 45)
    assert apart.max() <= 6  # a tenth of the box
    assert len(rows) > 100  # about the whole circle
    assert mask[:, :30].all()


def test_what_is_less_likely_than_the_clicked_pixel_stays():
    probability = halves()
    probability[:, 46:] = 0.1
    mask = obeyed(boxed().with_inside([(130, 245)]), probability)
    assert mask[30, 45]
    assert mask[30, 42]
    assert not mask[:, 46:].any()


def test_what_does_not_hang_together_with_the_click_stays():
    probability = halves()
    probability[:, 46] = 0.1
    mask = obeyed(boxed().with_inside([(130, 245)]), probability)
    assert mask[30, 42]
    assert not mask[:, 46:].any()


def test_an_outside_click_takes_away_and_stops_halfway_to_an_inside_one():
    mask = obeyed(boxed().with_outside([(130, 210)]).with_inside([(130, 214)]))
    assert not mask[30, 10:12].any()
    assert mask[30, 12:15].all()


def test_a_pixel_that_was_clicked_both_ways_stays_as_the_model_has_it():
    both = boxed().with_inside([(130, 210)]).with_outside([(130, 210)])
    np.testing.assert_array_equal(obeyed(both), halves() > 0.5)


def test_the_whole_stroke_is_obeyed():
    mask = obeyed(boxed().with_inside_stroke([(110, 240), (150, 255)]))
    assert mask[[10, 20, 30, 40, 50], [40, 44, 48, 51, 55]].all()
    mask = obeyed(boxed().with_outside_stroke([(110, 205), (150, 205)]))
    assert not mask[10:51, 5].any()


def test_marks_on_the_outline_and_beyond_the_border_are_on_neither_side():
    probability = halves()
    prompt = boxed().with_boundary([(130, 250)]).with_outside([(99, 199), (400, 400)]).with_inside([(160.4, 230)])
    assert obey(probability, REGION, prompt, 0.5) is probability


def test_without_a_box_the_mask_says_how_large_the_object_is():
    mask = obeyed(Prompt.clicks([(130, 245)]))
    assert 20 < np.count_nonzero(mask[:, 30:]) < 80  # a circle of radius 4: the mask of 1800 pixels is 42 wide


def test_where_nothing_was_found_there_is_nothing_to_correct():
    assert not obeyed(Prompt.clicks([(130, 245)]), np.full((60, 60), 0.2, np.float32)).any()


def test_it_holds_at_every_threshold():
    probability = obey(halves(), REGION, boxed().with_inside([(130, 245)]).with_outside([(130, 210)]), 0.5)
    for threshold in (0.01, 0.99):
        assert (probability > threshold)[30, 45]
        assert not (probability > threshold)[30, 10]


def corrected(earlier: np.ndarray, answer: np.ndarray, **marks: object) -> np.ndarray:
    """The answer to a correction of ``earlier``, both ``(60, 60)`` bool."""
    prompt = boxed().with_mask(earlier, REGION)
    for kind, points in marks.items():
        prompt = getattr(prompt, f"with_{kind}")(points)
    return obey(answer.astype(np.float32), REGION, prompt, 0.5) > 0.5


def strip(start: int, stop: int) -> np.ndarray:
    mask = np.zeros((60, 60), bool)
    mask[:, start:stop] = True
    return mask


def test_a_correction_inside_takes_nothing_away_and_one_outside_adds_nothing():
    inside = corrected(strip(10, 30), strip(15, 40), inside=[(130, 235)])
    np.testing.assert_array_equal(inside, strip(10, 40))
    outside = corrected(strip(10, 30), strip(15, 40), outside=[(130, 212)])
    np.testing.assert_array_equal(outside, strip(15, 30))
    stroke = corrected(strip(10, 30), strip(15, 40), inside_stroke=[(110, 235), (130, 235)])
    np.testing.assert_array_equal(stroke, strip(10, 40))


def test_without_a_contradiction_or_with_both_kinds_the_answer_is_taken_as_it_is():
    answer = strip(15, 40)
    np.testing.assert_array_equal(corrected(strip(10, 30), answer), answer)
    np.testing.assert_array_equal(corrected(strip(10, 30), answer, inside=[(130, 220)]), answer)  # it was inside
    np.testing.assert_array_equal(corrected(strip(10, 30), answer, boundary=[(130, 240)]), answer)
    both = corrected(strip(10, 30), answer, inside=[(130, 235)], outside=[(130, 212)])
    np.testing.assert_array_equal(both, answer)


def test_of_the_earlier_mask_only_what_lies_in_the_region_counts():
    whole = np.ones((100, 100), np.float32)
    whole[:, 60:] = 0.4
    prompt = boxed().with_mask(whole, (slice(60, 160), slice(180, 280))).with_inside([(130, 250)])
    answer = np.zeros((60, 60), np.float32)
    answer[20:40, 45:55] = 1
    np.testing.assert_array_equal(obey(answer, REGION, prompt, 0.5) > 0.5, strip(0, 40) | (answer > 0))
    np.testing.assert_array_equal(obey(answer, REGION, prompt, 0.3), answer)  # there the earlier mask was everywhere
    apart = boxed().with_mask(np.ones((5, 5)), (slice(0, 5), slice(0, 5))).with_inside([(130, 250)])
    np.testing.assert_array_equal(obey(answer, REGION, apart, 0.5), answer)
