"""The heads that all networks share: what canvas they need, and options that describe a network."""

from __future__ import annotations

import pytest
import torch

from napari_dextr.errors import DataError
from napari_dextr.models.compact import CompactNet
from napari_dextr.models.heads import Pyramid, positive

SMALL = {"decoder": 8, "pools": (1, 2)}


@pytest.mark.parametrize(
    ("widths", "stride"), [((8, 8), 4), ((8, 8, 8, 8), 16), ((8, 8, 8, 8, 8), 32)], ids=["4", "16", "32"]
)
def test_the_stride_follows_the_encoder(widths, stride):
    network = CompactNet(widths, [1] * len(widths), **SMALL)
    assert network.stride == stride
    network.check_canvas(4 * stride)
    with torch.inference_mode():
        assert network.eval().features(torch.zeros(1, 11, 64, 64))[-1].shape[-1] == 64 // stride


@pytest.mark.parametrize(("side", "near"), [(144, 128), (180, 192), (16, 32), (20, 32)])
def test_a_canvas_that_does_not_fit_is_answered_with_one_that_does(side, near):
    network = CompactNet([8] * 5, [1] * 5, **SMALL)
    with pytest.raises(DataError, match=f"multiple of 32 pixels; got {side}, use {near}"):
        network.check_canvas(side)


def test_side_outputs_are_of_every_stride_between():
    network = CompactNet([8] * 5, [1] * 5, **SMALL).train()
    output = network.forward_training(torch.randn(2, 11, 64, 64))
    assert [side.shape[-1] for side in output.side_logits] == [16, 8, 4]
    assert output.logits.shape[-1] == 32


def test_the_pyramid_sees_the_whole_canvas():
    torch.manual_seed(0)
    pyramid = Pyramid(4, 6, (1, 2)).eval()
    x = torch.randn(1, 4, 8, 8)
    changed = x.clone()
    changed[..., 7, 7] += 50
    with torch.inference_mode():
        assert (pyramid(x) - pyramid(changed))[0, :, 0, 0].abs().max() > 0


@pytest.mark.parametrize("wrong", [[], [0], [2.5], [True], [4, -1], [10**30], [float("inf")], [float("nan")]])
def test_options_are_whole_numbers_above_zero(wrong):
    with pytest.raises(ValueError, match="'widths'"):
        positive("widths", wrong)


def test_options_may_come_from_a_file_as_floats():
    assert positive("widths", [8.0, 16]) == (8, 16)
