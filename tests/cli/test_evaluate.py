"""``napari-dextr evaluate``: the table, the JSON, and refusals."""

from __future__ import annotations

import json

import imageio.v3
import numpy as np
import pytest

from napari_dextr.coco import labels_to_coco, write_coco


@pytest.fixture
def pack(tmp_path):
    labels = np.zeros((40, 50), np.uint8)
    rows, cols = np.mgrid[:40, :50]
    labels[np.hypot(rows - 12, cols - 14) < 9] = 1
    labels[np.hypot(rows - 29, (cols - 32) / 2) < 8] = 2
    imageio.v3.imwrite(tmp_path / "a.png", np.where(labels, 200, 20).astype(np.uint8))
    write_coco(tmp_path / "a.json", labels_to_coco(labels, "a.png"))
    return tmp_path


def test_the_table_holds_the_model_and_every_baseline_asked_for(call, pack, weights):
    words = ("evaluate", pack / "a.json", "--images", pack, "-m", weights, "--baselines", "box,hermite")
    result = call(*words)
    assert result.exit_code == 0, result.output
    assert "2 objects" in result.stdout
    for word in ("tiny", "box", "hermite", "boundary F", "click to mask", "error", "correction"):
        assert word in result.stdout
    assert "ellipse" not in result.stdout


def test_the_json_holds_every_object(call, pack, weights):
    words = ("evaluate", pack / "a.json", "--images", pack, "-m", weights, "--json")
    values = json.loads(call(*words, "--prompt", "inside-outside", "--jitter", "0.02", "--baselines", "none").stdout)
    assert [outcome["object_id"] for outcome in values["outcomes"]] == [1, 2]
    assert values["settings"]["prompt"] == "inside-outside"
    assert values["baselines"] == {}


def test_a_missing_opencv_is_mentioned(call, pack, weights, monkeypatch):
    monkeypatch.setattr("napari_dextr.evaluation.has_grabcut", lambda: False)
    result = call("evaluate", pack / "a.json", "--images", pack, "-m", weights)
    assert result.exit_code == 0, result.output
    assert "GrabCut is left out" in result.stdout


def test_bad_input_is_one_sentence(refused, pack, weights):
    base = ("--images", pack, "-m", weights)
    assert "does not exist" in refused("evaluate", pack / "gone.json", *base)
    (pack / "cut.json").write_text((pack / "a.json").read_text(encoding="utf-8")[:100], encoding="utf-8")
    assert "not complete JSON" in refused("evaluate", pack / "cut.json", *base)
    assert "no baseline 'magic'" in refused("evaluate", pack / "a.json", *base, "--baselines", "magic")
    assert "jitter" in refused("evaluate", pack / "a.json", *base, "--jitter", "3")
    assert "No object" in refused("evaluate", pack / "a.json", *base, "--min-area", "9999")
    (pack / "empty").mkdir()
    assert "a.png" in refused("evaluate", pack / "a.json", "--images", pack / "empty", "-m", weights)
