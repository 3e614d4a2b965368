"""Images of COCO files: objects, crowds, missing files, and stacks."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from napari_dextr.coco import labels_to_coco, read_coco, write_coco
from napari_dextr.coco.images import MissingImageError
from napari_dextr.errors import DataError
from napari_dextr.training.annotated import Rules, file_key
from napari_dextr.training.coco_planes import CocoPlane


@pytest.fixture
def pack(tmp_path):
    """Three objects, one of them a crowd, one without a mask."""
    labels = np.zeros((40, 50), np.int32)
    labels[5:20, 5:20], labels[15:35, 15:40] = 1, 2
    Image.fromarray(labels.astype(np.uint8)).save(tmp_path / "a.png")
    document = labels_to_coco(labels, "a.png")
    document["categories"][0]["name"] = "nucleus"
    document["annotations"][1]["iscrowd"] = 1
    document["annotations"][0]["napari_dextr"] = {"model": "embedded", "box": [1, 2, 3, 4]}
    document["annotations"].append({"id": 3, "image_id": 1, "category_id": 1, "bbox": [0, 0, 5, 5], "iscrowd": 0})
    write_coco(tmp_path / "a.json", document)
    return tmp_path


def plane_of(pack):
    data = read_coco(pack / "a.json")
    return CocoPlane(data, data.images[1], pack, Rules())


def test_objects_have_class_and_facts_and_crowds_are_none(pack):
    plane = plane_of(pack)
    (item,) = plane.objects()
    assert (item.label, item.kind, item.facts.model) == (1, "nucleus", "embedded")
    assert plane.left_out == {"marking crowds": 1, "without a mask": 1}
    region, mask = item.read()
    assert mask.sum() == 15 * 15 - 25  # the crowd was painted over it
    unknown = plane.unknown()(item, region, mask)
    assert unknown.sum() == 20 * 25
    assert not unknown[region][mask].any()


def test_records_that_make_no_sense_leave_the_mask_usable(pack):
    text = (pack / "a.json").read_text(encoding="utf-8").replace('"embedded"', "7")
    (pack / "a.json").write_text(text, encoding="utf-8")
    (item,) = plane_of(pack).objects()
    assert item.facts is None
    assert item.read()[1].any()


def test_a_missing_image_is_seen_without_reading(pack):
    plane = plane_of(pack)
    assert plane.lack() is None
    assert plane.plane().shape == (40, 50)
    assert plane.key == file_key(pack / "a.png")
    (pack / "a.png").unlink()
    assert "'a.png' is not in" in plane.lack()
    with pytest.raises(MissingImageError):
        plane.plane()


def test_an_image_of_another_size_is_refused(pack):
    Image.fromarray(np.zeros((40, 51), np.uint8)).save(pack / "a.png")
    with pytest.raises(DataError, match="40 x 51 pixels"):
        plane_of(pack).plane()
