"""Crop stores: they come back as written, and a half-written one is not used."""

from __future__ import annotations

import json

import numpy as np
import pytest

from napari_dextr.errors import DataError
from napari_dextr.files import temporaries
from napari_dextr.training import store as module
from napari_dextr.training.store import Crop, CropStore, NothingUsable, write_store

from .conftest import SIDE, blobs


def test_a_store_comes_back_as_written(tmp_path):
    crops = list(blobs(5))
    messages = []
    store = write_store(tmp_path / "s", [("a", crops[:3]), ("b", crops[3:])], SIDE, messages.append)
    again = CropStore.open(tmp_path / "s")
    assert again.names == ("a", "b")
    assert messages == ["a: 3 objects cut out", "b: 2 objects cut out"]
    np.testing.assert_array_equal(again.groups, [0, 0, 0, 1, 1])
    np.testing.assert_allclose(again.sides, [crop.side for crop in crops])
    assert len(again) == len(store) == 5
    assert (again.places.tolist(), again.things.tolist()) == ([0] * 5, [0] * 5)
    for index, crop in enumerate(crops):
        np.testing.assert_array_equal(again.images[index], crop.image)
        np.testing.assert_array_equal(again.masks[index], crop.mask)


def test_a_store_of_before_sizes_were_kept_opens(tmp_path):
    write_store(tmp_path / "s", [("a", blobs(2))], SIDE)
    (tmp_path / "s" / "sides.npy").unlink()
    assert CropStore.open(tmp_path / "s").sides is None


def test_crops_whose_object_vanished_are_left_out(tmp_path):
    crops = list(blobs(2))
    vanished = Crop(crops[0].image, np.zeros_like(crops[0].mask))
    said = []
    store = write_store(tmp_path / "s", [("a", [vanished, *crops])], SIDE, said.append)
    assert len(store) == len(store.sides) == 2
    assert said[0] == "a: 2 objects cut out"
    assert "1 so long and thin that they vanish" in said[1]
    with pytest.raises(NothingUsable, match=r"all \(2\) are so long and thin"):
        write_store(tmp_path / "t", [("a", [vanished, vanished])], SIDE)


def test_a_store_that_broke_off_is_not_used(tmp_path):
    def broken():
        yield from blobs(2)
        raise RuntimeError("killed")

    with pytest.raises(RuntimeError):
        write_store(tmp_path / "s", [("a", broken())], SIDE)
    with pytest.raises(DataError, match="not a complete crop store"):
        CropStore.open(tmp_path / "s")


def test_files_of_two_stores_are_not_taken_for_one(tmp_path):
    for name, count in (("s", 3), ("t", 2)):
        write_store(tmp_path / name, [("a", blobs(count))], SIDE)
    (tmp_path / "t" / "groups.npy").replace(tmp_path / "s" / "groups.npy")
    with pytest.raises(DataError, match="different numbers of crops"):
        CropStore.open(tmp_path / "s")


def test_a_store_without_objects_is_refused(tmp_path):
    with pytest.raises(DataError, match="No usable object"):
        write_store(tmp_path / "s", [("a", [])], SIDE)


def test_facts_are_written_last(tmp_path):
    write_store(tmp_path / "s", [("a", blobs(2))], SIDE)
    assert json.loads((tmp_path / "s" / "facts.json").read_text(encoding="utf-8"))["counts"] == [2]
    assert not [file for file in (tmp_path / "s").iterdir() if file.suffix == ".raw"]


def test_what_a_killed_process_left_is_known_as_such(tmp_path, monkeypatch):
    def killed(*_shape):
        raise KeyboardInterrupt

    left = []

    def crops():
        yield from blobs(2)
        left.extend(file.name for file in (tmp_path / "s").iterdir())
        monkeypatch.setattr(module, "_header", killed)

    with pytest.raises(KeyboardInterrupt):
        write_store(tmp_path / "s", [("a", crops())], SIDE)
    parts = {path.name for name in ("images.npy", "masks.npy") for path in temporaries(tmp_path / "s" / name)}
    assert not parts  # removed
    assert len(left) == 2
    for name in left:
        (tmp_path / "s" / name).touch()
    known = {path.name for name in ("images.npy", "masks.npy") for path in temporaries(tmp_path / "s" / name)}
    assert known == set(left)
