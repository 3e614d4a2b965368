"""Accepted objects: going back, deleting, classes, the table."""

from __future__ import annotations

from typing import Any

import numpy as np
from qtpy.QtCore import QCoreApplication, QEvent

from napari_dextr.napari_io import label_layers, object_table
from napari_dextr.objects import Mark, ObjectFacts

Rig = Any  # the fixtures of conftest.py: a viewer model with an image, a controller, and what it said

POINTS = [(5.0, 12.0), (14.0, 4.0), (24.0, 13.0), (13.0, 22.0)]
SECOND = [(30.0, 35.0), (33.0, 30.0), (38.0, 36.0), (34.0, 42.0)]


def test_an_accepted_object_is_reopened_corrected_and_deleted(full: Rig) -> None:
    full.segment()
    full.do.accept()
    full.segment(SECOND)
    full.do.accept()
    target = full.do.target.layer
    assert target is not None
    full.viewer.cursor.position = (14, 13)
    count = len(full.segmenter.calls)
    full.do.reopen()
    assert full.do.session.reopened == 1
    assert len(full.layer.data) == 4
    assert len(full.segmenter.calls) == count  # its mask is there without the network
    moved = np.array(POINTS)
    moved[2] = (28, 13)
    full.layer.data = moved
    full.wait()
    full.do.accept()
    assert (target.data == 1).sum() == 24 * 19
    assert set(np.unique(target.data)) == {0, 1, 2}
    full.viewer.cursor.position = (34, 36)
    full.do.delete()
    assert set(np.unique(target.data)) == {0, 1}
    full.do.undo()
    assert set(np.unique(target.data)) == {0, 1, 2}
    full.viewer.cursor.position = (0, 0)
    full.do.reopen()
    assert "Point at an accepted object" in full.notices[-1][0]
    full.viewer.layers.selection.active = target
    target.selected_label = 2
    full.do.reopen()
    assert full.do.session.reopened == 2


def test_undo_goes_to_the_plane_where_it_happened(rig: Rig) -> None:
    rig.open(np.zeros((4, 40, 50), np.uint8), scale=(3, 0.5, 0.5))
    rig.viewer.dims.set_current_step(0, 1)
    rig.segment(POINTS, 1)
    rig.do.accept()
    rig.viewer.dims.set_current_step(0, 3)
    rig.do.undo()
    assert rig.viewer.dims.current_step[0] == 1
    assert rig.do.session.segmentation is not None
    np.testing.assert_allclose(rig.layer.data[:, 0], 1)
    rig.do.redo()
    assert len(rig.layer.data) == 0


def test_classes_reach_objects_and_table(full: Rig) -> None:
    full.do.objects.add_class("cell")
    full.do.objects.add_class("dirt")
    full.do.objects.next_class()
    full.segment()
    full.do.accept()
    full.do.objects.set_class_number(2)
    full.do.objects.set_class_number(9)
    full.segment(SECOND)
    full.do.accept()
    full.do.objects.show_tables()
    target = full.do.target.layer
    assert target is not None
    assert target.features["class"].tolist() == ["cell", "dirt"]
    assert target.features["area"].tolist() == [20 * 19, 9 * 13]
    assert target.features["prompts"].tolist() == ["4 extreme", "4 extreme"]
    full.do.objects.add_class("cell")
    assert "already" in full.notices[-1][0]
    full.do.objects.remove_class(2)
    full.do.objects.rename_class(1, "nucleus")
    full.do.objects.recolour_class(1, "#123456")
    full.do.objects.show_tables()
    assert target.features["class"].tolist() == ["nucleus", ""]
    full.do.objects.set_colours(True)
    full.do.objects.set_colours(False)
    full.do.set_target(None)
    full.do.set_target(target)
    assert [item.name for item in full.do.session.classes] == ["nucleus"]
    assert list(full.do.session.objects) == [1, 2]


def test_brush_strokes_take_their_turn_in_undo(full: Rig) -> None:
    full.segment()
    full.do.accept()
    target = full.do.target.layer
    assert target is not None
    before = target.data.copy()
    target.selected_label = 7
    target.brush_size = 3
    target.paint((35, 45), 7)
    full.click(SECOND[:1])
    full.do.undo()
    assert (target.data == 7).any()
    full.do.undo()
    np.testing.assert_array_equal(target.data, before)
    full.do.undo()
    assert not target.data.any()


def test_objects_that_somebody_else_wrote_are_read_again(full: Rig) -> None:
    full.segment()
    full.do.accept()
    target = full.do.target.layer
    assert target is not None
    facts, classes = object_table.record(target)
    target.data[30:38, 30:42] = 5
    object_table.store(target, {**facts, 5: ObjectFacts(tuple(Mark("extreme", *point) for point in SECOND))}, classes)
    full.do.reload_objects(target)
    full.do.reopen(5)
    assert full.do.session.reopened == 5
    assert len(full.layer.data) == 4


def test_a_table_that_cannot_be_read_now_keeps_its_numbers(full: Rig) -> None:
    full.segment()
    full.do.accept()
    full.do.objects.show_tables()
    target = full.do.target.layer
    assert target is not None
    full.do.objects.set_class(None)
    full.do.objects.add_class("cell")
    full.do.objects.classify(1)
    target.scale = (2, 2)  # no longer over the image
    full.do.delete(7)
    full.do.objects.show_tables()
    assert target.features["area"].tolist() == [20 * 19]
    assert target.features["class"].tolist() == ["cell"]


def test_a_layer_that_goes_while_its_object_is_corrected_leaves_the_points(full: Rig) -> None:
    full.segment()
    full.do.accept()
    full.do.reopen(1)
    full.viewer.layers.remove("DEXTR labels")
    full.wait()
    assert full.do.session.reopened is None
    assert len(full.do.session.marks) == len(full.layer.data) == 4
    full.do.accept()
    assert list(full.do.session.objects) == [1]
    assert full.viewer.layers["DEXTR labels"].data.any()


def test_an_accepted_object_gets_another_class_at_once(full: Rig) -> None:
    full.segment()
    full.do.accept()
    full.segment(SECOND)
    full.do.accept()
    assert full.do.objects.selected == 2  # accepted last
    full.do.objects.add_class("cell")
    full.viewer.cursor.position = (14, 13)
    full.do.objects.classify()
    assert full.do.session.objects[1].facts.class_id == 1
    assert full.do.session.reopened is None
    assert full.do.status.text.startswith("Object 1 is of class 'cell'.")
    full.do.objects.classify(full.do.objects.selected)
    full.do.objects.show_tables()
    target = full.do.target.layer
    assert target is not None
    assert target.features["class"].tolist() == ["cell", "cell"]
    full.do.objects.set_class(None)
    full.do.objects.classify(2)
    assert "has no class" in full.do.status.text
    full.do.undo()
    assert full.do.session.objects[2].facts.class_id == 1
    full.do.objects.classify(7)
    assert "no object 7" in full.notices[-1][0]


def test_the_record_of_a_layer_follows_undo_after_another_one_was_chosen(full: Rig) -> None:
    full.segment()
    full.do.accept()
    first = full.do.target.layer
    full.do.set_target(full.viewer.add_labels(np.zeros((40, 50), np.uint16), name="other"))
    full.do.undo()
    assert not first.data.any()
    assert object_table.record(first)[0] == {}
    full.do.set_target(first)
    assert not full.do.session.objects
    full.do.redo()
    assert list(object_table.record(first)[0]) == [1]


def test_a_class_that_layers_share_is_renamed_in_the_records_of_all(full: Rig) -> None:
    full.do.objects.add_class("cell")
    full.segment()
    full.do.accept()
    first = full.do.target.layer
    other = full.viewer.add_labels(np.zeros((40, 50), np.uint16), name="other")
    full.do.set_target(other)
    full.segment(SECOND)
    full.do.accept()
    full.do.objects.rename_class(1, "nucleus")
    for layer in (first, other):
        assert [item.name for item in object_table.record(layer)[1]] == ["nucleus"]
    full.do.objects.remove_class(1)
    assert object_table.record(first)[0][1].class_id is None


def corrected_and_another(full: Rig) -> tuple[Any, Any]:
    """A layer whose object 1 is being corrected, and another one with an object 1 of its own."""
    full.segment()
    full.do.accept()
    first = full.do.target.layer
    other = full.viewer.add_labels(np.zeros((40, 50), np.uint16), name="other")
    full.do.set_target(other)
    full.segment(SECOND)
    full.do.accept()
    full.do.set_target(first)
    full.do.reopen(1)
    return first, other


def test_deleting_the_corrected_object_after_another_layer_was_chosen_deletes_that_one(full: Rig) -> None:
    first, other = corrected_and_another(full)
    full.do.set_target(other)
    full.do.delete()
    assert not first.data.any()
    assert other.data.any()
    assert full.do.session.reopened is None


def test_an_object_that_nobody_clicked_is_corrected_from_its_mask(rig: Rig) -> None:
    rig.segmenter.spec = type(rig.segmenter)(("extreme", "inside", "outside", "box")).spec
    image = rig.open(np.zeros((3, 40, 50), np.uint8), scale=(2, 0.5, 0.5))
    rig.qtbot.waitUntil(lambda: rig.do.model.segmenter is not None)
    data = np.zeros((3, 40, 50), np.uint16)
    data[1:, 10:20, 10:20] = 7  # on two planes: the one that is shown is meant
    target = rig.viewer.add_labels(data, scale=image.scale)
    rig.do.set_target(target)
    rig.viewer.dims.set_current_step(0, 2)
    rig.viewer.cursor.position = (4, 7, 7)
    rig.do.reopen()
    assert rig.do.session.reopened == 7
    assert rig.do.session.segmentation is not None
    assert rig.do.session.segmentation.mask.sum() == 100
    rig.do.set_kind("inside")
    rig.segment([(15.0, 25.0)], 2)
    rig.do.accept()
    assert (target.data[1] == 7).sum() == 100
    assert (target.data[2] == 7).sum() > 100
    assert object_table.record(target)[0][7].plane == (2,)
    rig.do.undo()
    assert (target.data[2] == 7).sum() == 100
    rig.viewer.cursor.position = (4, 7, 7)
    rig.do.delete()
    assert not target.data[2].any()
    assert (target.data[1] == 7).sum() == 100
    rig.viewer.cursor.position = (0, 0, 0)
    rig.viewer.layers.selection.active = image
    rig.do.reopen()
    assert "Point at an accepted object" in rig.notices[-1][0]


def test_a_label_on_several_planes_is_corrected_and_deleted_where_the_cursor_is(full: Rig) -> None:
    full.viewer.layers.clear()
    full.open(np.zeros((5, 40, 50), np.uint8))
    data = np.zeros((5, 40, 50), np.uint16)
    data[:, 10:20, 10:20] = 5
    full.do.set_target(full.viewer.add_labels(data))
    for plane in (0, 3):
        full.viewer.dims.set_current_step(0, plane)
        full.viewer.cursor.position = (plane, 15, 15)
        full.do.reopen()
        assert full.do.session.place[1].index[0] == plane
        full.do.discard()
    full.viewer.dims.set_current_step(0, 2)
    full.viewer.cursor.position = (2, 15, 15)
    full.do.delete()
    assert [plane for plane in range(5) if not data[plane].any()] == [2]
    full.do.undo()
    assert (data == 5).sum() == 5 * 100


def test_colours_of_classes_that_napari_cannot_show_are_said_once(full: Rig, monkeypatch: Any) -> None:
    monkeypatch.setattr(label_layers, "find_spec", lambda name: None)
    data = np.zeros((40, 50), np.int32)
    data[30:, 30:] = 300_000
    full.do.set_target(full.viewer.add_labels(data))
    full.do.objects.add_class("cell")
    full.segment()
    full.do.accept()
    full.do.objects.set_colours(True)
    assert "install numba" in full.notices[-1][0]
    count = len(full.notices)
    full.do.objects.show_tables()
    assert len(full.notices) == count


def test_a_button_means_the_object_that_is_corrected(full: Rig) -> None:
    first, other = corrected_and_another(full)
    full.do.objects.add_class("cell")
    full.do.set_target(other)
    full.do.objects.classify_chosen()
    assert full.do.session.targets[first].objects[1].facts.class_id == 1
    assert full.do.session.objects[1].facts.class_id is None
    full.do.delete(1)  # that of the layer in use
    assert first.data.any()
    assert not other.data.any()
    full.do.undo()
    full.do.delete_chosen()
    assert not first.data.any()
    assert other.data.any()


def test_the_label_of_an_undone_object_is_free_for_no_widget(full: Rig) -> None:
    full.segment()
    full.do.accept()
    target = full.do.target.layer
    full.do.undo()
    assert object_table.given_highest(target) == 1


def test_the_end_of_the_program_may_delete_the_timer_first(full: Rig) -> None:
    full.segment()
    full.do.accept()
    layer, timer = full.do.target.layer, full.do.objects._timer
    timer.deleteLater()
    QCoreApplication.sendPostedEvents(timer, QEvent.Type.DeferredDelete)
    full.do.close()  # an exception here would end the program with a signal
    assert list(layer.features["index"]) == [1]
    assert full.do.closed
