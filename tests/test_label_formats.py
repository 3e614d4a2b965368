"""Semantic PNG, instance TIFF and YOLO text hold what the labels hold."""

from __future__ import annotations

import json

import numpy as np
import pytest
import tifffile
from PIL import Image

from napari_dextr.coco import ImageLabels, read_coco
from napari_dextr.errors import DataError, OutputError
from napari_dextr.label_formats import (
    FORMATS,
    export_labels,
    write_instance_tiff,
    write_semantic_png,
    write_yolo_seg,
)
from napari_dextr.objects import ObjectClass, ObjectFacts
from napari_dextr.rle import decode

CLASSES = [ObjectClass(1, "cell", "#e69f00"), ObjectClass(7, "dirt", "#56b4e9")]
FACTS = {3: ObjectFacts(class_id=1), 90_000: ObjectFacts(class_id=7)}
LABELS = np.zeros((8, 10), np.int32)
LABELS[1:4, 1:5] = 3
LABELS[0, 8] = 3  # a second part
LABELS[5:8, 2:9] = 90_000
LABELS[6, 4] = 0  # a hole


def yolo_masks(path, shape) -> list[tuple[int, np.ndarray]]:
    found = []
    for line in path.read_text(encoding="utf-8").splitlines():
        number, *values = line.split()
        corners = np.array(values, float).reshape(-1, 2) * (shape[1], shape[0])
        found.append((int(number), decode([corners.ravel().tolist()], shape)))
    return found


def test_the_semantic_png_shows_classes_in_their_colours(tmp_path):
    write_semantic_png(tmp_path / "a.png", LABELS, FACTS, CLASSES)
    image = Image.open(tmp_path / "a.png")
    assert image.mode == "P"
    np.testing.assert_array_equal(np.asarray(image), np.select([LABELS == 3, LABELS == 90_000], [1, 7]))
    assert image.convert("RGB").getpixel((1, 1)) == (0xE6, 0x9F, 0x00)
    assert image.convert("RGB").getpixel((0, 0)) == (0, 0, 0)


@pytest.mark.parametrize(
    ("most", "dtype"), [(3, np.uint16), (65_535, np.uint16), (65_536, np.uint32), (2**32 - 1, np.uint32)]
)
def test_the_instance_tiff_holds_every_label(tmp_path, most, dtype):
    labels = np.array([[0, 1], [2, most]], np.int64)
    write_instance_tiff(tmp_path / "a.tif", labels)
    back = tifffile.imread(tmp_path / "a.tif")
    assert back.dtype == dtype
    np.testing.assert_array_equal(back, labels)


def test_yolo_text_fills_to_the_labels_with_parts_and_holes(tmp_path):
    write_yolo_seg(tmp_path / "a.txt", LABELS, FACTS, CLASSES)
    (first, one), (second, two) = yolo_masks(tmp_path / "a.txt", LABELS.shape)
    assert (first, second) == (0, 1)
    np.testing.assert_array_equal(one, LABELS == 3)
    np.testing.assert_array_equal(two, LABELS == 90_000)
    assert all(0 <= float(value) <= 1 for value in (tmp_path / "a.txt").read_text(encoding="utf-8").split()[1:12])


def test_all_formats_come_from_one_pass(tmp_path):
    reads = []

    def labels() -> np.ndarray:
        reads.append(1)
        return LABELS

    planes = [ImageLabels("sub/a.b.png", labels, FACTS), ImageLabels("sub/a.b.png", LABELS, FACTS, layer="my layer")]
    steps = []
    report = export_labels(
        tmp_path / "a.json", planes, CLASSES, formats=FORMATS, progress=lambda *step: steps.append(step)
    )
    assert (report.objects, len(reads), steps) == (4, 1, [(1, 2), (2, 2)])
    files = sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file())
    assert files == [
        "a.json",
        "instances/sub/a.b.tif",
        "instances/sub/a.b_my-layer.tif",
        "semantic/sub/a.b.png",
        "semantic/sub/a.b_my-layer.png",
        "yolo/data.yaml",
        "yolo/labels/sub/a.b.txt",
        "yolo/labels/sub/a.b_my-layer.txt",
    ]
    assert len(read_coco(tmp_path / "a.json").objects) == 4
    assert '  1: "dirt"' in (tmp_path / "yolo" / "data.yaml").read_text(encoding="utf-8")


def test_without_coco_only_the_others_are_written(tmp_path):
    report = export_labels(tmp_path / "a.json", [ImageLabels("a.png", LABELS)], formats=["instances"])
    assert (report.images, report.objects, report.ids, report.changed) == (1, 2, {}, False)
    assert not (tmp_path / "a.json").exists()


@pytest.mark.parametrize("formats", [["pascal"], []])
def test_unknown_formats_are_refused(tmp_path, formats):
    with pytest.raises(DataError, match="There is no format"):
        export_labels(tmp_path / "a.json", [], formats=formats)


def test_what_a_format_cannot_hold_is_refused(tmp_path):
    with pytest.raises(DataError, match="no class"):
        write_semantic_png(tmp_path / "a.png", LABELS, {}, CLASSES)
    with pytest.raises(DataError, match="class 5, which is not among"):
        write_yolo_seg(tmp_path / "a.txt", LABELS, {3: ObjectFacts(class_id=5)}, CLASSES)
    with pytest.raises(DataError, match="up to 255"):
        write_semantic_png(tmp_path / "a.png", LABELS, FACTS, [ObjectClass(256, "x", "#000000")])
    with pytest.raises(DataError, match="labels from 0"):
        write_instance_tiff(tmp_path / "a.tif", -LABELS)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (("cells.tif", None), ("cells.png", None)),
        (("a.png", None), ("A.png", None)),
        (("a.png", "b c"), ("a.png", "b-c")),
    ],
)
def test_two_label_images_never_become_one_file(tmp_path, first, second):
    planes = [ImageLabels(name, LABELS, FACTS, layer=layer or "") for name, layer in (first, second)]
    with pytest.raises(DataError, match="rename one of them"):
        export_labels(tmp_path / "a.json", planes, CLASSES, formats=("coco", "instances"))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("blocked", ["semantic", "yolo/data.yaml"])
def test_where_one_format_cannot_be_written_no_file_changes(tmp_path, blocked):
    export_labels(tmp_path / "a.json", [ImageLabels("a.png", LABELS, FACTS)], CLASSES)
    before = (tmp_path / "a.json").read_bytes()
    place = tmp_path / blocked
    if blocked == "semantic":
        place.write_text("mine", encoding="utf-8")
    else:
        place.mkdir(parents=True)
    with pytest.raises(OutputError):
        export_labels(
            tmp_path / "a.json", [ImageLabels("a.png", np.zeros_like(LABELS), FACTS)], CLASSES, formats=FORMATS
        )
    assert (tmp_path / "a.json").read_bytes() == before
    assert [path for path in tmp_path.rglob("*") if path.is_file() and path != place] == [tmp_path / "a.json"]


@pytest.mark.parametrize("name", ["/data/im/a.png", "../a.png", "C:\\im\\a.png"])
def test_a_name_that_leads_elsewhere_stays_in_the_file_that_holds_it_and_gets_no_files_beside(tmp_path, name):
    entry = {"id": 1, "file_name": name, "height": 8, "width": 10}
    (tmp_path / "a.json").write_text(json.dumps({"images": [entry], "annotations": []}), encoding="utf-8")
    assert export_labels(tmp_path / "a.json", [ImageLabels(name, LABELS, FACTS)], CLASSES).objects == 2
    with pytest.raises(DataError):
        export_labels(tmp_path / "a.json", [ImageLabels(name, LABELS, FACTS)], CLASSES, formats=FORMATS)
