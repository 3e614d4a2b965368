"""Starts: any model that can be trained, by its name or file, kept in the run folder."""

from __future__ import annotations

import pytest
import torch

from napari_dextr.errors import DataError, ModelError
from napari_dextr.models.checkpoint import write_checkpoint
from napari_dextr.models.spec import ModelSpec
from napari_dextr.prompt import MARKS
from napari_dextr.training.config import TrainConfig
from napari_dextr.training.distribution import World
from napari_dextr.training.finetune_plan import FineTunePlan
from napari_dextr.training.recipe import Recipe
from napari_dextr.training.starts import BASE, Start, recipe_network


@pytest.fixture
def model(network, tmp_path):
    spec = ModelSpec("small", "compact", network.options, canvas=64, marks=MARKS, threshold=0.4, has_score=True)
    return write_checkpoint(tmp_path / "start.safetensors", network, spec, dtype=torch.float32)


def test_a_start_is_kept_and_found_again_when_its_file_is_gone(model, tmp_path, network):
    plan = FineTunePlan(None, tmp_path, str(model))
    first = Start.of(plan, tmp_path, World())
    plan.write()
    model.unlink()
    again = Start.of(plan, tmp_path, World())
    assert (again.spec, first.spec.name) == (first.spec, "small")
    for start in (first, again):
        assert torch.equal(start.network.mask_head[1].weight, network.mask_head[1].weight)
    assert (tmp_path / BASE).is_file()
    with pytest.raises(DataError, match="started from the model"):
        Start.of(FineTunePlan(None, tmp_path, "embedded"), tmp_path, World())


def test_the_embedded_model_can_be_started_from_by_its_name(tmp_path):
    start = Start.of(FineTunePlan(None, tmp_path), tmp_path, World())
    assert start.spec.name == "embedded"
    assert start.compares


def test_a_fresh_copy_leaves_the_start_as_it_is(model, tmp_path):
    start = Start.of(FineTunePlan(None, tmp_path, str(model)), tmp_path, World())
    with torch.no_grad():
        start.fresh().mask_head[1].weight.zero_()
    assert start.network.mask_head[1].weight.any()


def test_a_missing_model_is_told_before_anything_is_written(tmp_path):
    with pytest.raises(ModelError, match="no model or file"):
        Start.of(FineTunePlan(None, tmp_path, "nothing"), tmp_path, World())
    assert not (tmp_path / BASE).exists()


def test_changes_of_light_are_as_rare_as_the_settings_say(model, tmp_path, store):
    start = Start.of(FineTunePlan(None, tmp_path, str(model)), tmp_path, World())
    usual, rare = (start.sampler(store, TrainConfig(photometric=share)).photometric for share in (1.0, 0.5))
    assert (rare.blur, rare.light) == (usual.blur / 2, usual.light / 2)


def test_a_recipe_goes_on_from_its_own_network_only(model, network):
    table = {name: network.options[name] for name in ("widths", "blocks", "decoder", "pools")}
    same = Recipe("same", {}, table, TrainConfig())
    assert torch.equal(recipe_network(same, str(model)).mask_head[1].weight, network.mask_head[1].weight)
    other = Recipe("other", {}, {**table, "decoder": 12}, TrainConfig())
    with pytest.raises(ModelError, match="another network than that of the recipe 'other'"):
        recipe_network(other, str(model))


@pytest.mark.parametrize("more", [(0, 1), (2, 0), (1, 1)])
def test_a_recipe_with_further_blocks_begins_where_the_model_stands(model, network, more):
    table = {name: network.options[name] for name in ("widths", "blocks", "decoder", "pools")}
    count = [*table["blocks"]]
    blocks = [count[0] + more[0], *count[1:-1], count[-1] + more[1]]
    deeper = recipe_network(Recipe("deeper", {}, {**table, "blocks": blocks}, TrainConfig()), str(model)).eval()
    assert deeper.options["blocks"] == blocks
    canvas = torch.rand(2, network.options["inputs"], 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        for mine, its in zip(network.eval()(canvas), deeper(canvas), strict=True):
            torch.testing.assert_close(its, mine)


def test_a_recipe_with_fewer_blocks_is_refused(network, tmp_path):
    table = {name: network.options[name] for name in ("widths", "blocks", "decoder", "pools")}
    deep = Recipe("deep", {}, {**table, "blocks": [1, 1, 2]}, TrainConfig()).network()
    spec = ModelSpec("deep", "compact", deep.options, canvas=64, marks=MARKS, threshold=0.4, has_score=True)
    model = write_checkpoint(tmp_path / "deep.safetensors", deep, spec)
    with pytest.raises(ModelError, match="another network"):
        recipe_network(Recipe("fewer", {}, table, TrainConfig()), str(model))


def test_the_base_of_a_command_that_was_refused_is_not_gone_on_from(model, tmp_path):
    Start.of(FineTunePlan(None, tmp_path, "embedded"), tmp_path, World())  # refused before its plan was written
    plan = FineTunePlan(None, tmp_path, str(model))
    assert Start.of(plan, tmp_path, World()).spec.name == "small"
    plan.write()
    with pytest.raises(DataError, match="started from the model"):
        Start.of(FineTunePlan(None, tmp_path, "embedded"), tmp_path, World())
