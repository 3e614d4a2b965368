"""Crop stores: objects cut out once with their surroundings, and kept small on disk.

Training then never decodes a photograph again. A store is a folder of plain ``.npy`` files that are memory-mapped:
``images`` ``(N, P, P, 3)`` uint8, ``masks`` ``(N, P, P)`` uint8 flags, ``groups`` and ``sides`` ``(N,)``, and
``facts.json``.
"""

from __future__ import annotations

import json
import os
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

_LEAST_PIXELS = 16  # of an object on its crop

Progress = Callable[[str], None]


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
        Number of that image among those of its source.
    """

    image: npt.NDArray[np.uint8]
    mask: npt.NDArray[np.uint8]
    side: float = 0.0
    place: int = 0


@dataclass(frozen=True, eq=False)
class CropStore:
    """Crops of one or several data sets, memory-mapped; group ``g`` is named ``names[g]``.

    ``sides`` and ``places`` are those of `Crop`; None in stores of before they were kept.
    """

    images: npt.NDArray[np.uint8]
    masks: npt.NDArray[np.uint8]
    groups: npt.NDArray[np.int64]
    names: tuple[str, ...]
    sides: npt.NDArray[np.float32] | None = None
    places: npt.NDArray[np.int64] | None = None

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
            sides, places = (
                np.load(path / f"{name}.npy") if (path / f"{name}.npy").is_file() else None
                for name in ("sides", "places")
            )
            names = tuple(facts["names"])
            if len({len(array) for array in (*arrays.values(), sides, places) if array is not None}) != 1:
                raise ValueError("its files hold different numbers of crops")
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise DataError(f"'{path}' is not a complete crop store ({error}); build it again.") from None
        return cls(arrays["images"], arrays["masks"], np.array(arrays["groups"], np.int64), names, sides, places)


def write_store(
    folder: str | os.PathLike[str],
    sources: Sequence[tuple[str, Iterable[Crop]]],
    side: int,
    progress: Progress = lambda _message: None,
) -> CropStore:
    """Write the crops of named sources into a store; ``facts.json`` is written last and makes it complete.

    Raises
    ------
    DataError
        If there is no crop whose object is large enough to see.
    OutputError
        If the disk is full, or the folder cannot be written.
    """
    path = make_folder(folder)
    counts: list[int] = []
    sides: list[float] = []
    places: list[int] = []
    with atomic_write(path / "images.npy") as image_part, atomic_write(path / "masks.npy") as mask_part:
        with image_part.open("wb") as image_file, mask_part.open("wb") as mask_file:
            for name, crops in sources:
                before = len(sides)
                for crop in crops:
                    if np.count_nonzero(crop.mask & OBJECT) < _LEAST_PIXELS:
                        continue  # a hair's breadth that the resampling swallowed
                    image_file.write(crop.image.tobytes())
                    mask_file.write(crop.mask.tobytes())
                    sides.append(crop.side)
                    places.append(crop.place)
                counts.append(len(sides) - before)
                progress(f"{name}: {counts[-1]} crops")
        total = len(sides)
        if not total:
            raise DataError("No usable object was found; check the annotations and the least area.")
        _prepend_header(image_part, (total, side, side, 3))
        _prepend_header(mask_part, (total, side, side))
    groups = np.repeat(np.arange(len(counts)), counts)
    kept: dict[str, npt.NDArray[Any]] = {
        "groups": groups, "sides": np.array(sides, np.float32), "places": np.array(places, np.int64),
    }  # fmt: skip
    for name, values in kept.items():
        with atomic_write(path / f"{name}.npy") as part, part.open("wb") as file:
            np.save(file, values)
    facts = {"names": [name for name, _ in sources], "counts": counts, "side": side}
    with atomic_write(path / "facts.json") as part:
        part.write_text(json.dumps(facts), encoding="utf-8")
    return CropStore.open(path)


def _prepend_header(path: Path, shape: tuple[int, ...]) -> None:
    """Turn a file of raw uint8 into ``.npy``: the count is known only once every crop is written."""
    raw = path.with_name(path.name + ".raw")
    os.replace(path, raw)
    try:
        with path.open("wb") as target, raw.open("rb") as source:
            header = {"descr": "|u1", "fortran_order": False, "shape": shape}
            np.lib.format.write_array_header_1_0(target, header)
            while chunk := source.read(1 << 24):
                target.write(chunk)
    finally:
        raw.unlink()
