"""Two programs that write one file."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from napari_dextr.coco import CocoWriter, ImageLabels, export_coco, guard
from napari_dextr.coco.guard import Guard
from napari_dextr.errors import OutputError

ADD = """
import sys
import numpy as np
from napari_dextr.coco import ImageLabels, export_coco
for number in range(5):
    export_coco(sys.argv[1], [ImageLabels(f"{sys.argv[2]}{number}.png", np.ones((4, 4), int))], versions=0)
"""


def plane(name: str = "a.png") -> ImageLabels:
    return ImageLabels(name, np.eye(4, dtype=int))


def test_programs_that_merge_at_once_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    running = [subprocess.Popen([sys.executable, "-c", ADD, str(path), name]) for name in "pq"]
    assert [process.wait() for process in running] == [0, 0]
    document = json.loads(path.read_text(encoding="utf-8"))
    assert sorted(entry["file_name"] for entry in document["images"]) == [f"{p}{n}.png" for p in "pq" for n in range(5)]
    assert sorted(entry["id"] for entry in document["annotations"]) == list(range(1, 11))
    assert [file.name for file in tmp_path.iterdir()] == ["a.json"]


def test_who_waits_in_vain_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "PATIENCE", 0.0)
    with CocoWriter(tmp_path / "a.json"), pytest.raises(OutputError, match="written by another program"):
        export_coco(tmp_path / "a.json", [plane()])
    export_coco(tmp_path / "a.json", [plane()])
    assert [file.name for file in tmp_path.iterdir()] == ["a.json"]


def test_a_change_by_somebody_who_knows_no_lock_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    export_coco(path, [plane()])
    theirs = path.read_text(encoding="utf-8").replace("object", "cell")
    with CocoWriter(path) as writer:
        writer.add(plane("b.png"), np.eye(4, dtype=int))
        path.write_text(theirs + "\n", encoding="utf-8")
        with pytest.raises(OutputError, match="changed by another program"):
            writer.finish()
    assert path.read_text(encoding="utf-8") == theirs + "\n"
    assert [file.name for file in tmp_path.iterdir()] == ["a.json"]


def test_a_file_that_cannot_be_merged_into_is_let_go(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text("{", encoding="utf-8")
    with pytest.raises(ValueError, match="a.json"):
        CocoWriter(path)
    taken = Guard(path)
    taken.release()
    assert [file.name for file in tmp_path.iterdir()] == ["a.json"]
