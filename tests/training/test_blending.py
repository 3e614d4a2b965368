"""Between two models: linear in the weights, and the share that the objects like best."""

from __future__ import annotations

import numpy as np
import torch

from napari_dextr.training.blending import best_alpha, blended


def test_weights_lie_on_the_line_and_counters_are_the_new_ones():
    base = {"w": torch.tensor([0.0, 2.0]), "n": torch.tensor(3)}
    tuned = {"w": torch.tensor([1.0, 0.0]), "n": torch.tensor(7)}
    found = blended(base, tuned, 0.25)
    assert found["w"].tolist() == [0.25, 1.5]
    assert found["n"] == 7
    assert base["w"].tolist() == [0.0, 2.0]
    assert torch.equal(blended(base, tuned, 1.0)["w"], tuned["w"])


def test_the_best_share_wins_and_the_smaller_one_where_both_are_as_good():
    assert best_alpha({1.0: np.array([0.8, 0.9]), 0.5: np.array([0.7, 0.9])}) == 1.0
    assert best_alpha({1.0: np.array([0.8, 0.9]), 0.5: np.array([0.9, 0.80001])}) == 0.5
