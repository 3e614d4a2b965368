"""Marks of the current object, requests and answers."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_dextr.errors import PromptError
from napari_dextr.objects import KINDS, NEEDED, Mark
from napari_dextr.postprocess import PostProcess
from napari_dextr.segmentation import Segmentation
from napari_dextr.session import Session

CORNERS = [(2.0, 10.0), (10.0, 1.0), (18.0, 11.0), (9.0, 20.0)]


def clicked(points: list[tuple[float, float]] = CORNERS) -> Session:
    session = Session()
    for point in points:
        session.add_point("extreme", point)
    return session


def answer(session: Session, probability: float = 0.6) -> Segmentation:
    region = (slice(2, 19), slice(1, 21))
    values = np.full((17, 20), probability, np.float32)
    values[8, 8] = 0.0
    return Segmentation(values, region, (30, 30), session.prompt(), 0.8, "fake", 0.5)


def ask(session: Session, probability: float = 0.6) -> None:
    request = session.begin()
    assert request is not None
    assert session.finish(request.serial, answer(session, probability))


def answered() -> Session:
    session = clicked()
    ask(session)
    return session


def area(session: Session) -> int:
    assert session.segmentation is not None
    return int(session.segmentation.mask.sum())


# -- marks and prompts ------------------------------------------------------------------------------------------------


def test_counts_the_clicks_that_remain() -> None:
    session = Session()
    seen = [session.remaining]
    for point in CORNERS:
        session.add_point("extreme", point)
        seen.append(session.remaining)
    session.add_point("extreme", (5, 3))
    assert [*seen, session.remaining] == [4, 3, 2, 1, 0, 0]
    assert NEEDED == 4


def test_other_kinds_are_no_extreme_points() -> None:
    session = clicked(CORNERS[:3])
    session.add_point("inside", (9, 9))
    assert session.remaining == 1
    assert session.begin() is None
    assert not session.to_ask


def test_three_extreme_points_suffice_when_asked_for() -> None:
    session = clicked(CORNERS[:3])
    request = session.begin(least=3)
    assert request is not None
    np.testing.assert_array_equal(request.prompt.extreme_points, CORNERS[:3])
    assert session.remaining == 1
    with pytest.raises(PromptError, match="1 of 4"):
        session.prompt()


def test_prompt_holds_every_kind() -> None:
    session = clicked()
    session.add_point("boundary", (4, 4))
    session.add_point("inside", (9, 9))
    session.add_point("outside", (25, 25))
    prompt = session.prompt()
    np.testing.assert_array_equal(prompt.extreme_points, CORNERS)
    np.testing.assert_array_equal(prompt.boundary_points, [(4, 4)])
    np.testing.assert_array_equal(prompt.inside_points, [(9, 9)])
    np.testing.assert_array_equal(prompt.outside_points, [(25, 25)])


def test_a_box_needs_no_extreme_points() -> None:
    session = Session()
    assert session.set_box((20, 1, 2, 15))
    assert session.box == (2, 1, 20, 15)
    assert session.remaining == 0
    assert session.to_ask
    session.add_point("inside", (9, 9))
    session.add_point("extreme", (2, 8))
    prompt = session.prompt()
    assert prompt.box_bounds == (2, 1, 20, 15)
    assert prompt.marks == {"box", "inside", "boundary"}
    for point in CORNERS[1:]:
        session.add_point("extreme", point)
    assert session.prompt().marks == {"extreme", "inside"}
    for _ in range(6):
        session.undo()
    assert session.box is None
    with pytest.raises(PromptError, match="empty"):
        session.set_box((1, 1, 1, 5))


def test_inside_outside_guidance_is_one_step() -> None:
    from napari_dextr.prompt import Prompt

    session = Session()
    expected = Prompt.inside_outside((9, 9), (2, 1), (20, 15))
    marks = [Mark("inside", 9, 9), *(Mark("outside", *corner) for corner in expected.outside_points)]
    assert session.set_prompt(marks, (2, 1, 20, 15))
    prompt = session.prompt()
    assert (prompt.marks, prompt.bounds) == (expected.marks, expected.bounds)
    np.testing.assert_array_equal(prompt.outside_points, expected.outside_points)
    session.undo()
    assert session.marks == ()
    assert not session.can_undo


def test_prompt_without_enough_points_says_how_many_are_missing() -> None:
    with pytest.raises(PromptError, match="3 of 4"):
        clicked(CORNERS[:1]).prompt()


def test_unknown_kind_is_refused() -> None:
    with pytest.raises(PromptError, match="extreme"):
        Session().add_point("middle", (1, 1))


@pytest.mark.parametrize("points", [[(5, 5)] * 4, [(0, 0), (5, 5), (10, 10), (15, 15)]], ids=["coincident", "in line"])
def test_unusable_marks_are_reported_and_stay(points: list[tuple[float, float]]) -> None:
    session = clicked(points)
    with pytest.raises(PromptError):
        session.begin()
    assert len(session.marks) == 4
    assert not session.busy


def test_points_can_be_moved_and_removed() -> None:
    session = clicked()
    session.move_point(1, (11, 2))
    assert session.marks[1] == Mark("extreme", 11.0, 2.0)
    session.remove_point(-1)
    assert len(session.marks) == 3
    session.undo()
    session.undo()
    assert session.marks[1] == Mark("extreme", *CORNERS[1])
    with pytest.raises(IndexError):
        session.move_point(9, (1, 1))


def test_of_two_equal_points_only_one_moves() -> None:
    session = Session()
    for _ in range(2):
        session.add_point("inside", (3, 3))
    session.move_point(0, (4, 4))
    assert session.marks == (Mark("inside", 4, 4), Mark("inside", 3, 3))


# -- requests and answers ---------------------------------------------------------------------------------------------


def test_an_answer_is_taken_once() -> None:
    session = clicked()
    assert session.to_ask
    request = session.begin()
    assert request is not None
    assert session.busy
    assert not session.to_ask
    assert session.finish(request.serial, answer(session))
    assert session.segmentation is not None
    assert not session.busy
    assert not session.finish(request.serial, answer(session))


@pytest.mark.parametrize(
    "change",
    [
        lambda session: session.add_point("inside", (9, 9)),
        lambda session: session.undo(),
        lambda session: session.discard(),
        lambda session: session.go_to("another plane"),
        lambda session: session.begin(),
    ],
    ids=["click", "undo", "discard", "other plane", "newer request"],
)
def test_superseded_answers_are_dropped(change: Callable[[Session], object]) -> None:
    session = clicked()
    request = session.begin()
    assert request is not None
    late = answer(session)
    change(session)
    assert not session.finish(request.serial, late)
    assert not session.fail(request.serial)
    assert session.segmentation is None


def test_a_failed_request_leaves_the_marks() -> None:
    session = clicked()
    request = session.begin()
    assert request is not None
    assert session.fail(request.serial)
    assert not session.busy
    assert len(session.marks) == 4


def test_a_change_elsewhere_does_not_disturb_a_request() -> None:
    session = clicked()
    request = session.begin()
    assert request is not None
    session.add_class("cell")
    session.tune(0.9, None)
    assert session.finish(request.serial, answer(session))
    assert area(session) == 0


# -- earlier masks ----------------------------------------------------------------------------------------------------


def test_a_correcting_click_passes_the_mask_on() -> None:
    session = answered()
    session.model_marks = frozenset({"extreme", "inside", "mask"})
    assert session.prompt().previous is None
    session.add_point("inside", (9, 9))
    previous = session.prompt().previous
    assert previous is not None
    assert previous.region == (slice(2, 19), slice(1, 21))
    assert previous.probability.sum() == 339
    session.add_point("outside", (3, 3))  # before the model has answered: it still corrects that mask
    assert session.prompt().previous is not None
    session.model_marks = frozenset({"extreme", "inside"})
    assert session.prompt().previous is None


@pytest.mark.parametrize(
    "change",
    [
        lambda session: session.move_point(0, (1.0, 10.0)),
        lambda session: session.remove_point(4),
        lambda session: session.add_point("extreme", (5.0, 2.0)),
        lambda session: session.set_box((0, 0, 20, 20)),
    ],
    ids=["moved", "removed", "further extreme point", "box"],
)
def test_other_changes_ask_by_the_marks_alone(change: Callable[[Session], object]) -> None:
    session = answered()
    session.model_marks = frozenset({"extreme", "inside", "mask"})
    session.add_point("inside", (9, 9))
    ask(session)
    change(session)
    assert session.prompt().previous is None


def test_an_empty_mask_is_not_passed_on() -> None:
    session = clicked()
    session.model_marks = frozenset({"mask"})
    ask(session, 0.2)
    session.add_point("inside", (9, 9))
    assert session.prompt().previous is None


def test_undoing_a_click_needs_no_network() -> None:
    session = answered()
    before = area(session)
    session.add_point("inside", (9, 9))
    assert session.segmentation is None
    session.undo()
    assert area(session) == before
    assert not session.to_ask
    assert session.segmentation is not None
    assert (session.segmentation.score, session.segmentation.model) == (0.8, "fake")
    assert session.segmentation.shape == (30, 30)
    session.redo()
    assert session.to_ask


def test_coming_back_to_a_place_needs_no_network() -> None:
    session = answered()
    before = area(session)
    session.go_to("another plane")
    assert session.segmentation is None
    session.go_to(None)
    assert area(session) == before
    session.go_to("another plane")
    session.tune(0.3, None)
    session.go_to(None)
    assert session.segmentation is None  # a kept mask has no threshold
    assert session.to_ask


# -- threshold and clean-up -------------------------------------------------------------------------------------------


def test_tuning_changes_present_and_later_masks() -> None:
    session = answered()
    before = area(session)
    assert session.tune(0.5, PostProcess(fill_holes=math.inf))
    assert area(session) == before + 1
    assert session.tune(0.9, PostProcess())
    assert area(session) == 0
    assert session.tune(0.9, PostProcess())
    ask(session)
    assert session.segmentation is not None
    assert session.segmentation.threshold == 0.9
    assert not Session().tune(0.3, None)


def test_a_slider_is_one_step() -> None:
    session = answered()
    before = area(session)
    for threshold in (0.6, 0.7, 0.8):
        session.tune(threshold, None)
    assert area(session) == 0
    change = session.undo()
    assert change is not None
    assert change.tuning
    assert session.tuning == (None, None)
    assert area(session) == before
    session.redo()
    assert session.tuning == (0.8, None)
    assert area(session) == 0


def test_tuning_a_mask_that_was_kept_asks_again() -> None:
    session = answered()
    session.add_point("inside", (9, 9))
    session.undo()
    assert not session.tune(0.3, None)
    assert session.to_ask
    session.undo()
    assert session.segmentation is not None
    assert not session.to_ask


# -- places and undo --------------------------------------------------------------------------------------------------


def test_each_place_has_its_own_marks() -> None:
    session = Session()
    session.go_to("first")
    first = session.add_point("extreme", CORNERS[0])
    session.go_to("second")
    assert session.marks == ()
    session.add_point("extreme", CORNERS[1])
    session.go_to("first", first)
    assert session.marks == first
    assert set(session.drafts) == {"first", "second"}
    session.go_to("first", ())
    assert session.marks == ()


POINT = st.tuples(st.floats(-5, 40), st.floats(-5, 40))
STEP = st.one_of(
    st.tuples(st.just("add"), st.sampled_from(KINDS), POINT),
    st.tuples(st.just("move"), st.integers(0, 20), POINT),
    st.tuples(st.just("remove"), st.integers(0, 20), POINT),
    st.tuples(st.just("discard"), st.integers(0, 0), POINT),
)


@given(st.lists(STEP, max_size=20))
def test_undo_goes_back_through_all_states_and_redo_forward_again(steps: list[tuple[str, object, object]]) -> None:
    session = Session()
    states = [session.marks]
    for step, which, point in steps:
        if step == "add":
            session.add_point(which, point)  # type: ignore[arg-type]
        elif step == "discard":
            session.discard()
        elif session.marks and step == "move":
            session.move_point(which % len(session.marks), point)  # type: ignore[operator, arg-type]
        elif session.marks:
            session.remove_point(which % len(session.marks))  # type: ignore[operator]
        if session.marks != states[-1]:
            states.append(session.marks)
    seen = [session.marks]
    while session.undo():
        seen.append(session.marks)
    assert seen == states[::-1]
    seen = [session.marks]
    while session.redo():
        seen.append(session.marks)
    assert seen == states
