from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from napari_dextr import Prompt, Segmenter, load_model
from napari_dextr.errors import ModelError
from napari_dextr.models import open_network, registry
from napari_dextr.models.checkpoint import write_checkpoint
from napari_dextr.models.compact import CompactNet
from napari_dextr.models.own import keep_model
from napari_dextr.models.spec import ModelSpec

OPTIONS = {"widths": [8, 8, 8, 8], "blocks": [1, 1, 1, 1], "decoder": 8, "pools": [1, 2]}
SPEC = ModelSpec(name="mine", architecture="compact", options=OPTIONS, canvas=64, has_score=True)
PROMPT = Prompt.extreme([(10, 30), (50, 32), (30, 10), (32, 50)])


@pytest.fixture
def run(tmp_path):
    """A run folder."""
    folder = tmp_path / "run"
    folder.mkdir()
    write_checkpoint(folder / "best.safetensors", CompactNet(**OPTIONS), SPEC)
    return folder


@pytest.fixture
def embedded(run, monkeypatch):
    monkeypatch.setattr(registry, "EMBEDDED_FILE", run / "best.safetensors")
    registry._embedded.cache_clear()
    yield
    registry._embedded.cache_clear()


@pytest.fixture
def cache(tmp_path, monkeypatch):
    folder = tmp_path / "cache"
    folder.mkdir()
    monkeypatch.setenv("NAPARI_DEXTR_CACHE", str(folder))
    return folder


@pytest.mark.parametrize("source", [None, "embedded"])
def test_the_embedded_model(embedded, source):
    model = load_model(source, device="cpu")
    assert isinstance(model, Segmenter)
    assert model.spec == replace(SPEC, name="embedded")


def test_missing_embedded_weights(monkeypatch, tmp_path):
    monkeypatch.setattr(registry, "EMBEDDED_FILE", tmp_path / "none.safetensors")
    with pytest.raises(ModelError, match="reinstall"):
        load_model()


@pytest.mark.parametrize("kind", [lambda path: path, str], ids=["Path", "str"])
def test_a_file_or_a_run_folder(run, kind):
    for source in (run, run / "best.safetensors"):
        model = load_model(kind(source), device="cpu", precision="full")
        assert model.spec == SPEC
        assert model.precision == "float32"
        assert model.segment(np.zeros((64, 64), np.uint8), PROMPT).full_mask().shape == (64, 64)


def test_a_folder_in_the_current_one(run, monkeypatch):
    monkeypatch.chdir(run.parent)
    assert load_model("run", device="cpu").spec == SPEC


def test_a_name_wins_over_a_folder_of_that_name(cache, hollow_state, tmp_path, monkeypatch):
    torch.save(hollow_state("psp"), cache / "dextr_coco.pth")
    (tmp_path / "dextr-coco").mkdir()
    monkeypatch.chdir(tmp_path)
    model = load_model("dextr-coco", device="cpu")
    assert model.spec.name == "dextr-coco"
    assert model.spec.pipeline == "published"


def test_an_own_model_by_its_name(run, tmp_path, monkeypatch):
    keep_model(run, "My nuclei")
    model = load_model("My nuclei", device="cpu")
    assert model.spec == replace(SPEC, name="My nuclei")
    assert model.model_hash == load_model(run, device="cpu").model_hash
    (tmp_path / "My nuclei").mkdir()
    monkeypatch.chdir(tmp_path)
    spec, network = open_network("My nuclei")  # the name wins over a folder
    assert spec.name == "My nuclei"
    assert not network.training
    assert open_network(run)[0] == SPEC


def test_precision_is_lowered_only_where_that_was_shown(cache, hollow_state, tmp_path, monkeypatch):
    """For the authors' checkpoints it was; a network of one's own may be another matter."""
    monkeypatch.setattr("napari_dextr.models.runtime.cpu_has_bfloat16", lambda: True)
    torch.save(hollow_state("psp"), cache / "dextr_coco.pth")
    torch.save(hollow_state("psp"), tmp_path / "mine.pth")
    assert load_model("dextr-coco", device="cpu").precision == "bfloat16"
    assert load_model("dextr-coco", device="cpu", precision="full").precision == "float32"
    assert load_model(tmp_path / "mine.pth", device="cpu").precision == "float32"


def test_a_published_file_under_any_name(hollow_state, tmp_path):
    torch.save({f"module.{name}": tensor for name, tensor in hollow_state("atrous").items()}, tmp_path / "mine.pth")
    model = load_model(tmp_path / "mine.pth", device="cpu", precision="full")
    assert (model.spec.name, model.spec.options["head"]) == ("mine", "atrous")
    result = model.segment(np.zeros((60, 60, 3), np.uint8), PROMPT)
    assert result.probability == pytest.approx(np.full((41, 41), 0.5))
    assert not result.mask.any()


@pytest.mark.parametrize(
    ("source", "match"),
    [
        ("dextr-pascal-sdb", "Did you mean 'dextr-pascal-sbd'"),
        ("weights/none.pth", "does not exist"),
        ("none.safetensors", "does not exist"),
        (".", "holds no weights"),
    ],
)
def test_sources_that_are_not_there(source, match, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ModelError, match=match):
        load_model(source)


def test_a_device_that_is_not_there_is_noticed_before_a_download(cache, monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(ModelError, match="no CUDA device"):
        load_model("dextr-coco", device="cuda")
    assert not list(cache.iterdir())


def test_a_home_folder_is_expanded(run, monkeypatch):
    monkeypatch.setenv("HOME", str(run.parent))
    monkeypatch.setenv("USERPROFILE", str(run.parent))
    assert load_model("~/run", device="cpu").spec == SPEC
