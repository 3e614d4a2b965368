"""``napari-dextr train``: a recipe becomes a checkpoint; what is missing is one sentence and exit code 2."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from napari_dextr.cli import app
from napari_dextr.coco import labels_to_coco, write_coco

RECIPE = """
[crops]
side = 64
[[crops.sources]]
name = "own"
annotations = "annotations.json"
images = "."
[[crops.validation]]
name = "own"
annotations = "annotations.json"
images = "."
[train]
steps = 2
batch = 2
canvases = [[64, 1.0]]
validate_every = 1
"""


@pytest.fixture
def data(tmp_path):
    labels = np.zeros((100, 100), np.int32)
    labels[20:60, 30:70] = 1
    Image.fromarray(np.where(labels > 0, 200, 40).astype(np.uint8)).save(tmp_path / "a.png")
    write_coco(tmp_path / "annotations.json", labels_to_coco(labels, "a.png"))
    (tmp_path / "tiny.toml").write_text(RECIPE, encoding="utf-8")
    return tmp_path


def run(data, *extra):
    words = ["train", "--recipe", str(data / "tiny.toml"), "--data", str(data), "-o", str(data / "run"), *extra]
    return CliRunner().invoke(app, words)


def test_a_recipe_becomes_a_checkpoint(data):
    result = run(data, "--json", str(data / "report.json"))
    assert result.exit_code == 0, result.output
    assert "step 2 of 2" in result.output
    assert (data / "run" / "best.safetensors").is_file()
    report = json.loads((data / "report.json").read_text(encoding="utf-8"))
    assert [entry["step"] for entry in report["validation"]] == [1, 2]


@pytest.mark.parametrize(("missing", "words"), [("annotations.json", "annotations.json"), ("tiny.toml", "no recipe")])
def test_what_is_missing_is_one_sentence(data, missing, words):
    (data / missing).unlink()
    result = run(data)
    assert result.exit_code == 2
    assert words in result.stderr
    assert "Traceback" not in result.output
    assert not (data / "run" / "best.safetensors").exists()
