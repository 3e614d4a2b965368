from __future__ import annotations

from dataclasses import replace

import pytest

from napari_dextr.errors import ModelError
from napari_dextr.models import registry
from napari_dextr.models.checkpoint import write_checkpoint
from napari_dextr.models.compact import CompactNet
from napari_dextr.models.own import keep_model
from napari_dextr.models.spec import ModelSpec

OPTIONS = {"widths": [8, 8, 8, 8], "blocks": [1, 1, 1, 1], "decoder": 8, "pools": [1, 2]}
SPEC = ModelSpec(name="embedded", architecture="compact", options=OPTIONS, marks=("extreme", "inside"))
PUBLISHED = ("dextr-pascal-sbd", "dextr-pascal", "dextr-coco")


@pytest.fixture
def embedded(tmp_path, monkeypatch):
    """An installation with small embedded weights."""
    path = write_checkpoint(tmp_path / "embedded.safetensors", CompactNet(**OPTIONS), SPEC)
    monkeypatch.setattr(registry, "EMBEDDED_FILE", path)
    registry._embedded.cache_clear()
    yield path
    registry._embedded.cache_clear()


@pytest.fixture
def bare(tmp_path, monkeypatch):
    """An installation without the embedded weights."""
    monkeypatch.setattr(registry, "EMBEDDED_FILE", tmp_path / "none.safetensors")
    registry._embedded.cache_clear()


def test_the_embedded_model_comes_first(embedded):
    assert [entry.name for entry in registry.entries()] == ["embedded", *PUBLISHED]
    assert registry.find("embedded").spec == SPEC
    assert registry.find("embedded").url is None
    assert registry.find("embedded").size == embedded.stat().st_size


def test_a_typing_slip_is_answered_with_the_nearest_name():
    with pytest.raises(ModelError, match="Did you mean 'dextr-coco'") as caught:
        registry.find("DEXTR_coko")
    for name in PUBLISHED:
        assert name in str(caught.value)


def test_a_wild_name_is_answered_with_the_list_alone():
    with pytest.raises(ModelError, match="known models are") as caught:
        registry.find("xyzzy")
    assert "Did you mean" not in str(caught.value)


def test_own_models_come_last_and_say_where_they_come_from(embedded):
    facts = {"started_from": "embedded", "objects": 23, "validation": {"after": {"own": 0.86}}, "data": "glioma.json"}
    run = write_checkpoint(
        embedded.with_name("run.safetensors"), CompactNet(**OPTIONS), replace(SPEC, provenance=facts)
    )
    kept = keep_model(run, "My nuclei")
    assert [entry.name for entry in registry.entries()] == ["embedded", *PUBLISHED, "My nuclei"]
    entry = registry.find("My nuclei")
    assert entry.title == "Started from embedded, 23 objects, 0.86 on held-out objects"
    assert (entry.own, entry.file, entry.url, entry.size) == (True, kept.path, None, kept.path.stat().st_size)
    assert (entry.iou, entry.iou_on, entry.trained_on) == (0.86, "held-out objects", "glioma.json")
    assert entry.spec.name == "My nuclei"
    assert registry.built_in() == registry.entries()[:-1]
    assert not any(other.own for other in registry.built_in())
    assert registry.models_taking("inside") == ("embedded", "My nuclei")
    with pytest.raises(ModelError, match="Did you mean 'My nuclei'"):
        registry.find("my_nuklei")


def test_a_long_list_is_cut_short_in_a_message(embedded):
    for _ in range(6):
        keep_model(embedded, "cells")
    with pytest.raises(ModelError, match=r"dextr-coco, cells.* and 2 more \(`napari-dextr models`\), or give"):
        registry.find("xyzzy")


def test_an_own_model_that_is_broken_says_so_and_cannot_stand_for_another(embedded):
    path = keep_model(embedded, "cells").path
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ModelError, match="damaged"):
        registry.find("cells")
    path.rename(path.with_name("embedded.safetensors"))
    assert registry.find("embedded").file == embedded
    assert [entry.name for entry in registry.entries()] == ["embedded", *PUBLISHED]


def test_missing_embedded_weights_are_no_unknown_name(bare):
    with pytest.raises(ModelError, match="missing from this installation"):
        registry.find("embedded")


def test_models_taking_a_mark(embedded):
    assert registry.models_taking("inside") == ("embedded",)
    assert registry.models_taking("extreme") == ("embedded", *PUBLISHED)
    assert registry.models_taking("stroke") == ()
