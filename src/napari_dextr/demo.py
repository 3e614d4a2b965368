"""The main job on photographs that everybody has: they come inside scikit-image, so nothing is downloaded."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ._overlay import draw_overlay
from .coco import labels_to_coco, merge_coco, write_coco
from .files import make_folder
from .mask_file import write_image
from .prompt import Prompt

if TYPE_CHECKING:
    from .segmenter import Segmentation, Segmenter


@dataclass(frozen=True)
class DemoObject:
    """An object and its extreme points (row, col): topmost, leftmost, bottommost, rightmost."""

    name: str
    points: tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class DemoPhoto:
    """A photograph of `skimage.data` and objects on it, those behind first."""

    name: str
    objects: tuple[DemoObject, ...]

    def read(self) -> npt.NDArray[np.uint8]:
        """``(H, W)`` or ``(H, W, 3)`` pixels."""
        import skimage.data

        return np.asarray(getattr(skimage.data, self.name)(), dtype=np.uint8)


PHOTOS = (
    DemoPhoto(
        "astronaut",
        (
            DemoObject("astronaut", ((15.5, 235), (392, 19), (511, 200), (349, 364))),
            DemoObject("helmet", ((343, 400), (475, 276.5), (511, 400), (490, 511))),
            DemoObject("mission patch", ((348, 170.5), (384, 133.5), (422.5, 170), (383, 207.5))),
            DemoObject("space shuttle", ((0, 417), (222, 354), (273, 369), (262, 460))),
        ),
    ),
    DemoPhoto(
        "coffee",
        (
            DemoObject("saucer", ((69, 178), (215, 76), (389.5, 295), (225, 479))),
            DemoObject("spoon", ((240, 365), (285, 327), (325, 360), (285, 406))),
        ),
    ),
    DemoPhoto(
        "coins",
        (
            DemoObject("coin, top right", ((15.5, 334), (43, 305), (71.5, 334), (43, 364))),
            DemoObject("coin with a helmet", ((172, 274), (194, 250.5), (216.5, 282), (195, 296.5))),
            DemoObject("coin, bottom left", ((233, 48), (260, 18.5), (288, 46.5), (258, 74))),
        ),
    ),
)
"""What the demo segments. The points were clicked by hand."""


@dataclass(frozen=True)
class DemoResult:
    """One segmented object: time in milliseconds, area in pixels, predicted IoU or None."""

    photo: str
    name: str
    milliseconds: float
    area: int
    score: float | None


@dataclass(frozen=True)
class DemoReport:
    """What the demo made: results in order, and the files it wrote."""

    folder: Path
    results: list[DemoResult]
    files: list[Path]

    def to_json(self) -> dict[str, Any]:
        """Everything as plain values for `json.dump`."""
        return {
            "folder": str(self.folder),
            "objects": [vars(result) for result in self.results],
            "files": [str(file) for file in self.files],
        }


def run_demo(
    model: Segmenter,
    folder: str | os.PathLike[str],
    photos: Sequence[DemoPhoto] = PHOTOS,
    progress: Callable[[int, int], object] | None = None,
) -> DemoReport:
    """Segment objects of photographs and write labels (TIFF), an overlay (PNG) each, and one COCO file.

    Parameters
    ----------
    model : Segmenter
    folder : path-like
        Made if it does not exist; files of the same names in it are replaced.
    photos : sequence of DemoPhoto, optional
    progress : callable, optional
        Called with (objects done, objects in all).

    Raises
    ------
    OutputError
        When a file cannot be written.
    """
    out = make_folder(folder)
    results: list[DemoResult] = []
    files: list[Path] = []
    documents = []
    total = sum(len(photo.objects) for photo in photos)
    for photo in photos:
        image = photo.read()
        segmentations: list[Segmentation] = []
        for item in photo.objects:
            prompt = Prompt.extreme(item.points)
            if not results:
                model.segment(image, prompt)  # the first call prepares the network; it is no measure of a click
            result = model.segment(image, prompt)
            area = int(np.count_nonzero(result.mask))
            segmentations.append(result)
            results.append(DemoResult(photo.name, item.name, result.seconds * 1e3, area, result.score))
            if progress is not None:
                progress(len(results), total)
        labels = _labels(segmentations)
        files += _write_pictures(out, photo, image, labels, segmentations)
        documents.append(_annotations(photo, labels, segmentations))
    files.append(out / "annotations.json")
    write_coco(files[-1], merge_coco(documents))
    return DemoReport(out, results, files)


def _labels(segmentations: Sequence[Segmentation]) -> npt.NDArray[np.uint16]:
    labels = np.zeros(segmentations[0].shape, dtype=np.uint16)
    for number, result in enumerate(segmentations, start=1):
        labels[result.region][result.mask] = number
    return labels


def _write_pictures(
    out: Path,
    photo: DemoPhoto,
    image: npt.NDArray[np.uint8],
    labels: npt.NDArray[np.uint16],
    segmentations: Sequence[Segmentation],
) -> list[Path]:
    files = [out / f"{photo.name}.png", out / f"{photo.name}_labels.tif", out / f"{photo.name}_overlay.png"]
    write_image(files[0], image)
    write_image(files[1], labels)
    overlay = draw_overlay(
        image,
        [labels == number for number in range(1, len(segmentations) + 1)],
        [result.prompt.extreme_points for result in segmentations],
        [item.name for item in photo.objects],
    )
    write_image(files[2], overlay)
    return files


def _annotations(
    photo: DemoPhoto, labels: npt.NDArray[np.uint16], segmentations: Sequence[Segmentation]
) -> dict[str, Any]:
    names = {number: item.name for number, item in enumerate(photo.objects, start=1)}
    facts = {
        number: {
            "score": result.score,
            "extreme_points": [[float(col), float(row)] for row, col in result.prompt.extreme_points],  # x, y
        }
        for number, result in enumerate(segmentations, start=1)
    }
    return labels_to_coco(
        labels,
        f"{photo.name}.png",
        categories=names,
        category_of={number: number for number in names},
        facts=facts,
    )
