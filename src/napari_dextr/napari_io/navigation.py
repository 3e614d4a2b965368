"""Going to an object: the plane it lies on, the middle of the view, the label selected."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..prompt import Bounds
from .label_storage import finest
from .placement import plain

if TYPE_CHECKING:
    from napari.layers import Layer


def show_place(viewer: Any, layer: Layer, index: Sequence[int], bounds: Bounds, axes: tuple[int, int]) -> None:
    """Turn the viewer to a plane of a layer, and bring a box on it into the middle.

    Parameters
    ----------
    viewer : napari.Viewer or ViewerModel
    layer : Layer
    index : (ndim,) sequence of int
        Data coordinates of the plane; the entries of ``axes`` do not matter.
    bounds : (row_min, col_min, row_max, col_max)
        Box on the plane, data coordinates. The zoom stays as the user has it.
    axes : (int, int)
        Axes of the layer that are rows and columns of the plane.
    """
    layer = plain(layer)
    corners = np.array([index, index], np.float64)
    corners[:, list(axes)] = np.reshape(bounds, (2, 2))
    low, high = (np.asarray(layer.data_to_world(corner), np.float64) for corner in corners)
    middle = (low + high) / 2
    missing = viewer.dims.ndim - layer.ndim
    shown = set(viewer.dims.displayed)
    for axis, value in enumerate(middle):
        if axis + missing not in shown:
            viewer.dims.set_point(axis + missing, float(value))
    camera = getattr(viewer, "scene", viewer).camera  # napari 0.9 moved it there
    displayed = [axis - missing for axis in viewer.dims.displayed]
    if min(displayed) < 0:
        return
    centre = list(camera.center)
    centre[-len(displayed) :] = [float(middle[axis]) for axis in displayed]
    camera.center = tuple(centre)


def show_object(viewer: Any, labels: Any, index: Sequence[int], label: int) -> None:
    """Go to an object of a Labels layer on the plane ``index`` (of the axes before row and column), and select it."""
    labels = plain(labels)
    rows, cols = np.nonzero(np.asarray(finest(labels)[tuple(index)]) == label)
    if rows.size:
        bounds = float(rows.min()), float(cols.min()), float(rows.max()), float(cols.max())
        show_place(viewer, labels, (*index, 0, 0), bounds, (labels.ndim - 2, labels.ndim - 1))
    viewer.layers.selection.active = labels
    labels.selected_label = int(label)
