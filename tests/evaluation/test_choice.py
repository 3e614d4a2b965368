"""Which objects are evaluated."""

from __future__ import annotations

import json

import pytest

from napari_dextr.coco import read_coco, write_coco
from napari_dextr.errors import DataError
from napari_dextr.evaluation.choice import choose_objects
from napari_dextr.evaluation.settings import Settings


def ids(dataset, **changes) -> list[int]:
    return [obj.id for _, objects in choose_objects(dataset, Settings(baselines=(), **changes)) for obj in objects]


@pytest.fixture
def dataset(pack):
    return read_coco(pack / "a.json")


def test_objects_are_chosen_by_size_and_number(dataset):
    assert ids(dataset) == list(range(1, 10))
    assert ids(dataset, least_area=100) == [1, 2, 4, 5, 7, 8]
    per_image = choose_objects(dataset, Settings(most_per_image=1))
    assert [(image.file_name, len(objects)) for image, objects in per_image] == [
        ("0.png", 1),
        ("1.png", 1),
        ("2.png", 1),
    ]
    assert len(ids(dataset, most=4)) == 4
    assert ids(dataset, most=4) == sorted(ids(dataset, most=4))
    with pytest.raises(DataError, match=r"'a\.json' holds no object to evaluate on.*lower the least area"):
        choose_objects(dataset, Settings(least_area=1e6))


def test_the_seed_draws_the_same_objects_for_any_prompt(dataset):
    some = ids(dataset, most=4, seed=5)
    assert ids(dataset, most=4, seed=5, prompts=("box",), jitters=(0.02,), corrections=0) == some
    assert any(ids(dataset, most=4, seed=seed) != some for seed in range(5))


def test_crowds_and_objects_without_a_mask_are_left_out_and_missing_areas_counted(pack, tmp_path):
    coco = json.loads((pack / "a.json").read_text(encoding="utf-8"))
    coco["annotations"][0]["iscrowd"] = 1
    coco["annotations"][1]["segmentation"] = None
    for entry in coco["annotations"]:
        del entry["area"]
    write_coco(tmp_path / "a.json", coco)
    assert ids(read_coco(tmp_path / "a.json"), least_area=100) == [4, 5, 7, 8]


def test_an_area_of_0_is_counted_anew(pack, tmp_path):
    content = json.loads((pack / "a.json").read_text(encoding="utf-8"))
    for entry in content["annotations"]:
        entry["area"] = 0
    (tmp_path / "zero.json").write_text(json.dumps(content), encoding="utf-8")
    assert ids(read_coco(tmp_path / "zero.json")) == list(range(1, 10))
