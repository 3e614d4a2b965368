"""What an evaluation found, and its form as plain values."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from .settings import Settings
from .statistics import Calibration, Clicks, Correction, Mean, Spread
from .trial import MOST_CLICKS, NOC_TARGETS, Outcome
from .turns import Turned


@dataclass(frozen=True)
class Result:
    """All objects of one data set under one prompt.

    Attributes
    ----------
    prompt : str
    jitter : float
    outcomes : list of Outcome
        One at least.
    """

    prompt: str
    jitter: float
    outcomes: list[Outcome]

    @property
    def groups(self) -> list[str]:
        """Image of each object, for the intervals."""
        return [outcome.file_name for outcome in self.outcomes]

    @cached_property
    def iou(self) -> Spread:
        """IoU of the first masks."""
        return Spread.of([outcome.iou for outcome in self.outcomes], self.groups)

    @cached_property
    def boundary_f(self) -> Mean:
        """Boundary F of the first masks."""
        return Mean.of([outcome.boundary_f for outcome in self.outcomes], self.groups)

    @cached_property
    def baselines(self) -> dict[str, Spread]:
        """IoU of each baseline, best mean first."""
        spreads = {
            name: Spread.of([outcome.baselines[name] for outcome in self.outcomes], self.groups)
            for name in self.outcomes[0].baselines
        }
        return dict(sorted(spreads.items(), key=lambda item: -item[1].mean))

    @property
    def error_reduction(self) -> float | None:
        """Share of the best baseline's mean error (1 - IoU) that the model removes; None without baselines."""
        best = next(iter(self.baselines.values()), None)
        if best is None or best.mean >= 1:
            return None
        return 1 - (1 - self.iou.mean) / (1 - best.mean)

    @cached_property
    def corrections(self) -> list[Correction]:
        """What each correcting click brings; empty where none was given."""
        rows = [outcome.ious for outcome in self.outcomes]
        return [
            Correction.of(click, [row[click - 1] for row in rows], [row[click] for row in rows], self.groups)
            for click in range(1, len(rows[0]))
        ]

    @cached_property
    def noc(self) -> list[Clicks]:
        """Clicks to IoU 0.85 and 0.90; empty where they were not counted."""
        if not self.outcomes[0].clicks:
            return []
        return [
            Clicks.of(target, [outcome.clicks[index] for outcome in self.outcomes], MOST_CLICKS, self.groups)
            for index, target in enumerate(NOC_TARGETS)
        ]

    @cached_property
    def calibration(self) -> Calibration | None:
        """Predicted against true IoU of the first masks; None where the model predicts none."""
        known = [(o.score, o.iou, o.file_name) for o in self.outcomes if o.score is not None]
        if not known:
            return None
        scores, ious, groups = zip(*known, strict=True)
        return Calibration.of(scores, ious, groups)

    @property
    def latency_ms(self) -> tuple[float, float]:
        """Median and 95th percentile of the time from marks to the first mask, milliseconds."""
        times = np.array([outcome.seconds for outcome in self.outcomes]) * 1e3
        return float(np.median(times)), float(np.percentile(times, 95))

    def to_json(self) -> dict[str, Any]:
        """Everything as plain values for `json.dump`."""
        median, p95 = self.latency_ms
        return {
            "prompt": self.prompt,
            "jitter": self.jitter,
            "iou": asdict(self.iou),
            "boundary_f": asdict(self.boundary_f),
            "corrections": [asdict(correction) for correction in self.corrections],
            "noc": [asdict(clicks) for clicks in self.noc],
            "calibration": None if self.calibration is None else asdict(self.calibration),
            "latency_ms": {"median": median, "p95": p95},
            "baselines": {name: asdict(spread) for name, spread in self.baselines.items()},
            "error_reduction": self.error_reduction,
            "outcomes": [asdict(outcome) for outcome in self.outcomes],
        }


@dataclass(frozen=True)
class Evaluation:
    """What `evaluate` found on one data set.

    Attributes
    ----------
    model : dict
        Name, canvas side (pixels), device and precision.
    dataset : str
        Name of the annotation file's folder and the file.
    settings : Settings
    results : list of Result
        One for each prompt and jitter, all of the same objects.
    turns : list of Turned
        How the masks of the flipped and turned images differ; empty where that was not asked for.
    skipped : int
        Objects that are in no result: without pixels, or not to be marked (jitter threw their marks off the image).
    workers : int
        Images that were worked on at once; the latency is that of a busy machine if more than one.
    problems : list of str
        Why images could not be used, a sentence each; their objects are in no result.
    """

    model: dict[str, Any]
    dataset: str
    settings: Settings
    results: list[Result]
    turns: list[Turned] = field(default_factory=list)
    skipped: int = 0
    workers: int = 1
    problems: list[str] = field(default_factory=list)

    @property
    def objects(self) -> int:
        """Number of objects in every result."""
        return len(self.results[0].outcomes)

    @property
    def images(self) -> int:
        """Number of images they are on."""
        return len(set(self.results[0].groups))

    def to_json(self) -> dict[str, Any]:
        """Everything as plain values for `json.dump`."""
        return {
            "dataset": self.dataset,
            "objects": self.objects,
            "images": self.images,
            "skipped": self.skipped,
            "problems": self.problems,
            "results": [result.to_json() for result in self.results],
            "turns": [asdict(turned) for turned in self.turns],
        }


def report(evaluations: list[Evaluation]) -> dict[str, Any]:
    """One document for `json.dump` of the evaluations of one model on several data sets."""
    from .. import __version__

    first = evaluations[0]
    return {
        "program": f"napari-dextr {__version__}",
        "model": first.model,
        "settings": asdict(first.settings),
        "workers": first.workers,
        "datasets": [evaluation.to_json() for evaluation in evaluations],
    }
