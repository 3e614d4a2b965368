"""The arrays behind a Labels layer: which can be written, how large ones are made, and how they are copied.

A Labels layer holds one array or, with several resolutions, one array a level, finest first. numpy, zarr, and whatever
else takes ``array[slices] = values`` is written in place. dask arrays are recipes for pixels and cannot be written.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from contextlib import suppress
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..errors import OutputError
from .placement import placement, plain

if TYPE_CHECKING:
    from napari.layers import Image, Labels

Block = tuple[slice, ...]

LARGEST_TEXTURE = 16_384
"""Longest side, in pixels, that napari draws as one picture on usual graphics cards. Labels with a longer side would be
shown at half their resolution, and sent to the graphics card as a whole at each change; several resolutions are not."""

_COARSEST_SIDE = 1024  # levels are added until the plane is no longer than this
_PIECE = 1 << 22  # pixels read at a time
_CHUNK = 512  # side of the chunks of zarr arrays made here


class UneditableError(OutputError):
    """A Labels layer cannot take objects.

    Attributes
    ----------
    copy : bool
        Whether a copy of the layer could (see `editable_copy`).
    """

    def __init__(self, message: str, *, copy: bool = False) -> None:
        super().__init__(message)
        self.copy = copy


def levels(layer: Image | Labels) -> list[Any]:
    """Arrays of a layer, finest first; a single one where it has one resolution."""
    layer = plain(layer)
    return list(layer.data) if layer.multiscale else [layer.data]


def finest(layer: Image | Labels) -> Any:
    """The array with all pixels of a layer, with or without several resolutions."""
    return levels(layer)[0]


def check_editable(layer: Labels) -> None:
    """Raise `UneditableError` unless the arrays of a layer can be written in place."""
    for array in levels(layer):
        if _is_lazy(array):
            raise UneditableError(
                f"'{layer.name}' is computed while it is shown (dask) and cannot be written; work on a copy of it, "
                "or let a new layer be made.",
                copy=True,
            )
        if _is_frozen(array):
            raise UneditableError(f"'{layer.name}' is read-only; work on a copy of it.", copy=True)
        if not hasattr(array, "__setitem__"):
            raise UneditableError(
                f"The pixels of '{layer.name}' ({type(array).__name__}) cannot be written; work on a copy of it.",
                copy=True,
            )
    if not layer.multiscale and not layer.editable:  # napari never lets several resolutions be painted
        raise UneditableError(f"'{layer.name}' is not editable now; unlock it, or choose another Labels layer.")


def needs_copy(layer: Labels) -> bool:
    """Whether objects can be written only into a copy of a layer (see `editable_copy`)."""
    try:
        check_editable(layer)
    except UneditableError as error:
        return error.copy
    return False


def read_block(layer: Labels, block: Block) -> npt.NDArray[Any]:
    """Pixels of the finest array.

    Raises
    ------
    OutputError
        If they cannot be read.
    """
    try:
        return np.asarray(finest(layer)[block])
    except Exception as error:  # of whatever library holds the pixels
        raise OutputError(f"'{layer.name}' could not be read here ({error}); check that its file is there.") from error


def write_block(arrays: Sequence[Any], block: Block, values: npt.NDArray[Any], changed: npt.NDArray[np.bool_]) -> None:
    """Set pixels of the finest of some levels, and the pixels of the coarser ones that stand for them.

    Parameters
    ----------
    arrays : sequence of array-like
        Finest first.
    block : slices
        With start and stop, one for each axis, inside the finest array.
    values, changed
        New pixels and where they go, of the block's shape.

    Raises
    ------
    Exception
        Whatever the library that holds the pixels raises; what was written before is taken back then.
    """
    written: list[tuple[Any, Block, npt.NDArray[Any]]] = []
    shape = arrays[0].shape
    try:
        for array in arrays:
            part = _standing_for(block, shape, array.shape)
            if part is None:
                continue
            target, source = part
            where = changed[source]
            if where.any():
                whole = _whole_chunks(array, target)
                before = np.array(array[whole])
                after = before.copy()
                inside = tuple(slice(a.start - b.start, a.stop - b.start) for a, b in zip(target, whole, strict=True))
                after[inside][where] = values[source][where]
                written.append((array, whole, before))
                array[whole] = after
    except Exception:
        for array, target, before in reversed(written):
            with suppress(Exception):  # the array that failed fails again
                array[target] = before
        raise


def allocate(shape: Sequence[int], dtype: npt.DTypeLike = np.uint16) -> list[Any]:
    """Zeros for a new Labels layer: one array, or several resolutions where napari could not draw it as one.

    Memory is taken only for what is written (numpy leaves that to the system; where it refuses, zarr does it).

    Raises
    ------
    MemoryError
        If there is no room.
    """
    return [_zeros(level, dtype) for level in level_shapes(shape)]


def level_shapes(shape: Sequence[int]) -> list[tuple[int, ...]]:
    """Shapes of the resolutions of a new Labels layer, finest first; each halves the last two axes, if still long."""
    shapes = [tuple(int(extent) for extent in shape)]
    if max(shapes[0][-2:]) > LARGEST_TEXTURE:
        while max(shapes[-1][-2:]) > _COARSEST_SIDE:
            halved = (-(-extent // 2) if extent > _COARSEST_SIDE else extent for extent in shapes[-1][-2:])
            shapes.append((*shapes[0][:-2], *halved))
    return shapes


def pieces(array: Any) -> Iterator[Block]:
    """Blocks that together cover an array, each of whole chunks where it has some, small enough to be read at once."""
    shape = tuple(int(extent) for extent in array.shape)
    step = [max(1, min(chunk, extent)) for chunk, extent in zip(_chunks(array), shape, strict=True)]
    for axis in reversed(range(len(shape))):
        room = max(1, _PIECE // math.prod(step))
        step[axis] = min(shape[axis], step[axis] * room) or 1
    for corner in itertools.product(*(range(0, extent, size) for extent, size in zip(shape, step, strict=True))):
        yield tuple(
            slice(start, min(start + size, extent)) for start, size, extent in zip(corner, step, shape, strict=True)
        )


def editable_copy(layer: Labels) -> tuple[Labels, Iterator[tuple[int, int]]]:
    """A layer like another one whose pixels can be written, and what fills it.

    Returns
    -------
    copy : Labels
        Empty at first; with the same place, names, colours, features and metadata.
    filling : iterator of (done, total)
        Copies piece by piece; it touches arrays only and may run in a thread. Show the copy (or refresh it) afterwards.

    Raises
    ------
    OutputError
        If there is not enough memory.
    """
    from copy import deepcopy

    from napari.layers import Labels

    layer = plain(layer)
    source = finest(layer)
    try:
        arrays = allocate(source.shape, source.dtype)
    except (MemoryError, ValueError):
        raise OutputError(f"There is not enough memory for a copy of '{layer.name}'; close other layers.") from None
    several = len(arrays) > 1
    copy = Labels(
        arrays if several else arrays[0],
        multiscale=several,
        name=f"{layer.name} copy",
        features=layer.features.copy(),
        metadata=deepcopy(dict(layer.metadata)),
        opacity=layer.opacity,
        colormap=layer.colormap,
        **placement(layer),
    )
    return copy, _fill(arrays, source)


def _fill(arrays: Sequence[Any], source: Any) -> Iterator[tuple[int, int]]:
    blocks = list(pieces(source))
    for done, block in enumerate(blocks, 1):
        values = np.asarray(source[block])
        write_block(arrays, block, values, values != 0)
        yield done, len(blocks)


def _standing_for(block: Block, shape: Sequence[int], coarse: Sequence[int]) -> tuple[Block, tuple[Any, ...]] | None:
    """Pixels of a coarser level that show pixels of a block, and the indices into the block that they show.

    A coarse pixel shows the fine one under its centre. None where no centre lies in the block.
    """
    target, source = [], []
    for part, extent, count in zip(block, shape, coarse, strict=True):
        factor = extent / count
        first, last = int(part.start / factor), min(int(np.ceil(part.stop / factor)), count)
        centres = np.minimum(((np.arange(first, last) + 0.5) * factor).astype(np.int64), extent - 1)
        inside = np.flatnonzero((centres >= part.start) & (centres < part.stop))
        if not inside.size:
            return None
        target.append(slice(first + int(inside[0]), first + int(inside[-1]) + 1))
        source.append(centres[inside] - part.start)
    if tuple(shape) == tuple(coarse):
        return tuple(target), (slice(None),) * len(target)
    return tuple(target), np.ix_(*source)


def _whole_chunks(array: Any, block: Block) -> Block:
    """The chunks that a block touches: a library that compresses them reads a part of one again before writing it."""
    if isinstance(array, np.ndarray):
        return block
    extents = zip(block, _chunks(array), array.shape, strict=True)
    return tuple(
        slice(part.start // size * size, min(-(-part.stop // size) * size, int(extent)))
        for part, size, extent in extents
    )


def _zeros(shape: tuple[int, ...], dtype: npt.DTypeLike) -> Any:
    try:
        return np.zeros(shape, dtype)
    except (MemoryError, ValueError):
        if not find_spec("zarr"):
            raise
    import zarr

    chunks = (*(1 for _ in shape[:-2]), *(min(_CHUNK, extent) for extent in shape[-2:]))
    return zarr.zeros(shape, chunks=chunks, dtype=np.dtype(dtype))


def _chunks(array: Any) -> tuple[int, ...]:
    chunks = getattr(array, "chunksize", None) or getattr(array, "chunks", None)
    if chunks is not None and all(isinstance(size, (int, np.integer)) for size in chunks):
        return tuple(int(size) for size in chunks)
    return (1,) * len(array.shape)


def _is_lazy(array: Any) -> bool:
    inner = array if isinstance(array, np.ndarray) else getattr(array, "data", None)  # xarray wraps other arrays
    return any(type(item).__module__.split(".")[0] == "dask" for item in (array, inner))


def _is_frozen(array: Any) -> bool:
    if isinstance(array, np.ndarray):
        return not array.flags.writeable
    return bool(getattr(array, "read_only", False))
