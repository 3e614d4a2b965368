"""Steps with inverses, and the sequence they stand in."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_dextr.errors import OutputError
from napari_dextr.session.history import Change, History, Paint, Put, State, Step
from napari_dextr.session.patches import Patch, SparseLabels

SQUARE = (slice(0, 2), slice(0, 2))


def put(state: State, value: int | None, merge: str | None = None) -> Step:
    return Step(f"make it {value}", (Put("number", "x", state.get("number", "x"), value),), merge=merge)


@given(st.lists(st.none() | st.integers(0, 3), max_size=12))
def test_undo_passes_through_every_state(values: list[int | None]) -> None:
    state = State()
    history = History(state)
    states = [None]
    for value in values:
        history.do(put(state, value))
        states.append(state.get("number", "x"))
    back = [state.get("number", "x")]
    while history.undo():
        back.append(state.get("number", "x"))
    assert back == states[::-1]
    forth = [state.get("number", "x")]
    while history.redo():
        forth.append(state.get("number", "x"))
    assert forth == states


def test_steps_that_follow_each_other_merge() -> None:
    state = State()
    history = History(state)
    history.do(put(state, 1))
    for value in (2, 3, 4):
        history.do(put(state, value, "slider"))
    assert len(history) == 2
    history.undo()
    assert state.get("number", "x") == 1
    history.redo()
    assert state.get("number", "x") == 4
    history.do(Step("another", (Put("other", 1, None, 5),), merge="colour"))
    history.do(put(state, 9, "slider"))
    assert len(history) == 4


def test_a_slider_that_comes_back_leaves_no_step() -> None:
    state = State()
    history = History(state)
    history.do(put(state, 1))
    history.do(put(state, 2, "slider"))
    history.do(put(state, 1, "slider"))
    assert len(history) == 1
    assert state.get("number", "x") == 1


def test_merged_steps_keep_what_only_one_of_them_changed() -> None:
    state = State()
    history = History(state)
    history.do(Step("first", (Put("a", 1, None, 1), Put("b", 1, None, 1)), merge="m"))
    history.do(Step("second", (Put("a", 1, 1, 2), Put("c", 1, None, 3)), merge="m"))
    history.undo()
    assert [state.get(slot, 1) for slot in "abc"] == [None, None, None]
    history.redo()
    assert [state.get(slot, 1) for slot in "abc"] == [2, 1, 3]


def test_a_new_step_ends_what_could_be_redone() -> None:
    state = State()
    history = History(state)
    history.do(put(state, 1))
    history.undo()
    assert history.next is not None
    history.do(put(state, 2))
    assert history.next is None
    assert history.redo() is None


def test_the_oldest_steps_go_first() -> None:
    state = State()
    history = History(state, limit=3)
    for value in range(5):
        history.do(put(state, value))
    while history.undo():
        pass
    assert state.get("number", "x") == 1


@dataclass(frozen=True)
class Failing:
    """An edit that cannot be made, or cannot be taken back."""

    when: bool

    def apply(self, state: State, forward: bool) -> None:
        if forward is self.when:
            raise OutputError("locked")


@pytest.mark.parametrize("forward", [True, False], ids=["doing", "undoing"])
def test_a_step_that_fails_changes_nothing(forward: bool) -> None:
    state = State()
    history = History(state)
    edits = (Put("a", 1, None, 1), Failing(forward), Put("b", 1, None, 1))
    if forward:
        with pytest.raises(OutputError):
            history.do(Step("fails", edits))
        assert (state.get("a", 1), state.get("b", 1), len(history)) == (None, None, 0)
        return
    history.do(Step("works", edits))
    with pytest.raises(OutputError):
        history.undo()
    assert (state.get("a", 1), state.get("b", 1), len(history)) == (1, 1, 1)


def test_pixels_of_a_target_that_is_not_there() -> None:
    patch = Patch.of(SQUARE, np.zeros((2, 2), int), np.ones((2, 2), int))
    assert patch is not None
    with pytest.raises(OutputError, match="choose it again"):
        History(State()).do(Step("paint", (Paint("labels", "gone", "here", patch),)))


def test_what_somebody_else_did_is_not_done_again() -> None:
    state = State()
    image = state.images["labels", "layer"] = SparseLabels(np.uint8)
    before, after = np.zeros((2, 2), np.uint8), np.ones((2, 2), np.uint8)
    patch = Patch.of(SQUARE, before, after)
    assert patch is not None
    history = History(state)
    history.do(Step("painted", (Paint("labels", "layer", "here", patch, done=True),)))
    assert not image.read("here", SQUARE).any()
    image.write("here", SQUARE, after, after > 0)
    history.undo()
    assert not image.read("here", SQUARE).any()
    history.redo()
    assert image.read("here", SQUARE).all()


def test_steps_can_be_forgotten() -> None:
    state = State()
    history = History(state)
    for value in (1, 2):
        history.do(put(state, value))
    history.undo()
    history.drop(lambda step: step.text == "make it 1")
    assert [step.text for step in history.steps] == ["make it 2"]
    assert history.last is None


def test_a_change_tells_what_to_show() -> None:
    patch = Patch.of(SQUARE, np.zeros((2, 2), int), np.full((2, 2), 3))
    assert patch is not None
    edits = (
        Put("draft", "a", None, 1),
        Put(("object", "layer"), 4, None, "an object"),
        Put(("object", "other"), 1, None, "an object"),
        Paint("labels", "layer", "a", patch),
        Paint("painted", "layer", "a", patch),
    )
    change = Change.of(Step("accept", edits, "a", "layer"), "undo", "a")
    assert (change.marks, change.tuning, change.classes) == (True, False, False)
    assert change.objects == {"layer": {3, 4}, "other": {1}}
    (written,) = change.pixels
    assert (written.target, written.place, written.forward) == ("layer", "a", False)
    assert Change.of(Step("slider", (Put("tuning", None, 1, 2),)), "do", "a").tuning
    assert Change.of(Step("class", (Put("class", None, 1, 2),)), "do", "a").classes
