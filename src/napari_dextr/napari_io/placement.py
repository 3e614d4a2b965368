"""Where layers lie in the world: the same place for the layers we make as for their image."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from napari.layers import Layer

TRANSFORMS = ("scale", "translate", "rotate", "shear", "affine")
"""Names of the layer properties, and of their events, that place a layer in the world."""


def plain(layer: Any) -> Any:
    """The layer itself. napari hands plugins a fresh proxy at each access, so ``is`` works on the layer only."""
    return getattr(layer, "__wrapped__", layer)


def placement(layer: Layer, corner: Sequence[float] | None = None) -> dict[str, Any]:
    """Arguments that place a new layer of the same number of axes like ``layer``.

    Parameters
    ----------
    layer : Layer
        The image.
    corner : (ndim,) sequence of float, optional
        Data coordinates of the image at which the new layer's first pixel lies; the image's own by default.
    """
    given = {name: getattr(layer, name) for name in (*TRANSFORMS, "units", "axis_labels")}
    if corner is not None:
        given["translate"] = np.asarray(layer.translate) + _shift(layer, corner)
    return given


def _shift(layer: Layer, corner: Sequence[float]) -> npt.NDArray[np.float64]:
    """How far ``translate``, which comes before ``affine``, moves when the array's origin moves to ``corner``."""
    start = np.asarray(layer.data_to_world(np.zeros(layer.ndim)), np.float64)
    end = np.asarray(layer.data_to_world(np.asarray(corner, np.float64)), np.float64)
    shift: npt.NDArray[np.float64] = np.linalg.solve(np.asarray(layer.affine.linear_matrix), end - start)
    return shift


def same_place(one: Layer, other: Layer) -> bool:
    """Whether two layers have the same axes and the same data coordinates everywhere."""
    if one.ndim != other.ndim:
        return False
    probes = np.vstack([np.zeros(one.ndim), np.eye(one.ndim) * 1000.0])
    here = np.array([one.data_to_world(probe) for probe in probes], np.float64)
    there = np.array([other.data_to_world(probe) for probe in probes], np.float64)
    pixel = np.linalg.norm(here[1:] - here[0], axis=1).min() / 1000.0
    return bool(np.allclose(here, there, rtol=0, atol=pixel * 0.05))


def follow(layer: Layer, leader: Layer) -> None:
    """Place an existing layer like another one."""
    for name in TRANSFORMS:
        setattr(layer, name, getattr(leader, name))
