"""What a run of Boxes to masks is at."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from napari_dextr.widgets.boxes_progress import BoxesProgress


@pytest.mark.parametrize(
    ("arrived", "told"),
    [
        ((0, 0), ("Preparing …", 0, 0)),
        ((0, 244_000_000), ("Downloading the model: 0 of 244 MB…", 0, 244_000)),
        ((61_000_000, 244_000_000), ("Downloading the model: 61 of 244 MB…", 61_000, 244_000)),
        ((61_000_000, 0), ("Downloading the model: 61 MB…", 0, 0)),
        ((244_000_000, 244_000_000), ("Preparing …", 0, 0)),
    ],
)
def test_before_there_are_objects_it_tells_of_the_download(arrived: Any, told: Any) -> None:
    assert BoxesProgress(12, arrived).told(None) == told


def test_a_download_of_many_gigabytes_fits_the_bar() -> None:
    _, done, total = BoxesProgress(1, (3_000_000_000, 9_000_000_000)).told(None)
    assert (done / total, total < 2**31) == (1 / 3, True)


def test_once_the_model_answers_it_counts_objects() -> None:
    batch: Any = SimpleNamespace(rows=[None] * 1100)
    assert BoxesProgress(12000, (5, 10)).told(batch) == ("Object 1,100 of 12,000", 1100, 12000)
