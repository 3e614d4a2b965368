"""A training's figures and buttons."""

from __future__ import annotations

from typing import Any

import pytest

from napari_dextr.training.update import Update
from napari_dextr.widgets.fine_tune_progress import ProgressPanel, figures, mean_iou


def update(step: int = 140, **others: Any) -> Update:
    values: dict[str, Any] = {
        "step": step, "steps": 600, "loss": 0.213, "learning_rate": 1e-4, "train_iou": 0.8, "validation": None,
        "samples_per_second": 23.4, "outside_network": 0.1, "seconds_left": 130.0,
    }  # fmt: skip
    return Update(**{**values, **others})


@pytest.fixture
def panel(qtbot: Any) -> ProgressPanel:
    made = ProgressPanel()
    qtbot.addWidget(made)
    made.begin("Preparing …")
    return made


def test_figures_say_all_that_is_known() -> None:
    text = figures(update(before=0.71), 0.84)
    for part in (
        "Step 140 of 600",
        "2 minutes left",
        "Loss 0.213",
        "held-out IoU 0.84",
        "at first 0.71",
        "23 samples/s",
    ):
        assert part in text
    assert "IoU" not in figures(update(before=0.7), None)
    assert "left" not in figures(update(ended="finished"), None)
    assert "left" not in figures(update(seconds_left=float("inf")), None)


def test_mean_over_groups() -> None:
    assert mean_iou({"a": 0.5, "b": 0.7}) == pytest.approx(0.6)
    assert mean_iou(None) is None
    assert mean_iou({}) is None


def test_updates_fill_bar_and_plot(panel: ProgressPanel) -> None:
    assert panel.bar.maximum() == 0  # it wanders until the first step
    panel.show_update(update(step=7))
    panel.show_update(update(step=8, validation={"own": 0.5}))
    assert (panel.bar.value(), panel.bar.maximum()) == (8, 600)
    assert [step for step, _ in panel.plot.loss] == [7, 8]
    assert panel.plot.iou == [(8, 0.5)]


def test_stages_reach_the_plot(panel: ProgressPanel) -> None:
    panel.show_update(update(step=1, stage="Judging, round 1 of 2", before=0.6))
    panel.show_update(update(step=2, stage="Judging, round 1 of 2", before=0.6))
    panel.show_update(update(step=3, stage="Judging, round 2 of 2", before=0.7))
    assert panel.plot.stages == [1, 3]
    assert panel.plot.bases == [(1, 0.6), (3, 0.7)]


def test_notices_stay_until_the_next_run(panel: ProgressPanel) -> None:
    assert panel.notice.isHidden()
    panel.show_update(update(notices=("The disk is full. The training goes on.",)))
    panel.show_update(update(step=141))
    assert "disk is full" in panel.notice.text()
    assert not panel.notice.isHidden()
    panel.begin("Preparing …")
    assert panel.notice.isHidden()
    assert panel.plot.loss == []


def test_buttons(panel: ProgressPanel, qtbot: Any) -> None:
    for button, signal in (
        (panel.pause, panel.paused),
        (panel.stop, panel.stopped),
        (panel.cancel, panel.cancelled),
    ):
        with qtbot.waitSignal(signal):
            button.click()
    panel.show_state(paused=True, stopping=False)
    assert panel.pause.text() == "Resume"
    panel.show_state(paused=False, stopping=True)
    assert panel.pause.text() == "Pause"
    assert not panel.pause.isEnabled()
    assert not panel.stop.isEnabled()
    assert panel.cancel.isEnabled()
