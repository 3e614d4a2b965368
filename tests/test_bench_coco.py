"""The benchmark of COCO files measures the same work in every way."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from napari_dextr.bench_coco import Size, bench_annotate, bench_coco, synthetic_labels
from napari_dextr.models.compact import CompactNet
from napari_dextr.models.spec import ModelSpec
from napari_dextr.prompt import MARKS
from napari_dextr.segmenter import Segmenter

SMALL = Size(2, 5, 64)


@pytest.fixture(scope="module")
def report():
    return bench_coco(SMALL)


def test_every_way_gives_the_labels_back(report):
    assert report.identical
    assert set(report.measures) == {
        f"{job}, {way}" for job in ("export", "import") for way in ("run lengths", "polygons", "plain pycocotools")
    }
    assert all(measure.seconds > 0 for measure in report.measures.values())


def test_the_report_is_sentences_and_json(report):
    lines = report.remarks()
    assert lines[0] == "10 objects on 2 planes of 64² pixels"
    assert any("times as fast as a plain loop" in line for line in lines)
    assert lines[-1] == "every way gave the same labels"
    assert replace(report, identical=False).remarks()[-1] == "THE LABELS DIFFER"
    assert json.loads(json.dumps(report.to_json()))["size"] == {"planes": 2, "objects": 5, "side": 64}


def test_progress_counts_the_jobs():
    steps = []
    bench_coco(Size(1, 1, 16), progress=lambda *step: steps.append(step))
    assert steps == [(number, 6) for number in range(1, 7)]


def test_planes_hold_as_many_objects_as_asked():
    labels = synthetic_labels(3, SMALL)
    assert np.unique(labels).tolist() == [0, 1, 2, 3, 4, 5]
    assert not np.array_equal(labels, synthetic_labels(4, SMALL))


def test_boxes_are_counted_one_by_one_and_in_batches():
    network = CompactNet((8, 8, 8, 8), (1, 1, 1, 1), 8, (1,))
    model = Segmenter(network, ModelSpec("tiny", "compact", canvas=32, marks=MARKS), device="cpu")
    rates = bench_annotate(model, objects=4, batch=2)
    assert set(rates) == {"one by one", "in batches", "by default"}
    assert all(rate > 0 for rate in rates.values())
