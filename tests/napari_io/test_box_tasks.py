"""Boxes and points of layers as prompts."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_dextr.errors import ImageError
from napari_dextr.napari_io.box_tasks import classes_for, fitting_image, take_boxes
from napari_dextr.objects import ObjectClass

BOX = [(9.5, 4.5), (9.5, 20.5), (30.5, 20.5), (30.5, 4.5)]
TIGHT = (10.0, 5.0, 30.0, 20.0)


def test_a_rectangle_lies_around_the_outermost_pixels() -> None:
    viewer = ViewerModel()
    image = viewer.add_image(np.zeros((50, 60)))
    boxes = viewer.add_shapes([BOX, [(0, 0), (0, 3), (3, 3), (3, 0)]], shape_type="rectangle")
    tasks, problems = take_boxes(boxes, image, viewer.dims).tasks()
    assert problems == []
    assert tasks[0].prompt.box_bounds == TIGHT
    assert tasks[0].facts.box == TIGHT
    assert tasks[0].facts.plane == ()
    assert [task.number for task in tasks] == [0, 1]


def test_scaled_stacks_and_planes() -> None:
    viewer = ViewerModel()
    image = viewer.add_image(np.zeros((5, 50, 60)), scale=(3, 0.5, 0.25), translate=(0, 10, 0))
    data = [[(2.0, *corner) for corner in BOX], [(4.0, *corner) for corner in BOX]]
    boxes = viewer.add_shapes(data, shape_type="rectangle", scale=(3, 0.5, 0.25), translate=(0, 10, 0))
    tasks, problems = take_boxes(boxes, image, viewer.dims).tasks()
    assert problems == []
    assert [task.plane.index for task in tasks] == [(2, 0, 0), (4, 0, 0)]
    assert [task.facts.plane for task in tasks] == [(2,), (4,)]
    np.testing.assert_allclose(tasks[0].prompt.box_bounds, TIGHT)  # type: ignore[arg-type]


def test_a_layer_with_other_pixels_means_the_same_place() -> None:
    viewer = ViewerModel()
    image = viewer.add_image(np.zeros((50, 60)), scale=(2, 2))
    boxes = viewer.add_shapes([np.multiply(BOX, 2)], shape_type="rectangle")
    (task,), _ = take_boxes(boxes, image, viewer.dims).tasks()
    np.testing.assert_allclose(task.prompt.box_bounds, TIGHT)  # type: ignore[arg-type]


def test_flat_boxes_lie_on_the_plane_that_is_shown() -> None:
    viewer = ViewerModel()
    image = viewer.add_image(np.zeros((5, 50, 60)))
    boxes = viewer.add_shapes([BOX], shape_type="rectangle")
    viewer.dims.set_point(0, 3)
    (task,), _ = take_boxes(boxes, image, viewer.dims).tasks()
    assert task.facts.plane == (3,)


def test_what_cannot_be_used_is_said() -> None:
    viewer = ViewerModel()
    image = viewer.add_image(np.zeros((5, 50, 60)))
    slanted = [(0.0, 10, 10), (0.0, 10, 20), (2.0, 20, 20), (2.0, 20, 10)]
    away = [(9.0, *corner) for corner in BOX]
    outside = [(1.0, row + 500, col) for row, col in BOX]
    boxes = viewer.add_shapes([slanted, away, outside], shape_type="polygon")
    viewer.dims.set_point(0, 0)
    tasks, problems = take_boxes(boxes, image, viewer.dims).tasks()
    assert tasks == []
    assert [said.split(":")[0] for said in problems] == [f"Number {n} of '{boxes.name}'" for n in (1, 2, 3)]
    assert "not lie on one plane" in problems[0]
    assert "does not have" in problems[1]


@pytest.mark.parametrize("column", ["label", "object", None])
def test_points_are_extreme_points(column: str | None) -> None:
    viewer = ViewerModel()
    image = viewer.add_image(np.zeros((50, 60)))
    first, second = [(5, 10), (10, 5), (15, 10), (10, 15)], [(25, 30), (30, 25), (35, 30), (30, 35)]
    features = None if column is None else {column: [1] * 4 + [2] * 4}
    points = viewer.add_points(first + second, features=features)
    tasks, problems = take_boxes(points, image, viewer.dims).tasks()
    assert problems == []
    assert [task.prompt.bounds for task in tasks] == [(5, 5, 15, 15), (25, 25, 35, 35)]
    assert [len(task.facts.marks) for task in tasks] == [4, 4]


def test_kinds_of_points_count() -> None:
    viewer = ViewerModel()
    image = viewer.add_image(np.zeros((50, 60)))
    data = [(5, 10), (10, 5), (15, 10), (10, 15), (10, 10)]
    features = {"label": [7] * 5, "kind": np.array(["extreme"] * 4 + ["inside"], object)}
    (task,), _ = take_boxes(viewer.add_points(data, features=features), image, viewer.dims).tasks()
    assert task.prompt.inside_points.tolist() == [[10, 10]]


def test_an_incomplete_group_is_said() -> None:
    viewer = ViewerModel()
    image = viewer.add_image(np.zeros((50, 60)))
    tasks, problems = take_boxes(viewer.add_points([(5, 10), (10, 5)]), image, viewer.dims).tasks()
    assert tasks == []
    assert "at least 3" in problems[0]


def test_the_3d_view_is_refused() -> None:
    viewer = ViewerModel()
    image = viewer.add_image(np.zeros((5, 50, 60)))
    boxes = viewer.add_shapes([BOX], shape_type="rectangle")
    viewer.dims.ndisplay = 3
    with pytest.raises(ImageError, match="3-D"):
        take_boxes(boxes, image, viewer.dims).tasks()


def test_classes_and_numbers_come_along() -> None:
    viewer = ViewerModel()
    image = viewer.add_image(np.zeros((50, 60)))
    features: dict[str, Any] = {"class": np.array(["egg", "mite", ""], object), "id": [11, 12, 13]}
    boxes = viewer.add_shapes([BOX] * 3, shape_type="rectangle", features=features)
    tasks, _ = take_boxes(boxes, image, viewer.dims).tasks()
    assert [(task.class_name, task.annotation) for task in tasks] == [("egg", 11), ("mite", 12), ("", 13)]
    classes = classes_for(tasks, boxes, [ObjectClass(4, "mite", "#123456")])
    assert [(entry.id, entry.name) for entry in classes] == [(4, "mite"), (5, "egg")]


def test_the_image_under_the_boxes_is_found() -> None:
    viewer = ViewerModel()
    image = viewer.add_image(np.zeros((9, 9)), scale=(2, 2))
    top = viewer.add_image(np.zeros((9, 9)))
    assert fitting_image(viewer, viewer.add_shapes(ndim=2, scale=(2, 2))) is image
    assert fitting_image(viewer, viewer.add_shapes(ndim=2, scale=(3, 3))) is top
    assert fitting_image(ViewerModel(), None) is None
