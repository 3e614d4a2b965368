"""A batch of objects: written, reviewed, undone as one."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_dextr.errors import PromptError
from napari_dextr.napari_io.box_batch import ACCEPTED, DELETED, FAILED, OPEN, BoxBatch
from napari_dextr.napari_io.box_tasks import BoxTask, classes_for, take_boxes
from napari_dextr.napari_io.object_table import given_highest, note_highest, record
from napari_dextr.objects import AnnotatedObject, ObjectClass
from napari_dextr.postprocess import PostProcess
from napari_dextr.segmenter import Segmentation


def answer(task: BoxTask, score: float = 0.8) -> Segmentation:
    """The whole box."""
    assert task.prompt.box_bounds is not None
    r0, c0, r1, c1 = (int(value) for value in task.prompt.box_bounds)
    region = (slice(r0, r1 + 1), slice(c0, c1 + 1))
    probability = np.full((r1 + 1 - r0, c1 + 1 - c0), 0.9, np.float32)
    return Segmentation(probability, region, (40, 60), task.prompt, score, "fake", 0.5, PostProcess(), seconds=0.1)


@pytest.fixture
def made() -> tuple[ViewerModel, Any, list[BoxTask], BoxBatch]:
    viewer = ViewerModel()
    image = viewer.add_image(np.zeros((3, 40, 60)))
    target = viewer.add_labels(np.zeros((3, 40, 60), np.uint16))
    target.data[1, 0:6, 0:6] = 4
    corners = [(1.5, 1.5), (1.5, 10.5), (10.5, 10.5), (10.5, 1.5)]
    data = [[(plane, row, col + shift) for row, col in corners] for plane, shift in ((1, 0), (1, 30), (2, 0))]
    boxes = viewer.add_shapes(data, shape_type="rectangle", features={"class": np.array(["egg"] * 3, object)})
    tasks, _ = take_boxes(boxes, image, viewer.dims).tasks()
    batch = BoxBatch(image, target, viewer.dims, classes_for(tasks, boxes, []), 4, model_hash="abc")
    return viewer, target, tasks, batch


Made = tuple[ViewerModel, Any, list[BoxTask], BoxBatch]


def test_objects_are_written_around_earlier_ones_and_recorded(made: Made) -> None:
    _, target, tasks, batch = made
    for task, score in zip(tasks, (0.9, 0.5, 0.7), strict=True):
        assert batch.add(task, answer(task, score)).state == OPEN
    batch.settle()
    assert (target.data[1, 0:6, 0:6] == 4).all()
    assert (target.data[1] == 5).sum() == 81 - 16
    assert (target.data[1, 2:11, 32:41] == 6).all()
    assert (target.data[2, 2:11, 2:11] == 7).all()
    facts, classes = record(target)
    assert classes == [ObjectClass(1, "egg", classes[0].colour)]
    assert [facts[label].score for label in (5, 6, 7)] == [0.9, 0.5, 0.7]
    assert facts[7].plane == (2,)
    assert (facts[5].class_id, facts[5].model, facts[5].model_hash, facts[5].box) == (1, "fake", "abc", (2, 2, 10, 10))
    assert target.features.set_index("index").loc[5, "area"] == 65
    json.dumps(target.metadata["napari_dextr"])


def test_overwriting_on_request(made: Made) -> None:
    viewer, target, tasks, _ = made
    batch = BoxBatch(viewer.layers[0], target, viewer.dims, [], 4, overwrite=True)
    batch.add(tasks[0], answer(tasks[0]))
    assert (target.data[1] == 5).sum() == 81


def test_failures_become_rows(made: Made) -> None:
    _, target, tasks, batch = made
    row = batch.add(tasks[0], PromptError("The box is bad."))
    assert (row.state, row.label, row.problem) == (FAILED, None, "The box is bad.")
    target.data[2] = 4
    assert "wholly on earlier objects" in batch.add(tasks[2], answer(tasks[2])).problem
    empty = answer(tasks[1]).with_threshold(0.99)
    assert "found nothing" in batch.add(tasks[1], empty).problem
    assert batch.undo_text is None


def test_the_data_type_may_be_full(made: Made) -> None:
    viewer, _, tasks, _ = made
    small = viewer.add_labels(np.zeros((3, 40, 60), np.uint8))
    batch = BoxBatch(viewer.layers[0], small, viewer.dims, [], 255)
    assert "up to 255 only" in batch.add(tasks[0], answer(tasks[0])).problem


def test_review_delete_and_undo(made: Made) -> None:
    _, target, tasks, batch = made
    before = target.data.copy()
    rows = [batch.add(task, answer(task)) for task in tasks]
    batch.settle()
    full = target.data.copy()
    batch.accept(rows[0])
    batch.delete(rows[1])
    assert [row.state for row in rows] == [ACCEPTED, DELETED, OPEN]
    assert not (target.data == 6).any()
    assert sorted(record(target)[0]) == [5, 7]
    assert batch.undo() == "delete object 6"
    np.testing.assert_array_equal(target.data, full)
    assert sorted(record(target)[0]) == [5, 6, 7]
    assert rows[1].state == OPEN
    assert batch.undo() == "accept object 5"
    assert rows[0].state == OPEN
    np.testing.assert_array_equal(target.data, full)
    assert batch.undo() == "the whole run"
    np.testing.assert_array_equal(target.data, before)
    assert record(target)[0] == {}
    assert batch.rows == []
    assert batch.undo() is None


def test_undo_leaves_what_was_painted_since(made: Made) -> None:
    _, target, tasks, batch = made
    batch.add(tasks[1], answer(tasks[1]))
    target.data[1, 3, 33] = 99
    batch.undo()
    assert target.data[1, 3, 33] == 99
    assert (target.data[1] != 0).sum() == 36 + 1


def test_scores_follow_corrections(made: Made) -> None:
    _, target, tasks, batch = made
    row = batch.add(tasks[0], answer(tasks[0], 0.4))
    batch.settle()
    assert not batch.refresh()
    target.metadata["napari_dextr"]["objects"][5]["score"] = 0.95
    assert batch.refresh() == [row]
    assert row.score == 0.95
    assert batch.refresh() == []


def test_what_was_corrected_is_accepted_and_deleted_as_it_is_now(made: Made) -> None:
    _, target, tasks, batch = made
    row = batch.add(tasks[0], answer(tasks[0], 0.4))
    batch.settle()
    assert row.label is not None
    assert row.region is not None
    plane = target.data[tuple(row.task.facts.plane)]
    plane[row.region[0].start, row.region[1].stop] = row.label  # one pixel more
    target.metadata["napari_dextr"]["objects"][row.label]["class_id"] = 7
    assert batch.refresh() == []  # another class is no correction of the mask
    target.metadata["napari_dextr"]["objects"][row.label]["seconds"] = 99.0
    assert batch.refresh() == [row]
    assert row.state == ACCEPTED
    batch.delete(row)
    assert not (plane == row.label).any()


def test_masks_take_the_place_of_boxes_in_a_coco_file(made: Made) -> None:
    viewer, target, tasks, batch = made
    images = [{"index": [plane], "file_name": f"{plane}.png", "height": 40, "width": 60} for plane in range(3)]
    viewer.layers[0].metadata["napari_dextr"] = {"coco": {"file": "/a.json", "root": "/", "images": images}}
    object.__setattr__(tasks[2], "annotation", 77)
    batch.add(tasks[2], answer(tasks[2]))
    batch.settle()
    assert target.metadata["napari_dextr"]["coco"]["ids"] == {"2.png": {5: 77}}


def test_labels_that_were_given_in_the_meantime_are_not_given_again(made: Made) -> None:
    _, target, tasks, batch = made
    batch.add(tasks[0], answer(tasks[0]))
    note_highest(target, 11)  # by somebody who annotates while the run goes on
    assert batch.add(tasks[1], answer(tasks[1])).label == 12
    assert given_highest(target) == 12


def test_what_is_written_is_told_to_the_pixel(made: Made) -> None:
    _, target, tasks, first = made
    told: dict[int, AnnotatedObject] = {}
    copy = target.data.copy()

    def hear(pixels: list[Any], objects: dict[int, AnnotatedObject | None]) -> None:
        for (image, plane), patch in pixels:
            assert image is first.image
            mask, labels = patch.values()
            copy[plane.block(patch.region)].reshape(mask.shape)[mask] = labels
        for label, item in objects.items():
            if item is None:
                del told[label]
            else:
                told[label] = item

    batch = BoxBatch(first.image, target, first._pixels._dims, first._classes, 4, heard=hear)
    rows = [batch.add(task, answer(task)) for task in tasks]
    batch.settle()
    assert sorted(told) == [5, 6, 7]
    assert told[6].region == rows[1].region
    assert told[6].place == (first.image, tasks[1].plane)
    assert told[6].facts == record(target)[0][6]
    np.testing.assert_array_equal(copy, target.data)
    batch.accept(rows[0])
    batch.delete(rows[1])
    assert sorted(told) == [5, 7]
    np.testing.assert_array_equal(copy, target.data)
    batch.undo()
    assert sorted(told) == [5, 6, 7]
    copy[1, 3, 33] = target.data[1, 3, 33] = 99  # by somebody else
    batch.undo()
    batch.undo()
    assert told == {}
    np.testing.assert_array_equal(copy, target.data)
