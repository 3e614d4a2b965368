"""One step of learning: the same for the same seed, with the settings' rate, losses and arithmetic."""

from __future__ import annotations

import pytest
import torch

from napari_dextr.errors import DataError
from napari_dextr.training.distribution import World
from napari_dextr.training.learner import Learner
from napari_dextr.training.sampling import Sampler

from .child import make_network, settings

CPU = torch.device("cpu")


def learner(**changes):
    return Learner(make_network(), settings(**changes), CPU, World())


def batch_of(store, count=4):
    return Sampler.of(store, settings()).draw(count, 64, (0, 0))


@pytest.mark.parametrize("rounds", [0, 2])
def test_the_same_step_twice_is_the_same(store, rounds):
    corrections = (0.0,) * rounds + (1.0,)
    lessons, weights = [], []
    for _ in range(2):
        one = learner(corrections=corrections)
        lessons.append(one.learn(batch_of(store), 3).loss)
        weights.append(one.state()["network"])
    assert lessons[0] == lessons[1]
    assert all(torch.equal(weights[0][name], value) for name, value in weights[1].items())


def test_every_round_of_corrections_adds_a_mark(store):
    batch = batch_of(store)
    before = [len(m.outline) + len(m.inside) + len(m.outside) for m in batch.marks]
    learner(corrections=(0.0, 0.0, 1.0)).learn(batch, 0)
    after = [len(m.outline) + len(m.inside) + len(m.outside) for m in batch.marks]
    assert sum(after) > sum(before)


def test_the_rate_is_that_of_the_step(store):
    one = learner(steps=100, warm_up=0.1, decay=0.5)
    one.learn(batch_of(store), 4)
    assert {group["lr"] for group in one.optimizer.param_groups} == {one.config.rate_at(4)}


def test_losses_are_chosen_by_the_settings(store):
    found = {
        str(choice): learner(mask_loss=choice).learn(batch_of(store), 0).loss
        for choice in ("house", "balanced", {"iou": 1.0})
    }
    assert len(set(found.values())) == 3


def test_weights_of_side_and_score_losses_count(store):
    plain, heavy = (learner(side_loss=weight).learn(batch_of(store), 0).loss for weight in (0.0, 5.0))
    assert heavy > plain


def test_bfloat16_is_close_to_float32(store):
    full, half = (learner(precision=precision).learn(batch_of(store), 0).loss for precision in ("float32", "bfloat16"))
    assert half == pytest.approx(full, rel=0.02)
    assert half != full


def test_state_goes_there_and_back(store):
    one, other = learner(), learner()
    one.learn(batch_of(store), 0)
    other.restore(one.state())
    assert other.learn(batch_of(store), 1).loss == one.learn(batch_of(store), 1).loss


def test_float16_is_for_graphics_cards():
    with pytest.raises(DataError, match="float16"):
        learner(precision="float16")


def test_being_asked_to_stop_is_passed_on(store):
    assert not learner().learn(batch_of(store), 0).asked
    assert learner().learn(batch_of(store), 0, asked=True).asked


def test_statistics_and_frozen_parts_stay_as_they_are(store):
    taught = learner(frozen_statistics=True, frozen="early")
    before = {name: value.clone() for name, value in taught.network.state_dict().items()}
    taught.learn(batch_of(store), 0)
    changed = {name for name, value in taught.network.state_dict().items() if not torch.equal(value, before[name])}
    assert any(name.startswith("stages.2.") for name in changed)
    assert not [name for name in changed if name.startswith(("stages.0.", "stages.1.")) or "running_" in name]
    usual = learner()
    usual.learn(batch_of(store), 0)
    assert not torch.equal(
        usual.network.state_dict()["stages.0.0.norm1.running_mean"], before["stages.0.0.norm1.running_mean"]
    )


def test_an_anchored_network_stays_nearer_to_its_start(store):
    def moved(strength):
        taught = learner(anchor=strength, warm_up=0.0, decay=0.0, learning_rate=1e-3)
        start = [weight.detach().clone() for weight in taught.network.parameters()]
        for step in range(3):
            taught.learn(batch_of(store), step)
        return sum(
            float((new - old).square().sum()) for new, old in zip(taught.network.parameters(), start, strict=True)
        )

    assert moved(300.0) < 0.8 * moved(0.0)


def test_on_another_device_it_goes_on_with_the_same_state(store):
    taught, moved = learner(), learner()
    for each in (taught, moved):
        each.learn(batch_of(store), 0)
    moved.to(CPU)
    assert taught.learn(batch_of(store), 1).loss == moved.learn(batch_of(store), 1).loss
    assert not moved.scaler.is_enabled()


def test_a_changed_decay_is_used_after_a_resume(store):
    one = learner(weight_decay=0.02)
    one.learn(batch_of(store), 0)
    other = learner(weight_decay=0.5)
    other.restore(one.state())
    assert sorted({group["weight_decay"] for group in other.optimizer.param_groups}) == [0.0, 0.5]


@pytest.mark.parametrize("changes", [{"optimizer": "muon"}, {"frozen": "early"}])
def test_settings_that_a_checkpoint_depends_on_are_named(changes):
    state = learner().state()
    assert learner().differs(state) == ""
    (name,) = changes
    assert learner(**changes).differs(state) == f"{name} '{getattr(learner().config, name)}'"


def test_a_step_that_memory_was_not_enough_for_can_be_done_again(store):
    """A scaler of gradients refuses to divide those of one step twice."""
    one = learner()
    one.scaler = torch.amp.GradScaler("cpu", init_scale=8.0)
    loss = next(one.network.parameters()).square().sum()
    one.scaler.scale(loss).backward()
    one.scaler.unscale_(one.optimizer)
    one.start_over()
    assert all(weight.grad is None for weight in one.network.parameters())
    one.learn(batch_of(store), 0)
    assert one.scaler.get_scale() == 8.0
