"""``napari-dextr bench``: the table and the JSON of the core's benchmark."""

from __future__ import annotations

import json


def test_the_quick_benchmark_tells_times_memory_and_machine(call, weights):
    result = call("bench", "--quick", "-m", weights, "--device", "cpu")
    assert result.exit_code == 0, result.output
    for word in ("median ms", "click to mask", "PyTorch", "import napari_dextr", "tiny"):
        assert word in result.stdout
    assert "ResNet" not in result.stdout


def test_the_benchmark_as_json_in_a_file(call, weights, tmp_path):
    result = call("bench", "--quick", "-m", weights, "--json", tmp_path / "bench.json")
    assert result.exit_code == 0, result.output
    values = json.loads((tmp_path / "bench.json").read_text(encoding="utf-8"))
    assert values["model"] == "tiny"
    assert all(timing["median_ms"] > 0 for timing in values["timings"].values())
    assert values["resnet_ratio"] is None
