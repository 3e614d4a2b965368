"""Opening COCO files of ours and of others."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from napari.components import ViewerModel
from napari.utils import cancelable_progress, progress
from npe2 import PluginManager
from PIL import Image

from napari_dextr.errors import DataError
from napari_dextr.napari_io import reader
from napari_dextr.napari_io.reader import get_reader, read_layers

SQUARE = [[10, 10, 20, 10, 20, 20, 10, 20]]  # x, y: 100 pixels


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    notices: list[str] = []
    monkeypatch.setattr(reader, "show_warning", notices.append)
    return notices


def annotation(number: int, image: int = 1, **options: Any) -> dict[str, Any]:
    entry = {"id": number, "image_id": image, "category_id": 4, "iscrowd": 0, "bbox": [10, 10, 10, 10], "area": 100}
    return {**entry, "segmentation": SQUARE, **options}


def file_of(
    folder: Path, sizes: list[tuple[int, int]], annotations: list[dict[str, Any]], pictures: bool = True
) -> str:
    """A COCO file as others write it; its pictures hold 10, 20, …"""
    images = []
    for number, (height, width) in enumerate(sizes, start=1):
        name = f"p{number}.png"
        images.append({"id": number, "file_name": name, "height": height, "width": width})
        if pictures:
            Image.fromarray(np.full((height, width), 10 * number, np.uint8)).save(folder / name)
    path = folder / "set.json"
    categories = [{"id": 4, "name": "mite"}, {"id": 7, "name": "egg"}]
    path.write_text(json.dumps({"images": images, "annotations": annotations, "categories": categories}))
    return str(path)


def named(path: str) -> dict[str, tuple[Any, dict[str, Any], str]]:
    return {options["name"]: (data, options, kind) for data, options, kind in read_layers(path)}


@pytest.mark.parametrize(
    ("text", "ours"),
    [
        ('{"images": [], "annotations": []}', True),
        ('{"info": {}, "annotations": [{"id": 1, "image_id": 2}], "images": []}', True),
        ('{"type": "FeatureCollection", "features": []}', False),
        ('{"shapes": [], "imagePath": "a.png"}', False),
        ('[{"image_id": 1, "bbox": [0, 0, 1, 1]}]', False),
        ("{", False),
        ("", False),
    ],
)
def test_only_coco_is_taken(tmp_path: Path, text: str, ours: bool) -> None:
    path = tmp_path / "x.json"
    path.write_text(text)
    assert (get_reader(str(path)) is not None) == ours


def test_other_paths_are_not_taken(tmp_path: Path) -> None:
    assert get_reader(str(tmp_path / "missing.json")) is None
    assert get_reader(str(tmp_path / "a.png")) is None
    assert get_reader(["a.json", "b.json"]) is None


def test_pictures_of_one_size_are_one_stack(tmp_path: Path, said: list[str]) -> None:
    path = file_of(tmp_path, [(30, 40)] * 3, [annotation(11), annotation(12, 3, category_id=7)])
    layers = named(path)
    assert list(layers) == ["set", "set labels"]
    image, options, _ = layers["set"]
    assert image.shape == (3, 30, 40)
    assert type(image).__module__.startswith("dask")  # read when it is looked at
    assert [int(plane.max()) for plane in np.asarray(image)] == [10, 20, 30]
    assert not options["rgb"]
    labels, options, _ = layers["set labels"]
    assert labels.dtype == np.uint16
    assert np.unique(labels[0]).tolist() == [0, 11]
    assert (labels[0] == 11).sum() == 100
    assert np.unique(labels[2]).tolist() == [0, 12]
    assert list(options["features"]["class"]) == ["mite", "egg"]
    assert list(options["features"]["area"]) == [100, 100]
    assert options["metadata"]["napari_dextr"]["objects"][12]["plane"] == [2]
    assert said == []


def test_pictures_of_different_sizes_get_layers_of_their_own(tmp_path: Path) -> None:
    layers = named(file_of(tmp_path, [(30, 40), (25, 60)], [annotation(1), annotation(2, 2)]))
    assert list(layers) == ["p1", "p1 labels", "p2", "p2 labels"]
    assert layers["p2 labels"][0].shape == (25, 60)
    assert layers["p2"][0].shape == (25, 60)


def test_many_pictures_of_different_sizes_share_a_padded_stack(tmp_path: Path) -> None:
    sizes = [(30 + number, 40 - number) for number in range(13)]
    layers = named(file_of(tmp_path, sizes, [annotation(1, 13)]))
    image, labels = layers["set"][0], layers["set labels"][0]
    assert image.shape == labels.shape == (13, 42, 40)
    first = np.asarray(image[0])
    assert (first[:30, :40] == 10).all()
    assert not first[30:].any()


def test_pictures_may_lie_in_the_folder_images(tmp_path: Path, said: list[str]) -> None:
    path = file_of(tmp_path, [(30, 40)], [annotation(1)])
    (tmp_path / "images").mkdir()
    (tmp_path / "p1.png").rename(tmp_path / "images" / "p1.png")
    assert (named(path)["p1"][0] == 10).all()
    assert said == []


def test_what_is_missing_is_said_once(tmp_path: Path, said: list[str]) -> None:
    path = file_of(tmp_path, [(30, 40)] * 3, [annotation(1), annotation(2, 2)], pictures=False)
    layers = named(path)
    assert list(layers) == ["set labels"]
    assert len(said) == 1
    assert "3 of 3 images" in said[0]
    assert "p1.png" in said[0]


def test_files_outside_of_the_folder_are_refused(tmp_path: Path, said: list[str]) -> None:
    inner = tmp_path / "inner"
    inner.mkdir()
    path = Path(file_of(inner, [(30, 40)], [annotation(1)]))
    (inner / "p1.png").rename(tmp_path / "secret.png")
    path.write_text(path.read_text().replace("p1.png", "../secret.png"))
    assert [kind for _, _, kind in read_layers(str(path))] == ["labels"]
    assert len(said) == 1
    assert "outside" in said[0]


def test_objects_that_overlap_lose_nothing(tmp_path: Path) -> None:
    other = [[15, 15, 25, 15, 25, 25, 15, 25]]
    layers = named(file_of(tmp_path, [(30, 40)], [annotation(1), annotation(2, segmentation=other)]))
    assert (layers["p1 labels"][0] == 1).sum() == 100
    assert (layers["p1 labels (2)"][0] == 2).sum() == 100


def test_crowds_have_a_layer_of_their_own(tmp_path: Path) -> None:
    counts = [10 * 30 + 10, 5, 40 * 30 - 315]  # uncompressed run lengths: five pixels of a column
    crowd = annotation(2, iscrowd=1, segmentation={"size": [30, 40], "counts": counts}, bbox=[10, 10, 1, 5])
    layers = named(file_of(tmp_path, [(30, 40)], [annotation(1, segmentation=[[20, 0, 30, 0, 30, 9, 20, 9]]), crowd]))
    data, options, _ = layers["p1 labels crowds"]
    assert (data == 2).sum() == 5
    assert not options["visible"]
    assert options["metadata"]["napari_dextr"]["coco"]["crowds"] == [2]
    assert not (layers["p1 labels"][0] == 2).any()


def test_boxes_without_masks_become_shapes(tmp_path: Path) -> None:
    layers = named(file_of(tmp_path, [(30, 40)] * 2, [annotation(5, 2, segmentation=[], bbox=[3, 4, 10, 6])]))
    data, options, kind = layers["set boxes"]
    assert kind == "shapes"
    np.testing.assert_array_equal(data[0].min(axis=0), (1, 3.5, 2.5))
    np.testing.assert_array_equal(data[0].max(axis=0), (1, 9.5, 12.5))
    assert list(options["features"]["class"]) == ["mite"]
    assert list(options["features"]["id"]) == [5]


def test_broken_objects_are_left_out_and_said(tmp_path: Path, said: list[str]) -> None:
    broken = annotation(2, segmentation={"size": [3, 3], "counts": "1"})
    layers = named(file_of(tmp_path, [(30, 40)], [annotation(1), broken]))
    assert np.unique(layers["p1 labels"][0]).tolist() == [0, 1]
    assert len(said) == 1
    assert "1 object" in said[0]


def test_a_file_that_is_cut_short_says_so(tmp_path: Path) -> None:
    path = Path(file_of(tmp_path, [(30, 40)], [annotation(1)]))
    path.write_text(path.read_text()[:-30])
    take = get_reader(str(path))
    assert take is not None
    with pytest.raises(DataError, match="not complete JSON"):
        take(str(path))


def test_a_stack_in_the_folder_is_opened_itself(tmp_path: Path) -> None:
    stack = np.random.default_rng(0).integers(0, 9, (5, 30, 40)).astype(np.uint16)
    tifffile.imwrite(tmp_path / "stack.tif", stack)
    path = Path(file_of(tmp_path, [(30, 40)], [annotation(1)], pictures=False))
    document = json.loads(path.read_text())
    facts = {"source": "stack.tif", "plane": [3], "axes": "z", "stack": {"extents": [5]}}
    document["images"][0] = {**document["images"][0], "file_name": "stack_z3.png", "napari_dextr": facts}
    path.write_text(json.dumps(document))
    layers = named(str(path))
    np.testing.assert_array_equal(layers["stack"][0], stack)
    assert layers["stack labels"][0].shape == stack.shape
    assert (layers["stack labels"][0][3] == 1).sum() == 100


@pytest.mark.parametrize("moves", [1, 3])
def test_opening_is_cancelled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moves: int) -> None:
    """While the file is read, and while its objects are drawn; napari takes it for no failure."""

    class Impatient(cancelable_progress):
        moved = 0

        def update(self, n: int = 1) -> None:
            super().update(n)
            self.moved += 1
            if self.moved == moves:
                self.cancel()

    told: list[str] = []
    monkeypatch.setattr(reader, "cancelable_progress", Impatient)
    monkeypatch.setattr(reader, "show_info", told.append)
    monkeypatch.setattr(reader, "_INTERVAL", 0)
    path = file_of(tmp_path, [(30, 30)] * 9, [annotation(number, number) for number in range(1, 10)])
    PluginManager.instance().discover()
    viewer = ViewerModel()
    assert viewer.open(path, plugin="napari-dextr") == []
    assert told == ["Opening 'set.json' was cancelled."]
    assert len(viewer.layers) == 0
    assert not progress._all_instances
    monkeypatch.undo()
    assert len(viewer.open(path, plugin="napari-dextr")) == 2
