"""Fine-tuning: from annotations to a model that opens, on the same curve after a stop, never worse than its start."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from napari_dextr import Prompt, load_model
from napari_dextr.coco import labels_to_coco, merge_coco, write_coco
from napari_dextr.errors import DataError, ModelError
from napari_dextr.models.checkpoint import read_spec, write_checkpoint
from napari_dextr.models.spec import ModelSpec
from napari_dextr.prompt import MARKS
from napari_dextr.training.finetune import FINE_TUNING, FROM_SCRATCH, FineTunePlan, FineTuning
from napari_dextr.training.run_folder import read_metrics
from napari_dextr.training.sources import ArraySource, CocoSource

from .child import make_network

QUICK = {"steps": 4, "batch": 4, "canvases": ((64, 1.0),), "validate_every": 2, "pictures": 0, "precision": "float32"}


@pytest.fixture
def data(tmp_path):
    """Three images with four discs each, and a small model to start from."""
    rng = np.random.default_rng(0)
    rows, cols = np.indices((90, 100))
    documents = []
    for number in range(3):
        labels = np.zeros((90, 100), np.int32)
        for label in range(1, 5):
            row, col = 22 + 45 * ((label - 1) // 2), 25 + 48 * ((label - 1) % 2)
            labels[np.hypot(rows - row, cols - col) < rng.uniform(9, 15)] = label
        image = np.where(labels > 0, 190, 60) + rng.normal(0, 8, labels.shape)
        Image.fromarray(image.clip(0, 255).astype(np.uint8)).save(tmp_path / f"{number}.png")
        documents.append(labels_to_coco(labels, f"{number}.png"))
    write_coco(tmp_path / "own.json", merge_coco(documents))
    network = make_network()
    spec = ModelSpec("small", "compact", network.options, canvas=64, marks=MARKS, threshold=0.4, has_score=True)
    write_checkpoint(tmp_path / "start.safetensors", network, spec, dtype=torch.float32)
    return tmp_path


def plan(data, **changes):
    values = {"initial": str(data / "start.safetensors"), "hold_out": 0.34, "settings": QUICK, "device": "cpu"}
    return FineTunePlan(CocoSource(data / "own.json", data), data / "run", **{**values, **changes})


def test_annotations_become_a_model_that_segments(data):
    lines = []
    tuning = FineTuning(plan(data), lines.append)
    updates = list(tuning.run())
    assert [update.step for update in updates] == [1, 2, 3, 4]
    assert any("8 crops" in line for line in lines)
    assert any("4 crops" in line for line in lines)  # held out
    outcome = tuning.outcome
    assert outcome.ended == "finished"
    assert outcome.after["own"] >= outcome.before["own"]
    model = load_model(data / "run")
    assert model.spec.threshold == outcome.threshold
    assert model.spec.name == "run"
    facts = model.spec.provenance
    assert (facts["started_from"], facts["objects"], facts["data"]) == ("small", 8, "own.json")
    assert facts["validation"] == {"before": dict(outcome.before), "after": dict(outcome.after)}
    image = np.asarray(Image.open(data / "0.png"))
    assert model.segment(image, Prompt.box(10, 12, 35, 40)).mask.dtype == bool


def test_a_start_that_is_never_beaten_is_given_back(data):
    settings = {**QUICK, "learning_rate": 0.9, "warm_up": 0.0, "decay": 0.0, "average": 0.0, "steps": 2}
    tuning = FineTuning(plan(data, settings=settings))
    list(tuning.run())
    outcome = tuning.outcome
    if outcome.after["own"] == outcome.before["own"]:
        assert outcome.best_step == 0
    assert outcome.after["own"] >= outcome.before["own"]


def test_a_stopped_run_leaves_a_model_and_goes_on_with_the_same_curve(data):
    whole = [update.loss for update in FineTuning(plan(data, name="w")).run()]
    (data / "run").rename(data / "whole")
    tuning = FineTuning(plan(data))
    first = []
    for update in tuning.run():
        first.append(update.loss)
        tuning.stop()
    assert len(first) == 2  # asked during the first step's report, it ends with the next step
    assert tuning.outcome.ended == "stopped"
    assert load_model(data / "run").spec.canvas == 64
    again = FineTuning(plan(data))
    rest = [update.loss for update in again.run()]
    assert first + rest == whole
    assert again.outcome.before == tuning.outcome.before
    assert [line["loss"] for line in read_metrics(data / "run")] == whole


def test_closing_the_run_leaves_a_model_too(data):
    updates = FineTuning(plan(data)).run()
    next(updates)
    updates.close()
    assert load_model(data / "run").spec.provenance["steps"] == 0  # nothing was better than the start yet
    assert next(FineTuning(plan(data)).run()).step == 2


def test_without_judges_the_last_average_is_the_model(data):
    tuning = FineTuning(plan(data, hold_out=0.0))
    list(tuning.run())
    assert (tuning.outcome.best_step, tuning.outcome.after, tuning.outcome.before) == (4, {}, {})
    assert tuning.outcome.threshold == 0.4  # that of the start


def test_judges_of_their_own_file(data):
    tuning = FineTuning(plan(data, hold_out=0.0, validation=CocoSource(data / "own.json", data)))
    list(tuning.run())
    assert set(tuning.outcome.after) == {"own"}
    assert read_spec(data / "run").provenance["objects"] == 12


def test_arrays_can_be_trained_on(data):
    labels = np.zeros((3, 90, 100), np.int32)
    labels[:, 20:50, 30:70] = 1
    source = ArraySource([((labels * 100 + 50).astype(np.uint8), labels)])
    tuning = FineTuning(FineTunePlan(source, data / "run", str(data / "start.safetensors"), None, 0.3, QUICK, "cpu"))
    assert len(list(tuning.run())) == 4


def test_a_folder_of_other_data_is_refused(data):
    list(FineTuning(plan(data)).run())
    with pytest.raises(DataError, match="started with other data"):
        list(FineTuning(plan(data, hold_out=0.7)).run())


def test_models_of_another_kind_are_refused(data):
    network = make_network()
    spec = ModelSpec("odd", "compact", network.options, pipeline="published", canvas=64, margin=50, marks=("extreme",))
    write_checkpoint(data / "odd.safetensors", network, spec)
    with pytest.raises(ModelError, match=r"'odd'.*cannot be trained"):
        list(FineTuning(plan(data, initial=str(data / "odd.safetensors"))).run())


def test_settings_come_from_the_start_the_kind_and_the_plan(data):
    spec = ModelSpec("m", "compact", canvas=192)
    cpu = torch.device("cpu")
    tuned = plan(data, settings={"steps": 7}).config(spec, cpu)
    assert (tuned.steps, tuned.canvases) == (7, ((192, 1.0),))
    assert tuned.learning_rate == FINE_TUNING["learning_rate"]
    fresh = plan(data, settings={}, initial="scratch").config(spec, cpu)
    assert (fresh.steps, fresh.canvases) == (FROM_SCRATCH["steps"], FROM_SCRATCH["canvases"])
    assert plan(data, settings={"precision": "float32"}).config(spec, cpu).precision == "float32"


def test_from_scratch_needs_no_start_and_is_the_same_each_time(data):
    runs = [FineTuning(plan(data, initial="scratch", name=name)) for name in ("a", "b")]
    losses = []
    for number, run in enumerate(runs):
        losses.append([update.loss for update in run.run()])
        (data / "run").rename(data / str(number))
    assert losses[0] == losses[1]
    assert runs[0].outcome.before == {}
