"""Masks, classes and facts of a data set that was read."""

from __future__ import annotations

import numpy as np
import pytest

from napari_dextr.coco import CocoImage, read_coco
from napari_dextr.coco.dataset import extreme_marks
from napari_dextr.errors import DataError
from napari_dextr.objects import Mark, ObjectFacts
from napari_dextr.rle import encode

from .samples import document, with_value


def test_objects_with_a_box_only_are_read_but_have_no_mask(write):
    base = document()
    del base["annotations"][0]["segmentation"], base["annotations"][0]["ignore_segmentation"]
    dataset = read_coco(write(base))
    assert dataset.ignore_mask(dataset.objects[0]) is None
    with pytest.raises(DataError, match="Object 1 of 'annotations.json' has no segmentation"):
        dataset.mask(dataset.objects[0])


def test_a_segmentation_of_another_size_names_the_object(write):
    dataset = read_coco(write(with_value("annotations", "segmentation", encode(np.ones((3, 3), bool)))))
    for ask in (dataset.mask, dataset.runs, dataset.cut):
        with pytest.raises(DataError, match="Object 1 of 'annotations.json'"):
            ask(dataset.objects[0])


def test_a_cut_is_the_part_of_the_mask_that_holds_it(write):
    dataset = read_coco(write(document()))
    region, mask = dataset.cut(dataset.objects[0])
    assert region == (slice(2, 6), slice(2, 6))
    assert mask.all()


def test_facts_are_our_record_with_the_category_of_the_file(write):
    record = {"marks": [["extreme", 1.5, 2.0]], "score": 0.5, "class_id": 9, "label": 4}
    dataset = read_coco(write(with_value("annotations", "napari_dextr", record)))
    (obj,) = dataset.objects
    assert obj.record["label"] == 4
    assert dataset.facts(obj) == ObjectFacts((Mark("extreme", 1.5, 2.0),), class_id=2, score=0.5)


def test_facts_of_others_are_extreme_points_and_scores(write):
    base = with_value("annotations", "extreme_points", [[3, 2], [2, 4], [4, 5], [5, 3]])
    base["annotations"][0]["score"] = 0.25
    base["images"][0]["napari_dextr"] = {"source": "s.tif", "plane": [3], "axes": "z"}
    dataset = read_coco(write(base))
    facts = dataset.facts(dataset.objects[0])
    assert facts.marks[0] == Mark("extreme", 2, 3)
    assert (facts.score, facts.plane, len(facts.marks)) == (0.25, (3,), 4)


def test_broken_facts_name_the_object(write):
    dataset = read_coco(write(with_value("annotations", "napari_dextr", {"marks": "x"})))
    with pytest.raises(DataError, match="Object 1 of"):
        dataset.facts(dataset.objects[0])


def test_extreme_points_may_lie_flat():
    assert extreme_marks([3, 2, 5, 4]) == (Mark("extreme", 2, 3), Mark("extreme", 4, 5))
    for wrong in ([1, 2, 3], "abcd", [["a", "b"]], [], [float("nan"), 1], [float("inf"), 1]):
        with pytest.raises(DataError, match="pairs of x and y"):
            extreme_marks(wrong)


def test_categories_below_one_and_without_a_name_become_classes(write):
    categories = [{"id": 0, "name": "cell"}, {"id": 2, "name": " "}]
    dataset = read_coco(write(document(categories=categories)))
    assert [(item.id, item.name) for item in dataset.classes] == [(3, "cell"), (2, "category 2")]
    assert dataset.facts(dataset.objects[0]).class_id == 2


def test_planes_of_stacks_know_where_they_lie():
    image = CocoImage(1, "s_z3.png", 4, 4, {"napari_dextr": {"source": "s.tif", "plane": [3], "axes": "z"}})
    assert (image.source, image.plane, image.axes) == ("s.tif", (3,), "z")
    for extra in ({}, {"napari_dextr": 3}, {"napari_dextr": {"source": 1, "plane": [-1], "axes": 2}}):
        image = CocoImage(1, "a.png", 4, 4, extra)
        assert (image.source, image.plane, image.axes) == (None, (), "")


def test_extreme_points_beyond_all_floats_are_refused():
    with pytest.raises(DataError, match="not pairs"):
        extreme_marks([[10**400, 1]])
