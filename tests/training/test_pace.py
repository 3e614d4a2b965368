"""Speed and time left: smoothed, and validations count."""

from __future__ import annotations

import pytest

from napari_dextr.training.config import TrainConfig
from napari_dextr.training.pace import Pace


def test_one_slow_step_moves_the_estimate_a_little():
    config, pace = TrainConfig(steps=100, validate_every=1000), Pace()
    for _ in range(50):
        pace.step(1.0, 0.8, 10)
    assert pace.seconds_left(config, 50) == pytest.approx(50)
    assert pace.samples_per_second == pytest.approx(10)
    assert pace.outside_network == pytest.approx(0.2)
    pace.step(21.0, 0.8, 10)  # another program had the machine
    assert pace.seconds_left(config, 50) == pytest.approx(100)
    assert pace.samples_per_second == pytest.approx(5)


def test_validations_that_are_to_come_are_counted():
    config, pace = TrainConfig(steps=100, validate_every=25), Pace()
    pace.step(1.0, 1.0, 1)
    pace.validated(7.0)
    assert pace.seconds_left(config, 25) == pytest.approx(75 + 3 * 7)
    assert pace.seconds_left(config, 100) == 0


def test_before_the_first_step_nothing_is_known():
    assert Pace().samples_per_second == 0
    assert Pace().outside_network == 0
