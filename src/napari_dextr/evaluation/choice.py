"""Which objects of a COCO file are evaluated: the same ones for every prompt, model and baseline."""

from __future__ import annotations

import numpy as np

from ..coco import CocoDataset, CocoImage, CocoObject
from ..errors import DataError
from .settings import Settings


def choose_objects(dataset: CocoDataset, settings: Settings) -> list[tuple[CocoImage, list[CocoObject]]]:
    """Images with the objects to evaluate on them, in the order of the file.

    Crowds and objects without pixels are left out, then too small ones; of the rest as many are drawn as the settings
    allow.

    Raises
    ------
    DataError
        When no object is left.
    """
    rng = np.random.default_rng(settings.seed)
    images: dict[int, CocoImage] = {}
    kept: list[CocoObject] = []
    for image, objects in dataset.by_image():
        images[image.id] = image
        least = max(1.0, settings.least_area)
        fitting = [obj for obj in objects if not obj.iscrowd and obj.segmentation and _area(dataset, obj) >= least]
        kept += _draw(fitting, settings.most_per_image, rng)
    if not kept:
        raise DataError(
            f"'{dataset.path.name}' holds no object to evaluate on: each needs a mask of at least "
            f"{max(1.0, settings.least_area):g} pixels; annotate some, or lower the least area."
        )
    grouped: dict[int, list[CocoObject]] = {}
    for obj in _draw(kept, settings.most, rng):
        grouped.setdefault(obj.image_id, []).append(obj)
    return [(images[image_id], objects) for image_id, objects in grouped.items()]


def _draw(objects: list[CocoObject], count: int | None, rng: np.random.Generator) -> list[CocoObject]:
    if count is None or len(objects) <= count:
        return objects
    return [objects[i] for i in sorted(rng.choice(len(objects), count, replace=False))]


def _area(dataset: CocoDataset, obj: CocoObject) -> float:
    area = obj.extra.get("area")
    if isinstance(area, (int, float)) and not isinstance(area, bool) and area >= 1:  # some tools write 0 for unknown
        return float(area)
    try:
        return float(np.count_nonzero(dataset.mask(obj)))
    except DataError:  # of a mask that cannot be understood
        return 0.0
