"""One form for the names of all systems."""

from __future__ import annotations

import pytest

from napari_dextr.file_names import forward_slashes


@pytest.mark.parametrize("name", ["a\\b\\c.png", "a/b\\c.png", "a/b/c.png"])
def test_folders_are_parted_by_forward_slashes(name):
    assert forward_slashes(name) == "a/b/c.png"
