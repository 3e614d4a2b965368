"""Parts of a network: what is frozen does not learn."""

from __future__ import annotations

import pytest
from torch import nn

from napari_dextr.models.compact import CompactNet
from napari_dextr.training.config import FROZEN
from napari_dextr.training.parts import freeze, keep_statistics


def learning(network):
    return {name for name, weight in network.named_parameters() if weight.requires_grad}


def test_each_kind_leaves_less_to_learn(network):
    counts = []
    for frozen in FROZEN:
        freeze(network, frozen)
        counts.append(len(learning(network)))
    assert counts == sorted(counts, reverse=True)
    assert len(set(counts)) == len(FROZEN)
    assert all(name.startswith(("merges.0.", "mask_head.", "score_head.")) for name in learning(network))


@pytest.mark.parametrize(("frozen", "still"), [("early", "stages.2."), ("encoder", "pyramid.")])
def test_the_parts_are_where_they_say(network, frozen, still):
    freeze(network, frozen)
    assert any(name.startswith(still) for name in learning(network))
    assert not any(name.startswith("stages.0.") for name in learning(network))


def test_statistics_stay_while_the_rest_trains():
    network = CompactNet(widths=(8, 8), blocks=(1, 1), decoder=8, pools=(1,)).train()
    keep_statistics(network)
    assert network.training
    assert not any(part.training for part in network.modules() if isinstance(part, nn.BatchNorm2d))
