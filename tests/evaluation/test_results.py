"""Results: every figure from outcomes written down here, and their form as JSON."""

from __future__ import annotations

import json

import pytest

from napari_dextr.evaluation.results import Evaluation, Result, report
from napari_dextr.evaluation.settings import Settings
from napari_dextr.evaluation.trial import Outcome


def outcome(number, ious, f, ms, score, clicks=(), **baselines) -> Outcome:
    return Outcome(number, f"{number}.png", "cell", 100, ious, f, ms / 1e3, score, clicks, baselines)


RESULT = Result(
    "extreme",
    0.0,
    [
        outcome(1, (0.9, 0.95, 0.945), 1.0, 20, 0.8, (4, 4), box=0.6, ellipse=0.8),
        outcome(2, (0.7, 0.8, 0.9), 0.6, 40, 0.9, (6, None), box=0.5, ellipse=0.4),
        outcome(3, (0.5, 0.6, 0.9), 0.5, 30, None, (None, None), box=0.4, ellipse=0.6),
    ],
)


def test_first_masks():
    assert RESULT.iou.mean == pytest.approx(0.7)
    assert RESULT.iou.median == 0.7
    assert RESULT.iou.p10 == pytest.approx(0.54)
    assert RESULT.iou.good == pytest.approx(1 / 3)
    assert RESULT.boundary_f.mean == pytest.approx(0.7)
    assert RESULT.latency_ms == pytest.approx((30, 39))


def test_baselines_stand_best_first_and_their_error_is_removed_in_part():
    assert {name: spread.mean for name, spread in RESULT.baselines.items()} == pytest.approx(
        {"ellipse": 0.6, "box": 0.5}
    )
    assert list(RESULT.baselines) == ["ellipse", "box"]
    assert RESULT.error_reduction == pytest.approx(0.25)  # 0.4 becomes 0.3
    assert Result("clicks", 0.0, [outcome(1, (0.5,), 1, 1, None)]).error_reduction is None
    assert Result("box", 0.0, [outcome(1, (1.0,), 1, 1, None, box=1.0)]).error_reduction is None


def test_corrections_follow_one_another():
    first, second = RESULT.corrections
    assert (first.click, second.click) == (1, 2)
    assert first.gain.mean == pytest.approx((0.05 + 0.1 + 0.1) / 3)
    assert second.gain.mean == pytest.approx((-0.005 + 0.1 + 0.3) / 3)
    assert first.poor_gain.mean == pytest.approx(0.1)
    assert (first.poor, second.poor) == (2, 1)  # before the second click only 0.6 is below 0.8
    assert second.lowered == pytest.approx(1 / 3)
    assert second.clearly_lowered == 0  # by 0.005 only
    assert Result("extreme", 0.0, [outcome(1, (0.5,), 1, 1, None)]).corrections == []


def test_clicks_and_scores():
    good, very_good = RESULT.noc
    assert (good.target, very_good.target) == (0.85, 0.9)
    assert good.mean.mean == pytest.approx((4 + 6 + 20) / 3)
    assert very_good.mean.mean == pytest.approx((4 + 20 + 20) / 3)
    assert very_good.failed == pytest.approx(2 / 3)
    assert RESULT.calibration.error.mean == pytest.approx((0.1 + 0.2) / 2)  # the third object has no score
    assert RESULT.calibration.bias == pytest.approx((-0.1 + 0.2) / 2)
    bare = Result("extreme", 0.0, [outcome(1, (0.5,), 1, 1, None)])
    assert bare.calibration is None
    assert bare.noc == []


def test_the_report_is_plain_json_and_holds_every_figure():
    evaluation = Evaluation(
        {"name": "fake"}, "pack/a.json", Settings(baselines=("box", "ellipse")), [RESULT], skipped=2
    )
    assert (evaluation.objects, evaluation.images) == (3, 3)
    values = json.loads(json.dumps(report([evaluation, evaluation]), allow_nan=False))
    assert values["model"] == {"name": "fake"}
    assert values["settings"]["prompts"] == ["extreme"]
    assert values["program"].startswith("napari-dextr ")
    assert len(values["datasets"]) == 2
    pack = values["datasets"][0]
    assert (pack["dataset"], pack["objects"], pack["images"], pack["skipped"]) == ("pack/a.json", 3, 3, 2)
    result = pack["results"][0]
    assert (result["prompt"], result["jitter"]) == ("extreme", 0)
    assert result["iou"]["mean"] == RESULT.iou.mean
    assert result["iou"]["low"] <= result["iou"]["mean"] <= result["iou"]["high"]
    assert result["boundary_f"]["mean"] == RESULT.boundary_f.mean
    assert [each["gain"]["mean"] for each in result["corrections"]] == [c.gain.mean for c in RESULT.corrections]
    assert [each["mean"]["mean"] for each in result["noc"]] == [c.mean.mean for c in RESULT.noc]
    assert result["calibration"]["expected_error"] == RESULT.calibration.expected_error
    assert result["latency_ms"] == pytest.approx({"median": 30, "p95": 39})
    assert list(result["baselines"]) == ["ellipse", "box"]
    assert result["outcomes"][1]["ious"] == [0.7, 0.8, 0.9]
