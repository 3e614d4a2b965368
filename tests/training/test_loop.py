"""The loop: it learns, it resumes on the same curve, and it stops with a sentence where it cannot go on."""

from __future__ import annotations

import copy
import json

import pytest
import torch

from napari_dextr.errors import DataError, ModelError
from napari_dextr.training.config import TrainConfig
from napari_dextr.training.loop import CHECKPOINT, Trainer
from napari_dextr.training.sampling import Sampler

SHARES = {"upright": 1.0, "turning": 1.0}


def config(**settings):
    plain = {"steps": 6, "canvases": ((64, 1.0),), "batch": 4, "validate_every": 3, "shares": SHARES, "average": 0.9}
    return TrainConfig(**{**plain, **settings})


def trainer(network, store, run, validation=None, **settings):
    return Trainer(network, Sampler(store, SHARES, ("turning",)), config(**settings), run, validation)


def test_updates_tell_what_happened(network, store, tmp_path):
    updates = list(trainer(network, store, tmp_path, store).train())
    assert [update.step for update in updates] == [1, 2, 3, 4, 5, 6]
    assert [update.validation is not None for update in updates] == [False, False, True, False, False, True]
    assert set(updates[-1].validation) == {"upright", "turning"}
    assert all(0 <= update.outside_network <= 1 for update in updates)
    assert updates[0].learning_rate == pytest.approx(1.5e-3)
    assert updates[-1].learning_rate < updates[1].learning_rate
    written = json.loads((tmp_path / "config.json").read_text(encoding="utf-8"))
    assert TrainConfig.from_mapping(written) == config()


def test_it_learns(network, store, tmp_path):
    updates = list(
        trainer(network, store, tmp_path, store, steps=60, batch=8, validate_every=60, corrections=(1.0,)).train()
    )
    first, last = (sum(u.loss for u in part) / 10 for part in (updates[:10], updates[-10:]))
    assert last < 0.75 * first


@pytest.mark.parametrize("mask_loss", ["house", "balanced"])
def test_a_resumed_run_gives_the_same_curve(network, store, tmp_path, mask_loss):
    torch.manual_seed(5)
    other = copy.deepcopy(network)
    whole = list(trainer(network, store, tmp_path / "whole", steps=6, mask_loss=mask_loss).train())
    stopped = trainer(other, store, tmp_path / "cut", steps=6, mask_loss=mask_loss).train()
    losses = [next(stopped).loss for _ in range(4)]  # the checkpoint is of step 3
    stopped.close()
    fresh = copy.deepcopy(network)
    with torch.no_grad():
        for parameter in fresh.parameters():
            parameter.zero_()
    resumed = list(trainer(fresh, store, tmp_path / "cut", steps=6, mask_loss=mask_loss).train())
    assert [update.step for update in resumed] == [4, 5, 6]
    curve = losses[:3] + [update.loss for update in resumed]
    assert curve == pytest.approx([update.loss for update in whole], rel=1e-4)


def test_the_average_follows_the_weights(network, store, tmp_path):
    run = trainer(network, store, tmp_path, average=0.5)
    before = copy.deepcopy(run.averaged.state_dict())
    list(run.train())
    moved = run.averaged.state_dict()
    name = "stages.0.0.conv1.weight"
    assert not torch.equal(before[name], moved[name])
    gap = (moved[name] - network.state_dict()[name]).abs().mean()
    assert gap < (before[name] - network.state_dict()[name]).abs().mean()


def test_a_broken_checkpoint_is_named(network, store, tmp_path):
    (tmp_path / CHECKPOINT).write_bytes(b"half a file")
    with pytest.raises(ModelError, match=r"last\.pt.*cannot be resumed"):
        trainer(network, store, tmp_path)


def test_a_loss_that_is_no_number_stops_the_run(network, store, tmp_path):
    run = trainer(network, store, tmp_path)
    with torch.no_grad():
        network.mask_head[1].bias.fill_(float("nan"))
    with pytest.raises(DataError, match="lower the learning rate"):
        list(run.train())
    assert not (tmp_path / CHECKPOINT).exists()
