"""What an export would write, counted before it is written, and what is doubtful in it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import DataError
from ..objects import ObjectClass
from .export_source import LabelSource

TINY = 10
"""An object of fewer pixels than this is more likely a slip of the brush than an object."""


@dataclass(frozen=True)
class Doubt:
    """An object that may be a mistake: where it is, and why."""

    layer: str
    index: tuple[int, ...]
    label: int
    reason: str


@dataclass
class Counts:
    """Numbers of an export; they grow plane by plane.

    Attributes
    ----------
    planes, planes_with_objects : int
        Planes of images: those that several layers share count once.
    objects : int
    classes : Counter
        Objects by name of their class.
    tiny, parted, unclassified : int
        Objects of fewer than `TINY` pixels, in several parts, and without a class where there are classes.
    first : dict
        The first object of each kind of doubt, by ``"tiny"``, ``"parted"`` and ``"unclassified"``.
    """

    objects: int = 0
    classes: Counter[str] = field(default_factory=Counter)
    tiny: int = 0
    parted: int = 0
    unclassified: int = 0
    first: dict[str, Doubt] = field(default_factory=dict)
    _seen: set[tuple[int, tuple[int, ...]]] = field(default_factory=set)
    _filled: set[tuple[int, tuple[int, ...]]] = field(default_factory=set)

    @property
    def planes(self) -> int:
        """Planes that were counted."""
        return len(self._seen)

    @property
    def planes_with_objects(self) -> int:
        """Those on which there is something."""
        return len(self._filled)

    def add(self, source: LabelSource, index: tuple[int, ...], classes: Sequence[ObjectClass]) -> None:
        """Count the objects of one plane.

        Raises
        ------
        DataError
            If the plane holds no labels.
        """
        labels, areas, parts = objects_of(source.read(index))
        self._seen.add(source.key(index))
        if labels:
            self._filled.add(source.key(index))
        self.objects += len(labels)
        names = {entry.id: entry.name for entry in classes}
        for label, area, count in zip(labels, areas, parts, strict=True):
            name = _class_of(source, label, names)
            if name is not None:
                self.classes[name] += 1
            for kind, doubtful, reason in (
                ("tiny", area < TINY, f"only {area} pixel{'s' if area != 1 else ''}"),
                ("parted", count > 1, f"{count} separate parts"),
                ("unclassified", name is None, "no class"),
            ):
                if doubtful:
                    setattr(self, kind, getattr(self, kind) + 1)
                    self.first.setdefault(kind, Doubt(source.name, index, label, reason))


def objects_of(plane: npt.NDArray[Any]) -> tuple[list[int], list[int], list[int]]:
    """Labels of a plane, their pixels, and in how many parts each of them is (pixels that touch at a corner touch).

    Raises
    ------
    DataError
        If the values are not whole numbers.
    """
    from skimage.measure import label as connected

    if plane.dtype.kind not in "iub":
        raise DataError(f"The labels are {plane.dtype} numbers, not whole ones; convert the layer's data type first.")
    values, areas = np.unique(plane, return_counts=True)
    keep = values != 0
    values, areas = values[keep], areas[keep]
    if not values.size:
        return [], [], []
    rows, cols = np.flatnonzero(plane.any(axis=1)), np.flatnonzero(plane.any(axis=0))
    cut = plane[rows[0] : rows[-1] + 1, cols[0] : cols[-1] + 1]
    numbers = np.searchsorted(values, cut).astype(np.int32) + 1
    numbers[cut == 0] = 0
    pieces, count = connected(numbers, background=0, connectivity=2, return_num=True)
    owner = np.zeros(count + 1, np.int64)
    owner[pieces.ravel()] = numbers.ravel()
    parts = np.bincount(owner[1:], minlength=values.size + 1)[1:]
    return values.tolist(), areas.tolist(), parts.tolist()


def _class_of(source: LabelSource, label: int, names: Mapping[int, str]) -> str | None:
    """Name of an object's class; None where it has none although there are several to choose from."""
    number = source.class_of(label)
    if number is not None and number in names:
        return names[number]
    return next(iter(names.values())) if len(names) == 1 else None
