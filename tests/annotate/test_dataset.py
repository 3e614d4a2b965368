"""Whole files: the result, what is left alone, and runs that were killed."""

from __future__ import annotations

import json
import signal
import subprocess
import sys

import imageio.v3
import numpy as np
import pytest

from napari_dextr.annotate import AnnotateSettings, annotate_coco
from napari_dextr.coco import read_coco, validate_coco
from napari_dextr.errors import DataError, OutputError, PromptError


def run(pack, model, out="out.json", settings=None, **options):
    return annotate_coco(pack / "a.json", pack / "images", pack / out, model, settings, **options)


def test_every_object_gets_a_mask_a_score_and_its_marks(pack, model):
    steps = []
    report = run(pack, model, progress=lambda *step: steps.append(step))
    assert (report.objects, report.masks, report.resumed, report.left) == (10, 6, 0, 1)
    assert steps[0] == (0, 10)
    assert steps[-1] == (10, 10)
    written, before = read_coco(report.path), read_coco(pack / "a.json")
    assert [obj.id for obj in written.objects] == [obj.id for obj in before.objects]
    for obj, old in zip(written.objects, before.objects, strict=True):
        if old.id in (3, 7, 8, 9, 10):  # bad box, missing image, crowd
            assert (obj.segmentation, obj.extra, obj.bbox) == (old.segmentation, old.extra, old.bbox)
            continue
        facts = written.facts(obj)
        assert (facts.model, facts.model_hash) == ("tiny", model.model_hash)
        assert 0 <= facts.score <= 1
        assert len(facts.marks) == (4 if old.id == 2 else 0)
        assert (facts.box is None) == (old.id == 2)
        assert obj.extra["tool"] == "x"
        assert obj.extra["area"] == written.mask(obj).sum()
    assert json.loads(report.path.read_text(encoding="utf-8"))["more"] == 1.5
    assert '"more": 1.5' in report.path.read_text(encoding="utf-8")
    assert sorted(path.name for path in pack.iterdir()) == ["a.json", "images", "out.json", "out.review.csv"]
    assert len(report.problems) == 2
    assert [bool(row.problem) for row in report.rows] == [True] * 4 + [False] * 6
    assert not [problem for problem in validate_coco(report.path).problems if "3" not in problem]
    assert json.loads(json.dumps(report.to_json()))["masks"] == 6


def test_a_second_run_on_the_result_starts_from_the_same_marks(pack, model):
    first = run(pack, model)
    again = annotate_coco(first.path, pack / "images", pack / "again.json", model)
    one, two = (read_coco(report.path) for report in (first, again))
    assert [obj.segmentation for obj in one.objects] == [obj.segmentation for obj in two.objects]


def test_masks_that_exist_can_be_kept(pack, model):
    first = run(pack, model)
    report = annotate_coco(
        first.path, pack / "images", pack / "again.json", model, AnnotateSettings(keep_masks=True, segmentation="rle")
    )
    assert (report.objects, report.left) == (4, 7)
    assert (pack / "again.json").read_text(encoding="utf-8") == first.path.read_text(encoding="utf-8")


@pytest.mark.parametrize("stop", [0, 1, 3])
def test_an_interrupted_run_goes_on_and_ends_the_same(pack, model, stop):
    expected = run(pack, model, "expected.json").path.read_bytes()

    def interrupt(done: int, total: int) -> None:
        if done > stop:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(pack, model, progress=interrupt)
    assert (pack / "out.json.journal").exists()
    assert not (pack / "out.json").exists()
    report = run(pack, model)
    assert report.resumed == 3 if stop < 3 else report.resumed == 6
    assert report.path.read_bytes() == expected
    assert report.review.read_text(encoding="utf-8") == (pack / "expected.review.csv").read_text(encoding="utf-8")
    assert not (pack / "out.json.journal").exists()


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no such signal here")
def test_a_killed_run_goes_on_and_ends_the_same(pack, model, weights):
    expected = run(pack, model, "expected.json").path.read_bytes()
    program = f"""
import os, signal
from napari_dextr import load_model
from napari_dextr.annotate import annotate_coco
def progress(done, total):
    if done >= 6:
        os.kill(os.getpid(), signal.SIGKILL)
model = load_model({str(weights)!r}, device="cpu", precision="full")
annotate_coco({str(pack / "a.json")!r}, {str(pack / "images")!r}, {str(pack / "out.json")!r}, model, progress=progress)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    report = run(pack, model)
    assert report.resumed == 6
    assert report.path.read_bytes() == expected


def test_an_image_that_came_back_is_tried_again(pack, model):
    def interrupt(done: int, total: int) -> None:
        if done >= 9:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(pack, model, progress=interrupt)
    imageio.v3.imwrite(pack / "images" / "3.png", np.zeros((40, 50, 3), np.uint8))
    report = run(pack, model)
    assert (report.resumed, report.masks) == (6, 9)


def test_the_journal_of_other_settings_is_refused_until_restarted(pack, model):
    def interrupt(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(pack, model, progress=interrupt)
    with pytest.raises(DataError, match="--restart"):
        run(pack, model, settings=AnnotateSettings(prompt="box"))
    assert run(pack, model, settings=AnnotateSettings(prompt="box"), restart=True).masks == 6


def test_images_are_opened_once(pack, model, monkeypatch):
    from napari_dextr.annotate import work

    opened = []
    real = work.open_annotated
    monkeypatch.setattr(work, "open_annotated", lambda folder, image: opened.append(image.id) or real(folder, image))
    run(pack, model, settings=AnnotateSettings(batch=1))
    assert opened == [1, 2, 3, 4]


def test_bad_places_are_refused_before_the_work(pack, model):
    with pytest.raises(OutputError, match="the file that is read"):
        run(pack, model, "a.json")
    with pytest.raises(OutputError, match="folder that exists"):
        run(pack, model, "no/out.json")
    with pytest.raises(DataError, match="not a folder"):
        annotate_coco(pack / "a.json", pack / "gone", pack / "out.json", model)
    (pack / "empty.json").write_text('{"images": [], "annotations": []}', encoding="utf-8")
    with pytest.raises(DataError, match="holds no object that wants a mask"):
        annotate_coco(pack / "empty.json", pack / "images", pack / "out.json", model)


def test_bad_settings_are_refused():
    for wrong, error in (
        ({"prompt": "x"}, PromptError),
        ({"batch": 0}, PromptError),
        ({"segmentation": "x"}, DataError),
    ):
        with pytest.raises(error):
            AnnotateSettings(**wrong)


@pytest.mark.parametrize("name", ["a.json", "out.json"])
def test_the_review_list_never_takes_the_place_of_annotations(pack, model, name):
    before = (pack / "a.json").read_bytes()
    with pytest.raises(OutputError, match="another name for the review list"):
        annotate_coco(pack / "a.json", pack / "images", pack / "out.json", model, review=pack / name)
    assert (pack / "a.json").read_bytes() == before
    assert not (pack / "out.json").exists()


def test_what_json_does_not_know_in_an_entry_is_no_obstacle(pack, model):
    """Python's own writer puts NaN into files; the masks must not be lost to it after hours of work."""
    text = (pack / "a.json").read_text(encoding="utf-8")
    content = json.loads(text)
    content["annotations"][0]["iou_pred"] = float("nan")
    (pack / "nan.json").write_text(json.dumps(content), encoding="utf-8")
    annotate_coco(pack / "nan.json", pack / "images", pack / "out.json", model)
    written = json.loads((pack / "out.json").read_text(encoding="utf-8"))
    assert written["annotations"][0]["iou_pred"] is None
    assert written["annotations"][0]["segmentation"]


def test_ids_written_as_text_get_their_masks(pack, model):
    content = json.loads((pack / "a.json").read_text(encoding="utf-8"))
    names = {1: "9007199254740993", 2: "9007199254740995", 4: "4.0"}
    for entry in content["annotations"]:
        entry["id"] = names.get(entry["id"], entry["id"])
    (pack / "a.json").write_text(json.dumps(content), encoding="utf-8")
    run(pack, model)
    written = json.loads((pack / "out.json").read_text(encoding="utf-8"))["annotations"]
    assert all(entry["segmentation"] for entry in written if entry["id"] in names.values())


def test_a_box_with_an_empty_outline_has_no_mask_to_keep(pack, model):
    content = json.loads((pack / "a.json").read_text(encoding="utf-8"))
    for entry in content["annotations"]:
        entry["segmentation"] = [[]]
    (pack / "a.json").write_text(json.dumps(content), encoding="utf-8")
    assert run(pack, model, settings=AnnotateSettings(keep_masks=True)).masks == 6


def test_half_a_character_in_a_name_ends_no_run(pack, model):
    content = json.loads((pack / "a.json").read_text(encoding="utf-8"))
    content["categories"][0]["name"] = "cell \ud83d"
    (pack / "a.json").write_text(json.dumps(content), encoding="utf-8")
    report = run(pack, model)
    assert report.masks == 6
    assert "\\ud83d" in report.review.read_text(encoding="utf-8")
    assert json.loads(report.path.read_text(encoding="utf-8"))["categories"] == content["categories"]
