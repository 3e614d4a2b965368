"""The target layer and its labels."""

from __future__ import annotations

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Image, Labels

from napari_dextr.errors import OutputError
from napari_dextr.napari_io.planes import Plane
from napari_dextr.napari_io.target import Target
from napari_dextr.napari_io.workbench import Workbench
from napari_dextr.prompt import Prompt
from napari_dextr.segmenter import Segmentation
from napari_dextr.session import Session

PLANE = Plane((0, 1), (0, 0))


def segmentation(row: int = 4) -> Segmentation:
    prompt = Prompt.extreme([(row, 12), (row + 3, 15), (row, 10)])
    region = (slice(row, row + 4), slice(10, 16))
    return Segmentation(np.ones((4, 6), np.float32), region, (40, 30), prompt, None, "fake", 0.5)


@pytest.fixture
def target() -> Target:
    viewer = ViewerModel()
    image = viewer.add_image(np.zeros((40, 30)))
    bench = Workbench(viewer, lambda: None)
    bench.set_image(image)
    return Target(bench, Session())


def test_a_layer_is_made_when_it_is_needed(target: Target) -> None:
    assert target.write(PLANE, segmentation(), keep_earlier=True) == 1
    assert target.layer is not None
    assert target.layer.name == "DEXTR labels"
    assert int((target.layer.data == 1).sum()) == 24
    assert target.write(PLANE, segmentation(20), keep_earlier=True) == 2


def test_an_undone_label_is_not_given_again(target: Target) -> None:
    target.write(PLANE, segmentation(), keep_earlier=True)
    assert target.layer is not None
    target.layer.undo()
    assert target.write(PLANE, segmentation(), keep_earlier=True) == 2


def test_labels_go_on_after_those_of_a_chosen_layer(target: Target) -> None:
    layer = Labels(np.zeros((40, 30), np.uint8))
    layer.data[30, 20] = 41
    target.choose(layer)
    assert target.write(PLANE, segmentation(), keep_earlier=True) == 42


def test_labels_painted_by_hand_are_noted(target: Target) -> None:
    layer = Labels(np.zeros((40, 30), int))
    target.choose(layer)
    layer.selected_label = 7
    layer.paint((30, 20), 7)
    assert target.write(PLANE, segmentation(), keep_earlier=True) == 8
    layer.data = np.full((40, 30), 99)
    assert target.write(PLANE, segmentation(), keep_earlier=False) == 100


def test_our_own_writing_does_not_look_like_painting(target: Target) -> None:
    layer = Labels(np.zeros((40, 30), int))
    target.choose(layer)
    layer.selected_label = 500
    assert target.write(PLANE, segmentation(), keep_earlier=True) == 1
    assert target.write(PLANE, segmentation(20), keep_earlier=True) == 2


def test_a_full_data_type_is_said_and_nothing_is_written(target: Target) -> None:
    layer = Labels(np.zeros((40, 30), np.uint8))
    layer.data[30, 20] = 255
    target.choose(layer)
    with pytest.raises(OutputError, match="255"):
        target.write(PLANE, segmentation(), keep_earlier=True)
    assert int((layer.data != 0).sum()) == 1


def test_a_forgotten_layer_is_let_go(target: Target) -> None:
    layer = Labels(np.zeros((40, 30), int))
    target.choose(layer)
    target.forget(Image(np.zeros((3, 3))))
    assert target.layer is layer
    target.forget(layer)
    assert target.layer is None
