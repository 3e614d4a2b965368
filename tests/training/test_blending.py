"""Between two models: linear in the weights."""

from __future__ import annotations

import torch

from napari_dextr.training.blending import blended


def test_weights_lie_on_the_line_and_counters_are_the_new_ones():
    base = {"w": torch.tensor([0.0, 2.0]), "n": torch.tensor(3)}
    tuned = {"w": torch.tensor([1.0, 0.0]), "n": torch.tensor(7)}
    found = blended(base, tuned, 0.25)
    assert found["w"].tolist() == [0.25, 1.5]
    assert found["n"] == 7
    assert base["w"].tolist() == [0.0, 2.0]
    assert torch.equal(blended(base, tuned, 1.0)["w"], tuned["w"])
