"""How good a model is on annotated images: simulated marks in, agreement with the annotation out.

The marks come from the project's one `Simulator`. Every figure stands beside the baselines that learn nothing,
because on round cells an ellipse is already good: what counts is the share of their error that the model removes.
"""

from __future__ import annotations

from .results import Evaluation, Result, report
from .run import check_data, evaluate, prompts_taken
from .settings import PROMPTS, Settings, available_baselines
from .statistics import Calibration, Clicks, Correction, Mean, Spread
from .trial import Outcome
from .turns import Turned

__all__ = [
    "PROMPTS",
    "Calibration",
    "Clicks",
    "Correction",
    "Evaluation",
    "Mean",
    "Outcome",
    "Result",
    "Settings",
    "Spread",
    "Turned",
    "available_baselines",
    "check_data",
    "evaluate",
    "prompts_taken",
    "report",
]
