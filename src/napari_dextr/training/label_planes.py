"""Objects of a label image, plane by plane, however large it is and wherever its pixels are kept."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import DataError, DextrError, first_line
from ..image import ImagePlane
from ..objects import ObjectFacts
from ..prompt import Region
from ..session.patches import PackedMask, join, within
from .annotated import AnnotatedImage, Annotation, Going, Mask, Rules, Stopped, Unknown, View

_DIRECT = 1 << 22  # labels up to here are looked up without sorting them first
_TILE = 2048  # side of the pieces that are read at a time, pixels, unless chunks are larger
_LOOKED_AT = 32  # pixels along a side of an object that tell an image from another


class LabelPlane(AnnotatedImage):
    """A plane of labels on an image. The labels are read once; what they said then is kept.

    Parameters
    ----------
    labels : View
        ``(H, W)`` whole numbers; 0 is background, every other value one object.
    opened : callable
        Gives the image, of the same height and width.
    name, key, neighbours
        As of `AnnotatedImage`.
    rules : Rules
    ignore : collection of int
        Labels of pixels without a true label: crowds, for instance.
    kinds : mapping of int to str
        Name of the class, by label.
    facts : mapping of int to ObjectFacts
        What made an object, by label.
    at_hand, lack
        As of `AnnotatedImage`.
    """

    def __init__(
        self,
        labels: Any,
        opened: Callable[[], ImagePlane],
        name: str,
        key: Hashable,
        rules: Rules,
        *,
        neighbours: tuple[Hashable | None, ...] = (),
        ignore: Collection[int] = (),
        kinds: Mapping[int, str] | None = None,
        facts: Mapping[int, ObjectFacts] | None = None,
        at_hand: bool = False,
        lack: Callable[[], str | None] = lambda: None,
    ) -> None:
        self.name, self.key, self.rules, self.neighbours = name, key, rules, neighbours
        self.shape = int(labels.shape[0]), int(labels.shape[1])
        self.at_hand = at_hand
        self.left_out: Mapping[str, int] = {}
        self._labels, self._opened, self._ignore, self._lack = labels, opened, frozenset(ignore), lack
        self._kinds, self._facts = kinds or {}, facts or {}
        self._found: dict[int, PackedMask] | None = None

    def objects(self, going: Going = lambda: True) -> Sequence[Annotation]:
        return [
            Annotation(label, lambda packed=packed: (packed.region, packed.mask()), self._kinds.get(label, ""),  # type: ignore[misc]
                       self._facts.get(label))
            for label, packed in self._scanned(going).items() if label not in self._ignore
        ]  # fmt: skip

    def plane(self) -> ImagePlane:
        plane = self._opened()
        if plane.shape != self.shape:
            raise DataError(
                f"'{self.name}' has {plane.shape[0]} x {plane.shape[1]} pixels, but its labels have {self.shape[0]} x "
                f"{self.shape[1]}; choose the labels of this image."
            )
        return plane

    def unknown(self) -> Unknown:
        found = self._scanned(lambda: True)
        ignored = [found[label] for label in self._ignore if label in found]
        if not ignored:
            return super().unknown()
        pixels = np.zeros(self.shape, bool)
        for packed in ignored:
            pixels[packed.region] |= packed.mask()
        return lambda _annotation, _region, _mask: pixels

    def lack(self) -> str | None:
        return self._lack()

    def digest(self) -> bytes:
        """Tells these labels from others."""
        told = hashlib.sha256(f"{self.shape} {sorted(self._ignore)}".encode())
        for label, packed in sorted(self._scanned(lambda: True).items()):
            told.update(f"{label} {self._kinds.get(label, '')} {packed.corner} {packed.shape}".encode())
            told.update(np.packbits(packed.mask()).tobytes())
        return told.digest()

    def look(self, labels: Iterable[int]) -> bytes:
        """Some pixels of the image where objects lie, which tell it from another image."""
        told = hashlib.sha256()
        try:
            finest = self.plane().levels[0]
            for label in labels:
                region = self._scanned(lambda: True)[label].region
                rows, cols = (
                    slice(part.start, part.stop, max(1, (part.stop - part.start) // _LOOKED_AT)) for part in region
                )
                block = np.ascontiguousarray(finest[rows, cols])
                told.update(f"{block.dtype} {block.shape}".encode() + block.tobytes())
        except Exception:  # of whatever library holds the pixels
            return b""  # cutting the objects out says what is wrong
        return told.digest()

    def _scanned(self, going: Going) -> dict[int, PackedMask]:
        if self._found is None:
            if np.dtype(self._labels.dtype).kind not in "iub":
                raise DataError(
                    f"The labels of '{self.name}' must be whole numbers, got {self._labels.dtype}; convert them to "
                    "integers."
                )
            try:
                self._found = packed_objects(self._labels, going)
            except (DextrError, Stopped):
                raise
            except Exception as error:  # of whatever library holds the pixels
                raise DataError(
                    f"The labels of '{self.name}' could not be read ({first_line(error)}); check that their file is "
                    "still there."
                ) from error
        return self._found


def packed_objects(labels: Any, going: Going = lambda: True) -> dict[int, PackedMask]:
    """The pixels of each label of a plane, in ascending order of the labels; the plane is read once, tile by tile.

    Parameters
    ----------
    labels : (H, W) array-like of int or bool
    going : callable
        Asked before each tile; answers False to stop.

    Raises
    ------
    Stopped
        When it was.
    """
    pieces: dict[int, list[PackedMask]] = {}
    for rows, cols in _tiles(labels):
        if not going():
            raise Stopped
        tile = np.asarray(labels[rows, cols])
        if tile.any():
            for label, (down, across), mask in _label_masks(tile):
                region = (
                    slice(rows.start + down.start, rows.start + down.stop),
                    slice(cols.start + across.start, cols.start + across.stop),
                )
                pieces.setdefault(label, []).append(PackedMask.of(mask, region))
    return {label: _joined(parts) for label, parts in sorted(pieces.items())}


def planes_of(extents: tuple[int, ...], axis: int | Sequence[int] | None) -> Iterator[tuple[int | slice, ...]]:
    """Index of each plane of a stack.

    Parameters
    ----------
    extents : tuple of int
        Shape of the labels.
    axis : int or sequence of int, optional
        Axes that lead from plane to plane; by default all but the last two.

    Raises
    ------
    DataError
        If that does not leave two axes.
    """
    count = len(extents)
    given = range(count - 2) if axis is None else (axis,) if isinstance(axis, int) else tuple(axis)
    stacked = {place % count for place in given if -count <= place < count}
    if len(stacked) != len(given) or count - len(stacked) != 2:
        raise DataError(
            f"Labels of shape {extents} with axis {axis} do not leave planes of two axes; name the axes that lead from "
            "plane to plane."
        )
    for numbers in np.ndindex(*(extents[place] for place in sorted(stacked))):
        at = iter(numbers)
        yield tuple(int(next(at)) if place in stacked else slice(0, extents[place]) for place in range(count))


def _tiles(labels: Any) -> Iterator[Region]:
    chunks = (labels.chunks if isinstance(labels, View) else None) or (1, 1)
    sides = [max(chunk, _TILE // chunk * chunk) for chunk in chunks]
    starts = [range(0, extent, side) for extent, side in zip(labels.shape, sides, strict=True)]
    for corner in product(*starts):
        rows, cols = (
            slice(start, min(start + side, extent))
            for start, side, extent in zip(corner, sides, labels.shape, strict=True)
        )
        yield rows, cols


def _joined(parts: list[PackedMask]) -> PackedMask:
    """One object of its pieces, which do not overlap."""
    if len(parts) == 1:
        return parts[0]
    region = parts[0].region
    for part in parts[1:]:
        region = join(region, part.region)
    mask = np.zeros([part.stop - part.start for part in region], bool)
    for part in parts:
        mask[within(part.region, region)] |= part.mask()
    return PackedMask.of(mask, region)


def _label_masks(labels: npt.NDArray[Any]) -> Iterator[tuple[int, Region, Mask]]:
    """Label, region and ``(h, w)`` mask of each object of a plane of labels."""
    from scipy.ndimage import find_objects

    if labels.dtype == bool:
        labels = labels.astype(np.uint8)
    if 0 <= labels.min() and labels.max() <= _DIRECT:
        values: Sequence[Any] = range(1, int(labels.max()) + 1)
        boxes = find_objects(labels.astype(np.int32))
    else:  # find_objects needs small positive values, whatever the labels are
        values = [value for value in np.unique(labels) if value != 0]
        numbered = np.where(labels == 0, 0, np.searchsorted(np.array(values, labels.dtype), labels) + 1)
        boxes = find_objects(numbered.astype(np.int32))
    for value, box in zip(values, boxes, strict=True):
        if box is not None:
            yield int(value), (box[0], box[1]), np.asarray(labels[box] == value)
