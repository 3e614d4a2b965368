"""The pixels of a Labels layer as a session reads and writes them: one plane, one region at a time.

Writing costs what the object costs, not what the layer does: napari is asked to draw the changed part only.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..errors import ImageError, OutputError
from ..prompt import Region
from ..session.patches import OutsideError
from .label_storage import Block, check_editable, finest, levels, read_block, write_block
from .placement import plain
from .planes import Plane, current_plane, layer_shape

if TYPE_CHECKING:
    from napari.components import Dims
    from napari.layers import Labels

_FANCY_LIMIT = 1 << 18  # pixels that napari sets one by one in a moment
_FANCY_SHARE = 16  # reading a plane anew costs as much as setting this share of its pixels one by one


class LayerPixels:
    """`napari_dextr.session.patches.LabelImage` of a Labels layer. Its places are ``(image layer, Plane)``.

    Parameters
    ----------
    layer : Labels
    dims : Dims
        Of the viewer: tells which plane is on the screen.
    highest : callable
        Gives the highest label in use.
    check : callable
        Called before an object is written; raises where that must not be. Undo is always allowed.
    """

    def __init__(
        self,
        layer: Labels,
        dims: Dims,
        *,
        highest: Callable[[], int],
        check: Callable[[], None] = lambda: None,
    ) -> None:
        self.layer: Labels = plain(layer)
        self._dims = dims
        self._highest = highest
        self._check = check

    @property
    def largest(self) -> int:
        """Largest value that the data type holds; asked for before each object, and so the place to refuse one."""
        self._check()
        return int(np.iinfo(np.dtype(finest(self.layer).dtype)).max)

    def highest(self) -> int:
        """Highest label that is known to be in use."""
        return self._highest()

    def read(self, place: Hashable, region: Region) -> npt.NDArray[Any]:
        """``(h, w)`` labels; 0 where the region reaches beyond a layer that is smaller than its image.

        Raises
        ------
        OutputError
            If the layer cannot be written.
        OutsideError
            If the region lies outside the layer.
        """
        check_editable(self.layer)
        plane = _plane_of(place)
        block = self._block(plane, region)
        values = read_block(self.layer, block)
        values = values.reshape([values.shape[axis] for axis in plane.axes])
        height, width = (part.stop - part.start for part in region)
        if values.shape == (height, width):
            return values
        padded = np.zeros((height, width), values.dtype)
        padded[: values.shape[0], : values.shape[1]] = values
        return padded

    def write(self, place: Hashable, region: Region, values: npt.NDArray[Any], changed: npt.NDArray[np.bool_]) -> None:
        """Set the pixels of a region where ``changed`` and have the layer drawn anew there; or set none.

        Raises
        ------
        OutputError, ImageError
            As `read`, or if the library that holds the pixels cannot write them.
        """
        check_editable(self.layer)
        plane = _plane_of(place)
        rows, cols = (np.flatnonzero(changed.any(axis=axis)) for axis in (1, 0))
        if not rows.size:
            return
        tight = (slice(int(rows[0]), int(rows[-1]) + 1), slice(int(cols[0]), int(cols[-1]) + 1))
        top, left = int(region[0].start), int(region[1].start)
        region = (
            slice(top + tight[0].start, top + tight[0].stop),
            slice(left + tight[1].start, left + tight[1].stop),
        )
        block = self._block(plane, region)
        height, width = (block[axis].stop - block[axis].start for axis in plane.axes)
        values, changed = (array[tight][:height, :width] for array in (values, changed))
        try:
            self._put(plane, block, values, changed)
        except Exception as error:  # of whatever library holds the pixels
            raise OutputError(
                f"'{self.layer.name}' could not be written ({error}); choose another Labels layer."
            ) from error

    def _block(self, plane: Plane, region: Region) -> Block:
        """The part of the layer that a region covers."""
        shape = layer_shape(self.layer)
        if len(shape) != plane.ndim:
            raise OutsideError(f"'{self.layer.name}' has other axes than the image; choose another Labels layer.")
        block = tuple(
            slice(part.start, min(part.stop, extent)) for part, extent in zip(plane.block(region), shape, strict=True)
        )
        if any(part.start < 0 or part.start >= part.stop for part in block):
            raise OutsideError(f"The object lies outside of '{self.layer.name}'; choose another Labels layer.")
        return block

    def _put(self, plane: Plane, block: Block, values: npt.NDArray[Any], changed: npt.NDArray[np.bool_]) -> None:
        layer, array = self.layer, finest(self.layer)
        drawn = layer.visible and getattr(layer, "loaded", True) and not layer.multiscale
        if drawn and _is_cheaper_point_by_point(array, plane, int(changed.sum())):
            # napari shows a copy of such pixels, and brings a part of the copy up to date only in this call. It goes
            # into napari's history too, where it does no harm; it is not a brush stroke, though.
            inside = np.nonzero(plane.expand(changed))
            indices = tuple(axis + part.start for axis, part in zip(inside, block, strict=True))
            with layer.events.paint.blocker():
                layer.data_setitem(indices, values[changed])
            return
        write_block(levels(layer), block, plane.expand(values), plane.expand(changed))
        if not layer.visible:
            return  # napari reads it again when it is shown
        if drawn and isinstance(array, np.ndarray) and array.dtype.itemsize <= 2:
            self._draw(plane, block)
        else:
            layer.refresh()

    def _draw(self, plane: Plane, block: Block) -> None:
        """Have a part drawn of an array that napari draws without a copy."""
        layer = self.layer
        event = getattr(layer.events, "labels_update", None)
        try:
            shown = current_plane(layer, self._dims)
        except ImageError:  # the 3-D view
            shown = None
        whole = event is None or layer.contour or str(getattr(layer, "projection_mode", "none")) != "none"
        if whole or shown is None or shown.axes != plane.axes:
            layer.refresh()
            return
        if shown != plane:
            return
        part = np.asarray(layer.data[block]).reshape([block[axis].stop - block[axis].start for axis in plane.axes])
        part = part.view(np.dtype(f"u{part.dtype.itemsize}"))
        offset = [block[axis].start for axis in plane.axes]
        first, second = list(self._dims.displayed)[-2:]
        if first > second:  # the view is transposed
            part, offset = part.T, offset[::-1]
        assert event is not None
        event(data=np.ascontiguousarray(part), offset=offset)


def _plane_of(place: Hashable) -> Plane:
    assert isinstance(place, tuple)
    plane = place[1]
    assert isinstance(plane, Plane)
    return plane


def _is_cheaper_point_by_point(array: Any, plane: Plane, count: int) -> bool:
    """Whether to set pixels through napari rather than to write a block and have napari read the plane again."""
    if isinstance(array, np.ndarray):
        return array.dtype.itemsize > 2 and count <= _FANCY_LIMIT
    if not type(array).__module__.startswith("zarr"):
        return False  # other libraries index otherwise
    pixels = array.shape[plane.axes[0]] * array.shape[plane.axes[1]]
    return count <= _FANCY_LIMIT and count * _FANCY_SHARE <= pixels
