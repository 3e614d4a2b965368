"""The layer on which boxes are drawn."""

from __future__ import annotations

import numpy as np
from napari.layers import Image

from napari_dextr.napari_io.box_layer import NAME, BoxLayer
from napari_dextr.napari_io.planes import Plane

FLAT = Plane((0, 1), (0, 0))
BOX = (4.0, 6.0, 20.0, 30.0)


class Calls:
    def __init__(self) -> None:
        self.count = 0

    def __call__(self) -> None:
        self.count += 1


def rectangle(r0: float, c0: float, r1: float, c1: float, *before: float) -> np.ndarray:
    return np.array([[*before, r0, c0], [*before, r0, c1], [*before, r1, c1], [*before, r1, c0]])


def test_lies_on_its_image() -> None:
    image = Image(np.zeros((5, 40, 50)), scale=(2, 0.5, 0.5), translate=(1, 2, 3))
    boxes = BoxLayer(image, Calls())
    assert (boxes.layer.name, boxes.layer.ndim) == (NAME, 3)
    np.testing.assert_array_equal(boxes.layer.scale, image.scale)
    np.testing.assert_array_equal(boxes.layer.translate, image.translate)


def test_a_drawn_box_is_read_and_the_newest_counts() -> None:
    calls = Calls()
    boxes = BoxLayer(Image(np.zeros((40, 50))), calls)
    assert boxes.box(FLAT) is None
    boxes.layer.add_rectangles(rectangle(20, 30, 4, 6))  # dragged from the lower right
    assert boxes.box(FLAT) == BOX
    assert calls.count == 1
    boxes.layer.add_rectangles(rectangle(1, 1, 9, 9))
    assert boxes.box(FLAT) == (1.0, 1.0, 9.0, 9.0)


def test_several_boxes_of_a_plane_are_told_oldest_first_and_written_together() -> None:
    boxes = BoxLayer(Image(np.zeros((40, 50))), Calls())
    boxes.layer.add_rectangles(rectangle(*BOX))
    boxes.layer.add_rectangles(rectangle(1, 1, 9, 9))
    assert boxes.all(FLAT) == [BOX, (1.0, 1.0, 9.0, 9.0)]
    boxes.write(FLAT, None, (2.0, 2.0, 8.0, 8.0), BOX)
    assert boxes.all(FLAT) == [(2.0, 2.0, 8.0, 8.0), BOX]
    boxes.write(FLAT)
    assert boxes.all(FLAT) == []


def test_a_click_without_a_drag_is_no_box() -> None:
    boxes = BoxLayer(Image(np.zeros((40, 50))), Calls())
    boxes.layer.add_rectangles(rectangle(5, 5, 5.2, 5.2))
    assert boxes.box(FLAT) is None


def test_writing_is_silent_and_keeps_other_planes() -> None:
    calls = Calls()
    image = Image(np.zeros((5, 40, 50)), scale=(3, 0.5, 0.5))
    boxes = BoxLayer(image, calls)
    second, third = Plane((1, 2), (1, 0, 0)), Plane((1, 2), (2, 0, 0))
    boxes.write(second, BOX)
    boxes.write(third, (1.0, 1.0, 9.0, 9.0))
    assert boxes.box(second) == BOX
    boxes.write(third, None)
    assert (boxes.box(second), boxes.box(third)) == (BOX, None)
    assert calls.count == 0


def test_arming_draws_where_there_is_no_box_and_edits_where_there_is() -> None:
    boxes = BoxLayer(Image(np.zeros((40, 50))), Calls())
    boxes.arm(drawing=False)
    assert str(boxes.layer.mode) == "add_rectangle"
    boxes.write(FLAT, BOX)
    boxes.arm(drawing=False)
    assert str(boxes.layer.mode) == "select"
    boxes.write(FLAT, (1.0, 1.0, 9.0, 9.0))
    assert set(boxes.layer.selected_data) == {0}  # its handles are shown
    boxes.fit_width(4.0)
    assert boxes.layer.current_edge_width == 0.5


def test_released_layers_are_left_alone() -> None:
    calls = Calls()
    boxes = BoxLayer(Image(np.zeros((40, 50))), calls)
    boxes.release()
    boxes.layer.add_rectangles(rectangle(1, 1, 9, 9))
    assert calls.count == 0
