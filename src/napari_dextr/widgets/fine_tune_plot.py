"""Loss and validation IoU of a training while it runs. Painted by Qt alone: quick beside a busy processor."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
from napari.utils.theme import get_theme
from qtpy.QtCore import QPointF, QRectF, QSize, Qt, QTimer
from qtpy.QtGui import QColor, QPainter, QPen, QPolygonF
from qtpy.QtWidgets import QSizePolicy, QWidget

LOSS, IOU = "#56b4e9", "#e69f00"  # Okabe and Ito: apart for all eyes, and on dark and on bright ground
_PAUSE = 250  # milliseconds between two redraws at the least
_HEIGHT = 210
_MARGINS = (38.0, 18.0, 8.0, 6.0)  # left, above each panel (its title), right, between panels; pixels
_FOOT = 18.0  # below the lower panel: numbers of the steps
_STRETCH = 0.1  # of the range of the IoU, above and below the points

Points = list[tuple[int, float]]


class CurvePlot(QWidget):
    """Two panels over the steps: the loss, and the IoU on held-out objects.

    Parameters
    ----------
    theme : str
        Name of the napari theme whose colours are used.
    """

    def __init__(self, theme: str = "dark") -> None:
        super().__init__()
        self.loss: Points = []
        self.iou: Points = []
        self.bases: Points = []  # IoU of the model that a stage began with, from a step on
        self.stages: list[int] = []  # where stages begin: curves do not cross from one into the next
        self.steps = 0
        self.redraws = 0
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setToolTip(
            "Above: what is minimised, pale for single steps. Below: overlap (IoU, 0 to 1) with objects that the model "
            "does not learn from; the dashed line is the model that it began with"
        )
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_PAUSE)
        self._timer.timeout.connect(self._redraw)
        self.set_theme(theme)

    def set_theme(self, name: str) -> None:
        """Use the colours of another napari theme."""
        theme = get_theme(name)
        self._text, self._ground, self._lines = (
            QColor(str(value.as_hex())) for value in (theme.text, theme.background, theme.secondary)
        )
        self.update()

    def clear(self) -> None:
        """Forget everything, for another run."""
        self.loss, self.iou, self.bases, self.stages, self.steps = [], [], [], [], 0
        self._redraw()

    def begin_stage(self, step: int) -> None:
        """Another training of the same run begins with this step."""
        self.stages = [other for other in self.stages if other < step] + [step]
        self._soon()

    def add_loss(self, step: int, steps: int, value: float) -> None:
        """A step, of how many, and its loss. An earlier step than the last (a resumed run) takes its place."""
        self.steps = max(steps, step)
        _append(self.loss, step, value)
        self._soon()

    def add_iou(self, step: int, value: float) -> None:
        """The IoU of a validation."""
        _append(self.iou, step, value)
        self._soon()

    def set_base(self, step: int, value: float) -> None:
        """The IoU of the model that the run, or the stage that is at this step, began with."""
        start = max((other for other in self.stages if other <= step), default=0)
        _append(self.bases, start, value)
        self._soon()

    def sizeHint(self) -> QSize:
        return QSize(260, _HEIGHT)

    def minimumSizeHint(self) -> QSize:
        return QSize(180, _HEIGHT)

    def _soon(self) -> None:
        if not self._timer.isActive():
            self._timer.start()

    def _redraw(self) -> None:
        self.redraws += 1
        self.update()

    # -- painting -------------------------------------------------------------------------------------------------

    def paintEvent(self, event: Any) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        font = self.font()
        font.setPointSizeF(max(6.0, font.pointSizeF() * 0.8))
        painter.setFont(font)
        left, above, right, between = _MARGINS
        width = self.width() - left - right
        height = (self.height() - _FOOT - 2 * above - between) / 2
        upper = QRectF(left, above, width, height)
        lower = QRectF(left, 2 * above + height + between, width, height)
        last = max(self.steps, 1)
        top = max((value for _, value in self.loss), default=1.0) or 1.0
        self._panel(painter, upper, "Loss", LOSS, (0.0, top), last)
        self._noisy(painter, upper, (0.0, top), last)
        limits = iou_range([value for _, value in (*self.iou, *self.bases)])
        self._panel(painter, lower, "IoU on held-out objects", IOU, limits, last, foot=True)
        painter.setPen(QPen(self._text, 1.2, Qt.PenStyle.DashLine))
        for start, value in self.bases:
            end = min((other for other in self.stages if other > start), default=last)
            painter.drawLine(_place(lower, start, value, limits, last), _place(lower, end, value, limits, last))
        for part in self._parts(self.iou):
            self._line(painter, lower, part, limits, last, IOU, 1.8, dots=True)
        painter.end()

    def _parts(self, points: Points) -> list[Points]:
        """Points of each stage."""
        edges = [-1, *self.stages, self.steps + 1]
        parts = [[point for point in points if low <= point[0] < high] for low, high in pairwise(edges)]
        return [part for part in parts if part]

    def _panel(
        self,
        painter: QPainter,
        area: QRectF,
        title: str,
        colour: str,
        limits: tuple[float, float],
        last: int,
        *,
        foot: bool = False,
    ) -> None:
        """Ground, grid and numbers."""
        painter.fillRect(area, self._ground.lighter(118) if self._ground.lightnessF() < 0.5 else QColor("white"))
        painter.setPen(QColor(colour) if self._ground.lightnessF() < 0.5 else QColor(colour).darker(130))
        title_area = QRectF(area.left(), area.top() - _MARGINS[1], area.width(), _MARGINS[1])
        painter.drawText(title_area, int(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter), title)
        for value in ticks(*limits, 3):
            y = _place(area, 0, value, limits, last).y()
            painter.setPen(QPen(self._lines, 0.7))
            painter.drawLine(QPointF(area.left(), y), QPointF(area.right(), y))
            painter.setPen(self._text)
            side = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
            painter.drawText(QRectF(0, y - 8, area.left() - 4, 16), int(side), f"{value:g}")
        for value in (tick for tick in ticks(0, last, 4) if self.steps and tick == int(tick)):
            x = _place(area, value, limits[0], limits, last).x()
            painter.setPen(QPen(self._lines, 0.7))
            painter.drawLine(QPointF(x, area.top()), QPointF(x, area.bottom()))
            if foot:
                painter.setPen(self._text)
                text = f"step {value:g}" if value == 0 else f"{value:g}"
                span = QRectF(min(x - 30, self.width() - 61), area.bottom() + 2, 60, _FOOT - 2)
                painter.drawText(span, int(Qt.AlignmentFlag.AlignHCenter | Qt.AlignmentFlag.AlignTop), text)

    def _noisy(self, painter: QPainter, area: QRectF, limits: tuple[float, float], last: int) -> None:
        """Single steps, pale, and their running mean."""
        pale = QColor(LOSS)
        pale.setAlphaF(0.35)
        for part in self._parts(self.loss):
            values = thinned(part, max(2, int(area.width())))
            self._line(painter, area, values, limits, last, pale, 0.8)
            self._line(painter, area, smoothed(values), limits, last, LOSS, 1.8)

    def _line(
        self,
        painter: QPainter,
        area: QRectF,
        points: Sequence[tuple[float, float]],
        limits: tuple[float, float],
        last: int,
        colour: str | QColor,
        width: float,
        *,
        dots: bool = False,
    ) -> None:
        places = [_place(area, step, value, limits, last) for step, value in points]
        painter.setPen(QPen(QColor(colour), width))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawPolyline(QPolygonF(places))
        if dots or len(places) == 1:
            painter.setBrush(QColor(colour))
            for place in places:
                painter.drawEllipse(place, 2.4, 2.4)


def thinned(points: Sequence[tuple[float, float]], most: int) -> list[tuple[float, float]]:
    """At most ``most`` points: means of neighbours where there are more."""
    if len(points) <= most:
        return list(points)
    values = np.asarray(points, np.float64)
    return [(float(x), float(y)) for x, y in (part.mean(axis=0) for part in np.array_split(values, most))]


def smoothed(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """A running mean over about a tenth of the points."""
    reach = max(1, len(points) // 20)
    values: npt.NDArray[np.float64] = np.asarray(points, np.float64)
    sums = np.concatenate([[0.0], np.cumsum(values[:, 1])])
    first = np.maximum(np.arange(len(values)) - reach, 0)
    end = np.minimum(np.arange(len(values)) + reach + 1, len(values))
    means = (sums[end] - sums[first]) / (end - first)
    return [(float(x), float(y)) for x, y in zip(values[:, 0], means, strict=True)]


def ticks(low: float, high: float, most: int) -> list[float]:
    """Round numbers from ``low`` to ``high``, at most about ``most`` steps."""
    if not high > low:
        return [low]
    raw = (high - low) / most
    unit = 10.0 ** math.floor(math.log10(raw))
    step = next(factor * unit for factor in (1, 2, 5, 10) if factor * unit >= raw * 0.999)
    first = math.ceil(low / step - 1e-9)
    count = math.floor(high / step + 1e-9) - first + 1
    return [round((first + number) * step, 10) for number in range(count)]


def iou_range(values: Sequence[float]) -> tuple[float, float]:
    """Limits of the IoU axis: room for every value, and for at least a tenth, so that noise looks like noise."""
    if not values:
        return 0.0, 1.0
    low, high = min(values), max(values)
    spare = max(0.1 - (high - low), 0) / 2 + _STRETCH * (high - low)
    return max(0.0, low - spare), min(1.0, high + spare)


def _append(points: Points, step: int, value: float) -> None:
    while points and points[-1][0] >= step:
        points.pop()
    if math.isfinite(value):
        points.append((step, value))


def _place(area: QRectF, step: float, value: float, limits: tuple[float, float], last: int) -> QPointF:
    low, high = limits
    part = (value - low) / (high - low) if high > low else 0.5
    return QPointF(area.left() + area.width() * step / last, area.bottom() - area.height() * min(max(part, 0), 1))
