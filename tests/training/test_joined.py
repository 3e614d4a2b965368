"""Several sources as one: each image on one side, each object once."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from napari_dextr.coco import labels_to_coco, write_coco
from napari_dextr.errors import DataError
from napari_dextr.training.joined import JoinedSource
from napari_dextr.training.sources import ArraySource, CocoSource


def silent(_line):
    pass


def picture(shift=0):
    """An image with six squares of 10 to 15 pixels, and its labels."""
    labels = np.zeros((80, 100), np.int32)
    for label in range(1, 7):
        row, col = 5 + shift + 35 * ((label - 1) // 3), 5 + 30 * ((label - 1) % 3)
        labels[row : row + 9 + label, col : col + 12] = label
    return (40 + 30 * labels).astype(np.uint8), labels


def write(folder, name, image, labels):
    Image.fromarray(image).save(folder / f"{name}.png")
    write_coco(folder / f"{name}.json", labels_to_coco(labels, f"{name}.png"))
    return CocoSource(folder / f"{name}.json", folder)


def test_objects_of_all_parts_are_there(tmp_path):
    joined = JoinedSource([write(tmp_path, "a", *picture()), ArraySource([picture(5)])])
    assert len(joined.parts) == 2
    assert len(list(joined.crops(48, 0, silent))) == 12
    facts = joined.facts()
    assert json.loads(json.dumps(facts)) == facts
    assert facts["annotations"] == "a.json, labels"
    assert JoinedSource(joined.parts[:1]).facts() != facts


def test_what_lies_twice_on_one_image_is_used_once(tmp_path):
    image, labels = picture()
    first = write(tmp_path, "a", image, labels)
    (tmp_path / "again.json").write_bytes((tmp_path / "a.json").read_bytes())
    said = []
    crops = list(JoinedSource([first, CocoSource(tmp_path / "again.json", tmp_path)]).crops(48, 0, said.append))
    assert len(crops) == 6
    assert said == ["Objects left out: 6 drawn twice"]


def test_all_objects_of_an_image_are_on_one_side_whichever_part_they_are_from(tmp_path):
    image, labels = picture()
    halves = [np.where(labels % 2 == rest, labels, 0) for rest in (0, 1)]
    sources = [write(tmp_path, "a", image, halves[0]), write(tmp_path, "b", *picture(3)), ArraySource([picture(6)])]
    write_coco(tmp_path / "rest.json", labels_to_coco(halves[1], "a.png"))
    joined = JoinedSource([*sources, CocoSource(tmp_path / "rest.json", tmp_path)])
    for seed in range(6):
        kept, held = joined.split(0.33, seed)
        keys = [{image.key for image in part.images} for part in (kept, held)]
        assert not keys[0] & keys[1]
        assert len(list(kept.crops(48, 0, silent))) == 12
        assert len(list(held.crops(48, 0, silent))) == 6


def test_one_image_in_two_parts_is_parted_by_one_line():
    image, labels = picture()
    even, odd = (np.where(labels % 2 == rest, labels, 0) for rest in (0, 1))
    kept, held = JoinedSource([ArraySource([(image, even)]), ArraySource([(image, odd)])]).split(0.3, 1)
    sides = [{item.label for part in side.images for item in part.objects()} for side in (kept, held)]
    assert not sides[0] & sides[1]
    assert min(map(len, sides)) >= 2
    assert len({part.shape for part in held.images}) == 1


def test_no_parts_are_refused():
    with pytest.raises(DataError, match="nothing to learn from"):
        JoinedSource([])
