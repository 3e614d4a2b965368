"""What a training run does, as plain values that are written beside its results."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from ..errors import DataError


@dataclass(frozen=True)
class TrainConfig:
    """Settings of a run.

    Attributes
    ----------
    steps : int
        Optimiser steps in all.
    canvases : tuple of (int, float)
        Canvas sides in pixels and the share of the steps each gets, in order (progressive canvas).
    batch : int
        Samples a step at the first canvas; larger canvases get fewer, so that memory stays.
    learning_rate, warm_up, weight_decay, clip : float
        AdamW with a linear warm-up over the share ``warm_up`` of the steps, then a cosine to zero; weight decay
        on convolutions and linear layers only; gradients clipped to the norm ``clip``.
    average : float
        Decay of the running average of the weights, which is what is validated and shipped.
    corrections : tuple of float
        Share of the batches with 0, 1, 2, ... correction rounds.
    boundary : float
        Share of the corrections that are points on the outline.
    mask_loss : str
        ``"house"`` (normalised focal, soft IoU, boundary-weighted) or ``"balanced"`` (the paper's).
    side_loss, score_loss : float
        Weights of the decoder's side outputs and of the score head.
    shares : mapping of str to float
        How much each group of crops is drawn.
    turning : tuple of str
        Groups turned by any angle.
    seed : int
    precision : str
        ``"bfloat16"`` or ``"float32"``.
    validate_every : int
        Steps between validations, which are also checkpoints.
    """

    steps: int = 2000
    canvases: tuple[tuple[int, float], ...] = ((128, 1.0),)
    batch: int = 48
    learning_rate: float = 1.5e-3
    warm_up: float = 0.03
    weight_decay: float = 0.02
    clip: float = 2.0
    average: float = 0.998
    corrections: tuple[float, ...] = (0.55, 0.3, 0.1, 0.05)
    boundary: float = 0.33
    mask_loss: str = "house"
    side_loss: float = 0.3
    score_loss: float = 0.1
    shares: Mapping[str, float] = field(default_factory=dict)
    turning: tuple[str, ...] = ()
    seed: int = 0
    precision: str = "float32"
    validate_every: int = 250

    def __post_init__(self) -> None:
        positive = {"steps": self.steps, "batch": self.batch, "validate_every": self.validate_every, "clip": self.clip}
        for name, value in positive.items():
            if value <= 0:
                raise DataError(f"Training needs {name} above zero; got {value}.")
        if not 0 < self.learning_rate < 1:
            raise DataError(f"The learning rate {self.learning_rate} makes no sense; try 0.001.")
        if not self.canvases or any(side < 32 or side % 16 or share <= 0 for side, share in self.canvases):
            raise DataError("Canvas sides must be multiples of 16, at least 32, each with a share above zero.")
        if self.mask_loss not in ("house", "balanced") or self.precision not in ("float32", "bfloat16"):
            raise DataError("mask_loss is 'house' or 'balanced', precision 'float32' or 'bfloat16'.")

    def canvas_at(self, step: int) -> int:
        """Canvas side at a step counted from 0."""
        whole = sum(share for _, share in self.canvases)
        passed = 0.0
        for side, share in self.canvases:
            passed += share / whole
            if step < passed * self.steps:
                return side
        return self.canvases[-1][0]

    def batch_at(self, step: int) -> int:
        """Samples in a step: as many canvas pixels as at the first canvas, at least 4."""
        first = self.canvases[0][0]
        return max(4, round(self.batch * (first / self.canvas_at(step)) ** 2))

    def to_json(self) -> str:
        """The settings as indented JSON."""
        return json.dumps(asdict(self), indent=2, sort_keys=True)

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any]) -> TrainConfig:
        """Settings from a TOML table or JSON object; unknown names are refused.

        Raises
        ------
        DataError
            Naming what is not known, and what is.
        """
        known = {item.name for item in fields(cls)}
        unknown = sorted(set(values) - known)
        if unknown:
            raise DataError(f"Unknown training setting: {', '.join(unknown)}; known are {', '.join(sorted(known))}.")
        plain = dict(values)
        for name in ("corrections", "turning"):
            if name in plain:
                plain[name] = tuple(plain[name])
        if "canvases" in plain:
            plain["canvases"] = tuple((int(side), float(share)) for side, share in plain["canvases"])
        return cls(**plain)
