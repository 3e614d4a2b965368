"""COCO documents as dictionaries: joined, and written at once."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import Any

from ..files import atomic_write
from .assembly import to_json


def merge_coco(documents: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """One COCO document from several: images and annotations are numbered anew from 1, categories joined by name."""
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    numbers: dict[str, int] = {}
    for document in documents:
        image_ids = {}
        for image in document["images"]:
            image_ids[image["id"]] = len(images) + 1
            images.append({**image, "id": len(images) + 1})
        category_ids = {
            entry["id"]: numbers.setdefault(entry["name"], len(numbers) + 1) for entry in document["categories"]
        }
        for entry in document["annotations"]:
            moved = {"image_id": image_ids[entry["image_id"]], "category_id": category_ids[entry["category_id"]]}
            annotations.append({**entry, **moved, "id": len(annotations) + 1})
    return {
        "images": images,
        "annotations": annotations,
        "categories": [{"id": number, "name": name} for name, number in numbers.items()],
    }


def write_coco(path: str | os.PathLike[str], document: Mapping[str, Any]) -> None:
    """Write a COCO document as JSON, completely or not at all.

    Raises
    ------
    OutputError
        When the file cannot be written.
    DataError
        When the document holds something JSON has no form for (NaN, for one).
    """
    text = to_json(document)
    with atomic_write(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
