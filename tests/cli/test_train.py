"""``napari-dextr train``: annotations or a recipe become a checkpoint; what is missing is one sentence, exit code 2."""

from __future__ import annotations

import json
import os
import signal

import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

from napari_dextr.cli import app
from napari_dextr.coco import labels_to_coco, merge_coco, write_coco
from napari_dextr.models.checkpoint import read_checkpoint
from napari_dextr.models.own import own_models
from napari_dextr.training import crops, finetune, loop

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
pictures = 0
"""
NETWORK = "[model]\nwidths = [8, 12, 16]\nblocks = [1, 1, 1]\ndecoder = 8\npools = [2]\n"
SETTINGS = "[train]\nsteps = 50\nbatch = 2\nvalidate_every = 1\npictures = 0\n"


@pytest.fixture
def data(tmp_path, monkeypatch):
    monkeypatch.setenv("NAPARI_DEXTR_MODELS", str(tmp_path / "library"))
    labels = np.zeros((100, 100), np.int32)
    labels[20:60, 30:70] = 1
    for name in ("a.png", "b.png"):
        Image.fromarray(np.where(labels > 0, 200, 40).astype(np.uint8)).save(tmp_path / name)
    write_coco(tmp_path / "annotations.json", merge_coco([labels_to_coco(labels, name) for name in ("a.png", "b.png")]))
    (tmp_path / "tiny.toml").write_text(RECIPE + NETWORK, encoding="utf-8")
    (tmp_path / "settings.toml").write_text(SETTINGS, encoding="utf-8")
    return tmp_path


def run(data, *extra):
    words = ["train", "--recipe", str(data / "tiny.toml"), "--data", str(data), "-o", str(data / "run"), *extra]
    return CliRunner().invoke(app, words)


def tune(data, weights, *extra):
    words = ["train", data / "annotations.json", "-o", data / "run", "--init", weights, "--canvas", 32]
    words += ["--config", data / "settings.toml", "--steps", 2, "--device", "cpu", *extra]
    return CliRunner().invoke(app, [str(word) for word in words], env={"COLUMNS": "200"})


def test_a_recipe_becomes_a_checkpoint(data):
    (data / "tiny.toml").write_text(RECIPE, encoding="utf-8")  # which names no network: it is the whole compact one
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


def test_annotations_become_a_checkpoint_with_a_verdict(data, weights):
    words = ("--hold-out", "0.5", "--frozen", "early", "--anchor", "3", "--preset", "thorough", "--keep", "mine")
    result = tune(data, weights, *words, "--json", data / "report.json")
    assert result.exit_code == 0, result.output
    assert "Too few objects to tell" in result.output
    assert "not put into the library" in result.output
    assert "step 2 of 2" in result.output
    assert str(data / "run" / "best.safetensors") in result.output.replace("\n", "")
    report = json.loads((data / "report.json").read_text(encoding="utf-8"))
    assert (report["verdict"]["helps"], report["verdict"]["objects"]) == (False, 1)
    assert (report["ended"], report["kept"]) == ("finished", None)
    settings = json.loads((data / "run" / "config.json").read_text(encoding="utf-8"))
    assert (settings["steps"], settings["batch"], settings["canvases"]) == (2, 2, [[32, 1.0]])  # flags, then the file
    assert (settings["turning"], settings["frozen"], settings["anchor"]) == (["own"], "early", 3)
    assert settings["frozen_statistics"]  # the preset's


def test_flags_reach_the_settings(data, weights):
    result = tune(
        data, weights, "--loss", "balanced", "--seed", 5, "--upright", "--learning-rate", 0.002, "--patience", 3,
        "--hold-out", 0, "--keep", "mine",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    assert "Nothing judged the model" in result.output
    assert "in the library as 'mine'" in result.output
    assert [model.name for model in own_models()] == ["mine"]
    settings = json.loads((data / "run" / "config.json").read_text(encoding="utf-8"))
    assert (settings["mask_loss"], settings["seed"], settings["turning"]) == ("balanced", 5, [])
    assert (settings["learning_rate"], settings["patience"]) == (0.002, 3)


def test_ctrl_c_keeps_the_best_and_the_same_command_goes_on(data, weights, monkeypatch):
    real = loop.Trainer.save

    def interrupted(trainer):
        real(trainer)
        if trainer.step == 1:
            os.kill(os.getpid(), signal.SIGINT) if os.name == "posix" else signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(loop.Trainer, "save", interrupted)
    before = signal.getsignal(signal.SIGINT)  # a program that a script starts in the background ignores it
    stopped = tune(data, weights, "--hold-out", "0.5", "--steps", 4)
    assert stopped.exit_code == 0, stopped.output
    assert "press Ctrl+C again" in stopped.output
    assert "Stopped at step 2; the same command goes on from there." in stopped.output
    assert (data / "run" / "best.safetensors").is_file()
    monkeypatch.undo()
    rest = tune(data, weights, "--hold-out", "0.5", "--steps", 4)
    assert "step 3 of 4" in rest.output
    assert "step 2 of 4" not in rest.output
    again = CliRunner().invoke(app, ["train", "--resume", str(data / "run")], env={"COLUMNS": "200"})
    assert again.exit_code == 0, again.output
    assert "Too few objects to tell" in again.output
    assert signal.getsignal(signal.SIGINT) is before


def test_ctrl_c_ends_a_recipe_as_well(data, monkeypatch):
    real = loop.Trainer.save

    def interrupted(trainer):
        real(trainer)
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(loop.Trainer, "save", interrupted)
    result = run(data)
    assert result.exit_code == 0, result.output
    assert "Stopped at step 1" in result.output


@pytest.mark.parametrize("hold_out", ["0.5", "0"])
def test_ctrl_c_while_objects_are_cut_out_learns_nothing_and_says_so(data, weights, monkeypatch, hold_out):
    real = crops.cut

    def interrupted(*words):
        signal.raise_signal(signal.SIGINT)
        return real(*words)

    monkeypatch.setattr(crops, "cut", interrupted)
    stopped = tune(data, weights, "--hold-out", hold_out, "--json", data / "report.json")
    assert stopped.exit_code == 0, stopped.output
    assert "nothing was learned; the same command begins anew" in stopped.output
    assert "The model is in" not in stopped.output
    report = json.loads((data / "report.json").read_text(encoding="utf-8"))
    assert (report["ended"], report["model"], report["steps"]) == ("stopped", None, 0)
    monkeypatch.setattr(crops, "cut", real)
    again = tune(data, weights, "--hold-out", hold_out)
    assert again.exit_code == 0, again.output
    assert "The model is in" in again.output


@pytest.mark.parametrize(
    ("extra", "words"),
    [
        (["--data", "."], "either a COCO file"),
        (["--recipe", "embedded"], "brings its own data"),
        (["--validation-images", "."], "give --validation"),
        (["--validation", "annotations.json", "--hold-out", "0.5"], "not both"),
        (["--init", "none.safetensors"], "none.safetensors' does not exist"),
        (["--config", "none.toml"], "none.toml' cannot be read"),
        (["--precision", "float16"], "float16 needs a CUDA"),
        (["--canvas", "40"], "multiples of 16"),
        (["--learning-rate", "7"], "makes no sense"),
        (["--least-area", "9000"], "object"),
        (["--resume", "run"], "its own data and settings"),
    ],
)
def test_what_cannot_work_is_one_sentence(data, weights, extra, words, monkeypatch):
    monkeypatch.chdir(data)
    result = tune(data, weights, *extra)
    assert result.exit_code == 2, result.output
    assert words in result.stderr
    assert result.stderr.count("\n") == 1


def test_neither_data_nor_annotations_is_refused(tmp_path):
    result = CliRunner().invoke(app, ["train", "-o", str(tmp_path)])
    assert result.exit_code == 2
    assert "either a COCO file" in result.stderr


@pytest.mark.parametrize(
    ("extra", "words"),
    [
        (["--hold-out", "0.3"], "recipe says itself"),
        (["--upright"], "recipe says itself"),
        (["--keep", "mine"], "recipe says itself"),
    ],
)
def test_options_for_annotations_do_not_go_with_a_recipe(data, extra, words):
    result = run(data, *extra)
    assert result.exit_code == 2
    assert words in result.stderr


def test_flags_go_before_a_recipes_settings(data):
    result = run(data, "--steps", "1", "--seed", "9", "--device", "cpu")
    assert result.exit_code == 0, result.output
    settings = json.loads((data / "run" / "config.json").read_text(encoding="utf-8"))
    assert (settings["steps"], settings["seed"], settings["batch"]) == (1, 9, 2)


def test_a_recipe_goes_on_from_a_model_of_its_own_network(data, weights):
    other = run(data, "--init", str(weights))
    assert other.exit_code == 2
    assert "is another network than that of the recipe 'tiny'" in other.stderr
    assert run(data).exit_code == 0
    first = data / "run" / "best.safetensors"
    first.rename(data / "first.safetensors")
    again = CliRunner().invoke(
        app,
        ["train", "--recipe", str(data / "tiny.toml"), "--data", str(data), "-o", str(data / "again"), "--init",
         str(data / "first.safetensors"), "--learning-rate", "1e-9"],
    )  # fmt: skip
    assert again.exit_code == 0, again.output
    before, after = (read_checkpoint(path)[1] for path in (data / "first.safetensors", data / "again"))
    name = "stages.0.0.conv1.weight"
    assert torch.allclose(before[name], after[name], atol=1e-4)


def test_a_run_that_goes_on_must_be_one(tmp_path):
    result = CliRunner().invoke(app, ["train", "--resume", str(tmp_path)])
    assert result.exit_code == 2
    assert "not the folder of a fine-tuning" in result.stderr


def test_without_a_run_folder_nothing_starts(data):
    result = CliRunner().invoke(app, ["train", str(data / "annotations.json")])
    assert result.exit_code == 2
    assert "give a folder with -o" in result.stderr


def test_a_full_disk_is_told_while_it_goes_on(data, weights, monkeypatch):
    from napari_dextr.errors import OutputError

    calls = []

    def full(folder, state):
        calls.append(state["step"])
        if len(calls) == 1:
            raise OutputError("'last.pt' cannot be written: the disk is full.")

    monkeypatch.setattr(loop.checkpoints, "save", full)
    result = tune(data, weights)
    assert result.exit_code == 0, result.output
    assert "the disk is full. The training goes on." in result.output
    assert calls == [1, 2]
    assert finetune.MODEL in result.output
