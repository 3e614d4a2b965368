"""``napari-dextr demo``: the files of the core's demo, and words that say where."""

from __future__ import annotations

import json


def test_the_demo_says_what_it_made_and_where(call, weights, tmp_path):
    result = call("demo", "--out", tmp_path / "out", "-m", weights)
    assert result.exit_code == 0, result.output
    for word in ("astronaut", "coffee", "coin", "tiny on", "out"):
        assert word in result.stdout
    files = {path.name for path in (tmp_path / "out").iterdir()}
    assert {"annotations.json", "coffee_labels.tif", "coffee_overlay.png"} <= files
    assert all(name in result.stdout for name in files)


def test_the_demo_as_json(call, weights, tmp_path):
    result = call("demo", "--out", tmp_path, "-m", weights, "--json")
    assert len(json.loads(result.stdout)["objects"]) >= 5


def test_a_file_in_the_place_of_the_folder_is_refused(refused, weights, tmp_path):
    (tmp_path / "out").touch()
    assert "is a file" in refused("demo", "--out", tmp_path / "out", "-m", weights)
