"""The Labels layers: the preview of one object, and the target that accepted objects are written to."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..errors import OutputError
from ..prompt import Region
from .label_storage import allocate, check_editable, finest
from .object_table import record
from .placement import placement, same_place
from .planes import Plane, layer_shape

if TYPE_CHECKING:
    from napari.layers import Image, Labels

PREVIEW_NAME = "DEXTR preview"
TARGET_NAME = "DEXTR labels"

_PREVIEW_COLOR = "#00e5ff"  # apart from napari's label colours by its brightness
_FILL, _EDGE = 1, 2  # values of the preview: inside, and the object's own outermost pixels
_FILL_OPACITY = 0.45
_COLOR_SEED = 0.31  # of napari's label colours: the first ones are bright and far from the preview's
_COLORS = 49
_OTHER_COLOR = "#8c8c8c"
_MOST_LISTED = 1 << 16  # labels up to which napari colours one by one without numba


def new_preview(image: Image) -> Labels:
    """An empty preview layer. It holds no more than the region of one object, whatever the image's size."""
    from napari.layers import Labels

    layer = Labels(
        np.zeros((1,) * image.ndim, np.uint8),
        name=PREVIEW_NAME,
        opacity=1.0,
        colormap=_preview_colormap(_PREVIEW_COLOR),
        **placement(image),
    )
    layer.editable = False
    return layer


def show_preview(
    layer: Labels,
    image: Image,
    plane: Plane,
    region: Region,
    mask: npt.NDArray[np.bool_],
    colour: str | None = None,
) -> None:
    """Show the ``(h, w)`` mask of ``region`` in the preview layer: filled, with its edge drawn.

    Parameters
    ----------
    layer : Labels
        Made by `new_preview`.
    image, plane, region, mask
        Where the object lies.
    colour : str, optional
        ``"#rrggbb"`` of its class.
    """
    colormap = _preview_colormap(colour or _PREVIEW_COLOR)
    if not np.array_equal(colormap.color_dict[_EDGE], layer.colormap.color_dict[_EDGE]):
        layer.colormap = colormap
    block = plane.block(region)
    place = placement(image, [part.start for part in block])
    layer.data = plane.expand(np.where(edge_of(mask), np.uint8(_EDGE), mask.astype(np.uint8) * np.uint8(_FILL)))
    layer.translate = place["translate"]
    layer.editable = False  # napari makes a layer editable again whenever its data change


def is_preview(layer: Any) -> bool:
    """Whether a layer holds one object that is not accepted yet. A copy that somebody edits is none any more."""
    return bool(layer.name == PREVIEW_NAME and not layer.editable)


def clear_preview(layer: Labels) -> None:
    """Show nothing."""
    if np.any(layer.data):
        layer.data = np.zeros((1,) * layer.ndim, np.uint8)
        layer.editable = False


def edge_of(mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Pixels of a ``(h, w)`` mask with a neighbour above, below, left or right that is not in it."""
    inner = np.zeros_like(mask)
    inner[1:-1, 1:-1] = mask[:-2, 1:-1] & mask[2:, 1:-1] & mask[1:-1, :-2] & mask[1:-1, 2:]
    return mask & ~inner


def new_target(image: Image) -> Labels:
    """An empty Labels layer over the whole image.

    16 bit: napari draws it without a copy, and it has 65,535 labels. With several resolutions where the image is too
    large to be drawn as one picture; napari's brush cannot paint in those.

    Raises
    ------
    OutputError
        If the memory does not suffice.
    """
    from napari.layers import Labels

    try:
        arrays = allocate(layer_shape(image))
    except (MemoryError, ValueError):
        shape = " x ".join(map(str, layer_shape(image)))
        raise OutputError(
            f"There is not enough memory for a Labels layer of {shape} pixels; install zarr (pip install zarr), crop "
            "the image, or choose an existing Labels layer."
        ) from None
    several = len(arrays) > 1
    return Labels(
        arrays if several else arrays[0],
        multiscale=several,
        name=TARGET_NAME,
        colormap=_cyclic_colormap(),
        **placement(image),
    )


def is_untouched(layer: Labels, name: str) -> bool:
    """Whether nobody has left anything in a Labels layer made by this name: pixels, objects, or another name."""
    return layer.name == name and not (record(layer)[0] or len(layer.features) or np.any(finest(layer)))


def check_target(target: Labels, image: Image) -> None:
    """Raise `OutputError` unless objects of ``image`` can be written into ``target``."""
    check_editable(target)
    if not same_place(target, image):
        raise OutputError(
            f"'{target.name}' does not lie pixel on pixel over '{image.name}'; choose another Labels layer "
            "or let a new one be made."
        )


def colour_by_class(layer: Labels, colours: Mapping[int, str | None] | None) -> None:
    """Show labels in the colours of their classes; None gives back napari's own colours.

    Parameters
    ----------
    layer : Labels
    colours : mapping of int to (str or None), or None
        ``"#rrggbb"`` for each object with a class; one with None keeps the colour that it has without classes. Labels
        that are not named are grey.

    Raises
    ------
    OutputError
        If napari cannot colour labels as high as these one by one.
    """
    from napari.utils import DirectLabelColormap

    cyclic = _cyclic_colormap()
    if colours is None:
        layer.colormap = cyclic
        return
    highest = max(colours, default=0)
    if highest > _MOST_LISTED and not find_spec("numba"):
        raise OutputError(
            f"The label {highest} of '{layer.name}' is too high to be shown in the colour of a class; install numba "
            "(pip install numba), or use a Labels layer with labels up to 65,535."
        )
    table: dict[int | None, Any] = {None: _OTHER_COLOR, 0: "transparent"}
    table.update((label, cyclic.map(label) if colour is None else colour) for label, colour in colours.items())
    layer.colormap = DirectLabelColormap(color_dict=table)


def _cyclic_colormap() -> Any:
    from napari.utils.colormaps import label_colormap

    return label_colormap(_COLORS, seed=_COLOR_SEED)


def _preview_colormap(colour: str) -> Any:
    from napari.utils import DirectLabelColormap

    red, green, blue = (int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5))
    return DirectLabelColormap(
        color_dict={
            None: "transparent",
            0: "transparent",
            _FILL: (red, green, blue, _FILL_OPACITY),
            _EDGE: (red, green, blue, 1.0),
        }
    )
