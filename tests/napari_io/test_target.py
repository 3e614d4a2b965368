"""The target layer: bound to the session, its labels in use known, what is painted there noted."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Image, Labels

from napari_dextr.errors import OutputError
from napari_dextr.napari_io.label_storage import UneditableError, finest
from napari_dextr.napari_io.object_table import given_highest, note_highest, record, store
from napari_dextr.napari_io.planes import current_plane, hidden_index
from napari_dextr.napari_io.target import Target
from napari_dextr.napari_io.workbench import Workbench
from napari_dextr.objects import Mark, ObjectClass, ObjectFacts
from napari_dextr.segmenter import Segmentation
from napari_dextr.session import Session
from napari_dextr.session.labelling import AcceptPolicy

SHAPE = (40, 30)


class Lazy:
    """A labels array that is not numpy's, takes values, and can be held."""

    def __init__(self, data: np.ndarray) -> None:
        self.inner, self.shape, self.dtype, self.ndim, self.size = data, data.shape, data.dtype, data.ndim, data.size
        self.gate = threading.Event()
        self.gate.set()

    def __getitem__(self, key: Any) -> np.ndarray:
        if threading.current_thread() is not threading.main_thread():
            assert self.gate.wait(30)
        return self.inner[key].copy()

    def __setitem__(self, key: Any, value: Any) -> None:
        self.inner[key] = value


class Rig:
    """A viewer model with an image, a session and its target."""

    def __init__(self, shape: tuple[int, ...] = SHAPE) -> None:
        self.viewer = ViewerModel()
        self.image: Image = self.viewer.add_image(np.zeros(shape))
        self.session = Session(plane_of=lambda place: hidden_index(place[1]))  # type: ignore[index]
        self.bench = Workbench(self.viewer, lambda: None)
        self.bench.set_image(self.image)
        self.scanned = threading.Event()
        self.target = Target(self.bench, self.session, scanned=self.scanned.set)

    def accept(self, row: int = 4) -> int:
        """Accept an object of 4 x 6 pixels on the plane that is shown."""
        plane = current_plane(self.image, self.viewer.dims)
        self.session.go_to((self.image, plane))
        self.session.set_marks([Mark("extreme", *p) for p in ((row, 12), (row + 3, 12), (row + 1, 10), (row + 1, 15))])
        request = self.session.begin()
        assert request is not None
        region = (slice(row, row + 4), slice(10, 16))
        answer = Segmentation(np.ones((4, 6), np.float32), region, SHAPE, request.prompt, 0.9, "fake", 0.5)
        assert self.session.finish(request.serial, answer)
        self.target.ensure()
        return self.session.accept().label


@pytest.fixture
def rig() -> Rig:
    return Rig()


def test_a_layer_is_made_when_it_is_needed(rig: Rig) -> None:
    assert rig.target.layer is None
    assert rig.accept() == 1
    layer = rig.target.layer
    assert layer is not None
    assert layer.name == "DEXTR labels"
    assert (layer.data == 1).sum() == 24
    assert rig.accept(20) == 2


def test_undo_and_redo_reach_the_pixels_and_labels_are_not_given_again(rig: Rig) -> None:
    rig.accept()
    layer = rig.target.layer
    assert layer is not None
    while rig.session.undo():
        pass
    assert not layer.data.any()
    while rig.session.redo():
        pass
    assert (layer.data == 1).sum() == 24
    rig.session.undo()
    assert rig.accept() == 2


def test_labels_go_on_after_those_of_a_chosen_layer(rig: Rig) -> None:
    layer = Labels(np.zeros(SHAPE, np.uint8))
    layer.data[30, 20] = 41
    rig.target.choose(layer)
    assert rig.accept() == 42


def test_labels_painted_by_hand_are_noted_and_undone_in_turn(rig: Rig) -> None:
    layer = rig.viewer.add_labels(np.zeros(SHAPE, int))
    rig.target.choose(layer)
    rig.accept()
    layer.selected_label = 7
    layer.paint((30, 20), 7)
    assert rig.accept(20) == 8
    rig.session.undo()
    assert set(np.unique(layer.data)) == {0, 1, 7}
    for _ in range(5):  # the marks and the answer of the second object, then the stroke
        if 7 not in layer.data:
            break
        rig.session.undo()
    assert set(np.unique(layer.data)) == {0, 1}
    while rig.session.redo():
        pass
    assert set(np.unique(layer.data)) == {0, 1, 7, 8}


@pytest.mark.parametrize("kind", ["numpy", "zarr", "other", "pyramid", "int64"])
def test_undo_everything_gives_back_the_start_in_every_kind_of_layer(kind: str, tmp_path: Any) -> None:
    rig = Rig()
    start = np.zeros(SHAPE, np.int64 if kind == "int64" else np.uint16)
    start[5:9, 12:14] = 3
    if kind == "zarr":
        zarr = pytest.importorskip("zarr")
        data: Any = zarr.open(str(tmp_path / "l.zarr"), mode="w", shape=SHAPE, chunks=(16, 16), dtype="u2")
        data[...] = start
    elif kind == "other":
        data = Lazy(start.copy())
    elif kind == "pyramid":
        data = [start.copy(), start[::2, ::2].copy()]
    else:
        data = start.copy()
    layer = rig.viewer.add_labels(data, multiscale=kind == "pyramid")
    rig.target.choose(layer)
    if kind in ("zarr", "other"):
        assert rig.scanned.wait(30)
        rig.target.settle()
    rig.session.policy = AcceptPolicy("overwrite")
    assert rig.accept() == 4
    assert rig.accept(6) == 5
    end = np.array(finest(layer)[:])
    rig.session.delete(4)
    deleted = np.array(finest(layer)[:])
    assert 4 not in deleted
    while rig.session.undo():
        pass
    np.testing.assert_array_equal(finest(layer)[:], start)
    while rig.session.redo():
        pass
    np.testing.assert_array_equal(finest(layer)[:], deleted)
    rig.session.undo()
    np.testing.assert_array_equal(finest(layer)[:], end)


def test_replaced_data_are_looked_at_again(rig: Rig) -> None:
    layer = rig.viewer.add_labels(np.zeros(SHAPE, int))
    rig.target.choose(layer)
    layer.data = np.full(SHAPE, 99)
    rig.session.policy = AcceptPolicy("overwrite")
    assert rig.accept() == 100


def test_replaced_data_of_another_shape_do_no_harm(rig: Rig) -> None:
    layer = rig.viewer.add_labels(np.zeros(SHAPE, int))
    rig.target.choose(layer)
    rig.accept()
    layer.data = np.zeros((12, 14), int)
    while rig.session.undo():  # what it would take back is not there any more
        pass
    assert not layer.data.any()
    assert rig.accept(9) == 2
    assert (layer.data == 2).sum() == 3 * 4


def test_a_full_data_type_is_said_and_nothing_is_written(rig: Rig) -> None:
    layer = Labels(np.zeros(SHAPE, np.uint8))
    layer.data[30, 20] = 255
    rig.target.choose(layer)
    with pytest.raises(OutputError, match="255"):
        rig.accept()
    assert (layer.data != 0).sum() == 1


def test_no_label_is_given_before_a_large_layer_is_known(rig: Rig) -> None:
    data = np.zeros(SHAPE, int)
    data[30, 20] = 50
    lazy = Lazy(data)
    layer = rig.viewer.add_labels(lazy)
    lazy.gate.clear()
    rig.target.choose(layer)
    assert rig.target.scanning
    with pytest.raises(OutputError, match="still being read"):
        rig.accept()
    with pytest.raises(OutputError, match="still being read"):
        rig.session.accept()
    assert rig.session.segmentation is not None
    lazy.gate.set()
    assert rig.scanned.wait(30)
    assert not rig.target.scanning
    assert rig.session.accept().label == 51  # even if nobody has called `settle`


def test_a_scan_of_a_layer_that_was_left_is_forgotten(rig: Rig) -> None:
    lazy = Lazy(np.full(SHAPE, 9))
    layer = rig.viewer.add_labels(lazy)
    lazy.gate.clear()
    rig.target.choose(layer)
    rig.target.choose(None)
    lazy.gate.set()
    assert not rig.target.scanning
    assert rig.accept() == 1


def test_dask_is_refused_with_a_way_out_and_not_computed(rig: Rig) -> None:
    dask = pytest.importorskip("dask.array")
    layer = rig.viewer.add_labels(dask.zeros(SHAPE, dtype=int))
    rig.target.choose(layer)
    assert not rig.target.scanning
    with pytest.raises(UneditableError) as caught:
        rig.accept()
    assert caught.value.copy
    assert rig.session.segmentation is not None


def test_a_layer_that_was_moved_is_refused(rig: Rig) -> None:
    layer = rig.viewer.add_labels(np.zeros(SHAPE, int))
    rig.target.choose(layer)
    layer.scale = (2, 2)
    with pytest.raises(OutputError, match="pixel on pixel"):
        rig.accept()
    assert not layer.data.any()


def test_objects_of_the_record_are_adopted() -> None:
    rig = Rig((5, *SHAPE))
    rig.viewer.dims.set_current_step(0, 1)
    data = np.zeros((5, *SHAPE), np.uint16)
    data[3, 4:8, 10:16] = 6
    marks = tuple(Mark("extreme", *p) for p in ((4, 12), (7, 12), (5, 10), (5, 15)))
    facts = ObjectFacts(marks=marks, plane=(3,), score=0.8)
    layer = rig.viewer.add_labels(data, metadata={"napari_dextr": {"objects": {6: facts.to_json(), 9: {}}}})
    rig.target.choose(layer)
    (item,) = rig.session.objects.values()
    assert item.label == 6
    image, plane = item.place  # type: ignore[misc]
    assert image is rig.image
    assert (plane.axes, plane.index) == ((1, 2), (3, 0, 0))
    assert rig.session.area(6) == 24
    assert rig.accept() == 10  # 9 is named, though nothing more is known of it
    rig.session.delete(6)
    assert 6 not in data


def test_the_earlier_target_is_undone_too(rig: Rig) -> None:
    first, second = (rig.viewer.add_labels(np.zeros(SHAPE, int)) for _ in range(2))
    rig.target.choose(first)
    rig.accept()
    rig.target.choose(second)
    rig.accept(20)
    while rig.session.undo():
        pass
    assert not first.data.any()
    assert not second.data.any()


def test_a_forgotten_layer_is_let_go(rig: Rig) -> None:
    layer = Labels(np.zeros(SHAPE, int))
    rig.target.choose(layer)
    rig.target.forget(Image(np.zeros((3, 3))))
    assert rig.target.layer is layer
    rig.target.forget(layer)
    assert rig.target.layer is None
    assert not rig.session.objects


def test_a_target_that_does_not_fit_can_still_be_undone(rig: Rig) -> None:
    layer = rig.viewer.add_labels(np.zeros(SHAPE, np.uint16))
    rig.target.choose(layer)
    rig.accept()
    rig.bench.set_image(rig.viewer.add_image(np.zeros(SHAPE), scale=(0.5, 0.5)))
    layer.paint((30, 20), 5)
    while rig.session.undo():
        pass
    assert not layer.data.any()


@pytest.mark.parametrize("dtype", [np.uint16, np.int32])
def test_a_fill_through_very_many_planes_is_undone(dtype: Any) -> None:
    rig = Rig((70, *SHAPE))
    rig.viewer.dims.set_current_step(0, 1)
    layer = rig.viewer.add_labels(np.zeros((70, *SHAPE), dtype))
    rig.target.choose(layer)
    layer.n_edit_dimensions = 3
    layer.fill((0, 0, 0), 9)
    assert (layer.data == 9).all()
    rig.session.policy = AcceptPolicy("overwrite")
    assert rig.accept() == 10
    for _ in range(4):  # the marks with their answer, the object, and the fill
        rig.session.undo()
    assert not layer.data.any()
    rig.session.redo()
    assert (layer.data == 9).all()


def test_objects_of_an_image_that_was_opened_again_are_its_own(rig: Rig) -> None:
    rig.accept()
    rig.viewer.layers.remove(rig.image)
    again = rig.viewer.add_image(np.zeros(SHAPE))
    rig.bench.set_image(again)
    rig.target.adopt()
    assert rig.session.objects[1].place[0] is again  # type: ignore[index]


def test_a_label_on_several_planes_means_the_one_that_is_pointed_at() -> None:
    rig = Rig((5, *SHAPE))
    data = np.zeros((5, *SHAPE), np.uint16)
    data[:, 4:8, 10:16] = 5
    marks = tuple(Mark("extreme", *p) for p in ((4, 12), (7, 12), (5, 10), (5, 15)))
    facts = ObjectFacts(marks=marks, plane=(1,), class_id=2)
    layer = rig.viewer.add_labels(data, metadata={"napari_dextr": {"objects": {5: facts.to_json()}}})
    rig.target.choose(layer)
    rig.viewer.dims.set_current_step(0, 3)
    rig.target.adopt_label(5, pointed=True)
    item = rig.session.objects[5]
    assert (item.place[1].index[0], item.facts.marks, item.facts.class_id) == (3, (), 2)  # type: ignore[index]
    rig.session.delete(5)
    assert [plane for plane in range(5) if not data[plane].any()] == [3]
    rig.session.undo()
    rig.viewer.dims.set_current_step(0, 1)
    rig.target.adopt_label(5, pointed=True)
    assert rig.session.objects[5].place[1].index[0] == 1  # type: ignore[index]


def test_an_object_without_telling_marks_is_found_on_its_plane() -> None:
    rig = Rig((5, *SHAPE))
    rig.viewer.dims.set_current_step(0, 0)
    data = np.zeros((5, *SHAPE), np.uint16)
    data[2, 2:38, 2:28] = 5
    facts = ObjectFacts(marks=(Mark("inside", 20, 15),), plane=(2,))
    rig.target.choose(rig.viewer.add_labels(data, metadata={"napari_dextr": {"objects": {5: facts.to_json()}}}))
    assert not rig.session.objects
    rig.target.adopt_label(5)
    rig.session.reopen(5)
    assert rig.session.segmentation is not None
    assert rig.session.segmentation.mask.sum() == 36 * 26


def test_the_axes_of_a_plane_come_from_the_record() -> None:
    rig = Rig((5, *SHAPE))
    facts = ObjectFacts(box=(1, 1, 4, 4), plane=(3,), axes=(0, 2))
    data = np.zeros((5, *SHAPE), np.uint16)
    rig.target.choose(rig.viewer.add_labels(data, metadata={"napari_dextr": {"objects": {5: facts.to_json()}}}))
    plane = rig.session.objects[5].place[1]  # type: ignore[index]
    assert (plane.axes, plane.index) == ((0, 2), (0, 3, 0))


def test_labels_that_another_widget_gave_are_not_given_again(rig: Rig) -> None:
    rig.accept()
    assert rig.target.layer is not None
    note_highest(rig.target.layer, 8)
    assert rig.accept(20) == 9
    rig.target.layer.selected_label = 30
    rig.target.layer.paint((30, 20), 30)
    assert given_highest(rig.target.layer) == 30


def test_classes_that_somebody_else_adds_are_taken_over(rig: Rig) -> None:
    rig.accept()
    rig.session.add_class("mite")
    layer = rig.target.layer
    assert layer is not None
    store(layer, record(layer)[0], [*rig.session.classes, ObjectClass(2, "egg", "#123456")])
    rig.target.adopt()
    assert [entry.name for entry in rig.session.classes] == ["mite", "egg"]


def test_who_listens_hears_of_every_change_of_layer() -> None:
    rig = Rig()
    heard: list[Any] = []
    target = Target(rig.bench, rig.session, changed=lambda before: heard.append((before, target.layer)))
    first, second = (rig.viewer.add_labels(np.zeros(SHAPE, np.uint16)) for _ in range(2))
    for layer in (None, first, first, second):
        target.choose(layer)
    target.forget(second)
    assert heard == [(None, first), (first, None), (None, second), (second, None)]
    made = target.ensure()
    assert heard[4:] == [(None, made)]
