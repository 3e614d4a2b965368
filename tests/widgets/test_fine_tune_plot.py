"""The live plot: what is painted where, how often, in whose colours."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from qtpy.QtGui import QColor, QImage

from napari_dextr.widgets.fine_tune_plot import IOU, LOSS, CurvePlot, iou_range, smoothed, thinned, ticks


@pytest.fixture
def plot(qtbot: Any) -> CurvePlot:
    made = CurvePlot()
    qtbot.addWidget(made)
    made.resize(280, 210)
    return made


def pixels(plot: CurvePlot) -> np.ndarray:
    """(H, W, 3) colours of the painted widget."""
    image = plot.grab().toImage().convertToFormat(QImage.Format.Format_RGB888)
    rows = np.frombuffer(image.constBits().asstring(image.sizeInBytes()), np.uint8)
    rows = rows.reshape(image.height(), image.bytesPerLine())[:, : 3 * image.width()]
    return rows.reshape(image.height(), image.width(), 3).astype(int)


def rows_of(picture: np.ndarray, colour: str) -> np.ndarray:
    """Rows in which pixels close to a colour lie, right of the numbers and outside of the titles."""
    wanted = np.array(QColor(colour).getRgb()[:3])
    near = np.abs(picture - wanted).sum(axis=2) < 90
    near[:, :60] = False
    near[:, 200:] &= True
    return np.flatnonzero(near[:, 60:].any(axis=1))


def test_an_empty_plot_is_painted(plot: CurvePlot) -> None:
    assert pixels(plot).std() > 0


def test_a_falling_loss_ends_lower_than_it_began(plot: CurvePlot) -> None:
    for step in range(1, 101):
        plot.add_loss(step, 100, 1.0 - step / 110)
    picture = pixels(plot)
    wanted = np.array(QColor(LOSS).getRgb()[:3])
    near = np.abs(picture - wanted).sum(axis=2) < 60
    near[:20] = False  # the title has the curve's colour
    first, last = np.flatnonzero(near[:, 60]), np.flatnonzero(near[:, 250])
    assert first.size
    assert last.size
    assert first.mean() < last.mean()


def test_validations_are_dots_in_the_lower_panel(plot: CurvePlot) -> None:
    before = set(rows_of(pixels(plot), IOU))
    plot.add_loss(1, 100, 0.5)
    plot.add_iou(50, 0.8)
    new = set(rows_of(pixels(plot), IOU)) - before
    assert new
    assert min(new) > plot.height() / 2


def test_the_base_is_a_line_across(plot: CurvePlot) -> None:
    plot.add_loss(1, 100, 0.5)
    without = pixels(plot)
    plot.set_base(1, 0.7)
    changed = (pixels(plot) != without).any(axis=2)
    row = changed[plot.height() // 2 :].sum(axis=1)
    assert row.max() > 100


def test_it_redraws_only_some_times_a_second(plot: CurvePlot, qtbot: Any) -> None:
    for step in range(1, 500):
        plot.add_loss(step, 1000, 1 / step)
    assert plot.redraws == 0
    qtbot.waitUntil(lambda: plot.redraws == 1)
    assert len(plot.loss) == 499


def test_a_resumed_run_takes_the_place_of_what_came_after_its_checkpoint(plot: CurvePlot) -> None:
    for step in range(1, 11):
        plot.add_loss(step, 20, 1.0)
    plot.add_loss(6, 20, 0.5)
    assert plot.loss == [(step, 1.0) for step in range(1, 6)] + [(6, 0.5)]


def test_no_number_is_no_point(plot: CurvePlot) -> None:
    plot.add_loss(1, 10, float("nan"))
    plot.add_loss(2, 10, float("inf"))
    assert plot.loss == []
    assert pixels(plot).std() > 0


def test_it_follows_the_theme(plot: CurvePlot) -> None:
    plot.add_loss(1, 10, 1.0)
    dark = pixels(plot)
    plot.set_theme("light")
    light = pixels(plot)
    inside = (slice(30, 80), slice(80, 200))
    assert light[inside].mean() > dark[inside].mean() + 50


def test_clear(plot: CurvePlot) -> None:
    plot.add_loss(1, 10, 1.0)
    plot.add_iou(1, 0.5)
    plot.begin_stage(1)
    plot.set_base(1, 0.5)
    plot.clear()
    assert (plot.loss, plot.iou, plot.bases, plot.stages, plot.steps) == ([], [], [], [], 0)


def test_stages_have_curves_of_their_own(plot: CurvePlot) -> None:
    plot.begin_stage(1)
    for step in range(1, 9):
        if step == 5:
            plot.begin_stage(5)
        plot.set_base(step, 0.6 if step < 5 else 0.8)
        plot.add_loss(step, 8, 1 / step)
    assert plot.bases == [(1, 0.6), (5, 0.8)]
    assert [[step for step, _ in part] for part in plot._parts(plot.loss)] == [[1, 2, 3, 4], [5, 6, 7, 8]]
    plot.begin_stage(3)  # resumed in the first stage
    assert plot.stages == [1, 3]
    assert pixels(plot).std() > 0


def test_thinned_keeps_the_mean() -> None:
    points = [(step, float(step % 7)) for step in range(1000)]
    few = thinned(points, 50)
    assert len(few) == 50
    assert np.mean([y for _, y in few]) == pytest.approx(np.mean([y for _, y in points]), abs=0.05)
    assert thinned(points[:10], 50) == points[:10]


def test_smoothed_removes_noise_and_keeps_a_constant() -> None:
    noise = [(step, (-1.0) ** step) for step in range(200)]
    assert np.abs([y for _, y in smoothed(noise)]).max() < 0.3
    assert [y for _, y in smoothed([(step, 2.0) for step in range(30)])] == pytest.approx([2.0] * 30)


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(0, 1, [0, 0.5, 1]), (0, 600, [0, 200, 400, 600]), (0.65, 0.9, [0.7, 0.8, 0.9]), (3, 3, [3])],
)
def test_ticks(low: float, high: float, expected: list[float]) -> None:
    assert ticks(low, high, 3) == pytest.approx(expected)


def test_iou_range_stays_within_0_and_1_and_does_not_enlarge_noise() -> None:
    assert iou_range([]) == (0.0, 1.0)
    low, high = iou_range([0.85, 0.852])
    assert high - low >= 0.1 - 1e-9
    low, high = iou_range([0.3, 0.99])
    assert low < 0.3
    assert high == 1.0
