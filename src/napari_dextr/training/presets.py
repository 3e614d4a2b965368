"""Settings of a fine-tuning under a name, for people who do not want to know what a learning rate is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from ..errors import DataError

DEFAULT = "quick"


@dataclass(frozen=True)
class Preset:
    """A named set of settings.

    Attributes
    ----------
    name, title : str
        What a command and a menu call it.
    explanation : str
        A sentence or two for the person who chooses.
    settings : mapping
        Settings of `napari_dextr.training.config.TrainConfig`.
    coarse : float
        Share of the steps, the first ones, on a canvas of 0.7 times the model's own: they take half of the time.
    coarse_thin : float
        The same where the objects are thin (`napari_dextr.training.finetune_data.are_thin`): a coarse canvas shows
        a crack as two or three pixels.
    folds : int
        How many times few objects are dealt out to judges and learners (`napari_dextr.training.finetune.FineTunePlan`).
    """

    name: str
    title: str
    explanation: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    coarse: float = 0.75
    coarse_thin: float = 0.0
    folds: int = 3


_COMMON: Mapping[str, Any] = {
    "warm_up": 0.1, "decay": 0.6, "weight_decay": 0.0, "frozen_statistics": True, "optimizer": "muon",
    "corrections": (0.7, 0.2, 0.1), "photometric": 0.5, "pictures": 4,
}  # fmt: skip

_ALL = (
    Preset(
        "quick",
        "Quick (one to three minutes)",
        "A few dozen steps: fits the model to the look of your images and the way you draw outlines; it may forget "
        "some of what it could do on quite different ones.",
        MappingProxyType(
            {
                **_COMMON,
                "steps": 48,
                "batch": 4,
                "learning_rate": 4e-3,
                "average": 0.9,
                "validate_every": 16,
                "anchor": 0.75,
                "blends": (0.5, 1.0),
            }
        ),
        folds=2,
    ),
    Preset(
        "thorough",
        "Thorough (ten minutes and more)",
        "Several times as much training, held close to the old model: what that could do on other images is kept "
        "(0.005 of its IoU at most was lost), at the price of a third of the gain.",
        MappingProxyType(
            {
                **_COMMON,
                "steps": 120,
                "batch": 8,
                "learning_rate": 2e-3,
                "average": 0.97,
                "validate_every": 30,
                "anchor": 22.0,
                "blends": (0.5,),
            }
        ),
        folds=4,
    ),
)

PRESETS: Mapping[str, Preset] = MappingProxyType({preset.name: preset for preset in _ALL})
"""Presets by name."""


def find_preset(name: str) -> Preset:
    """The preset of a name.

    Raises
    ------
    DataError
        Naming those there are.
    """
    if name not in PRESETS:
        raise DataError(f"There is no preset '{name}'; choose {' or '.join(PRESETS)}.")
    return PRESETS[name]
