"""The pictures of a COCO file as arrays for the viewer: put together in stacks, read when they are looked at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..coco import NAMESPACE, CocoDataset, CocoImage, find_image, open_annotated
from ..errors import DextrError
from ..image_file import read_image
from .export_images import FOLDER, STACKS
from .export_planes import STACK

SEPARATE = 12
"""Images of different sizes get layers of their own up to this number; more of them share one stack."""

_MOST_PLANES = 100_000  # what a file claims to be a larger stack is taken as single pictures
_PROBED = 8  # pictures of a stack that are opened to learn their kind


@dataclass(frozen=True, eq=False)
class Group:
    """Pictures that share one layer.

    Attributes
    ----------
    name : str
    extents : tuple of int
        Length of each axis before row and column; empty for a single picture.
    size : (int, int)
        Height and width in pixels; smaller pictures are padded at the bottom and on the right.
    planes : mapping of index to CocoImage
        Indices along ``extents``.
    axes : str
        One letter for each of ``extents``, where the file names them.
    """

    name: str
    extents: tuple[int, ...]
    size: tuple[int, int]
    planes: Mapping[tuple[int, ...], CocoImage]
    axes: str = ""

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the labels."""
        return (*self.extents, *self.size)

    def place(self) -> dict[str, Any]:
        """Scale, translation and units that the export noted, as arguments of a layer."""
        entry = _stack_facts(next(iter(self.planes.values())))
        known = {name: entry[name] for name in ("scale", "translate", "units") if name in entry}
        if not all(isinstance(value, list) and len(value) == len(self.shape) for value in known.values()):
            return {}
        if self.axes:
            known["axis_labels"] = (*self.axes, "y", "x")
        return known


def groups_of(dataset: CocoDataset) -> list[Group]:
    """Put the pictures of a file together as an annotator expects them.

    Planes of one stack become that stack again. Other pictures become one stack, to be leafed through with the
    slider, when all have one size; pictures of different sizes get a layer each, or, where they are more than
    `SEPARATE`, share one stack that is as large as the largest.
    """
    stacks: dict[str, list[CocoImage]] = {}
    singles: list[CocoImage] = []
    for image in dataset.images.values():
        (singles if image.source is None else stacks.setdefault(image.source, [])).append(image)
    groups = []
    for source, images in stacks.items():
        group = _stack_of(source, images)
        if group is None:
            singles += images
        else:
            groups.append(group)
    sizes = {(image.height, image.width) for image in singles}
    if len(singles) > 1 and (len(sizes) == 1 or len(singles) > SEPARATE):
        size = max(height for height, _ in sizes), max(width for _, width in sizes)
        planes: dict[tuple[int, ...], CocoImage] = {(number,): image for number, image in enumerate(singles)}
        return [*groups, Group(dataset.path.stem, (len(singles),), size, planes)]
    return [
        *groups,
        *(Group(Path(image.file_name).stem, (), (image.height, image.width), {(): image}) for image in singles),
    ]


def _stack_of(source: str, images: Sequence[CocoImage]) -> Group | None:
    """The stack that planes belong to; None where they do not fit together."""
    size, axes = (images[0].height, images[0].width), images[0].axes
    planes = {tuple(image.plane): image for image in images}
    fits = all(
        (image.height, image.width) == size and image.axes == axes and len(image.plane) == len(axes) for image in images
    )
    if not axes or not fits or len(planes) < len(images) or min(map(min, planes)) < 0:
        return None
    extents = tuple(max(index[axis] for index in planes) + 1 for axis in range(len(axes)))
    noted = _stack_facts(images[0]).get("extents")
    if isinstance(noted, list) and len(noted) == len(extents) and all(isinstance(length, int) for length in noted):
        extents = tuple(max(pair) for pair in zip(noted, extents, strict=True))
    return Group(Path(source).stem, extents, size, planes, axes) if prod(extents) <= _MOST_PLANES else None


def _stack_facts(image: CocoImage) -> Mapping[str, Any]:
    ours = image.extra.get(NAMESPACE)
    entry = ours.get(STACK) if isinstance(ours, Mapping) else None
    return entry if isinstance(entry, Mapping) else {}


def picture_root(folder: Path, image: CocoImage) -> Path:
    """Folder below which a picture lies: that of the annotation file, or ``images`` in it.

    Raises
    ------
    DataError
        If it lies in neither, or its name leads out of them.
    """
    try:
        find_image(folder, image)
    except DextrError:
        if not (folder / FOLDER).is_dir():
            raise
        find_image(folder / FOLDER, image)
        return folder / FOLDER
    return folder


def open_group(group: Group, folder: Path, problems: list[str], blank: list[str] | None = None) -> Any:
    """Pictures of a group as one lazy array, ``(…, H, W)`` or ``(…, H, W, 3)``; None where none of them is there.

    Parameters
    ----------
    group : Group
    folder : Path
        Folder of the annotation file.
    problems : list of str
        Gets one sentence for each picture that is missing or refused; its plane stays black.
    blank : list of str, optional
        Gets a sentence where a stack has planes that the file does not list: they stay black, too.
    """
    whole = _stack_file(group, folder)
    if whole is not None:
        return whole
    roots: dict[tuple[int, ...], Path] = {}
    for index, image in group.planes.items():
        try:
            roots[index] = picture_root(folder, image)
        except DextrError as error:
            problems.append(str(error))
    probes: list[npt.NDArray[Any]] = []
    for index in list(roots)[:: max(1, len(roots) // _PROBED)]:
        try:
            probes.append(_read(roots[index], group.planes[index]))
        except DextrError as error:
            problems.append(str(error))
            del roots[index]
    if not probes:
        return None
    unlisted = prod(group.extents) - len(group.planes)
    if unlisted and blank is not None:
        blank.append(
            f"{unlisted} of {prod(group.extents)} planes of '{group.name}' were not exported and are black here; put "
            "the stack's TIFF beside the file, or export planes without objects too."
        )
    rgb = any(probe.ndim == 3 for probe in probes)
    dtype = np.result_type(*probes)
    if not group.extents:
        return _fitted(probes[0], group.size, rgb, dtype)
    return _lazy(group, roots, rgb, dtype)


def _stack_file(group: Group, folder: Path) -> Any:
    """The stack itself where it lies in the folder: it has the planes too that no object is on."""
    image = next(iter(group.planes.values()))
    if not group.axes or image.source is None:
        return None
    try:
        path = find_image(folder, replace(image, file_name=image.source))
    except DextrError:
        return None
    if path.suffix.lower() not in STACKS:
        return None
    import dask.array as da
    import tifffile

    try:
        with tifffile.TiffFile(path) as tiff:
            shape, dtype = tuple(tiff.series[0].shape), tiff.series[0].dtype
        if shape not in (group.shape, (*group.shape, 3)):
            return None
        try:
            return tifffile.memmap(path, mode="r", series=0)
        except ValueError:  # compressed: read as a whole, when it is looked at
            return da.map_blocks(
                lambda: read_image(path),
                dtype=dtype,
                chunks=tuple((extent,) for extent in shape),
                meta=np.empty((0,) * len(shape), dtype),
            )
    except Exception:  # whatever the decoder does not like: the planes may be there as pictures
        return None


def _lazy(group: Group, roots: Mapping[tuple[int, ...], Path], rgb: bool, dtype: Any) -> Any:
    import dask.array as da

    shape = (*group.size, 3) if rgb else group.size
    extents = tuple((1,) * extent for extent in group.extents)
    # One call for all pictures: with an array of its own for each, whoever leafs through thousands waits at every one.
    return da.map_blocks(
        partial(_load, group, roots, rgb, dtype),
        dtype=dtype,
        chunks=(*extents, *((extent,) for extent in shape)),
        meta=np.empty((0,) * (len(extents) + len(shape)), dtype),
    )


def _load(
    group: Group, roots: Mapping[tuple[int, ...], Path], rgb: bool, dtype: Any, block_id: tuple[int, ...]
) -> npt.NDArray[Any]:
    """A picture when the viewer comes to it. One that has gone in the meantime is black, and the user hears of it."""
    index = block_id[: len(group.extents)]
    shape = (*group.size, 3) if rgb else group.size
    pixels = np.zeros(shape, dtype)
    if index in roots:
        try:
            pixels = _fitted(_read(roots[index], group.planes[index]), group.size, rgb, dtype)
        except DextrError as error:
            from napari.utils.notifications import show_warning

            show_warning(str(error))
    return pixels.reshape((1,) * len(index) + shape)


def _read(root: Path, image: CocoImage) -> npt.NDArray[Any]:
    """A picture as ``(H, W)`` or ``(H, W, 3)``; an alpha channel is dropped, other channels are averaged."""
    pixels = np.asarray(open_annotated(root, image))
    if pixels.ndim == 3 and pixels.shape[2] == 4:
        pixels = pixels[..., :3]
    if pixels.ndim == 3 and pixels.shape[2] != 3:
        pixels = pixels.mean(axis=2).astype(pixels.dtype)
    return pixels


def _fitted(pixels: npt.NDArray[Any], size: tuple[int, int], rgb: bool, dtype: Any) -> npt.NDArray[Any]:
    """Pixels of the kind and the size that the stack has."""
    if rgb and pixels.ndim == 2:
        pixels = np.repeat(pixels[..., None], 3, axis=2)
    elif not rgb and pixels.ndim == 3:
        pixels = pixels.mean(axis=2)
    if pixels.shape[:2] != size:
        margins = [(0, size[0] - pixels.shape[0]), (0, size[1] - pixels.shape[1]), (0, 0)]
        pixels = np.pad(pixels, margins[: pixels.ndim])
    return pixels.astype(dtype, copy=False)
