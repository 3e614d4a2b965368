"""``napari-dextr bench``: the table and the JSON of the core's benchmark."""

from __future__ import annotations

import json

from napari_dextr import bench_coco


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


def test_the_benchmark_of_coco_files(call, weights, monkeypatch, tmp_path):
    report = bench_coco.bench_coco(bench_coco.Size(1, 2, 32))
    monkeypatch.setattr(bench_coco, "bench_coco", lambda size, progress: report)
    rates = {"one by one": 2.0, "in batches": 5.0, "by default": 4.0}
    monkeypatch.setattr(bench_coco, "bench_annotate", lambda model, objects: rates)
    result = call("bench", "--coco", "--quick", "-m", weights, "--json", tmp_path / "bench.json")
    assert result.exit_code == 0, result.output
    assert "2 objects on 1 planes of 32² pixels" in result.stdout
    assert "one by one 2.0, in batches 5.0, by default 4.0; batches are 2.50 times as fast" in result.stdout
    assert "at once" in result.stdout
    assert json.loads((tmp_path / "bench.json").read_text(encoding="utf-8"))["annotate"]["in batches"] == 5.0


def test_two_benchmarks_at_once_are_refused(call):
    assert call("bench", "--coco", "--viewer").exit_code == 2
