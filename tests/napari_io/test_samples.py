"""Sample data, and the manifest that names it."""

from __future__ import annotations

import importlib
from pathlib import Path

import numpy as np
import pytest

import napari_dextr
from napari_dextr.napari_io.samples import SAMPLES

MANIFEST = Path(napari_dextr.__file__).parent / "napari.yaml"


@pytest.mark.parametrize("key", SAMPLES)
def test_samples_are_photographs(key: str) -> None:
    ((data, options, kind),) = SAMPLES[key]()
    assert kind == "image"
    assert options["name"]
    assert data.dtype == np.uint8
    assert min(data.shape[:2]) >= 300


def test_manifest_names_what_exists() -> None:
    npe2 = pytest.importorskip("npe2")
    manifest = npe2.PluginManifest.from_file(MANIFEST)
    commands = {command.id: command.python_name for command in manifest.contributions.commands}
    for python_name in commands.values():
        module, name = python_name.split(":")
        assert callable(getattr(importlib.import_module(module), name))
    titles = {widget.display_name for widget in manifest.contributions.widgets}
    assert titles == {"Annotate", "Export COCO", "Boxes to masks"}
    samples = {sample.key: commands[sample.command] for sample in manifest.contributions.sample_data}
    assert set(samples) == set(SAMPLES)
    assert all(python_name.endswith(f":{key}") for key, python_name in samples.items())
