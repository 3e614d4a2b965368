from __future__ import annotations

import tracemalloc
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from napari_dextr.errors import PromptError
from napari_dextr.prompt import MARKS, Prompt, as_points, check_extreme_points, sample_stroke

DIAMOND = [(10.0, 40.0), (50.0, 5.0), (90.0, 42.0), (48.0, 80.0)]
coordinates = st.floats(-1e4, 1e4)
points = st.tuples(coordinates, coordinates)
NUMBERED = {"ragged": [(1, 2), (3,)], "text": "here", "objects": [object()], "too large": [(10**400, 1)]}


# -- checking coordinates --------------------------------------------------------------------------


@given(st.lists(points, max_size=8))
def test_points_keep_every_digit(marks: list[tuple[float, float]]) -> None:
    array = as_points(marks)
    assert array.shape == (len(marks), 2)
    assert array.dtype == np.float64
    assert array.tolist() == [list(mark) for mark in marks]


def test_points_are_a_copy_that_cannot_be_changed() -> None:
    mine = np.array(DIAMOND)
    prompt = Prompt.extreme(mine)
    mine[:] = 0
    assert prompt.extreme_points.tolist() == [list(point) for point in DIAMOND]
    with pytest.raises(ValueError, match="read-only"):
        prompt.extreme_points[0, 0] = 1
    with pytest.raises(ValueError, match="read-only"):
        prompt.with_boundary([(1, 2)]).outline_points[0, 0] = 1


def test_one_pair_is_one_point() -> None:
    assert as_points((3, 4)).tolist() == [[3, 4]]
    assert as_points([]).shape == (0, 2)


@pytest.mark.parametrize("shape", [(3,), (4, 3), (2, 2, 2), ()])
def test_other_shapes_are_refused_with_the_shape(shape: tuple[int, ...]) -> None:
    with pytest.raises(PromptError, match=r"must have shape \(N, 2\)"):
        as_points(np.ones(shape))


@pytest.mark.parametrize("wrong", NUMBERED.values(), ids=NUMBERED.keys())
def test_what_is_no_number_is_refused(wrong: object) -> None:
    with pytest.raises(PromptError, match="inside points must be numbers"):
        Prompt.clicks(wrong)


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf, None])
def test_coordinates_that_are_not_finite_are_refused(wrong: float | None) -> None:
    with pytest.raises(PromptError, match="not a finite number; remove that point"):
        Prompt.extreme([*DIAMOND[:3], (wrong, 3)])


# -- extreme points --------------------------------------------------------------------------------


@given(st.lists(points, min_size=3, max_size=8))
def test_the_box_is_spanned_by_the_extreme_points(marks: list[tuple[float, float]]) -> None:
    try:
        check_extreme_points(as_points(marks))
    except PromptError:
        assume(False)
    rows, cols = zip(*marks, strict=True)
    assert Prompt.extreme(marks).bounds == (min(rows), min(cols), max(rows), max(cols))


@given(st.permutations(DIAMOND))
def test_the_order_of_the_clicks_does_not_matter(marks: list[tuple[float, float]]) -> None:
    assert Prompt.extreme(marks).bounds == (10, 5, 90, 80)


@pytest.mark.parametrize("count", [0, 1, 2])
def test_fewer_than_three_extreme_points_are_refused(count: int) -> None:
    with pytest.raises(PromptError, match=rf"{count} given, at least 3 are needed"):
        Prompt.extreme(DIAMOND[:count])


def test_coincident_points_are_refused_by_number() -> None:
    with pytest.raises(PromptError, match="Points 1 and 3 coincide"):
        Prompt.extreme([(10, 10), (50, 5), (10.2, 10.2)])


def test_a_corner_may_serve_as_two_extremes() -> None:
    # The tip of a leaf is its topmost and its leftmost point: clicked twice, three distinct points remain.
    assert Prompt.extreme([(0, 0), (0, 0), (50, 20), (30, 60)]).bounds == (0, 0, 50, 60)


@given(points, st.floats(0, np.pi), st.lists(st.floats(-500, 500), min_size=3, max_size=6))
def test_points_on_one_line_are_refused(start: tuple[float, float], angle: float, steps: list[float]) -> None:
    direction = np.array([np.sin(angle), np.cos(angle)])
    with pytest.raises(PromptError, match="one line|coincide"):
        Prompt.extreme(np.array(start) + np.outer(steps, direction))


# -- boxes, clicks, strokes, inside-outside --------------------------------------------------------


@given(points, points)
def test_a_box_takes_its_corners_in_any_order(a: tuple[float, float], b: tuple[float, float]) -> None:
    assume(abs(a[0] - b[0]) >= 0.5 and abs(a[1] - b[1]) >= 0.5)
    boxes = {
        Prompt.box(*first, *second).bounds
        for first, second in [(a, b), (b, a), ((a[0], b[1]), (b[0], a[1])), ((b[0], a[1]), (a[0], b[1]))]
    }
    assert boxes == {(min(a[0], b[0]), min(a[1], b[1]), max(a[0], b[0]), max(a[1], b[1]))}


@pytest.mark.parametrize("box", [(5, 5, 5, 9), (5, 5, 9, 5), (5, 5, 5.2, 5.2)])
def test_an_empty_box_is_refused(box: tuple[float, ...]) -> None:
    with pytest.raises(PromptError, match="The box is empty"):
        Prompt.box(*box)


def test_inside_outside_finds_the_two_other_corners() -> None:
    prompt = Prompt.inside_outside((30, 40), (60, 10), (20, 70))
    assert prompt.marks == {"box", "inside", "outside"}
    assert prompt.bounds == (20, 10, 60, 70)
    assert sorted(map(tuple, prompt.outside_points.tolist())) == [(20, 10), (20, 70), (60, 10), (60, 70)]
    assert prompt.positive_points.tolist() == [[30, 40]]


def test_inside_outside_wants_one_point_inside_its_box() -> None:
    with pytest.raises(PromptError, match="outside the box"):
        Prompt.inside_outside((5, 40), (20, 10), (60, 70))
    with pytest.raises(PromptError, match="exactly one inside point"):
        Prompt.inside_outside([(30, 40), (31, 41)], (20, 10), (60, 70))
    with pytest.raises(PromptError, match="box is empty"):
        Prompt.inside_outside((20, 10), (20, 10), (20, 70))


def test_clicks_leave_the_box_open() -> None:
    prompt = Prompt.clicks([(3, 4)], outside=[(8, 9), (1, 1)])
    assert prompt.bounds is None
    assert prompt.marks == {"inside", "outside"}
    assert len(prompt) == 3


def test_clicks_and_strokes_need_something_inside() -> None:
    with pytest.raises(PromptError, match="no click inside"):
        Prompt.clicks([], outside=[(1, 1)])
    with pytest.raises(PromptError, match="no stroke inside"):
        Prompt.strokes([[]], outside=[[(1, 1), (2, 2)]])


def test_strokes_count_once_each_and_their_vertices_are_inside() -> None:
    prompt = Prompt.strokes([[(1, 1), (2, 3), (4, 4)], []], outside=[[(9, 9), (9, 12)]])
    assert len(prompt) == 2
    assert prompt.marks == {"stroke"}
    assert prompt.positive_points.tolist() == [[1, 1], [2, 3], [4, 4]]
    assert prompt.bounds is None


# -- additions -------------------------------------------------------------------------------------

ADDITIONS: dict[str, Callable[[Prompt], Prompt]] = {
    "boundary": lambda prompt: prompt.with_boundary([(30, 12)]),
    "inside": lambda prompt: prompt.with_inside((50, 40)),
    "outside": lambda prompt: prompt.with_outside([(12, 8)]),
    "stroke": lambda prompt: prompt.with_outside_stroke([(12, 8), (13, 9)]),
    "mask": lambda prompt: prompt.with_mask(np.ones((2, 3)), (slice(4, 6), slice(7, 10))),
}


@pytest.mark.parametrize(("mark", "add"), ADDITIONS.items(), ids=ADDITIONS.keys())
def test_an_addition_is_a_new_prompt_with_one_mark_more(mark: str, add: Callable[[Prompt], Prompt]) -> None:
    before = Prompt.extreme(DIAMOND)
    after = add(before)
    assert before.marks == {"extreme"}
    assert after.marks == {"extreme", mark}
    assert (len(before), len(after)) == (4, 5)
    assert after.extreme_points is before.extreme_points


@given(st.lists(st.sampled_from(sorted(ADDITIONS)), max_size=6))
def test_marks_add_up_in_any_order(kinds: list[str]) -> None:
    prompt = Prompt()
    for kind in kinds:
        prompt = ADDITIONS[kind](prompt)
    assert prompt.marks == set(kinds) <= set(MARKS)
    assert len(prompt) == len(kinds) - max(0, kinds.count("mask") - 1)  # a later mask replaces the earlier one


def test_added_points_come_after_the_earlier_ones() -> None:
    prompt = Prompt.clicks((1, 2)).with_inside([(3, 4)]).with_inside_stroke([(5, 6), (7, 8)]).with_inside((9, 10))
    assert prompt.inside_points.tolist() == [[1, 2], [3, 4], [9, 10]]
    assert prompt.positive_points.tolist() == [[1, 2], [3, 4], [9, 10], [5, 6], [7, 8]]


def test_boundary_points_widen_the_box_and_other_clicks_do_not() -> None:
    prompt = Prompt.extreme(DIAMOND).with_boundary([(95, 30)])
    assert prompt.bounds == (10, 5, 95, 80)
    assert prompt.with_inside([(200, 200)]).with_outside([(-50, -50)]).bounds == (10, 5, 95, 80)
    assert prompt.outline_points.shape == (5, 2)


def test_box_and_points_together_span_the_bounds() -> None:
    assert Prompt.box(20, 0, 60, 50).with_boundary([(70, 10)]).bounds == (20, 0, 70, 50)


# -- an earlier mask -------------------------------------------------------------------------------


def test_an_earlier_mask_is_kept_as_probability_on_its_region() -> None:
    mask = np.array([[True, False, True]])
    prompt = Prompt.extreme(DIAMOND).with_mask(mask, (slice(4, 5), slice(7, 10)))
    assert prompt.previous is not None
    assert prompt.previous.probability.dtype == np.float32
    assert prompt.previous.probability.tolist() == [[1, 0, 1]]
    assert prompt.previous.region == (slice(4, 5), slice(7, 10))
    mask[:] = False
    assert prompt.previous.probability.any()
    assert prompt.without_mask().marks == {"extreme"}


def test_an_earlier_mask_is_held_to_0_and_1() -> None:
    previous = Prompt().with_mask([[-1.0, 0.25, 7.0]], (slice(0, 1), slice(0, 3))).previous
    assert previous is not None
    assert previous.probability.tolist() == [[0, 0.25, 1]]


@pytest.mark.parametrize(
    ("probability", "region", "says"),
    [
        (np.ones((2, 3)), (slice(0, 3), slice(0, 3)), r"shape \(2, 3\), but its region covers \(3, 3\)"),
        (np.ones((2, 3, 1)), (slice(0, 2), slice(0, 3), slice(0, 1)), r"shape \(2, 3, 1\)"),
        (np.full((2, 3), np.nan), (slice(0, 2), slice(0, 3)), "not finite"),
        (np.ones((2, 3)), (slice(None), slice(None)), "two slices with start and stop"),
        (np.ones((2, 3)), (2, 3), "two slices with start and stop"),
        ("mask", (slice(0, 2), slice(0, 3)), "array of numbers"),
    ],
)
def test_a_mask_that_does_not_fit_its_region_is_refused(probability: object, region: object, says: str) -> None:
    with pytest.raises(PromptError, match=says):
        Prompt.extreme(DIAMOND).with_mask(probability, region)


# -- on an image -----------------------------------------------------------------------------------


@given(st.integers(1, 2000), st.integers(1, 2000), st.data())
def test_marks_inside_the_image_are_always_fine(height: int, width: int, data: st.DataObject) -> None:
    inside = st.tuples(st.floats(-0.5, height - 0.5), st.floats(-0.5, width - 0.5))
    Prompt.clicks(data.draw(st.lists(inside, min_size=1, max_size=5))).check((height, width))


@pytest.mark.parametrize(
    "prompt",
    [
        Prompt.extreme([(-3, 40), (50, -4), (102, 42), (48, 103)]),  # cut by the border on every side
        Prompt.box(-5, -5, 104, 104),  # larger than the image
        Prompt.extreme(DIAMOND).with_outside([(5000, 5000)]),  # what does not belong may be anywhere
        Prompt().with_mask(np.ones((2, 2)), (slice(0, 2), slice(0, 2))),
    ],
)
def test_marks_around_the_border_are_fine(prompt: Prompt) -> None:
    prompt.check((100, 100))


@pytest.mark.parametrize(
    "prompt",
    [
        Prompt.extreme([*DIAMOND[:3], (48, 400)]),
        Prompt.clicks([(50, 50), (-60, 50)]),
        Prompt.strokes([[(50, 50), (50, 4000)]]),
        Prompt.box(10, 10, 500, 50),
    ],
)
def test_a_mark_far_outside_is_refused(prompt: Prompt) -> None:
    with pytest.raises(PromptError, match="far outside the image of 100 x 100 pixels"):
        prompt.check((100, 100))


@pytest.mark.parametrize(
    "prompt",
    [
        Prompt.box(101, 10, 110, 60),
        Prompt.box(99.6, 10, 110, 60),  # begins right of the last pixel's edge
        Prompt.box(-20, -20, -0.6, 60),
        Prompt.clicks([(-4, 50), (-5, 20)]),
    ],
)
def test_marks_that_are_all_outside_are_refused(prompt: Prompt) -> None:
    with pytest.raises(PromptError, match="All marks lie outside"):
        prompt.check((100, 100))


def test_an_empty_prompt_is_refused() -> None:
    with pytest.raises(PromptError, match="prompt is empty"):
        Prompt().check((100, 100))


@pytest.mark.parametrize("prompt", [Prompt().with_outside([(5, 5)]), Prompt().with_outside_stroke([(5, 5), (6, 6)])])
def test_outside_marks_alone_are_refused(prompt: Prompt) -> None:
    with pytest.raises(PromptError, match="outside marks only"):
        prompt.check((100, 100))


@pytest.mark.parametrize("far", [1e18, -1e154, 1e308])
def test_coordinates_that_no_image_has_are_refused(far: float) -> None:
    with pytest.raises(PromptError, match="no image has"):
        Prompt.extreme([(5, 40), (30, 4), (55, 50), (far, 80)])
    with pytest.raises(PromptError, match="no image has"):
        Prompt.clicks([(5, 5)]).with_outside([(far, far)])


def test_thousands_of_extreme_points_take_no_more_than_their_own_room() -> None:
    points = np.random.default_rng(0).random((20_000, 2)) * 100  # each with each would be gigabytes
    tracemalloc.start()
    Prompt.extreme(points)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 50 * points.nbytes


def test_the_first_points_that_coincide_are_named() -> None:
    with pytest.raises(PromptError, match="Points 2 and 3 coincide"):
        Prompt.extreme([(0, 0), (9, 9), (9, 9.2), (9.1, 9)])


def test_an_earlier_mask_of_no_pixels_is_refused() -> None:
    with pytest.raises(PromptError, match="covers no pixel"):
        Prompt.box(1, 1, 5, 5).with_mask(np.zeros((0, 4)), (slice(3, 3), slice(0, 4)))


def test_strokes_are_sampled_closely():
    line = sample_stroke(np.array([[0.0, 0.0], [0.0, 10.0], [5.0, 10.0]]), 1.5)
    assert np.linalg.norm(np.diff(line, axis=0), axis=1).max() <= 1.5 + 1e-9
    np.testing.assert_array_equal(line[[0, -1]], [[0, 0], [5, 10]])
    np.testing.assert_array_equal(sample_stroke(np.array([[3.0, 4.0]]), 1.0), [[3, 4]])
