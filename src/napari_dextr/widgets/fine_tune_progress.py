"""A training while it runs: how far, how well, how long; pause, stop and cancel. A part of the Fine-tune widget."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QFrame, QHBoxLayout, QProgressBar, QPushButton, QVBoxLayout

from .export_parts import MessagePanel
from .fine_tune_form import in_words
from .fine_tune_plot import CurvePlot
from .wrapped import WrappedLabel

if TYPE_CHECKING:
    from ..training.update import Update


class ProgressPanel(QFrame):
    """Figures, curves and buttons of a training.

    Parameters
    ----------
    theme : str
        Name of napari's theme.

    Signals
    -------
    paused, stopped, cancelled
        A button was pressed; ``paused`` also where it says *Resume*.
    """

    paused = Signal()
    stopped = Signal()
    cancelled = Signal()

    def __init__(self, theme: str = "dark") -> None:
        super().__init__()
        self.message = MessagePanel()
        self.bar = QProgressBar()
        self.figures = WrappedLabel()
        self.notice = WrappedLabel()
        self.plot = CurvePlot(theme)
        self.pause = _button("Pause", "Leave the processor to other work; what was learned is kept")
        self.stop = _button("Stop", "End now and judge the best model so far")
        self.cancel = _button("Cancel", "Give up: nothing of this training stays")
        buttons = QHBoxLayout()
        for button in (self.pause, self.stop, self.cancel):
            buttons.addWidget(button)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        for widget in (self.message, self.bar, self.figures, self.notice):
            column.addWidget(widget)
        column.addLayout(buttons)
        column.addWidget(self.plot)
        self.pause.clicked.connect(self.paused)
        self.stop.clicked.connect(self.stopped)
        self.cancel.clicked.connect(self.cancelled)

    def begin(self, sentence: str) -> None:
        """Another training begins."""
        self._stage: str | None = None
        self.plot.clear()
        self.bar.setRange(0, 0)
        self.figures.setText("")
        self.show_notice("")
        self.say(sentence)
        self.show_state(paused=False, stopping=False)

    def say(self, sentence: str, kind: str = "busy") -> None:
        """Say what is going on."""
        self.message.say(sentence, kind)

    def show_notice(self, sentence: str) -> None:
        """Something went wrong without ending the training."""
        self.notice.setText(f"⚠ {sentence}" if sentence else "")
        self.notice.setVisible(bool(sentence))

    def show_state(self, *, paused: bool, stopping: bool) -> None:
        """Adapt the buttons."""
        self.pause.setText("Resume" if paused else "Pause")
        self.pause.setEnabled(not stopping)
        self.stop.setEnabled(not stopping)
        self.cancel.setEnabled(True)

    def show_update(self, update: Update) -> None:
        """Show a step."""
        self.bar.setRange(0, update.steps)
        self.bar.setValue(update.step)
        if update.stage != self._stage:
            self._stage = update.stage
            self.plot.begin_stage(update.step)
        self.plot.add_loss(update.step, update.steps, update.loss)
        if update.before is not None:
            self.plot.set_base(update.step, update.before)
        iou = mean_iou(update.validation)
        if iou is not None:
            self.plot.add_iou(update.step, iou)
        for notice in update.notices:
            self.show_notice(notice)
        self.figures.setText(figures(update, self.plot.iou[-1][1] if self.plot.iou else None))


def figures(update: Update, iou: float | None) -> str:
    """Step, loss, held-out IoU at the last validation, speed and time left, in two lines."""
    left = f" · {in_words(update.seconds_left)} left" if math.isfinite(update.seconds_left) and not update.ended else ""
    held_out = "" if iou is None else f" · held-out IoU {iou:.2f}"
    began = "" if iou is None or update.before is None else f" (at first {update.before:.2f})"
    return (
        f"Step {update.step:,} of {update.steps:,}{left}<br>"
        f"Loss {update.loss:.3f}{held_out}{began} · {update.samples_per_second:.2g} samples/s"
    )


def mean_iou(validation: Mapping[str, float] | None) -> float | None:
    """Mean over the groups of a validation, or None where there was none."""
    return sum(validation.values()) / len(validation) if validation else None


def _button(text: str, tip: str) -> QPushButton:
    button = QPushButton(text)
    button.setToolTip(tip)
    return button
