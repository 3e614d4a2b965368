"""Objects of a COCO file as layers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_dextr.coco import CocoDataset, ImageLabels, export_coco, labels_to_coco, read_coco
from napari_dextr.errors import DataError
from napari_dextr.napari_io import coco_labels
from napari_dextr.napari_io.coco_labels import LabelLayers, box_layer, mark_layer
from napari_dextr.napari_io.coco_pictures import Group, groups_of
from napari_dextr.objects import Mark, ObjectClass, ObjectFacts


def made(tmp_path: Path, labels: Any, **changes: Any) -> tuple[CocoDataset, Group, LabelLayers]:
    document = labels_to_coco(labels, "a.png", categories={3: "egg"})
    for annotation in document["annotations"]:
        annotation.update(changes)
    (tmp_path / "a.json").write_text(json.dumps(document), encoding="utf-8")
    dataset = read_coco(tmp_path / "a.json")
    (group,) = groups_of(dataset)
    layers = LabelLayers(dataset, group)
    layers.add((), (), [])
    return dataset, group, layers


@pytest.mark.parametrize(("largest", "dtype"), [(9, np.uint16), (65_535, np.uint16), (65_536, np.int32)])
def test_labels_of_every_size(tmp_path: Path, largest: int, dtype: Any) -> None:
    labels = np.zeros((8, 9), np.int64)
    labels[2:5, 3:6], labels[7, 8] = largest, 4
    _, _, layers = made(tmp_path, labels)
    ((data, options, kind),) = layers.layers({})
    assert kind == "labels"
    assert data.dtype == dtype
    np.testing.assert_array_equal(data, labels)
    table = options["features"].set_index("index")
    assert table["area"].to_dict() == {4: 1, largest: 9}
    assert set(table["class"]) == {"egg"}
    entry = options["metadata"]["napari_dextr"]
    assert entry["classes"][0]["name"] == "egg"
    assert entry["coco"]["ids"] == {"a.png": {4: 1, largest: 2}}


def test_without_objects_there_is_an_empty_layer(tmp_path: Path) -> None:
    _, _, layers = made(tmp_path, np.zeros((8, 9), int))
    ((data, options, _),) = layers.layers({"scale": (2, 2)})
    assert data.shape == (8, 9)
    assert options["name"] == "a labels"
    assert tuple(options["scale"]) == (2, 2)


def test_marks_become_points(tmp_path: Path) -> None:
    labels = np.zeros((8, 9), int)
    labels[2:5, 3:6] = 6
    facts = {"napari_dextr": {"label": 6, "marks": [["extreme", 2, 4.5], ["outside", 0, 0]]}}
    _, _, layers = made(tmp_path, labels, **facts)
    ((data, options, kind),) = mark_layer(layers, {})
    assert kind == "points"
    assert data.tolist() == [[2, 4.5], [0, 0]]
    assert options["features"]["kind"].tolist() == ["extreme", "outside"]
    assert options["features"]["label"].tolist() == [6, 6]
    assert len(set(options["symbol"])) == 2


def test_without_marks_or_boxes_there_is_no_layer(tmp_path: Path) -> None:
    dataset, group, layers = made(tmp_path, np.ones((8, 9), int))
    assert mark_layer(layers, {}) == []
    assert box_layer(dataset, group, set(), {}) == []


CLASSES = [ObjectClass(1, "egg", "#e69f00"), ObjectClass(2, "mite", "#56b4e9")]
MARKED = ObjectFacts(marks=(Mark("extreme", 2, 4.5),), class_id=1, score=0.9)
EGG, MITE = ObjectFacts(class_id=1, score=0.9), ObjectFacts(class_id=2)


def square(label: int, left: int) -> Any:
    labels = np.zeros((8, 9), int)
    labels[2:5, left : left + 3] = label
    return labels


def sessions(path: Path, facts: list[ObjectFacts], stack: bool) -> tuple[Any, dict[str, Any]]:
    """The Labels layer of a file that each plane was exported to by itself, its only object with label 1."""
    for number, each in enumerate(facts):
        place: dict[str, Any] = {"source": "s", "plane": (number,), "axes": "z"} if stack else {}
        export_coco(path, [ImageLabels(f"{number}.png", square(1, number), {1: each}, "mine", **place)], CLASSES)
    dataset = read_coco(path)
    (group,) = groups_of(dataset)
    layers = LabelLayers(dataset, group)
    for index in group.planes:
        layers.add(index, (), [])
    ((data, options, _),) = layers.layers({})
    return data, options


def test_a_label_is_one_object_where_sessions_have_counted_from_1(tmp_path: Path) -> None:
    data, options = sessions(tmp_path / "a.json", [MARKED, MITE, MITE], stack=False)
    np.testing.assert_array_equal(data, [square(1, 0), square(2, 1), square(3, 2)])
    entry = options["metadata"]["napari_dextr"]
    facts = {label: ObjectFacts.from_json(value) for label, value in entry["objects"].items()}
    assert [(facts[label].class_id, facts[label].plane) for label in (1, 2, 3)] == [(1, (0,)), (2, (1,)), (2, (2,))]
    assert (facts[1].marks, facts[1].score, facts[2].marks) == (MARKED.marks, 0.9, ())
    assert entry["coco"]["ids"] == {"0.png": {1: 1}, "1.png": {2: 2}, "2.png": {3: 3}}
    assert list(options["features"]["area"]) == [9, 9, 9]


@pytest.mark.parametrize(
    ("facts", "labels"),
    [
        ([EGG, MARKED, EGG], [1, 1, 1]),  # one object, with its marks on the middle plane
        ([MARKED, MITE, MITE, EGG], [1, 2, 2, 1]),
        ([MARKED, MARKED], [1, 2]),  # marks of one would be lost
    ],
)
def test_a_label_may_go_through_a_stack_where_nothing_is_lost(
    tmp_path: Path, facts: list[ObjectFacts], labels: list[int]
) -> None:
    data, options = sessions(tmp_path / "a.json", facts, stack=True)
    assert [int(plane.max()) for plane in data] == labels
    back = options["metadata"]["napari_dextr"]["objects"]
    assert sum("marks" in entry for entry in back.values()) == sum(bool(entry.marks) for entry in facts)
    assert [back[label]["class_id"] for label in labels] == [entry.class_id for entry in facts]


def test_free_labels_are_those_of_no_object_on_the_plane(tmp_path: Path) -> None:
    both = square(1, 0) + square(2, 5)
    for name, labels in (("a.png", square(1, 0)), ("b.png", both), ("c.png", both)):
        export_coco(tmp_path / "a.json", [ImageLabels(name, labels, layer="mine")])
    dataset = read_coco(tmp_path / "a.json")
    (group,) = groups_of(dataset)
    layers = LabelLayers(dataset, group)
    for index in group.planes:
        layers.add(index, (), [])
    ((data, _, _),) = layers.layers({})
    assert [np.unique(plane).tolist() for plane in data] == [[0, 1], [0, 2, 3], [0, 4, 5]]


def test_no_memory_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any, **__: Any) -> Any:
        raise MemoryError

    dataset, group, _ = made(tmp_path, np.zeros((8, 9), int))
    monkeypatch.setattr(coco_labels.np, "zeros", full)
    with pytest.raises(DataError, match="not enough memory"):
        LabelLayers(dataset, group).layers({})
