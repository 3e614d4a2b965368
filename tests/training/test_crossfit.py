"""What choosing lent: none of it where nothing was chosen, all of it where the choice was among equals."""

from __future__ import annotations

import numpy as np
import pytest

from napari_dextr.training.crossfit import best, highest, lent


def equals(candidates, objects, seed, spread=0.05):
    """IoU of models that are all as good: 0.8 on average, but each scatters its own way."""
    return 0.8 + np.random.default_rng(seed).normal(0, spread, (candidates, objects))


def test_the_highest_mean_wins_and_the_first_of_equals():
    assert best(np.array([0.8, 0.85])) == 1
    assert best(np.array([0.85, 0.850005])) == 0
    assert highest(np.array([0.85, 0.850005])) == 1
    assert highest(np.array([0.85, 0.85])) == 0


@pytest.mark.parametrize(("candidates", "objects"), [(2, 8), (6, 8), (6, 30)])
def test_among_equals_it_is_what_the_chosen_one_seems_to_gain(candidates, objects):
    seeming, left = [], []
    for seed in range(200):
        values = equals(candidates, objects, seed)
        chosen = values[best(values.mean(axis=1))]
        seeming.append(chosen.mean() - 0.8)
        left.append(chosen.mean() - lent(values, range(objects)) - 0.8)
    error = np.std(left) / np.sqrt(len(left))
    assert np.mean(seeming) > 5 * error
    assert abs(np.mean(left)) < 3 * error
    assert abs(np.mean(left)) < 0.25 * np.mean(seeming)


def test_where_one_is_clearly_better_choosing_lent_nothing():
    values = equals(3, 20, 0)
    values[1] += 0.3
    assert lent(values, range(20)) == pytest.approx(0)


def test_objects_that_belong_together_never_choose_for_each_other():
    values = equals(4, 6, 1)
    many = lent(np.repeat(values, 10, axis=1), np.repeat(range(6), 10).tolist())
    assert many == pytest.approx(lent(values, range(6)))
    assert many > 2 * lent(np.repeat(values, 10, axis=1), range(60))  # as if they were 60 that agree by themselves


def test_where_nothing_was_chosen_or_no_other_could_choose_it_is_nothing():
    assert lent(equals(1, 9, 0), range(9)) == 0
    assert lent(equals(5, 9, 0), [3] * 9) == 0


def test_it_follows_the_rule_of_the_choice_and_is_always_the_same():
    values = equals(5, 12, 2)
    unmoved = lent(values, range(12), lambda _means: 2)  # a rule that does not look
    assert unmoved == pytest.approx(0)
    assert lent(values, range(12)) == lent(values, range(12))
