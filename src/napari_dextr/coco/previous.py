"""The file that an export goes into: its entries with their text, and which object stands where."""

from __future__ import annotations

import json
from array import array
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import DataError
from ..file_names import forward_slashes
from .dataset import CocoImage
from .document import read_text, take_apart
from .reading import check_belonging, parse_category, parse_image, parse_object

Key = tuple[int, str, str, int]
"""Image id, layer, author and label: what two annotations of the same object have in common."""

_READ = json.JSONDecoder().raw_decode


@dataclass(eq=False)
class Previous:
    """A COCO file, or nothing where a new one begins.

    Attributes
    ----------
    text : str
        The whole file.
    head : list of (key, start, stop)
        Top-level keys in their order; for the lists `images`, `annotations` and `categories` without a place.
    images : dict of str to (index, CocoImage)
        By file name; the first where a name stands twice.
    image_spans, category_spans : list of (start, stop)
        Where the text of each entry lies.
    categories : list of (id, name)
    starts, stops : array of int
        Where the text of each annotation lies.
    image_ids : array of int
        Image of each annotation.
    ids : dict of int to int
        Index of the annotation with an id.
    keys : dict of Key to tuple of int
        Indices of the objects that this project wrote; several where sessions have counted from 1 each.
    """

    text: str = ""
    head: list[tuple[str, int, int]] = field(default_factory=list)
    images: dict[str, tuple[int, CocoImage]] = field(default_factory=dict)
    image_spans: list[tuple[int, int]] = field(default_factory=list)
    categories: list[tuple[int, str]] = field(default_factory=list)
    category_spans: list[tuple[int, int]] = field(default_factory=list)
    starts: array[int] = field(default_factory=lambda: array("q"))
    stops: array[int] = field(default_factory=lambda: array("q"))
    image_ids: array[int] = field(default_factory=lambda: array("q"))
    ids: dict[int, int] = field(default_factory=dict)
    keys: dict[Key, tuple[int, ...]] = field(default_factory=dict)
    last_image: int = 0

    @classmethod
    def read(cls, path: Path) -> Previous:
        """Read a file that will be merged into.

        Raises
        ------
        DataError
            When it is no COCO file, or inconsistent: nobody should add to a file that is broken.
        """
        found = cls(read_text(path))
        name = path.name
        images: dict[int, CocoImage] = {}
        belongs = []
        for part in take_apart(found.text, name):
            if not part.entry:
                found.head.append((part.key, part.start, part.stop))
            elif part.key == "images":
                image = parse_image(part.value, name)
                if image.id in images:
                    raise DataError(f"'{name}' holds two images with id {image.id}; ids must differ.")
                images[image.id] = image
                found.images.setdefault(forward_slashes(image.file_name), (len(found.image_spans), image))
                found.image_spans.append((part.start, part.stop))
            elif part.key == "categories":
                number, title, _ = parse_category(part.value, name)
                found.categories.append((number, title))
                found.category_spans.append((part.start, part.stop))
            else:
                belongs.append(found._add_annotation(part.value, part.start, part.stop, name))
        found.last_image = max(images, default=0)
        categories = dict(found.categories)
        for obj_id, image_id, category_id in belongs:
            check_belonging(obj_id, image_id, category_id, images, categories, name)
        return found

    def _add_annotation(self, value: Any, start: int, stop: int, name: str) -> tuple[int, int, int]:
        obj = parse_object(value, name)
        if obj.id in self.ids:
            raise DataError(f"'{name}' holds two annotations with one id, {obj.id}; ids must differ.")
        index = len(self.starts)
        self.ids[obj.id] = index
        self.starts.append(start)
        self.stops.append(stop)
        self.image_ids.append(obj.image_id)
        key = key_of(obj.image_id, obj.record)
        if key is not None:
            self.keys[key] = (*self.keys.get(key, ()), index)
        return obj.id, obj.image_id, obj.category_id

    def annotation(self, index: int) -> dict[str, Any]:
        """The annotation at an index."""
        value: dict[str, Any] = self.value(self.starts[index])
        return value

    def entry(self, span: tuple[int, int]) -> dict[str, Any]:
        """The entry whose text lies at a place."""
        value: dict[str, Any] = self.value(span[0])
        return value

    def value(self, start: int) -> Any:
        """The value whose text starts at a place."""
        return _READ(self.text, start)[0]


def key_of(image_id: int, record: Mapping[str, Any]) -> Key | None:
    """Key of an object by what this project wrote about it; None for objects of others."""
    label = record.get("label")
    if type(label) is not int:
        return None
    return image_id, str(record.get("layer") or ""), str(record.get("author") or ""), label
