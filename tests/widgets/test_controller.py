"""Annotating, on a viewer model: marks in, model asked, labels written, and whatever users do meanwhile."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from napari.components import ViewerModel
from napari.layers import Image

from napari_dextr.errors import ModelError
from napari_dextr.napari_io.export_source import image_of
from napari_dextr.postprocess import PostProcess
from napari_dextr.session import AcceptPolicy
from napari_dextr.widgets.controller import AnnotateController

Rig = Any  # the fixtures of conftest.py: a viewer model with an image, a controller, and what it said

POINTS = [(5.0, 12.0), (14.0, 4.0), (24.0, 13.0), (13.0, 22.0)]
BOX = (slice(5, 25), slice(4, 23))


def test_from_four_clicks_to_a_label(rig: Rig) -> None:
    rig.open()
    assert rig.do.bench.armed
    rig.click(POINTS[:3])
    assert rig.segmenter.calls == []
    assert "1 more extreme point" in rig.do.status.text
    rig.segment(POINTS[3:])
    assert rig.names[-2:] == ["DEXTR preview", "Extreme clicks"]
    rig.do.accept()
    target = rig.do.target.layer
    assert target is not None
    expected = np.zeros((40, 50), int)
    expected[BOX] = 1
    np.testing.assert_array_equal(target.data, expected)
    assert len(rig.layer.data) == 0
    assert not np.any(rig.do.bench.preview.data)  # type: ignore[union-attr]
    assert rig.do.bench.armed
    assert "Object 1" in rig.do.status.text
    rig.do.undo()
    assert not target.data.any()
    assert len(rig.layer.data) == 4
    assert rig.do.session.segmentation is not None
    assert rig.notices == []


def test_the_model_gets_what_the_user_sees(rig: Rig) -> None:
    data = np.random.default_rng(0).integers(0, 4000, (3, 40, 50)).astype(np.uint16)
    rig.open(data, contrast_limits=(100, 900))
    rig.viewer.dims.set_current_step(0, 2)
    rig.segment(POINTS, 2)
    image, prompt, limits = rig.segmenter.calls[-1]
    np.testing.assert_array_equal(np.asarray(image), data[2])
    np.testing.assert_array_equal(prompt.extreme_points, POINTS)
    assert limits == (100.0, 900.0)


def test_moving_and_deleting_points_asks_again(rig: Rig) -> None:
    rig.open()
    rig.segment()
    moved = rig.layer.data.copy()
    moved[2] = (30, 13)
    rig.layer.data = moved
    rig.wait()
    assert rig.do.session.segmentation is not None
    assert rig.do.session.segmentation.prompt.bounds == (5.0, 4.0, 30.0, 22.0)
    rig.layer.selected_data = {2}
    rig.layer.remove_selected()
    assert rig.do.session.remaining == 1
    assert not np.any(rig.do.bench.preview.data)  # type: ignore[union-attr]
    rig.do.undo()
    rig.wait()
    assert len(rig.layer.data) == 4
    assert rig.do.session.segmentation is not None


def test_undo_and_redo_of_clicks(rig: Rig) -> None:
    rig.open()
    rig.click(POINTS[:2])
    rig.do.undo()
    np.testing.assert_array_equal(rig.layer.data, POINTS[:1])
    rig.do.redo()
    np.testing.assert_array_equal(rig.layer.data, POINTS[:2])
    rig.do.redo()
    rig.do.discard()
    assert len(rig.layer.data) == 0
    rig.do.undo()
    np.testing.assert_array_equal(rig.layer.data, POINTS[:2])


def test_a_preview_belongs_to_its_plane(rig: Rig) -> None:
    rig.open(np.zeros((4, 40, 50), np.uint8), scale=(3, 0.5, 0.5))
    rig.viewer.dims.set_current_step(0, 1)
    rig.click(POINTS[:2], 1)
    rig.viewer.dims.set_current_step(0, 3)
    assert rig.do.session.remaining == 4
    rig.segment(POINTS, 3)
    preview = rig.do.bench.preview
    assert preview is not None
    assert preview.data_to_world((0, 0, 0))[0] == 9
    rig.do.accept()
    target = rig.do.target.layer
    assert target is not None
    assert [int(plane.any()) for plane in target.data] == [0, 0, 0, 1]
    rig.viewer.dims.set_current_step(0, 1)
    assert rig.do.session.remaining == 2
    rig.segment(POINTS[2:], 1)
    rig.do.accept()
    assert [int(plane.max()) for plane in target.data] == [0, 2, 0, 1]


def test_leaving_a_plane_while_busy_drops_the_answer(rig: Rig) -> None:
    rig.open(np.zeros((4, 40, 50), np.uint8))
    rig.viewer.dims.set_current_step(0, 0)
    rig.segmenter.gate.clear()
    rig.click(POINTS, 0)
    rig.viewer.dims.set_current_step(0, 2)
    assert not rig.do.session.busy
    rig.segmenter.gate.set()
    rig.viewer.dims.set_current_step(0, 0)
    rig.wait()
    assert rig.do.session.segmentation is not None
    assert rig.notices == []


def test_3d_view_is_explained(rig: Rig) -> None:
    rig.open(np.zeros((4, 40, 50), np.uint8))
    rig.viewer.dims.ndisplay = 3
    assert rig.do.status.kind == "error"
    assert "2-D" in rig.do.status.text
    rig.viewer.dims.ndisplay = 2
    assert rig.do.status.kind == "hint"


def test_coincident_points_are_reported_and_stay(rig: Rig) -> None:
    rig.open()
    rig.click([(5, 5)] * 4)
    assert "coincide" in rig.do.status.text
    assert [severe for _, severe in rig.notices] == [False]
    assert len(rig.layer.data) == 4
    moved = np.array(POINTS)
    rig.layer.data = moved
    rig.wait()
    assert rig.do.session.segmentation is not None


def test_points_far_outside_are_reported(rig: Rig) -> None:
    rig.open()
    rig.segment([(500, 500), (520, 480), (540, 500), (520, 520)])
    assert "outside" in rig.notices[0][0]
    assert rig.do.status.kind == "error"


def test_unexpected_errors_are_reported_without_losing_points(rig: Rig) -> None:
    rig.open()
    rig.segmenter.error = RuntimeError("out of memory")
    rig.segment()
    assert "out of memory" in rig.notices[0][0]
    assert rig.notices[0][1]
    assert len(rig.layer.data) == 4
    rig.segmenter.error = None
    rig.do.undo()
    rig.do.redo()
    rig.wait()
    assert rig.do.session.segmentation is not None


def test_a_model_that_cannot_be_loaded_is_said_once_and_the_one_before_stays(rig: Rig) -> None:
    rig.open()
    rig.qtbot.waitUntil(lambda: rig.do.model.segmenter is not None)
    rig.click()
    rig.do.set_model("broken", "auto")
    rig.wait()
    assert [severe for _, severe in rig.notices] == [True]
    assert "stays in use" in rig.notices[0][0]
    assert rig.do.session.segmentation is not None
    rig.do.accept()
    assert rig.do.session.objects


def test_an_unknown_model_names_the_known_ones(qtbot: Any) -> None:
    do = AnnotateController(ViewerModel())
    notices: list[str] = []
    do.noticed.connect(lambda text, severe: notices.append(text))
    do.set_model("no-such-model", "cpu")
    qtbot.waitUntil(lambda: bool(notices))
    assert "no-such-model" in notices[0]
    assert isinstance(do.model.error, ModelError)
    do.close()


def test_kinds_of_click(rig: Rig) -> None:
    rig.open()
    rig.segment()
    rig.do.set_kind("outside")
    rig.segment([(30, 30)])
    np.testing.assert_array_equal(rig.segmenter.calls[-1][1].outside_points, [(30, 30)])
    rig.do.accept()
    assert rig.do.prompts.kind == "extreme"
    assert rig.layer.feature_defaults["kind"].iloc[0] == "extreme"


def test_kinds_that_the_model_does_not_take(rig: Rig) -> None:
    rig.segmenter.spec = type(rig.segmenter)(("extreme",)).spec
    rig.open()
    rig.do.set_kind("inside")
    rig.do.set_model("fake", "cpu")
    rig.qtbot.waitUntil(lambda: rig.do.prompts.kind == "extreme")
    rig.do.set_kind("outside")
    assert rig.do.prompts.kind == "extreme"


def test_tuning_needs_no_network(rig: Rig) -> None:
    rig.open()
    rig.segment()
    count = len(rig.segmenter.calls)
    rig.do.tune(0.7, PostProcess(fill_holes=math.inf, keep_marked=True))
    assert not np.any(rig.do.bench.preview.data)  # type: ignore[union-attr]
    rig.do.accept()
    assert "empty" in rig.notices[0][0]
    rig.do.tune(0.3, PostProcess())
    assert np.any(rig.do.bench.preview.data)  # type: ignore[union-attr]
    assert len(rig.segmenter.calls) == count


def test_accept_without_preview_is_explained(rig: Rig) -> None:
    rig.open()
    rig.do.accept()
    assert "no preview" in rig.notices[0][0]
    assert rig.names == ["Image", "Extreme clicks"]


def test_earlier_objects_are_kept_unless_told_otherwise(rig: Rig) -> None:
    rig.open()
    rig.segment()
    rig.do.accept()
    rig.segment()
    rig.do.accept()
    assert "wholly" in rig.notices[0][0]
    assert len(rig.layer.data) == 4
    rig.do.session.policy = AcceptPolicy("overwrite")
    rig.do.accept()
    target = rig.do.target.layer
    assert target is not None
    assert set(np.unique(target.data)) == {0, 2}


def test_a_target_of_another_place_is_refused(rig: Rig) -> None:
    rig.open()
    labels = rig.viewer.add_labels(np.zeros((40, 50), int), scale=(2, 2))
    rig.do.set_target(labels)
    rig.do.arm()
    rig.segment()
    rig.do.accept()
    assert "pixel on pixel" in rig.notices[0][0]
    assert not labels.data.any()
    rig.do.set_target(None)
    rig.do.accept()
    assert rig.do.target.layer is not labels


def test_deleted_clicks_come_back_with_undo(rig: Rig) -> None:
    rig.open()
    rig.click(POINTS[:3])
    rig.viewer.layers.remove(rig.layer)
    assert "Press D" in rig.do.status.text
    rig.do.undo()
    np.testing.assert_array_equal(rig.layer.data, POINTS[:3])
    assert rig.do.bench.armed


def test_another_image_and_back(rig: Rig) -> None:
    first = rig.open()
    rig.click(POINTS[:2])
    second = rig.open(np.zeros((3, 60, 60), np.uint8))
    assert rig.layer.ndim == 3
    assert rig.do.session.remaining == 4
    rig.do.set_image(first)
    assert rig.do.session.remaining == 2
    rig.viewer.layers.remove(second)
    assert rig.do.session.remaining == 2


def test_keys_work_on_the_click_layer_and_from_others(rig: Rig) -> None:
    image = rig.open()
    keys = {str(key): callback for key, callback in rig.layer.keymap.items()}
    viewer_keys = {str(key): callback for key, callback in rig.viewer.keymap.items()}
    keys["I"](rig.layer)
    assert rig.do.prompts.kind == "inside"
    viewer_keys["D"](rig.viewer)
    assert rig.do.prompts.kind == "extreme"
    rig.viewer.layers.selection.active = image
    assert "Press D" in rig.do.status.text
    viewer_keys["D"](rig.viewer)
    assert rig.do.bench.armed
    rig.click(POINTS[:2])
    keys["Ctrl+Z"](rig.layer)
    assert rig.do.session.remaining == 3
    keys["Ctrl+Shift+Z"](rig.layer)
    rig.segment(POINTS[2:])
    keys["Escape"](rig.layer)
    assert rig.do.session.segmentation is None
    viewer_keys["U"](rig.viewer)
    rig.wait()
    keys["Enter"](rig.layer)
    assert rig.do.target.layer is not None


def test_closing_while_busy_gives_everything_back(rig: Rig) -> None:
    rig.open()
    rig.segmenter.gate.clear()
    rig.click()
    layer = rig.layer
    rig.do.close()
    rig.do.close()
    rig.segmenter.gate.set()
    rig.qtbot.waitUntil(lambda: not rig.do.model.running)
    assert rig.names == ["Image", "Extreme clicks"]
    assert not rig.viewer.keymap
    assert not layer.keymap
    layer.add([1, 1])
    rig.viewer.layers.clear()
    assert rig.notices == []


def test_removing_all_layers_at_once(rig: Rig) -> None:
    rig.open()
    rig.segment()
    rig.do.accept()
    rig.click()
    rig.viewer.layers.select_all()
    rig.viewer.layers.remove_selected()
    assert "Open an image" in rig.do.status.text


def test_the_facts_name_the_weights(rig: Rig) -> None:
    rig.segmenter.model_hash = "a1b2"
    rig.do.set_model("fake", "cpu")
    rig.open()
    rig.segment()
    rig.do.accept()
    assert rig.do.session.objects[1].facts.model_hash == "a1b2"


def test_undo_goes_over_images_of_other_scales(full: Rig) -> None:
    first = full.do.bench.image
    full.segment()
    full.do.accept()
    target = full.do.target.layer
    full.open(np.zeros((40, 50), np.uint8), scale=(0.5, 0.5))
    full.segment()
    full.do.accept()
    while full.do.session.can_undo:
        full.do.undo()
        assert full.do.notices.problem is None
    assert not target.data.any()
    assert full.do.bench.image is first
    assert full.do.target.layer is target


def test_an_image_that_was_closed_and_opened_again_keeps_its_objects(full: Rig) -> None:
    full.segment()
    full.do.accept()
    target = full.do.target.layer
    full.viewer.layers.remove(full.do.bench.image)
    full.do.set_image(None)
    again = full.open()
    assert full.do.target.layer is target
    full.do.reopen(1)
    assert full.do.session.place[0] is again
    full.do.set_kind("inside")
    full.segment([(20.0, 30.0)])
    assert full.do.session.reopened == 1
    full.do.accept()
    assert list(full.do.session.objects) == [1]


def test_without_an_image_there_is_no_going_back_to_an_object(full: Rig) -> None:
    full.segment()
    full.do.accept()
    full.viewer.layers.remove(full.do.bench.image)
    full.do.reopen(1)
    assert full.do.session.reopened is None
    assert "Open an image" in full.do.status.text


def test_another_channel_keeps_the_chosen_target_and_another_image_does_not(full: Rig) -> None:
    chosen = full.viewer.add_labels(np.zeros((40, 50), np.uint16), name="nuclei")
    full.do.set_target(chosen)
    full.open()
    assert full.do.target.layer is chosen
    full.open(np.zeros((300, 300), np.uint8))
    assert full.do.target.layer is None


def test_each_picture_of_a_collection_gets_labels_of_its_own(rig: Rig) -> None:
    pictures = [rig.viewer.add_image(np.zeros((40, 50, 3), np.uint8), name=name, rgb=True) for name in "ab"]
    targets = []
    for picture in pictures:
        rig.do.set_image(picture)
        rig.segment()
        rig.do.accept()
        targets.append(rig.do.target.layer)
    assert targets[0] is not targets[1]
    rig.do.undo()
    rig.do.undo()
    rig.do.set_image(pictures[0])
    assert rig.do.target.layer is targets[0]
    assert pictures[0].visible
    assert not pictures[1].visible


def test_a_layer_belongs_to_the_channel_on_which_it_was_annotated(rig: Rig) -> None:
    annotated = rig.open()
    chosen = rig.viewer.add_labels(np.zeros((40, 50), np.uint16))
    rig.do.set_target(chosen)
    rig.viewer.layers.insert(1, Image(np.zeros((40, 50))))
    rig.segment()
    rig.do.accept()
    assert image_of(chosen, rig.viewer.layers) is annotated


def test_what_was_said_of_one_target_is_not_said_of_another(rig: Rig) -> None:
    rig.open()
    first, second = (rig.viewer.add_labels(np.zeros((40, 50), np.uint16), name=name) for name in ("first", "second"))
    rig.do.set_target(second)
    rig.do.arm()
    rig.segment()
    rig.do.accept()
    rig.do.set_target(second)  # the same one
    assert "Object 1 is in 'second'" in rig.do.status.text
    rig.do.set_target(first)
    assert "second" not in rig.do.status.text
    rig.do.set_target(second)
    assert "Object 1" not in rig.do.status.text
    rig.segment([(30.0, 35.0), (33.0, 30.0), (38.0, 36.0), (34.0, 42.0)])
    rig.do.accept()
    assert "Object 2 is in 'second'" in rig.do.status.text
    rig.viewer.layers.remove(second)
    assert "second" not in rig.do.status.text


def test_an_object_in_a_hidden_layer_is_said_to_be_there(rig: Rig) -> None:
    rig.open()
    chosen = rig.viewer.add_labels(np.zeros((40, 50), np.uint16), name="mine", visible=False)
    rig.do.set_target(chosen)
    rig.do.arm()
    rig.segment()
    rig.do.accept()
    assert "'mine', which is hidden." in rig.do.status.text
