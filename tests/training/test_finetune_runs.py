"""The runs of a folder: what is not over is found, what is discarded is gone."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from napari_dextr.errors import OutputError
from napari_dextr.locks import FileLock
from napari_dextr.training import finetune_plan, outcome, run_folder
from napari_dextr.training.finetune_runs import discard_run, new_run, runs_folder, unfinished_runs


def make(folder, name, started, steps=()):
    path = folder / name
    path.mkdir()
    (path / "plan.json").write_text(json.dumps({"name": None, "started": started}), encoding="utf-8")
    if steps:
        (path / "config.json").write_text('{"steps": 40}', encoding="utf-8")
        lines = [json.dumps({"step": step}) + "\n" for step in steps]
        (path / "metrics.jsonl").write_text("".join(lines) + '{"st', encoding="utf-8")
    return path


def test_runs_are_listed_newest_first_and_those_nobody_looked_at_too(tmp_path):
    make(tmp_path, "old", "2026-01-01T10:00:00+00:00", (1, 2, 3))
    new = make(tmp_path, "new", "2026-02-01T12:00:00+02:00")
    over = make(tmp_path, "over", "2026-03-01T10:00:00+00:00")
    (over / outcome.OUTCOME).write_text("{}", encoding="utf-8")
    for name, content in (("broken", "{"), ("odd", '{"started": 3}')):
        (tmp_path / name).mkdir()
        (tmp_path / name / "plan.json").write_text(content, encoding="utf-8")
    found = unfinished_runs(tmp_path)
    assert [(run.name, run.step, run.steps, run.busy) for run in found] == [
        ("over", 0, 0, False), ("new", 0, 0, False), ("old", 3, 40, False),
    ]  # fmt: skip
    assert (found[1].path, found[1].started.hour) == (new, 10)
    assert unfinished_runs(tmp_path / "none") == ()


def test_a_round_of_judging_counts_where_the_last_training_has_not_begun(tmp_path):
    path = make(tmp_path, "r", "2026-01-01T10:00:00+00:00")
    (path / "rounds").mkdir()
    make(path / "rounds", "1", "2026-01-01T10:00:00+00:00", (5,))
    assert [(run.step, run.steps) for run in unfinished_runs(tmp_path)] == [(5, 40)]


def test_a_busy_run_is_known_and_not_discarded(tmp_path):
    path = make(tmp_path, "r", "2026-01-01T10:00:00+00:00")
    lock = FileLock(path / "run.lock")
    assert lock.acquire()
    assert unfinished_runs(tmp_path)[0].busy
    with pytest.raises(OutputError, match="stop it first"):
        discard_run(path)
    lock.release(remove=False)
    assert not unfinished_runs(tmp_path)[0].busy
    discard_run(path)
    assert not path.exists()


def test_only_runs_are_discarded(tmp_path):
    with pytest.raises(OutputError, match="left alone"):
        discard_run(tmp_path)
    assert tmp_path.is_dir()


def test_new_runs_get_names_of_their_own(tmp_path, monkeypatch):
    first, second = new_run("my cells / 3", tmp_path), new_run("my cells / 3", tmp_path)
    assert first.name.startswith("my-cells-3-20")
    assert second.name == f"{first.name}-2"
    assert first.is_dir()
    monkeypatch.setenv("NAPARI_DEXTR_DATA", str(tmp_path / "mine"))
    assert runs_folder() == tmp_path / "mine" / "runs"
    assert new_run("", None).parent == runs_folder()


def test_the_names_are_those_of_the_modules_that_write_them():
    from napari_dextr.training import finetune_runs as runs

    assert finetune_plan.PLAN == runs._PLAN
    assert (run_folder.CONFIG, run_folder.METRICS) == (runs._CONFIG, runs._METRICS)


def test_a_list_of_folders_does_not_wait_for_pytorch():
    code = "import sys, napari_dextr.training.finetune_runs; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
