"""Planes: which two axes of an image layer are on the screen, and at which position of the others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..errors import ImageError
from ..prompt import Region

if TYPE_CHECKING:
    from napari.components import Dims
    from napari.layers import Image, Layer


@dataclass(frozen=True)
class Plane:
    """A 2-D plane of an n-D layer, in the layer's data coordinates.

    Attributes
    ----------
    axes : (int, int)
        Axes of the layer that are the plane's rows and columns, in ascending order however the view is turned.
    index : tuple of int
        One number for each axis of the layer: the position of the plane, 0 for the two axes of ``axes``.
    """

    axes: tuple[int, int]
    index: tuple[int, ...]

    @property
    def ndim(self) -> int:
        """Number of axes of the layer."""
        return len(self.index)

    def point(self, row: float, col: float) -> npt.NDArray[np.float64]:
        """``(ndim,)`` data coordinates of a (row, col) of the plane."""
        coordinates = np.array(self.index, np.float64)
        coordinates[list(self.axes)] = row, col
        return coordinates

    def holds(self, point: npt.ArrayLike) -> bool:
        """Whether ``(ndim,)`` data coordinates lie on this plane: it is the slice nearest to them."""
        return all(
            axis in self.axes or np.rint(value) == self.index[axis] for axis, value in enumerate(np.asarray(point))
        )

    def row_col(self, point: npt.ArrayLike) -> tuple[float, float]:
        """(row, col) on the plane of ``(ndim,)`` data coordinates."""
        row, col = np.asarray(point, np.float64)[list(self.axes)]
        return float(row), float(col)

    def block(self, region: Region) -> tuple[slice, ...]:
        """Slices of the n-D array that a region of the plane covers."""
        slices = [slice(position, position + 1) for position in self.index]
        slices[self.axes[0]], slices[self.axes[1]] = region
        return tuple(slices)

    def expand(self, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """``(h, w)`` values of a region with the layer's number of axes (length 1 off the plane)."""
        extent = [1] * self.ndim
        extent[self.axes[0]], extent[self.axes[1]] = values.shape
        return values.reshape(extent)


class PlaneView:
    """A plane of an n-D array, read only where it is sliced: numpy, dask, zarr alike.

    The channel axis of an RGB image stays last.
    """

    def __init__(self, array: Any, axes: tuple[int, int], index: tuple[int, ...]) -> None:
        self._array = array
        self._axes = axes
        self._index = index
        channels = tuple(array.shape[len(index) :])
        self.shape: tuple[int, ...] = (int(array.shape[axes[0]]), int(array.shape[axes[1]]), *map(int, channels))
        self.dtype: np.dtype[Any] = np.dtype(array.dtype)
        self.ndim = len(self.shape)

    def __getitem__(self, key: Any) -> Any:
        parts = key if isinstance(key, tuple) else (key,)
        rows, cols = (*parts, slice(None))[:2]
        full: list[Any] = list(self._index)
        full[self._axes[0]], full[self._axes[1]] = rows, cols
        return self._array[(*full, *parts[2:])]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> npt.NDArray[Any]:
        return np.asarray(self[:, :], dtype=dtype)


def hidden_index(plane: Plane) -> tuple[int, ...]:
    """Position of a plane along the axes that are not on the screen, in their order; empty for a 2-D image."""
    return tuple(position for axis, position in enumerate(plane.index) if axis not in plane.axes)


def hidden_axes(plane: Plane) -> tuple[int, int] | None:
    """Axes of a plane where `hidden_index` needs them to name it; None for a 2-D image, which has no others."""
    return plane.axes if plane.ndim > len(plane.axes) else None


def plane_at(hidden: Sequence[int], axes: tuple[int, int], ndim: int) -> Plane:
    """The plane of a layer with ``ndim`` axes that `hidden_index` names; positions that are missing are 0."""
    position = iter(hidden)
    return Plane(axes, tuple(0 if axis in axes else int(next(position, 0)) for axis in range(ndim)))


def current_plane(layer: Layer, dims: Dims) -> Plane:
    """The plane of a layer that the viewer shows.

    Raises
    ------
    ImageError
        In the 3-D view, or where the layer is not shown as a plane.
    """
    if dims.ndisplay != 2:
        raise ImageError("The viewer shows 3-D; switch to 2-D (the cube button below the layers) to click on a plane.")
    missing = dims.ndim - layer.ndim
    axes = sorted(int(axis) - missing for axis in dims.displayed)
    if axes[0] < 0:
        raise ImageError(f"The axes on the screen are not axes of '{layer.name}'; change the view's axis order.")
    position = np.rint(np.asarray(layer.world_to_data(dims.point), np.float64))
    index = [int(np.clip(value, 0, extent - 1)) for value, extent in zip(position, layer_shape(layer), strict=True)]
    index[axes[0]] = index[axes[1]] = 0
    return Plane((axes[0], axes[1]), tuple(index))


def layer_shape(layer: Layer) -> tuple[int, ...]:
    """Shape of a layer's array without an RGB axis, at full resolution."""
    data: Any = layer.data
    finest = data[0] if getattr(layer, "multiscale", False) else data
    return tuple(int(extent) for extent in finest.shape[: layer.ndim])


def read_plane(layer: Image, plane: Plane) -> Any:
    """The plane of an image layer, as `napari_dextr.image.as_plane` takes it: a view, or views finest first."""
    data: Any = layer.data
    levels = list(data) if layer.multiscale else [data]
    finest = levels[0].shape
    views = []
    for level in levels:
        index = tuple(
            min(position * int(level.shape[axis]) // int(finest[axis]), int(level.shape[axis]) - 1)
            for axis, position in enumerate(plane.index)
        )
        views.append(PlaneView(level, plane.axes, index))
    return views if layer.multiscale else views[0]


def shown_limits(layer: Image) -> tuple[float, float] | None:
    """Contrast limits as the user sees them; None for RGB, which is shown as it is."""
    if layer.rgb:
        return None
    low, high = layer.contrast_limits
    return float(low), float(high)
