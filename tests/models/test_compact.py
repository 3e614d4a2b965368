"""The compact network: shapes, size, and that every output learns."""

from __future__ import annotations

import pytest
import torch

from napari_dextr.models.architectures import build_network
from napari_dextr.models.catalogue import EMBEDDED_FILE
from napari_dextr.models.checkpoint import read_checkpoint
from napari_dextr.models.compact import INPUTS, CompactNet
from napari_dextr.models.spec import ModelSpec


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


def test_weights_keep_their_names_and_order():
    """Checkpoints are matched by name, optimiser states of a resumed run by order."""
    names = [
        name for name in CompactNet(widths=(8, 8, 8), blocks=(1, 2, 1), decoder=8).state_dict() if "num" not in name
    ]
    norm = ["weight", "bias", "running_mean", "running_var"]

    def residual(name, shortcut):
        parts = ["conv1.weight", *(f"norm1.{n}" for n in norm), "conv2.weight", *(f"norm2.{n}" for n in norm)]
        parts += ["shortcut.1.weight", *(f"shortcut.2.{n}" for n in norm)] if shortcut else []
        return [f"stages.{name}.{part}" for part in parts]

    def block(name):
        return [f"{name}.0.weight", *(f"{name}.1.{n}" for n in norm)]

    contexts = [f"pyramid.contexts.{i}.{part}" for i in range(3) for part in ("weight", "bias")]
    assert names == [
        *residual("0.0", True), *residual("1.0", True), *residual("1.1", False), *residual("2.0", True),
        *contexts, *block("pyramid.join"), *block("top"), *block("laterals.0"), *block("laterals.1"),
        *block("merges.0"), *block("merges.1"), "side_heads.0.weight", "side_heads.0.bias",
        *block("mask_head.0"), "mask_head.1.weight", "mask_head.1.bias",
        *(f"score_head.{layer}.{part}" for layer in (0, 2) for part in ("weight", "bias")),
    ]  # fmt: skip


def test_the_shipped_checkpoint_fits():
    spec, state = read_checkpoint(EMBEDDED_FILE)
    network = build_network(spec)
    network.load_state_dict(state, strict=True)
    assert spec.architecture == network.architecture


def test_options_describe_the_network_they_came_from():
    network = CompactNet((8, 12, 16, 16, 24), (1, 2, 1, 1, 1), decoder=10, pools=(1, 3), sharpness=2.0)
    again = build_network(ModelSpec("mine", "compact", network.options))
    assert again.options == network.options
    shapes = [{name: tensor.shape for name, tensor in net.state_dict().items()} for net in (network, again)]
    assert shapes[0] == shapes[1]
    assert again.sharpness == 2.0


@pytest.mark.parametrize(
    "wrong",
    [{"widths": (8, 8)}, {"widths": (8,), "blocks": (1,)}, {"decoder": 0}, {"pools": ()}, {"blocks": (1, 2, 3, 0)}],
)
def test_options_that_describe_no_network_are_refused(wrong):
    with pytest.raises(ValueError, match="need"):
        CompactNet(**wrong)
