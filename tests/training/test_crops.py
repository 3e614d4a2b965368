"""Crop stores: what is cut, what is left out, and that a half-written store is not used."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from napari_dextr.coco import labels_to_coco, write_coco
from napari_dextr.errors import DataError
from napari_dextr.image import as_plane
from napari_dextr.training.crops import IGNORE, OBJECT, OUTSIDE, Crop, CropStore, coco_crops, cut, write_store

from .conftest import SIDE, blobs


def test_a_crop_holds_the_object_with_half_its_side_around():
    image = np.zeros((200, 200), np.uint8)
    image[80:120, 90:110] = 200
    crop = cut(as_plane(image), image > 0, None, 80)
    assert crop.image.shape == (80, 80, 3)
    rows, cols = np.nonzero(crop.mask & OBJECT)
    # 40 px tall with 20 px above and below: 80 px at scale one; the aspect ratio is kept
    assert np.ptp(rows) + 1 == 40
    assert np.ptp(cols) + 1 == 20
    np.testing.assert_array_equal(crop.image[..., 0] > 100, (crop.mask & OBJECT) > 0)


def test_beyond_the_image_and_ignored_pixels_are_flagged():
    image = np.zeros((60, 60), np.uint8)
    mask = np.zeros((60, 60), bool)
    mask[0:20, 0:20] = True
    ignore = np.zeros((60, 60), bool)
    ignore[25:, :] = True
    crop = cut(as_plane(image), mask, ignore, 40)
    assert (crop.mask[:8] & OUTSIDE).all()
    assert (crop.mask[-3, 12:] & IGNORE).all()
    assert not (crop.mask[crop.mask & OBJECT > 0] & OUTSIDE).any()


def test_a_store_comes_back_as_written(tmp_path):
    crops = list(blobs(5))
    messages = []
    store = write_store(tmp_path / "s", [("a", crops[:3]), ("b", crops[3:])], SIDE, messages.append)
    again = CropStore.open(tmp_path / "s")
    assert again.names == ("a", "b")
    assert messages == ["a: 3 crops", "b: 2 crops"]
    np.testing.assert_array_equal(again.groups, [0, 0, 0, 1, 1])
    assert len(again) == len(store) == 5
    for index, crop in enumerate(crops):
        np.testing.assert_array_equal(again.images[index], crop.image)
        np.testing.assert_array_equal(again.masks[index], crop.mask)


def test_crops_whose_object_vanished_are_left_out(tmp_path):
    crops = list(blobs(2))
    vanished = Crop(crops[0].image, np.zeros_like(crops[0].mask))
    assert len(write_store(tmp_path / "s", [("a", [vanished, *crops])], SIDE)) == 2


def test_a_store_that_broke_off_is_not_used(tmp_path):
    def broken():
        yield from blobs(2)
        raise RuntimeError("killed")

    with pytest.raises(RuntimeError):
        write_store(tmp_path / "s", [("a", broken())], SIDE)
    with pytest.raises(DataError, match="not a complete crop store"):
        CropStore.open(tmp_path / "s")


def test_a_store_without_objects_is_refused(tmp_path):
    with pytest.raises(DataError, match="No usable object"):
        write_store(tmp_path / "s", [("a", [])], SIDE)


@pytest.fixture
def pack(tmp_path):
    """A COCO file with a large, a small and a crowd object on one image."""
    labels = np.zeros((60, 80), np.int32)
    labels[5:30, 5:40] = 1
    labels[40:44, 50:54] = 2
    labels[35:55, 5:30] = 3
    (tmp_path / "images").mkdir()
    Image.fromarray(np.full((60, 80, 3), 90, np.uint8)).save(tmp_path / "images" / "a.png")
    document = labels_to_coco(labels, "a.png")
    document["annotations"][2]["iscrowd"] = 1
    write_coco(tmp_path / "annotations.json", document)
    return tmp_path


def test_small_objects_and_crowds_are_left_out(pack):
    crops = list(coco_crops(pack / "annotations.json", pack / "images", 32, least_area=60))
    assert len(crops) == 1
    assert len(list(coco_crops(pack / "annotations.json", pack / "images", 32, least_area=10))) == 2


def test_objects_of_one_image_can_be_limited(pack):
    assert len(list(coco_crops(pack / "annotations.json", pack / "images", 32, least_area=1, most_per_image=1))) == 1


def test_an_image_of_another_size_than_its_masks_is_named(pack):
    Image.fromarray(np.zeros((60, 81, 3), np.uint8)).save(pack / "images" / "a.png")
    with pytest.raises(DataError, match=r"60 x 81 pixels.*60 x 80"):
        list(coco_crops(pack / "annotations.json", pack / "images", 32))


def test_facts_are_written_last(tmp_path):
    write_store(tmp_path / "s", [("a", blobs(2))], SIDE)
    assert json.loads((tmp_path / "s" / "facts.json").read_text(encoding="utf-8"))["counts"] == [2]
    assert not [file for file in (tmp_path / "s").iterdir() if file.suffix == ".raw"]
