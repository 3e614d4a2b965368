"""A session's reading and writing reaches Labels layers of every kind, and only the object's region of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Image, Labels

from napari_dextr.errors import ImageError, OutputError
from napari_dextr.napari_io.label_pixels import LayerPixels
from napari_dextr.napari_io.label_storage import finest, levels
from napari_dextr.napari_io.planes import Plane, current_plane

REGION = (slice(4, 8), slice(10, 16))
CHANGED = np.zeros((4, 6), bool)
CHANGED[1:3, 1:5] = True
DTYPES = (np.int8, np.uint8, np.int16, np.uint16, np.int32, np.uint32, np.int64, np.uint64)


class Touched:
    """An array that remembers what was read and written."""

    def __init__(self, data: np.ndarray) -> None:
        self.inner, self.shape, self.dtype, self.ndim = data, data.shape, data.dtype, data.ndim
        self.read, self.written = [], []

    def __getitem__(self, key: Any) -> np.ndarray:
        self.read.append(self.inner[key].size)
        return self.inner[key].copy()

    def __setitem__(self, key: Any, value: Any) -> None:
        self.written.append(self.inner[key].size)
        self.inner[key] = value

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.asarray(self.inner, dtype)


def stored(kind: str, shape: tuple[int, ...], dtype: Any, folder: Path) -> Any:
    """A Labels layer of a kind, full of zeros."""
    if kind == "zarr":
        zarr = pytest.importorskip("zarr")
        chunks = tuple(max(8, side // 8) for side in shape)  # several, and not thousands, which zarr takes a second for
        options = {"mode": "w", "shape": shape, "chunks": chunks, "dtype": dtype, "fill_value": 0}
        return Labels(zarr.open(str(folder / "labels.zarr"), **options))
    if kind == "memmap":
        return Labels(np.memmap(folder / "labels.raw", dtype, "w+", shape=shape))
    if kind == "other":
        return Labels(Touched(np.zeros(shape, dtype)))
    if kind == "pyramid":
        coarse = (*shape[:-2], shape[-2] // 2, shape[-1] // 2)
        return Labels([np.zeros(shape, dtype), np.zeros(coarse, dtype)], multiscale=True)
    return Labels(np.zeros(shape, dtype))


KINDS = ("numpy", "memmap", "zarr", "other", "pyramid")


def pixels_of(layer: Labels, viewer: ViewerModel | None = None) -> LayerPixels:
    viewer = ViewerModel() if viewer is None else viewer
    if layer not in viewer.layers:
        viewer.add_layer(layer)
    return LayerPixels(layer, viewer.dims, highest=lambda: 0)


def displayed(layer: Labels) -> np.ndarray:
    """What napari has ready for the screen."""
    return layer._slice.image.raw


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", [(20, 30), (5, 20, 30)])
def test_writing_reaches_the_array_and_the_screen(kind: str, shape: tuple[int, ...], tmp_path: Path) -> None:
    viewer = ViewerModel()
    image = viewer.add_image(np.zeros(shape))
    layer = stored(kind, shape, np.uint16, tmp_path)
    pixels = pixels_of(layer, viewer)
    if len(shape) == 3:
        viewer.dims.set_current_step(0, 2)
    plane = current_plane(image, viewer.dims)
    place = (image, plane)
    pixels.write(place, REGION, np.full((4, 6), 9), CHANGED)
    expected = np.zeros(shape, int)
    expected[plane.block(REGION)] = plane.expand(CHANGED * 9)
    np.testing.assert_array_equal(np.asarray(finest(layer)), expected)
    np.testing.assert_array_equal(pixels.read(place, REGION), CHANGED * 9)
    if kind != "pyramid":
        np.testing.assert_array_equal(displayed(layer), expected[2] if len(shape) == 3 else expected)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kind", ["numpy", "zarr", "pyramid"])
def test_every_data_type(kind: str, dtype: Any, tmp_path: Path) -> None:
    layer = stored(kind, (400, 300), dtype, tmp_path)
    pixels = pixels_of(layer)
    place = (None, Plane((0, 1), (0, 0)))
    largest = int(np.iinfo(dtype).max)
    assert pixels.largest == largest
    values = np.full((4, 6), min(largest, np.iinfo(np.int64).max), np.int64).astype(dtype)
    pixels.write(place, REGION, values, CHANGED)
    after = pixels.read(place, REGION)
    assert after.dtype == dtype
    np.testing.assert_array_equal(after, np.where(CHANGED, values, dtype(0)))
    pixels.write(place, REGION, np.zeros((4, 6), dtype), CHANGED)
    assert not pixels.read(place, REGION).any()


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint16])
@pytest.mark.parametrize("order", [(0, 1, 2), (0, 2, 1), (1, 0, 2), (2, 0, 1), (2, 1, 0)])
def test_only_the_changed_part_is_drawn(dtype: Any, order: tuple[int, ...]) -> None:
    viewer = ViewerModel()
    layer = viewer.add_labels(np.zeros((12, 20, 30), dtype))
    viewer.dims.order = order
    viewer.dims.set_current_step(order[0], 3)
    plane = current_plane(layer, viewer.dims)
    events: list[Any] = []
    layer.events.labels_update.connect(events.append)
    changed = np.zeros((4, 6), bool)
    changed[1:3, 1:5] = True
    region = (slice(4, 8), slice(5, 11))
    pixels_of(layer, viewer).write((None, plane), region, np.full((4, 6), 9), changed)
    (event,) = events
    screen = displayed(layer)
    row, col = event.offset
    height, width = event.data.shape
    assert event.data.size == 8
    assert (event.data == 9).all()
    assert (screen[row : row + height, col : col + width] == 9).all()
    assert int((screen == 9).sum()) == 8


def test_another_plane_than_the_one_shown_is_written_without_drawing() -> None:
    viewer = ViewerModel()
    layer = viewer.add_labels(np.zeros((5, 20, 30), np.uint16))
    viewer.dims.set_current_step(0, 1)
    events: list[Any] = []
    layer.events.labels_update.connect(events.append)
    layer.events.set_data.connect(events.append)
    pixels_of(layer, viewer).write((None, Plane((1, 2), (3, 0, 0))), REGION, np.full((4, 6), 9), CHANGED)
    assert events == []
    viewer.dims.set_current_step(0, 3)
    assert (displayed(layer) == 9).sum() == 8


@pytest.mark.parametrize("prepare", ["contour", "3-D", "other axes"])
def test_where_a_part_would_not_do_the_layer_is_drawn_anew(prepare: str) -> None:
    viewer = ViewerModel()
    layer = viewer.add_labels(np.zeros((5, 20, 30), np.uint16))
    viewer.dims.set_current_step(0, 3)
    if prepare == "contour":
        layer.contour = 1
    elif prepare == "3-D":
        viewer.dims.ndisplay = 3
    else:
        viewer.dims.order = (1, 0, 2)
    events: list[Any] = []
    layer.events.set_data.connect(events.append)
    pixels_of(layer, viewer).write((None, Plane((1, 2), (3, 0, 0))), REGION, np.full((4, 6), 9), CHANGED)
    assert len(events) == 1


@pytest.mark.parametrize("kind", KINDS)
def test_a_hidden_layer_is_written_and_shown_later(kind: str, tmp_path: Path) -> None:
    layer = stored(kind, (20, 30), np.int32, tmp_path)
    layer.visible = False
    pixels = pixels_of(layer)
    pixels.write((None, Plane((0, 1), (0, 0))), REGION, np.full((4, 6), 9), CHANGED)
    layer.visible = True
    if kind != "pyramid":
        assert (displayed(layer) == 9).sum() == 8
    assert (np.asarray(finest(layer)) == 9).sum() == 8


@pytest.mark.parametrize("dtype", [np.uint16, np.int64])
def test_no_brush_stroke_is_announced(dtype: Any) -> None:
    layer = Labels(np.zeros((20, 30), dtype))
    painted: list[Any] = []
    layer.events.paint.connect(painted.append)
    pixels_of(layer).write((None, Plane((0, 1), (0, 0))), REGION, np.full((4, 6), 9), CHANGED)
    assert painted == []
    layer.paint((15, 20), 3)
    assert len(painted) == 1


def test_only_the_region_is_touched() -> None:
    data = Touched(np.zeros((3, 2000, 3000), np.uint16))
    layer = Labels(data)
    layer.visible = False
    pixels = pixels_of(layer)
    data.read.clear()
    place = (None, Plane((1, 2), (1, 0, 0)))
    pixels.read(place, (slice(500, 900), slice(100, 600)))
    assert data.read == [400 * 500]
    data.read.clear()
    changed = np.zeros((400, 500), bool)
    changed[10:20, 30:70] = True
    pixels.write(place, (slice(500, 900), slice(100, 600)), np.ones((400, 500), int), changed)
    assert data.written == [400]
    assert sum(data.read) <= 400


def test_a_pyramid_is_written_on_all_levels() -> None:
    layer = Labels([np.zeros((64, 64), np.uint16), np.zeros((16, 16), np.uint16)], multiscale=True)
    region = (slice(8, 40), slice(20, 60))
    changed = np.ones((32, 40), bool)
    pixels_of(layer).write((None, Plane((0, 1), (0, 0))), region, np.full((32, 40), 5), changed)
    expected = np.zeros((16, 16), int)
    expected[2:10, 5:15] = 5
    np.testing.assert_array_equal(levels(layer)[1], expected)


def test_a_layer_smaller_than_its_image_takes_what_fits() -> None:
    layer = Labels(np.ones((6, 12), np.uint16))
    pixels, place = pixels_of(layer), (None, Plane((0, 1), (0, 0)))
    expected = np.zeros((4, 6), int)
    expected[:2, :2] = 1
    np.testing.assert_array_equal(pixels.read(place, REGION), expected)
    pixels.write(place, REGION, np.full((4, 6), 8), np.ones((4, 6), bool))
    assert (layer.data == 8).sum() == 4
    with pytest.raises(ImageError, match="outside"):
        pixels.read(place, (slice(7, 9), slice(0, 3)))


def test_another_number_of_axes_is_refused() -> None:
    layer = Labels(np.zeros((3, 20, 30), int))
    with pytest.raises(ImageError, match="other axes"):
        pixels_of(layer).read((Image(np.zeros((20, 30))), Plane((0, 1), (0, 0))), REGION)


def test_a_layer_with_new_data_is_written_where_it_is_now() -> None:
    layer = Labels(np.zeros((20, 30), np.uint8))
    pixels, place = pixels_of(layer), (None, Plane((0, 1), (0, 0)))
    replaced = np.zeros((50, 60), np.int64)
    layer.data = replaced
    assert pixels.largest == np.iinfo(np.int64).max
    pixels.write(place, REGION, np.full((4, 6), 300), CHANGED)
    assert (replaced == 300).sum() == 8


def test_a_failing_store_is_said() -> None:
    class Full(Touched):
        def __setitem__(self, key: Any, value: Any) -> None:
            raise OSError("disk full")

    pixels = pixels_of(Labels(Full(np.zeros((20, 30), int))))
    with pytest.raises(OutputError, match="disk full"):
        pixels.write((None, Plane((0, 1), (0, 0))), REGION, np.full((4, 6), 9), CHANGED)


def test_a_check_is_made_for_objects_only() -> None:
    def refuse() -> None:
        raise OutputError("not now")

    layer = Labels(np.zeros((20, 30), int))
    pixels = LayerPixels(layer, ViewerModel().dims, highest=lambda: 41, check=refuse)
    assert pixels.highest() == 41
    assert not pixels.read((None, Plane((0, 1), (0, 0))), REGION).any()  # undo reads, and it must never stop
    with pytest.raises(OutputError, match="not now"):
        _ = pixels.largest


def test_a_large_object_is_written_as_a_block(monkeypatch: pytest.MonkeyPatch) -> None:
    layer = Labels(np.zeros((600, 600), np.int32))
    monkeypatch.setattr(layer, "data_setitem", None)  # sets pixel by pixel, which takes seconds here
    region = (slice(0, 600), slice(0, 600))
    mask = np.ones((600, 600), bool)
    pixels_of(layer).write((None, Plane((0, 1), (0, 0))), region, np.full((600, 600), 9), mask)
    assert (layer.data == 9).all()
    assert (displayed(layer) == 9).all()
