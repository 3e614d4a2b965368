"""What the user painted by hand in a Labels layer, read from napari's event."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..session.labelling import Stroke
from .planes import Plane

if TYPE_CHECKING:
    from napari.layers import Image


class UnknownStrokeError(ValueError):
    """A change that this version of napari describes in another way."""


def strokes_of(atoms: Iterable[Any], image: Image, axes: tuple[int, int]) -> list[Stroke]:
    """The value of ``Labels.events.paint`` as strokes, one for each plane that an atom touches.

    Parameters
    ----------
    atoms : iterable
        Tuples ``(indices, previous values, new values)``, or since napari 0.8 named tuples with a bounding box and
        a mask.
    image : Image
        The layer that is annotated; with the plane it makes the place of a stroke.
    axes : (int, int)
        Axes of the layer that are on the screen, in ascending order.

    Raises
    ------
    UnknownStrokeError
        If an atom is neither.
    """
    try:
        return [stroke for atom in atoms for stroke in _of_atom(atom, image, axes)]
    except (AttributeError, IndexError, TypeError, ValueError) as error:
        raise UnknownStrokeError(str(error)) from error


def _of_atom(atom: Any, image: Any, axes: tuple[int, int]) -> Iterator[Stroke]:
    corner, changed, before, after = _block_of_mask(atom) if hasattr(atom, "slice_key") else _block_of_points(atom)
    others = [axis for axis in range(changed.ndim) if axis not in axes]
    planes = [[0] if axis in axes else range(changed.shape[axis]) for axis in range(changed.ndim)]
    region = tuple(slice(corner[axis], corner[axis] + changed.shape[axis]) for axis in axes)
    for position in itertools.product(*planes):
        cut = tuple(slice(None) if axis in axes else position[axis] for axis in range(changed.ndim))
        if changed[cut].any():
            index = tuple(corner[axis] + position[axis] if axis in others else 0 for axis in range(changed.ndim))
            place = (image, Plane(axes, index))
            yield Stroke(place, (region[0], region[1]), changed[cut], before[cut], after[cut])


def _block_of_mask(atom: Any) -> tuple[list[int], npt.NDArray[np.bool_], npt.NDArray[Any], npt.NDArray[Any]]:
    corner = [int(part.start) for part in atom.slice_key]
    shape = [int(part.stop - part.start) for part in atom.slice_key]
    if atom.mask is None:
        changed = np.ones(shape, bool)
        before = np.asarray(atom.old_values).reshape(shape)
    else:
        changed = np.asarray(atom.mask, bool).reshape(shape)
        before = np.zeros(shape, np.asarray(atom.old_values).dtype)
        before[changed] = atom.old_values
    return corner, changed, before, np.full(shape, atom.new_value, before.dtype)


def _block_of_points(atom: Any) -> tuple[list[int], npt.NDArray[np.bool_], npt.NDArray[Any], npt.NDArray[Any]]:
    indices, previous, new = atom
    points = [np.asarray(axis, np.int64).ravel() for axis in indices]
    corner = [int(axis.min()) for axis in points]
    shape = [int(axis.max()) - low + 1 for axis, low in zip(points, corner, strict=True)]
    inside = tuple(axis - low for axis, low in zip(points, corner, strict=True))
    previous = np.asarray(previous)
    changed = np.zeros(shape, bool)
    before, after = np.zeros(shape, previous.dtype), np.zeros(shape, previous.dtype)
    changed[inside] = True
    before[inside], after[inside] = previous.ravel(), new
    return corner, changed, before, after
