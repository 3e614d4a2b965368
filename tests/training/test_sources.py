"""Sources: what is cut out of them, and that no image is on both sides of a split."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from napari_dextr.coco import labels_to_coco, merge_coco, write_coco
from napari_dextr.errors import DataError, ImageError
from napari_dextr.training.crops import OBJECT
from napari_dextr.training.sources import ArraySource, CocoSource


def silent(_line):
    pass


def picture(objects, size=(90, 100), seed=0):
    """An image with discs, and its labels."""
    rng = np.random.default_rng(seed)
    labels = np.zeros(size, np.int32)
    rows, cols = np.indices(size)
    for label in range(1, objects + 1):
        row, col = 20 + 45 * ((label - 1) // 2), 25 + 45 * ((label - 1) % 2)
        labels[np.hypot(rows - row, cols - col) < rng.uniform(9, 14)] = label
    image = np.where(labels > 0, 190, 60) + rng.normal(0, 5, size)
    return image.clip(0, 255).astype(np.uint8), labels


@pytest.fixture
def pack(tmp_path):
    """Four images: three with two objects each, one with none."""
    documents = []
    for number, objects in enumerate((2, 2, 2, 0)):
        image, labels = picture(objects, seed=number)
        Image.fromarray(image).save(tmp_path / f"{number}.png")
        documents.append(labels_to_coco(labels, f"{number}.png"))
    write_coco(tmp_path / "own.json", merge_coco(documents))
    return tmp_path


def test_coco_objects_become_crops(pack):
    crops = list(CocoSource(pack / "own.json", pack).crops(64, 0, silent))
    assert len(crops) == 6
    assert all(crop.image.shape == (64, 64, 3) and (crop.mask & OBJECT).any() for crop in crops)


def test_a_split_shares_out_whole_images(pack):
    source = CocoSource(pack / "own.json", pack)
    kept, held = source.split(0.4, seed=3)
    assert not kept.chosen & held.chosen
    assert len(kept.chosen | held.chosen) == 3  # the one without objects judges nothing
    assert (len(list(kept.crops(64, 0, silent))), len(list(held.crops(64, 0, silent)))) == (4, 2)
    again = source.split(0.4, seed=3)
    assert (again[0].chosen, again[1].chosen) == (kept.chosen, held.chosen)
    assert len({source.split(0.4, seed=seed)[1].chosen for seed in range(12)}) > 1


@pytest.mark.parametrize("share", [0.01, 0.99])
def test_each_side_gets_an_image(pack, share):
    kept, held = CocoSource(pack / "own.json", pack).split(share, 0)
    assert kept.chosen
    assert held.chosen


@pytest.mark.parametrize("share", [0, 1, -0.5])
def test_shares_that_make_no_sense_are_refused(pack, share):
    with pytest.raises(DataError, match="between 0 and 1"):
        CocoSource(pack / "own.json", pack).split(share, 0)


def test_one_image_cannot_be_split(tmp_path):
    image, labels = picture(2)
    write_coco(tmp_path / "one.json", labels_to_coco(labels, "a.png"))
    with pytest.raises(DataError, match="only one image"):
        CocoSource(tmp_path / "one.json", tmp_path).split(0.5, 0)
    with pytest.raises(DataError, match="only one image"):
        ArraySource([(image, labels)]).split(0.5, 0)


def test_files_without_a_usable_object_are_refused(tmp_path):
    write_coco(tmp_path / "none.json", labels_to_coco(picture(0)[1], "a.png"))
    with pytest.raises(DataError, match="no object with a mask"):
        list(CocoSource(tmp_path / "none.json", tmp_path).crops(64, 0, silent))


@pytest.mark.parametrize("accident", ["missing", "broken", "other size"])
def test_images_that_cannot_be_used_are_named(pack, accident):
    path = pack / "1.png"
    if accident == "missing":
        path.unlink()
    elif accident == "broken":
        path.write_bytes(path.read_bytes()[:60])
    else:
        Image.fromarray(np.zeros((50, 50), np.uint8)).save(path)
    with pytest.raises((DataError, ImageError), match=r"1\.png"):
        list(CocoSource(pack / "own.json", pack).crops(64, 0, silent))


def test_broken_images_can_be_passed_over(pack):
    (pack / "1.png").unlink()
    lines = []
    source = CocoSource(pack / "own.json", pack, skip_unreadable=True)
    assert len(list(source.crops(64, 0, lines.append))) == 4
    assert lines


def test_facts_tell_data_from_other_data(pack):
    source = CocoSource(pack / "own.json", pack)
    facts = source.facts()
    assert json.loads(json.dumps(facts)) == facts
    assert CocoSource(pack / "own.json", pack, least_area=90).facts() != facts
    assert source.split(0.4, 0)[0].facts() != facts
    write_coco(pack / "own.json", labels_to_coco(picture(1)[1], "0.png"))
    assert CocoSource(pack / "own.json", pack).facts() != facts


def test_arrays_become_crops_plane_by_plane():
    images, labels = (np.stack(part) for part in zip(*(picture(n, seed=n) for n in (2, 0, 3)), strict=True))
    source = ArraySource([(images, labels)])
    assert len(list(source.crops(64, 0, silent))) == 5
    kept, held = source.split(0.5, 0)
    assert sorted(len(list(part.crops(64, 0, silent))) for part in (kept, held)) == [2, 3]
    assert json.loads(json.dumps(source.facts())) == source.facts()
    assert kept.facts() != held.facts()


def test_arrays_without_objects_or_of_two_sizes_are_refused():
    image, labels = picture(2)
    with pytest.raises(DataError, match="do not fit"):
        ArraySource([(image[:50], labels)])
    with pytest.raises(DataError):
        list(ArraySource([(image, np.zeros_like(labels))]).crops(64, 0, silent))
    with pytest.raises(DataError, match="no image"):
        list(ArraySource([]).crops(64, 0, silent))
