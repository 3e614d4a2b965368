"""Pictures of an annotation file: referred to, or written beside it, and never over those of others."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from napari.layers import Image, Labels
from napari.layers._source import layer_source
from PIL import Image as Picture

from napari_dextr.errors import OutputError
from napari_dextr.napari_io.export_images import PictureName, Pictures
from napari_dextr.napari_io.export_planes import keep_numbers
from napari_dextr.napari_io.export_source import LabelSource, label_source


def source_of(
    shape: tuple[int, ...], *, name: str = "Day 3: cells/2", path: Path | None = None, seed: int = 0
) -> LabelSource:
    pixels = np.random.default_rng(seed).integers(0, 255, shape).astype(np.uint8)
    with layer_source(path=None if path is None else str(path)):
        image = Image(pixels, name=name)
    return label_source(Labels(np.zeros(shape, int), name="labels"), image)


def test_a_picture_in_the_folder_is_referred_to(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    path = tmp_path / "sub" / "a.png"
    Picture.fromarray(np.zeros((4, 4), np.uint8)).save(path)
    pictures = Pictures(tmp_path / "annotations.json")
    assert pictures.place(source_of((4, 4), path=path), ()) == PictureName("sub/a.png")
    assert pictures.written == []


def test_a_picture_elsewhere_is_written(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    Picture.fromarray(np.zeros((4, 4), np.uint8)).save(tmp_path / "a.tif")
    source = source_of((4, 4), path=tmp_path / "a.tif")
    pictures = Pictures(folder / "annotations.json")
    assert pictures.place(source, ()) == PictureName("images/a.png")
    assert pictures.place(source, ()) == PictureName("images/a.png")
    assert pictures.written == [folder / "images" / "a.png"]
    np.testing.assert_array_equal(np.asarray(Picture.open(pictures.written[0])), source.image.array)  # type: ignore[union-attr]


def test_planes_of_a_stack_are_named_by_their_place(tmp_path: Path) -> None:
    source = source_of((2, 11, 4, 4))
    name = Pictures(tmp_path / "a.json").place(source, (1, 7))
    assert name == PictureName("images/Day_3_cells_2_t1_z07.png", "Day_3_cells_2")


def test_names_only(tmp_path: Path) -> None:
    pictures = Pictures(tmp_path / "a.json", write=False)
    assert pictures.place(source_of((4, 4)), ()) == PictureName("images/Day_3_cells_2.png")
    assert list(tmp_path.iterdir()) == []


def test_the_same_picture_is_not_written_twice_and_another_gets_a_number(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    assert Pictures(path).place(source_of((4, 4)), ()).file_name == "images/Day_3_cells_2.png"
    again = Pictures(path)
    assert again.place(source_of((4, 4)), ()).file_name == "images/Day_3_cells_2.png"
    assert again.written == []
    assert Pictures(path).place(source_of((4, 4), seed=1), ()).file_name == "images/Day_3_cells_2_2.png"
    assert len(list((tmp_path / "images").iterdir())) == 2


def test_two_images_of_one_name_get_two_names(tmp_path: Path) -> None:
    pictures = Pictures(tmp_path / "a.json", write=False)
    one, other = source_of((2, 4, 4)), source_of((2, 4, 4), seed=1)
    names = {pictures.place(source, (index,)).file_name for source in (one, other) for index in (0, 1)}
    assert len(names) == 4
    assert pictures.place(other, (0,)).stack == "Day_3_cells_2_2"


def test_layers_on_one_image_share_its_picture(tmp_path: Path) -> None:
    image = Image(np.zeros((4, 4), np.uint8), name="one")
    pictures = Pictures(tmp_path / "a.json")
    sources = [label_source(Labels(np.zeros((4, 4), int), name=name), image) for name in ("a", "b")]
    assert len({pictures.place(source, ()).file_name for source in sources}) == 1
    assert len(pictures.written) == 1


def known(labels: Labels, path: Path) -> dict[str, Any]:
    entry = {"index": [0], "file_name": "images/old_z0.png", "stack": "old", "height": 4, "width": 4}
    coco = {"file": str(path), "images": [entry], "ids": {"images/old_z0.png": {"3": 8}}}
    labels.metadata["napari_dextr"] = {"coco": coco}
    return coco


def test_names_and_numbers_of_the_same_file_stay(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    labels = Labels(np.zeros((2, 4, 4), int))
    known(labels, path)
    source = label_source(labels, Image(np.zeros((2, 4, 4), np.uint8), name="renamed"))
    pictures = Pictures(path)
    assert pictures.ids(source, (0,)) == {3: 8}
    assert pictures.ids(source, (1,)) == {}
    assert pictures.place(source, (0,)) == PictureName("images/old_z0.png", "old")
    assert pictures.place(source, (1,)) == PictureName("images/old_z1.png", "old")
    assert sorted(file.name for file in pictures.written) == ["old_z0.png", "old_z1.png"]
    assert [entry["file_name"] for entry in pictures.entries(source)] == ["images/old_z0.png", "images/old_z1.png"]


def test_numbers_of_another_file_do_not_count(tmp_path: Path) -> None:
    labels = Labels(np.zeros((2, 4, 4), int))
    known(labels, tmp_path / "a.json")
    assert Pictures(tmp_path / "b.json").ids(label_source(labels, None), (0,)) == {}


def test_the_same_file_is_known_by_every_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, labels = tmp_path / "data", Labels(np.zeros((2, 4, 4), int))
    folder.mkdir()
    (folder / "a.json").write_text("{}")
    try:
        (tmp_path / "link").symlink_to(folder, target_is_directory=True)
        (tmp_path / "b.json").symlink_to(folder / "a.json")
    except OSError:
        pytest.skip("links need rights here")
    monkeypatch.chdir(folder)
    for read in (folder / "a.json", tmp_path / "link" / "a.json", tmp_path / "b.json"):
        known(labels, read)
        for path in (folder / "a.json", tmp_path / "link" / "a.json", tmp_path / "b.json", Path("a.json")):
            pictures = Pictures(path)
            assert pictures.ids(label_source(labels, None), (0,)) == {3: 8}
            assert pictures.root == folder


@pytest.mark.parametrize("name", ["/data/a.png", "../a.png", "C:\\im\\a.png"])
def test_a_picture_outside_of_the_folder_is_not_written(tmp_path: Path, name: str) -> None:
    labels = Labels(np.zeros((2, 4, 4), int))
    entry = {"index": [0], "file_name": name, "stack": None, "height": 4, "width": 4}
    labels.metadata["napari_dextr"] = {"coco": {"file": str(tmp_path / "a.json"), "images": [entry]}}
    source = label_source(labels, Image(np.zeros((2, 4, 4), np.uint8), name="x"))
    assert Pictures(tmp_path / "a.json").place(source, (0,)) == PictureName(name)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "images").write_text("in the way")
    with pytest.raises(OutputError, match="is a file, not a folder"):
        Pictures(tmp_path / "a.json").place(source_of((4, 4)), ())


def exported(path: Path, labels: Labels, image: Image) -> Pictures:
    source, pictures = label_source(labels, image), Pictures(path)
    pictures.place(source, (1,))
    keep_numbers(source, pictures, {}, [])
    return pictures


def test_a_picture_of_ours_follows_the_image_and_its_limits(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    image = Image(np.linspace(0, 1, 32, dtype=np.float32).reshape(2, 4, 4), name="x", contrast_limits=(0, 1))
    labels = Labels(np.zeros((2, 4, 4), int), name="labels")
    (written,) = exported(path, labels, image).written
    first = written.read_bytes()
    assert exported(path, labels, image).written == []
    image.contrast_limits = (0, 0.7)
    assert exported(path, labels, image).written == [written]
    second = written.read_bytes()
    assert second != first
    image.data[1] = image.data[1, ::-1].copy()
    assert exported(path, labels, image).written == [written]
    assert written.read_bytes() != second
    assert [file.name for file in written.parent.iterdir()] == [written.name]


def test_a_picture_of_somebody_else_stays_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    (tmp_path / "images").mkdir()
    theirs = tmp_path / "images" / "old_z0.png"
    theirs.write_bytes(b"theirs")
    labels = Labels(np.zeros((2, 4, 4), int))
    known(labels, path)
    source = label_source(labels, Image(np.ones((2, 4, 4), np.uint8), name="x"))
    pictures = Pictures(path)
    assert pictures.place(source, (0,)).file_name == "images/old_z0.png"
    pictures.discard()
    assert theirs.read_bytes() == b"theirs"


@pytest.mark.parametrize("name", ["a.json", "elsewhere/b.json"])
def test_black_in_place_of_a_missing_picture_is_not_written(tmp_path: Path, name: str) -> None:
    read, path = tmp_path / "a.json", tmp_path / name
    path.parent.mkdir(exist_ok=True)
    Picture.fromarray(np.ones((4, 4), np.uint8)).save(tmp_path / "there.png")
    names = ("there.png", "missing.png")
    entries = [
        {"index": [z], "file_name": name, "stack": None, "height": 4, "width": 4} for z, name in enumerate(names)
    ]
    coco = {"file": str(read), "root": str(tmp_path), "images": entries}
    image = Image(np.zeros((2, 4, 4), np.uint8), metadata={"napari_dextr": {"coco": coco}})
    labels = Labels(np.ones((2, 4, 4), int), metadata={"napari_dextr": {"coco": {**coco, "ids": {}}}})
    source, pictures = label_source(labels, image), Pictures(path)
    for z, name in enumerate(names):
        assert Path(pictures.place(source, (z,)).file_name).stem == Path(name).stem
    assert not any(file.stem == "missing" for file in pictures.written)
    assert not list(tmp_path.rglob("missing*"))


def test_what_was_written_can_be_taken_back(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "other.png").write_bytes(b"other")
    pictures = Pictures(tmp_path / "a.json")
    pictures.place(source_of((2, 4, 4)), (1,))
    pictures.discard()
    assert [file.name for file in (tmp_path / "images").iterdir()] == ["other.png"]
    assert pictures.written == []


@pytest.mark.parametrize(("inside", "comes_back"), [(True, True), (False, False)])
def test_planes_that_are_left_out_are_seen_in_a_stack_that_lies_there(
    tmp_path: Path, inside: bool, comes_back: bool
) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    path = (folder if inside else tmp_path) / "stack.tif"
    path.write_bytes(b"x")
    assert Pictures(folder / "a.json").come_back(source_of((3, 4, 4), path=path)) is comes_back
    assert Pictures(folder / "a.json").come_back(source_of((4, 4)))
