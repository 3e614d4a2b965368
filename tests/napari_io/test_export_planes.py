"""Labels layers, plane by plane."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from napari.layers import Labels

from napari_dextr.errors import DataError
from napari_dextr.napari_io.export_images import Pictures
from napari_dextr.napari_io.export_planes import image_labels, joined_classes, keep_numbers
from napari_dextr.napari_io.export_source import label_source
from napari_dextr.napari_io.object_table import record, store
from napari_dextr.objects import ObjectClass

Annotate = Callable[[], tuple[Any, Any, Any]]


def test_planes_with_objects_come_and_others_on_request(tmp_path: Path, annotate: Annotate) -> None:
    _, image, labels = annotate()
    source = label_source(labels, image)
    told: list[tuple[int, int]] = []
    planes = list(image_labels([source], Pictures(tmp_path / "a.json"), tell=told.append))
    assert [plane.plane for plane in planes] == [(1,), (3,)]
    assert told == [(0, 4), (1, 4), (2, 4), (3, 4), (4, 4)]
    assert planes[0].layer == "mine"
    assert (planes[0].source, planes[0].axes) == ("cells", "z")
    np.testing.assert_array_equal(planes[0].read(), labels.data[1])
    every = list(image_labels([source], Pictures(tmp_path / "a.json", write=False), with_empty=True))
    assert [plane.plane for plane in every] == [(0,), (1,), (2,), (3,)]


def test_a_plane_whose_objects_were_deleted_comes_once_more(tmp_path: Path, annotate: Annotate) -> None:
    _, image, labels = annotate()
    path = tmp_path / "a.json"
    source = label_source(labels, image)
    pictures = Pictures(path)
    list(image_labels([source], pictures))
    ids = {("images/cells_z1.png", "mine"): {3: 1, 7: 2}, ("images/cells_z3.png", "mine"): {9: 3}}
    keep_numbers(source, pictures, ids, source.classes)
    labels.data[3] = 0
    planes = list(image_labels([label_source(labels, image)], Pictures(path)))
    assert [(plane.plane, dict(plane.ids)) for plane in planes] == [((1,), {3: 1, 7: 2}), ((3,), {9: 3})]


def test_an_export_of_other_formats_leaves_the_numbers(tmp_path: Path, annotate: Annotate) -> None:
    _, image, labels = annotate()
    pictures = Pictures(tmp_path / "a.json")
    list(image_labels([label_source(labels, image)], pictures))
    for ids in ({("images/cells_z1.png", "mine"): {3: 1, 7: 2}}, {}):
        keep_numbers(label_source(labels, image), pictures, ids, [])
        assert pictures.ids(label_source(labels, image), (1,)) == {3: 1, 7: 2}


def test_new_names_of_classes_reach_the_layer(tmp_path: Path, annotate: Annotate) -> None:
    _, image, labels = annotate()
    source = label_source(labels, image)
    keep_numbers(source, Pictures(tmp_path / "a.json"), {}, [ObjectClass(1, "cell", "#e69f00"), source.classes[1]])
    facts, classes = record(labels)
    assert [entry.name for entry in classes] == ["cell", "debris"]
    assert sorted(facts) == [3, 7, 9]
    assert list(labels.features["class"]) == ["debris", "cell", "cell"]


def test_classes_of_several_layers() -> None:
    assert [entry.name for entry in joined_classes([])] == ["object"]
    layers = [Labels(np.zeros((4, 4), int), name=name) for name in "ab"]
    store(layers[0], {}, [ObjectClass(2, "egg", "#123456")])
    store(layers[1], {}, [ObjectClass(1, "mite", "#123456"), ObjectClass(2, "egg", "#123456")])
    sources = [label_source(layer, None) for layer in layers]
    assert [(entry.id, entry.name) for entry in joined_classes(sources)] == [(1, "mite"), (2, "egg")]
    store(layers[1], {}, [ObjectClass(2, "larva", "#123456")])
    with pytest.raises(DataError, match="Class 2 is 'egg' in one Labels layer and 'larva' in 'b'"):
        joined_classes([label_source(layer, None) for layer in layers])
