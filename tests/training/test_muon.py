"""Singular values near one, the right optimiser for each tensor, and a way to go on as if never stopped."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from napari_dextr.models.backbone import BackboneNet
from napari_dextr.training.muon import Muon, orthogonalised


def small_network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 16, 3, padding=1), nn.ReLU(),
        nn.Conv2d(16, 1, 1),
    )  # fmt: skip


@pytest.mark.parametrize("shape", [(16, 144), (144, 16), (32, 32), (1, 9)])
def test_singular_values_come_near_one_and_the_vectors_stay(shape):
    torch.manual_seed(0)
    left, values, right = torch.linalg.svd(torch.randn(3, *shape), full_matrices=False)
    spread = torch.logspace(0, -1.5, values.shape[-1])
    turned = orthogonalised(left @ torch.diag_embed(spread.expand_as(values)) @ right)
    within = left.mT @ turned @ right.mT
    found = torch.diagonal(within, dim1=-2, dim2=-1)
    assert found.min() > 0.6
    assert found.max() < 1.3
    torch.testing.assert_close(within, torch.diag_embed(found), atol=1e-3, rtol=0)


def test_the_rounds_are_those_of_the_plain_iteration():
    torch.manual_seed(0)
    matrix = torch.randn(1, 12, 40)
    plain = matrix / matrix.norm()
    for _ in range(5):
        gram = plain @ plain.mT
        plain = 3.4445 * plain - 4.7750 * gram @ plain + 2.0315 * gram @ gram @ plain
    torch.testing.assert_close(orthogonalised(matrix), plain, atol=1e-4, rtol=0)


def test_only_hidden_convolutions_are_orthogonalised():
    network = small_network()
    groups = {id(p): group for group in Muon(network, 1e-3, 0.1).param_groups for p in group["params"]}
    assert len(groups) == len(list(network.parameters()))
    assert [groups[id(p)]["orthogonal"] for p in (network[0].weight, network[3].weight, network[5].weight)] == [
        False, True, False,
    ]  # fmt: skip
    assert {groups[id(p)]["weight_decay"] for p in network.parameters() if p.ndim == 1} == {0.0}


def test_what_is_frozen_stays_and_is_not_held():
    network = small_network()
    network[3].requires_grad_(False)
    before = network[3].weight.clone()
    optimizer = Muon(network, 1e-2)
    network(torch.randn(2, 3, 8, 8)).square().mean().backward()
    optimizer.step()
    assert torch.equal(network[3].weight, before)
    assert all(p is not network[3].weight for group in optimizer.param_groups for p in group["params"])


def test_a_step_is_as_large_as_one_of_adam():
    weight = nn.Conv2d(32, 32, 3, bias=False)
    network = nn.Sequential(nn.Conv2d(3, 32, 1), weight)
    before = weight.weight.detach().clone()
    optimizer = Muon(network, 1e-3)
    weight.weight.grad = torch.randn_like(weight.weight) * 50
    optimizer.step()
    moved = (weight.weight.detach() - before).square().mean().sqrt().item()
    assert 1e-4 < moved < 3e-4


def test_it_learns():
    network, seen, wanted = small_network(), torch.randn(4, 3, 8, 8), torch.randn(4, 1, 8, 8)
    optimizer = Muon(network, 1e-2)
    losses = []
    for _ in range(60):
        optimizer.zero_grad()
        loss = (network(seen) - wanted).square().mean()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0]


def test_a_restored_state_goes_on_as_before():
    seen = torch.randn(4, 3, 8, 8)

    def learn(network: nn.Module, optimizer: Muon, steps: int) -> None:
        for _ in range(steps):
            optimizer.zero_grad()
            network(seen).square().mean().backward()
            optimizer.step()

    network = small_network()
    optimizer = Muon(network, 1e-2, 0.1)
    learn(network, optimizer, 3)
    other = copy.deepcopy(network)
    resumed = Muon(other, 1e-2, 0.1)
    resumed.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    learn(network, optimizer, 3)
    learn(other, resumed, 3)
    for one, two in zip(network.parameters(), other.parameters(), strict=True):
        assert torch.equal(one, two)


@pytest.mark.parametrize("name", ["resnet18", "mobilenet_v3_large"])
def test_of_an_encoder_of_torchvision_the_same_are_orthogonalised(name):
    """Its heads are registered before it, and depthwise kernels are no directions of one matrix."""
    pytest.importorskip("torchvision")
    network = BackboneNet(name, decoder=8, pools=(1, 2))
    groups = {id(p): group["orthogonal"] for group in Muon(network, 1e-3).param_groups for p in group["params"]}
    first = next(part for part in network.stages.modules() if isinstance(part, nn.Conv2d))
    assert not groups[id(first.weight)]
    depthwise = [part for part in network.modules() if isinstance(part, nn.Conv2d) and part.groups > 1]
    assert bool(depthwise) == name.startswith("mobilenet")
    assert not any(groups[id(part.weight)] for part in depthwise)
    assert groups[id(network.pyramid.contexts[0].weight)]
