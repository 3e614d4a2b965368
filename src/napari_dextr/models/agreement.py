"""How far lower precision changes the masks of a model: the evidence behind `ModelSpec.reduced_precision`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..metrics import iou
from ..prompt import Prompt

if TYPE_CHECKING:
    from ..segmenter import Segmenter

ENOUGH = 0.995
"""Mean mask IoU at which lower precision counts as the same model."""


@dataclass(frozen=True)
class Agreement:
    """IoU between the masks of two ways to run one model, in 0..1."""

    mean: float
    minimum: float
    count: int

    @property
    def enough(self) -> bool:
        """Whether lower precision may be used without asking."""
        return self.count > 0 and self.mean >= ENOUGH


def precision_agreement(full: Segmenter, reduced: Segmenter, samples: Iterable[tuple[Any, Prompt]]) -> Agreement:
    """Compare the masks of a model in full and in reduced precision.

    Judge it on trained weights only: random ones amplify every rounding.

    Parameters
    ----------
    full, reduced : Segmenter
        The same weights, loaded with ``precision="full"`` and ``precision="reduced"``.
    samples : iterable of (image, Prompt)
        Real objects.

    Raises
    ------
    ValueError
        If there are no samples.
    """
    agreements = [
        iou(full.segment(image, prompt).full_mask(), reduced.segment(image, prompt).full_mask())
        for image, prompt in samples
    ]
    if not agreements:
        raise ValueError("precision_agreement needs at least one sample")
    return Agreement(sum(agreements) / len(agreements), min(agreements), len(agreements))
