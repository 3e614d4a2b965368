"""COCO files are read with checks."""

from __future__ import annotations

import json

import numpy as np
import pytest

from napari_dextr.coco import read_coco
from napari_dextr.coco.reading import whole
from napari_dextr.errors import DataError
from napari_dextr.objects import ObjectClass

from .samples import document, with_value, without


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


def test_a_file_with_a_byte_order_mark_is_read(tmp_path):
    (tmp_path / "bom.json").write_text(json.dumps(document()), encoding="utf-8-sig")
    assert len(read_coco(tmp_path / "bom.json").objects) == 1


def test_large_numbers_stay_exact_and_lists_may_come_in_any_order(write):
    base = with_value("annotations", "id", 2**53 + 1)
    dataset = read_coco(write({key: base[key] for key in ("categories", "annotations", "images")}))
    assert dataset.objects[0].id == 2**53 + 1


def test_colours_are_ours_or_those_of_panoptic_files(write):
    ours = {"id": 1, "name": "a", "napari_dextr": {"colour": "#010203"}}
    panoptic = {"id": 2, "name": "b", "color": [255, 0, 16]}
    nonsense = {"id": 3, "name": "c", "color": ["red"]}
    dataset = read_coco(write(document(categories=[ours, panoptic, nonsense])))
    assert dataset.colours == {1: "#010203", 2: "#ff0010"}
    assert dataset.classes[:2] == [ObjectClass(1, "a", "#010203"), ObjectClass(2, "b", "#ff0010")]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "not complete JSON"),
        (json.dumps(document())[:200], "not complete JSON"),
        ("[]", "not a COCO file"),
        ("{}", "not a COCO file"),
        ("3", "not a COCO file"),
        ('{"images": []}', "not a COCO file"),
        ('{"images": {}, "annotations": []}', "not a COCO file"),
        ('{"shapes": [{"points": []}], "imagePath": "a.png"}', "not a COCO file"),
        ({**document(), "images": [3]}, "image entry"),
        ({**document(), "annotations": [None]}, "annotation that is not"),
        (without("images", "height"), "lacks the key 'height'"),
        (without("annotations", "category_id"), "lacks the key 'category_id'"),
        (with_value("images", "width", "wide"), "not a whole number"),
        (with_value("images", "width", 9.5), "not a whole number"),
        (with_value("images", "width", float("inf")), "not a whole number"),
        (with_value("images", "height", 0), "must be positive"),
        (with_value("annotations", "bbox", [1, 2, 3]), "four numbers"),
        (with_value("annotations", "bbox", [1, 2, 3, float("nan")]), "four numbers"),
        (with_value("annotations", "image_id", 8), "belongs to image 8"),
        (with_value("annotations", "category_id", 9), "category 9, which is missing"),
        ({**document(), "annotations": document()["annotations"] * 2}, "two annotations with one id"),
        ({**document(), "images": document()["images"] * 2}, "two images with id 7"),
        ({**document(), "categories": document()["categories"] * 2}, "two categories with id 2"),
        ({**document(), "categories": [{"id": 1}]}, "categories"),
        ({**document(), "categories": ["cell"]}, "categories"),
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


@pytest.mark.parametrize("number", [2**63, -(2**63), 10**400, "1e999", float("nan")])
def test_ids_that_no_program_counts_to_are_refused(number):
    for value in (number, -number) if not isinstance(number, str) else (number,):
        with pytest.raises((ValueError, OverflowError)):
            whole(value)
    assert whole(2**63 - 1) == 2**63 - 1


@pytest.mark.parametrize("text", ["9007199254740993", "12", "12.0", " 7 "])
def test_ids_written_as_text_are_exact(text):
    assert whole(text) == (int(text) if "." not in text else 12)


def test_polygons_that_enclose_nothing_are_none(write):
    box = [2, 2, 6, 2, 6, 6, 2, 6]
    for written, read in (([[]], None), ([], None), ([[1, 1, 2, 2]], None), ([[1, 1], box], [box]), ([box], [box])):
        (obj,) = read_coco(write(with_value("annotations", "segmentation", written))).objects
        assert obj.segmentation == read


def test_a_name_in_two_folders_is_not_known_without_them(write):
    content = document()
    content["images"] += [{**content["images"][0], "id": 8, "file_name": "val\\a.png"}]
    content["images"] += [{**content["images"][0], "id": 9, "file_name": "val/b.png"}]
    images = read_coco(write(content)).images
    assert [images[number].bare for number in (7, 8, 9)] == [False, False, True]


def test_reading_can_be_ended_from_outside(write):
    class Enough(Exception):
        pass

    def going():
        raise Enough

    with pytest.raises(Enough):
        read_coco(write(document()), going)
