from __future__ import annotations

import numpy as np
import pytest
from torch import nn

from napari_dextr.models.agreement import Agreement, precision_agreement
from napari_dextr.models.catalogue import published_spec
from napari_dextr.prompt import Prompt
from napari_dextr.segmenter import Segmenter

PROMPT = Prompt.extreme([(10, 30), (50, 32), (30, 10), (32, 50)])
IMAGE = np.tile(np.arange(64, dtype=np.uint8) * 4, (64, 1))


class Bright(nn.Module):
    """Says object where the red channel exceeds a level."""

    def __init__(self, level: float) -> None:
        super().__init__()
        self.level = level

    def forward(self, inputs):
        return nn.functional.avg_pool2d(inputs[:, :1], 8) - self.level


def segmenter(level: float, precision: str) -> Segmenter:
    return Segmenter(Bright(level), published_spec("bright"), device="cpu", precision=precision)


def test_the_same_masks_agree():
    agreement = precision_agreement(segmenter(100, "full"), segmenter(100, "full"), [(IMAGE, PROMPT)] * 2)
    assert agreement == Agreement(mean=1.0, minimum=1.0, count=2)
    assert agreement.enough


def test_other_masks_do_not():
    prompts = [(IMAGE, PROMPT), (np.full_like(IMAGE, 220), PROMPT)]
    agreement = precision_agreement(segmenter(100, "full"), segmenter(140, "reduced"), prompts)
    assert agreement.count == 2
    assert agreement == Agreement(mean=pytest.approx(0.8), minimum=pytest.approx(0.6), count=2)
    assert not agreement.enough


def test_no_evidence_is_an_error():
    with pytest.raises(ValueError, match="at least one sample"):
        precision_agreement(segmenter(1, "full"), segmenter(1, "full"), [])
