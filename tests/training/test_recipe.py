"""Recipes: from a data folder to a checkpoint that opens, and back to where a run stopped."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from napari_dextr import Prompt, load_model
from napari_dextr.coco import labels_to_coco, write_coco
from napari_dextr.errors import DataError, ModelError
from napari_dextr.models.compact import CompactNet
from napari_dextr.training.crops import CropStore
from napari_dextr.training.recipe import BUILT_IN, Recipe, run

NETWORK = "widths = [8, 12, 16]\nblocks = [1, 1, 1]\ndecoder = 8\npools = [2]"
TINY = f"""
[crops]
side = 64
[[crops.sources]]
name = "own"
annotations = "pack/annotations.json"
images = "pack/images"
[[crops.sources]]
name = "superpixel"
superpixels_of = ["pack/images"]
photographs = 1
[[crops.sources]]
name = "threads"
threads_over = ["pack/images"]
photographs = 4
[[crops.sources]]
name = "procedural"
procedural = 3
[[crops.validation]]
name = "own"
annotations = "pack/annotations.json"
images = "pack/images"
[model]
{NETWORK}
canvas = 64
[train]
steps = 2
batch = 2
canvases = [[64, 1.0]]
validate_every = 2
pictures = 0
"""


@pytest.fixture
def data(tmp_path):
    rng = np.random.default_rng(0)
    labels = np.zeros((120, 160), np.int32)
    labels[20:60, 30:70] = 1
    labels[70:110, 80:150] = 2
    image = np.where(labels[..., None] > 0, 180, 60) + rng.normal(0, 5, (120, 160, 3))
    (tmp_path / "pack" / "images").mkdir(parents=True)
    Image.fromarray(image.clip(0, 255).astype(np.uint8)).save(tmp_path / "pack" / "images" / "a.png")
    write_coco(tmp_path / "pack" / "annotations.json", labels_to_coco(labels, "a.png"))
    (tmp_path / "tiny.toml").write_text(TINY, encoding="utf-8")
    return tmp_path


def test_a_run_ends_in_a_checkpoint_that_segments(data):
    recipe = Recipe.read(data / "tiny.toml")
    lines = []
    updates = list(run(recipe, data, data / "run", lines.append))
    assert [update.step for update in updates] == [1, 2]
    assert [line.split(":")[0] for line in lines] == ["own", "superpixel", "threads", "procedural", "own"]
    model = load_model(data / "run")
    assert model.spec.canvas == 64
    assert model.spec.provenance["steps"] == 2
    image = np.asarray(Image.open(data / "pack" / "images" / "a.png"))
    result = model.segment(image, Prompt.extreme([(20, 50), (40, 30), (59, 50), (40, 69)]))
    assert result.score is not None
    assert result.probability.shape == result.mask.shape


def test_crops_are_cut_once(data):
    recipe = Recipe.read(data / "tiny.toml")
    list(run(recipe, data, data / "run"))
    (data / "pack" / "annotations.json").unlink()
    assert list(run(recipe, data, data / "run")) == []  # finished; the crops were not needed again
    assert len(CropStore.open(data / "run" / "crops" / "validation")) == 2


def test_a_run_can_start_from_a_given_network(data):
    made = []

    def small():
        made.append(CompactNet(widths=(8, 12, 16), blocks=(1, 1, 1), decoder=8, pools=(2,)))
        return made[0]

    list(run(Recipe.read(data / "tiny.toml"), data, data / "run", initial=small))
    assert len(made) == 1


def test_the_recipes_that_come_along_are_read():
    names = [file.stem for file in BUILT_IN.glob("*.toml")]
    assert "embedded" in names
    for name in names:
        recipe = Recipe.read(name)
        assert {entry["name"] for entry in recipe.crops["sources"]} >= set(recipe.train.shares)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("not toml [", "not valid TOML"),
        ("[train]\nsteps = 3", "no \\[\\[crops.sources\\]\\]"),
        ('[[crops.sources]]\nname = "a"\n[train]\nstep = 3', "Unknown training setting: step"),
        ('[[crops.sources]]\nname = "a"\n[model]\nwidth = [3]', r"unknown setting in \[model\]: width; known are"),
        ('[[crops.sources]]\nname = "a"\n[model]\nbackbone = "resnet18"\nblocks = [1]', "unknown setting.*blocks"),
    ],
)
def test_recipes_that_make_no_sense_are_refused(tmp_path, text, words):
    (tmp_path / "r.toml").write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=words):
        Recipe.read(tmp_path / "r.toml")


def with_model(data, lines):
    (data / "tiny.toml").write_text(TINY.replace(NETWORK, lines), encoding="utf-8")
    return Recipe.read(data / "tiny.toml")


def test_the_model_table_describes_the_network_and_travels_with_it(data):
    lines = "widths = [8, 8, 8, 12, 16]\nblocks = [1, 1, 1, 1, 1]\ndecoder = 8\npools = [1, 2]\nsharpness = 3.0"
    recipe = with_model(data, lines)
    list(run(recipe, data, data / "run"))
    spec = load_model(data / "run").spec
    assert spec.options["widths"] == [8, 8, 8, 12, 16]
    assert spec.options["blocks"] == [1] * 5
    assert (spec.options["decoder"], spec.options["pools"], spec.options["sharpness"]) == (8, [1, 2], 3.0)


def test_a_backbone_of_torchvision_can_be_trained(data):
    list(run(with_model(data, 'backbone = "resnet18"\ndecoder = 8\npools = [1, 2]'), data, data / "run"))
    spec = load_model(data / "run").spec
    assert spec.architecture == "backbone"
    assert spec.options["backbone"] == "resnet18"


def test_a_canvas_that_does_not_fit_the_network_is_refused_before_any_work(data):
    recipe = with_model(data, "widths = [8, 8, 8, 8, 8]\nblocks = [1, 1, 1, 1, 1]\ndecoder = 8")
    narrow = replace(recipe, train=replace(recipe.train, canvases=((64, 0.5), (80, 0.5))))
    with pytest.raises(DataError, match="multiple of 32 pixels; got 80"):
        list(run(narrow, data, data / "run"))
    assert not (data / "run").exists()


def test_a_network_that_cannot_be_built_is_said(data):
    with pytest.raises(ModelError, match="one number a stride"):
        with_model(data, "widths = [8, 8]").network()


def test_a_stopped_run_leaves_its_model(data):
    recipe = with_model(data, "widths = [8, 8]\nblocks = [1, 1]\ndecoder = 8\npools = [1]")
    updates = run(recipe, data, data / "run")
    assert next(updates).step == 1
    updates.close()
    assert load_model(data / "run").spec.provenance["steps"] == 1
    assert [update.step for update in run(recipe, data, data / "run")] == [2]


@pytest.mark.parametrize("where", ["annotations", "superpixels"])
def test_unreadable_images_stop_the_run_unless_it_skips_them(data, where):
    (data / "pack" / "images" / "b.png").write_bytes(b"no image")
    document = json.loads((data / "pack" / "annotations.json").read_text(encoding="utf-8"))
    text = TINY.replace("photographs = 1", "photographs = 2")
    if where == "annotations":
        document["images"].append({**document["images"][0], "id": 2, "file_name": "b.png"})
        document["annotations"].append({**document["annotations"][0], "id": 9, "image_id": 2})
        text = TINY.replace("photographs = 1", "photographs = 0")
    write_coco(data / "pack" / "annotations.json", document)
    lines = []
    (data / "tiny.toml").write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=r"b\.png.*skip_unreadable"):
        list(run(Recipe.read(data / "tiny.toml"), data, data / "run"))
    (data / "tiny.toml").write_text(text.replace("side = 64", "side = 64\nskip_unreadable = true"), encoding="utf-8")
    list(run(Recipe.read(data / "tiny.toml"), data, data / "run", lines.append))
    assert any("could not be read and were left out" in line for line in lines)


def test_an_unknown_recipe_names_the_known_ones():
    with pytest.raises(DataError, match=r"no recipe 'nothing'.*embedded"):
        Recipe.read("nothing")


def test_a_source_of_no_kind_is_refused(data):
    text = TINY.replace('annotations = "pack/annotations.json"', "", 1)
    (data / "tiny.toml").write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match="neither annotations"):
        list(run(Recipe.read(data / "tiny.toml"), data, data / "run"))


def test_a_folder_without_images_is_named(data):
    (data / "pack" / "images" / "a.png").unlink()
    with pytest.raises(DataError):
        list(run(Recipe.read(data / "tiny.toml"), data, data / "run"))
