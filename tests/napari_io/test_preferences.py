"""Preferences are read where napari has them, and never stand in the way."""

from __future__ import annotations

import os
from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import napari.settings
import npe2
import pytest

import napari_dextr
from napari_dextr.models.download import CACHE_VARIABLE
from napari_dextr.napari_io.preferences import SECTION, Preferences, read_preferences, use_cache_folder


def answer(monkeypatch: pytest.MonkeyPatch, section: Any) -> None:
    settings = SimpleNamespace(**{SECTION: section})
    monkeypatch.setattr(napari.settings, "get_plugin_settings", lambda name: settings, raising=False)


def test_the_users_choices_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = Preferences("dextr-coco", "cpu", 0.4, True, False, "/tmp/somewhere")
    answer(monkeypatch, SimpleNamespace(**asdict(wanted)))
    assert read_preferences() == wanted


def test_what_makes_no_sense_has_its_default(monkeypatch: pytest.MonkeyPatch) -> None:
    answer(monkeypatch, SimpleNamespace(model=7, device="cpu", threshold=1, auto_accept="yes"))
    assert read_preferences() == Preferences(device="cpu", threshold=1.0)


def test_older_naparis_have_the_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(napari.settings, "get_plugin_settings", raising=False)
    assert read_preferences() == Preferences()


def test_damaged_settings_do_no_harm(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(name: str) -> None:
        raise KeyError(name)

    monkeypatch.setattr(napari.settings, "get_plugin_settings", fail, raising=False)
    assert read_preferences() == Preferences()


def test_the_manifest_offers_the_same_with_the_same_defaults() -> None:
    manifest = npe2.PluginManifest.from_file(Path(napari_dextr.__file__).parent / "napari.yaml")
    configurations = getattr(manifest.contributions, "configurations", None)
    if configurations is None:
        pytest.skip("this npe2 has no configurations yet")
    properties = configurations[SECTION].properties
    assert {name: item.default for name, item in properties.items()} == asdict(Preferences())


def test_the_cache_folder_yields_to_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(CACHE_VARIABLE, raising=False)
    use_cache_folder(Preferences())
    assert CACHE_VARIABLE not in os.environ
    monkeypatch.setenv(CACHE_VARIABLE, "before")
    use_cache_folder(Preferences(cache_folder="after"))
    assert os.environ[CACHE_VARIABLE] == "before"
    monkeypatch.delenv(CACHE_VARIABLE)
    use_cache_folder(Preferences(cache_folder=" after "))
    assert os.environ[CACHE_VARIABLE] == "after"
    monkeypatch.delenv(CACHE_VARIABLE)
