"""Layers that go, planes that turn and pixels that change under the work."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

Rig = Any  # the fixtures of conftest.py: a viewer model with an image, a controller, and what it said

POINTS = [(5.0, 12.0), (14.0, 4.0), (24.0, 13.0), (13.0, 22.0)]


@pytest.mark.parametrize("name", ["Image", "Extreme clicks", "DEXTR preview", "DEXTR labels"])
def test_layers_removed_during_a_prediction(rig: Rig, name: str) -> None:
    rig.open()
    rig.segment()
    rig.do.accept()
    rig.segmenter.gate.clear()
    rig.click([(30, 30), (32, 28), (36, 31), (33, 34)])
    for layer in rig.viewer.layers:
        layer.name = f"renamed {layer.name}"
    rig.viewer.layers.remove(f"renamed {name}")
    rig.segmenter.gate.set()
    if name == "Image":
        rig.do.set_image(None)
        assert "Open an image" in rig.do.status.text
        return
    if name == "Extreme clicks":
        assert rig.do.session.remaining == 4
        rig.do.arm()
        rig.segment([(30, 30), (32, 28), (36, 31), (33, 34)])
    rig.wait()
    rig.do.accept()
    assert rig.notices == []
    assert rig.do.target.layer is not None
    assert rig.do.target.layer.data[32, 30] != 0


def test_all_layers_can_be_removed_while_an_object_is_corrected(full: Rig) -> None:
    """napari removes them one by one until none is left, when a viewer is closed too."""
    full.do.set_kind("box")
    full.do.bench.boxes.layer.add([[5, 4], [5, 22], [24, 22], [24, 4]], shape_type="rectangle")
    full.wait()
    full.do.accept()
    full.do.reopen(1)  # its box outlives the points, so there is something to show until the image goes
    assert full.do.bench.preview is not None
    inserted = []

    def note(event: Any) -> None:
        inserted.append(event.value)
        assert len(inserted) < 5, "layers come back as they are removed"

    full.viewer.layers.events.inserted.connect(note)
    full.viewer.layers.clear()
    assert full.names == []


def test_a_preview_that_is_removed_comes_back_with_the_next_correction(full: Rig) -> None:
    full.segment()
    full.do.accept()
    full.do.reopen(1)
    full.viewer.layers.remove(full.do.bench.preview)
    assert full.do.session.reopened == 1
    full.do.set_kind("inside")
    full.segment([(20.0, 30.0)])
    assert full.do.bench.preview is not None
    full.do.accept()
    assert list(full.do.session.objects) == [1]


def test_pending_marks_go_with_their_image_and_objects_stay(full: Rig) -> None:
    full.segment()
    full.do.accept()
    target = full.do.target.layer
    written = np.array(target.data)
    full.click(POINTS[:3])
    full.viewer.layers.remove(full.do.bench.image)
    full.qtbot.waitUntil(lambda: "Extreme clicks" not in full.names)
    full.do.set_image(None)
    assert full.names == ["DEXTR labels"]
    np.testing.assert_array_equal(target.data, written)
    assert list(full.do.session.objects) == [1]
    again = full.open()
    assert full.do.bench.image is again
    assert full.do.session.remaining == 4


def test_marks_on_another_image_go_with_it(full: Rig) -> None:
    """Nobody chooses another image then: the one that is annotated is still there."""
    first = full.do.bench.image
    full.click(POINTS[:2])
    second = full.open(np.zeros((60, 60), np.uint8))
    full.click(POINTS[:3])
    full.viewer.layers.remove(first)
    full.qtbot.waitUntil(lambda: len([name for name in full.names if name.startswith("Extreme clicks")]) == 1)
    assert full.do.bench.image is second
    assert full.do.session.remaining == 1
    assert full.do.bench.armed


def test_a_picture_that_becomes_a_stack_is_annotated_on(full: Rig) -> None:
    full.segment()
    full.do.accept()
    full.click(POINTS[:2])
    image = full.do.bench.image
    image.data = np.zeros((5, 40, 50), np.uint8)
    full.viewer.dims.set_current_step(0, 3)
    assert full.do.session.marks == ()
    full.segment(POINTS, 3)
    full.do.accept()
    assert full.do.target.layer.data.shape == (5, 40, 50)
    assert full.do.target.layer.data[3].any()
    while full.do.session.can_undo:
        full.do.undo()
        assert full.do.notices.problem is None
    assert not full.do.target.layer.data.any()


def test_new_pixels_leave_the_preview_of_an_object_that_is_corrected(full: Rig) -> None:
    full.segment()
    full.do.accept()
    full.do.reopen(1)
    full.do.bench.image.data = np.ones((40, 50), np.uint8)
    assert np.any(full.do.bench.preview.data)


def test_all_layers_can_go_while_an_object_is_corrected(full: Rig) -> None:
    full.segment()
    full.do.accept()
    full.do.target.layer.data_setitem((np.array([30, 31]), np.array([40, 40])), 5)  # an object without clicks
    full.do.reopen(5)
    assert full.do.bench.preview is not None
    full.viewer.layers.clear()  # as napari does when a viewer is closed
    assert full.names == []
