"""Labels layers, plane by plane."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from napari.layers import Labels

from napari_dextr.napari_io.export_images import Pictures
from napari_dextr.napari_io.export_planes import image_labels, join_classes, keep_numbers
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


def with_classes(name: str, *classes: tuple[int, str]) -> Any:
    layer = Labels(np.zeros((4, 4), int), name=name)
    store(layer, {}, [ObjectClass(number, title, "#123456") for number, title in classes])
    return label_source(layer, None)


@pytest.mark.parametrize(
    ("layers", "joined", "numbers"),
    [
        ([], {1: "object"}, []),
        ([[(2, "egg")], [(1, "mite"), (2, "egg")]], {1: "mite", 2: "egg"}, [{2: 2}, {1: 1, 2: 2}]),
        ([[(1, "egg")], [(5, "egg")]], {1: "egg"}, [{1: 1}, {5: 1}]),
        ([[(1, "egg"), (2, "mite")], [(1, "mite"), (2, "egg")]], {1: "egg", 2: "mite"}, [{1: 1, 2: 2}, {1: 2, 2: 1}]),
        ([[(1, "egg")], [(1, "mite"), (2, "larva")]], {1: "egg", 2: "larva", 3: "mite"}, [{1: 1}, {1: 3, 2: 2}]),
        ([[(1, "egg")], [(3, "egg"), (4, "egg")]], {1: "egg", 4: "egg"}, [{1: 1}, {3: 1, 4: 4}]),  # two, as in the file
        ([[(4, "egg")], [(3, "egg"), (4, "egg")]], {3: "egg", 4: "egg"}, [{4: 4}, {3: 3, 4: 4}]),
    ],
)
def test_classes_of_one_name_are_one(
    layers: list[list[tuple[int, str]]], joined: dict[int, str], numbers: list[dict[int, int]]
) -> None:
    sources, classes = join_classes([with_classes(str(place), *items) for place, items in enumerate(layers)])
    assert {entry.id: entry.name for entry in classes} == joined
    assert [entry.id for entry in classes] == sorted(joined)
    assert [dict(source.numbers) for source in sources] == numbers


def test_objects_follow_their_class_to_its_number(tmp_path: Path, annotate: Annotate) -> None:
    _, image, labels = annotate()
    (_, source), classes = join_classes([with_classes("other", (1, "debris")), label_source(labels, image)])
    assert [(entry.id, entry.name) for entry in classes] == [(1, "debris"), (3, "nucleus")]
    planes = list(image_labels([source], Pictures(tmp_path / "a.json")))
    assert {label: planes[0].facts[label].class_id for label in (3, 7)} == {3: 1, 7: 3}
    assert [source.class_of(label) for label in (3, 7, 100)] == [1, 3, None]
    keep_numbers(source, Pictures(tmp_path / "a.json"), {}, [replace(classes[0], name="dirt"), classes[1]])
    facts, own = record(labels)
    assert [(entry.id, entry.name) for entry in own] == [(1, "nucleus"), (2, "dirt")]
    assert {label: facts[label].class_id for label in facts} == {3: 2, 7: 1, 9: 1}
