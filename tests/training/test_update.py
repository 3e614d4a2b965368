"""A step's report, and what of it the record keeps."""

from __future__ import annotations

import json

from napari_dextr.training.update import Update


def test_the_record_keeps_the_curve_and_the_validation():
    update = Update(3, 10, 0.5, 1e-3, 0.8, {"own": 0.75}, 12.3456, 0.04321, 60.0, notices=("a",))
    line = json.loads(json.dumps(update.line()))
    assert line == {
        "step": 3, "loss": 0.5, "learning_rate": 1e-3, "train_iou": 0.8, "samples_per_second": 12.35,
        "outside_network": 0.043, "validation": {"own": 0.75},
    }  # fmt: skip
    plain = Update(4, 10, 0.5, 1e-3, 0.8, None, 12.3, 0.04, 60.0).line()
    assert "validation" not in plain
