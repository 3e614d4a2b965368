"""The objects of a COCO file as layers: Labels with the record of the objects, Points of marks, Shapes of boxes."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ..coco import CocoDataset, CocoImage, ReadLabels, read_labels
from ..errors import DataError
from ..file_names import forward_slashes
from ..objects import ObjectFacts
from .click_layer import STYLES
from .coco_pictures import Group
from .object_table import KEY, show

LayerData = tuple[Any, dict[str, Any], str]


@dataclass(eq=False)
class _Drawn:
    """One Labels layer while it is filled: a label means one object, on however many planes of a stack it lies."""

    data: npt.NDArray[Any]
    facts: dict[int, ObjectFacts] = field(default_factory=dict)
    ids: dict[str, dict[int, int]] = field(default_factory=dict)
    areas: dict[int, int] = field(default_factory=dict)
    numbers: dict[tuple[int, ObjectFacts], int] = field(default_factory=dict)  # label and facts in a stack -> its own
    spare: int = 1

    def number(self, plane: Mapping[int, ObjectFacts], *, stack: bool) -> dict[int, int]:
        """Labels here for the labels of a plane: their own, or a free one where that is another object's.

        In a stack a label is one object on several planes if its marks lie on one of them and all the rest agrees.
        Where it does not, sessions have counted from 1, each on a plane of its own.
        """
        given = {}
        for label, facts in plane.items():
            bare = replace(facts, marks=(), box=None, plane=())
            number = self.numbers.get((label, bare))
            if number is None or (_marked(facts) and _marked(self.facts[number])):
                number = label if label not in self.facts else self._free(plane)
            if stack:
                self.numbers[label, bare] = number
            given[label] = number
        return given

    def _free(self, plane: Mapping[int, ObjectFacts]) -> int:
        while self.spare in self.facts or self.spare in plane:
            self.spare += 1
        self.spare += 1
        return self.spare - 1


class LabelLayers:
    """The Labels layers of a group of pictures.

    Objects that overlap lie in a second layer, a third, …, so that none covers another; crowds lie in a layer of
    their own, which is not shown at first.

    Parameters
    ----------
    dataset : CocoDataset
    group : Group
    """

    def __init__(self, dataset: CocoDataset, group: Group) -> None:
        self._dataset = dataset
        self._group = group
        self._drawn: dict[tuple[str, int, bool], _Drawn] = {}

    def add(self, index: tuple[int, ...], boxed: Collection[int], problems: list[str]) -> None:
        """Draw the objects of one picture; ``problems`` gets a sentence for each that cannot be read."""
        image = self._group.planes[index]
        levels: dict[str, int] = {}
        for read in read_labels(self._dataset, image.id, problems=problems):
            level = levels[read.layer] = levels.get(read.layer, -1) + 1
            single = frozenset(read.facts) - read.crowds
            crowds, labels = read.labels, read.labels
            if read.crowds and single:
                crowds = np.where(np.isin(read.labels, list(read.crowds)), read.labels, 0)
                labels = np.where(crowds == 0, read.labels, 0)
            if read.crowds:
                self._draw((read.layer, level, True), index, image, read, crowds, read.crowds)
            if single:
                self._draw((read.layer, level, False), index, image, read, labels, single)

    def pictures(self) -> list[dict[str, Any]]:
        """What the file calls the picture of each plane, for the metadata of layers."""
        return [
            {
                "index": list(index),
                "file_name": forward_slashes(image.file_name),
                "stack": image.source,
                "height": image.height,
                "width": image.width,
            }
            for index, image in self._group.planes.items()
        ]

    def marks(self) -> Iterator[tuple[int, ObjectFacts]]:
        """Label and facts of every object that was made with marks."""
        for drawn in self._drawn.values():
            yield from ((label, facts) for label, facts in drawn.facts.items() if facts.marks)

    @property
    def group(self) -> Group:
        """The pictures."""
        return self._group

    def layers(self, place: Mapping[str, Any]) -> list[LayerData]:
        """The layers; an empty one where there are no objects, so that work can begin."""
        from napari.layers import Labels

        if not any(not crowd for _, _, crowd in self._drawn):
            self._drawn["", 0, False] = _Drawn(self._empty())
        classes = self._dataset.classes
        made = []
        for (name, level, crowd), drawn in sorted(self._drawn.items(), key=lambda item: (item[0][2], item[0])):
            title = (name or f"{self._group.name} labels") + (f" ({level + 1})" if level else "")
            layer = Labels(drawn.data, name=f"{title} crowds" if crowd else title, visible=not crowd, **place)
            coco = {
                "file": str(self._dataset.path.resolve()),
                "images": self.pictures(),
                "ids": drawn.ids,
                "crowds": sorted(drawn.facts) if crowd else [],
            }
            layer.metadata = {
                KEY: {
                    "objects": {label: facts.to_json() for label, facts in drawn.facts.items()},
                    "classes": [entry.to_json() for entry in classes],
                    "coco": coco,
                }
            }
            show(layer, drawn.facts, classes, drawn.areas)
            made.append(layer.as_layer_data_tuple())
        return made

    def _draw(
        self,
        key: tuple[str, int, bool],
        index: tuple[int, ...],
        image: CocoImage,
        read: ReadLabels,
        labels: npt.NDArray[Any],
        wanted: Collection[int],
    ) -> None:
        drawn = self._drawn.get(key)
        if drawn is None:
            drawn = self._drawn[key] = _Drawn(self._empty())
        given = drawn.number({label: read.facts[label] for label in sorted(wanted)}, stack=bool(self._group.axes))
        kept = np.iinfo(drawn.data.dtype)
        if max(given.values()) > kept.max or min(given.values()) < kept.min:
            drawn.data = drawn.data.astype(np.int32)
        height, width = labels.shape
        pixels = labels != 0  # the rest stays untouched, and so takes neither memory nor time
        drawn.data[index][:height, :width][pixels] = _renumbered(labels[pixels], given)
        for label, number in given.items():
            drawn.areas[number] = drawn.areas.get(number, 0) + read.areas[label]
            facts = replace(read.facts[label], plane=index)
            if number not in drawn.facts or _marked(facts):
                drawn.facts[number] = facts
        drawn.ids[forward_slashes(image.file_name)] = {number: read.ids[label] for label, number in given.items()}

    def _empty(self) -> npt.NDArray[Any]:
        try:
            return np.zeros(self._group.shape, np.uint16)
        except (MemoryError, ValueError):
            shape = " x ".join(map(str, self._group.shape))
            raise DataError(
                f"There is not enough memory for the labels of '{self._dataset.path.name}' ({shape} pixels); split the "
                "file into smaller ones."
            ) from None


def _marked(facts: ObjectFacts) -> bool:
    return bool(facts.marks) or facts.box is not None


def _renumbered(labels: npt.NDArray[Any], given: Mapping[int, int]) -> npt.NDArray[Any]:
    """Labels with other numbers; 0 stays."""
    if all(label == number for label, number in given.items()):
        return labels
    before = np.array(sorted([0, *given]), np.int64)
    after = np.array([given.get(int(label), 0) for label in before], np.int64)
    renumbered: npt.NDArray[Any] = after[np.searchsorted(before, labels)]
    return renumbered


def mark_layer(labels: LabelLayers, place: Mapping[str, Any]) -> list[LayerData]:
    """A Points layer with the marks of all objects, none where there are none."""
    points, kinds, owners = [], [], []
    for label, facts in labels.marks():
        for mark in facts.marks:
            points.append((*facts.plane, mark.row, mark.col))
            kinds.append(mark.kind)
            owners.append(label)
    if not points:
        return []
    height, width = labels.group.size
    options = {
        "name": f"{labels.group.name} marks",
        "features": {"kind": np.array(kinds, object), "label": np.array(owners)},
        "symbol": [STYLES[kind][0] for kind in kinds],
        "face_color": [STYLES[kind][1] for kind in kinds],
        "border_color": "black",
        "size": max(1.0, 0.02 * min(height, width)),
        "canvas_size_limits": (2, 10),
        **place,
    }
    return [(np.array(points, np.float64), options, "points")]


def box_layer(dataset: CocoDataset, group: Group, boxed: Collection[int], place: Mapping[str, Any]) -> list[LayerData]:
    """A Shapes layer with the boxes of objects that have no mask, ready for *Boxes to masks*; none without such."""
    if not boxed:
        return []
    corners, numbers, names = [], [], []
    for index, image in group.planes.items():
        for obj in dataset.objects_of(image.id):
            if obj.id not in boxed or obj.bbox is None:
                continue
            x, y, width, height = obj.bbox
            top, left, bottom, right = y - 0.5, x - 0.5, y + height - 0.5, x + width - 0.5  # outer edges of the pixels
            corners.append(
                [(*index, row, col) for row, col in ((top, left), (top, right), (bottom, right), (bottom, left))]
            )
            numbers.append(obj.id)
            names.append(dataset.categories.get(obj.category_id, ""))
    if not corners:
        return []
    options = {
        "name": f"{group.name} boxes",
        "shape_type": "rectangle",
        "features": {"id": np.array(numbers), "class": np.array(names, object)},
        "edge_color": "#f0e442",
        "face_color": "transparent",
        "edge_width": max(1.0, 0.004 * min(group.size)),
        **place,
    }
    return [(np.array(corners, np.float64), options, "shapes")]
