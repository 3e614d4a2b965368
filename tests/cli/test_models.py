"""``napari-dextr models``: what there is, and where."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from napari_dextr.models.own import models_folder
from napari_dextr.training.outcome import MODEL, TUNED, Outcome
from napari_dextr.training.verdict import Verdict


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("NAPARI_DEXTR_CACHE", str(tmp_path))
    return tmp_path


def test_published_models_are_listed_with_their_size_and_licence(call):
    result = call("models")
    assert result.exit_code == 0
    for word in ("dextr-pascal-sbd", "dextr-pascal", "dextr-coco", "can be downloaded", "MIT", "196"):
        assert word in result.stdout


@pytest.mark.parametrize("columns", [40, 60, 80, 200])
def test_nothing_is_cut_off_however_narrow_the_terminal_is(call, monkeypatch, columns):
    facts = json.loads(call("models", "--json").stdout)["models"]
    monkeypatch.setenv("COLUMNS", str(columns))
    listed = call("models").stdout
    assert "…" not in listed
    words = " ".join(re.sub("[│├┼┤─]", " ", listed).split()).replace(" ", "")
    for fact in facts:
        for text in (fact["state"], fact["trained_on"], fact["licence"], *fact["marks"]):
            assert text.replace(" ", "") in words


def test_a_downloaded_model_is_told_from_one_that_can_be(call, cache):
    facts = {fact["name"]: fact for fact in json.loads(call("models", "--json").stdout)["models"]}
    assert facts["dextr-coco"]["state"] == "can be downloaded"
    (cache / "dextr_coco.pth").write_bytes(b"12345")
    facts = {fact["name"]: fact for fact in json.loads(call("models", "--json").stdout)["models"]}
    assert facts["dextr-coco"]["state"] == "downloaded"
    assert facts["dextr-coco"]["file"] == str(cache / "dextr_coco.pth")
    assert facts["dextr-coco"]["megabytes"] == pytest.approx(5e-6)
    assert facts["dextr-pascal"]["state"] == "can be downloaded"
    assert str(cache / "dextr_coco.pth") in call("models").stdout.replace("\n", "")


def test_the_folders_are_named(call, cache):
    folders = json.loads(call("models", "--json").stdout)["folders"]
    assert folders == {"downloads": str(cache), "own": str(models_folder())}
    assert f"Downloads are kept in {cache}, your own models in {models_folder()}." in call("models").stdout


@pytest.mark.parametrize("helps", [True, False])
def test_keeping_a_run_that_did_not_help_is_told(call, weights, tmp_path, helps):
    run = tmp_path / "run"
    run.mkdir()
    for name in (MODEL, TUNED):
        shutil.copy(weights, run / name)
    verdict = Verdict(helps, 0.8, 0.8, 0.0, -0.01, 0.01, 9, 3)
    Outcome(run / MODEL, 4, 4, {}, {}, 0.5, "finished", verdict, run / TUNED).write(run)
    told = call("models", "keep", run)
    assert told.exit_code == 0
    assert ("the model that it started from" in told.stdout) is not helps
    assert (TUNED in told.stdout.replace("\n", "")) is not helps
    assert json.loads(call("models", "keep", run, "--json").stdout)["is_the_base"] is not helps
    (run / "outcome.json").write_text("{", encoding="utf-8")
    assert call("models", "keep", run).exit_code == 0


def test_a_run_is_kept_listed_renamed_exported_and_removed(call, weights, tmp_path):
    said = call("models", "keep", weights, "--name", "my [nuclei]")
    assert said.exit_code == 0
    assert "Kept as 'my [nuclei]'" in said.stdout
    listed = call("models").stdout
    assert "my [nuclei]" in listed
    assert "your own" in listed
    again = json.loads(call("models", "keep", weights, "--name", "my [nuclei]", "--json").stdout)
    assert again["name"] == "my [nuclei] 2"
    assert "is now 'cells'" in call("models", "rename", "my [nuclei]", "cells").stdout
    written = json.loads(call("models", "export", "cells", tmp_path / "lab", "--json").stdout)
    assert written == {"name": "cells", "file": str(tmp_path / "lab.safetensors")}
    assert "removed" in call("models", "remove", "my [nuclei] 2").stdout
    everything = json.loads(call("models", "--json").stdout)
    (own,) = [fact for fact in everything["models"] if fact["state"] == "your own"]
    assert own["name"] == "cells"
    assert own["provenance"] == {}
    assert own["url"] is None
    assert own["file"].startswith(everything["folders"]["own"])
    assert everything["left_out"] == {}


def test_an_own_model_answers_to_its_name(call, weights, photo, tmp_path):
    call("models", "keep", weights, "--name", "cells")
    words = ("segment", photo, "--box", "5,5,30,30", "-o", tmp_path / "m.png", "--json")
    assert json.loads(call(*words, "-m", "cells").stdout)["model"] == "cells"


def test_what_cannot_be_used_is_listed_with_the_reason(call, weights):
    file = json.loads(call("models", "keep", weights, "--name", "cells", "--json").stdout)["file"]
    with Path(file).open("r+b") as opened:
        opened.truncate(100)
    assert "Left out: '" in call("models").stdout
    everything = json.loads(call("models", "--json").stdout)
    assert "damaged" in everything["left_out"]["cells"]
    assert "cells" not in [fact["name"] for fact in everything["models"]]


def test_what_cannot_be_done_is_one_sentence(refused, weights, tmp_path):
    assert "comes with napari-dextr" in refused("models", "keep", weights, "--name", "embedded")
    assert "does not exist" in refused("models", "keep", tmp_path / "gone")
    assert "kept none yet" in refused("models", "rename", "cells", "nuclei")
    assert "kept none yet" in refused("models", "remove", "cells")
    assert "kept none yet" in refused("models", "export", "cells", tmp_path)


def test_exporting_replaces_only_when_told(call, refused, weights, tmp_path):
    call("models", "keep", weights, "--name", "cells")
    (tmp_path / "a.safetensors").write_bytes(b"precious")
    assert "exists" in refused("models", "export", "cells", tmp_path / "a.safetensors")
    assert call("models", "export", "cells", tmp_path / "a.safetensors", "--overwrite").exit_code == 0
    assert (tmp_path / "a.safetensors").read_bytes() != b"precious"


@pytest.mark.parametrize("name", ["keep", "rename", "remove", "export"])
def test_every_command_explains_itself_with_examples(call, name):
    result = call("models", name, "--help")
    assert result.exit_code == 0
    assert f"napari-dextr models {name}" in result.stdout


def test_json_alone_and_json_with_a_file(call, tmp_path):
    assert json.loads(call("models", "--json", "-").stdout) == json.loads(call("models", "--json").stdout)
    assert call("models", "--json", tmp_path / "m.json").exit_code == 0
    assert json.loads((tmp_path / "m.json").read_text(encoding="utf-8")) == json.loads(call("models", "--json").stdout)
