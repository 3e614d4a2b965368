"""Kinds of mark: extreme points, corrections, boxes, corners; from the layers to the session and back."""

from __future__ import annotations

from typing import Any

import numpy as np

Rig = Any  # the fixtures of conftest.py: a viewer model with an image, a controller, and what it said

POINTS = [(5.0, 12.0), (14.0, 4.0), (24.0, 13.0), (13.0, 22.0)]


def draw(rig: Rig, r0: float, c0: float, r1: float, c1: float) -> None:
    assert rig.do.bench.boxes is not None
    rig.do.bench.boxes.layer.add_rectangles(np.array([[r0, c0], [r0, c1], [r1, c1], [r1, c0]]))
    rig.wait()


def test_after_the_mask_clicks_are_inside(full: Rig) -> None:
    full.segment()
    assert full.do.prompts.kind == "inside"
    full.segment([(14, 13)])
    np.testing.assert_array_equal(full.segmenter.calls[-1][1].inside_points, [(14, 13)])
    full.do.withdraw()
    full.wait()
    assert not len(full.segmenter.calls[-1][1].inside_points)
    assert len(full.layer.data) == 4
    full.do.accept()
    assert full.do.prompts.kind == "extreme"


def test_a_box_is_drawn_corrected_and_dragged(full: Rig) -> None:
    full.do.set_kind("box")
    assert full.do.bench.armed
    assert str(full.viewer.layers.selection.active.mode) == "add_rectangle"
    draw(full, 5, 4, 24, 22)
    assert full.segmenter.calls[-1][1].box_bounds == (5, 4, 24, 22)
    assert full.do.prompts.kind == "inside"  # on the click layer again
    full.segment([(14, 13)])
    assert full.do.session.segmentation is not None
    full.do.set_kind("box")
    assert str(full.viewer.layers.selection.active.mode) == "select"
    boxes = full.do.bench.boxes
    assert boxes is not None
    boxes.layer.data = [np.array([[5, 4], [5, 30], [24, 30], [24, 4]])]
    full.wait()
    assert full.segmenter.calls[-1][1].box_bounds == (5, 4, 24, 30)
    full.do.undo()
    assert full.do.session.box == (5, 4, 24, 22)
    assert boxes.box(full.do.prompts.plane) == (5, 4, 24, 22)  # type: ignore[arg-type]
    full.do.accept()
    assert full.do.session.objects[1].facts.prompts == "box, 1 inside"
    assert not boxes.layer.nshapes
    assert full.do.prompts.kind == "box"
    assert full.viewer.layers.selection.active is boxes.layer


def test_a_deleted_box_layer_takes_the_box_along(full: Rig) -> None:
    full.do.set_kind("box")
    draw(full, 5, 4, 24, 22)
    full.viewer.layers.remove("Object box")
    assert full.do.session.box is None
    assert full.do.session.segmentation is None
    full.do.set_kind("box")
    draw(full, 5, 4, 24, 22)
    assert full.do.session.segmentation is not None


def test_two_corners_and_the_middle(full: Rig) -> None:
    full.do.set_kind("corners")
    assert "Guide lines" in full.names
    full.click([(25, 22)])
    assert "opposite" in full.do.status.text
    full.segment([(5, 4)])
    assert full.do.session.box == (5, 4, 25, 22)
    assert full.do.session.segmentation is not None
    full.segment([(15, 13)])
    prompt = full.segmenter.calls[-1][1]
    np.testing.assert_array_equal(prompt.inside_points, [(15, 13)])
    assert {tuple(point) for point in prompt.outside_points} == {(5, 4), (5, 22), (25, 22), (25, 4)}
    full.do.undo()
    assert full.do.session.marks == ()
    full.do.redo()
    assert len(full.do.session.marks) == 5
    full.wait()
    full.do.accept()
    assert full.do.prompts.kind == "corners"
    full.do.set_kind("extreme")
    assert "Guide lines" not in full.names


def test_corners_that_enclose_nothing_are_explained(full: Rig) -> None:
    full.do.set_kind("corners")
    full.click([(25, 22), (25.2, 22)])
    assert "enclose nothing" in full.do.status.text
    full.do.withdraw()
    assert len(full.layer.data) == 0


def test_the_next_kind_goes_round(full: Rig) -> None:
    seen = []
    for _ in range(6):
        full.do.set_kind(full.do.prompts.next_kind)
        seen.append(full.do.prompts.kind)
    assert seen == ["boundary", "inside", "outside", "box", "corners", "extreme"]


def test_of_the_five_points_of_one_click_only_the_clicked_one_is_selected(full: Rig) -> None:
    full.do.set_kind("corners")
    full.segment([(25, 22), (5, 4), (15, 13)])
    assert len(full.layer.data) == 5
    (selected,) = full.layer.selected_data
    np.testing.assert_array_equal(full.layer.data[selected], (15, 13))
    full.layer.remove_selected()
    full.wait()
    assert [mark.kind for mark in full.do.session.marks] == ["outside"] * 4
