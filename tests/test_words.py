"""Counts with their nouns, sizes with their units."""

from __future__ import annotations

import pytest

from napari_dextr.words import megabytes, number_of


@pytest.mark.parametrize(
    ("count", "told"), [(0, "0 objects"), (1, "1 object"), (2, "2 objects"), (12345, "12,345 objects")]
)
def test_a_noun_follows_its_count(count, told):
    assert number_of(count, "object") == told


@pytest.mark.parametrize(
    ("arrived", "total", "told"),
    [(0, 244e6, "0 of 244 MB"), (40e6, 243.6e6, "40 of 244 MB"), (40e6, 0, "40 MB"), (0, 0, "0 MB")],
)
def test_what_has_arrived_is_told_in_megabytes(arrived, total, told):
    assert megabytes(arrived, total) == told
