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
from napari_dextr.models.own import MODELS_VARIABLE, models_folder
from napari_dextr.napari_io.preferences import SECTION, Preferences, read_preferences, use_folders


def answer(monkeypatch: pytest.MonkeyPatch, section: Any) -> None:
    settings = SimpleNamespace(**{SECTION: section})
    monkeypatch.setattr(napari.settings, "get_plugin_settings", lambda name: settings, raising=False)


def test_the_users_choices_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = Preferences("dextr-coco", "cpu", 0.4, True, False, "/tmp/somewhere", "/tmp/models")
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


@pytest.mark.parametrize(("variable", "field"), [(CACHE_VARIABLE, "cache_folder"), (MODELS_VARIABLE, "models_folder")])
def test_a_preferred_folder_yields_to_the_environment(
    monkeypatch: pytest.MonkeyPatch, variable: str, field: str
) -> None:
    monkeypatch.delenv(variable, raising=False)
    use_folders(Preferences())
    assert variable not in os.environ
    monkeypatch.setenv(variable, "before")
    use_folders(Preferences(**{field: "after"}))
    assert os.environ[variable] == "before"
    monkeypatch.delenv(variable)
    use_folders(Preferences(**{field: " after "}))
    assert os.environ[variable] == "after"
    use_folders(Preferences(**{field: "later"}))
    assert os.environ[variable] == "later"
    use_folders(Preferences())
    assert variable not in os.environ


def test_the_library_is_in_the_preferred_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv(MODELS_VARIABLE)
    use_folders(Preferences(models_folder=str(tmp_path)))
    assert models_folder() == tmp_path
    use_folders(Preferences())
    assert models_folder() != tmp_path
