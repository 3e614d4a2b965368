"""``napari-dextr bench --viewer``: another program measures, this one shows."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from napari_dextr.cli import _viewer_bench
from napari_dextr.cli._viewer_bench import has_screen, measure_viewer, viewer_table
from napari_dextr.errors import OutputError

REPORT = {
    "model": "tiny",
    "timings": {"click to label, 512² numpy": {"median_ms": 81.25, "p95_ms": 99.0, "runs": 20}},
    "remarks": ["accepting the last of 1000 objects takes 1.02 times as long as the first ones"],
}


@pytest.fixture
def program(monkeypatch):
    """Stands in for the viewer: notes how it is called, and answers."""
    calls = []

    def run(command, env):
        calls.append((command, env))
        file = Path(command[command.index("--json") + 1])
        file.write_text(json.dumps(REPORT), encoding="utf-8")
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr(_viewer_bench, "has_screen", lambda: True)
    monkeypatch.setattr(_viewer_bench.subprocess, "run", run)
    return calls


def test_without_a_screen_it_says_what_to_do(call, monkeypatch):
    monkeypatch.setattr(_viewer_bench, "has_screen", lambda: False)
    result = call("bench", "--viewer")
    assert result.exit_code == 2
    assert "needs a screen" in result.output
    assert "xvfb-run" in result.output


def test_the_report_is_shown_and_written(call, program, tmp_path):
    result = call(
        "bench", "--viewer", "--quick", "--device", "cpu", "--threads", "2", "--json", tmp_path / "bench.json"
    )
    assert result.exit_code == 0, result.output
    for word in ("click to label", "81.2", "1.02 times"):
        assert word in result.stdout
    assert json.loads((tmp_path / "bench.json").read_text(encoding="utf-8")) == REPORT
    ((command, env),) = program
    assert command[:3] == [sys.executable, "-m", "napari_dextr.widgets.viewer_bench"]
    assert command[command.index("--device") + 1] == "cpu"
    assert "--quick" in command
    assert env["OMP_NUM_THREADS"] == "2"


def test_a_viewer_that_ends_early_is_said(monkeypatch):
    monkeypatch.setattr(_viewer_bench, "has_screen", lambda: True)
    monkeypatch.setattr(_viewer_bench.subprocess, "run", lambda command, env: subprocess.CompletedProcess(command, -11))
    with pytest.raises(OutputError, match="exit code -11"):
        measure_viewer("embedded", "cpu", threads=None, quick=True)


def test_what_counts_as_a_screen(monkeypatch):
    monkeypatch.setattr(_viewer_bench.sys, "platform", "linux")
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"):
        monkeypatch.delenv(name, raising=False)
    assert not has_screen()
    monkeypatch.setenv("DISPLAY", ":7")
    assert has_screen()
    monkeypatch.setenv("QT_QPA_PLATFORM", "offscreen")
    assert not has_screen()
    monkeypatch.delenv("QT_QPA_PLATFORM")
    monkeypatch.delenv("DISPLAY")
    monkeypatch.setattr(_viewer_bench.sys, "platform", "darwin")
    assert has_screen()


def test_the_table_has_a_row_for_each_timing():
    assert viewer_table(REPORT).row_count == 1


def test_the_program_exists():
    assert (Path(_viewer_bench.__file__).parents[1] / "widgets" / "viewer_bench.py").is_file()
    assert _viewer_bench.PROGRAM == "napari_dextr.widgets.viewer_bench"
