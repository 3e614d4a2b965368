"""Images of a COCO file with their objects."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..coco import CocoDataset, CocoImage, CocoObject, find_image, open_annotated
from ..errors import DataError
from ..image import ImagePlane, as_plane
from ..prompt import Region
from .annotated import AnnotatedImage, Annotation, Going, Mask, Rules, Unknown, file_key


class CocoPlane(AnnotatedImage):
    """An image of a COCO file. Crowds are no objects; their pixels count neither for nor against the others.

    Parameters
    ----------
    data : CocoDataset
    image : CocoImage
    folder : path
        Of the images.
    rules : Rules
    """

    hint = " To train without such images, set skip_unreadable."

    def __init__(self, data: CocoDataset, image: CocoImage, folder: Path, rules: Rules) -> None:
        self.name, self.rules = image.file_name, rules
        self.shape = image.height, image.width
        self.left_out = {}
        self._data, self._image, self._folder = data, image, folder
        self.key: Hashable = self._place()

    def objects(self, going: Going = lambda: True) -> Sequence[Annotation]:
        objects = self._data.objects_of(self._image.id)
        self.left_out = {
            "marking crowds": sum(obj.iscrowd for obj in objects),
            "without a mask": sum(not obj.iscrowd and not obj.segmentation for obj in objects),
        }
        usable = [obj for obj in objects if not obj.iscrowd and obj.segmentation]
        often = Counter(_label_of(obj) for obj in usable)
        return [self._annotation(obj, once=often[_label_of(obj)] == 1) for obj in usable]

    def plane(self) -> ImagePlane:
        return as_plane(open_annotated(self._folder, self._image))

    def unknown(self) -> Unknown:
        objects = self._data.objects_of(self._image.id)
        by_id = {obj.id: obj for obj in objects}
        masks = [self._data.mask(obj) for obj in objects if obj.iscrowd and obj.segmentation]
        crowd = np.logical_or.reduce(masks) if masks else None

        def tell(annotation: Annotation, region: Region, mask: Mask) -> Any | None:
            own = self._data.ignore_mask(by_id[annotation.label])
            if crowd is None:
                return own
            beside = crowd.copy()
            beside[region] &= ~mask  # a crowd that overlaps an object does not undo it
            return beside if own is None else own | beside

        return tell

    def lack(self) -> str | None:
        try:
            find_image(self._folder, self._image)
        except DataError as error:
            return None if self._image.source is not None else str(error)
        return None

    @property
    def stack(self) -> tuple[str, tuple[int, ...]] | None:
        """Of which stack it is a plane, and where there; None where the file does not say so."""
        source, place = self._image.source, self._image.plane
        return None if source is None or not place else (source, place)

    def _annotation(self, obj: CocoObject, *, once: bool) -> Annotation:
        try:
            facts = self._data.facts(obj)
        except DataError:
            facts = None  # a record that makes no sense says nothing about the mask
        kind = self._data.categories.get(obj.category_id, "")
        return Annotation(obj.id, lambda: self._data.cut(obj), kind, facts, _label_of(obj) if once else None)

    def _place(self) -> Hashable:
        """Where the pixels are: a file, or a plane of one."""
        name = self._image.file_name
        plane: tuple[int, ...] = ()
        if self._image.source is not None and not (self._folder / name).exists():
            name, plane = self._image.source, self._image.plane
        return file_key(self._folder / name, plane)


def _label_of(obj: CocoObject) -> int | None:
    """Label of an object in the layer that was exported: ids are new on each plane."""
    label = obj.record.get("label")
    return label if type(label) is int else None
