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
