"""Every image that napari opens, in a real viewer with a real mouse; and layers that change while the model thinks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from napari.components import ViewerModel
from qtpy.QtCore import QEvent, QPointF, Qt
from qtpy.QtGui import QMouseEvent
from qtpy.QtWidgets import QApplication

from napari_dextr.image import as_plane
from napari_dextr.napari_io.label_storage import finest
from napari_dextr.napari_io.placement import same_place
from napari_dextr.widgets.annotate import AnnotateWidget
from napari_dextr.widgets.controller import AnnotateController

POINTS = [(20.0, 60.0), (60.0, 20.0), (100.0, 62.0), (58.0, 110.0)]
SIDE = 128


def pyramid(_: Path) -> list[np.ndarray]:
    fine = np.random.default_rng(0).integers(0, 200, (SIDE, SIDE), np.uint8)
    return [fine, fine[::2, ::2], fine[::4, ::4]]


def dask_stack(_: Path) -> Any:
    return pytest.importorskip("dask.array").zeros((5, SIDE, SIDE), chunks=(1, 50, 50), dtype=np.uint16)


def zarr_plane(folder: Path) -> Any:
    zarr = pytest.importorskip("zarr")
    options = {"mode": "w", "shape": (SIDE, SIDE), "chunks": (32, 32), "dtype": "f4", "fill_value": 0}
    return zarr.open(str(folder / "image.zarr"), **options)


def zeros(*shape: int, dtype: Any = np.uint8) -> Callable[[Path], Any]:
    return lambda _: np.zeros(shape, dtype)


SHEARED = {"scale": (0.5, 0.8), "rotate": 25, "shear": [0.2], "translate": (30, -10), "units": ("um", "um")}
MOVED = {"affine": np.array([[0.9, -0.3, 4], [0.3, 0.9, -7], [0, 0, 1.0]]), "scale": (2, 2), "axis_labels": ("y", "x")}

# image, options, order of the viewer's axes, plane that is clicked on, position along the hidden axis
KINDS: dict[str, tuple[Callable[[Path], Any], dict[str, Any], tuple[int, ...] | None, int]] = {
    "plane": (zeros(SIDE, SIDE), {}, None, 0),
    "stack": (zeros(5, SIDE, SIDE, dtype=np.uint16), {"scale": (4, 1, 1)}, None, 2),
    "turned": (zeros(SIDE, SIDE, dtype=np.float32), SHEARED, None, 0),
    "affine": (zeros(SIDE, SIDE, dtype=np.int16), MOVED, None, 0),
    "RGB": (zeros(SIDE, SIDE, 3), {"rgb": True}, None, 0),
    "RGB stack": (zeros(4, SIDE, SIDE, 3), {"rgb": True, "scale": (2, 0.5, 1.0)}, None, 3),
    "pyramid": (pyramid, {"multiscale": True, "scale": (0.5, 0.5)}, None, 0),
    "dask stack": (dask_stack, {"contrast_limits": (0, 99)}, None, 4),
    "zarr": (zarr_plane, {"contrast_limits": (0, 1), "translate": (5, 5)}, None, 0),
    "stack seen from the side": (zeros(SIDE, 5, SIDE), {"scale": (1, 3, 1)}, (1, 0, 2), 2),
    "transposed stack": (zeros(5, SIDE, SIDE), {"scale": (4, 1, 1)}, (0, 2, 1), 1),
    "time last": (zeros(SIDE, SIDE, 5), {}, (2, 0, 1), 3),
}


def hover(canvas: Any, place: Any) -> None:
    """Tell the canvas of the mouse. The screen's own pointer tells nothing where it lies there already."""
    nothing = Qt.MouseButton.NoButton
    spot, on_screen = QPointF(place), QPointF(canvas.mapToGlobal(place))
    event = QMouseEvent(QEvent.Type.MouseMove, spot, on_screen, nothing, nothing, Qt.KeyboardModifier.NoModifier)
    QApplication.sendEvent(canvas, event)


@pytest.mark.screen
@pytest.mark.parametrize("kind", KINDS)
def test_clicks_become_a_label_where_they_were(
    kind: str, make_napari_viewer: Any, qtbot: Any, hand: Any, load: Any, tmp_path: Path
) -> None:
    make, options, order, depth = KINDS[kind]
    viewer = make_napari_viewer(show=True)
    image = viewer.add_image(make(tmp_path), name="Image", **options)
    widget = AnnotateWidget(viewer, load=load)
    viewer.window.add_dock_widget(widget, name="Annotate", area="right")
    hidden = [] if image.ndim == 2 else [0 if order is None else order[0]]
    if order is not None:
        viewer.dims.order = order
    for axis in hidden:
        viewer.dims.set_current_step(axis, depth)
    viewer.reset_view()
    fingers, do = hand(viewer), widget.controller
    on_screen = list(viewer.dims.displayed)
    axes = sorted(on_screen)

    def pixel(point: tuple[float, float]) -> Any:
        place = np.full(image.ndim, float(depth))
        place[axes] = point
        world = np.asarray(image.data_to_world(place))[on_screen]
        found: list[Any] = []

        def there() -> bool:
            found[:] = [fingers.pixel(*world)]
            if not fingers.canvas.rect().contains(found[0]):  # the window is still finding its size
                viewer.reset_view()
                return False
            hover(fingers.canvas, found[0])
            off = np.abs(np.asarray(viewer.cursor.position)[on_screen] - world).max()
            return bool(off * getattr(viewer, "scene", viewer).camera.zoom <= 1.5)

        qtbot.waitUntil(there)
        return found[0]

    for point in POINTS:
        qtbot.mouseClick(fingers.canvas, Qt.MouseButton.LeftButton, pos=pixel(point))
    qtbot.waitUntil(lambda: do.session.segmentation is not None)
    assert do.session.segmentation is not None
    np.testing.assert_allclose(do.session.segmentation.prompt.extreme_points, POINTS, atol=2)
    fingers.key(Qt.Key.Key_Return)
    target = do.target.layer
    assert target is not None
    assert same_place(target, image)
    assert (target.units, target.axis_labels) == (image.units, image.axis_labels)
    labels = np.asarray(finest(target))
    assert labels.shape == (tuple(image.level_shapes[0]) if image.multiscale else image.data.shape[: image.ndim])
    plane = labels if image.ndim == 2 else labels.take(depth, axis=hidden[0])
    rows, cols = np.nonzero(plane)
    np.testing.assert_allclose((rows.min(), rows.max(), cols.min(), cols.max()), (20, 100, 20, 110), atol=2)
    assert (labels != 0).sum() == (plane != 0).sum()

    fingers.key(Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert not np.asarray(finest(target)).any()
    widget.release()


# -- meanwhile, in the layer list ------------------------------------------------------------------------------------


class Rig:
    """A viewer model, a controller, and a model that can be held."""

    def __init__(self, qtbot: Any, load: Any, segmenter: Any, viewer: ViewerModel | None = None) -> None:
        self.qtbot, self.segmenter = qtbot, segmenter
        self.viewer = ViewerModel() if viewer is None else viewer
        self.do = AnnotateController(self.viewer, load=load)
        self.do.set_model("fake", "auto")
        self.qtbot.waitUntil(lambda: self.do.model.segmenter is not None)

    def open(self, data: Any = None, **options: Any) -> Any:
        image = self.viewer.add_image(np.zeros((SIDE, SIDE), np.uint8) if data is None else data, **options)
        self.do.set_image(image)
        return image

    def click(self, points: Any = POINTS) -> None:
        assert self.do.bench.clicks is not None
        for point in points:
            self.do.bench.clicks.layer.add(point)

    def start(self) -> None:
        """Click four points and come back while the model is at work."""
        self.segmenter.entered.clear()
        self.segmenter.gate.clear()
        self.click()
        assert self.segmenter.entered.wait(30)

    def finish(self) -> None:
        self.segmenter.gate.set()
        self.qtbot.waitUntil(lambda: not self.do.session.busy)

    def close(self) -> None:
        self.do.close()
        self.segmenter.gate.set()
        self.qtbot.waitUntil(lambda: not self.do.model.running)


@pytest.fixture
def rig(qtbot: Any, load: Any, segmenter: Any) -> Iterator[Rig]:
    made = Rig(qtbot, load, segmenter)
    yield made
    made.close()


def test_renamed_reordered_and_hidden_layers_change_nothing(rig: Rig) -> None:
    image = rig.open()
    labels = rig.viewer.add_labels(np.zeros((SIDE, SIDE), int))
    rig.do.set_target(labels)
    rig.start()
    image.name, labels.name = "another name", "Image"
    rig.viewer.layers.move(0, len(rig.viewer.layers))
    rig.viewer.layers.reverse()
    image.visible = labels.visible = False
    rig.finish()
    rig.do.accept()
    assert (labels.data != 0).sum() == 81 * 91
    labels.visible = True
    assert (labels._slice.image.raw != 0).sum() == 81 * 91


def test_an_image_that_goes_while_it_is_looked_at(rig: Rig) -> None:
    image = rig.open()
    rig.start()
    rig.viewer.layers.remove(image)
    assert not rig.do.session.busy
    rig.finish()
    assert rig.do.session.segmentation is None
    assert rig.do.bench.image is None


def test_pixels_that_are_replaced_while_they_are_looked_at_are_looked_at_again(rig: Rig) -> None:
    image = rig.open()
    rig.start()
    image.data = np.full((SIDE, SIDE), 7, np.uint8)
    rig.finish()
    rig.qtbot.waitUntil(lambda: rig.do.session.segmentation is not None)
    seen = rig.segmenter.calls[-1][0]
    assert (np.asarray(seen[:, :]) == 7).all()
    assert len(rig.segmenter.calls) == 2


def test_an_image_that_becomes_smaller(rig: Rig) -> None:
    image = rig.open()
    rig.click()
    rig.qtbot.waitUntil(lambda: rig.do.session.segmentation is not None)
    rig.do.accept()
    target = rig.do.target.layer
    image.data = np.zeros((64, 80), np.uint8)
    rig.click([(5.0, 20.0), (20.0, 5.0), (30.0, 20.0), (20.0, 30.0)])
    rig.qtbot.waitUntil(lambda: rig.do.session.segmentation is not None)
    rig.do.accept()
    assert rig.do.target.layer is target
    assert target is not None
    assert (target.data == 2).sum() == 26 * 26 - (target.data[5:31, 5:31] == 1).sum()


def test_labels_that_go_between_preview_and_accept(rig: Rig) -> None:
    rig.open()
    labels = rig.viewer.add_labels(np.zeros((SIDE, SIDE), int))
    rig.do.set_target(labels)
    rig.click()
    rig.qtbot.waitUntil(lambda: rig.do.session.segmentation is not None)
    rig.viewer.layers.remove(labels)
    rig.do.accept()
    assert not labels.data.any()
    assert rig.do.target.layer is not None
    assert rig.do.target.layer is not labels
    assert (rig.do.target.layer.data == 1).sum() == 81 * 91


def test_labels_whose_shape_changed_between_preview_and_accept(rig: Rig) -> None:
    rig.open()
    labels = rig.viewer.add_labels(np.zeros((SIDE, SIDE), int))
    rig.do.set_target(labels)
    rig.click()
    rig.qtbot.waitUntil(lambda: rig.do.session.segmentation is not None)
    labels.data = np.zeros((50, 50), np.uint8)
    rig.do.accept()
    assert (labels.data != 0).sum() == 30 * 30


def test_two_viewers_at_once(rig: Rig, qtbot: Any, load: Any, segmenter: Any) -> None:
    other = Rig(qtbot, load, segmenter)
    try:
        rig.open()
        other.open(np.zeros((3, SIDE, SIDE), np.uint8))
        other.viewer.dims.set_current_step(0, 2)
        rig.click()
        other.click([(2, *point) for point in POINTS])
        for one in (rig, other):
            qtbot.waitUntil(lambda one=one: one.do.session.segmentation is not None)
            one.do.accept()
        assert rig.do.target.layer is not None
        assert other.do.target.layer is not None
        assert (rig.do.target.layer.data == 1).sum() == 81 * 91
        assert (other.do.target.layer.data[2] == 1).sum() == 81 * 91
        rig.do.undo()
        assert not rig.do.target.layer.data.any()
        assert other.do.target.layer.data.any()
    finally:
        other.close()


def test_one_image_in_two_viewers(rig: Rig, qtbot: Any, load: Any, segmenter: Any) -> None:
    image = rig.open()
    second = ViewerModel()
    second.add_layer(image)
    other = Rig(qtbot, load, segmenter, second)
    try:
        other.do.set_image(image)
        for one in (rig, other):
            one.click()
            qtbot.waitUntil(lambda one=one: one.do.session.segmentation is not None)
            one.do.accept()
        assert rig.do.target.layer is not other.do.target.layer
    finally:
        other.close()


def test_rolled_and_transposed_after_clicks(rig: Rig) -> None:
    """A click belongs to its plane, however the axes are turned afterwards."""
    rig.open(np.zeros((SIDE, SIDE, SIDE), np.uint8))
    rig.viewer.dims.set_current_step(0, 7)
    rig.click([(7, *point) for point in POINTS[:3]])
    rig.viewer.dims.order = (0, 2, 1)  # the same plane, transposed
    assert rig.do.session.remaining == 1
    rig.viewer.dims.order = (1, 2, 0)  # another plane, which those points do not lie on
    assert rig.do.session.remaining == 4
    rig.viewer.dims.order = (0, 1, 2)
    assert rig.do.session.remaining == 1
    rig.click([(7, *POINTS[3])])
    rig.qtbot.waitUntil(lambda: rig.do.session.segmentation is not None)
    rig.viewer.dims.order = (0, 2, 1)
    rig.do.accept()
    target = rig.do.target.layer
    assert target is not None
    assert (target.data[7, 20:101, 20:111] == 1).all()
    assert (target.data == 1).sum() == 81 * 91


def test_only_chunks_of_the_crop_are_read_of_a_dask_image(rig: Rig) -> None:
    dask = pytest.importorskip("dask.array")
    read: list[tuple[int, ...]] = []

    def chunk(block_info: Any = None) -> np.ndarray:
        place = block_info[None]["chunk-location"]
        read.append(tuple(place))
        return np.zeros(block_info[None]["chunk-shape"], np.uint8)

    data = dask.map_blocks(chunk, chunks=((64,) * 40, (64,) * 40), dtype=np.uint8, meta=np.empty((0, 0), np.uint8))
    rig.open(data, contrast_limits=(0, 255), visible=False)
    rig.click()
    rig.qtbot.waitUntil(lambda: rig.do.session.segmentation is not None)
    plane = as_plane(rig.segmenter.calls[-1][0])
    read.clear()
    plane.read((slice(20, 101), slice(20, 111)))
    assert set(read) == {(0, 0), (0, 1), (1, 0), (1, 1)}


@pytest.mark.parametrize("dtype", [np.uint8, np.int32, np.uint64])
def test_labels_of_every_data_type_take_objects(rig: Rig, dtype: Any) -> None:
    rig.open()
    labels = rig.viewer.add_labels(np.zeros((SIDE, SIDE), dtype))
    rig.do.set_target(labels)
    rig.click()
    rig.qtbot.waitUntil(lambda: rig.do.session.segmentation is not None)
    rig.do.accept()
    assert labels.data.dtype == dtype
    assert (labels.data == 1).sum() == 81 * 91
