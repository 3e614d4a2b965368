"""The long session of the benchmark."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from napari_dextr.prompt import Prompt
from napari_dextr.widgets.bench_session import Stamp, long_session


@pytest.mark.screen
def test_the_first_and_the_last_objects_are_timed(qtbot: Any) -> None:
    first, last, growth = long_session(5)
    assert (len(first), len(last)) == (2, 2)
    assert all(seconds > 0 for seconds in (*first, *last))
    assert growth is None or growth >= 0


def test_the_stamp_is_a_disc_between_the_points() -> None:
    prompt = Prompt.extreme([(10, 20), (30, 20), (20, 10), (20, 30)])
    mask = Stamp().segment(SimpleNamespace(shape=(50, 60)), prompt).full_mask()
    rows, cols = np.nonzero(mask)
    assert (rows.min(), rows.max(), cols.min(), cols.max()) == (10, 30, 10, 30)
    assert abs(mask.sum() - np.pi * 10**2) < 10
    np.testing.assert_array_equal(mask[10:31, 10:31], mask[10:31, 10:31].T)
