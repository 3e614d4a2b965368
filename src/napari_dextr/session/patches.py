"""Changes of label pixels, packed small enough to keep one for every step of a long session."""

from __future__ import annotations

import zlib
from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from ..errors import ImageError
from ..prompt import Region

Labels = npt.NDArray[Any]
Mask = npt.NDArray[np.bool_]

_TILE = 128  # side of a tile of `SparseLabels`, pixels


class OutsideError(ImageError):
    """Pixels that a label image does not have, or no longer: it has got a smaller array, or other axes."""


class LabelImage(Protocol):
    """The label pixels of a target, plane by plane. Whoever owns the pixels implements it.

    A ``place`` names a plane; a region is two slices with start and stop, inside the plane.
    """

    @property
    def largest(self) -> int:
        """Largest value that a pixel holds."""

    def highest(self) -> int:
        """Highest label in use, 0 if there is none. May scan all pixels; asked once."""

    def read(self, place: Hashable, region: Region) -> Labels:
        """``(h, w)`` labels; an `OutputError` where they cannot be edited, an `OutsideError` where there are none.

        Reading is no place to refuse an object: undo reads too.
        """

    def write(self, place: Hashable, region: Region, values: Labels, changed: Mask) -> None:
        """Set the pixels of ``region`` where ``changed``, all ``(h, w)``; or raise, and set none."""


@dataclass(frozen=True, slots=True)
class PackedMask:
    """A ``(h, w)`` bool mask on a region, a few bytes for each line of a smooth object.

    Attributes
    ----------
    corner : (row, col)
        First pixel of the region.
    shape : (h, w)
    data : bytes
        Packed bits, deflated.
    """

    corner: tuple[int, int]
    shape: tuple[int, int]
    data: bytes

    @classmethod
    def of(cls, mask: Mask, region: Region) -> PackedMask:
        """Pack a mask, cut to its pixels (one pixel of background where it has none)."""
        rows, cols = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
        top, left, bottom, right = (rows[0], cols[0], rows[-1] + 1, cols[-1] + 1) if len(rows) else (0, 0, 1, 1)
        cut = mask[top:bottom, left:right]
        corner = (int(region[0].start) + int(top), int(region[1].start) + int(left))
        return cls(corner, (cut.shape[0], cut.shape[1]), zlib.compress(np.packbits(cut).tobytes(), 6))

    @property
    def region(self) -> Region:
        """The two slices that the mask covers."""
        (row, col), (height, width) = self.corner, self.shape
        return slice(row, row + height), slice(col, col + width)

    def mask(self) -> Mask:
        """The ``(h, w)`` pixels."""
        bits = np.frombuffer(zlib.decompress(self.data), np.uint8)
        return np.unpackbits(bits, count=self.shape[0] * self.shape[1]).reshape(self.shape).astype(bool)


@dataclass(frozen=True, slots=True)
class _Values:
    """A row of labels: one number where all are equal."""

    dtype: str
    data: bytes | int

    @classmethod
    def of(cls, values: Labels) -> _Values:
        if values.size and (values == values.flat[0]).all():
            return cls(values.dtype.str, int(values.flat[0]))
        return cls(values.dtype.str, zlib.compress(values.tobytes(), 1))

    def unpack(self, count: int) -> Labels:
        if isinstance(self.data, int):
            return np.full(count, self.data, np.dtype(self.dtype))
        return np.frombuffer(zlib.decompress(self.data), np.dtype(self.dtype))


@dataclass(frozen=True, slots=True)
class Patch:
    """Pixels of one plane, what they were and what they became.

    Attributes
    ----------
    where : PackedMask
        The pixels.
    labels : frozenset of int
        Labels that lost or won pixels, without 0.
    """

    where: PackedMask
    labels: frozenset[int]
    _before: _Values
    _after: _Values

    @classmethod
    def of(cls, region: Region, before: Labels, after: Labels, mask: Mask | None = None) -> Patch | None:
        """Pack the pixels of ``mask``, by default those where ``(h, w)`` labels differ; None if there are none."""
        where = np.asarray(before != after) if mask is None else mask
        if not where.any():
            return None
        old, new = before[where], after[where]
        labels = (_distinct(old) | _distinct(new)) - {0}
        return cls(PackedMask.of(where, region), labels, _Values.of(old), _Values.of(new))

    @property
    def region(self) -> Region:
        """The two slices that hold the pixels."""
        return self.where.region

    def values(self, forward: bool = True) -> tuple[Mask, Labels]:
        """The ``(h, w)`` pixels, and the labels that they get: the new ones, or backward the old ones."""
        mask = self.where.mask()
        return mask, (self._after if forward else self._before).unpack(int(mask.sum()))

    def apply(self, image: LabelImage, place: Hashable, forward: bool = True) -> None:
        """Bring the new labels into an image, or backward the old ones.

        A pixel that holds neither what it should was changed by somebody else in the meantime, and stays. Pixels that
        the image does not have any more are left out.
        """
        try:
            values = np.array(image.read(place, self.region))
        except OutsideError:
            return
        mask, wanted = self.values(forward)
        expected = self.values(not forward)[1]
        found = values[mask] == expected
        values[mask] = np.where(found, wanted, values[mask])
        mask[mask] = found
        if mask.any():
            image.write(place, self.region, values, mask)


class SparseLabels:
    """A `LabelImage` of any size in memory, which holds only tiles that something was written to.

    Parameters
    ----------
    dtype : data type
    fill : int
        Value of pixels that nobody has written.
    """

    def __init__(self, dtype: npt.DTypeLike = np.int64, fill: int = 0) -> None:
        self.dtype: np.dtype[Any] = np.dtype(dtype)
        self.fill = fill
        self._tiles: dict[Hashable, dict[tuple[int, int], Labels]] = {}

    @property
    def largest(self) -> int:
        """Largest value of the data type."""
        return int(np.iinfo(self.dtype).max)

    @property
    def places(self) -> tuple[Hashable, ...]:
        """Planes that something was written to."""
        return tuple(self._tiles)

    def highest(self) -> int:
        """Highest value, at least 0."""
        return max((int(tile.max()) for tiles in self._tiles.values() for tile in tiles.values()), default=0)

    def read(self, place: Hashable, region: Region) -> Labels:
        """``(h, w)`` values of a region."""
        rows, cols = region
        values = np.full((rows.stop - rows.start, cols.stop - cols.start), self.fill, self.dtype)
        tiles = self._tiles.get(place)
        if tiles:
            for key, inside, outside in _tiled(region):
                tile = tiles.get(key)
                if tile is not None:
                    values[outside] = tile[inside]
        return values

    def write(self, place: Hashable, region: Region, values: Labels, changed: Mask) -> None:
        """Set pixels of a region where ``changed``."""
        tiles = self._tiles.setdefault(place, {})
        for key, inside, outside in _tiled(region):
            part = changed[outside]
            if part.any():
                tile = tiles.get(key)
                if tile is None:
                    tile = tiles[key] = np.full((_TILE, _TILE), self.fill, self.dtype)
                tile[inside][part] = values[outside][part]

    def written(self, place: Hashable) -> Iterator[tuple[Region, Labels, Mask]]:
        """Piece by piece, the pixels of a plane that are not the fill: region, values, and where they are."""
        for (row, col), tile in self._tiles.get(place, {}).items():
            mask = tile != self.fill
            rows, cols = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
            if len(rows):
                part = slice(int(rows[0]), int(rows[-1]) + 1), slice(int(cols[0]), int(cols[-1]) + 1)
                top, left = row * _TILE, col * _TILE
                region = (
                    slice(top + part[0].start, top + part[0].stop),
                    slice(left + part[1].start, left + part[1].stop),
                )
                yield region, tile[part], mask[part]


def join(first: Region, second: Region) -> Region:
    """The smallest region that holds two others."""
    rows, cols = (slice(min(a.start, b.start), max(a.stop, b.stop)) for a, b in zip(first, second, strict=True))
    return rows, cols


def meet(first: Region, second: Region) -> bool:
    """Whether two regions have a pixel in common."""
    return all(a.start < b.stop and b.start < a.stop for a, b in zip(first, second, strict=True))


def cut(region: Region, own: Mask) -> bool:
    """Whether pixels of a ``(h, w)`` mask lie on the border of its region where the image may go on beyond it."""
    rows, cols = region
    height, width = own.shape  # an image that ends there gives fewer than the region has
    return own.size > 0 and bool(
        (rows.start > 0 and own[0].any())
        or (cols.start > 0 and own[:, 0].any())
        or (height == rows.stop - rows.start and own[-1].any())
        or (width == cols.stop - cols.start and own[:, -1].any())
    )


def wider(region: Region) -> Region:
    """A region with half of its extent more on each side, and 8 pixels; it starts at 0 or later."""
    slack = 8 + max(part.stop - part.start for part in region) // 2
    rows, cols = (slice(max(0, part.start - slack), part.stop + slack) for part in region)
    return rows, cols


def placed(mask: Mask, region: Region, frame: Region) -> Mask:
    """A ``(h, w)`` mask of ``region`` on the larger region ``frame``."""
    out = np.zeros([part.stop - part.start for part in frame], bool)
    out[within(region, frame)] = mask
    return out


def within(region: Region, frame: Region) -> Region:
    """A region in coordinates of another that holds it."""
    rows, cols = (
        slice(part.start - whole.start, part.stop - whole.start) for part, whole in zip(region, frame, strict=True)
    )
    return rows, cols


def _distinct(values: Labels) -> frozenset[int]:
    """The labels of a row of pixels. A large fill has one, which sorting would take seconds to find."""
    if values.size and (values == values.flat[0]).all():
        return frozenset((int(values.flat[0]),))
    return frozenset(int(label) for label in np.unique(values))


def _tiled(region: Region) -> list[tuple[tuple[int, int], Region, Region]]:
    """Tiles that a region touches: key, the part of the tile, and the part of the region."""
    pieces = []
    for part in region:
        line = []
        for number in range(part.start // _TILE, -(-part.stop // _TILE)):
            start, stop = max(part.start, number * _TILE), min(part.stop, (number + 1) * _TILE)
            line.append(
                (
                    number,
                    slice(start - number * _TILE, stop - number * _TILE),
                    slice(start - part.start, stop - part.start),
                )
            )
        pieces.append(line)
    return [((r, c), (ri, ci), (ro, co)) for r, ri, ro in pieces[0] for c, ci, co in pieces[1]]
