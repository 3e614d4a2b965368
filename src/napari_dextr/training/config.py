"""What a training run does, as plain values that are written beside its results."""

from __future__ import annotations

import json
import math
import os
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from ..errors import DataError

PRECISIONS = ("float32", "bfloat16", "float16")
"""Arithmetic of the network's passes; weights and losses are float32 always."""

OPTIMIZERS = ("adamw", "muon")
"""How a gradient becomes a step: AdamW, or `napari_dextr.training.muon.Muon`, which learns more from as many samples
where much is left to learn."""

FROZEN = ("nothing", "early", "encoder", "all but heads")
"""What of a network stays as it is: nothing; the first two stages of the encoder, those of edges and textures; the
whole encoder; everything but the decoder's last stage and the heads."""


_WHOLE = (
    "steps", "batch", "seed", "validate_every", "validate_most", "checkpoint_every", "patience", "pictures",
)  # fmt: skip


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
    optimizer : str
        One of `OPTIMIZERS`.
    learning_rate, warm_up, weight_decay, clip : float
        A linear warm-up over the share ``warm_up`` of the steps; weight decay on convolutions and linear layers only;
        gradients clipped to the norm ``clip``.
    frozen : str
        What of the network stays as it is, one of `FROZEN`: less to learn from few objects, and quicker.
    frozen_statistics : bool
        Whether the normalisations keep the statistics of the start and use these. A few objects of one kind are no
        sample to take statistics of.
    anchor : float
        Pull of the weights towards those of the start: each step moves them by this times the learning rate of the
        way back. The penalty of Li et al. (Explicit Inductive Bias for Transfer Learning, ICML 2018: L2-SP),
        decoupled from Adam's scaling as AdamW does it with decay.
    blends : tuple of float
        Shares of the new weights, the rest being those of the start, that a fine-tuning tries at its end
        (`napari_dextr.training.blending`); without judges the last of them is taken.
    photometric : float
        How often light, colours, blur and noise are changed, as a share of what suits the training of a general model.
    decay : float
        The share of the steps, at the end, over which the rate falls to zero along a cosine; before, it holds. A
        short decay lets a run be prolonged: what was learned at the full rate stays a good place to go on from.
    average : float
        Decay of the running average of the weights, which is what is validated and shipped.
    corrections : tuple of float
        Share of the batches with 0, 1, 2, ... correction rounds.
    boundary : float
        Share of the corrections that are points on the outline.
    mask_loss : str or mapping of str to float
        ``"house"`` (normalised focal, soft IoU, boundary-weighted), ``"balanced"`` (the paper's), or the weights of
        a mixture of one's own (`napari_dextr.training.losses.MASK_LOSSES`).
    side_loss, score_loss : float
        Weights of the decoder's side outputs and of the score head.
    openings : mapping of str to float
        Share of each kind of opening prompt; empty takes `napari_dextr.training.sampling.OPENINGS`.
    composites : float
        Share of the samples whose object is pasted onto another sample's image.
    shares : mapping of str to float
        How much each group of crops is drawn.
    size_balance : float
        0 takes the crops of a group as they come, 1 every octave of object size equally often.
    usual_margin : float
        Share of the samples that are cut out with the margin of inference; the others get more or less.
    turning : tuple of str
        Groups turned by any angle.
    quarter_turns : float
        Share of the others that get one of the four quarter turns; the rest stay upright within 20 degrees.
    seed : int
    precision : str
        One of `PRECISIONS`. ``"float16"`` is for graphics cards without bfloat16.
    validate_every : int
        Steps between validations, which are also checkpoints.
    validate_most : int
        Crops of each group that a validation looks at, always the same ones; 0 for all.
    checkpoint_every : int
        Steps between further checkpoints; 0 for none.
    checkpoint_seconds : float
        A further checkpoint once so many seconds have passed since the last; 0 for none.
    patience : int
        Stop after so many validations in a row without a better mean IoU; 0 to go on to the end.
    least_gain : float
        What counts as better: the mean IoU must rise by at least this much.
    pictures : int
        Examples on the picture that each validation adds to the run folder; 0 for no pictures.
    """

    steps: int = 2000
    canvases: tuple[tuple[int, float], ...] = ((128, 1.0),)
    batch: int = 48
    optimizer: str = "adamw"
    learning_rate: float = 1.5e-3
    frozen: str = "nothing"
    frozen_statistics: bool = False
    anchor: float = 0.0
    blends: tuple[float, ...] = (1.0,)
    photometric: float = 1.0
    warm_up: float = 0.03
    decay: float = 0.97
    weight_decay: float = 0.02
    clip: float = 2.0
    average: float = 0.998
    corrections: tuple[float, ...] = (0.55, 0.3, 0.1, 0.05)
    boundary: float = 0.33
    mask_loss: str | Mapping[str, float] = "house"
    side_loss: float = 0.3
    score_loss: float = 0.1
    openings: Mapping[str, float] = field(default_factory=dict)
    composites: float = 0.0
    shares: Mapping[str, float] = field(default_factory=dict)
    size_balance: float = 0.0
    usual_margin: float = 0.4
    turning: tuple[str, ...] = ()
    quarter_turns: float = 0.75
    seed: int = 0
    precision: str = "float32"
    validate_every: int = 250
    validate_most: int = 160
    checkpoint_every: int = 0
    checkpoint_seconds: float = 300.0
    patience: int = 0
    least_gain: float = 0.0005
    pictures: int = 6

    def __post_init__(self) -> None:
        for name in _WHOLE:
            value: object = getattr(self, name)
            if not (isinstance(value, (int, float)) and math.isfinite(value) and value == int(value)):
                raise DataError(f"The setting {name} is a whole number; got {value!r}.")
            object.__setattr__(self, name, int(value))  # a TOML file may say 2e3
        if not 0 <= self.seed < 2**63:
            raise DataError(f"The setting seed is a whole number from 0 to 2**63 - 1; got {self.seed}.")
        for name in ("steps", "batch", "validate_every", "clip"):
            if getattr(self, name) <= 0:
                raise DataError(f"Training needs {name} above zero; got {getattr(self, name)}.")
        for name in ("validate_most", "checkpoint_every", "checkpoint_seconds", "patience", "least_gain", "pictures"):
            if getattr(self, name) < 0:
                raise DataError(f"The setting {name} cannot be negative; 0 turns it off.")
        if not 0 < self.learning_rate < 1:
            raise DataError(f"The learning rate {self.learning_rate} makes no sense; try 0.001.")
        if not 0 <= self.average < 1:
            raise DataError(f"The decay of the average, {self.average}, must be from 0 to below 1; try 0.998.")
        if min(self.warm_up, self.decay) < 0 or self.warm_up + self.decay > 1 + 1e-9:
            raise DataError("Warm-up and decay are shares of the steps, at most 1 together.")
        if not self.corrections or min(self.corrections) < 0 or not 0 < sum(self.corrections) < math.inf:
            raise DataError("The setting corrections holds the shares of batches with 0, 1, ... corrections.")
        if not self.canvases or any(side < 32 or side % 16 or share <= 0 for side, share in self.canvases):
            raise DataError("Canvas sides must be multiples of 16, at least 32, each with a share above zero.")
        if self.optimizer not in OPTIMIZERS:
            raise DataError(f"There is no optimiser '{self.optimizer}'; choose {' or '.join(OPTIMIZERS)}.")
        if self.frozen not in FROZEN:
            raise DataError(f"'{self.frozen}' cannot be frozen; choose one of: {', '.join(FROZEN)}.")
        if not 0 <= self.anchor * self.learning_rate < 1:
            raise DataError(f"The anchor {self.anchor} is too strong for the learning rate; try 10, or 0 for none.")
        if not self.blends or min(self.blends) <= 0 or max(self.blends) > 1:
            raise DataError("The setting blends holds shares of the new weights, each above 0 and at most 1.")
        for name in ("composites", "photometric", "size_balance", "usual_margin", "quarter_turns"):
            if not 0 <= getattr(self, name) <= 1:
                raise DataError(f"The setting {name} is a share, from 0 to 1.")
        if self.precision not in PRECISIONS:
            raise DataError(f"The precision '{self.precision}' is unknown; take one of {', '.join(PRECISIONS)}.")
        for name in ("openings", "shares"):
            values = getattr(self, name)
            if any(not share >= 0 for share in values.values()):
                raise DataError(f"The setting {name} holds shares, which are numbers of at least 0.")
        from .losses import mixture  # brings PyTorch

        mixture(self.mask_loss)

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

    def rate_at(self, step: int) -> float:
        """Learning rate of a step counted from 0: a linear rise, a plateau, a cosine fall to zero."""
        warm, fall = max(1, round(self.warm_up * self.steps)), max(1, round(self.decay * self.steps))
        rate = self.learning_rate * min(1.0, (step + 1) / warm)
        if (left := self.steps - step) < fall:
            rate *= 0.5 * (1 - math.cos(math.pi * left / fall))
        return rate

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
        try:
            for name in ("blends", "corrections", "turning"):
                if name in plain:
                    plain[name] = tuple(plain[name])
            if "canvases" in plain:
                plain["canvases"] = tuple((int(side), float(share)) for side, share in plain["canvases"])
            return cls(**plain)
        except (TypeError, ValueError, AttributeError) as error:
            if isinstance(error, DataError):
                raise
            raise DataError(f"A training setting has a value of the wrong kind ({error}); check them.") from None


def read_settings(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Settings from a TOML file: its table ``train``, or the whole file where it has none.

    Raises
    ------
    DataError
        If there is no such file, or it is not TOML. `TrainConfig.from_mapping` judges the settings themselves.
    """
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    source = Path(path)
    try:
        tables = tomllib.loads(source.read_text(encoding="utf-8"))
    except OSError as error:
        raise DataError(f"The settings file '{source}' cannot be read ({error.strerror or error}).") from None
    except ValueError as error:
        raise DataError(f"The settings file '{source}' is not valid TOML ({error}).") from None
    found = tables.get("train", tables)
    if not isinstance(found, dict):
        raise DataError(f"In the settings file '{source}', train must be a table: write [train] on a line of its own.")
    return dict(found)
