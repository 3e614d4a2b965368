"""What a training says of each of its steps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Update:
    """One step's report.

    Attributes
    ----------
    step, steps : int
        Steps done and in all.
    loss, learning_rate : float
    train_iou : float
        Mean IoU of the batch at its last round.
    validation : mapping of str to float, or None
        Mean IoU of each validation group for the averaged weights, only where this step validated.
    samples_per_second : float
        Smoothed over some steps, as are the next two.
    outside_network : float
        Share of the time spent outside the network, 0..1.
    seconds_left : float
    best : float or None
        Mean IoU over the groups of the best validation so far.
    improved : bool
        Whether this step's validation was the best so far.
    ended : str
        Why this is the last step: ``"finished"``, ``"stopped"`` (somebody asked) or ``"settled"`` (validations had
        stopped getting better); empty before.
    notices : tuple of str
        Sentences for the user: what went wrong without ending the run.
    stage : str
        What is going on, in words, where a run has several stages.
    before : float or None
        Mean validation IoU of what the stage started from, where that was validated.
    """

    step: int
    steps: int
    loss: float
    learning_rate: float
    train_iou: float
    validation: Mapping[str, float] | None
    samples_per_second: float
    outside_network: float
    seconds_left: float
    best: float | None = None
    improved: bool = False
    ended: str = ""
    notices: tuple[str, ...] = ()
    stage: str = ""
    before: float | None = None

    def line(self) -> dict[str, Any]:
        """The step as the record keeps it."""
        line: dict[str, Any] = {
            "step": self.step,
            "loss": self.loss,
            "learning_rate": self.learning_rate,
            "train_iou": self.train_iou,
            "samples_per_second": round(self.samples_per_second, 2),
            "outside_network": round(self.outside_network, 3),
        }
        return {**line, "validation": dict(self.validation)} if self.validation else line
