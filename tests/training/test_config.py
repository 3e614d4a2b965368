"""Settings: what makes no sense is refused, and every setting survives the way through a file."""

from __future__ import annotations

import json

import pytest

from napari_dextr.errors import DataError
from napari_dextr.training.config import TrainConfig


def test_settings_survive_json():
    config = TrainConfig(steps=7, canvases=((64, 1.0), (96, 3.0)), shares={"a": 2.0}, turning=("a",))
    assert TrainConfig.from_mapping(json.loads(config.to_json())) == config


def test_unknown_settings_are_named():
    with pytest.raises(DataError, match=r"learning_rte.*known are.*learning_rate"):
        TrainConfig.from_mapping({"learning_rte": 0.1})


@pytest.mark.parametrize(
    "wrong",
    [
        {"steps": 0},
        {"batch": -1},
        {"learning_rate": 5.0},
        {"canvases": ()},
        {"canvases": ((100, 1.0),)},
        {"mask_loss": "dice"},
        {"precision": "int8"},
    ],
)
def test_what_makes_no_sense_is_refused(wrong):
    with pytest.raises(DataError):
        TrainConfig(**wrong)


def test_the_canvas_grows_and_the_batch_shrinks():
    config = TrainConfig(steps=100, canvases=((128, 0.6), (256, 0.4)), batch=48)
    assert [config.canvas_at(step) for step in (0, 59, 60, 99)] == [128, 128, 256, 256]
    assert [config.batch_at(step) for step in (0, 99)] == [48, 12]
