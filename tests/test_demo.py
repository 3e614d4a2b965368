"""The demo: every file it promises, from bundled photographs, with any model."""

from __future__ import annotations

import json
from pathlib import Path

import imageio.v3
import numpy as np
import pytest
import skimage.data
import tifffile

from napari_dextr.coco import read_coco
from napari_dextr.demo import PHOTOS, DemoObject, DemoPhoto, run_demo
from napari_dextr.errors import OutputError
from napari_dextr.prompt import Prompt
from napari_dextr.segmenter import Segmentation

SMALL = (PHOTOS[-1],)


class BoxModel:
    """Answers with the box of the marks."""

    def segment(self, image, prompt):
        r0, c0, r1, c1 = (round(value) for value in prompt.bounds)
        region = (slice(r0, r1 + 1), slice(c0, c1 + 1))
        probability = np.ones((r1 + 1 - r0, c1 + 1 - c0), np.float32)
        return Segmentation(probability, region, image.shape[:2], prompt, 0.5, "box", 0.5, seconds=0.01)


def test_the_photographs_come_inside_scikit_image():
    """Not from its cache of downloads: the demo works without a network."""
    bundled = {path.stem for path in Path(skimage.data.__file__).parent.iterdir()}
    assert {photo.name for photo in PHOTOS} <= bundled


def test_at_least_five_objects_with_clicks_on_the_photograph():
    assert sum(len(photo.objects) for photo in PHOTOS) >= 5
    for photo in PHOTOS:
        height, width = photo.read().shape[:2]
        for item in photo.objects:
            Prompt.extreme(item.points).check((height, width))
            (top, _), (_, left), (bottom, _), (_, right) = item.points
            rows, cols = np.array(item.points).T
            assert (top, left, bottom, right) == (rows.min(), cols.min(), rows.max(), cols.max())
            assert (rows >= 0).all()
            assert (rows <= height - 1).all()
            assert (cols >= 0).all()
            assert (cols <= width - 1).all()


def test_files_agree_with_each_other(tmp_path):
    report = run_demo(BoxModel(), tmp_path / "new" / "folder", SMALL)
    assert all(file.is_file() for file in report.files)
    assert {file.name for file in report.files} == {file.name for file in (tmp_path / "new" / "folder").iterdir()}
    labels = tifffile.imread(report.folder / "coins_labels.tif")
    photo = imageio.v3.imread(report.folder / "coins.png")
    overlay = imageio.v3.imread(report.folder / "coins_overlay.png")
    assert labels.shape == photo.shape == (303, 384)
    assert overlay.shape == (606, 768, 3)
    dataset = read_coco(report.folder / "annotations.json")
    assert len(dataset.objects) == len(report.results) == 3
    for obj, result in zip(dataset.objects, report.results, strict=True):
        np.testing.assert_array_equal(dataset.mask(obj), labels == obj.record["label"])
        assert dataset.categories[obj.category_id] == result.name
        assert obj.extra["area"] == result.area
        assert obj.extra["score"] == 0.5
    x, y = dataset.objects[0].extra["extreme_points"][0]
    assert (y, x) == SMALL[0].objects[0].points[0]


def test_the_object_in_front_wins_where_two_overlap(tmp_path):
    behind = DemoObject("behind", ((10, 30), (30, 10), (50, 30), (30, 50)))
    front = DemoObject("front", ((30, 50), (50, 30), (70, 50), (50, 70)))
    run_demo(BoxModel(), tmp_path, (DemoPhoto("coins", (behind, front)),))
    labels = tifffile.imread(tmp_path / "coins_labels.tif")
    assert labels[40, 40] == labels[60, 60] == 2
    assert labels[20, 20] == 1


def test_the_report_is_plain_json_and_progress_is_told(tmp_path):
    seen = []
    report = run_demo(BoxModel(), tmp_path, SMALL, lambda done, total: seen.append((done, total)))
    values = json.loads(json.dumps(report.to_json(), allow_nan=False))
    assert [item["milliseconds"] for item in values["objects"]] == [10, 10, 10]
    assert seen == [(1, 3), (2, 3), (3, 3)]


def test_a_file_in_the_place_of_the_folder_is_named(tmp_path):
    (tmp_path / "out").touch()
    with pytest.raises(OutputError, match="is a file"):
        run_demo(BoxModel(), tmp_path / "out", SMALL)
