"""The benchmark of the viewer measures what it says; no test judges a time."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_dextr.bench import Timing
from napari_dextr.session_bench import SessionReport
from napari_dextr.widgets import viewer_bench
from napari_dextr.widgets.viewer_bench import ViewerReport, main

SESSION = SessionReport(1000, 0.5, 0.55, 0.125, 0.25, 921.0, 5800.0, 300.0, 850.0)
REPORT = ViewerReport("fake", {"click": Timing(10.0, 12.0, 5)}, 1.2, SESSION, 1.05, 22.0, 17.0, 30.0)


# A program of its own, as the command runs it: the viewer of other tests has put another application in napari's place.
CHILD = """
import json
from napari_dextr.session_bench import SessionReport
from napari_dextr.widgets import viewer_bench
from napari_dextr.widgets.model_client import load_segmenter

viewer_bench.long_session = lambda objects: ([0.01] * 5, [0.02] * 5, 3.0)
viewer_bench.bench_session = lambda objects: SessionReport(1000, 0.5, 0.55, 0.125, 0.25, 921.0, 5800.0, 300.0, 850.0)
said = []
report = viewer_bench.run(load_segmenter, quick=True, sides=(512,), stored_side=17_000, say=said.append)
print(json.dumps({**report.to_json(), "said": said}, allow_nan=False))
"""


@pytest.mark.screen
@pytest.mark.long
def test_all_sizes_frames_and_a_session_in_one_run() -> None:
    pytest.importorskip("zarr")
    done = subprocess.run([sys.executable, "-c", CHILD], capture_output=True, text=True, check=False, timeout=250)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout.splitlines()[-1])
    timings = report["timings"]
    assert list(timings)[:2] == ["click to label, 512² numpy", "click to label, 17000² zarr"]
    assert all(timing["runs"] > 0 and timing["median_ms"] > 0 for timing in timings.values())
    assert report["size_ratio"] >= 1
    assert "frame to frame, a prediction running" in timings
    assert report["accept_ratio"] == 2
    assert min(report["idle_gap_ms"], report["busy_gap_ms"]) > 0
    assert len(report["said"]) == 2


def test_the_report_in_words() -> None:
    text = " ".join(REPORT.remarks())
    for word in (
        "1.20 times",
        "1000 objects",
        "1.05 times",
        "1.10 times",
        "5.8 kB",
        "22 kB",
        "0.12 ms",
        "850 ms",
        "30 ms",
    ):
        assert word in text
    values = REPORT.to_json()
    assert values["timings"]["click"]["median_ms"] == 10.0
    assert values["session"]["ratio"] == 1.1
    assert values["remarks"] == REPORT.remarks()


def test_the_photograph_lies_on_every_level_where_its_points_are() -> None:
    photo = np.full((40, 60), 200, np.uint8)
    levels = [np.zeros((400, 400), np.uint8), np.zeros((200, 200), np.uint8)]
    (moved,) = viewer_bench._paste(levels, photo, [(0, 0)])
    assert moved == (180, 170)
    assert (levels[0] == 200).sum() == 40 * 60
    assert levels[0][180, 170] == 200
    assert (levels[1] == 200).sum() == 20 * 30
    assert levels[1][90, 85] == 200


def test_the_program_writes_json(qtbot: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(viewer_bench, "run", lambda load, **options: REPORT)
    assert main(["--json", str(tmp_path / "bench.json"), "--quick"]) == 0
    assert json.loads((tmp_path / "bench.json").read_text(encoding="utf-8"))["size_ratio"] == 1.2
