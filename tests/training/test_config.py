"""Settings: what makes no sense is refused, and every setting survives the way through a file."""

from __future__ import annotations

import itertools
import json
import math

import pytest

from napari_dextr.errors import DataError
from napari_dextr.training.config import TrainConfig, read_settings


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
        {"warm_up": 0.5, "decay": 0.6},
        {"decay": -0.1},
        {"composites": 1.5},
        {"corrections": ()},
        {"corrections": (1.0, -1.0)},
        {"average": 1.0},
        {"patience": -1},
        {"validate_most": -1},
        {"checkpoint_seconds": -5},
        {"mask_loss": {"dice": 1.0}},
        {"frozen": "head"},
        {"optimizer": "adam"},
        {"anchor": -1.0},
        {"anchor": 1e4},
        {"photometric": 2.0},
        {"usual_margin": -0.1},
        {"quarter_turns": 1.5},
        {"size_balance": float("nan")},
        {"blends": ()},
        {"blends": (0.5, 1.5)},
    ],
)
def test_what_makes_no_sense_is_refused(wrong):
    with pytest.raises(DataError):
        TrainConfig(**wrong)


def test_the_canvas_grows_and_the_batch_shrinks():
    config = TrainConfig(steps=100, canvases=((128, 0.6), (256, 0.4)), batch=48)
    assert [config.canvas_at(step) for step in (0, 59, 60, 99)] == [128, 128, 256, 256]
    assert [config.batch_at(step) for step in (0, 99)] == [48, 12]


def test_the_rate_rises_holds_and_falls_along_a_cosine():
    config = TrainConfig(steps=1000, learning_rate=1e-3, warm_up=0.1, decay=0.4)
    rates = [config.rate_at(step) for step in range(1000)]
    assert rates[0] == pytest.approx(1e-5)
    assert rates[:100] == pytest.approx([1e-3 * (step + 1) / 100 for step in range(100)])
    assert set(rates[99:601]) == {1e-3}
    assert rates[800] == pytest.approx(0.5e-3)  # half way down
    assert rates[700] - rates[800] > rates[601] - rates[651]  # steepest in the middle, as a cosine is
    assert all(later < earlier for earlier, later in itertools.pairwise(rates[600:]))
    assert 0 < rates[-1] < 1e-7


def test_a_run_without_decay_can_be_prolonged():
    short, long = (TrainConfig(steps=steps, warm_up=0.0, decay=0.0) for steps in (100, 200))
    assert {short.rate_at(step) for step in range(99)} == {short.learning_rate}
    assert {long.rate_at(step) for step in range(199)} == {long.learning_rate}


def test_by_default_the_fall_follows_the_rise():
    config = TrainConfig(steps=100)
    assert config.rate_at(2) == config.learning_rate
    assert config.rate_at(4) < config.learning_rate


@pytest.mark.parametrize("wrong", [{"canvases": 128}, {"corrections": 3}, {"canvases": [[128]]}])
def test_values_of_the_wrong_kind_are_one_sentence(wrong):
    with pytest.raises(DataError, match="wrong kind"):
        TrainConfig.from_mapping(wrong)


@pytest.mark.parametrize("text", ["[train]\nsteps = 7\ncanvases = [[64, 1.0]]", "steps = 7\ncanvases = [[64, 1.0]]"])
def test_settings_come_from_a_table_or_a_whole_file(tmp_path, text):
    (tmp_path / "s.toml").write_text(text, encoding="utf-8")
    config = TrainConfig.from_mapping(read_settings(tmp_path / "s.toml"))
    assert (config.steps, config.canvases) == (7, ((64, 1.0),))


@pytest.mark.parametrize(
    ("text", "words"), [(None, "cannot be read"), ("steps =", "not valid TOML"), ("train = 3", "table")]
)
def test_settings_files_that_cannot_be_used_are_named(tmp_path, text, words):
    path = tmp_path / "s.toml"
    if text is not None:
        path.write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=rf"s\.toml.*{words}"):
        read_settings(path)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"steps": "many"}, "steps is a whole number"), ({"batch": 4.5}, "batch is a whole number"),
        ({"steps": math.inf}, "whole number"), ({"seed": -1}, "seed is a whole number from 0"),
        ({"seed": 2**63}, "seed is a whole number from 0"), ({"openings": {"extreme": "a"}}, "wrong kind"),
        ({"shares": {"a": -1}}, "shares holds shares"),
    ],
)  # fmt: skip
def test_numbers_that_make_no_sense_are_one_sentence(wrong, words):
    with pytest.raises(DataError, match=words):
        TrainConfig.from_mapping(wrong)


def test_whole_numbers_may_be_written_as_floats():
    assert (TrainConfig(steps=2e3).steps, type(TrainConfig(steps=2e3).steps)) == (2000, int)
