"""Entries wait on the disk and are written in their turn."""

from __future__ import annotations

import errno
import json

import numpy as np
import pytest

from napari_dextr.coco.assembly import Spool, finite, old_texts, to_json, write_document
from napari_dextr.coco.previous import Previous
from napari_dextr.errors import DataError, OutputError


def test_the_spool_gives_entries_back_in_any_order_and_leaves_no_file(tmp_path):
    spool = Spool(tmp_path / "a.json")
    assert len(spool) == 0
    numbers = [spool.add({"n": n, "name": "ä" * n}) for n in range(5)]
    assert [json.loads(spool.text(n))["n"] for n in (3, 0, 4, 1, 2)] == [3, 0, 4, 1, 2]
    assert json.loads(spool.text(spool.add({"n": 5})))["n"] == 5
    assert numbers == [0, 1, 2, 3, 4]
    spool.close()
    assert list(tmp_path.iterdir()) == []


def test_a_spool_that_cannot_be_made_is_told(tmp_path):
    with pytest.raises(OutputError, match="folder does not exist"):
        Spool(tmp_path / "no" / "a.json").add({})


def test_numpy_values_are_json_and_nan_is_not():
    assert to_json({"a": np.float32(0.5), "b": np.arange(2)}) == '{"a": 0.5, "b": [0, 1]}'
    for value in (float("nan"), object()):
        with pytest.raises(DataError, match="JSON cannot keep"):
            to_json(value)


def test_the_document_has_an_entry_a_line(tmp_path):
    write_document(
        tmp_path / "a.json", [("x", "1"), ("images", None), ("y", None)], {"images": iter("23"), "y": iter("")}
    )
    assert (tmp_path / "a.json").read_text(encoding="utf-8") == '{"x": 1,\n"images": [\n2,\n3\n],\n"y": []}\n'


def test_old_texts_are_kept_changed_or_left_out():
    previous = Previous("[10, 2e1, 30]")
    assert list(old_texts(previous, [(1, 3), (5, 8), (10, 12)], {0: "11"}, {2})) == ["11", "2e1"]


def test_a_spool_on_a_full_disk_closes_without_a_word(tmp_path):
    spool = Spool(tmp_path / "a.json")
    spool.add({"a": 1})
    file, spool._file = spool._file, Full()
    spool.close()  # what could not be written was told by `add`, or is not needed
    file.close()


class Full:
    """A file whose last bytes find no room."""

    def close(self):
        raise OSError(errno.ENOSPC, "No space left on device")


def test_what_json_does_not_know_becomes_null():
    assert finite({"a": [1.5, float("nan"), {"b": float("-inf")}], "c": "NaN"}) == {
        "a": [1.5, None, {"b": None}],
        "c": "NaN",
    }
