"""What is marked while an object waits to be accepted begins the next one: nothing of it is lost."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

Rig = Any  # the fixtures of conftest.py: a viewer model with an image, a controller, and what it said

POINTS = [(5.0, 12.0), (14.0, 4.0), (24.0, 13.0), (13.0, 22.0)]
SECOND = [(30.0, 35.0), (33.0, 30.0), (38.0, 36.0), (34.0, 42.0)]
BOX, NEXT, OTHER = (5.0, 4.0, 24.0, 22.0), (28.0, 30.0, 37.0, 44.0), (2.0, 30.0, 10.0, 40.0)


def draw(full: Rig, box: tuple[float, float, float, float]) -> None:
    r0, c0, r1, c1 = box
    full.do.bench.boxes.layer.add_rectangles(np.array([[r0, c0], [r0, c1], [r1, c1], [r1, c0]]))


def drawn(full: Rig) -> list[Any]:
    return list(full.do.bench.boxes.all(full.do.prompts.plane))


def wait_to_be_accepted(full: Rig, how: str) -> None:
    """Four clicks on an object that is accepted when its answer comes, which it does not yet."""
    full.do.set_auto_accept(how == "automatic")
    full.segmenter.gate.clear()
    full.click(POINTS)
    if how == "Enter":
        full.do.accept()
    full.do.set_auto_accept(False)
    assert full.do.answers.to_accept


def answer(full: Rig) -> None:
    full.segmenter.gate.set()
    full.wait()


@pytest.mark.parametrize("how", ["Enter", "automatic"])
def test_a_box_that_is_drawn_meanwhile_begins_the_next_object(full: Rig, how: str) -> None:
    wait_to_be_accepted(full, how)
    full.do.set_kind("box")
    assert str(full.viewer.layers.selection.active.mode) == "add_rectangle"
    draw(full, NEXT)
    assert full.do.answers.to_accept
    assert full.do.session.box is None  # not that of the object that waits
    assert full.do.prompts.kind == "inside"  # what would come next to that box
    answer(full)
    full.wait()
    assert list(full.do.session.objects) == [1]
    assert full.do.session.objects[1].facts.prompts == "4 extreme"
    assert full.do.session.box == NEXT
    assert drawn(full) == [NEXT]
    assert full.segmenter.calls[-1][1].box_bounds == NEXT
    full.do.accept()
    assert full.do.session.objects[2].facts.prompts == "box"
    assert full.notices == []


def test_a_box_and_points_that_are_made_meanwhile_begin_the_next_object_together(full: Rig) -> None:
    wait_to_be_accepted(full, "Enter")
    full.click(SECOND[:2])
    full.do.set_kind("box")
    draw(full, NEXT)
    answer(full)
    full.wait()
    assert list(full.do.session.objects) == [1]
    assert [(mark.kind, mark.row) for mark in full.do.session.marks] == [("extreme", 30), ("extreme", 33)]
    assert full.do.session.box == NEXT
    assert (drawn(full), len(full.layer.data)) == ([NEXT], 2)


def test_of_two_boxes_the_later_one_replaces_the_other_at_once(full: Rig) -> None:
    wait_to_be_accepted(full, "Enter")
    full.do.set_kind("box")
    draw(full, OTHER)
    draw(full, NEXT)
    assert drawn(full) == [NEXT]  # while the user looks, as without waiting
    answer(full)
    assert full.do.session.box == NEXT


def test_box_after_box_without_waiting_for_the_model(full: Rig) -> None:
    full.do.set_kind("box")
    full.segmenter.gate.clear()
    draw(full, BOX)
    full.do.accept()
    assert str(full.viewer.layers.selection.active.mode) == "add_rectangle"  # the next drag draws the next box
    draw(full, NEXT)
    assert drawn(full) == [BOX, NEXT]
    answer(full)
    full.wait()
    assert full.do.session.objects[1].facts.box == BOX
    assert full.do.session.box == NEXT
    assert drawn(full) == [NEXT]


def test_the_box_of_the_object_that_waits_is_its_own(full: Rig) -> None:
    full.do.set_kind("box")
    full.segmenter.gate.clear()
    draw(full, BOX)
    full.do.accept()
    r0, c0, r1, c1 = moved = (5.0, 4.0, 24.0, 30.0)
    full.do.bench.boxes.layer.data = [np.array([[r0, c0], [r0, c1], [r1, c1], [r1, c0]])]
    assert not full.do.answers.to_accept
    answer(full)
    assert not full.do.session.objects
    assert full.do.session.box == moved
    assert full.do.session.segmentation is not None


def test_corners_that_are_clicked_meanwhile_begin_the_next_object(full: Rig) -> None:
    wait_to_be_accepted(full, "Enter")
    full.do.set_kind("corners")
    full.click([NEXT[:2]])
    assert full.do.answers.to_accept
    full.click([NEXT[:2]])
    assert "enclose nothing" in full.do.status.text
    full.click([NEXT[2:]])
    assert full.do.prompts.kind == "inside"
    full.click([(32.0, 37.0)])
    assert full.do.answers.to_accept
    answer(full)
    full.wait()
    assert full.do.session.objects[1].facts.prompts == "4 extreme"
    assert full.do.session.box == NEXT
    assert [mark.kind for mark in full.do.session.marks] == ["outside"] * 4 + ["inside"]


def test_a_single_corner_is_kept_for_the_next_object_and_dropped_by_discarding(full: Rig) -> None:
    wait_to_be_accepted(full, "Enter")
    full.do.set_kind("corners")
    full.click([NEXT[:2]])
    answer(full)
    assert list(full.do.session.objects) == [1]
    assert full.do.bench.clicks.corners(full.do.prompts.plane) == [NEXT[:2]]
    full.do.discard()
    assert not len(full.layer.data)
    full.click([NEXT[:2], NEXT[2:]])
    assert full.do.session.box == NEXT


def test_what_was_marked_last_is_withdrawn_first(full: Rig) -> None:
    wait_to_be_accepted(full, "Enter")
    full.do.set_kind("box")
    draw(full, NEXT)
    full.do.set_kind("extreme")
    full.click(SECOND[:1])
    full.do.withdraw()
    assert (drawn(full), len(full.layer.data)) == ([NEXT], 4)
    full.do.withdraw()
    assert (drawn(full), len(full.layer.data)) == ([], 4)
    assert full.do.answers.to_accept
    answer(full)
    assert full.do.session.box is None
    assert list(full.do.session.objects) == [1]


def test_a_box_that_waits_outlives_what_is_done_to_other_objects(full: Rig) -> None:
    full.segment(SECOND)
    full.do.accept()
    wait_to_be_accepted(full, "automatic")
    full.do.set_kind("box")
    draw(full, OTHER)
    full.do.delete(1)
    assert drawn(full) == [OTHER]
    answer(full)
    assert list(full.do.session.objects) == [2]
    assert full.do.session.box == OTHER


@pytest.mark.parametrize("why", ["taken", "called off", "failed"])
def test_a_box_is_not_lost_where_the_object_is_not_accepted(full: Rig, why: str) -> None:
    if why == "taken":
        full.segment()
        full.do.accept()
    if why == "failed":
        full.segmenter.error = RuntimeError("broken")
    wait_to_be_accepted(full, "Enter")
    full.do.set_kind("box")
    draw(full, NEXT)
    if why == "called off":
        full.do.tune(0.3, None)
    answer(full)
    full.wait()
    assert not full.do.prompts.hold
    assert list(full.do.session.objects) == ([1] if why == "taken" else [])
    assert full.do.session.box == NEXT
    assert drawn(full) == [NEXT]
    assert len(full.do.session.marks) == 4


def test_a_box_on_a_plane_that_was_left_waits_there(full: Rig) -> None:
    rig = full
    rig.open(np.zeros((4, 40, 50), np.uint8))
    rig.viewer.dims.set_current_step(0, 0)
    rig.segmenter.gate.clear()
    rig.click(POINTS, 0)
    rig.do.accept()
    rig.do.set_kind("box")
    r0, c0, r1, c1 = NEXT
    rig.do.bench.boxes.layer.add_rectangles(np.array([[0, r0, c0], [0, r0, c1], [0, r1, c1], [0, r1, c0]]))
    rig.viewer.dims.set_current_step(0, 2)
    rig.segmenter.gate.set()
    rig.wait()
    assert not rig.do.session.objects
    rig.viewer.dims.set_current_step(0, 0)
    rig.wait()
    assert rig.do.session.box == NEXT
    assert len(rig.do.session.marks) == 4
