"""The model is asked, its answer shown, and accepted where the user wants that."""

from __future__ import annotations

from typing import Any

import numpy as np

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
