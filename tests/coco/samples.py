"""A small COCO file, whole or with mistakes."""

from __future__ import annotations

import numpy as np

from napari_dextr.rle import encode


def document(**changes) -> dict:
    """A small valid file: one square with an ignored border."""
    square = np.zeros((8, 10), bool)
    square[2:6, 2:6] = True
    base = {
        "images": [{"id": 7, "file_name": "a.png", "height": 8, "width": 10}],
        "annotations": [
            {
                "id": 1,
                "image_id": 7,
                "category_id": 2,
                "segmentation": encode(square),
                "bbox": [2, 2, 4, 4],
                "area": 16,
                "iscrowd": 0,
                "ignore_segmentation": encode(~square),
            }
        ],
        "categories": [{"id": 2, "name": "cell"}],
    }
    return {**base, **changes}


def with_value(part: str, key: str, value) -> dict:
    """That file with one value changed."""
    base = document()
    base[part][0][key] = value
    return base


def without(part: str, key: str) -> dict:
    """That file with one key missing."""
    base = document()
    del base[part][0][key]
    return base
