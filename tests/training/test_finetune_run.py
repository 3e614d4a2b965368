"""Votes of the rounds: joined, judged at their best share, kept and not mistaken for those of other settings.

What the stages do is tested in test_finetune.py, through the run that has them.
"""

from __future__ import annotations

import numpy as np
import pytest

from napari_dextr.training.config import TrainConfig
from napari_dextr.training.finetune_run import Vote, _read_vote, _write_vote

CONFIG = TrainConfig(steps=5, blends=(0.5, 1.0))


def vote(count, name, gains=(0.1, 0.2)):
    before = np.linspace(0.5, 0.6, count)
    numbers = [10 * name + index for index in range(count)]
    return Vote(before, {0.5: before + gains[0], 1.0: before + gains[1]}, numbers, numbers)


def test_the_votes_of_all_rounds_make_one_verdict():
    joined = Vote.joined([vote(3, 0), vote(4, 1)])
    verdict, alpha = joined.verdict()
    assert (verdict.objects, verdict.images, alpha) == (7, 7, 1.0)
    assert verdict.gain == pytest.approx(0.2)
    same = Vote.joined([vote(3, 0), vote(3, 0)])  # an object whose planes judged in two rounds
    assert same.verdict()[0].objects == 3
    held_back, alpha = Vote.joined([vote(3, 0, (0.1, -0.3)), vote(4, 1, (0.1, 0.1))]).verdict()
    assert (held_back.gain, alpha) == (pytest.approx(0.1), 0.5)


def test_a_vote_is_read_again_for_the_same_settings_only(tmp_path):
    first = vote(3, 0)
    _write_vote(tmp_path, first, CONFIG)
    again = _read_vote(tmp_path, CONFIG)
    assert np.array_equal(again.before, first.before)
    assert (again.images, again.objects, sorted(again.after)) == (first.images, first.objects, [0.5, 1.0])
    assert np.array_equal(again.after[1.0], first.after[1.0])
    assert _read_vote(tmp_path, TrainConfig(steps=6, blends=(0.5, 1.0))) is None
    drawn = TrainConfig(steps=5, blends=(0.5, 1.0), pictures=0, precision="bfloat16", checkpoint_every=7)
    assert _read_vote(tmp_path, drawn) is not None  # which decide nothing
    assert _read_vote(tmp_path / "none", CONFIG) is None
    next(tmp_path.glob("*.json")).write_text('{"settings"', encoding="utf-8")
    assert _read_vote(tmp_path, CONFIG) is None
