"""Objects of a COCO file as layers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_dextr.coco import CocoDataset, labels_to_coco, read_coco
from napari_dextr.errors import DataError
from napari_dextr.napari_io import coco_labels
from napari_dextr.napari_io.coco_labels import LabelLayers, box_layer, mark_layer
from napari_dextr.napari_io.coco_pictures import Group, groups_of


def made(tmp_path: Path, labels: Any, **changes: Any) -> tuple[CocoDataset, Group, LabelLayers]:
    document = labels_to_coco(labels, "a.png", categories={3: "egg"})
    for annotation in document["annotations"]:
        annotation.update(changes)
    (tmp_path / "a.json").write_text(json.dumps(document), encoding="utf-8")
    dataset = read_coco(tmp_path / "a.json")
    (group,) = groups_of(dataset)
    layers = LabelLayers(dataset, group, tmp_path)
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


def test_no_memory_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any, **__: Any) -> Any:
        raise MemoryError

    dataset, group, _ = made(tmp_path, np.zeros((8, 9), int))
    monkeypatch.setattr(coco_labels.np, "zeros", full)
    with pytest.raises(DataError, match="not enough memory"):
        LabelLayers(dataset, group, tmp_path).layers({})
