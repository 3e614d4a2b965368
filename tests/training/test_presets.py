"""Presets: every setting is one that training knows."""

from __future__ import annotations

import pytest
import torch

from napari_dextr.errors import DataError
from napari_dextr.models.spec import ModelSpec
from napari_dextr.training.config import TrainConfig
from napari_dextr.training.finetune_plan import FineTunePlan
from napari_dextr.training.presets import DEFAULT, PRESETS, find_preset


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_is_a_configuration(name, tmp_path):
    preset = find_preset(name)
    assert preset.title
    assert preset.explanation.endswith(".")
    config = TrainConfig.from_mapping(preset.settings)
    assert config.frozen_statistics  # few objects are no sample
    spec = ModelSpec("m", "compact", canvas=224)
    plan = FineTunePlan(None, tmp_path, preset=name)
    assert plan.config(spec, torch.device("cpu")).canvases == ((160, preset.coarse), (224, 1 - preset.coarse))
    assert plan.config(spec, torch.device("cpu"), thin=True).canvases == ((224, 1.0),)  # a crack needs all pixels


def test_the_thorough_one_does_more_and_holds_on_harder():
    quick, thorough = PRESETS[DEFAULT].settings, PRESETS["thorough"].settings
    assert thorough["steps"] * thorough["batch"] > 3 * quick["steps"] * quick["batch"]
    assert thorough["anchor"] > quick["anchor"]
    with pytest.raises(TypeError):
        PRESETS["quick"].settings["steps"] = 1  # shared by everybody


def test_an_unknown_one_is_told_with_those_there_are():
    with pytest.raises(DataError, match="quick or thorough"):
        find_preset("slow")
