"""The compact network: shapes, size, and that every output learns."""

from __future__ import annotations

import pytest
import torch

from napari_dextr.models.compact import INPUTS, CompactNet


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return CompactNet()


@pytest.mark.parametrize("size", [64, 128, 192])
def test_logits_have_half_the_canvas_and_one_score_a_sample(network, size):
    with torch.inference_mode():
        logits, score = network.eval()(torch.randn(2, INPUTS, size, size))
    assert logits.shape == (2, 1, size // 2, size // 2)
    assert score.shape == (2,)


def test_it_fits_in_a_wheel(network):
    count = sum(parameter.numel() for parameter in network.parameters())
    assert count * 2 < 16 * 2**20  # two bytes each


def test_side_outputs_are_of_strides_4_and_8(network):
    output = network.train().forward_training(torch.randn(2, INPUTS, 64, 64))
    assert [side.shape[-1] for side in output.side_logits] == [16, 8]


def test_every_parameter_gets_a_gradient(network):
    network.train().zero_grad()
    output = network.forward_training(torch.randn(2, INPUTS, 64, 64))
    total = output.logits.mean() + output.score.mean() + sum(side.mean() for side in output.side_logits)
    total.backward()
    without = [name for name, parameter in network.named_parameters() if parameter.grad is None]
    assert not without


def test_the_score_does_not_train_the_mask(network):
    network.train().zero_grad()
    network.forward_training(torch.randn(2, INPUTS, 64, 64)).score.sum().backward()
    assert network.mask_head[1].weight.grad is None


def test_inference_and_training_pass_agree(network):
    network.eval()
    canvas = torch.randn(1, INPUTS, 64, 64)
    with torch.inference_mode():
        logits, score = network(canvas)
        output = network.forward_training(canvas)
    torch.testing.assert_close(logits, output.logits)
    torch.testing.assert_close(score, output.score)


def test_shapes_alone_can_be_built():
    with torch.device("meta"):
        expected = CompactNet().state_dict()
    assert {name: tensor.shape for name, tensor in expected.items()} == {
        name: tensor.shape for name, tensor in CompactNet().state_dict().items()
    }


def test_sharpness_spreads_probabilities_and_keeps_the_outline():
    torch.manual_seed(0)
    plain, sharp = CompactNet().eval(), CompactNet(sharpness=4.0).eval()
    sharp.load_state_dict(plain.state_dict())
    canvas = torch.randn(1, INPUTS, 64, 64)
    with torch.inference_mode():
        (logits, score), (sharper, same) = plain(canvas), sharp(canvas)
        torch.testing.assert_close(sharper, 4 * logits)
        torch.testing.assert_close(score, same)
        torch.testing.assert_close(sharp.forward_training(canvas).logits, logits)
