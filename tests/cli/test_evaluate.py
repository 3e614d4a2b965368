"""``napari-dextr evaluate``: the tables, the JSON, the picture, and refusals."""

from __future__ import annotations

import json

import imageio.v3
import numpy as np
import pytest
import torch

from napari_dextr.coco import labels_to_coco, write_coco
from napari_dextr.models.checkpoint import write_checkpoint
from napari_dextr.models.compact import CompactNet
from napari_dextr.models.spec import ModelSpec

ALL_PROMPTS = ("extreme", "box", "inside-outside", "clicks")


@pytest.fixture
def pack(tmp_path):
    labels = np.zeros((40, 50), np.uint8)
    rows, cols = np.mgrid[:40, :50]
    labels[np.hypot(rows - 12, cols - 14) < 9] = 1
    labels[np.hypot(rows - 29, (cols - 32) / 2) < 8] = 2
    (tmp_path / "images").mkdir()
    imageio.v3.imwrite(tmp_path / "images" / "a.png", np.where(labels, 200, 20).astype(np.uint8))
    write_coco(tmp_path / "a.json", labels_to_coco(labels, "a.png"))
    return tmp_path


def test_the_tables_hold_the_model_and_every_baseline_asked_for(call, pack, weights):
    words = ("evaluate", pack / "a.json", "--images", pack / "images", "-m", weights, "--baselines", "box,hermite")
    result = call(*words)
    assert result.exit_code == 0, result.output
    assert "2 objects on 1 images" in result.stdout
    for word in ("tiny", "box", "hermite", "removed", "boundary", "ms", "Correcting clicks", "own estimate"):
        assert word in result.stdout
    assert "ellipse" not in result.stdout
    assert "Number of clicks" not in result.stdout
    assert "turned" not in result.stdout


def test_all_of_it_at_once(call, pack, weights):
    words = ("evaluate", pack / "a.json", "-m", weights, "--prompt", "all", "--jitter", "0,0.02", "--noc", "--turns")
    file = pack / "results.json"
    result = call(*words, "--baselines", "ellipse", "--json", file, "--workers", "2")
    assert result.exit_code == 0, result.output
    for word in ("inside-outside, 2 %", "Number of clicks", "to 0.90", "Flipped and turned images", "busy with 2"):
        assert word in result.stdout
    values = json.loads(file.read_text(encoding="utf-8"))
    (data,) = values["datasets"]
    assert [(each["prompt"], each["jitter"]) for each in data["results"]] == [
        (prompt, jitter) for prompt in ALL_PROMPTS for jitter in (0, 0.02)
    ]
    assert all([each["object_id"] for each in result["outcomes"]] == [1, 2] for result in data["results"])
    assert len(data["turns"]) == 5
    assert values["model"]["name"] == "tiny"
    assert values["model"]["canvas"] == 32


def test_what_is_printed_is_what_the_json_holds(call, pack, weights):
    file = pack / "results.json"
    words = ("evaluate", pack / "a.json", "-m", weights, "--noc", "--baselines", "ellipse", "--json", file)
    lines = [line.split() for line in call(*words).stdout.splitlines() if line.strip().startswith("extreme")]
    result = json.loads(file.read_text(encoding="utf-8"))["datasets"][0]["results"][0]
    first, baselines, correction, counts, scores = lines
    spread = result["iou"]
    assert first[1] == f"{spread['mean']:.3f}"
    assert first[2] == f"±{(spread['high'] - spread['low']) / 2:.3f}"
    assert first[3:5] == [f"{spread['median']:.3f}", f"{spread['p10']:.3f}"]
    assert first[5] == f"{100 * spread['good']:.1f}"
    assert first[7] == f"{result['boundary_f']['mean']:.3f}"
    assert first[8:] == [f"{result['latency_ms'][key]:.0f}" for key in ("median", "p95")]
    assert baselines[1] == f"{result['baselines']['ellipse']['mean']:.3f}"
    assert baselines[2] == f"{100 * result['error_reduction']:.1f}"
    assert correction[1:4] == [
        "1",
        f"{result['corrections'][0]['iou']:.3f}",
        f"{result['corrections'][0]['gain']['mean']:+.3f}",
    ]
    assert counts[1] == f"{result['noc'][0]['mean']['mean']:.2f}"
    assert scores[1] == f"{result['calibration']['error']['mean']:.3f}"


def test_several_files_with_a_folder_each(call, pack, weights, tmp_path):
    words = ("evaluate", pack / "a.json", pack / "a.json", "-m", weights, "--baselines", "none", "--json")
    folders = ("--images", pack / "images", "--images", pack)
    (pack / "a.png").write_bytes((pack / "images" / "a.png").read_bytes())
    values = json.loads(call(*words, *folders).stdout)
    one, other = values["datasets"]
    assert [o["ious"] for o in one["results"][0]["outcomes"]] == [o["ious"] for o in other["results"][0]["outcomes"]]
    assert one["results"][0]["baselines"] == {}


def test_a_picture_is_drawn(call, pack, weights):
    result = call("evaluate", pack / "a.json", "-m", weights, "--baselines", "none", "--plot", pack / "p.png")
    assert result.exit_code == 0, result.output
    assert "p.png" in result.stdout
    assert imageio.v3.imread(pack / "p.png").shape[0] > 300


def test_all_prompts_are_those_that_the_model_takes(call, pack, tmp_path):
    torch.manual_seed(0)
    options = {"widths": [8, 8, 8, 8], "blocks": [1, 1, 1, 1], "decoder": 8, "pools": [1]}
    spec = ModelSpec("shy", "compact", options=options, canvas=32, marks=("extreme", "inside"), threshold=0.3)
    file = write_checkpoint(tmp_path / "shy.safetensors", CompactNet((8, 8, 8, 8), (1, 1, 1, 1), 8, (1,)), spec)
    words = ("evaluate", pack / "a.json", "-m", file, "--baselines", "none", "--prompt", "all", "--json")
    results = json.loads(call(*words).stdout)["datasets"][0]["results"]
    assert [each["prompt"] for each in results] == ["extreme", "clicks"]
    assert results[0]["corrections"] == []


def test_a_missing_opencv_is_mentioned_with_the_remedy(call, pack, weights, monkeypatch):
    monkeypatch.setattr("napari_dextr.evaluation.settings.has_grabcut", lambda: False)
    result = call("evaluate", pack / "a.json", "-m", weights)
    assert result.exit_code == 0, result.output
    assert "GrabCut is left out" in result.stdout
    assert "pip install opencv-python-headless" in result.stdout
    assert "GrabCut" not in call("evaluate", pack / "a.json", "-m", weights, "--baselines", "ellipse").stdout


def test_bad_input_is_one_sentence(refused, pack, weights):
    base = ("-m", weights)
    assert "does not exist" in refused("evaluate", pack / "gone.json", *base)
    (pack / "cut.json").write_text((pack / "a.json").read_text(encoding="utf-8")[:100], encoding="utf-8")
    assert "not complete JSON" in refused("evaluate", pack / "cut.json", *base)
    assert "no baseline 'magic'" in refused("evaluate", pack / "a.json", *base, "--baselines", "magic")
    assert "no prompt 'magic'" in refused("evaluate", pack / "a.json", *base, "--prompt", "extreme,magic")
    assert "jitter" in refused("evaluate", pack / "a.json", *base, "--jitter", "3")
    assert "--jitter must be numbers" in refused("evaluate", pack / "a.json", *base, "--jitter", "much")
    assert "holds no object" in refused("evaluate", pack / "a.json", *base, "--least-area", "9999")
    (pack / "empty").mkdir()
    assert "a.png" in refused("evaluate", pack / "a.json", "--images", pack / "empty", *base)
    three = ("--images", pack, "--images", pack, "--images", pack)
    assert "2 annotation files and 3 folders" in refused("evaluate", pack / "a.json", pack / "a.json", *three, *base)
    assert "folder that exists" in refused("evaluate", pack / "a.json", *base, "--plot", pack / "no" / "a.png")
