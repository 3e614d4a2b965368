"""The offer to go on with a training that was interrupted. A part of the Fine-tune widget."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QFrame, QGridLayout

from .panels import make_button
from .wrapped import WrappedLabel

if TYPE_CHECKING:
    from ..training.finetune_runs import UnfinishedRun


class OfferPanel(QFrame):
    """The newest training that was interrupted; hidden while there is none.

    Signals
    -------
    resumed(UnfinishedRun), discarded(UnfinishedRun)
        What the user wants with it.
    """

    resumed = Signal(object)
    discarded = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self.setFrameShape(QFrame.Shape.StyledPanel)
        self.text = WrappedLabel()
        self.resume = make_button("Resume", "Go on from its last checkpoint; its layers and images are not needed")
        self.discard = make_button("Discard", "Remove the training and everything it has learned")
        self._runs: list[UnfinishedRun] = []
        grid = QGridLayout(self)
        grid.addWidget(self.text, 0, 0, 1, 2)
        grid.addWidget(self.resume, 1, 0)
        grid.addWidget(self.discard, 1, 1)
        self.resume.clicked.connect(lambda: self._take(self.resumed))
        self.discard.clicked.connect(lambda: self._take(self.discarded))
        self.hide()

    def show_runs(self, runs: Sequence[UnfinishedRun]) -> None:
        """Show trainings, the newest first. Those that another program is at are only mentioned."""
        free = [run for run in runs if not run.busy]
        self._runs = [*free, *(run for run in runs if run.busy)]
        self.setVisible(bool(runs))
        for button in (self.resume, self.discard):
            button.setVisible(bool(free))
        if runs:
            self.text.setText(offer(self._runs))

    def _take(self, signal: Signal) -> None:
        run, *others = self._runs
        self.show_runs(others)
        signal.emit(run)


def offer(runs: Sequence[UnfinishedRun], now: datetime | None = None) -> str:
    """What is said of interrupted trainings; the first one is what the buttons are for.

    Parameters
    ----------
    runs : sequence of UnfinishedRun
        At least one.
    now : datetime, optional
        With its time zone; by default the present.
    """
    run = runs[0]
    started = run.started.astimezone()
    today = (now or datetime.now().astimezone()).date()
    when = started.strftime("%H:%M") if started.date() == today else started.strftime("%d %B, %H:%M")
    if run.busy:
        text = f"The training '{run.name}' of {when} is running in another program."
    elif run.steps and run.step >= run.steps:
        text = f"The training '{run.name}' of {when} had ended, but what came of it was not seen."
    else:
        place = f" at step {run.step:,} of {run.steps:,}" if run.steps else ""
        text = f"The training '{run.name}' of {when} was interrupted{place}."
    return text if len(runs) == 1 else f"{text} There {'is' if len(runs) == 2 else 'are'} {len(runs) - 1} more."
