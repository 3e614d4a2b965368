"""The Labels layers: the preview of one object, and the target that accepted objects are written to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..errors import ImageError, OutputError
from ..prompt import Region
from .placement import placement, same_place
from .planes import Plane, layer_shape

if TYPE_CHECKING:
    from napari.layers import Image, Labels

PREVIEW_NAME = "DEXTR preview"
TARGET_NAME = "DEXTR labels"

_PREVIEW_COLOR = "#00e5ff"  # apart from napari's label colours by its brightness
_COLOR_SEED = 0.31  # of napari's label colours: the first ones are bright and far from the preview's
_CHUNK = 1 << 24  # pixels scanned at a time for the highest label


def new_preview(image: Image) -> Labels:
    """An empty preview layer. It holds no more than the region of one object, whatever the image's size."""
    from napari.layers import Labels
    from napari.utils import DirectLabelColormap

    layer = Labels(
        np.zeros((1,) * image.ndim, np.uint8),
        name=PREVIEW_NAME,
        opacity=0.55,
        colormap=DirectLabelColormap(color_dict={None: "transparent", 0: "transparent", 1: _PREVIEW_COLOR}),
        **placement(image),
    )
    layer.editable = False
    return layer


def show_preview(layer: Labels, image: Image, plane: Plane, region: Region, mask: npt.NDArray[np.bool_]) -> None:
    """Show the ``(h, w)`` mask of ``region`` in the preview layer."""
    block = plane.block(region)
    place = placement(image, [part.start for part in block])
    layer.data = plane.expand(mask.astype(np.uint8))
    layer.translate = place["translate"]
    layer.editable = False  # napari makes a layer editable again whenever its data change


def clear_preview(layer: Labels) -> None:
    """Show nothing."""
    if np.any(layer.data):
        layer.data = np.zeros((1,) * layer.ndim, np.uint8)
        layer.editable = False


def new_target(image: Image) -> Labels:
    """An empty Labels layer over the whole image. 16 bit: napari draws it without a copy, and it has 65,535 labels.

    Raises
    ------
    OutputError
        If the memory does not suffice.
    """
    from napari.layers import Labels
    from napari.utils.colormaps import label_colormap

    try:
        data = np.zeros(layer_shape(image), np.uint16)
    except (MemoryError, ValueError):
        shape = " x ".join(map(str, layer_shape(image)))
        raise OutputError(
            f"There is not enough memory for a Labels layer of {shape} pixels; crop the image, or choose an "
            "existing Labels layer."
        ) from None
    return Labels(data, name=TARGET_NAME, colormap=label_colormap(49, seed=_COLOR_SEED), **placement(image))


def check_target(target: Labels, image: Image) -> None:
    """Raise `OutputError` unless objects of ``image`` can be written into ``target``."""
    if getattr(target, "multiscale", False):
        raise OutputError(
            f"'{target.name}' has several resolutions, which cannot be edited; choose another Labels layer."
        )
    if not isinstance(target.data, np.ndarray):
        raise OutputError(
            f"'{target.name}' is read lazily from disk, which cannot be edited; choose another Labels layer "
            "or let a new one be made."
        )
    if not target.data.flags.writeable:
        raise OutputError(f"'{target.name}' is read-only; duplicate it (right-click the layer) and choose the copy.")
    if not target.editable:
        raise OutputError(f"'{target.name}' is not editable now; unlock it, or choose another Labels layer.")
    if not same_place(target, image):
        raise OutputError(
            f"'{target.name}' does not lie pixel on pixel over '{image.name}'; choose another Labels layer "
            "or let a new one be made."
        )


def largest_label(target: Labels) -> int:
    """Largest value that the layer's data type holds."""
    return int(np.iinfo(np.asarray(target.data).dtype).max)


def highest_label(target: Labels) -> int:
    """Highest label in use, 0 for an empty layer. Reads the layer piece by piece; 0 where it cannot be read."""
    data: Any = target.data
    if not isinstance(data, np.ndarray) or not data.size:
        return 0
    if data.flags.c_contiguous:
        flat = data.reshape(-1)
        return max(0, *(int(flat[start : start + _CHUNK].max()) for start in range(0, flat.size, _CHUNK)))
    return max(0, int(data.max()))


def write_object(
    target: Labels,
    plane: Plane,
    region: Region,
    mask: npt.NDArray[np.bool_],
    label: int,
    *,
    keep_earlier: bool,
) -> int:
    """Write one object into the target as a single step of napari's own undo. Only the region is touched.

    Parameters
    ----------
    target : Labels
        Passed `check_target`.
    plane, region, mask
        Where the object lies: ``(h, w)`` bool on ``region`` of ``plane``.
    label : int
        Its label.
    keep_earlier : bool
        Leave pixels alone that have a label already.

    Returns
    -------
    int
        Number of pixels written.

    Raises
    ------
    ImageError
        If the plane lies outside the target.
    OutputError
        If there is nothing to write.
    """
    if not mask.any():
        raise OutputError("The mask is empty; lower the threshold or move the points.")
    block = plane.block(region)
    if any(part.start >= extent for part, extent in zip(block, target.data.shape, strict=True)):
        raise ImageError(f"The object lies outside of '{target.name}'; choose another Labels layer.")
    block = tuple(
        slice(part.start, min(part.stop, extent)) for part, extent in zip(block, target.data.shape, strict=True)
    )
    present = np.asarray(target.data[block])
    wanted = plane.expand(mask)[tuple(slice(0, extent) for extent in present.shape)]
    if keep_earlier:
        wanted = wanted & (present == 0)
    inside = np.nonzero(wanted)
    if not inside[0].size:
        raise OutputError(
            "The object lies wholly on earlier ones; discard it, or untick 'Keep earlier objects' to overwrite them."
        )
    indices = tuple(axis + part.start for axis, part in zip(inside, block, strict=True))
    with target.block_history():
        target.data_setitem(indices, label)
    return int(inside[0].size)
