"""Labels out to COCO and back, pixel for pixel."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from pycocotools import mask as cocomask

from napari_dextr.coco import ImageLabels, labels_to_coco, read_coco, read_labels, write_coco
from napari_dextr.coco.labels import check_form, segment
from napari_dextr.errors import DataError
from napari_dextr.rle import decode, encode, label_runs

from .samples import document

LABELS = np.zeros((12, 20), np.int32)
LABELS[2:6, 3:9] = 4
LABELS[3, 5] = 0  # a hole
LABELS[8:11, 12:20] = 70_000
LABELS[0, 0] = 70_000  # a second part

planes = arrays(np.int32, array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=12), elements=st.integers(0, 4))


def test_labels_go_out_and_come_back(tmp_path):
    facts = {4: {"score": np.float32(0.5), "id": 99}}
    coco = labels_to_coco(LABELS, "a.tif", categories={1: "cell", 5: "dirt"}, category_of={70_000: 5}, facts=facts)
    write_coco(tmp_path / "a.json", coco)
    dataset = read_coco(tmp_path / "a.json")
    assert [obj.id for obj in dataset.objects] == [1, 2]
    assert [obj.category_id for obj in dataset.objects] == [1, 5]
    assert dataset.objects[0].extra["score"] == 0.5
    (read,) = read_labels(dataset, 1)
    np.testing.assert_array_equal(read.labels, LABELS)
    assert read.ids == {4: 1, 70_000: 2}
    assert {label: fact.class_id for label, fact in read.facts.items()} == {4: 1, 70_000: 5}
    assert dataset.objects[0].bbox == (3, 2, 6, 4)
    assert dataset.objects[0].extra["area"] == (LABELS == 4).sum()


@given(planes, st.sampled_from(["auto", "rle", "polygons"]))
def test_every_form_gives_back_every_pixel_and_pycocotools_measures(labels, form):
    for label, runs in label_runs(labels):
        segmentation, measures = segment(runs, labels.shape, form)
        if isinstance(segmentation, list):
            rles = cocomask.frPyObjects(segmentation, *labels.shape)
        else:
            rles = [{**segmentation, "counts": segmentation["counts"].encode()}]
        merged = cocomask.merge(rles)
        np.testing.assert_array_equal(cocomask.decode(merged), labels == label)
        assert measures == {"area": float(cocomask.area(merged)), "bbox": cocomask.toBbox(merged).tolist()}
        assert form != "polygons" or isinstance(segmentation, list)
        assert form != "rle" or isinstance(segmentation, dict)


def test_auto_takes_polygons_unless_there_is_a_hole():
    forms = {label: type(segment(runs, LABELS.shape, "auto")[0]) for label, runs in label_runs(LABELS)}
    assert forms == {4: dict, 70_000: list}
    with pytest.raises(DataError, match="no segmentation 'points'"):
        check_form("points")


def test_negative_and_no_labels_are_objects_and_none():
    assert labels_to_coco(np.zeros((3, 3), np.uint8), "a.png")["annotations"] == []
    (annotation,) = labels_to_coco(np.array([[0, -3], [0, -3]]), "a.png")["annotations"]
    assert (annotation["napari_dextr"]["label"], annotation["area"]) == (-3, 2)


@pytest.mark.parametrize("labels", [np.zeros((3, 3)), np.zeros((2, 3, 3), int), np.zeros((0, 3), int)])
def test_labels_that_are_none_are_refused(labels):
    with pytest.raises(DataError, match="plane of whole numbers"):
        labels_to_coco(labels, "a.png")
    with pytest.raises(DataError, match="plane of whole numbers"):
        ImageLabels("a.png", lambda: labels).read()


def test_an_unlisted_category_is_refused():
    with pytest.raises(DataError, match="category 9"):
        labels_to_coco(LABELS, "a.png", category_of={4: 9})


def _objects(masks: dict[int, np.ndarray], **keys) -> dict:
    annotations = [
        {"id": number, "image_id": 7, "category_id": 2, "segmentation": encode(mask), "iscrowd": 0, **keys}
        for number, mask in masks.items()
    ]
    return document(annotations=annotations)


@given(masks=st.dictionaries(st.integers(1, 2**40), arrays(bool, (8, 10)), max_size=6))
def test_overlapping_objects_lose_no_pixel(masks):
    masks = {number: mask for number, mask in masks.items() if mask.any()}
    import tempfile
    from pathlib import Path

    with tempfile.TemporaryDirectory() as folder:
        write_coco(Path(folder) / "a.json", _objects(masks))
        dataset = read_coco(Path(folder) / "a.json")
    reads = read_labels(dataset, 7)
    back = {number: read.labels == label for read in reads for label, number in read.ids.items()}
    assert back.keys() == masks.keys()
    for number, mask in masks.items():
        np.testing.assert_array_equal(back[number], mask)
    labels = [label for read in reads for label in read.ids]
    assert len(labels) == len(set(labels))


def test_ids_are_labels_where_they_fit_and_recorded_labels_go_first(write):
    masks = {number: np.eye(8, 10, k=k, dtype=bool) for k, number in enumerate((5, 2**40, 9))}
    base = _objects(masks)
    base["annotations"][2]["napari_dextr"] = {"label": 5}
    (read,) = read_labels(read_coco(write(base)), 7)
    assert read.ids == {5: 9, 6: 5, 7: 2**40}


def test_layers_come_back_apart(write):
    base = _objects({1: np.eye(8, 10, dtype=bool), 2: np.eye(8, 10, k=1, dtype=bool)})
    base["annotations"][1]["napari_dextr"] = {"label": 1, "layer": "second"}
    reads = read_labels(read_coco(write(base)), 7)
    assert [(read.layer, read.ids) for read in reads] == [("", {1: 1}), ("second", {1: 2})]


def test_crowds_are_told_and_boxes_left_out(write):
    base = _objects({1: np.eye(8, 10, dtype=bool)}, iscrowd=1)
    base["annotations"].append({"id": 2, "image_id": 7, "category_id": 2, "bbox": [1, 1, 3, 3]})
    (read,) = read_labels(read_coco(write(base)), 7)
    assert read.crowds == {1}
    assert read.ids == {1: 1}


def test_bad_objects_are_told_or_raised(write):
    base = _objects({1: np.eye(8, 10, dtype=bool), 2: np.ones((3, 3), bool), 3: np.zeros((8, 10), bool)})
    base["annotations"].append({**base["annotations"][0], "id": 4, "segmentation": [[-90, 1, 3, 3, 1, 3]]})
    base["annotations"].append({**base["annotations"][0], "id": 5, "segmentation": [[1, 1, float("nan"), 3, 1, 3]]})
    base["annotations"].append({**base["annotations"][0], "id": 6, "segmentation": [[-5, -5, -1, -5, -1, -1]]})
    dataset = read_coco(write(base))
    problems: list[str] = []
    (read,) = read_labels(dataset, 7, problems=problems)
    assert read.ids == {1: 1}
    assert [problem[:8] for problem in problems] == [f"Object {number}" for number in (2, 3, 4, 5, 6)]
    assert all("\n" not in problem for problem in problems)
    with pytest.raises(DataError, match="Object 2"):
        read_labels(dataset, 7)


def test_objects_of_many_specks_become_run_lengths_unless_polygons_are_asked_for():
    specks = np.zeros((60, 60), np.int32)
    specks[::3, ::3] = 1
    for form, kind in (("auto", dict), ("polygons", list)):
        document = labels_to_coco(specks, "a.png", segmentation=form)
        (entry,) = document["annotations"]
        assert isinstance(entry["segmentation"], kind)
        np.testing.assert_array_equal(decode(entry["segmentation"], specks.shape), specks == 1)
