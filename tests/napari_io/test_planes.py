"""Planes of n-D, RGB, lazy and multiscale layers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Image

from napari_dextr.errors import ImageError
from napari_dextr.image import as_plane
from napari_dextr.napari_io.planes import Plane, PlaneView, current_plane, layer_shape, read_plane, shown_limits

STACK = np.arange(4 * 5 * 6 * 7, dtype=np.uint16).reshape(4, 5, 6, 7)


class Counting:
    """An array that knows how much of it was read."""

    def __init__(self, data: np.ndarray) -> None:
        self.data, self.shape, self.dtype, self.ndim, self.read = data, data.shape, data.dtype, data.ndim, 0

    def __getitem__(self, key: Any) -> np.ndarray:
        block = self.data[key]
        self.read += block.size
        return block


def test_plane_of_a_2d_image() -> None:
    viewer = ViewerModel()
    layer = viewer.add_image(STACK[0, 0])
    plane = current_plane(layer, viewer.dims)
    assert plane == Plane((0, 1), (0, 0))
    np.testing.assert_array_equal(read_plane(layer, plane)[1:3, 2:5], STACK[0, 0, 1:3, 2:5])


def test_plane_follows_the_sliders() -> None:
    viewer = ViewerModel()
    layer = viewer.add_image(STACK)
    viewer.dims.set_current_step((0, 1), (3, 2))
    plane = current_plane(layer, viewer.dims)
    assert plane == Plane((2, 3), (3, 2, 0, 0))
    np.testing.assert_array_equal(np.asarray(read_plane(layer, plane)), STACK[3, 2])


def test_plane_follows_the_order_of_axes() -> None:
    viewer = ViewerModel()
    layer = viewer.add_image(STACK)
    viewer.dims.order = (1, 2, 3, 0)
    viewer.dims.set_current_step((1, 2), (4, 5))
    plane = current_plane(layer, viewer.dims)
    assert plane == Plane((0, 3), (0, 4, 5, 0))  # rows and columns stay in the array's order
    np.testing.assert_array_equal(read_plane(layer, plane)[:, :], STACK[:, 4, 5, :])


def test_plane_of_a_scaled_and_moved_stack() -> None:
    viewer = ViewerModel()
    layer = viewer.add_image(STACK[0], scale=(2.5, 0.1, 0.1), translate=(100, 3, 4))
    viewer.dims.set_current_step(0, 3)
    assert current_plane(layer, viewer.dims).index == (3, 0, 0)


def test_plane_of_an_image_with_fewer_axes_than_the_viewer() -> None:
    viewer = ViewerModel()
    viewer.add_image(STACK)
    layer = viewer.add_image(STACK[0, 0])
    viewer.dims.set_current_step((0, 1), (2, 2))
    assert current_plane(layer, viewer.dims) == Plane((0, 1), (0, 0))
    viewer.dims.order = (2, 3, 0, 1)
    with pytest.raises(ImageError, match="axis order"):
        current_plane(layer, viewer.dims)


def test_no_plane_in_3d() -> None:
    viewer = ViewerModel()
    layer = viewer.add_image(STACK[0])
    viewer.dims.ndisplay = 3
    with pytest.raises(ImageError, match="2-D"):
        current_plane(layer, viewer.dims)


def test_rgb_keeps_its_channels() -> None:
    viewer = ViewerModel()
    image = np.random.default_rng(0).integers(0, 255, (3, 20, 30, 3), np.uint8)
    layer = viewer.add_image(image, rgb=True)
    viewer.dims.set_current_step(0, 2)
    plane = current_plane(layer, viewer.dims)
    view = read_plane(layer, plane)
    assert view.shape == (20, 30, 3)
    assert layer_shape(layer) == (3, 20, 30)
    np.testing.assert_array_equal(as_plane(view).read((slice(0, 20), slice(0, 30))), image[2].astype(np.float32))
    assert shown_limits(layer) is None


def test_grey_gives_the_limits_the_user_sees() -> None:
    layer = Image(STACK[0, 0], contrast_limits=(3, 17))
    assert shown_limits(layer) == (3.0, 17.0)


def test_multiscale_gives_every_level_at_the_right_depth() -> None:
    fine = np.repeat(np.arange(8, dtype=np.uint8), 32 * 32).reshape(8, 32, 32)
    layer = Image([fine, fine[::2, ::2, ::2]], multiscale=True)
    views = read_plane(layer, Plane((1, 2), (6, 0, 0)))
    assert [view.shape for view in views] == [(32, 32), (16, 16)]
    assert [int(np.asarray(view).max()) for view in views] == [6, 6]
    assert as_plane(views).shape == (32, 32)


def test_only_what_is_asked_for_is_read() -> None:
    data = Counting(STACK)
    view = PlaneView(data, (2, 3), (1, 1, 0, 0))
    as_plane(view).read((slice(1, 3), slice(2, 6)))
    assert data.read == 8


@pytest.mark.parametrize("library", ["dask", "zarr"])
def test_lazy_arrays(library: str) -> None:
    if library == "dask":
        lazy: Any = pytest.importorskip("dask.array").from_array(STACK[0])
    else:
        lazy = pytest.importorskip("zarr").array(STACK[0])
    layer = Image(lazy, contrast_limits=(0, 100))
    view = read_plane(layer, Plane((1, 2), (2, 0, 0)))
    np.testing.assert_array_equal(np.asarray(view[1:4, 0:3]), STACK[0, 2, 1:4, 0:3])


def test_points_and_blocks_of_a_plane() -> None:
    plane = Plane((0, 2), (0, 4, 0))
    np.testing.assert_array_equal(plane.point(1.5, 2.5), [1.5, 4, 2.5])
    assert plane.row_col([1.5, 4, 2.5]) == (1.5, 2.5)
    assert plane.holds([7, 4.4, 9])
    assert not plane.holds([7, 4.6, 9])
    assert plane.block((slice(1, 3), slice(2, 7))) == (slice(1, 3), slice(4, 5), slice(2, 7))
    assert plane.expand(np.zeros((2, 5))).shape == (2, 1, 5)
