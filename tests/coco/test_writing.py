"""Label images into COCO files: new ones, and those that others work on."""

from __future__ import annotations

import contextlib
import errno
import io
import json
import os
import signal
import subprocess
import sys
import tracemalloc
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from napari_dextr.coco import CocoWriter, ImageLabels, export_coco, read_coco, read_labels, validate_coco
from napari_dextr.errors import DataError, OutputError
from napari_dextr.objects import Mark, ObjectClass, ObjectFacts
from napari_dextr.rle import encode

from .samples import document

CLASSES = [ObjectClass(1, "cell", "#e69f00"), ObjectClass(2, "dirt", "#56b4e9")]
FACTS = ObjectFacts(
    (Mark("extreme", 1.5, 2.0),), class_id=2, score=0.75, model="embedded", model_hash="ab", seconds=1.5
)
LABELS = np.zeros((8, 10), np.uint16)
LABELS[1:4, 1:5] = 3
LABELS[5:8, 2:9] = 9
LABELS[6, 4] = 0  # a hole

planes = st.lists(
    arrays(np.int32, array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=9), elements=st.integers(0, 3)),
    min_size=1,
    max_size=4,
)


def again(path: Path) -> list[ImageLabels]:
    """What a file holds, as it would be exported again."""
    dataset = read_coco(path)
    return [
        ImageLabels(image.file_name, read.labels, read.facts, read.layer, read.ids, crowds=read.crowds)
        for image in dataset.images.values()
        for read in read_labels(dataset, image.id)
    ]


def test_a_new_file_holds_labels_classes_facts_and_the_image(tmp_path):
    path = tmp_path / "a.json"
    plane = ImageLabels("s_z3.png", LABELS, {3: FACTS}, source="s.tif", plane=(3,), axes="z", extra={"license": 1})
    report = export_coco(path, [plane], CLASSES, author="Ada", licenses=[{"id": 1, "name": "CC0"}])
    assert report.ids == {("s_z3.png", ""): {3: 1, 9: 2}}
    assert (report.images, report.objects, report.polygons, report.rles, report.kept) == (1, 2, 1, 1, 0)
    assert report.by_class == {"dirt": 1, "object": 1}
    assert report.problems == ["1 object has no class and was written as 'object'."]
    written = json.loads(path.read_text(encoding="utf-8"))
    assert list(written) == ["info", "licenses", "images", "annotations", "categories"]
    assert written["info"]["contributor"] == "Ada"
    assert written["images"] == [
        {
            "id": 1,
            "file_name": "s_z3.png",
            "height": 8,
            "width": 10,
            "license": 1,
            "napari_dextr": {"source": "s.tif", "plane": [3], "axes": "z"},
        }
    ]
    assert [(item["id"], item["name"]) for item in written["categories"]] == [(1, "cell"), (2, "dirt"), (3, "object")]
    first = written["annotations"][0]
    assert (first["category_id"], first["area"], first["bbox"], first["iscrowd"]) == (2, 12.0, [1, 1, 4, 3], 0)
    assert first["segmentation"] == [[1, 1, 5, 1, 5, 4, 1, 4]]
    record = first["napari_dextr"]
    assert (record["label"], record["author"], record["plane"], record["score"]) == (3, "Ada", [3], 0.75)
    assert record["marks"] == [["extreme", 1.5, 2.0]]
    facts = read_coco(path).facts(read_coco(path).objects[0])
    assert facts == replace(FACTS, plane=(3,), author="Ada")
    assert validate_coco(path).ok


@given(planes, st.sampled_from(["auto", "rle", "polygons"]))
def test_labels_come_back_bit_for_bit_and_a_second_export_changes_nothing(labels, form):
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.json"
        export_coco(path, (ImageLabels(f"{i}.png", plane) for i, plane in enumerate(labels)), segmentation=form)
        dataset = read_coco(path)
        assert [obj.id for obj in dataset.objects] == list(range(1, len(dataset.objects) + 1))
        for image in dataset.images.values():
            reads = read_labels(dataset, image.id)
            back = reads[0].labels if reads else np.zeros((image.height, image.width))
            np.testing.assert_array_equal(back, labels[int(Path(image.file_name).stem)])
        text = path.read_bytes()
        assert not export_coco(path, again(path), dataset.classes, segmentation=form).changed
        assert path.read_bytes() == text
        assert [item.name for item in Path(folder).iterdir()] == ["a.json"]


def _coco(path: Path):
    from pycocotools.coco import COCO

    with contextlib.redirect_stdout(io.StringIO()):
        return COCO(str(path))


@pytest.mark.parametrize("form", ["auto", "rle", "polygons"])
def test_pycocotools_reads_it_and_finds_that_it_agrees_with_itself(tmp_path, form):
    from pycocotools.cocoeval import COCOeval

    rng = np.random.default_rng(0)
    labels = [np.kron(rng.integers(0, 30, (12, 12)), np.ones((9, 7), int)) for _ in range(3)]
    facts = {label: ObjectFacts(class_id=1 + label % 2) for label in range(30)}
    path = tmp_path / "a.json"
    export_coco(
        path, [ImageLabels(f"{i}.png", plane, facts) for i, plane in enumerate(labels)], CLASSES, segmentation=form
    )
    truth = _coco(path)
    for annotation in truth.loadAnns(truth.getAnnIds()):
        plane = labels[annotation["image_id"] - 1]
        np.testing.assert_array_equal(truth.annToMask(annotation), plane == annotation["napari_dextr"]["label"])
    with contextlib.redirect_stdout(io.StringIO()):
        results = [
            {
                "image_id": a["image_id"],
                "category_id": a["category_id"],
                "segmentation": truth.annToRLE(a),
                "score": 1.0,
            }
            for a in truth.loadAnns(truth.getAnnIds())
        ]
        evaluation = COCOeval(truth, truth.loadRes(results), "segm")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    assert evaluation.stats[0] == pytest.approx(1.0)


def test_torchvision_reads_it(tmp_path, start_python):
    import imageio.v3

    imageio.v3.imwrite(tmp_path / "a.png", np.zeros((8, 10, 3), np.uint8))
    export_coco(tmp_path / "a.json", [ImageLabels("a.png", LABELS, {3: FACTS})], CLASSES)
    program = (
        "import sys\n"
        "from torchvision.datasets import CocoDetection\n"
        "data = CocoDetection(sys.argv[1], sys.argv[1] + '/a.json')\n"
        "image, objects = data[0]\n"
        "print(image.size, [(o['id'], int(data.coco.annToMask(o).sum())) for o in objects])"
    )
    said, _ = start_python("-c", program, tmp_path).communicate()
    assert said.splitlines()[-1] == f"(10, 8) [(1, 12), (2, {(LABELS == 9).sum()})]"


# -- into a file that exists ----------------------------------------------------------------------------------

FOREIGN = """{
 "licenses": [ {"id": 1, "name": "Größe", "n": 1.50} ],
 "custom": {"a": 1e3, "a": 2},
 "annotations": [
  {"id": 12, "image_id": 4, "category_id": 7, "segmentation": [[0, 0, 4.5, 0, 4.5, 3]], "area": 6.00, "tool": "x"},
  {"category_id": 7, "image_id": 5, "id": 3, "bbox": [1, 1, 2, 2], "note": "\\ud83d"}
 ],
 "images": [
  {"id": 4, "file_name": "a.png", "height": 8, "width": 10, "coco_url": "http://x"},
  {"id": 5, "file_name": "sub\\\\b.png", "height": 8, "width": 10}
 ],
 "categories": [ {"id": 7, "name": "cell", "supercategory": "thing", "keypoints": []} ]
}"""


@pytest.fixture
def foreign(tmp_path) -> Path:
    path = tmp_path / "foreign.json"
    path.write_text(FOREIGN, encoding="utf-8")
    return path


def test_entries_of_others_keep_their_text(foreign):
    report = export_coco(foreign, [ImageLabels("a.png", LABELS, {3: FACTS}, "mine")], CLASSES)
    text = foreign.read_text(encoding="utf-8")
    for line in FOREIGN.splitlines()[1:]:
        piece = line.strip().rstrip(",")
        if piece.startswith("{"):
            assert piece in text
    assert '"custom": {"a": 1e3, "a": 2}' in text
    assert '[ {"id": 1, "name": "Größe", "n": 1.50} ]' in text
    assert list(json.loads(text)) == ["licenses", "custom", "annotations", "images", "categories"]
    assert (report.kept, report.removed) == (2, 0)
    assert report.ids == {("a.png", "mine"): {3: 13, 9: 14}}
    written = read_coco(foreign)
    assert [obj.id for obj in written.objects] == [12, 3, 13, 14]
    assert written.categories == {7: "cell", 2: "dirt", 8: "object"}


def test_an_export_of_what_was_read_leaves_the_file_as_it_is(foreign):
    report = export_coco(foreign, again(foreign), read_coco(foreign).classes, author="Ada")
    assert not report.changed
    assert foreign.read_text(encoding="utf-8") == FOREIGN
    assert list(foreign.parent.iterdir()) == [foreign]


def test_objects_of_others_that_were_changed_keep_id_and_keys(foreign):
    (plane,) = again(foreign)
    labels = plane.labels.copy()
    labels[7, 7] = 12
    changed = ImageLabels("a.png", labels, plane.facts, ids=plane.ids)
    export_coco(foreign, [changed], read_coco(foreign).classes, author="Ada")
    (obj, other) = read_coco(foreign).objects
    assert (obj.id, obj.category_id, obj.extra["tool"], obj.extra["area"]) == (12, 7, "x", (labels == 12).sum())
    assert obj.record == {"label": 12, "author": "Ada"}
    assert other.id == 3


def test_ids_stay_when_objects_come_go_and_move_between_categories(tmp_path):
    path = tmp_path / "a.json"
    planes = [ImageLabels("a.png", LABELS, {3: FACTS, 9: FACTS}), ImageLabels("b.png", LABELS)]
    known = export_coco(path, planes, CLASSES[1:]).ids["a.png", ""]
    more = LABELS.copy()
    more[more == 3] = 0
    more[0, 0] = 1
    report = export_coco(path, [ImageLabels("a.png", more, {9: FACTS}, ids=known)], CLASSES)
    assert report.removed == 1
    assert report.ids == {("a.png", ""): {1: 5, 9: 2}}
    assert sorted(obj.id for obj in read_coco(path).objects) == [2, 3, 4, 5]
    assert read_coco(path).categories == {2: "dirt", 1: "cell", 3: "object"}


def test_known_ids_find_objects_that_have_another_label_now(tmp_path):
    path = tmp_path / "a.json"
    export_coco(path, [ImageLabels("a.png", LABELS)])
    moved = ImageLabels("a.png", np.where(LABELS == 3, 77, 0), ids={77: 1, 9: 2})
    report = export_coco(path, [moved])
    assert report.ids == {("a.png", ""): {77: 1}}
    assert report.removed == 1


def test_two_authors_and_two_layers_do_not_take_each_others_objects(tmp_path):
    path = tmp_path / "a.json"
    export_coco(path, [ImageLabels("a.png", LABELS)], author="Ada")
    known = export_coco(path, [ImageLabels("a.png", np.roll(LABELS, 1))], author="Bob").ids["a.png", ""]
    export_coco(path, [ImageLabels("a.png", np.roll(LABELS, 2), layer="other")], author="Bob")
    report = export_coco(path, [ImageLabels("a.png", np.zeros_like(LABELS), ids=known)], author="Bob")
    assert (report.kept, report.removed) == (4, 2)
    assert [obj.record["author"] for obj in read_coco(path).objects] == ["Ada", "Ada", "Bob", "Bob"]


def test_a_new_layer_of_the_same_name_takes_nothing_away(tmp_path):
    path = tmp_path / "a.json"
    first = np.zeros((20, 20), int)
    for label in range(1, 6):
        first[4 * label - 4 : 4 * label - 1, :3] = label
    export_coco(path, [ImageLabels("a.png", first, {1: FACTS}, "DEXTR labels")], CLASSES)
    before = read_coco(path).objects
    second = np.zeros_like(first)
    second[2:6, 1:8] = 1  # touches label 1 of the first day
    fresh = ImageLabels("a.png", second, {}, "DEXTR labels")
    report = export_coco(path, [fresh], CLASSES)
    assert (report.removed, report.kept, report.ids) == (0, 5, {("a.png", "DEXTR labels"): {1: 6}})
    assert [obj.extra for obj in read_coco(path).objects[:5]] == [obj.extra for obj in before]
    assert not export_coco(path, [fresh], CLASSES).changed  # nor does it double its own
    second[6, 1:8] = 1
    assert export_coco(path, [fresh], CLASSES).ids == {("a.png", "DEXTR labels"): {1: 6}}
    assert read_coco(path).objects[5].extra["area"] == (second == 1).sum()
    report = export_coco(path, [ImageLabels("a.png", np.zeros_like(first), ids={1: 6})], CLASSES)
    assert (report.removed, report.kept) == (1, 5)


def test_crowds_are_run_lengths(tmp_path):
    export_coco(tmp_path / "a.json", [ImageLabels("a.png", LABELS, crowds=frozenset([3]))], segmentation="polygons")
    crowd, other = read_coco(tmp_path / "a.json").objects
    assert crowd.iscrowd
    assert isinstance(crowd.segmentation, dict)
    assert isinstance(other.segmentation, list)


def test_the_form_that_is_asked_for_replaces_the_other(tmp_path):
    path = tmp_path / "a.json"
    export_coco(path, [ImageLabels("a.png", LABELS)], segmentation="rle")
    assert not export_coco(path, [ImageLabels("a.png", LABELS)], segmentation="auto").changed
    assert export_coco(path, [ImageLabels("a.png", LABELS)], segmentation="polygons").changed
    assert all(isinstance(obj.segmentation, list) for obj in read_coco(path).objects)


def test_replacing_starts_anew_and_keeps_the_old_file_and_the_ids(foreign):
    report = export_coco(foreign, [ImageLabels("a.png", LABELS, ids={9: 40})], replace=True)
    assert report.ids == {("a.png", ""): {3: 41, 9: 40}}
    assert foreign.with_name("foreign.json.1.bak").read_text(encoding="utf-8") == FOREIGN
    assert [obj.id for obj in read_coco(foreign).objects] == [41, 40]


def test_reserved_ids_wait_for_their_objects(tmp_path):
    planes = [ImageLabels("a.png", LABELS), ImageLabels("b.png", LABELS, ids={3: 1, 9: 2})]
    for listed, reserved in ((True, ()), (False, (1, 2))):
        given = planes if listed else iter(planes)
        report = export_coco(tmp_path / "a.json", given, replace=True, reserved=reserved)
        assert report.ids == {("a.png", ""): {3: 3, 9: 4}, ("b.png", ""): {3: 1, 9: 2}}


def test_earlier_versions_are_bounded(tmp_path):
    path = tmp_path / "a.json"
    for number in range(5):
        export_coco(path, [ImageLabels(f"{number}.png", LABELS)], versions=2)
    assert sorted(item.name for item in tmp_path.iterdir()) == ["a.json", "a.json.3.bak", "a.json.4.bak"]
    assert len(read_coco(path).images) == 5
    assert len(read_coco(path.with_name("a.json.4.bak")).images) == 4


def test_licences_and_keys_of_images_are_added_once(foreign):
    new = {"id": 2, "name": "CC0"}
    plane = ImageLabels("a.png", LABELS, extra={"license": 2})
    for _ in range(2):
        export_coco(foreign, [plane], licenses=[new])
    written = json.loads(foreign.read_text(encoding="utf-8"))
    assert [item["id"] for item in written["licenses"]] == [1, 2]
    assert written["images"][0] == {
        "id": 4, "file_name": "a.png", "height": 8, "width": 10, "coco_url": "http://x", "license": 2,
    }  # fmt: skip


@pytest.mark.parametrize("name", ["/data/im/a.png", "../im/a.png", "C:\\im\\a.png"])
def test_names_that_the_file_has_for_its_images_stay(foreign, name):
    foreign.write_text(FOREIGN.replace('"a.png"', json.dumps(name)), encoding="utf-8")
    plane = ImageLabels(name, LABELS)
    assert export_coco(foreign, [plane]).ids == {(name.replace("\\", "/"), ""): {3: 13, 9: 14}}
    assert [image.file_name for image in read_coco(foreign).images.values()] == [name, "sub\\b.png"]


# -- what goes wrong ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("plane", "words"),
    [
        (ImageLabels("../a.png", LABELS), "outside"),
        (ImageLabels("/a.png", LABELS), "absolute"),
        (ImageLabels("a.png", LABELS[:4]), "4 x 10 pixels, but the image in 'foreign.json' has 8 x 10"),
        (ImageLabels("a.png", LABELS.astype(float)), "whole numbers"),
        (ImageLabels("a.png", LABELS, {3: ObjectFacts(class_id=5)}), "Label 3 of 'a.png' has class 5"),
        (ImageLabels("a.png", LABELS, extra={"x": float("nan")}), "JSON cannot keep"),
        (ImageLabels("a.png", LABELS, {3: ObjectFacts(score=float("inf"))}), "JSON cannot keep"),
    ],
)
def test_bad_labels_are_refused_and_the_file_stays(foreign, plane, words):
    with pytest.raises(DataError, match=words) as caught:
        export_coco(foreign, [plane], CLASSES)
    assert "\n" not in str(caught.value)
    assert foreign.read_text(encoding="utf-8") == FOREIGN
    assert list(foreign.parent.iterdir()) == [foreign]


def test_a_layer_that_comes_twice_is_refused(tmp_path):
    with pytest.raises(DataError, match="comes twice"):
        export_coco(tmp_path / "a.json", [ImageLabels("a.png", LABELS)] * 2)
    assert list(tmp_path.iterdir()) == []


def test_classes_with_one_name_are_refused(tmp_path):
    for twins in ([CLASSES[0], ObjectClass(3, "cell", "#000000")], [CLASSES[0], ObjectClass(1, "x", "#000000")]):
        with pytest.raises(DataError, match="Two classes"):
            export_coco(tmp_path / "a.json", [], twins)


@pytest.mark.parametrize("content", ["", "[]", FOREIGN[:300], json.dumps({**document(), "images": []})])
def test_a_broken_file_is_not_merged_into(tmp_path, content):
    (tmp_path / "a.json").write_text(content, encoding="utf-8")
    with pytest.raises(DataError):
        export_coco(tmp_path / "a.json", [ImageLabels("a.png", LABELS)])
    assert (tmp_path / "a.json").read_text(encoding="utf-8") == content


def test_cancelling_writes_nothing(foreign):
    def stop(done: int, total: int | None) -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        export_coco(foreign, [ImageLabels("a.png", LABELS)], progress=stop)
    assert foreign.read_text(encoding="utf-8") == FOREIGN
    assert list(foreign.parent.iterdir()) == [foreign]


def test_progress_counts_planes(tmp_path):
    seen: list[tuple[int, int | None]] = []
    items = [ImageLabels(f"{i}.png", LABELS) for i in range(2)]
    export_coco(tmp_path / "a.json", items, progress=lambda *step: seen.append(step))
    export_coco(tmp_path / "a.json", iter(items), progress=lambda *step: seen.append(step))
    assert seen == [(1, 2), (2, 2), (1, None), (2, None)]


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="root and Windows write everywhere")
def test_a_read_only_folder_is_named(foreign):
    foreign.parent.chmod(0o555)
    try:
        with pytest.raises(OutputError, match="may not be written"):
            export_coco(foreign, [ImageLabels("a.png", LABELS)])
    finally:
        foreign.parent.chmod(0o755)
    assert foreign.read_text(encoding="utf-8") == FOREIGN


def test_a_folder_that_is_missing_is_named(tmp_path):
    with pytest.raises(OutputError, match="folder does not exist"):
        export_coco(tmp_path / "no" / "a.json", [ImageLabels("a.png", LABELS)])


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS])
@pytest.mark.parametrize("where", ["tempfile.TemporaryFile", "os.fsync", "os.replace"])
def test_a_full_or_read_only_disk_leaves_the_old_file(foreign, monkeypatch, where, number):
    def fail(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(where, fail)
    with pytest.raises(OutputError, match="disk is") as caught:
        export_coco(foreign, [ImageLabels("a.png", LABELS)], versions=0)
    assert "foreign.json" in str(caught.value)
    assert foreign.read_text(encoding="utf-8") == FOREIGN
    assert list(foreign.parent.iterdir()) == [foreign]


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no such signal here")
@pytest.mark.parametrize("moment", ["while objects come", "while the file is written", "before it is renamed"])
def test_a_kill_leaves_the_old_file(foreign, moment):
    program = f"""
import os, signal, sys
import numpy as np
from napari_dextr import files
from napari_dextr.coco import ImageLabels, assembly, export_coco
labels = np.arange(1, 81).reshape(8, 10)
kill = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
moment = {moment!r}
if moment == "while the file is written":
    assembly.os.fsync = kill
if moment == "before it is renamed":
    files.os.replace = kill
def planes():
    for number in range(3):
        yield ImageLabels(f"{{number}}.png", labels)
    if moment == "while objects come":
        kill()
export_coco(sys.argv[1], planes())
"""
    done = subprocess.run([sys.executable, "-c", program, foreign], capture_output=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert foreign.read_text(encoding="utf-8") == FOREIGN
    export_coco(foreign, [ImageLabels("a.png", LABELS)])
    assert validate_coco(foreign).objects == 4


def test_memory_does_not_grow_with_the_number_of_objects(tmp_path):
    """Each object's entry takes about a kilobyte of Python; what is kept of it here is its id."""
    labels = np.kron(np.arange(1, 101).reshape(10, 10), np.ones((4, 4), int))
    peaks = {}
    for planes in (3, 23):
        tracemalloc.start()
        with CocoWriter(tmp_path / f"{planes}.json") as writer:
            for number in range(planes):
                writer.add(ImageLabels(f"{number}.png", labels), labels)
            writer.finish()
        peaks[planes] = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert (peaks[23] - peaks[3]) / 2000 < 400  # bytes an object


def test_the_same_image_again_with_other_layer_shares_its_entry(tmp_path):
    export_coco(tmp_path / "a.json", [ImageLabels("a.png", LABELS), ImageLabels("a.png", LABELS, layer="b")])
    dataset = read_coco(tmp_path / "a.json")
    assert len(dataset.images) == 1
    assert [obj.record.get("layer") for obj in dataset.objects] == [None, None, "b", "b"]


def test_a_square_is_written_as_pycocotools_encodes_it(tmp_path):
    export_coco(tmp_path / "a.json", [ImageLabels("a.png", LABELS)], segmentation="rle")
    assert read_coco(tmp_path / "a.json").objects[0].segmentation == encode(LABELS == 3)
