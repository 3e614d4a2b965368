"""Validation: every crop once, by group, with the IoU of what the network says."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from napari_dextr.training.validation import Showing, examples, fit_threshold, spread_sample, validation_ious


class BoxAnswer(nn.Module):
    """Answers with the box channel, at stride 2."""

    def forward(self, canvas):
        return (canvas[:, 9:10, ::2, ::2] - 0.5) * 20, torch.zeros(len(canvas))


def test_every_crop_is_judged_once(store):
    found = validation_ious(BoxAnswer().eval(), store, Showing(64, at_once=5))
    assert {name: len(ious) for name, ious in found.items()} == {"upright": 12, "turning": 6}
    ious = [iou for values in found.values() for iou in values]
    # a box holds a disc to pi / 4 and a rectangle wholly
    assert min(ious) == pytest.approx(0.785, abs=0.06)
    assert max(ious) > 0.86  # the box runs through the outermost pixels, half a pixel short


def test_at_most_so_many_of_each_group_and_always_the_same(store):
    chosen = spread_sample(store, 4)
    assert chosen == spread_sample(store, 4)
    assert [int((store.groups[chosen] == group).sum()) for group in (0, 1)] == [4, 4]
    assert {0, 11, 12, 17} <= set(chosen)  # from one end of each group to the other
    assert spread_sample(store, 0) == list(range(18))
    found = validation_ious(BoxAnswer().eval(), store, Showing(64), most=4)
    assert {name: len(ious) for name, ious in found.items()} == {"upright": 4, "turning": 4}


class SoftDisc(nn.Module):
    """Answers with the broad outline guidance's complement: the box, shrunk where its logit is lowered."""

    def __init__(self, shift):
        super().__init__()
        self.shift = shift

    def forward(self, canvas):
        return (canvas[:, 9:10] - 0.5) * 20 + self.shift, torch.zeros(len(canvas))


def test_the_threshold_undoes_a_network_that_says_too_much(store):
    assert fit_threshold(SoftDisc(0.0).eval(), store, Showing(64)) == 0.5  # nothing to gain
    eager = SoftDisc(10 + 0.65).eval()  # outside the box its probability is about 0.66
    assert fit_threshold(eager, store, Showing(64)) == 0.7


def test_validation_is_exact_whatever_the_precision(store):
    """Lower precision is for the network; the crops are resampled in full."""
    seen = []

    class Watch(BoxAnswer):
        def forward(self, canvas):
            seen.append(canvas[:, :3].clone())
            return super().forward(canvas)

    for precision in (None, torch.autocast("cpu", torch.bfloat16)):
        validation_ious(Watch().eval(), store, Showing(64, precision=precision), most=2)
    assert torch.equal(seen[0], seen[1])


def test_examples_come_from_all_groups_with_their_masks(store):
    found = examples(BoxAnswer().eval(), store, Showing(64), 5)
    assert len(found) == 5
    assert {example.name for example in found} == {"upright", "turning"}
    for example in found:
        assert example.image.shape == (64, 64, 3)
        assert example.truth.shape == example.mask.shape == (64, 64)
        overlap = (example.truth & example.mask).sum() / (example.truth | example.mask).sum()
        assert overlap == pytest.approx(example.iou, abs=0.05)  # ignored pixels apart
