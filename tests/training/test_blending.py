"""Between two models: linear in the weights."""

from __future__ import annotations

import torch

from napari_dextr.training.blending import blended, merged


def test_weights_lie_on_the_line_and_counters_are_the_new_ones():
    base = {"w": torch.tensor([0.0, 2.0]), "n": torch.tensor(3)}
    tuned = {"w": torch.tensor([1.0, 0.0]), "n": torch.tensor(7)}
    found = blended(base, tuned, 0.25)
    assert found["w"].tolist() == [0.25, 1.5]
    assert found["n"] == 7
    assert base["w"].tolist() == [0.0, 2.0]
    assert torch.equal(blended(base, tuned, 1.0)["w"], tuned["w"])


def test_several_models_move_the_weights_each_by_its_share():
    base = {"w": torch.tensor([0.0, 2.0]), "n": torch.tensor(3)}
    one = {"w": torch.tensor([1.0, 2.0]), "n": torch.tensor(7)}
    other = {"w": torch.tensor([1.0, 0.0]), "n": torch.tensor(9)}
    found = merged(base, [(0.5, one), (0.25, other)])
    assert found["w"].tolist() == [0.75, 1.5]
    assert found["n"] == 3
    assert base["w"].tolist() == [0.0, 2.0]
    assert merged(base, [])["w"].tolist() == [0.0, 2.0]
