"""What a training learns from in a saved session of Annotate, whose labels layer may be long gone."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import DataError
from ..image import ImagePlane, as_plane
from ..image_file import open_image, open_plane
from ..prompt import Region
from ..session.patches import SparseLabels
from ..session.recovery import RecoveredTarget, recover
from ..training.annotated import Rules, file_key
from ..training.label_planes import LabelPlane
from ..training.sources import LabelSource
from ..training.stacks import planes_before
from .export_source import image_source
from .placement import plain
from .planes import Plane, hidden_index, layer_shape
from .training_layers import image_key, opener, plane_title


def session_source(path: str | os.PathLike[str], viewer: Any = None, *, least_area: int = 60) -> LabelSource:
    """Take the objects of a session that was saved by itself (`napari_dextr.session.autosave`).

    Its images are layers of the viewer, where one of the same name and shape is open; or else the files that they were
    opened from, of which images of more than 8 bits are seen between their own extremes.

    Parameters
    ----------
    path : path-like
        The journal.
    viewer : Viewer, optional
    least_area : int
        Smaller objects, in pixels, are left out.

    Raises
    ------
    DataError
        If it is no journal, holds no object, or an image is neither open nor in a file.
    """
    saved = recover(path)
    name = Path(path).name
    planes = [plane for target in saved.targets for plane in _planes_of(target, viewer, Rules(least_area))]
    if not planes:
        raise DataError(f"The saved session '{name}' holds no object; choose another.")
    return LabelSource(planes, f"The session '{name}'", {"annotations": name, "least_area": least_area})


class _Written:
    """The labels that a session wrote on a plane."""

    def __init__(self, pixels: SparseLabels, place: Hashable, shape: tuple[int, int]) -> None:
        self._pixels, self._place = pixels, place
        self.shape, self.dtype = shape, pixels.dtype

    def __getitem__(self, key: Region) -> npt.NDArray[Any]:
        return self._pixels.read(self._place, key)


def _planes_of(target: RecoveredTarget, viewer: Any, rules: Rules) -> Iterable[LabelPlane]:
    pixels = SparseLabels(np.int64)
    target.write(pixels, _text)
    objects = target.objects(_text)
    names = {item.id: item.name for item in target.classes}
    planes: list[LabelPlane] = []
    stacks: dict[str, dict[tuple[int, ...], LabelPlane]] = {}
    for place in {_text(name): name for name in target.places}.values():
        here = {item.label: item.facts for item in objects if item.place == _text(place)}
        kinds = {label: names.get(facts.class_id or 0, "") for label, facts in here.items()}
        plane, shape = _plane_named(place)
        size = shape[plane.axes[0]], shape[plane.axes[1]]
        opened, key, title, lack = _image_named(place, plane, shape, viewer)
        planes.append(
            LabelPlane(
                _Written(pixels, _text(place), size), opened, title, key, rules, kinds=kinds, facts=here, lack=lack
            )
        )
        stacks.setdefault(_text({**place, "index": None}), {})[hidden_index(plane)] = planes[-1]
    for stacked in stacks.values():
        for position, before in planes_before({at: plane.key for at, plane in stacked.items()}).items():
            stacked[position].neighbours = before
    return planes


def _image_named(
    place: Mapping[str, Any], plane: Plane, shape: Sequence[int], viewer: Any
) -> tuple[Callable[[], ImagePlane], Hashable, str, Callable[[], str | None]]:
    """How to open the image of a saved plane, its key, its name, and what tells that it is not there any more."""
    from napari.layers import Image

    name, path = str(place.get("layer")), place.get("path")
    hidden = hidden_index(plane)
    title = plane_title(name, hidden)
    for layer in [] if viewer is None else map(plain, viewer.layers):
        if isinstance(layer, Image) and layer.name == name and layer_shape(layer) == tuple(shape):
            return partial(opener(layer), plane), image_key(image_source(layer), hidden), title, _nothing
    if not isinstance(path, str):
        raise DataError(
            f"The saved session does not say from which file '{name}' was opened; open the image, recover the session "
            "in Annotate, and choose its Labels layer."
        )
    if plane.axes != (len(shape) - 2, len(shape) - 1):
        raise DataError(
            f"The session was made on '{name}' with its axes in another order; open the image in the viewer first."
        )
    return partial(_from_file, path, hidden), file_key(path, hidden), title, partial(_missing, path)


def _from_file(path: str, hidden: tuple[int, ...]) -> ImagePlane:
    opened = open_plane(path, hidden) if hidden else open_image(path)
    plane = as_plane(opened)
    first = plane.levels[0]
    if plane.channels is None and np.dtype(first.dtype) not in (np.dtype(np.uint8), np.dtype(bool)):
        values = np.asarray(first[:, :])
        values = values[np.isfinite(values)] if values.dtype.kind == "f" else values
        if values.size and values.min() < values.max():
            plane = as_plane(opened, limits=(float(values.min()), float(values.max())))
    return plane


def _nothing() -> None:
    return None


def _missing(path: str) -> str | None:
    if Path(path).exists():
        return None
    return (
        f"The image '{path}' of the saved session is not there any more; open it, recover the session in "
        "Annotate, and choose its Labels layer."
    )


def _plane_named(place: Any) -> tuple[Plane, tuple[int, ...]]:
    try:
        axes = tuple(int(axis) for axis in place["axes"])
        index = tuple(int(value) for value in place["index"])
        shape = tuple(int(extent) for extent in place["shape"])
    except (KeyError, TypeError, ValueError):
        raise DataError("The saved session names a plane in a way that cannot be read.") from None
    if len(axes) != 2 or not len(index) == len(shape) > max(axes) or min(axes) < 0:
        raise DataError("The saved session names a plane in a way that cannot be read.")
    return Plane((axes[0], axes[1]), index), shape


def _text(place: Any) -> str:
    return json.dumps(place, sort_keys=True)
