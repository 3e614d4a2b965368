"""Votes: joined, judged at their best share without what choosing it lent, kept and not taken for those of others."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from napari_dextr.training.config import TrainConfig
from napari_dextr.training.verdict import Verdict
from napari_dextr.training.votes import VOTE, Vote, read_vote, write_vote

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
    write_vote(tmp_path, first, CONFIG)
    again = read_vote(tmp_path, CONFIG)
    assert np.array_equal(again.before, first.before)
    assert (again.images, again.objects, sorted(again.after)) == (first.images, first.objects, [0.5, 1.0])
    assert np.array_equal(again.after[1.0], first.after[1.0])
    assert read_vote(tmp_path, TrainConfig(steps=6, blends=(0.5, 1.0))) is None
    drawn = TrainConfig(steps=5, blends=(0.5, 1.0), pictures=0, precision="bfloat16", checkpoint_every=7)
    assert read_vote(tmp_path, drawn) is not None  # which decide nothing
    assert read_vote(tmp_path / "none", CONFIG) is None
    (tmp_path / VOTE).write_text('{"settings"', encoding="utf-8")
    assert read_vote(tmp_path, CONFIG) is None


def test_the_smaller_share_is_taken_where_it_makes_no_difference():
    assert vote(6, 0, (0.1, 0.1)).share()[0] == 0.5
    alpha, by_share = vote(6, 0, (0.1, 0.2)).share()
    assert alpha == 1.0
    assert by_share == pytest.approx(0)  # every half of them would choose the same


def test_what_was_lent_is_no_gain():
    plain = vote(6, 0)
    assert replace(plain, already=0.05).verdict()[0].gain == pytest.approx(plain.verdict()[0].gain - 0.05)
    assert not replace(plain, already=0.2).verdict()[0].helps


@pytest.mark.parametrize("objects", [10, 30])
def test_shares_among_which_none_is_better_seldom_help(objects):
    """Eight shares without any gain: the luckiest of them must not pass for one."""
    rng = np.random.default_rng(0)
    plain, told = [], []
    for _ in range(100):
        before = rng.uniform(0.7, 0.9, objects)
        after = {(place + 1) / 8: before + rng.normal(0, 0.05, objects) for place in range(8)}
        verdict, alpha = Vote(before, after, list(range(objects)), list(range(objects))).verdict()
        told.append(verdict)
        plain.append(Verdict.of(before.tolist(), after[alpha].tolist(), range(objects)).helps)
    assert np.mean(plain) > 0.2  # the gains that the objects seem to have
    assert np.mean([verdict.helps for verdict in told]) <= 0.1
    assert abs(np.mean([verdict.gain for verdict in told])) < 0.005
