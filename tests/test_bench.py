"""The benchmark measures what it says; no test judges a time."""

from __future__ import annotations

import json
import sys

import numpy as np
import pytest

from napari_dextr import bench
from napari_dextr.bench import LARGE_SIDE, Timing, peak_megabytes, run_bench
from napari_dextr.models.spec import ModelSpec
from napari_dextr.segmenter import Segmentation


class Fake:
    """Notes what it was asked."""

    spec = ModelSpec("fake", "none")
    device = "cpu"

    def __init__(self) -> None:
        self.calls: list[tuple[tuple[int, ...], np.ndarray, np.ndarray]] = []

    def segment(self, image, prompt):
        r0, c0, r1, c1 = (int(value) for value in prompt.bounds)
        pixels = np.asarray(image[r0 : r1 + 1, c0 : c1 + 1])
        self.calls.append((image.shape, prompt.extreme_points, pixels))
        region = (slice(r0, r0 + pixels.shape[0]), slice(c0, c0 + pixels.shape[1]))
        return Segmentation(np.ones(pixels.shape[:2], np.float32), region, image.shape[:2], prompt, None, "fake", 0.5)


def test_small_and_large_images_are_clicked_in_turns_on_the_same_pixels():
    pytest.importorskip("zarr")
    model, seen = Fake(), []
    report = run_bench(model, resnet=False, quick=True, progress=lambda done, total: seen.append((done, total)))
    small, large = model.calls[0::2], model.calls[1::2]
    assert len(small) == len(large) == 5 + 1
    for one, other in zip(small, large, strict=True):
        assert one[0] == (512, 512, 3)
        assert other[0] == (LARGE_SIDE, LARGE_SIDE, 3)
        np.testing.assert_array_equal(one[2], other[2])
    assert list(report.timings) == ["fake, click to mask, 512² array", "fake, click to mask, 20000² zarr"]
    assert [timing.runs for timing in report.timings.values()] == [5, 5]
    assert report.size_ratio > 0
    assert report.import_seconds > 0
    assert report.resnet_ratio is None
    assert seen == [(number, 6) for number in range(1, 7)]


def test_without_zarr_the_report_says_so(monkeypatch):
    monkeypatch.setattr(bench, "find_spec", lambda name: None)
    report = run_bench(Fake(), resnet=False, quick=True)
    assert report.size_ratio is None
    assert any("needs the package zarr" in line for line in report.remarks())


def test_the_resnet_is_timed_in_exact_and_reduced_precision(monkeypatch, tmp_path):
    """With a small network in its place, and no weights downloaded."""
    from napari_dextr.models import architectures, registry
    from napari_dextr.models.compact import CompactNet

    monkeypatch.setenv("NAPARI_DEXTR_CACHE", str(tmp_path))
    spec = ModelSpec("small", "none", canvas=32, marks=("extreme",))
    monkeypatch.setattr(architectures, "build_network", lambda _: CompactNet((8, 8, 8, 8), (1, 1, 1, 1), 8, (1,)))
    entry = registry.find(bench.RESNET)
    monkeypatch.setattr(registry, "find", lambda _: type(entry)(**{**vars(entry), "spec": spec}))
    report = run_bench(Fake(), quick=True)
    names = [name for name in report.timings if name.startswith("ResNet")]
    assert [name.rpartition(", ")[2] for name in names] == ["float32 (full)", "float32 (auto)", "bfloat16 (reduced)"]
    full, reduced = report.timings[names[0]], report.timings[names[2]]
    assert report.resnet_ratio == full.median_ms / reduced.median_ms
    assert any("random weights" in line for line in report.remarks())
    assert json.loads(json.dumps(report.to_json()))["resnet_weights"] == "random"


def test_timings_are_medians_and_percentiles_in_milliseconds():
    timing = Timing.of([0.001, 0.002, 0.003, 0.004, 0.1])
    assert timing.median_ms == pytest.approx(3)
    assert timing.p95_ms == pytest.approx(80.8)
    assert timing.runs == 5


@pytest.mark.skipif(sys.platform == "win32", reason="Windows does not tell")
def test_peak_memory_is_that_of_a_python_with_numpy_and_never_shrinks():
    before = peak_megabytes()
    assert 20 < before < 200_000
    held = np.ones(30_000_000)
    assert peak_megabytes() >= before
    del held
    assert peak_megabytes() >= before
