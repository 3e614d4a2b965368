"""Sample data, and the manifest that names it."""

from __future__ import annotations

import importlib
from pathlib import Path

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Image, Labels

import napari_dextr
from napari_dextr.napari_io.samples import NUCLEI, SAMPLES

MANIFEST = Path(napari_dextr.__file__).parent / "napari.yaml"


PHOTOGRAPHS = ("astronaut", "cat", "coffee", "coins", "tissue")


@pytest.mark.parametrize("key", SAMPLES)
def test_samples_open_as_layers(key: str) -> None:
    viewer = ViewerModel()
    given = SAMPLES[key]()
    for data, options, kind in given:
        getattr(viewer, f"add_{kind}")(data, **options)
    assert [layer.name for layer in viewer.layers] == [options["name"] for _, options, _ in given]
    image, *labels = viewer.layers
    assert isinstance(image, Image)
    assert all(isinstance(layer, Labels) and layer.data.shape == image.data.shape for layer in labels)


@pytest.mark.parametrize("key", PHOTOGRAPHS)
def test_photographs_are_large_enough_to_click_on(key: str) -> None:
    ((data, _, kind),) = SAMPLES[key]()
    assert kind == "image"
    assert data.dtype == np.uint8
    assert min(data.shape[:2]) >= 300


@pytest.mark.parametrize("key", sorted(set(SAMPLES) - set(PHOTOGRAPHS)))
def test_what_is_made_is_made_alike_each_time(key: str) -> None:
    for (data, *_), (again, *_) in zip(SAMPLES[key](), SAMPLES[key](), strict=True):
        np.testing.assert_array_equal(data, again)


def test_nuclei_fit_their_labels() -> None:
    (image, *_), (labels, *_) = SAMPLES["nuclei_labels"]()
    assert labels.shape == image.shape == (NUCLEI, 256, 256)
    for plane, marked in zip(image, labels, strict=True):
        assert plane[marked > 0].mean() > 3 * plane[marked == 0].mean()


def test_no_two_nuclei_share_a_label() -> None:
    ((_, *_), (labels, *_)) = SAMPLES["nuclei_labels"]()
    numbers = [set(np.unique(plane)) - {0} for plane in labels]
    assert set().union(*numbers) == set(range(1, 126))
    assert sum(len(part) for part in numbers) == 125


def test_the_dark_nuclei_are_darker_than_their_surroundings() -> None:
    (image, *_), (labels, *_) = SAMPLES["nuclei_dark"]()
    for plane, marked in zip(image, labels, strict=True):
        assert plane[marked > 0].mean() < plane[marked == 0].mean() - 10


def test_the_fluorescence_image_uses_little_of_16_bits() -> None:
    ((image, *_),) = SAMPLES["fluorescence"]()
    assert image.dtype == np.uint16
    assert 500 < image.max() < 4096


def test_bundled_images_are_small_and_their_terms_lie_beside_them() -> None:
    folder = Path(napari_dextr.__file__).parent / "napari_io" / "sample_images"
    files = [file for file in folder.iterdir() if file.suffix in {".jpg", ".png"}]
    assert len(files) == 2 * NUCLEI
    assert sum(file.stat().st_size for file in files) < 400_000
    assert "CC0 1.0" in (folder / "TERMS.md").read_text(encoding="utf-8")


def test_manifest_names_what_exists() -> None:
    npe2 = pytest.importorskip("npe2")
    manifest = npe2.PluginManifest.from_file(MANIFEST)
    commands = {command.id: command.python_name for command in manifest.contributions.commands}
    for python_name in commands.values():
        module, name = python_name.split(":")
        assert callable(getattr(importlib.import_module(module), name))
    titles = {widget.display_name for widget in manifest.contributions.widgets}
    assert titles == {"Annotate", "Fine-tune", "Export COCO", "Boxes to masks"}
    samples = {sample.key: commands[sample.command] for sample in manifest.contributions.sample_data}
    assert set(samples) == set(SAMPLES)
    assert all(python_name.endswith(f":{key}") for key, python_name in samples.items())
