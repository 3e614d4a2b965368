"""Everything that is wrong with a file is told, not only the first mistake."""

from __future__ import annotations

import imageio.v3
import numpy as np
import pytest

from napari_dextr.coco import validate_coco
from napari_dextr.errors import DataError
from napari_dextr.rle import encode

from .samples import document, with_value


def test_a_good_file_is_counted(write, tmp_path):
    imageio.v3.imwrite(tmp_path / "a.png", np.zeros((8, 10), np.uint8))
    report = validate_coco(write(document()), tmp_path)
    assert report.ok
    assert (report.images, report.objects, report.rles, report.polygons, report.crowds) == (1, 1, 1, 0, 0)
    assert report.summary() == "1 objects (1 cell) in 1 images: no problems."


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (with_value("annotations", "area", 20), "has 16 pixels, but the file says 20"),
        (with_value("annotations", "bbox", [0, 0, 9, 9]), "off by 3 pixels"),
        (with_value("annotations", "bbox", [2, 2, -4, 4]), "negative width"),
        (with_value("annotations", "segmentation", encode(np.ones((3, 3), bool))), "Object 1: its run lengths"),
        (with_value("annotations", "segmentation", encode(np.zeros((8, 10), bool))), "no pixels"),
        (with_value("annotations", "segmentation", [[0, 0, 1e5, 0, 3, 3]]), "leaves its image"),
        (with_value("annotations", "segmentation", [[0, 0, float("nan"), 0, 3, 3]]), "not a finite number"),
        (with_value("annotations", "napari_dextr", {"marks": 3}), "mark"),
        (with_value("annotations", "category_id", 5), "category 5"),
        (with_value("annotations", "image_id", 5), "image 5"),
        (with_value("annotations", "id", "x"), "not a whole number"),
        (with_value("images", "file_name", "../a.png"), "outside the images folder"),
        (document(images=document()["images"] * 2), "Two images"),
        (document(annotations=document()["annotations"] * 2), "Two annotations"),
        (document(categories=document()["categories"] * 2), "Two categories"),
        (document(categories=[3]), "categories"),
    ],
)
def test_each_mistake_is_a_sentence(write, content, words):
    report = validate_coco(write(content))
    assert not report.ok
    assert any(words in problem for problem in report.problems), report.problems
    assert all("\n" not in problem for problem in report.problems)


def test_images_may_stand_last_and_are_looked_for(write, tmp_path):
    base = document()
    path = write({key: base[key] for key in ("annotations", "categories", "images")})
    assert validate_coco(path).ok
    (problem,) = validate_coco(path, tmp_path).problems
    assert "a.png" in problem
    assert validate_coco(write(with_value("annotations", "area", 99)), deep=False).ok


def test_objects_with_nothing_are_told_and_many_problems_only_counted(write):
    base = document(annotations=[{"id": n, "image_id": 7, "category_id": 2} for n in range(250)])
    report = validate_coco(write(base))
    assert (report.found, len(report.problems), report.boxes_only) == (250, 200, 250)
    assert report.summary().endswith("250 problems.")


def test_what_is_no_coco_at_all_is_refused(write):
    with pytest.raises(DataError, match="not complete JSON"):
        validate_coco(write('{"images": ['))


def test_an_area_beyond_all_floats_is_a_problem_like_any_other(write):
    (problem,) = validate_coco(write(with_value("annotations", "area", 10**400))).problems
    assert "pixels, but the file says 1000" in problem
