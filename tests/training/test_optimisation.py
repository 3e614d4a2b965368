"""What is decayed, how the average follows, and which weights are the best."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from napari_dextr.training.config import TrainConfig
from napari_dextr.training.optimisation import Anchor, Best, follow, make_optimizer


def test_normalisations_and_biases_are_not_decayed():
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Linear(4, 2))
    decayed, plain = make_optimizer(network, TrainConfig(weight_decay=0.1)).param_groups
    assert (decayed["weight_decay"], plain["weight_decay"]) == (0.1, 0.0)
    assert {p.ndim for p in decayed["params"]} == {2, 4}
    assert {p.ndim for p in plain["params"]} == {1}


def test_what_is_frozen_is_not_optimised():
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Linear(4, 2))
    network[0].requires_grad_(False)
    held = [p for group in make_optimizer(network, TrainConfig()).param_groups for p in group["params"]]
    assert {id(p) for p in held} == {id(p) for p in network[1].parameters()}


def test_an_anchor_pulls_back_to_the_start_by_the_rate():
    network = nn.Linear(1, 1, bias=False)
    nn.init.ones_(network.weight)
    anchor, none = Anchor(network, 5.0), Anchor(network, 0.0)
    nn.init.constant_(network.weight, 3.0)
    none.pull(0.1)
    assert network.weight.item() == 3
    anchor.pull(0.1)
    torch.testing.assert_close(network.weight.item(), 2.0)
    anchor.pull(0.1)
    torch.testing.assert_close(network.weight.item(), 1.5)


def test_the_average_follows_closely_at_first_and_slowly_later():
    averaged, network = nn.Linear(1, 1, bias=False), nn.Linear(1, 1, bias=False)
    for step, share in ((1, 1 - 2 / 11), (10**6, 0.1)):
        nn.init.zeros_(averaged.weight)
        nn.init.ones_(network.weight)
        follow(averaged, network, 0.9, step)
        torch.testing.assert_close(averaged.weight.item(), share)


def test_counters_are_copied():
    averaged, network = nn.BatchNorm1d(2), nn.BatchNorm1d(2)
    network.num_batches_tracked.fill_(5)
    follow(averaged, network, 0.9, 100)
    assert averaged.num_batches_tracked.item() == 5


def test_the_best_keeps_its_weights_and_counts_the_wait():
    best, network = Best(), nn.Linear(1, 1)
    nn.init.constant_(network.weight, 1.0)
    assert best.judge({"a": 0.5, "b": 0.7}, 10, network, 0.01)
    nn.init.constant_(network.weight, 2.0)
    assert not best.judge({"a": 0.5, "b": 0.6}, 20, network, 0.01)
    assert (best.iou, best.step, best.waited, best.weights["weight"].item()) == (0.6, 10, 1, 1.0)
    assert best.judge({"a": 0.5, "b": 0.704}, 30, network, 0.01)  # kept, but too small a gain to wait on
    assert (best.step, best.waited, best.weights["weight"].item()) == (30, 2, 2.0)
    assert best.judge({"a": 0.8, "b": 0.8}, 40, network, 0.01)
    assert best.waited == 0
    assert Best.of(best.state()).state() == best.state()


def test_no_optimiser_loads_triton(start_python: Any) -> None:
    # In a process of its own, in which nothing but optimisers like this one loads parts of torch: torch loads it once.
    # With Mesa's LLVM in the process it would be the end of napari.
    program = (
        "import sys; from torch import nn; "
        "from napari_dextr.training.config import TrainConfig; "
        "from napari_dextr.training.optimisation import make_optimizer; "
        "make_optimizer(nn.Linear(2, 2), TrainConfig()); "
        "assert 'torch._dynamo' in sys.modules, 'torch has another way now'; "
        "print('triton' in sys.modules)"
    )
    assert start_python("-c", program).communicate()[0] == "False\n"
