"""Plans: settings from the start, the preset and the plan; remembered so that a run can go on by its folder."""

from __future__ import annotations

import json

import pytest
import torch

import napari_dextr.training.finetune_plan as module
from napari_dextr.errors import DataError
from napari_dextr.models.spec import ModelSpec
from napari_dextr.training.finetune_plan import CROSS_VALIDATED, FROM_SCRATCH, PLAN, FineTunePlan
from napari_dextr.training.presets import PRESETS, Preset

CPU = torch.device("cpu")
SPEC = ModelSpec("m", "compact", canvas=192)


def test_settings_come_from_the_start_the_preset_and_the_plan(tmp_path):
    tuned = FineTunePlan(None, tmp_path, settings={"steps": 7}).config(SPEC, CPU)
    assert (tuned.steps, [side for side, _ in tuned.canvases]) == (7, [128, 192])
    assert tuned.learning_rate == PRESETS["quick"].settings["learning_rate"]
    fresh = FineTunePlan(None, tmp_path, "scratch").config(SPEC, CPU)
    assert (fresh.steps, fresh.canvases) == (FROM_SCRATCH["steps"], FROM_SCRATCH["canvases"])
    assert FineTunePlan(None, tmp_path, settings={"precision": "bfloat16"}).config(SPEC, CPU).precision == "bfloat16"


def test_a_published_model_gets_its_authors_loss_at_its_own_canvas(tmp_path):
    spec = ModelSpec("d", "dextr-resnet101", pipeline="published", canvas=512, margin=50, marks=("extreme",))
    config = FineTunePlan(None, tmp_path).config(spec, CPU)
    assert (config.mask_loss, config.canvases, config.corrections) == ("balanced", ((512, 1.0),), (1.0,))
    ours = FineTunePlan(None, tmp_path).config(SPEC, CPU)
    assert (config.optimizer, ours.optimizer) == ("adamw", "muon")
    assert config.anchor * config.learning_rate == pytest.approx(ours.anchor * ours.learning_rate)


def test_few_objects_are_dealt_out_many_are_held_out(tmp_path):
    plan = FineTunePlan(None, tmp_path, preset="thorough")
    folds = PRESETS["thorough"].folds
    assert [plan.parts(count) for count in (1, 3, 4, 30, CROSS_VALIDATED)] == [0, 0, 4, folds, 0]
    assert [plan.share(count) for count in (3, 30, CROSS_VALIDATED)] == [0, 0, 0.2]
    assert plan.steps_in_all(30) == (1 + folds) * PRESETS["thorough"].settings["steps"]
    asked = FineTunePlan(None, tmp_path, hold_out=0.3)
    assert (asked.parts(10), asked.share(10), asked.steps_in_all(10)) == (0, 0.3, PRESETS["quick"].settings["steps"])
    nobody = FineTunePlan(None, tmp_path, hold_out=0)
    assert (nobody.parts(10), nobody.share(100)) == (0, 0)
    scratch = FineTunePlan(None, tmp_path, "scratch")
    assert (scratch.parts(10), scratch.share(100)) == (0, 0)


def test_a_plan_is_remembered_but_for_its_source(tmp_path):
    plan = FineTunePlan(
        None, tmp_path, "mine", None, 0.25, {"turning": ("own",), "steps": 9}, "cpu", 64, "new", "thorough", 3
    )
    plan.write()
    again = FineTunePlan.reopen(tmp_path)
    assert (again.initial, again.hold_out, again.settings["steps"], again.name) == ("mine", 0.25, 9, "new")
    assert (again.preset, again.folds, again.side, again.device, again.source) == ("thorough", 3, 64, "cpu", None)
    assert again.config(SPEC, CPU) == plan.config(SPEC, CPU)
    assert FineTunePlan.reopen(tmp_path, "cuda").device == "cuda"
    started = json.loads((tmp_path / PLAN).read_text(encoding="utf-8"))["started"]
    again.write()
    assert json.loads((tmp_path / PLAN).read_text(encoding="utf-8"))["started"] == started


@pytest.mark.parametrize("initial", ["embedded", "scratch"])
def test_a_run_goes_on_as_it_began_where_an_update_changed_the_usual_settings(tmp_path, monkeypatch, initial):
    plan = FineTunePlan(None, tmp_path, initial, settings={"seed": 3})
    plan.write()
    before = plan.config(SPEC, CPU), plan.parts(10), plan.steps_in_all(10)
    other = Preset("quick", "", "", {**PRESETS["quick"].settings, "steps": 999, "anchor": 1.0}, coarse=0.0, folds=9)
    monkeypatch.setattr(module, "find_preset", lambda name: other)
    monkeypatch.setattr(module, "FROM_SCRATCH", {**FROM_SCRATCH, "steps": 999})
    again = FineTunePlan.reopen(tmp_path)
    assert (again.config(SPEC, CPU), again.parts(10), again.steps_in_all(10)) == before
    again.write()
    assert FineTunePlan.reopen(tmp_path).config(SPEC, CPU) == before[0]
    assert FineTunePlan(None, tmp_path, initial).config(SPEC, CPU).steps == 999


def test_a_plan_of_before_thin_objects_were_told_apart_goes_on_as_it_began(tmp_path):
    plan = FineTunePlan(None, tmp_path)
    plan.write()
    content = json.loads((tmp_path / PLAN).read_text(encoding="utf-8"))
    assert content["usual"].pop("coarse_thin") == 0
    (tmp_path / PLAN).write_text(json.dumps(content), encoding="utf-8")
    old = FineTunePlan.reopen(tmp_path)
    assert old.config(SPEC, CPU, thin=True) == old.config(SPEC, CPU) == plan.config(SPEC, CPU)
    assert plan.config(SPEC, CPU, thin=True) != plan.config(SPEC, CPU)


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"initial": 1'])
def test_a_damaged_plan_is_told(tmp_path, content):
    with pytest.raises(DataError, match="not the folder of a fine-tuning"):
        FineTunePlan.reopen(tmp_path)
    (tmp_path / PLAN).write_text(content, encoding="utf-8")
    with pytest.raises(DataError, match="cannot be read"):
        FineTunePlan.reopen(tmp_path)
