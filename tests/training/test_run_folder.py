"""The run folder: its record survives crashes and full disks, and goes back with the checkpoint."""

from __future__ import annotations

import errno
import json
from pathlib import Path

import pytest

from napari_dextr.errors import OutputError
from napari_dextr.training.config import TrainConfig
from napari_dextr.training.run_folder import METRICS, RunFolder, read_metrics


def test_lines_after_the_checkpoint_are_dropped(tmp_path):
    folder = RunFolder(tmp_path / "new" / "run")
    folder.start(TrainConfig(), 0)
    for step in (1, 2, 3):
        folder.record({"step": step, "loss": 0.5})
    folder.start(TrainConfig(), 2)
    assert [line["step"] for line in read_metrics(folder.path)] == [1, 2]
    folder.record({"step": 3, "loss": 0.25})
    assert read_metrics(folder.path)[-1] == {"step": 3, "loss": 0.25}
    assert (
        TrainConfig.from_mapping(json.loads((folder.path / "config.json").read_text(encoding="utf-8"))) == TrainConfig()
    )


def test_a_line_that_was_cut_off_is_left_out(tmp_path):
    (tmp_path / METRICS).write_text('{"step": 1, "loss": 1}\n{"step": 2, "lo', encoding="utf-8")
    assert [line["step"] for line in read_metrics(tmp_path)] == [1]
    RunFolder(tmp_path).start(TrainConfig(), 1)
    RunFolder(tmp_path).record({"step": 2, "loss": 2})
    assert [line["step"] for line in read_metrics(tmp_path)] == [1, 2]


def test_a_full_disk_spoils_no_other_line(tmp_path, monkeypatch):
    folder = RunFolder(tmp_path)
    folder.start(TrainConfig(), 0)
    folder.record({"step": 1})
    real = Path.open

    def half(path, *words, **options):
        with real(path, *words, **options) as file:
            file.write('{"ste')
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "open", half)
    with pytest.raises(OutputError, match="No space left"):
        folder.record({"step": 2})
    monkeypatch.undo()
    folder.record({"step": 3})
    assert [line["step"] for line in read_metrics(tmp_path)] == [1, 3]


def test_a_claim_may_be_nested_but_not_shared(tmp_path):
    folder = RunFolder(tmp_path)
    with folder.claimed():
        with folder.claimed():
            pass
        with pytest.raises(OutputError, match="Another training"), RunFolder(tmp_path).claimed():
            pass
    with RunFolder(tmp_path).claimed():
        pass


def test_pictures_have_their_places(tmp_path):
    folder = RunFolder(tmp_path)
    assert folder.curves == tmp_path / "curves.png"
    assert folder.overlay(250) == tmp_path / "overlays" / "step_0000250.png"
    assert (tmp_path / "overlays").is_dir()


def test_a_record_that_is_not_there_is_empty(tmp_path):
    assert read_metrics(tmp_path) == []
