"""Crop stores: objects cut out once with their surroundings, and kept small on disk.

Training then never decodes a photograph again. A store is a folder of plain ``.npy`` files that are memory-mapped:
``images`` ``(N, P, P, 3)`` uint8, ``masks`` ``(N, P, P)`` uint8 flags, ``groups``, ``sides``, ``places`` and ``things``
``(N,)``, and ``facts.json``.
"""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import DataError
from ..files import atomic_write, make_folder

OBJECT, IGNORE, OUTSIDE = 1, 2, 4
"""Flags of a store's masks: object, pixels without a true label, pixels beyond the image."""

LEAST_PIXELS = 16
"""Of an object on its crop."""

TOO_THIN = "so long and thin that they vanish at the size at which objects are learned"
"""What becomes of objects with fewer pixels there."""

_HEADER = 128  # bytes before the pixels in a .npy file: a multiple of 64, with room for any shape

Progress = Callable[[str], None]


class NothingUsable(DataError):
    """None of the objects can be learned from, or judge."""


@dataclass(frozen=True, eq=False)
class Crop:
    """One object with its surroundings.

    Attributes
    ----------
    image : (P, P, 3) uint8
    mask : (P, P) uint8 flags
    side : float
        Longer side of the object in the image that it was cut from, pixels; 0 where that is unknown.
    place : int
        Number of that image; planes of a stack that show the same objects have one.
    thing : int
        Number of the object; on several planes of a stack it has one.
    """

    image: npt.NDArray[np.uint8]
    mask: npt.NDArray[np.uint8]
    side: float = 0.0
    place: int = 0
    thing: int = 0


@dataclass(frozen=True, eq=False)
class CropStore:
    """Crops of one or several data sets, memory-mapped; group ``g`` is named ``names[g]``.

    ``sides``, ``places`` and ``things`` are those of `Crop`; None in stores of before they were kept.
    """

    images: npt.NDArray[np.uint8]
    masks: npt.NDArray[np.uint8]
    groups: npt.NDArray[np.int64]
    names: tuple[str, ...]
    sides: npt.NDArray[np.float32] | None = None
    places: npt.NDArray[np.int64] | None = None
    things: npt.NDArray[np.int64] | None = None

    def __len__(self) -> int:
        return len(self.groups)

    @classmethod
    def open(cls, folder: str | os.PathLike[str]) -> CropStore:
        """Open a store written by `write_store`.

        Raises
        ------
        DataError
            If the folder holds no complete store.
        """
        path = Path(folder)
        try:
            facts = json.loads((path / "facts.json").read_text(encoding="utf-8"))
            arrays = {name: np.load(path / f"{name}.npy", mmap_mode="r") for name in ("images", "masks", "groups")}
            sides, places, things = (
                np.load(path / f"{name}.npy") if (path / f"{name}.npy").is_file() else None
                for name in ("sides", "places", "things")
            )
            names = tuple(facts["names"])
            if len({len(array) for array in (*arrays.values(), sides, places, things) if array is not None}) != 1:
                raise ValueError("its files hold different numbers of crops")
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise DataError(f"'{path}' is not a complete crop store ({error}); build it again.") from None
        groups = np.array(arrays["groups"], np.int64)
        return cls(arrays["images"], arrays["masks"], groups, names, sides, places, things)


def write_store(
    folder: str | os.PathLike[str],
    sources: Sequence[tuple[str, Iterable[Crop]]],
    side: int,
    progress: Progress = lambda _message: None,
) -> CropStore:
    """Write the crops of named sources into a store; ``facts.json`` is written last and makes it complete.

    Tells ``progress`` how many there are, and how many objects are left out as the resampling swallowed them.

    Raises
    ------
    NothingUsable
        If there is no crop whose object is large enough to see.
    OutputError
        If the disk is full, or the folder cannot be written.
    """
    path = make_folder(folder)
    counts: list[int] = []
    sides: list[float] = []
    places: list[int] = []
    things: list[int] = []
    thin = 0
    with atomic_write(path / "images.npy") as image_part, atomic_write(path / "masks.npy") as mask_part:
        with image_part.open("wb") as image_file, mask_part.open("wb") as mask_file:
            for file, shape in ((image_file, (0, side, side, 3)), (mask_file, (0, side, side))):
                file.write(_header(shape))
            for name, crops in sources:
                before = len(sides)
                for crop in crops:
                    if np.count_nonzero(crop.mask & OBJECT) < LEAST_PIXELS:
                        thin += 1
                        continue
                    image_file.write(crop.image.tobytes())
                    mask_file.write(crop.mask.tobytes())
                    sides.append(crop.side)
                    places.append(crop.place)
                    things.append(crop.thing)
                counts.append(len(sides) - before)
                progress(f"{name}: {counts[-1]} objects cut out")
            total = len(sides)
            for file, shape in ((image_file, (total, side, side, 3)), (mask_file, (total, side, side))):
                file.seek(0)
                file.write(_header(shape))  # the count is known only now
        if thin and not total:
            raise NothingUsable(f"No usable object was found: all ({thin}) are {TOO_THIN}; annotate thicker ones.")
        if not total:
            raise NothingUsable("No usable object was found; check the annotations and the least area.")
    if thin:
        progress(f"Objects left out: {thin} {TOO_THIN}")
    groups = np.repeat(np.arange(len(counts)), counts)
    kept: dict[str, npt.NDArray[Any]] = {
        "groups": groups, "sides": np.array(sides, np.float32), "places": np.array(places, np.int64),
        "things": np.array(things, np.int64),
    }  # fmt: skip
    for name, values in kept.items():
        with atomic_write(path / f"{name}.npy") as part, part.open("wb") as file:
            np.save(file, values)
    facts = {"names": [name for name, _ in sources], "counts": counts, "side": side}
    with atomic_write(path / "facts.json") as part:
        part.write_text(json.dumps(facts), encoding="utf-8")
    return CropStore.open(path)


def _header(shape: tuple[int, ...]) -> bytes:
    """Beginning of a ``.npy`` file of uint8, as long for every shape."""
    text = repr({"descr": "|u1", "fortran_order": False, "shape": shape})
    start = np.lib.format.magic(1, 0) + struct.pack("<H", _HEADER - 10)
    return start + text.ljust(_HEADER - 11).encode("latin1") + b"\n"
