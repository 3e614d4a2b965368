"""Crop stores: objects of data sets, cut out once with their surroundings and kept small on disk.

Training then never decodes a photograph again. A store is a folder of plain ``.npy`` files that are memory-mapped:
``images`` ``(N, P, P, 3)`` uint8, ``masks`` ``(N, P, P)`` uint8 flags, ``groups`` ``(N,)`` and ``facts.json``.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from ..coco import open_annotated, read_coco
from ..errors import DataError
from ..files import atomic_write, make_folder
from ..frame import Frame
from ..image import ImagePlane, as_plane
from ..simulation import box_of, outline

OBJECT, IGNORE, OUTSIDE = 1, 2, 4
"""Flags of a store's masks: object, pixels without a true label, pixels beyond the image."""

SURROUNDINGS = 0.5
"""Margin kept on each side of an object, as a share of its longer side."""

_LEAST_PIXELS = 16  # of an object on its crop

Progress = Callable[[str], None]


@dataclass(frozen=True, eq=False)
class Crop:
    """One object with its surroundings: ``(P, P, 3)`` uint8 and ``(P, P)`` uint8 flags."""

    image: npt.NDArray[np.uint8]
    mask: npt.NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class CropStore:
    """Crops of one or several data sets, memory-mapped; group ``g`` is named ``names[g]``."""

    images: npt.NDArray[np.uint8]
    masks: npt.NDArray[np.uint8]
    groups: npt.NDArray[np.int64]
    names: tuple[str, ...]

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
        except (OSError, ValueError) as error:
            raise DataError(f"'{path}' is not a complete crop store ({error}); build it again.") from None
        return cls(arrays["images"], arrays["masks"], np.array(arrays["groups"], np.int64), tuple(facts["names"]))


def cut(plane: ImagePlane, mask: Any, ignore: Any | None, side: int) -> Crop:
    """Cut one object out of a plane, with `SURROUNDINGS`, at the scale where the crop has ``side`` pixels.

    Parameters
    ----------
    plane : ImagePlane
    mask, ignore : (H, W) bool
    side : int
        P, pixels. The aspect ratio is kept.
    """
    frame = Frame.around(box_of(outline(mask)), side, plane.shape, margin=SURROUNDINGS, least=2.0, stretch=1.0)
    pixels, inside = frame.read(plane)
    whole = (slice(0, plane.shape[0]), slice(0, plane.shape[1]))
    flags = torch.where(frame.read_mask(mask, whole) > 0.5, OBJECT, 0)
    if ignore is not None:
        flags += torch.where(frame.read_mask(ignore, whole) > 0.5, IGNORE, 0)
    flags += torch.where(inside, 0, OUTSIDE)
    image = pixels.clamp(0, 255).round().to(torch.uint8).permute(1, 2, 0)
    return Crop(np.ascontiguousarray(image.numpy()), flags.to(torch.uint8).numpy())


def coco_crops(
    annotations: str | os.PathLike[str],
    images: str | os.PathLike[str],
    side: int,
    *,
    least_area: int = 60,
    most_per_image: int | None = None,
    seed: int = 0,
) -> Iterator[Crop]:
    """Crops of the objects of a COCO file; crowds and objects under ``least_area`` pixels are left out."""
    data = read_coco(annotations)
    rng = np.random.default_rng(seed)
    for image, objects in data.by_image():
        chosen = [obj for obj in objects if not obj.iscrowd]
        if most_per_image is not None and len(chosen) > most_per_image:
            chosen = [chosen[int(i)] for i in rng.choice(len(chosen), most_per_image, replace=False)]
        plane: ImagePlane | None = None
        for obj in chosen:
            mask = data.mask(obj)
            if mask.sum() < least_area:
                continue
            plane = plane or as_plane(open_annotated(images, image))
            yield cut(plane, mask, data.ignore_mask(obj), side)


def write_store(
    folder: str | os.PathLike[str],
    sources: Sequence[tuple[str, Iterable[Crop]]],
    side: int,
    progress: Progress = lambda _message: None,
) -> CropStore:
    """Write the crops of named sources into a store; ``facts.json`` is written last and makes it complete."""
    path = make_folder(folder)
    counts: list[int] = []
    with atomic_write(path / "images.npy") as image_part, atomic_write(path / "masks.npy") as mask_part:
        with image_part.open("wb") as image_file, mask_part.open("wb") as mask_file:
            for name, crops in sources:
                count = 0
                for crop in crops:
                    if np.count_nonzero(crop.mask & OBJECT) < _LEAST_PIXELS:
                        continue  # a hair's breadth that the resampling swallowed
                    image_file.write(crop.image.tobytes())
                    mask_file.write(crop.mask.tobytes())
                    count += 1
                counts.append(count)
                progress(f"{name}: {count} crops")
        total = sum(counts)
        if not total:
            raise DataError("No usable object was found; check the annotations and the least area.")
        _prepend_header(image_part, (total, side, side, 3))
        _prepend_header(mask_part, (total, side, side))
    groups = np.repeat(np.arange(len(counts)), counts)
    with atomic_write(path / "groups.npy") as part, part.open("wb") as file:
        np.save(file, groups)
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
