"""What is in a COCO file, and what is wrong with it: everything, not only the first mistake."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import DataError, DextrError
from ..rle import decode_runs, encode_runs, measure
from .dataset import CocoImage, CocoObject, facts_of
from .document import read_text, take_apart
from .images import check_file_name, open_annotated
from .reading import check_belonging, parse_category, parse_image, parse_object

_MOST_PROBLEMS = 200
_SLACK = 1.0  # pixels by which a box may differ from its mask's: tools round differently


@dataclass(eq=False)
class CocoReport:
    """What `validate_coco` found.

    Attributes
    ----------
    path : Path
    images, objects : int
    by_class : dict of str to int
        Objects of each category.
    polygons, rles, boxes_only : int
        Objects with polygons, with run lengths, and with neither.
    crowds : int
    problems : list of str
        A sentence each; beyond two hundred they are only counted.
    found : int
        Number of problems.
    """

    path: Path
    images: int = 0
    objects: int = 0
    by_class: dict[str, int] = field(default_factory=dict)
    polygons: int = 0
    rles: int = 0
    boxes_only: int = 0
    crowds: int = 0
    problems: list[str] = field(default_factory=list)
    found: int = 0

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.found

    def summary(self) -> str:
        """Counts and the number of problems, in a sentence."""
        classes = ", ".join(f"{count} {name}" for name, count in self.by_class.items())
        what = f"{self.objects} objects{f' ({classes})' if classes else ''} in {self.images} images"
        return f"{what}: {'no problems' if self.ok else f'{self.found} problems'}."

    def add(self, problem: object) -> None:
        """Note a problem."""
        self.found += 1
        if len(self.problems) < _MOST_PROBLEMS:
            self.problems.append(str(problem))


def validate_coco(
    path: str | os.PathLike[str], images: str | os.PathLike[str] | None = None, *, deep: bool = True
) -> CocoReport:
    """Check a COCO file.

    Parameters
    ----------
    path : path-like
    images : path-like, optional
        Folder of the images; then each is looked for, and its size compared.
    deep : bool
        Also turn every object into pixels, and compare its area and box with what the file says.

    Raises
    ------
    DataError
        When the file is missing, no complete JSON, or no COCO at all; everything else is a problem in the report.
    """
    file = Path(path)
    report = CocoReport(file)
    listed: dict[int, CocoImage] = {}
    categories: dict[int, str] = {}
    kept: list[tuple[int, int, int]] = []
    waiting: list[tuple[CocoObject, Mapping[str, Any]]] = []
    seen: set[int] = set()

    def note(obj: CocoObject, entry: Mapping[str, Any]) -> None:
        if deep and obj.image_id in listed:
            _check_object(obj, entry, listed[obj.image_id], report)

    for part in take_apart(read_text(file), file.name):
        if not part.entry:
            continue
        try:
            if part.key == "images":
                _add_image(parse_image(part.value, file.name), listed, images, report)
            elif part.key == "categories":
                number, name, _ = parse_category(part.value, file.name)
                if number in categories:
                    raise DataError(f"Two categories have the id {number}.")
                categories[number] = name
            else:
                obj = parse_object(part.value, file.name)
                if obj.id in seen:
                    report.add(f"Two annotations have the id {obj.id}.")
                seen.add(obj.id)
                kept.append((obj.id, obj.image_id, obj.category_id))
                _count(obj, report)
                if obj.image_id in listed:
                    note(obj, part.value)
                else:  # the images may stand after the annotations
                    waiting.append((obj, part.value))
        except DextrError as error:
            report.add(error)
    report.images = len(listed)
    for obj, entry in waiting:
        note(obj, entry)
    for number, image_id, category_id in kept:
        try:
            check_belonging(number, image_id, category_id, listed, categories, file.name)
        except DataError as error:
            report.add(error)
        name = categories.get(category_id, str(category_id))
        report.by_class[name] = report.by_class.get(name, 0) + 1
    return report


def _add_image(
    image: CocoImage, listed: dict[int, CocoImage], folder: str | os.PathLike[str] | None, report: CocoReport
) -> None:
    if image.id in listed:
        report.add(f"Two images have the id {image.id}.")
    listed[image.id] = image
    check_file_name(image.file_name)
    if folder is not None:
        open_annotated(folder, image)


def _count(obj: CocoObject, report: CocoReport) -> None:
    report.objects += 1
    report.crowds += obj.iscrowd
    if not obj.segmentation:
        report.boxes_only += 1
        if obj.bbox is None and not obj.extra.get("extreme_points"):
            report.add(f"Object {obj.id} has neither a segmentation nor a box.")
    elif isinstance(obj.segmentation, list):
        report.polygons += 1
    else:
        report.rles += 1
    if obj.bbox is not None and min(obj.bbox[2:]) < 0:
        report.add(f"Object {obj.id} has a box of negative width or height.")


def _check_object(obj: CocoObject, entry: Mapping[str, Any], image: CocoImage, report: CocoReport) -> None:
    shape = (image.height, image.width)
    try:
        facts_of(entry)
        if not obj.segmentation:
            return
        runs = decode_runs(obj.segmentation, shape)
    except DataError as error:
        report.add(f"Object {obj.id}: {error}")
        return
    if not len(runs):
        report.add(f"Object {obj.id} has no pixels.")
        return
    true = measure(encode_runs(runs, shape))
    if obj.bbox is not None:
        x, y, width, height = obj.bbox
        tx, ty, true_width, true_height = true["bbox"]
        off = max(abs(x - tx), abs(y - ty), abs(x + width - tx - true_width), abs(y + height - ty - true_height))
        if off > _SLACK + 0.02 * max(true_width, true_height):
            report.add(f"The box of object {obj.id} is off by {off:g} pixels from its mask's.")
    area = entry.get("area")
    exact = isinstance(obj.segmentation, dict)  # the area of polygons is often that of the outline
    slack = 0.5 if exact else 0.1 * true["area"] + 8
    if isinstance(area, (int, float)) and not true["area"] - slack <= area <= true["area"] + slack:
        report.add(f"Object {obj.id} has {true['area']:g} pixels, but the file says {str(area)[:40]}.")
