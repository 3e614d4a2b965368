"""Summaries of numbers small enough to be worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_dextr.evaluation.statistics import Bin, Calibration, Clicks, Correction, Mean, Spread

EACH = "abcdefghij"  # every value from an image of its own


def test_spread_of_known_values():
    spread = Spread.of([0.5, 0.8, 0.85, 0.9, 1.0], EACH[:5])
    assert spread.mean == pytest.approx(0.81)
    assert spread.median == 0.85
    assert spread.p10 == pytest.approx(0.62)  # four tenths of the way from 0.5 to 0.8
    assert spread.good == pytest.approx(0.6)
    assert (spread.low, spread.high) == (
        Mean.of([0.5, 0.8, 0.85, 0.9, 1.0], EACH[:5]).low,
        Mean.of([0.5, 0.8, 0.85, 0.9, 1.0], EACH[:5]).high,
    )


def test_the_interval_is_that_of_the_normal_distribution_for_many_images():
    values = np.random.default_rng(3).normal(0.8, 0.1, 400)
    mean = Mean.of(values, range(400))
    half = 1.96 * values.std() / 20
    assert mean.mean == pytest.approx(values.mean())
    assert mean.low == pytest.approx(values.mean() - half, abs=0.1 * half)
    assert mean.high == pytest.approx(values.mean() + half, abs=0.1 * half)


def test_objects_of_one_image_are_drawn_together():
    values = [0.2] * 50 + [0.8] * 50
    alone, together = Mean.of(values, range(100)), Mean.of(values, ["a"] * 50 + ["b"] * 50)
    assert (together.low, together.high) == (pytest.approx(0.2), pytest.approx(0.8))  # a twice, or b twice
    assert 0.35 < alone.low < alone.high < 0.65
    one_image = Mean.of([0.2, 0.8], ["a", "a"])
    assert (one_image.low, one_image.mean, one_image.high) == pytest.approx((0.5, 0.5, 0.5))


def test_larger_images_weigh_as_much_as_their_objects():
    # Two images, drawn twice with replacement: (a, a) 0.4, (b, b) 1.0, (a, b) (3 * 0.4 + 1.0) / 4 = 0.55
    mean = Mean.of([0.4, 0.4, 0.4, 1.0], ["a", "a", "a", "b"])
    assert mean.mean == pytest.approx(0.55)
    assert (mean.low, mean.high) == pytest.approx((0.4, 1.0))


def test_very_many_images_are_drawn_in_lots():
    values = np.random.default_rng(3).normal(0.8, 0.1, 9000)
    mean = Mean.of(values, range(9000))
    half = 1.96 * values.std() / np.sqrt(9000)
    assert mean.mean == pytest.approx(values.mean())
    assert mean.high - mean.low == pytest.approx(2 * half, rel=0.1)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_the_interval_is_the_same_each_time_and_lies_among_the_values(values):
    mean = Mean.of(values, range(len(values)))
    assert mean == Mean.of(values, range(len(values)))
    assert min(values) - 1e-9 <= mean.low <= mean.high <= max(values) + 1e-9


def test_a_correction_of_known_ious():
    found = Correction.of(1, [0.5, 0.7, 0.9, 0.8], [0.9, 0.6, 0.895, 0.8], "aabb")
    assert found.click == 1
    assert found.iou == pytest.approx((0.9 + 0.6 + 0.895 + 0.8) / 4)
    assert found.gain.mean == pytest.approx((0.4 - 0.1 - 0.005 + 0) / 4)
    assert found.poor == 2  # 0.5 and 0.7; 0.8 is not below 0.8
    assert found.poor_gain.mean == pytest.approx((0.4 - 0.1) / 2)
    assert found.lowered == 0.5  # 0.7 -> 0.6 and 0.9 -> 0.895
    assert found.clearly_lowered == 0.25
    assert Correction.of(2, [0.9], [1.0], "a").poor_gain is None


def test_numbers_of_clicks():
    found = Clicks.of(0.9, [4, 6, None, 4], 20, EACH[:4])
    assert found.target == 0.9
    assert found.mean.mean == pytest.approx((4 + 6 + 20 + 4) / 4)
    assert found.failed == 0.25


def test_calibration_of_known_scores():
    scores, ious = [0.92, 0.98, 0.55, 0.0, 1.0], [0.90, 0.80, 0.65, 0.1, 1.0]
    found = Calibration.of(scores, ious, EACH[:5])
    assert found.error.mean == pytest.approx((0.02 + 0.18 + 0.10 + 0.1 + 0) / 5)
    assert found.bias == pytest.approx((0.02 + 0.18 - 0.10 - 0.1 + 0) / 5)
    assert [(each.low, each.high, each.objects) for each in found.bins] == [(0, 0.1, 1), (0.5, 0.6, 1), (0.9, 1, 3)]
    last = found.bins[-1]  # 1.0 belongs to the last bin
    assert (last.score, last.iou) == pytest.approx(((0.92 + 0.98 + 1) / 3, (0.9 + 0.8 + 1) / 3))
    assert found.expected_error == pytest.approx(0.1 / 5 + 0.1 / 5 + 3 / 5 * 0.2 / 3)


def test_errors_that_cancel_out_in_a_bin_are_no_calibration_error():
    found = Calibration.of([0.85, 0.85], [0.75, 0.95], EACH[:2])
    assert found.error.mean == pytest.approx(0.1)
    assert found.expected_error == pytest.approx(0)
    assert found.bins == [Bin(0.8, 0.9, 2, pytest.approx(0.85), pytest.approx(0.85))]
