"""What a training learns from in the viewer: Labels layers with their images.

Layers are read in the main thread once, for references to their arrays and for what they know. The sources that are
made here touch arrays only, and may be read in the background, whatever happens to the layers meanwhile.
"""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Callable, Hashable
from functools import partial
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..errors import DataError, ImageError
from ..image import ImagePlane, as_plane
from ..objects import ObjectFacts
from ..prompt import Region
from ..training.annotated import Rules, View, file_key
from ..training.label_planes import LabelPlane
from ..training.sources import LabelSource
from .export_source import ImageSource, image_of, image_source
from .export_source import LabelSource as Taken
from .export_source import label_source as taken
from .label_layers import PREVIEW_NAME
from .placement import plain
from .planes import Plane, current_plane, layer_shape, plane_at, read_plane, shown_limits

if TYPE_CHECKING:
    from napari.layers import Image, Labels

_APART = 0.05  # of a pixel; by so much pixels of labels and image may lie apart


def found_pairs(viewer: Any) -> list[tuple[Labels, Image | None]]:
    """The Labels layers of a viewer that objects can be learned from, each with its image, or None.

    Previews of Annotate are no annotations. The image is the one that the labels lie on pixel by pixel, of the same
    shape if there is one; the nearest below, or else above.
    """
    from napari.layers import Image, Labels

    layers = [plain(layer) for layer in viewer.layers]
    pairs: list[tuple[Labels, Image | None]] = []
    for place, labels in enumerate(layers):
        if not isinstance(labels, Labels) or (labels.name == PREVIEW_NAME and not labels.editable):
            continue
        image = image_of(labels, layers)
        if image is None:
            around = [*reversed(layers[:place]), *layers[place + 1 :]]
            image = next((other for other in around if isinstance(other, Image) and _lies_on(labels, other)), None)
        pairs.append((labels, image))
    return pairs


def layer_source(labels: Labels, image: Image | None, viewer: Any = None, *, least_area: int = 60) -> LabelSource:
    """Take a Labels layer and its image as they are now. In the main thread; what it gives is for any thread.

    The network gets to see what it sees in Annotate: the image between the contrast limits of now, RGB as it is, of
    several resolutions the one that suffices. Each plane with objects counts as an image of its own, unless
    neighbouring ones show the same objects (`napari_dextr.training.sources.Source.split`). Crowds of a COCO file that
    was read into the layer count neither for nor against its objects.

    Parameters
    ----------
    labels : Labels
    image : Image or None
    viewer : Viewer, optional
        Planes are taken along the axes that it shows; without it they are the last two.
    least_area : int
        Smaller objects, in pixels, are left out.

    Raises
    ------
    DataError
        If there is no image, or the labels do not lie on it pixel by pixel.
    """
    labels = plain(labels)
    if image is None:
        raise DataError(f"No image lies under '{labels.name}'; open it, or move it to where the labels are.")
    image = plain(image)
    offset, axes = _offset(labels, image), _axes(labels, viewer)
    known = taken(labels, image)
    source, kinds, facts = image_source(image), _classes(labels, known), _facts(known)
    opened, title, rules = opener(image), str(image.name), Rules(least_area)
    extents, ground = layer_shape(labels), layer_shape(image)
    hidden = [axis for axis in range(len(extents)) if axis not in axes]
    sizes = known.sizes if axes == (len(extents) - 2, len(extents) - 1) else {}
    planes: list[LabelPlane] = []
    for place in product(*(range(extents[axis]) for axis in hidden)):
        at = tuple(position + offset[axis] for position, axis in zip(place, hidden, strict=True))
        if any(not 0 <= position < ground[axis] for position, axis in zip(at, hidden, strict=True)):
            continue  # labels beyond the image
        shape = sizes.get(place, (ground[axes[0]], ground[axes[1]]))
        index: list[int | slice] = [slice(0, extent) for extent in extents]
        for axis, position in zip(hidden, place, strict=True):
            index[axis] = position
        view: Any = View(known.array, index)
        shift = offset[axes[0]], offset[axes[1]]
        if shift != (0, 0) or view.shape != shape:
            view = _Shifted(view, shift, shape)
        planes.append(
            LabelPlane(
                view, partial(opened, plane_at(at, axes, len(extents)), shape), plane_title(title, at),
                image_key(source, at), rules, kinds=kinds, facts=ChainMap(facts.get(place, {}), facts[None]),
                neighbours=tuple(
                    image_key(source, (*at[:axis], at[axis] - 1, *at[axis + 1 :])) for axis in range(len(at))
                ),
                ignore=known.crowds, at_hand=True,
            )
        )  # fmt: skip
    if not planes:
        raise DataError(f"'{labels.name}' lies beside '{image.name}'; choose the image that it was drawn on.")
    limits = shown_limits(image)
    said = {
        "annotations": str(labels.name), "limits": None if limits is None else list(limits), "axes": list(axes),
        "least_area": least_area,
    }  # fmt: skip
    return LabelSource(planes, f"'{labels.name}'", said)


def opener(image: Image) -> Callable[..., ImagePlane]:
    """What opens planes of an image layer as it is now, in any thread, as the network gets them in Annotate.

    It takes a `Plane` and, where the picture is smaller than its stack, the picture's height and width.
    """
    data: Any = list(image.data) if image.multiscale else image.data
    return partial(_opened, _Frozen(data, bool(image.multiscale)), shown_limits(image))


def image_key(image: ImageSource, position: tuple[int, ...]) -> Hashable:
    """What is the same for the same plane of an image, from whatever layer or file (`AnnotatedImage.key`)."""
    if image.path is not None:
        return file_key(image.path, position)
    if image.root is not None and position in image.images:
        return file_key(image.root / image.images[position])
    return "layer", id(image.array), position


def plane_title(name: str, position: tuple[int, ...]) -> str:
    """What a plane of an image is called."""
    return name + (f", plane {', '.join(map(str, position))}" if position else "")


class _Frozen:
    """An image layer's arrays, with as much of a layer as `read_plane` asks for."""

    def __init__(self, data: Any, multiscale: bool) -> None:
        self.data, self.multiscale = data, multiscale


class _Shifted:
    """Labels that cover a part of their image, or stand out of it: 0 where there are none."""

    def __init__(self, labels: View, shift: tuple[int, int], shape: tuple[int, int]) -> None:
        self._labels, self._shift = labels, shift
        self.shape, self.dtype = shape, labels.dtype

    def __getitem__(self, key: Region) -> npt.NDArray[Any]:
        out = np.zeros([part.stop - part.start for part in key], self.dtype)
        inner, place = [], []
        for part, shift, extent in zip(key, self._shift, self._labels.shape, strict=True):
            start, stop = max(part.start - shift, 0), min(part.stop - shift, extent)
            if start >= stop:
                return out
            inner.append(slice(start, stop))
            place.append(slice(start + shift - part.start, stop + shift - part.start))
        out[tuple(place)] = self._labels[tuple(inner)]
        return out


def _opened(
    frozen: Any, limits: tuple[float, float] | None, plane: Plane, shape: tuple[int, int] | None = None
) -> ImagePlane:
    opened = as_plane(read_plane(frozen, plane), limits=limits)
    if shape is None or opened.shape == shape:
        return opened
    # smaller than its stack: what is beyond was put there to fill it
    window = View(opened.levels[0], [slice(0, extent) for extent in shape])
    return ImagePlane((window,), opened.channels, opened.limits)


def _axes(labels: Labels, viewer: Any) -> tuple[int, int]:
    if viewer is not None and labels.ndim > 2:
        try:
            return current_plane(labels, viewer.dims).axes
        except ImageError:  # the 3-D view shows no planes
            pass
    return labels.ndim - 2, labels.ndim - 1


def _lies_on(labels: Labels, image: Image) -> bool:
    try:
        offset = _offset(labels, image)
    except DataError:
        return False
    spans = zip(offset, layer_shape(labels), layer_shape(image), strict=True)
    return all(shift < extent and shift + length > 0 for shift, length, extent in spans)


def _offset(labels: Labels, image: Image) -> tuple[int, ...]:
    """Which pixel of an image the first pixel of its labels lies on."""
    if labels.ndim != image.ndim:
        raise DataError(
            f"'{labels.name}' has {labels.ndim} axes, but '{image.name}' has {image.ndim}; draw the labels with the "
            "axes of the image."
        )
    probes = np.vstack([np.zeros(labels.ndim), np.eye(labels.ndim) * 1000.0])
    there = np.array([image.world_to_data(labels.data_to_world(probe)) for probe in probes], np.float64)
    offset = np.rint(there[0])
    if not np.allclose(there - offset, probes, rtol=0, atol=_APART):
        raise DataError(
            f"The pixels of '{labels.name}' do not lie on those of '{image.name}': their scale, rotation or position "
            "differ; give both layers the same, or choose the image that the labels were drawn on."
        )
    return tuple(int(value) for value in offset)


def _classes(labels: Labels, known: Taken) -> dict[int, str]:
    """Name of the class of each label: of our record, or of a features table that somebody else made."""
    kinds: dict[int, str] = {}
    table = labels.features
    if "index" in table and "class" in table:
        rows = zip(table["index"], table["class"], strict=True)
        kinds = {int(label): kind for label, kind in rows if label == label and isinstance(kind, str) and kind}
    names = {item.id: item.name for item in known.classes}
    for label, facts in known.facts.items():
        if facts.class_id in names:
            kinds[label] = names[facts.class_id]
    return kinds


def _facts(known: Taken) -> dict[tuple[int, ...] | None, dict[int, ObjectFacts]]:
    """What made the objects, by the plane on which they were made; under None where no plane is told."""
    facts: dict[tuple[int, ...] | None, dict[int, ObjectFacts]] = {None: {}}
    for label, item in known.facts.items():
        facts.setdefault(item.plane or None, {})[label] = item
    return facts
