"""COCO files: read with checks, written so that pycocotools reads them."""

from __future__ import annotations

import contextlib
import io
import json
import os

import numpy as np
import pytest

from napari_dextr.coco import find_image, labels_to_coco, merge_coco, read_coco, write_coco
from napari_dextr.errors import DataError, OutputError
from napari_dextr.rle import encode

LABELS = np.zeros((12, 20), np.int32)
LABELS[2:6, 3:9] = 4
LABELS[3, 5] = 0  # a hole
LABELS[8:11, 12:20] = 70_000
LABELS[0, 0] = 70_000  # a second part


def document(**changes) -> dict:
    """A small valid file: one square with an ignored border."""
    square = np.zeros((8, 10), bool)
    square[2:6, 2:6] = True
    base = {
        "images": [{"id": 7, "file_name": "a.png", "height": 8, "width": 10}],
        "annotations": [
            {
                "id": 1,
                "image_id": 7,
                "category_id": 2,
                "segmentation": encode(square),
                "bbox": [2, 2, 4, 4],
                "area": 16,
                "iscrowd": 0,
                "ignore_segmentation": encode(~square),
            }
        ],
        "categories": [{"id": 2, "name": "cell"}],
    }
    return {**base, **changes}


@pytest.fixture
def write(tmp_path):
    def _write(content) -> os.PathLike:
        path = tmp_path / "annotations.json"
        path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
        return path

    return _write


def test_reading_gives_images_objects_and_masks(write):
    dataset = read_coco(write(document()))
    (obj,) = dataset.objects
    assert (dataset.images[7].file_name, dataset.images[7].height, dataset.images[7].width) == ("a.png", 8, 10)
    assert (obj.id, obj.image_id, obj.category_id, obj.bbox, obj.iscrowd) == (1, 7, 2, (2, 2, 4, 4), False)
    assert dataset.categories == {2: "cell"}
    assert dataset.mask(obj).sum() == 16
    np.testing.assert_array_equal(dataset.ignore_mask(obj), ~dataset.mask(obj))
    assert obj.extra["area"] == 16
    assert [(image.id, [o.id for o in objects]) for image, objects in dataset.by_image()] == [(7, [1])]


def test_objects_with_a_box_only_are_read_but_have_no_mask(write):
    base = document()
    del base["annotations"][0]["segmentation"], base["annotations"][0]["ignore_segmentation"]
    dataset = read_coco(write(base))
    assert dataset.ignore_mask(dataset.objects[0]) is None
    with pytest.raises(DataError, match="Object 1 of 'annotations.json' has no segmentation"):
        dataset.mask(dataset.objects[0])


def test_a_file_with_a_byte_order_mark_is_read(tmp_path):
    (tmp_path / "bom.json").write_text(json.dumps(document()), encoding="utf-8-sig")
    assert len(read_coco(tmp_path / "bom.json").objects) == 1


def _without(part: str, key: str) -> dict:
    base = document()
    del base[part][0][key]
    return base


def _with(part: str, key: str, value) -> dict:
    base = document()
    base[part][0][key] = value
    return base


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "not complete JSON"),
        (json.dumps(document())[:200], "not complete JSON"),
        ("[]", "not a COCO file"),
        ('{"images": []}', "not a COCO file"),
        ('{"images": {}, "annotations": []}', "not a COCO file"),
        ({**document(), "images": [3]}, "image entry"),
        ({**document(), "annotations": [None]}, "annotation that is not"),
        (_without("images", "height"), "lacks the key 'height'"),
        (_without("annotations", "category_id"), "lacks the key 'category_id'"),
        (_with("images", "width", "wide"), "not a whole number"),
        (_with("images", "width", 9.5), "not a whole number"),
        (_with("images", "width", float("inf")), "not a whole number"),
        (_with("images", "height", 0), "must be positive"),
        (_with("annotations", "bbox", [1, 2, 3]), "four numbers"),
        (_with("annotations", "image_id", 8), "belongs to image 8"),
        ({**document(), "annotations": document()["annotations"] * 2}, "two annotations with one id"),
        ({**document(), "images": document()["images"] * 2}, "two images with id 7"),
        ({**document(), "categories": [{"id": 1}]}, "categories"),
    ],
)
def test_foreign_and_broken_files_are_refused_in_one_sentence(write, content, words):
    with pytest.raises(DataError, match=words) as caught:
        read_coco(write(content))
    assert "\n" not in str(caught.value)


def test_missing_files_folders_and_binary_are_refused(tmp_path):
    with pytest.raises(DataError, match="does not exist"):
        read_coco(tmp_path / "gone.json")
    with pytest.raises(DataError, match="cannot be read"):
        read_coco(tmp_path)
    (tmp_path / "image.json").write_bytes(bytes(range(256)))
    with pytest.raises(DataError, match="not a JSON text file"):
        read_coco(tmp_path / "image.json")


def test_a_segmentation_of_another_size_names_the_object(write):
    dataset = read_coco(write(_with("annotations", "segmentation", encode(np.ones((3, 3), bool)))))
    with pytest.raises(DataError, match="Object 1 of 'annotations.json'"):
        dataset.mask(dataset.objects[0])


def test_images_are_found_with_and_without_their_folder(write, tmp_path):
    dataset = read_coco(write(_with("images", "file_name", "train\\a.png")))
    image = dataset.images[7]
    with pytest.raises(DataError, match="not in"):
        find_image(tmp_path, image)
    (tmp_path / "a.png").touch()
    assert find_image(tmp_path, image) == tmp_path / "a.png"
    (tmp_path / "train").mkdir()
    (tmp_path / "train" / "a.png").touch()
    assert find_image(tmp_path, image) == tmp_path / "train" / "a.png"


def test_labels_go_out_and_come_back(tmp_path):
    facts = {4: {"score": np.float32(0.5), "id": 99}}
    coco = labels_to_coco(LABELS, "a.tif", categories={1: "cell", 5: "dirt"}, category_of={70_000: 5}, facts=facts)
    write_coco(tmp_path / "a.json", coco)
    dataset = read_coco(tmp_path / "a.json")
    assert [obj.id for obj in dataset.objects] == [1, 2]
    assert [obj.category_id for obj in dataset.objects] == [1, 5]
    assert dataset.objects[0].extra["score"] == 0.5
    back = np.zeros_like(LABELS)
    for obj in dataset.objects:
        back[dataset.mask(obj)] = obj.extra["label"]
        assert obj.extra["area"] == (LABELS == obj.extra["label"]).sum()
    np.testing.assert_array_equal(back, LABELS)
    assert dataset.objects[0].bbox == (3, 2, 6, 4)


def test_pycocotools_reads_what_is_written(tmp_path):
    coco_module = pytest.importorskip("pycocotools.coco")
    write_coco(tmp_path / "a.json", labels_to_coco(LABELS, "a.tif"))
    with contextlib.redirect_stdout(io.StringIO()):
        coco = coco_module.COCO(str(tmp_path / "a.json"))
    masks = [coco.annToMask(annotation) for annotation in coco.loadAnns(coco.getAnnIds())]
    np.testing.assert_array_equal(masks[0].astype(bool), LABELS == 4)
    np.testing.assert_array_equal(masks[1].astype(bool), LABELS == 70_000)


def test_negative_and_no_labels_are_objects_and_none():
    assert labels_to_coco(np.zeros((3, 3), np.uint8), "a.png")["annotations"] == []
    (annotation,) = labels_to_coco(np.array([[0, -3], [0, -3]]), "a.png")["annotations"]
    assert (annotation["label"], annotation["area"]) == (-3, 2)


@pytest.mark.parametrize("labels", [np.zeros((3, 3)), np.zeros((2, 3, 3), int)])
def test_labels_that_are_none_are_refused(labels):
    with pytest.raises(DataError, match="plane of whole numbers"):
        labels_to_coco(labels, "a.png")


def test_an_unlisted_category_is_refused():
    with pytest.raises(DataError, match="category 9"):
        labels_to_coco(LABELS, "a.png", category_of={4: 9})


def test_merging_numbers_anew_and_joins_categories_by_name():
    one = labels_to_coco(LABELS, "a.png", categories={3: "cell", 1: "dirt"}, category_of={4: 3, 70_000: 1})
    two = labels_to_coco(LABELS, "b.png", categories={1: "cell"})
    merged = merge_coco([one, two])
    assert [image["id"] for image in merged["images"]] == [1, 2]
    assert [entry["id"] for entry in merged["annotations"]] == [1, 2, 3, 4]
    assert [entry["image_id"] for entry in merged["annotations"]] == [1, 1, 2, 2]
    assert merged["categories"] == [{"id": 1, "name": "cell"}, {"id": 2, "name": "dirt"}]
    assert [entry["category_id"] for entry in merged["annotations"]] == [1, 2, 1, 1]


def test_writing_refuses_what_json_cannot_hold_and_leaves_nothing(tmp_path):
    for value in (float("nan"), object()):
        with pytest.raises(DataError, match="JSON cannot keep"):
            write_coco(tmp_path / "a.json", {"images": value})
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(OutputError):
        write_coco(tmp_path / "no" / "a.json", document())
