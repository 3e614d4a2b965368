"""Validation: every crop once, by group, with the IoU of what the network says."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from napari_dextr.training.validation import validation_ious


class BoxAnswer(nn.Module):
    """Answers with the box channel, at stride 2."""

    def forward(self, canvas):
        return (canvas[:, 9:10, ::2, ::2] - 0.5) * 20, torch.zeros(len(canvas))


def test_every_crop_is_judged_once(store):
    found = validation_ious(BoxAnswer().eval(), store, 64, batch=5)
    assert {name: len(ious) for name, ious in found.items()} == {"upright": 12, "turning": 6}
    ious = [iou for values in found.values() for iou in values]
    # a box holds a disc to pi / 4 and a rectangle wholly
    assert min(ious) == pytest.approx(0.785, abs=0.06)
    assert max(ious) > 0.86  # the box runs through the outermost pixels, half a pixel short
