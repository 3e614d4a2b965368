"""File > Save, and the way back: nothing that was annotated is lost."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import imageio.v3 as imageio
import numpy as np
import pytest
import tifffile
from napari.components import ViewerModel
from napari.layers import Image, Labels, Layer
from napari.layers._source import layer_source
from npe2 import PluginManager

from napari_dextr.coco import ImageLabels, export_coco, labels_to_coco, read_coco, write_coco
from napari_dextr.errors import OutputError
from napari_dextr.napari_io import saved_layers
from napari_dextr.napari_io.belonging import belongs_to
from napari_dextr.napari_io.object_table import record, store
from napari_dextr.napari_io.reader import read_layers
from napari_dextr.napari_io.saved_layers import listen
from napari_dextr.napari_io.writer import write_layers
from napari_dextr.objects import Mark, ObjectClass, ObjectFacts

Annotate = Callable[[], tuple[ViewerModel, Any, Any]]


def saved(viewer: ViewerModel, path: Path) -> list[str]:
    return write_layers(str(path), [layer.as_layer_data_tuple() for layer in viewer.layers])


def back(path: Path) -> dict[str, tuple[Any, dict[str, Any]]]:
    return {kind: (data, options) for data, options, kind in read_layers(str(path))}


def test_annotate_save_open_is_the_same(tmp_path: Path, annotate: Annotate) -> None:
    viewer, image, labels = annotate()
    path = tmp_path / "annotations.json"
    written = saved(viewer, path)
    assert written[0] == str(path)
    assert [Path(name).name for name in written[1:]] == ["cells_z1.png", "cells_z3.png"]
    layers = back(path)
    data, options = layers["labels"]
    np.testing.assert_array_equal(data, labels.data)
    assert options["name"] == "mine"
    np.testing.assert_allclose(options["scale"], labels.scale)
    np.testing.assert_allclose(options["translate"], labels.translate)
    again = Labels(data, metadata=options["metadata"], features=options["features"])
    assert record(again) == record(labels)
    assert list(options["features"]["class"]) == ["debris", "nucleus", "nucleus"]
    np.testing.assert_array_equal(np.asarray(layers["image"][0])[[1, 3]], image.data[[1, 3]])
    np.testing.assert_array_equal(layers["points"][0], [(1, 5, 8.5), (1, 7, 5), (1, 7, 12)])
    assert list(layers["points"][1]["features"]["kind"]) == ["extreme", "extreme", "inside"]


def test_ids_stay_over_save_open_change_save(tmp_path: Path, annotate: Annotate) -> None:
    viewer, _, _ = annotate()
    path = tmp_path / "annotations.json"
    saved(viewer, path)
    before = {entry["napari_dextr"]["label"]: entry["id"] for entry in json.loads(path.read_text())["annotations"]}
    second = ViewerModel()
    for data, options, kind in read_layers(str(path)):
        getattr(second, f"add_{kind}")(data, **options)
    labels = second.layers["mine"]
    labels.data[labels.data == 9] = 0  # the only object of its plane is deleted
    labels.data[0, 0:4, 0:4] = 12
    saved(second, path)
    document = json.loads(path.read_text())
    after = {entry["napari_dextr"]["label"]: entry["id"] for entry in document["annotations"]}
    assert set(after) == {3, 7, 12}
    assert {label: after[label] for label in (3, 7)} == {label: before[label] for label in (3, 7)}
    assert {entry["napari_dextr"]["source"] for entry in document["images"]} == {"cells"}
    np.testing.assert_array_equal(back(path)["labels"][0], labels.data)


def test_entries_of_others_stay(tmp_path: Path, annotate: Annotate) -> None:
    viewer, _, _ = annotate()
    path = tmp_path / "annotations.json"
    theirs = {
        "images": [{"id": 5, "file_name": "theirs.png", "height": 4, "width": 4}],
        "annotations": [
            {"id": 8, "image_id": 5, "category_id": 1, "bbox": [0, 0, 2, 2], "area": 4, "iscrowd": 0, "mood": "good"}
        ],
        "categories": [{"id": 1, "name": "nucleus"}],
    }
    path.write_text(json.dumps(theirs))
    saved(viewer, path)
    document = json.loads(path.read_text())
    assert theirs["annotations"][0] in document["annotations"]
    assert theirs["images"][0] in document["images"]
    assert len(document["annotations"]) == 4


def opened(path: Path | str) -> ViewerModel:
    viewer = ViewerModel()
    for data, options, kind in read_layers(str(path)):
        getattr(viewer, f"add_{kind}")(data, **options)
    return viewer


def theirs(folder: Path, name: str) -> Path:
    """A file of somebody else: two objects on one picture."""
    (folder / "im").mkdir()
    imageio.imwrite(folder / "im" / "a.png", np.zeros((9, 9), np.uint8))
    squares = [[[0, 0, 3, 0, 3, 3, 0, 3]], [[5, 5, 8, 5, 8, 8, 5, 8]]]
    annotations = [
        {"id": number, "image_id": 1, "category_id": 1, "segmentation": square, "iscrowd": 0}
        for number, square in enumerate(squares, start=7)
    ]
    images = [{"id": 1, "file_name": name, "height": 9, "width": 9}]
    path = folder / "a.json"
    path.write_text(
        json.dumps({"images": images, "annotations": annotations, "categories": [{"id": 1, "name": "egg"}]})
    )
    return path


def test_sessions_that_count_from_1_stay_apart(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    classes = [ObjectClass(1, "egg", "#e69f00"), ObjectClass(2, "mite", "#56b4e9")]
    for number, name in enumerate(("a.png", "b.png"), start=1):
        facts = ObjectFacts((Mark("inside", 1, number),), class_id=number, score=number / 4)
        export_coco(path, [ImageLabels(name, np.ones((9, 9), int), {1: facts}, "DEXTR labels")], classes)
    before = read_coco(path)
    saved(opened(path), path)
    after = read_coco(path)
    assert [(obj.id, after.facts(obj)) for obj in after.objects] == [
        (obj.id, replace(before.facts(obj), plane=(number,))) for number, obj in enumerate(before.objects)
    ]


@pytest.mark.parametrize("way", ["link to the folder", "link to the file", "relative", "backslash"])
def test_what_was_opened_is_not_doubled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    path = theirs(folder, "im\\a.png" if way == "backslash" else "im/a.png")
    target = path
    try:
        if way == "link to the folder":
            (tmp_path / "link").symlink_to(folder, target_is_directory=True)
            target = tmp_path / "link" / "a.json"
        elif way == "link to the file":
            target = tmp_path / "b.json"
            target.symlink_to(path)
    except OSError:
        pytest.skip("links need rights here")
    if way == "relative":
        monkeypatch.chdir(folder)
        target = Path("a.json")
    viewer = opened(target)
    monkeypatch.setattr("napari_dextr.napari_io.writer.current_viewer", lambda: viewer)
    for _ in range(2):
        assert saved(viewer, target) == [str(target)]
        assert [obj.id for obj in read_coco(path).objects] == [7, 8]
    assert {item.name for item in tmp_path.rglob("*.png")} == {"a.png"}


def test_what_is_deleted_after_saving_leaves_the_file_with_the_next(
    tmp_path: Path, annotate: Annotate, monkeypatch: pytest.MonkeyPatch
) -> None:
    viewer, _, labels = annotate()
    monkeypatch.setattr("napari_dextr.napari_io.writer.current_viewer", lambda: viewer)
    path = tmp_path / "a.json"
    saved(viewer, path)
    saved(viewer, tmp_path / "copy.json")  # the layer goes on belonging to the first file
    labels.data[labels.data == 7] = 0
    saved(viewer, path)
    assert [obj.record["label"] for obj in read_coco(path).objects] == [3, 9]


def test_the_layer_of_the_viewer_is_told_to_be_saved(
    tmp_path: Path, annotate: Annotate, monkeypatch: pytest.MonkeyPatch
) -> None:
    viewer, _, labels = annotate()
    monkeypatch.setattr("napari_dextr.napari_io.writer.current_viewer", lambda: viewer)
    heard: list[Any] = []
    listen(lambda layer, began: heard.append(layer))
    with pytest.raises(OutputError):
        saved(viewer, tmp_path / "no folder" / "a.json")
    assert heard == []
    saved(viewer, tmp_path / "a.json")
    saved_layers._listeners.pop()
    assert heard == [labels]


def test_without_labels_there_is_nothing_to_save(tmp_path: Path) -> None:
    viewer = ViewerModel()
    viewer.add_image(np.zeros((8, 8)))
    with pytest.raises(OutputError, match="no Labels layer"):
        saved(viewer, tmp_path / "a.json")
    assert not (tmp_path / "a.json").exists()


def test_what_cannot_be_exported_is_said(tmp_path: Path) -> None:
    viewer = ViewerModel()
    layer = viewer.add_labels(np.ones((8, 8), np.uint8))
    store(layer, {1: ObjectFacts(class_id=1)}, [ObjectClass(number, "cell", "#123456") for number in (1, 2)])
    with pytest.raises(
        OutputError, match="Two classes have the name 'cell'; give"
    ):  # no ValueError: napari swallows it
        saved(viewer, tmp_path / "a.json")


def named(path: Path) -> dict[str, list[str]]:
    """Names of the categories of a file, and of that of each object."""
    document = json.loads(path.read_text(encoding="utf-8"))
    names = {entry["id"]: entry["name"] for entry in document["categories"]}
    assert len(names) == len(document["categories"])
    return {
        "all": sorted(names.values()),
        "objects": [names[entry["category_id"]] for entry in document["annotations"]],
    }


def test_classes_of_one_name_become_one_category(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    category = {"id": 7, "name": "cell", "supercategory": "alive", "skeleton": []}
    outline = [[2, 2, 6, 2, 6, 6, 2, 6]]
    document = {
        "images": [{"id": 1, "file_name": "cells.png", "height": 30, "width": 40}],
        "categories": [category, {"id": 1, "name": "debris"}],
        "annotations": [
            {"id": 5, "image_id": 1, "category_id": 7, "segmentation": outline, "area": 16, "bbox": [2, 2, 4, 4]}
        ],
    }
    path.write_text(json.dumps(document), encoding="utf-8")
    PluginManager.instance().discover()
    viewer = ViewerModel()
    viewer.open(str(path), plugin="napari-dextr")
    data = np.zeros((30, 40), np.uint8)
    data[20:25, 2:9], data[20:25, 20:29] = 1, 2
    drawn = viewer.add_labels(data, name="drawn here")
    facts = {1: ObjectFacts(class_id=1), 2: ObjectFacts(class_id=2)}
    store(drawn, facts, [ObjectClass(1, "cell", "#123456"), ObjectClass(2, "mite", "#123456")])
    for target in (path, tmp_path / "new" / "b.json"):
        target.parent.mkdir(exist_ok=True)
        saved(viewer, target)
        assert named(target) == {"all": ["cell", "debris", "mite"], "objects": ["cell", "cell", "mite"]}
    merged = json.loads(path.read_text(encoding="utf-8"))
    assert merged["categories"][0] == category
    assert [entry["id"] for entry in merged["categories"]] == [7, 1, 2]
    assert merged["annotations"][0] == document["annotations"][0]
    before = path.read_bytes()
    saved(viewer, path)  # nothing is new
    assert path.read_bytes() == before
    again = ViewerModel()
    again.open(str(path), plugin="napari-dextr")
    saved(again, path)
    assert named(path) == named(tmp_path / "new" / "b.json")
    assert {entry["id"]: entry["category_id"] for entry in json.loads(path.read_text())["annotations"]} == {
        5: 7,
        6: 7,
        7: 2,
    }


def test_through_napari(tmp_path: Path, annotate: Annotate) -> None:
    PluginManager.instance().discover()
    viewer, _, labels = annotate()
    path = tmp_path / "annotations.json"
    viewer.layers.save(str(path), plugin="napari-dextr")
    assert json.loads(path.read_text())["annotations"]
    second = ViewerModel()
    second.open(str(path), plugin="napari-dextr")
    assert [layer.name for layer in second.layers] == ["cells", "mine", "cells marks"]
    np.testing.assert_array_equal(second.layers["mine"].data, labels.data)
    second.open(str(path), plugin=None)  # napari finds the reader by itself
    assert len(second.layers) == 6


def test_a_stack_that_lies_in_the_folder_comes_back_whole(
    tmp_path: Path, annotate: Annotate, monkeypatch: pytest.MonkeyPatch
) -> None:
    viewer, image, _ = annotate()
    tifffile.imwrite(tmp_path / "cells.tif", image.data, photometric="minisblack")
    with layer_source(path=str(tmp_path / "cells.tif")):
        opened = Image(image.data, name="cells", scale=image.scale, translate=image.translate)
    viewer.layers.remove(image)
    viewer.layers.insert(0, opened)
    monkeypatch.setattr("napari_dextr.napari_io.writer.current_viewer", lambda: viewer)
    path = tmp_path / "annotations.json"
    saved(viewer, path)
    assert json.loads(path.read_text())["images"][0]["napari_dextr"]["source"] == "cells.tif"
    np.testing.assert_array_equal(back(path)["image"][0], image.data)


def test_planes_that_are_left_out_are_told_when_saved_and_when_opened(
    tmp_path: Path, annotate: Annotate, monkeypatch: pytest.MonkeyPatch
) -> None:
    viewer, image, _ = annotate()
    said: list[str] = []
    monkeypatch.setattr("napari_dextr.napari_io.writer.show_info", said.append)
    monkeypatch.setattr("napari_dextr.napari_io.reader.show_warning", said.append)
    saved(viewer, tmp_path / "a.json")
    assert "2 planes without objects left out" in said.pop()
    pixels = np.asarray(back(tmp_path / "a.json")["image"][0])
    assert "2 of 4 planes of 'cells' were not exported" in said.pop()
    np.testing.assert_array_equal(pixels[[1, 3]], image.data[[1, 3]])
    assert not pixels[[0, 2]].any()


def pairs(path: Path) -> dict[str, str]:
    """Name of the Labels layer of each object, and the picture that it lies on."""
    dataset = read_coco(path)
    return {obj.record["layer"]: Path(dataset.images[obj.image_id].file_name).stem for obj in dataset.objects}


@pytest.mark.parametrize("known", ["annotated", "by its place"])
def test_labels_of_two_channels_stay_with_theirs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, known: str) -> None:
    viewer = ViewerModel()
    channels = [viewer.add_image(np.full((20, 20), 50 * (n + 1), np.uint8), name=f"c{n}") for n in range(2)]
    for number, channel in enumerate(channels):
        labels = viewer.add_labels(np.zeros((20, 20), np.uint16), name=f"of c{number}")
        labels.data[5:9, 5:9] = number + 1
        store(labels, {number + 1: ObjectFacts(marks=(Mark("inside", 6, 6),))}, [])
        if known == "annotated":
            belongs_to(labels, channel)
    if known == "annotated":
        monkeypatch.setattr("napari_dextr.napari_io.writer.current_viewer", lambda: viewer)
    else:
        viewer.layers.move(viewer.layers.index("of c0"), 1)
    saved(viewer, tmp_path / "a.json")
    assert pairs(tmp_path / "a.json") == {"of c0": "c0", "of c1": "c1"}


def test_labels_stay_with_the_picture_they_were_opened_with(tmp_path: Path) -> None:
    viewer = ViewerModel()
    for name in "ab":
        folder = tmp_path / name
        folder.mkdir()
        imageio.imwrite(folder / f"{name}.png", np.full((20, 20), 99, np.uint8))
        labels = np.zeros((20, 20), np.uint8)
        labels[5:9, 5:9] = 1
        write_coco(folder / "set.json", labels_to_coco(labels, f"{name}.png"))
        for data, options, kind in read_layers(str(folder / "set.json")):
            viewer.add_layer(Layer.create(data, options, kind))
    for name in "ba":  # pictures above all labels
        viewer.layers.move(viewer.layers.index(name), len(viewer.layers))
    saved(viewer, tmp_path / "both.json")
    assert pairs(tmp_path / "both.json") == {"a labels": "a", "b labels": "b"}
