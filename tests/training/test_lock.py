"""The lock of a run folder: one holder, named in the refusal; what a dead process left is no obstacle."""

from __future__ import annotations

import os

import pytest

from napari_dextr.errors import OutputError
from napari_dextr.training.lock import LOCK, locked


def test_the_second_one_is_refused_and_told_who_is_there(tmp_path):
    with locked(tmp_path):
        refused = pytest.raises(OutputError, match=rf"Another training \(process {os.getpid()} on ")
        with refused, locked(tmp_path):
            pass
    with locked(tmp_path):
        assert (tmp_path / LOCK).is_file()


def test_a_file_that_nobody_holds_is_stale(tmp_path):
    (tmp_path / LOCK).write_text('{"pid": 1, "host": "elsewhere"}', encoding="utf-8")
    with locked(tmp_path):
        pass


def test_an_error_inside_releases_it(tmp_path):
    with pytest.raises(ValueError, match="inside"), locked(tmp_path):
        raise ValueError("inside")
    with locked(tmp_path):
        pass


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(OutputError, match="run.lock' cannot be written"), locked(tmp_path / "none"):
        pass
