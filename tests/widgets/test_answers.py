"""The model is asked, its answer shown, and accepted where the user wants that."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

Rig = Any  # the fixtures of conftest.py: a viewer model with an image, a controller, and what it said

POINTS = [(5.0, 12.0), (14.0, 4.0), (24.0, 13.0), (13.0, 22.0)]
SECOND = [(30.0, 35.0), (33.0, 30.0), (38.0, 36.0), (34.0, 42.0)]


def test_three_points_are_enough_on_request(full: Rig) -> None:
    full.click(POINTS[:2])
    full.do.force()
    assert "at least 3" in full.do.status.text
    full.click(POINTS[2:3])
    assert full.do.session.segmentation is None
    full.do.force()
    full.wait()
    assert full.do.session.segmentation is not None
    full.do.accept()
    assert full.do.session.objects[1].facts.prompts == "3 extreme"


def test_auto_accept_takes_the_object_and_keeps_early_clicks_for_the_next(full: Rig) -> None:
    full.do.set_auto_accept(True)
    full.segmenter.gate.clear()
    full.click(POINTS)
    full.click(SECOND[:2])
    assert len(full.do.session.marks) == 4
    full.segmenter.gate.set()
    full.wait()
    assert list(full.do.session.objects) == [1]
    assert [(mark.kind, mark.row) for mark in full.do.session.marks] == [("extreme", 30), ("extreme", 33)]
    assert len(full.layer.data) == 2
    assert full.do.bench.armed
    full.segment(SECOND[2:])
    assert list(full.do.session.objects) == [1, 2]
    full.do.undo()
    assert list(full.do.session.objects) == [1]
    assert full.do.session.segmentation is not None  # and is not accepted at once again
    assert len(full.do.session.marks) == 4


def test_clicks_kept_back_are_not_lost_where_the_object_cannot_be_accepted(full: Rig) -> None:
    full.segment()
    full.do.accept()
    full.do.set_auto_accept(True)
    full.segmenter.gate.clear()
    full.click()  # the same object again: every pixel of it is taken
    full.click([(10, 10)])
    full.segmenter.gate.set()
    full.wait()
    assert "must stay" in full.notices[-1][0]
    assert not full.do.prompts.hold
    assert len(full.do.session.marks) == len(full.layer.data) == 5
    full.do.undo()
    assert len(full.do.session.marks) == len(full.layer.data) == 4


def hold(full: Rig) -> None:
    """Four clicks whose answer is accepted at once, when it comes; it does not come yet."""
    full.do.set_auto_accept(True)
    full.segmenter.gate.clear()
    full.click(POINTS)
    assert full.do.prompts.hold


def test_a_point_withdrawn_while_its_object_waits_to_be_accepted_is_clicked_again(full: Rig) -> None:
    hold(full)
    full.do.withdraw()
    full.click([(13.0, 23.0)])
    assert len(full.do.session.marks) == len(full.layer.data) == 4
    full.segmenter.gate.set()
    full.wait()
    assert list(full.do.session.objects) == [1]
    assert full.do.session.objects[1].facts.marks[3].col == 23


def test_of_clicks_kept_back_the_last_is_withdrawn_first(full: Rig) -> None:
    hold(full)
    full.click(SECOND[:2])
    full.do.withdraw()
    assert len(full.layer.data) == 5
    full.segmenter.gate.set()
    full.wait()
    assert list(full.do.session.objects) == [1]
    assert [mark.row for mark in full.do.session.marks] == [30]


def test_a_point_dragged_while_its_object_waits_to_be_accepted_counts_where_it_is_dropped(full: Rig) -> None:
    hold(full)
    moved = full.layer.data.copy()
    moved[2] = (28, 13)
    full.layer.data = moved
    full.segmenter.gate.set()
    full.wait()
    assert list(full.do.session.objects) == [1]
    assert full.do.session.objects[1].facts.marks[2].row == 28


def test_clicks_on_another_plane_are_not_kept_back_for_an_object_that_was_left(rig: Rig) -> None:
    rig.open(np.zeros((4, 40, 50), np.uint8))
    rig.qtbot.waitUntil(lambda: rig.do.model.segmenter is not None)
    rig.viewer.dims.set_current_step(0, 0)
    rig.do.set_auto_accept(True)
    rig.segmenter.gate.clear()
    rig.click(POINTS, 0)
    rig.click(SECOND[:1], 0)
    rig.viewer.dims.set_current_step(0, 2)
    rig.segmenter.gate.set()
    rig.segment(POINTS, 2)
    assert list(rig.do.session.objects) == [1]
    rig.viewer.dims.set_current_step(0, 0)
    rig.wait()
    assert len(rig.do.session.marks) == 5  # those that were made there


def test_clicks_kept_back_outlive_what_is_done_to_other_objects(full: Rig) -> None:
    full.segment(SECOND)
    full.do.accept()
    hold(full)
    full.click([(30.0, 10.0)])
    full.do.delete(1)
    assert len(full.layer.data) == 5
    full.segmenter.gate.set()
    full.wait()
    assert list(full.do.session.objects) == [2]
    assert [mark.row for mark in full.do.session.marks] == [30]


def test_going_back_to_an_object_ends_the_keeping_back_of_clicks(full: Rig) -> None:
    full.segment(SECOND)
    full.do.accept()
    hold(full)
    full.do.reopen(1)
    full.segmenter.gate.set()
    full.do.set_kind("inside")
    full.segment([(34.0, 36.0)])
    assert full.do.session.reopened == 1
    assert [mark.kind for mark in full.do.session.marks] == ["extreme"] * 4 + ["inside"]


# -- Enter before the answer -----------------------------------------------------------------------------------------


def enter(full: Rig, points: Any = POINTS) -> None:
    """Click, and press Enter while the model is at work."""
    full.segmenter.gate.clear()
    full.click(points)
    full.do.accept()
    assert full.do.session.busy
    assert full.do.answers.to_accept
    assert "accepted as soon as it is found" in full.do.status.text


def answer(full: Rig) -> None:
    full.segmenter.gate.set()
    full.wait()


def test_enter_before_the_answer_accepts_once_it_is_there(full: Rig) -> None:
    enter(full)
    full.do.accept()  # pressed again: the same object, not another one
    assert full.do.target.layer is None
    answer(full)
    assert list(full.do.session.objects) == [1]
    assert len(full.layer.data) == 0
    assert "Object 1 is in" in full.do.status.text
    full.do.undo()
    assert not full.do.session.objects
    assert len(full.do.session.marks) == 4
    assert full.do.session.segmentation is not None  # and is not accepted at once again
    assert full.notices == []


def test_clicks_after_an_early_enter_begin_the_next_object(full: Rig) -> None:
    enter(full)
    full.click(SECOND[:2])
    answer(full)
    assert list(full.do.session.objects) == [1]
    assert [(mark.kind, mark.row) for mark in full.do.session.marks] == [("extreme", 30), ("extreme", 33)]
    full.segment(SECOND[2:])
    assert list(full.do.session.objects) == [1]  # Enter was for the first one only
    assert full.do.session.segmentation is not None


def test_a_correction_and_an_early_enter(full: Rig) -> None:
    full.segment()
    full.do.set_kind("outside")
    enter(full, [(23.0, 13.0)])
    full.click(SECOND[:1])  # not a second correction
    answer(full)
    assert list(full.do.session.objects) == [1]
    assert full.do.session.objects[1].facts.prompts == "4 extreme, 1 outside"
    assert [(mark.kind, mark.row) for mark in full.do.session.marks] == [("extreme", 30)]
    full.do.reopen(1)
    full.do.set_kind("inside")
    enter(full, [(10.0, 12.0)])
    answer(full)
    assert full.do.session.reopened is None
    assert full.do.session.objects[1].facts.prompts == "4 extreme, 1 inside, 1 outside"
    assert full.notices == []


def drag(full: Rig) -> None:
    moved = full.layer.data.copy()
    moved[2] = (28, 13)
    full.layer.data = moved


def remove(full: Rig) -> None:
    full.layer.selected_data = {1}
    full.layer.remove_selected()


def mark_outside(full: Rig) -> None:
    """As Shift+click does, whatever kind the next click has."""
    full.layer.feature_defaults = {"kind": "outside"}
    full.do.bench.clicks._gesture = "outside"
    full.layer.add((23.0, 13.0))


def correct(full: Rig) -> None:
    full.do.set_kind("inside")
    full.click([(10.0, 12.0)])


CHANGES = {
    "dragged": drag,
    "removed": remove,
    "withdrawn": lambda full: full.do.withdraw(),
    "corrected": correct,
    "marked outside": mark_outside,
    "undone": lambda full: full.do.undo(),
    "discarded": lambda full: full.do.discard(),
    "tuned": lambda full: full.do.tune(0.3, None),
    "classed": lambda full: full.do.objects.add_class("cell"),
    "another model": lambda full: full.do.set_model("fake", "cpu"),
    "another image": lambda full: full.open(np.zeros((40, 50), np.uint8)),
    "other pixels": lambda full: setattr(full.do.bench.image, "data", np.ones((40, 50), np.uint8)),
    "another target": lambda full: full.do.set_target(full.viewer.add_labels(np.zeros((40, 50), np.uint16))),
    "3-D": lambda full: setattr(full.viewer.dims, "ndisplay", 3),
}


@pytest.mark.parametrize("change", CHANGES)
def test_whatever_is_done_after_an_early_enter_calls_it_off(full: Rig, change: str) -> None:
    enter(full)
    CHANGES[change](full)
    assert not full.do.answers.to_accept
    answer(full)
    full.qtbot.waitUntil(lambda: full.do.model.segmenter is not None)
    full.wait()
    assert not full.do.session.objects
    assert not full.do.prompts.hold
    assert full.notices == [] or change == "3-D"


def test_a_target_that_is_removed_after_an_early_enter_calls_it_off(full: Rig) -> None:
    full.segment(SECOND)
    full.do.accept()
    enter(full)
    full.viewer.layers.remove(full.do.target.layer)
    answer(full)
    assert full.do.target.layer is None
    assert full.do.session.segmentation is not None


def test_another_plane_calls_an_early_enter_off_and_coming_back_does_not_bring_it_back(rig: Rig) -> None:
    rig.open(np.zeros((4, 40, 50), np.uint8))
    rig.viewer.dims.set_current_step(0, 0)
    rig.segmenter.gate.clear()
    rig.click(POINTS, 0)
    rig.do.accept()
    rig.viewer.dims.set_current_step(0, 2)
    rig.viewer.dims.set_current_step(0, 0)
    answer(rig)
    assert not rig.do.session.objects
    assert rig.do.session.segmentation is not None


def test_an_early_enter_is_called_off_by_an_error(full: Rig) -> None:
    full.segmenter.error = RuntimeError("broken")
    enter(full)
    answer(full)
    assert len(full.notices) == 1
    full.segmenter.error = None
    full.do.set_model("fake", "cpu")
    full.wait()
    assert full.do.session.segmentation is not None
    assert not full.do.session.objects


def test_an_early_enter_accepts_no_empty_mask(full: Rig) -> None:
    full.do.tune(0.9, None)  # the fake model is sure of nothing above 0.6
    enter(full)
    full.click(SECOND[:1])
    answer(full)
    assert "empty" in full.notices[0][0]
    assert not full.do.session.objects
    assert len(full.do.session.marks) == len(full.layer.data) == 5


def test_clicks_made_since_an_early_enter_that_was_called_off_are_not_lost(full: Rig) -> None:
    enter(full)
    full.click(SECOND[:1])
    full.do.tune(0.3, None)
    answer(full)
    assert not full.do.session.objects
    assert not full.do.prompts.hold
    assert len(full.do.session.marks) == len(full.layer.data) == 5


def test_a_class_that_is_chosen_while_a_correction_is_awaited_does_not_lose_it(full: Rig) -> None:
    full.segment()
    full.do.accept()
    full.do.reopen(1)
    full.do.set_kind("inside")
    enter(full, [(10.0, 12.0)])
    full.do.objects.add_class("cell")
    answer(full)
    assert full.do.session.reopened == 1
    assert full.do.session.segmentation is not None
    assert full.do.session.current_class == 1


def test_marks_that_were_refused_are_not_asked_about_at_every_look(full: Rig) -> None:
    full.segmenter.error = RuntimeError("broken")
    full.segment()
    count = len(full.segmenter.calls)
    full.viewer.dims.events.point()  # the viewer tells of the same slice again
    assert len(full.segmenter.calls) == count
    assert len(full.notices) == 1
    full.segmenter.error = None
    full.do.set_model("fake", "cpu")
    full.wait()
    assert full.do.session.segmentation is not None


def test_the_preview_has_the_colour_of_its_class(full: Rig) -> None:
    full.do.objects.add_class("cell")
    full.do.objects.recolour_class(1, "#ff0000")
    full.segment()
    preview = full.do.bench.preview
    np.testing.assert_allclose(preview.colormap.color_dict[2][:3], (1, 0, 0), atol=0.01)
