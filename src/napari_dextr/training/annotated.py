"""Annotated images: what every source of training objects gives, whether it is a file, a layer or a saved session."""

from __future__ import annotations

import hashlib
import os
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ..image import ImagePlane
from ..objects import ObjectFacts
from ..prompt import Region

Mask = npt.NDArray[np.bool_]
Going = Callable[[], bool]


class Stopped(Exception):
    """Whoever reads was asked to stop."""


@dataclass(frozen=True)
class Rules:
    """Which objects of an image are used.

    Attributes
    ----------
    least_area : int
        Smaller objects (pixels) are left out.
    most_per_image : int or None
        At most so many objects of an image, drawn at random.
    skip_unreadable : bool
        Leave an image out that is missing or cannot be read, instead of stopping.
    """

    least_area: int = 60
    most_per_image: int | None = None
    skip_unreadable: bool = False


@dataclass(frozen=True, eq=False)
class Annotation:
    """One object of an image.

    Attributes
    ----------
    label : int
        Value of its pixels in a label image, or its id in a file.
    read : callable
        Gives a region of the image, and the object's ``(h, w)`` mask there.
    kind : str
        Name of its class; empty where it has none.
    facts : ObjectFacts or None
        What made it, where that is known.
    stack_label : int or None
        Its label in the stack that its image is a plane of, where that is not ``label``.
    """

    label: int
    read: Callable[[], tuple[Region, Mask]]
    kind: str = ""
    facts: ObjectFacts | None = None
    stack_label: int | None = None

    @property
    def thing(self) -> int:
        """What is the same on all planes of a stack that show the object."""
        return self.label if self.stack_label is None else self.stack_label


Unknown = Callable[[Annotation, Region, Mask], Any | None]
"""From an object, a region and its mask there to ``(H, W)`` bool that can be sliced; None where all is known."""


class AnnotatedImage(ABC):
    """An image with its objects. Nothing is read before it is asked for.

    Attributes
    ----------
    name : str
        For people.
    key : hashable
        The same for the same image, whichever source it comes from.
    shape : (int, int)
        Height and width, pixels.
    rules : Rules
    left_out : mapping of str to int
        Objects that have no mask to learn from, by what they are. Known once `objects` was called.
    neighbours : tuple of hashable or None
        Name the planes before this one in its stack by their ``key``, one along each axis of the stack; None at its
        first plane.
    at_hand : bool
        Whether opening the pixels costs nothing, as they are in memory or loaded lazily.
    hint : str
        What can be done where the pixels cannot be read, with a space before it.
    """

    name: str
    key: Hashable
    shape: tuple[int, int]
    rules: Rules
    left_out: Mapping[str, int]
    neighbours: tuple[Hashable | None, ...] = ()
    at_hand: bool = False
    hint: str = ""

    @abstractmethod
    def objects(self, going: Going = lambda: True) -> Sequence[Annotation]:
        """The objects that have a mask; raises `Stopped` once ``going`` answers False.

        Raises
        ------
        DataError
            If the annotations cannot be read, or do not fit on the image.
        """

    @abstractmethod
    def plane(self) -> ImagePlane:
        """The pixels, read where they are needed.

        Raises
        ------
        DataError, ImageError
            If the image is missing, cannot be read, or has another size than its annotations.
        """

    def unknown(self) -> Unknown:
        """Tells for each object the pixels that count neither for nor against it; ask once for an image."""
        return lambda _annotation, _region, _mask: None

    def lack(self) -> str | None:
        """Why the pixels will not be there, as far as that is seen without reading them; None where nothing is seen."""
        return None


class Part(NamedTuple):
    """An object that is used.

    Attributes
    ----------
    annotation : Annotation
    region : two slices
        The smallest that holds it.
    mask : (h, w) bool
        Its pixels there.
    area : int
        How many.
    """

    annotation: Annotation
    region: Region
    mask: Mask
    area: int


@dataclass
class Choice:
    """Goes through images and says which of their objects are used.

    Attributes
    ----------
    going : callable
        Asked before each image and each object; where it answers False, `Stopped` is raised.
    left_out : Counter
        Objects that are not, by the reason.
    """

    images: Sequence[AnnotatedImage]
    seed: int = 0
    going: Going = lambda: True
    left_out: Counter[str] = field(default_factory=Counter)

    def __iter__(self) -> Iterator[tuple[int, AnnotatedImage, list[Part]]]:
        """Number, image and usable objects, image by image; what lies twice on an image is used once."""
        rng = np.random.default_rng(self.seed)
        often = Counter(image.key for image in self.images)
        seen: dict[Hashable, set[bytes]] = {key: set() for key, count in often.items() if count > 1}
        for number, image in enumerate(self.images):
            if not self.going():
                raise Stopped
            annotations = image.objects(self.going)
            self.left_out.update(image.left_out)
            most = image.rules.most_per_image
            if most is not None and len(annotations) > most:
                annotations = [annotations[int(i)] for i in rng.choice(len(annotations), most, replace=False)]
            here = seen.get(image.key, set())
            parts = []
            for annotation in annotations:
                if not self.going():
                    raise Stopped
                region, mask = trimmed(*annotation.read())
                area = int(np.count_nonzero(mask))
                if area < image.rules.least_area or not area:
                    self.left_out[f"smaller than {image.rules.least_area} pixels"] += 1
                elif area == image.shape[0] * image.shape[1]:
                    self.left_out["covering their whole image"] += 1
                elif (digest := _digest(region, mask)) in here:
                    self.left_out["drawn twice"] += 1
                else:
                    here.add(digest)
                    parts.append(Part(annotation, region, mask, area))
            yield number, image, parts


def reasons(left_out: Mapping[str, int]) -> str:
    """What was left out, in words; empty where nothing was."""
    return ", ".join(f"{count} {why}" for why, count in left_out.items() if count)


def file_key(path: str | os.PathLike[str], plane: Sequence[int] = ()) -> Hashable:
    """`AnnotatedImage.key` of an image in a file, or of a plane of a stack in one."""
    file = Path(path)
    return "file", str(_resolved(file.parent) / file.name), tuple(plane)


@lru_cache(maxsize=64)
def _resolved(folder: Path) -> Path:
    return folder.resolve()


class View:
    """A part of an array that is read only where it is sliced: numpy, dask and zarr alike.

    Parameters
    ----------
    array : array-like
    index : sequence of int or slice
        For each axis but a last one of channels: a position, or the part of one of the two axes that are left. Parts
        have a start and a stop inside the array.
    """

    def __init__(self, array: Any, index: Sequence[int | slice]) -> None:
        self._array = array
        self._index = tuple(index)
        self._axes = [axis for axis, part in enumerate(self._index) if isinstance(part, slice)]
        extents = [part.stop - part.start for part in self._index if isinstance(part, slice)]
        self.shape: tuple[int, ...] = (*map(int, extents), *(int(n) for n in array.shape[len(self._index) :]))
        self.dtype: np.dtype[Any] = np.dtype(array.dtype)
        self.ndim = len(self.shape)

    @property
    def chunks(self) -> tuple[int, int] | None:
        """Rows and columns that are stored together, where the array knows; of uneven ones the first."""
        chunks = getattr(self._array, "chunks", None)
        if not chunks or len(chunks) < len(self._index):
            return None
        rows, cols = (chunks[axis] if isinstance(chunks[axis], int) else chunks[axis][0] for axis in self._axes)
        return int(rows), int(cols)

    def __getitem__(self, key: Any) -> npt.NDArray[Any]:
        parts = (*(key if isinstance(key, tuple) else (key,)), slice(None), slice(None))
        index: list[Any] = list(self._index)
        for axis, part, extent in zip(self._axes, parts, self.shape, strict=False):
            start, stop, step = part.indices(extent)
            shift = self._index[axis].start  # type: ignore[union-attr]
            index[axis] = slice(shift + start, shift + max(stop, start), step)
        return np.asarray(self._array[tuple(index)])


class Window(AnnotatedImage):
    """The part of an annotated image inside a region: objects that lie in it wholly, and no pixel beyond it.

    What lies beyond is, for whoever cuts out the objects, beyond the image. So nothing that is held out from a
    training is seen by it, not even as the surroundings of other objects.
    """

    def __init__(self, image: AnnotatedImage, region: Region) -> None:
        self.name, self.key, self.rules = image.name, image.key, image.rules
        self.at_hand, self.hint, self.neighbours = image.at_hand, image.hint, image.neighbours
        self.shape = (region[0].stop - region[0].start, region[1].stop - region[1].start)
        self.left_out: Counter[str] = Counter()
        self._image, self._region = image, region

    def objects(self, going: Going = lambda: True) -> Sequence[Annotation]:
        inside = []
        self.left_out = Counter()
        for item in self._image.objects(going):
            if not going():
                raise Stopped
            region, mask = trimmed(*item.read())
            if mask.any() and _holds(self._region, region):
                rows, cols = (
                    slice(part.start - whole.start, part.stop - whole.start)
                    for part, whole in zip(region, self._region, strict=True)
                )
                inside.append(replace(item, read=partial(_given, (rows, cols), mask)))
        return inside

    def plane(self) -> ImagePlane:
        whole_plane = self._image.plane()
        # the finest level only: windows of coarser ones would begin between their pixels
        return ImagePlane((View(whole_plane.levels[0], self._region),), whole_plane.channels, whole_plane.limits)

    def unknown(self) -> Unknown:
        tell, (top, left) = self._image.unknown(), (part.start for part in self._region)

        def moved(annotation: Annotation, region: Region, mask: Mask) -> Any | None:
            rows, cols = region
            at = slice(rows.start + top, rows.stop + top), slice(cols.start + left, cols.stop + left)
            pixels = tell(annotation, at, mask)
            return None if pixels is None else View(pixels, self._region)

        return moved

    def lack(self) -> str | None:
        return self._image.lack()


def trimmed(region: Region, mask: Mask) -> tuple[Region, Mask]:
    """The smallest region that holds the pixels of a mask on ``region``, and the mask there.

    What has no pixels stays as it is.
    """
    spans = [np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0)]
    if not len(spans[0]):
        return region, mask
    rows, cols = (slice(int(span[0]), int(span[-1]) + 1) for span in spans)
    top, left = region[0].start, region[1].start
    return (slice(top + rows.start, top + rows.stop), slice(left + cols.start, left + cols.stop)), mask[rows, cols]


def _given(region: Region, mask: Mask) -> tuple[Region, Mask]:
    return region, mask


def _holds(outer: Region, inner: Region) -> bool:
    return all(a.start <= b.start and b.stop <= a.stop for a, b in zip(outer, inner, strict=True))


def _digest(region: Region, mask: Mask) -> bytes:
    place = f"{region[0].start} {region[1].start} {mask.shape}".encode()
    return hashlib.blake2b(place + np.packbits(mask).tobytes(), digest_size=16).digest()
