"""The verdict: a clear gain is seen, noise is not, few objects never suffice."""

from __future__ import annotations

import json

import numpy as np
import pytest

from napari_dextr.training.verdict import FEWEST, Verdict, interval


def objects(count, gain, spread, seed=0):
    rng = np.random.default_rng(seed)
    before = rng.uniform(0.6, 0.8, count)
    return before.tolist(), (before + gain + rng.normal(0, spread, count)).tolist()


def test_a_clear_gain_helps_and_is_said_so():
    before, after = objects(8, 0.1, 0.02)
    verdict = Verdict.of(before, after, range(8))
    assert verdict.helps
    assert verdict.gain == pytest.approx(np.mean(after) - np.mean(before))
    assert 0 < verdict.low < verdict.gain < verdict.high
    assert verdict.sentence().startswith(f"Helps: {verdict.before:.2f} → {verdict.after:.2f} on 8 held-out objects")


@pytest.mark.parametrize(("count", "gain"), [(8, -0.05), (30, 0.0), (200, 0.003)])
def test_no_gain_does_not_help(count, gain):
    before, after = objects(count, gain, 0.01)
    verdict = Verdict.of(before, after, range(count))
    assert not verdict.helps
    assert "keeping the old model" in verdict.sentence()


def test_a_gain_that_may_be_chance_is_not_taken():
    verdict = Verdict.of([0.7] * 6, [0.99, 0.6, 0.75, 0.65, 0.9, 0.62], range(6))
    assert verdict.gain > 0.04
    assert verdict.low < 0
    assert not verdict.helps
    assert "Not sure to help" in verdict.sentence()


@pytest.mark.parametrize("count", range(1, FEWEST))
def test_few_objects_never_suffice(count):
    verdict = Verdict.of([0.5] * count, [0.9] * count, range(count))
    assert not verdict.helps
    assert "Too few objects" in verdict.sentence()
    assert Verdict.of([0.5] * FEWEST, [0.9] * FEWEST, range(FEWEST)).helps


def test_nothing_held_out_is_said():
    verdict = Verdict.impossible()
    assert not verdict.helps
    assert "Nothing could be held out" in verdict.sentence()


def test_objects_of_one_image_count_as_one():
    gains = np.repeat([0.0, 0.2, 0.0, 0.2, 0.0, 0.2], 20)
    alone = interval(gains, [str(i) for i in range(120)])
    together = interval(gains, [str(i // 20) for i in range(120)])
    assert together[1] - together[0] > 3 * (alone[1] - alone[0])
    few = interval(gains, [str(i // 60) for i in range(120)])  # two images are no sample: their objects are
    assert few == alone


@pytest.mark.parametrize("count", [5, 8, 20])
def test_the_interval_holds_the_truth_as_often_as_it_says(count):
    rng = np.random.default_rng(1)
    names = [str(i) for i in range(count)]
    found = [interval(rng.normal(0.03, 0.05, count), names) for _ in range(300)]
    share = np.mean([low <= 0.03 <= high for low, high in found])
    assert 0.91 <= share <= 0.99


def test_one_object_leaves_everything_open_and_the_same_values_give_the_same():
    assert interval(np.array([0.3]), ["a"]) == (-1.0, 1.0)
    values, names = np.random.default_rng(0).normal(size=40), [str(i) for i in range(40)]
    assert interval(values, names) == interval(values, names)


def test_it_travels_as_json():
    verdict = Verdict.of(*objects(9, 0.05, 0.01), range(9))
    assert Verdict.from_dict(json.loads(json.dumps(verdict.to_dict()))) == verdict


def test_an_object_on_many_planes_is_one_object():
    gains = np.repeat(np.random.default_rng(0).normal(0.05, 0.01, 3), 30)
    verdict = Verdict.of([0.7] * 90, (0.7 + gains).tolist(), [0] * 90, np.repeat([4, 7, 9], 30))
    assert (verdict.objects, verdict.images, verdict.helps) == (3, 1, False)
    assert "Too few objects to tell" in verdict.sentence()
    assert "on 3 held-out objects" in verdict.sentence()
    planes = interval(gains, ["0"] * 90, np.repeat(["4", "7", "9"], 30).tolist())
    assert planes == pytest.approx(interval(gains[::30], ["0"] * 3))


def test_what_choosing_lent_is_no_gain_and_makes_it_less_sure():
    before, after = objects(12, 0.05, 0.02)
    plain, told = Verdict.of(before, after, range(12)), Verdict.of(before, after, range(12), lent=0.02)
    assert (plain.gain - told.gain, plain.after - told.after) == (pytest.approx(0.02), pytest.approx(0.02))
    assert told.gain - told.low == pytest.approx(np.hypot(plain.gain - plain.low, 0.02))
    assert told.high - told.gain == pytest.approx(np.hypot(plain.high - plain.gain, 0.02))
    assert told.helps
    assert not Verdict.of(before, after, range(12), lent=0.04).helps  # 0.01 are left, and nobody knows
