"""The Annotate widget: what it shows, and real clicks in a real viewer."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Labels, Layer
from PIL import Image as PictureFile
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest

from napari_dextr.models.catalogue import EMBEDDED_FILE
from napari_dextr.models.checkpoint import write_checkpoint
from napari_dextr.models.own import keep_model, remove_model
from napari_dextr.models.spec import ModelSpec
from napari_dextr.napari_io.reader import read_layers
from napari_dextr.places import DATA_VARIABLE
from napari_dextr.widgets import annotate
from napari_dextr.widgets.annotate import AnnotateWidget
from napari_dextr.widgets.docks import tell_models_changed

POINTS = [(20.0, 60.0), (60.0, 20.0), (100.0, 62.0), (58.0, 110.0)]
BOX = (slice(20, 101), slice(20, 111))


@pytest.fixture
def notices(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    said: list[str] = []
    monkeypatch.setattr(annotate, "show_warning", said.append)
    monkeypatch.setattr(annotate, "show_error", said.append)
    return said


@pytest.fixture(autouse=True)
def _data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sessions are saved where nobody's work is, and a test can look for them."""
    monkeypatch.setenv(DATA_VARIABLE, str(tmp_path / "data"))


@pytest.fixture
def made(
    qtbot: Any, load: Callable[[str, str], Any], notices: list[str]
) -> Iterator[tuple[ViewerModel, AnnotateWidget]]:
    viewer = ViewerModel()
    widget = AnnotateWidget(viewer, load=load)  # type: ignore[arg-type]
    qtbot.addWidget(widget)
    yield viewer, widget
    widget.release()
    qtbot.waitUntil(lambda: not widget.controller.model.running)


def previewed(widget: AnnotateWidget) -> bool:
    """Whether the model has answered."""
    return widget.controller.session.segmentation is not None


def test_empty_state(made: tuple[ViewerModel, AnnotateWidget]) -> None:
    _, widget = made
    assert "Open an image first" in widget.status.text.text()
    for button in (widget.arm, widget.undo, widget.redo, widget.accept, widget.discard):
        assert not button.isEnabled()


def test_an_opened_image_is_taken(qtbot: Any, made: tuple[ViewerModel, AnnotateWidget]) -> None:
    viewer, widget = made
    image = viewer.add_image(np.zeros((128, 128)), name="cells")
    qtbot.waitUntil(lambda: widget.controller.bench.image is image)
    assert widget.images.currentText() == "cells"
    assert "topmost" in widget.status.text.text()
    viewer.layers.remove(image)
    qtbot.waitUntil(lambda: "Open an image first" in widget.status.text.text())
    qtbot.waitUntil(lambda: not viewer.layers)  # the empty click layer goes too


def test_the_active_image_is_taken_at_the_start(qtbot: Any, load: Callable[[str, str], Any]) -> None:
    viewer = ViewerModel()
    first = viewer.add_image(np.zeros((128, 128)))
    viewer.add_image(np.zeros((128, 128)))
    viewer.layers.selection.active = first
    widget = AnnotateWidget(viewer, load=load)  # type: ignore[arg-type]
    qtbot.addWidget(widget)
    assert widget.controller.bench.image is first
    widget.release()


def test_what_is_hidden_is_not_taken_at_the_start_unless_it_is_active(qtbot: Any, load: Callable[..., Any]) -> None:
    viewer = ViewerModel()
    seen = viewer.add_image(np.zeros((128, 128)), name="seen", blending="additive")
    hidden = viewer.add_image(np.zeros((128, 128)), name="hidden", visible=False, blending="additive")
    for active, taken in ((None, seen), (hidden, hidden)):
        viewer.layers.selection.active = active
        widget = AnnotateWidget(viewer, load=load)  # type: ignore[arg-type]
        qtbot.addWidget(widget)
        assert widget.controller.bench.image is taken
        assert taken.visible
        taken.visible = False
        assert "'" + taken.name + "', the image that you mark, is hidden" in widget.status.text.text()
        taken.visible = True
        assert "hidden" not in widget.status.text.text()
        widget.release()


def test_buttons_follow_the_state(qtbot: Any, made: tuple[ViewerModel, AnnotateWidget]) -> None:
    viewer, widget = made
    widget.controller.set_image(viewer.add_image(np.zeros((128, 128))))
    clicks = widget.controller.bench.clicks
    assert clicks is not None
    clicks.layer.add(POINTS)
    qtbot.waitUntil(lambda: previewed(widget))
    assert widget.accept.isEnabled()
    assert "score 0.90" in widget.status.result.text()
    widget.undo.click()
    assert not widget.accept.isEnabled()
    assert widget.redo.isEnabled()
    widget.redo.click()
    qtbot.waitUntil(lambda: previewed(widget))
    widget.accept.click()
    assert widget.targets.currentText() == "DEXTR labels"
    assert not widget.discard.isEnabled()


def test_accept_by_button_need_not_wait_for_the_model(
    qtbot: Any, made: tuple[ViewerModel, AnnotateWidget], segmenter: Any
) -> None:
    viewer, widget = made
    do = widget.controller
    do.set_image(viewer.add_image(np.zeros((128, 128))))
    assert do.bench.clicks is not None
    segmenter.gate.clear()
    do.bench.clicks.layer.add(POINTS)
    assert do.session.busy
    assert widget.accept.isEnabled()
    widget.accept.click()
    assert "accepted as soon as it is found" in widget.status.text.text()
    assert not widget.accept.isEnabled()  # the press was taken
    widget.classes.added.emit("cell")  # calls it off, as it would call Enter off
    assert do.session.busy
    assert widget.accept.isEnabled()
    widget.accept.click()
    segmenter.gate.set()
    qtbot.waitUntil(lambda: list(do.session.objects) == [1])
    assert not widget.accept.isEnabled()


def test_the_list_of_images_follows_undo(qtbot: Any, made: tuple[ViewerModel, AnnotateWidget]) -> None:
    viewer, widget = made
    first, second = (viewer.add_image(np.zeros((128, 128)), name=name) for name in ("first", "second"))
    do = widget.controller
    do.set_image(first)
    assert do.bench.clicks is not None
    do.bench.clicks.layer.add(POINTS[0])
    widget.images.layer = second
    qtbot.waitUntil(lambda: do.bench.image is second)
    do.undo()
    assert do.bench.image is first
    assert widget.images.layer is first
    widget.images.layer = second
    qtbot.waitUntil(lambda: do.bench.image is second)


def test_targets_are_labels_layers_other_than_the_preview(qtbot: Any, made: tuple[ViewerModel, AnnotateWidget]) -> None:
    viewer, widget = made
    widget.controller.set_image(viewer.add_image(np.zeros((128, 128))))
    mine = viewer.add_labels(np.zeros((128, 128), int), name="mine")
    clicks = widget.controller.bench.clicks
    assert clicks is not None
    clicks.layer.add(POINTS)
    qtbot.waitUntil(lambda: previewed(widget))
    assert [widget.targets.itemText(i) for i in range(widget.targets.count())] == ["New: DEXTR labels", "mine"]
    widget.targets.setCurrentIndex(1)
    qtbot.waitUntil(lambda: widget.controller.target.layer is mine)
    widget.accept.click()
    assert mine.data[60, 60] == 1
    viewer.layers.remove(mine)
    qtbot.waitUntil(lambda: widget.controller.target.layer is None)
    assert widget.targets.currentIndex() == 0


def open_coco(viewer: ViewerModel, folder: Path) -> list[Layer]:
    """Two pictures, each with an object, as the reader opens them."""
    square = [[10, 10, 20, 10, 20, 20, 10, 20]]
    images, annotations = [], []
    for number in (1, 2):
        name = f"p{number}.png"
        PictureFile.fromarray(np.zeros((128, 128), np.uint8)).save(folder / name)
        images.append({"id": number, "file_name": name, "height": 128, "width": 128})
        entry = {"id": number, "image_id": number, "category_id": 1, "iscrowd": 0, "bbox": [10, 10, 10, 10]}
        annotations.append({**entry, "area": 100, "segmentation": square})
    path = folder / "set.json"
    categories = [{"id": 1, "name": "mite"}]
    path.write_text(json.dumps({"images": images, "annotations": annotations, "categories": categories}))
    return [viewer.add_layer(Layer.create(*layer)) for layer in read_layers(str(path))]


def test_objects_go_on_into_the_labels_that_were_opened_with_the_image(
    qtbot: Any, made: tuple[ViewerModel, AnnotateWidget], tmp_path: Path
) -> None:
    viewer, widget = made
    flat = viewer.add_image(np.zeros((128, 128)))
    widget.controller.set_image(flat)
    mine = viewer.add_labels(np.zeros((128, 128), int), name="mine")
    widget.targets.layer = mine
    qtbot.waitUntil(lambda: widget.controller.target.layer is mine)
    stack, labels = open_coco(viewer, tmp_path)
    for image, target in ((stack, labels), (flat, mine), (stack, labels)):
        widget.images.layer = image
        qtbot.waitUntil(lambda image=image: widget.controller.bench.image is image)
        QTest.qWait(50)  # what the lists tell a moment later changes nothing
        assert widget.targets.layer is widget.controller.target.layer is target
    highest = labels.data.max()
    widget.controller.arm()
    assert widget.controller.bench.clicks is not None
    for point in POINTS:
        widget.controller.bench.clicks.layer.add([0, *point])
    qtbot.waitUntil(lambda: previewed(widget))
    widget.accept.click()
    assert labels.data[0, 60, 60] == highest + 1
    assert [layer.name for layer in viewer.layers if isinstance(layer, Labels)][:2] == ["mine", "set labels"]


def test_mask_options_reach_the_preview(qtbot: Any, made: tuple[ViewerModel, AnnotateWidget]) -> None:
    viewer, widget = made
    widget.controller.set_image(viewer.add_image(np.zeros((128, 128))))
    clicks = widget.controller.bench.clicks
    assert clicks is not None
    clicks.layer.add(POINTS)
    qtbot.waitUntil(lambda: previewed(widget))
    session = widget.controller.session
    widget.mask.slider.setValue(80)
    qtbot.waitUntil(lambda: session.segmentation is not None and session.segmentation.threshold == 0.8)
    assert not session.segmentation.mask.any()  # type: ignore[union-attr]
    widget.mask.holes.setValue(widget.mask.holes.maximum())
    widget.mask.keep_marked.setChecked(True)
    qtbot.waitUntil(lambda: session.segmentation is not None and session.segmentation.post.keep_marked)
    assert session.segmentation.post.fill_holes == float("inf")  # type: ignore[union-attr]
    widget.undo.click()  # both moves are one step
    assert widget.mask.threshold is None
    assert not widget.mask.keep_marked.isChecked()
    widget.mask.policies.setCurrentIndex(1)
    assert session.policy.kind == "overwrite"
    widget.mask.policies.setCurrentIndex(2)
    widget.mask.protected.setText("x")
    widget.mask.protected.editingFinished.emit()
    assert "label" in widget.status.text.text()


def test_problems_become_notifications(
    qtbot: Any, made: tuple[ViewerModel, AnnotateWidget], notices: list[str]
) -> None:
    viewer, widget = made
    widget.controller.set_image(viewer.add_image(np.zeros((128, 128))))
    clicks = widget.controller.bench.clicks
    assert clicks is not None
    clicks.layer.add([(5, 5)] * 4)
    assert len(notices) == 1
    assert notices[0] in widget.status.text.text()


def test_fits_into_a_narrow_dock(qtbot: Any, made: tuple[ViewerModel, AnnotateWidget]) -> None:
    viewer, widget = made
    viewer.add_image(np.zeros((128, 128)), name="a layer with an extraordinarily long name, as microscopes give them")
    widget.resize(300, 600)
    widget.show()
    assert widget.minimumSizeHint().width() <= 300
    assert widget.widget().width() <= 300


def test_works_with_napari_proxies(qtbot: Any, load: Callable[[str, str], Any]) -> None:
    proxies = pytest.importorskip("napari.utils._proxies")
    viewer = ViewerModel()
    image = viewer.add_image(np.zeros((128, 128)))
    widget = AnnotateWidget(proxies.PublicOnlyProxy(viewer), load=load)
    qtbot.addWidget(widget)
    assert widget.controller.bench.image is image
    clicks = widget.controller.bench.clicks
    assert clicks is not None
    clicks.layer.add(POINTS)
    qtbot.waitUntil(lambda: previewed(widget))
    widget.accept.click()
    assert viewer.layers["DEXTR labels"].data[60, 60] == 1
    widget.release()


# -- a real viewer -----------------------------------------------------------------------------------------------------


def docked(viewer: Any, load: Callable[[str, str], Any], image: Any, **options: Any) -> AnnotateWidget:
    viewer.add_image(image, **{"name": "Image", **options})
    widget = AnnotateWidget(viewer, load=load)
    viewer.window.add_dock_widget(widget, name="Annotate", area="right")
    return widget


IMAGES = {
    "2-D": ((128, 128), {}),
    "RGB": ((128, 128, 3), {"rgb": True}),
    "stack": ((5, 128, 128), {"scale": (4, 1, 1)}),
    "scaled": ((128, 128), {"scale": (0.25, 0.25), "translate": (10, -20)}),
    "stretched RGB stack": ((3, 128, 128, 3), {"rgb": True, "scale": (2, 0.5, 1.0), "translate": (1, 2, 3)}),
}


@pytest.mark.screen
@pytest.mark.parametrize("name", IMAGES)
def test_real_clicks_keys_and_drags(
    name: str, make_napari_viewer: Any, qtbot: Any, hand: Any, load: Callable[[str, str], Any], notices: list[str]
) -> None:
    shape, options = IMAGES[name]
    viewer = make_napari_viewer(show=True)
    widget = docked(viewer, load, np.zeros(shape, np.uint8), **options)
    image = viewer.layers[0]
    stack = image.ndim == 3
    if stack:
        viewer.dims.set_current_step(0, 2)
    do, fingers = widget.controller, hand(viewer)

    def world(point: tuple[float, float]) -> tuple[float, float]:
        row, col = image.data_to_world((2, *point) if stack else point)[-2:]
        return float(row), float(col)

    for point in POINTS:
        fingers.click(*world(point))
    qtbot.waitUntil(lambda: previewed(widget))
    assert do.session.segmentation is not None
    np.testing.assert_allclose(do.session.segmentation.prompt.extreme_points, POINTS, atol=1)

    fingers.key(Qt.Key.Key_Return)
    assert do.target.layer is not None
    labels = do.target.layer.data[2] if stack else do.target.layer.data
    assert abs(int((labels == 1).sum()) - 81 * 91) < 2 * (81 + 91) + 4
    assert labels[60, 60] == 1
    assert do.bench.armed

    # a second object: three clicks, one undone, two more, then a point is dragged
    second = [(110.0, 20.0), (115.0, 5.0), (124.0, 22.0), (117.0, 40.0)]
    for point in second[:3]:
        fingers.click(*world(point))
    fingers.key(Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert do.session.remaining == 2
    for point in second[2:]:
        fingers.click(*world(point))
    qtbot.waitUntil(lambda: previewed(widget))
    fingers.drag(world(second[3]), world((117.0, 70.0)))
    qtbot.waitUntil(lambda: previewed(widget) and do.session.segmentation.prompt.bounds[3] > 50)  # type: ignore[union-attr,index]
    fingers.key(Qt.Key.Key_Escape)
    assert not widget.accept.isEnabled()
    assert set(np.unique(labels)) == {0, 1}
    assert notices == []

    # Ctrl+Z on the Labels layer: the same history
    viewer.layers.selection.active = do.target.layer
    fingers.key(Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert len(do.session.marks) == 4
    while labels.any():
        fingers.key(Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert len(do.session.marks) == 4  # those of the first object
    fingers.key(Qt.Key.Key_U, Qt.KeyboardModifier.ShiftModifier)
    assert labels[60, 60] == 1


@pytest.mark.screen
def test_gestures_keys_and_boxes_by_hand(
    make_napari_viewer: Any, qtbot: Any, hand: Any, load: Callable[..., Any], notices: list[str], segmenter: Any
) -> None:
    segmenter.spec = type(segmenter)(("extreme", "boundary", "inside", "outside", "box")).spec
    viewer = make_napari_viewer(show=True)
    widget = docked(viewer, load, np.zeros((128, 128), np.uint8))
    do, fingers = widget.controller, hand(viewer)
    qtbot.waitUntil(lambda: do.model.segmenter is not None)
    for point in POINTS:
        fingers.click(*point)
    qtbot.waitUntil(lambda: previewed(widget))
    fingers.click(60, 60)
    place = fingers.move(30, 30)
    qtbot.mouseClick(fingers.canvas, Qt.MouseButton.RightButton, pos=place)
    place = fingers.move(110, 110)
    qtbot.mouseClick(fingers.canvas, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.ShiftModifier, pos=place)
    place = fingers.move(90, 100)
    qtbot.mouseClick(fingers.canvas, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.ControlModifier, pos=place)
    kinds = [mark.kind for mark in do.session.marks]
    assert kinds == ["extreme"] * 4 + ["inside", "outside", "outside", "boundary"]
    fingers.key(Qt.Key.Key_W)
    assert len(do.session.marks) == 7
    qtbot.waitUntil(lambda: previewed(widget))

    # the keys work whichever of the layers is active
    for layer in (viewer.layers["Image"], do.bench.preview):
        viewer.layers.selection.active = layer
        fingers.key(Qt.Key.Key_U)
        fingers.key(Qt.Key.Key_U, Qt.KeyboardModifier.ShiftModifier)
        assert len(do.session.marks) == 7
        qtbot.waitUntil(lambda: previewed(widget))
    fingers.key(Qt.Key.Key_Return)
    assert list(do.session.objects) == [1]
    viewer.layers.selection.active = do.target.layer
    fingers.move(60, 60)
    fingers.key(Qt.Key.Key_G)
    assert do.session.reopened == 1
    fingers.key(Qt.Key.Key_Escape)
    assert do.session.reopened is None
    viewer.layers.selection.active = do.target.layer
    fingers.move(60, 60)
    fingers.key(Qt.Key.Key_Delete, Qt.KeyboardModifier.ShiftModifier)
    assert not do.session.objects

    # a box, drawn with the mouse
    fingers.key(Qt.Key.Key_R)
    fingers.drag((20, 20), (80, 90))
    qtbot.waitUntil(lambda: previewed(widget))
    assert do.session.box is not None
    fingers.key(Qt.Key.Key_Return)
    assert len(do.session.objects) == 1
    assert viewer.layers.selection.active.name == "Object box"
    fingers.key(Qt.Key.Key_N)
    assert do.prompts.kind == "corners"
    fingers.key(Qt.Key.Key_N)
    assert do.bench.armed
    assert notices == []


@pytest.mark.screen
def test_enter_right_after_the_fourth_click(
    make_napari_viewer: Any, qtbot: Any, hand: Any, load: Callable[..., Any], notices: list[str], segmenter: Any
) -> None:
    viewer = make_napari_viewer(show=True)
    widget = docked(viewer, load, np.zeros((128, 128), np.uint8))
    do, fingers = widget.controller, hand(viewer)
    qtbot.waitUntil(lambda: do.model.segmenter is not None)
    segmenter.gate.clear()  # a slow model
    for point in POINTS:
        fingers.click(*point)
    fingers.key(Qt.Key.Key_Return)
    fingers.key(Qt.Key.Key_Return)
    assert "accepted as soon as it is found" in widget.status.text.text()
    fingers.click(110, 10)  # of the next object
    segmenter.gate.set()
    qtbot.waitUntil(lambda: list(do.session.objects) == [1])
    assert do.target.layer is not None
    assert do.target.layer.data[60, 60] == 1
    assert [round(mark.row) for mark in do.session.marks] == [110]

    # Escape before the answer
    segmenter.gate.clear()
    fingers.key(Qt.Key.Key_Escape)
    for point in [(110.0, 20.0), (115.0, 5.0), (124.0, 22.0), (117.0, 40.0)]:
        fingers.click(*point)
    fingers.key(Qt.Key.Key_Return)
    fingers.key(Qt.Key.Key_Escape)
    segmenter.gate.set()
    fingers.key(Qt.Key.Key_U)
    qtbot.waitUntil(lambda: previewed(widget))
    assert list(do.session.objects) == [1]

    # a correcting click and Enter at once
    segmenter.gate.clear()
    fingers.click(117, 22)
    fingers.key(Qt.Key.Key_Return)
    assert list(do.session.objects) == [1]
    segmenter.gate.set()
    qtbot.waitUntil(lambda: list(do.session.objects) == [1, 2])
    assert do.session.objects[2].facts.prompts == "4 extreme, 1 inside"
    assert notices == []


@pytest.mark.screen
@pytest.mark.parametrize("how", ["Enter", "automatic"])
def test_boxes_drawn_by_hand_one_right_after_the_other(
    make_napari_viewer: Any,
    qtbot: Any,
    hand: Any,
    load: Callable[..., Any],
    notices: list[str],
    segmenter: Any,
    how: str,
) -> None:
    segmenter.spec = type(segmenter)(("extreme", "boundary", "inside", "outside", "box")).spec
    viewer = make_napari_viewer(show=True)
    widget = docked(viewer, load, np.zeros((128, 128), np.uint8))
    do, fingers = widget.controller, hand(viewer)
    qtbot.waitUntil(lambda: do.model.segmenter is not None)
    segmenter.gate.clear()  # a slow model
    widget.auto_accept.setChecked(how == "automatic")
    fingers.key(Qt.Key.Key_R)
    fingers.drag((20, 20), (50, 60))
    if how == "Enter":
        fingers.key(Qt.Key.Key_Return)
    assert "accepted as soon as it is found" in widget.status.text.text()
    fingers.drag((70, 30), (110, 90))  # of the next object
    widget.auto_accept.setChecked(False)
    assert do.bench.boxes is not None
    assert do.bench.boxes.layer.nshapes == 2
    segmenter.gate.set()
    qtbot.waitUntil(lambda: list(do.session.objects) == [1] and previewed(widget))
    assert [round(value) for value in do.session.objects[1].facts.box or ()] == [20, 20, 50, 60]
    assert [round(value) for value in do.session.box or ()] == [70, 30, 110, 90]
    fingers.key(Qt.Key.Key_Return)
    assert list(do.session.objects) == [1, 2]
    fingers.drag((5, 100), (15, 120))
    qtbot.waitUntil(lambda: previewed(widget))
    assert [round(value) for value in do.session.box or ()] == [5, 100, 15, 120]
    assert notices == []


@pytest.mark.screen
def test_the_dock_can_be_closed_and_opened_again(
    make_napari_viewer: Any, qtbot: Any, load: Callable[[str, str], Any]
) -> None:
    viewer = make_napari_viewer()
    first = docked(viewer, load, np.zeros((128, 128), np.uint8))
    viewer.window.remove_dock_widget(first)
    qtbot.waitUntil(lambda: not first.controller.model.running)
    assert [layer.name for layer in viewer.layers] == ["Image"]
    assert not [key for key in viewer.keymap if str(key) in {"Enter", "D"}]
    second = AnnotateWidget(viewer, load=load)
    viewer.window.add_dock_widget(second)
    assert second.controller.bench.armed


@pytest.mark.screen
def test_the_viewer_can_be_closed_while_busy(
    make_napari_viewer: Any, qtbot: Any, load: Callable[[str, str], Any], segmenter: Any
) -> None:
    viewer = make_napari_viewer()
    widget = docked(viewer, load, np.zeros((128, 128), np.uint8))
    segmenter.gate.clear()
    do = widget.controller
    assert do.bench.clicks is not None
    do.bench.clicks.layer.add(POINTS)
    assert segmenter.entered.wait(30)
    viewer.close()
    segmenter.gate.set()
    do.close()
    qtbot.waitUntil(lambda: not do.model.running)


@pytest.mark.screen
@pytest.mark.skipif(not EMBEDDED_FILE.is_file(), reason="this checkout has no embedded weights yet")
def test_a_coin_with_the_embedded_model(make_napari_viewer: Any, qtbot: Any, hand: Any, notices: list[str]) -> None:
    viewer = make_napari_viewer(show=True)
    viewer.open_sample("napari-dextr", "coins")  # as the menus do, so that the manifest is tried too
    data = viewer.layers["Coins"].data
    _, widget = viewer.window.add_plugin_dock_widget("napari-dextr", "Annotate")
    fingers = hand(viewer)
    for point in [(33, 44), (55, 22), (75, 43), (53, 66)]:
        fingers.click(*point)
    qtbot.waitUntil(lambda: previewed(widget))
    fingers.key(Qt.Key.Key_Return)
    labels = viewer.layers["DEXTR labels"].data
    rows, cols = np.mgrid[: data.shape[0], : data.shape[1]]
    coin = ((rows - 54) / 21) ** 2 + ((cols - 44) / 22.5) ** 2 <= 1
    overlap = (coin & (labels == 1)).sum() / (coin | (labels == 1)).sum()
    assert overlap > 0.9
    assert notices == []


def keep_small(folder: Path, name: str) -> None:
    """Put a real, small model into the library, which finds something everywhere."""
    import torch

    from napari_dextr.models.compact import CompactNet

    torch.manual_seed(0)
    options = {"widths": [8, 8, 8, 8], "blocks": [1, 1, 1, 1], "decoder": 8, "pools": [1]}
    spec = ModelSpec("run", "compact", options, canvas=32, threshold=0.001)
    keep_model(write_checkpoint(folder / "best.safetensors", CompactNet(**options), spec), name)


def test_an_own_model_made_while_the_widget_is_open_annotates_under_its_name(
    qtbot: Any, notices: list[str], tmp_path: Path
) -> None:
    keep_small(tmp_path, "mice")
    viewer = ViewerModel()
    widget = AnnotateWidget(viewer)
    qtbot.addWidget(widget)
    do = widget.controller
    keep_small(tmp_path, "my cells")
    window = SimpleNamespace(dock_widgets={"Annotate": widget})
    tell_models_changed(SimpleNamespace(window=window))
    assert widget.models.models.findText("my cells") > 0
    widget.models.choose("my cells")
    do.set_image(viewer.add_image(np.random.default_rng(0).integers(0, 255, (128, 128), np.uint8)))
    qtbot.waitUntil(lambda: do.model.segmenter is not None and not do.model.loading)

    def annotate_one(points: list[tuple[float, float]]) -> Any:
        do.bench.clicks.layer.add(points)
        qtbot.waitUntil(lambda: do.session.segmentation is not None)
        do.accept()
        return do.session.objects[max(do.session.objects)].facts

    facts = annotate_one(POINTS)
    assert (facts.model, facts.model_hash) == ("my cells", do.model.segmenter.model_hash)
    remove_model("my cells")
    widget.models.devices.setCurrentIndex(1)  # the CPU by name: it has to be loaded again
    qtbot.waitUntil(lambda: bool(notices))
    assert "no model or file 'my cells'" in notices[0]
    assert "stays in use" in notices[0]
    assert (widget.models.models.currentText(), widget.models.devices.currentData()) == ("my cells (removed)", "auto")
    corner = [(102.0, 112.0), (112.0, 104.0), (124.0, 114.0), (113.0, 126.0)]
    assert annotate_one(corner).model_hash == facts.model_hash
    assert len(do.session.objects) == 2
    widget.release()
    qtbot.waitUntil(lambda: not do.model.running)


def test_a_download_is_cancelled_and_tried_again(
    qtbot: Any, segmenter: Any, notices: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(annotate, "show_info", notices.append)
    tries: list[str] = []
    fast = threading.Event()

    def load(source: str, device: str, progress: Any) -> Any:
        tries.append(source)
        while source == "dextr-coco" and not fast.wait(0.01):
            progress(60_000_000, 244_000_000)
        return segmenter

    viewer = ViewerModel()
    widget = AnnotateWidget(viewer, load=load)  # type: ignore[arg-type]
    qtbot.addWidget(widget)
    do = widget.controller
    qtbot.waitUntil(lambda: do.model.segmenter is not None)
    assert widget.status.cancel.isHidden()
    for _ in range(2):
        widget.models.choose("dextr-coco")
        qtbot.waitUntil(lambda: widget.status.result.text() == "60 of 244 MB")
        assert not widget.status.cancel.isHidden()
        widget.status.cancel.click()
        qtbot.waitUntil(lambda: do.model.segmenter is not None)
        assert notices.pop() == "'embedded' is in use again; loading 'dextr-coco' was cancelled."
        assert widget.models.source == "embedded"
        assert widget.status.cancel.isHidden()
        assert widget.status.result.text() == "ready on cpu"
    fast.set()
    widget.models.choose("dextr-coco")
    qtbot.waitUntil(lambda: do.model.segmenter is not None)
    assert (do.model.source, notices) == ("dextr-coco", [])
    assert tries == ["embedded", *["dextr-coco"] * 3]
    widget.release()
    qtbot.waitUntil(lambda: not do.model.running)
