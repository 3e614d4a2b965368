"""Checkpoints: two generations, all bits checked, nothing half-written."""

from __future__ import annotations

import errno

import pytest
import torch

from napari_dextr.errors import ModelError, OutputError
from napari_dextr.files import atomic_write
from napari_dextr.training import checkpoints
from napari_dextr.training.checkpoints import BEST, CHECKPOINT, EARLIER, load, read, save, save_best, sweep


def state(step):
    return {"step": step, "network": {"weight": torch.arange(1000.0) + step}}


def test_the_last_two_are_kept(tmp_path):
    for step in (1, 2, 3):
        save(tmp_path, state(step))
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([CHECKPOINT, EARLIER])
    assert read(tmp_path / EARLIER)["step"] == 2
    found, notice = load(tmp_path)
    assert (found["step"], notice) == (3, None)
    assert torch.equal(found["network"]["weight"], torch.arange(1000.0) + 3)


def test_an_empty_folder_has_none(tmp_path):
    assert load(tmp_path) == (None, None)


@pytest.mark.parametrize("damage", ["cut", "flipped", "empty", "missing"])
def test_damage_of_the_last_one_costs_only_that(tmp_path, damage):
    save(tmp_path, state(1))
    save(tmp_path, state(2))
    path = tmp_path / CHECKPOINT
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1  # one bit of one weight
    if damage == "missing":  # killed between both moves
        path.unlink()
    else:
        path.write_bytes({"cut": content[:100], "flipped": content, "empty": b""}[damage])
    found, notice = load(tmp_path)
    assert found["step"] == 1
    if damage == "missing":
        assert notice is None
    else:
        assert notice is not None
        assert "step 1" in notice


def test_a_full_disk_leaves_both(tmp_path, monkeypatch):
    save(tmp_path, state(1))
    save(tmp_path, state(2))

    def full(_file):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(checkpoints.os, "fsync", full)
    with pytest.raises(OutputError, match="disk is full"):
        save(tmp_path, state(3))
    assert [read(tmp_path / name)["step"] for name in (CHECKPOINT, EARLIER)] == [2, 1]
    with pytest.raises(OutputError, match="disk is full"):
        save_best(tmp_path, state(3))
    assert not (tmp_path / BEST).exists()


def test_leftovers_of_a_killed_process_are_swept_away(tmp_path):
    save(tmp_path, state(1))
    save_best(tmp_path, state(1))
    with pytest.raises(KeyboardInterrupt), atomic_write(tmp_path / CHECKPOINT) as temporary:
        raise KeyboardInterrupt
    temporary.write_bytes(b"half")  # as a process leaves it that is killed here
    (tmp_path / ".mine.pt").write_bytes(b"not ours")
    sweep(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [".mine.pt", BEST, CHECKPOINT]


def test_code_in_a_checkpoint_is_not_run(tmp_path):
    class Evil:
        def __reduce__(self):
            return (print, ("run",))

    torch.save({"step": Evil()}, tmp_path / CHECKPOINT)
    with pytest.raises(ModelError, match="cannot be resumed"):
        load(tmp_path)
