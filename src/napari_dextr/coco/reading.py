"""Reading COCO files, with checks."""

from __future__ import annotations

import math
import os
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..errors import DataError
from ..objects import NAMESPACE, ObjectClass
from .dataset import CocoDataset, CocoImage, CocoObject
from .document import read_text, take_apart
from .images import bare_name

_IMAGE_KEYS = ("id", "file_name", "height", "width")
_AT_ONCE = 1000  # entries that are read in less time than a viewer may stand still
_TOO_LARGE = 2**63
_LEAST_NUMBERS = 6  # of a polygon: three points
_OBJECT_KEYS = ("id", "image_id", "category_id", "segmentation", "bbox", "iscrowd")


def read_coco(path: str | os.PathLike[str], going: Callable[[], object] = lambda: None) -> CocoDataset:
    """Read a COCO annotation file (instances).

    Parameters
    ----------
    path : path-like
        JSON file with ``images`` and ``annotations``; ``categories`` may be missing.
    going : callable
        Called again and again; what it raises ends the reading.

    Raises
    ------
    DataError
        When the file is missing, cut short, not COCO, or inconsistent.
    """
    path = Path(path)
    images: dict[int, CocoImage] = {}
    objects: list[CocoObject] = []
    seen: set[int] = set()
    categories: dict[int, str] = {}
    colours: dict[int, str] = {}
    for count, part in enumerate(take_apart(read_text(path), path.name)):
        if count % _AT_ONCE == 0:
            going()
        if not part.entry:
            continue
        if part.key == "images":
            image = parse_image(part.value, path.name)
            if image.id in images:
                raise DataError(f"'{path.name}' holds two images with id {image.id}; ids must differ.")
            images[image.id] = image
        elif part.key == "annotations":
            obj = parse_object(part.value, path.name)
            if obj.id in seen:
                raise DataError(f"'{path.name}' holds two annotations with one id, {obj.id}; ids must differ.")
            seen.add(obj.id)
            objects.append(obj)
        else:
            number, name, colour = parse_category(part.value, path.name)
            if number in categories:
                raise DataError(f"'{path.name}' holds two categories with id {number}; ids must differ.")
            categories[number] = name
            if colour is not None:
                colours[number] = colour
    for obj in objects:
        check_belonging(obj.id, obj.image_id, obj.category_id, images, categories, path.name)
    bare = Counter(bare_name(image.file_name) for image in images.values())
    for number, image in images.items():
        if bare[bare_name(image.file_name)] > 1:
            images[number] = replace(image, bare=False)
    return CocoDataset(images, objects, categories, path, colours)


def check_belonging(
    number: int,
    image_id: int,
    category_id: int,
    images: Mapping[int, object],
    categories: Mapping[int, object],
    name: str,
) -> None:
    """Raise `DataError` unless a file lists the image of an object, and its category where it lists any."""
    if image_id not in images:
        raise DataError(f"Object {number} of '{name}' belongs to image {image_id}, which the file does not list.")
    if categories and category_id not in categories:
        raise DataError(
            f"Object {number} of '{name}' has category {category_id}, which is missing from the file's categories."
        )


def parse_image(entry: Any, name: str) -> CocoImage:
    """An entry of ``images``; raises `DataError` where it is none."""
    if not isinstance(entry, dict):
        raise DataError(f"'{name}' holds an image entry that is not an object in braces.")
    try:
        image = CocoImage(
            id=whole(entry["id"]),
            file_name=str(entry["file_name"]),
            height=whole(entry["height"]),
            width=whole(entry["width"]),
            extra={key: value for key, value in entry.items() if key not in _IMAGE_KEYS},
        )
    except KeyError as error:
        raise DataError(f"An image of '{name}' (id {entry.get('id')}) lacks the key {error}.") from None
    except (TypeError, ValueError, OverflowError):
        raise DataError(f"An image of '{name}' has an id, height or width that is not a whole number.") from None
    if min(image.height, image.width) < 1:
        raise DataError(
            f"Image {image.id} of '{name}' is {image.height} x {image.width} pixels; both must be positive."
        )
    return image


def parse_object(entry: Any, name: str) -> CocoObject:
    """An entry of ``annotations``; raises `DataError` where it is none."""
    if not isinstance(entry, dict):
        raise DataError(f"'{name}' holds an annotation that is not an object in braces.")
    try:
        bbox = entry.get("bbox") or None
        return CocoObject(
            id=whole(entry["id"]),
            image_id=whole(entry["image_id"]),
            category_id=whole(entry["category_id"]),
            segmentation=_segmentation(entry.get("segmentation")),
            bbox=None if bbox is None else _bbox(bbox),
            iscrowd=bool(entry.get("iscrowd", 0)),
            extra={key: value for key, value in entry.items() if key not in _OBJECT_KEYS},
        )
    except KeyError as error:
        raise DataError(f"An annotation of '{name}' (id {entry.get('id')}) lacks the key {error}.") from None
    except (TypeError, ValueError, OverflowError):
        raise DataError(
            f"Annotation {entry.get('id')} of '{name}' has an id that is not a whole number "
            "or a bbox that is not four numbers."
        ) from None


def parse_category(entry: Any, name: str) -> tuple[int, str, str | None]:
    """Number, name and colour (``"#rrggbb"`` or None) of an entry of ``categories``; raises `DataError`."""
    try:
        number, title = whole(entry["id"]), str(entry["name"])
    except (KeyError, TypeError, ValueError, OverflowError):
        raise DataError(f"The categories of '{name}' need a whole number 'id' and a 'name' each.") from None
    return number, title, _colour(entry)


def whole(value: Any) -> int:
    """A whole number of up to 63 bits, however JSON writes it; raises `ValueError`, `TypeError` or `OverflowError`."""
    if isinstance(value, str):
        try:
            value = int(value)  # exactly: a float holds no more than 53 bits
        except ValueError:
            value = float(value)
    number = value if type(value) is int else float(value)
    if number != number or abs(number) >= _TOO_LARGE or int(number) != number:
        raise ValueError("no whole number")
    return int(number)


def _colour(entry: dict[str, Any]) -> str | None:
    """Our own record, or the key ``color`` of panoptic COCO: red, green and blue in 0..255."""
    ours = entry.get(NAMESPACE)
    try:
        if isinstance(ours, dict):
            return ObjectClass(1, "any", ours["colour"]).colour
        red, green, blue = (whole(value) for value in entry["color"])
        return ObjectClass(1, "any", f"#{red:02x}{green:02x}{blue:02x}").colour
    except (KeyError, TypeError, ValueError):  # a colour is no reason to refuse a file; DataError is a ValueError
        return None


def _segmentation(value: Any) -> Any:
    """A segmentation without polygons that enclose nothing: some exporters write ``[[]]`` where there is only a box."""
    if not isinstance(value, list) or not all(isinstance(part, list) for part in value):
        return value
    return [part for part in value if len(part) >= _LEAST_NUMBERS] or None


def _bbox(values: Any) -> tuple[float, float, float, float]:
    x, y, width, height = (float(value) for value in values)
    if not all(map(math.isfinite, (x, y, width, height))):
        raise ValueError(values)
    return x, y, width, height
