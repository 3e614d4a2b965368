"""The annotation state machine, without viewer and without network."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_dextr.errors import OutputError, PromptError
from napari_dextr.postprocess import PostProcess
from napari_dextr.segmenter import Segmentation
from napari_dextr.session import KINDS, History, Mark, Session

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


def answered() -> Session:
    session = clicked()
    request = session.begin()
    assert request is not None
    assert session.finish(request.serial, answer(session))
    return session


def test_counts_the_clicks_that_remain() -> None:
    session = Session()
    seen = [session.remaining]
    for point in CORNERS:
        session.add_point("extreme", point)
        seen.append(session.remaining)
    session.add_point("extreme", (5, 3))
    assert [*seen, session.remaining] == [4, 3, 2, 1, 0, 0]


def test_other_kinds_are_no_extreme_points() -> None:
    session = clicked(CORNERS[:3])
    session.add_point("inside", (9, 9))
    assert session.remaining == 1
    assert session.begin() is None


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


def test_an_answer_is_taken_once() -> None:
    session = answered()
    assert session.segmentation is not None
    assert not session.busy
    assert not session.finish(1, answer(session))


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
def test_superseded_answers_are_dropped(change: object) -> None:
    session = clicked()
    request = session.begin()
    assert request is not None
    late = answer(session)
    change(session)  # type: ignore[operator]
    assert not session.finish(request.serial, late)
    assert not session.fail(request.serial)
    assert session.segmentation is None


def test_a_failed_request_leaves_the_marks() -> None:
    session = clicked()
    request = session.begin()
    assert request is not None
    assert session.busy
    assert session.fail(request.serial)
    assert not session.busy
    assert len(session.marks) == 4


def test_tuning_changes_present_and_later_masks() -> None:
    session = answered()
    assert session.segmentation is not None
    before = int(session.segmentation.mask.sum())
    assert session.tune(0.5, PostProcess(fill_holes=math.inf))
    assert int(session.segmentation.mask.sum()) == before + 1
    assert session.tune(0.9, PostProcess())
    assert not session.segmentation.mask.any()
    request = session.begin()
    assert request is not None
    session.finish(request.serial, answer(session))
    assert session.segmentation.threshold == 0.9
    assert not Session().tune(0.3, None)


def test_each_place_has_its_own_marks_and_undo() -> None:
    session = Session()
    session.go_to("first")
    first = session.add_point("extreme", CORNERS[0])
    session.go_to("second")
    assert session.marks == ()
    session.add_point("extreme", CORNERS[1])
    session.go_to("first", first)
    assert session.marks == first
    assert session.undo()
    assert session.marks == ()
    session.forget(["first"])
    assert session.place is None
    assert set(session.places) == {None, "second"}


def test_accepting_makes_room_and_remembers() -> None:
    session = answered()
    session.use_target("labels", 0)
    accepted = session.accept(session.next_label())
    assert (accepted.label, accepted.model, accepted.score) == (1, "fake", 0.8)
    assert session.accepted == [accepted]
    assert session.marks == ()
    assert session.segmentation is None
    assert not session.can_undo
    with pytest.raises(PromptError, match="no preview"):
        session.accept(2)


def test_labels_are_never_given_twice() -> None:
    session = Session()
    session.use_target("labels", 6)
    assert session.next_label() == 7
    session.note_label(7)
    session.note_label(3)
    assert session.next_label() == 8
    session.use_target("other", 0)
    assert session.next_label() == 1
    session.use_target("labels", 0)  # everything was undone; the numbers stay used
    assert session.next_label() == 8
    session.forget_target("labels")
    session.use_target("labels", 0)
    assert session.next_label() == 1


def test_a_label_over_the_data_type_is_refused() -> None:
    session = Session()
    session.use_target("labels", 255)
    with pytest.raises(OutputError, match="255"):
        session.next_label(255)


def test_history_says_whether_something_changed() -> None:
    history = History()
    mark = (Mark("extreme", 1, 2),)
    assert not history.push(())
    assert history.push(mark)
    assert not history.redo()
    assert history.undo()
    assert not history.undo()
    assert history.redo()
    assert history.present == mark


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
