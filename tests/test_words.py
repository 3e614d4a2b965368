"""Counts with their nouns."""

from __future__ import annotations

import pytest

from napari_dextr.words import number_of


@pytest.mark.parametrize(
    ("count", "told"), [(0, "0 objects"), (1, "1 object"), (2, "2 objects"), (12345, "12,345 objects")]
)
def test_a_noun_follows_its_count(count, told):
    assert number_of(count, "object") == told
