"""``napari-dextr models``: what there is, and where."""

from __future__ import annotations

import json

import pytest


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("NAPARI_DEXTR_CACHE", str(tmp_path))
    return tmp_path


def test_published_models_are_listed_with_their_size_and_licence(call):
    result = call("models")
    assert result.exit_code == 0
    for word in ("dextr-pascal-sbd", "dextr-pascal", "dextr-coco", "can be downloaded", "MIT", "196"):
        assert word in result.stdout


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
