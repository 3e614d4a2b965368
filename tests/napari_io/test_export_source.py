"""Layers as the background may read them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Labels

from napari_dextr.napari_io import export_source
from napari_dextr.napari_io.belonging import belongs_to
from napari_dextr.napari_io.export_source import axis_letters, image_of, image_source, label_source
from napari_dextr.objects import Mark, ObjectFacts

Annotate = Callable[[], tuple[ViewerModel, Any, Any]]


def test_a_layer_as_it_is(annotate: Annotate) -> None:
    _, image, labels = annotate()
    source = label_source(labels, image)
    assert (source.name, source.axes, source.extents, source.planes) == ("mine", "z", (4,), 4)
    assert list(source.indices()) == [(0,), (1,), (2,), (3,)]
    np.testing.assert_array_equal(source.read((1,)), labels.data[1])
    assert sorted(source.facts) == [3, 7, 9]
    assert [entry.name for entry in source.classes] == ["nucleus", "debris"]
    assert source.image is not None
    np.testing.assert_array_equal(np.asarray(source.image.plane((2,))), image.data[2])
    assert source.place["scale"] == [3, 0.5, 0.5]


def test_marks_stay_on_their_plane(annotate: Annotate) -> None:
    _, image, labels = annotate()
    source = label_source(labels, image)
    assert len(source.facts_on((1,))[3].marks) == 3
    elsewhere = source.facts_on((2,))[3]
    assert elsewhere == ObjectFacts(class_id=2, score=0.9, model="embedded", seconds=3.5, plane=(2,))
    assert source.facts_on((3,))[9].box is not None


def test_facts_without_a_plane_hold_on_every_plane() -> None:
    facts = {1: ObjectFacts(marks=(Mark("inside", 1, 1),)).to_json()}
    labels = Labels(np.zeros((2, 4, 4), int), metadata={"napari_dextr": {"objects": facts}})
    assert label_source(labels, None).facts_on((1,))[1].marks


def test_a_plane_costs_what_its_objects_cost(annotate: Annotate, monkeypatch: pytest.MonkeyPatch) -> None:
    _, image, labels = annotate()
    made: list[int] = []
    real = export_source.replace
    monkeypatch.setattr(export_source, "replace", lambda *facts, **news: made.append(1) or real(*facts, **news))
    facts = label_source(labels, image).facts_on((3,))
    assert made == []
    assert facts[7].plane == (3,)
    assert made == [1]
    assert dict(facts) == {label: facts[label] for label in (3, 7, 9)}


def test_a_padded_plane_is_cut_to_its_picture() -> None:
    coco = {"images": [{"index": [1], "file_name": "b.png", "stack": None, "height": 5, "width": 3}]}
    labels = Labels(np.zeros((2, 8, 9), int), metadata={"napari_dextr": {"coco": coco}})
    source = label_source(labels, None)
    assert source.read((1,)).shape == (5, 3)
    assert source.read((0,)).shape == (8, 9)
    assert source.pictures == {(1,): ("b.png", None)}


def test_the_image_below_is_taken_and_then_the_one_above() -> None:
    viewer = ViewerModel()
    far = viewer.add_image(np.zeros((8, 8)))
    near = viewer.add_image(np.zeros((8, 8)))
    labels = viewer.add_labels(np.zeros((8, 8), int))
    above = viewer.add_image(np.zeros((8, 8)))
    assert image_of(labels, viewer.layers) is near
    viewer.layers.remove(near)
    viewer.layers.remove(far)
    assert image_of(labels, viewer.layers) is above


def test_the_channel_that_was_annotated_is_taken_wherever_it_lies() -> None:
    viewer = ViewerModel()
    annotated = viewer.add_image(np.zeros((8, 8)))
    viewer.add_image(np.zeros((8, 8)), visible=False)
    labels = viewer.add_labels(np.zeros((8, 8), int))
    belongs_to(labels, annotated)
    assert image_of(labels, viewer.layers) is annotated
    viewer.layers.remove(annotated)
    assert image_of(labels, viewer.layers) is viewer.layers[0]


@pytest.mark.parametrize("options", [{"scale": (2, 2)}, {"translate": (0, 4)}, {"data": np.zeros((8, 9))}])
def test_an_image_elsewhere_is_not_taken(options: dict[str, Any]) -> None:
    viewer = ViewerModel()
    viewer.add_image(**{"data": np.zeros((8, 8)), **options})
    labels = viewer.add_labels(np.zeros((8, 8), int))
    assert image_of(labels, viewer.layers) is None


def test_a_file_is_known_and_a_coco_file_is_no_picture(tmp_path: Path) -> None:
    from napari.layers import Image
    from napari.layers._source import layer_source

    with layer_source(path=str(tmp_path / "a.tif")):
        assert image_source(Image(np.zeros((8, 8)))).path == tmp_path / "a.tif"
    with layer_source(path=str(tmp_path / "a.json")):
        assert image_source(Image(np.zeros((8, 8)))).path is None


@pytest.mark.parametrize(
    ("shape", "own", "letters"),
    [
        ((4, 4), None, ""),
        ((2, 4, 4), None, "z"),
        ((2, 2, 4, 4), None, "tz"),
        ((2, 2, 2, 4, 4), None, "ctz"),
        ((2, 4, 4), ("T", "y", "x"), "t"),
        ((2, 4, 4), ("time", "y", "x"), "z"),
    ],
)
def test_axes_have_letters(shape: tuple[int, ...], own: Any, letters: str) -> None:
    assert axis_letters(Labels(np.zeros(shape, int), axis_labels=own)) == letters
