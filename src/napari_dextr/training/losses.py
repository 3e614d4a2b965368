"""Losses on logits of a whole canvas, all per sample: ``(B, 1, S, S)`` logits and targets to ``(B,)``.

``weight`` is 0 where a pixel has no true label, else 1. The losses of masks have names, and a mixture of them is a
mapping of name to weight.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import torch
import torch.nn.functional as F
from torch import Tensor

from ..errors import DataError

_EPSILON = 1e-6
_STEEPEST = 1e3  # largest factor that the normalised focal loss gives to what is left to learn


def normalised_focal(logits: Tensor, target: Tensor, weight: Tensor, gamma: float = 2.0) -> Tensor:
    """Focal loss rescaled so that its total weight stays that of cross entropy.

    Source: Sofiiuk et al., AdaptIS, ICCV 2019, section 3.3.
    """
    error = _cross_entropy(logits, target)
    focus = (torch.sigmoid(logits) - target).abs() ** gamma * weight
    total = weight.sum((1, 2, 3))
    scale = total / focus.detach().sum((1, 2, 3)).clamp_min(_EPSILON)
    # late in training the scale grows without bound on solved samples; a cap keeps their noise out
    return (focus * error).sum((1, 2, 3)) * scale.clamp_max(_STEEPEST) / total.clamp_min(1)


def soft_iou(logits: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """One minus the intersection over union of probabilities."""
    probability = torch.sigmoid(logits) * weight
    target = target * weight
    overlap = (probability * target).sum((1, 2, 3))
    union = (probability + target - probability * target).sum((1, 2, 3))
    return 1 - (overlap + 1) / (union + 1)


def boundary_weighted(logits: Tensor, target: Tensor, weight: Tensor, reach: int = 5, gain: float = 4.0) -> Tensor:
    """Cross entropy with pixels near the true outline counted up to ``1 + gain`` times."""
    local = F.avg_pool2d(target, reach, stride=1, padding=reach // 2, count_include_pad=False)
    near = 1 + gain * 2 * torch.minimum(local, 1 - local)
    near = near * weight
    return (_cross_entropy(logits, target) * near).sum((1, 2, 3)) / near.sum((1, 2, 3)).clamp_min(1)


def class_balanced(logits: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """The paper's loss (DEXTR, section 3.3): object and background count alike, balanced over the batch."""
    total = weight.sum().clamp_min(1)
    positives = (target * weight).sum() / total
    balance = target * (1 - positives) + (1 - target) * positives
    return (_cross_entropy(logits, target) * balance * weight).sum((1, 2, 3)) / weight.sum((1, 2, 3)).clamp_min(1)


MASK_LOSSES: Mapping[str, Callable[[Tensor, Tensor, Tensor], Tensor]] = {
    "focal": normalised_focal,
    "iou": soft_iou,
    "boundary": boundary_weighted,
    "balanced": class_balanced,
}
"""Losses of masks by their names in a run's settings."""

PRESETS: Mapping[str, Mapping[str, float]] = {
    "house": {"focal": 1.0, "iou": 1.0, "boundary": 0.5},
    "balanced": {"balanced": 1.0},
}
"""Mixtures by name: ours, and the paper's loss alone."""

_SIDE: Mapping[str, float] = {"iou": 1.0, "boundary": 1.0}


def mixture(chosen: str | Mapping[str, float]) -> dict[str, float]:
    """The weights of a mixture: a name of `PRESETS`, or names of `MASK_LOSSES` with weights of one's own.

    Raises
    ------
    DataError
        If a name is unknown, a weight is negative or no number, or nothing has a weight.
    """
    if isinstance(chosen, str):
        if chosen not in PRESETS:
            raise DataError(
                f"There is no mask loss '{chosen}'; take {' or '.join(PRESETS)}, or weights for any of "
                f"{', '.join(MASK_LOSSES)}."
            )
        return dict(PRESETS[chosen])
    unknown = sorted(set(chosen) - set(MASK_LOSSES))
    if unknown:
        raise DataError(f"There is no mask loss '{unknown[0]}'; known are {', '.join(MASK_LOSSES)}.")
    weights = {name: float(weight) for name, weight in chosen.items()}
    if not all(0 <= weight < math.inf for weight in weights.values()) or not any(weights.values()):
        raise DataError(f"The weights of mask losses must be finite, none negative and one above zero; got {weights}.")
    return weights


def mask_loss(weights: Mapping[str, float], logits: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """Weighted sum of losses of masks (`mixture`), ``(B,)``."""
    parts = [share * MASK_LOSSES[name](logits, target, weight) for name, share in weights.items() if share]
    return torch.stack(parts).sum(dim=0)


def side_loss(side_logits: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """Loss of one of the decoder's side outputs, at its own stride, ``(B,)``.

    Parameters
    ----------
    side_logits : (B, 1, s, s) tensor
    target, weight : (B, 1, S, S) tensors
        Of the whole canvas, S a multiple of s.
    """
    stride = target.shape[-1] // side_logits.shape[-1]
    return mask_loss(_SIDE, side_logits.float(), F.avg_pool2d(target, stride), F.avg_pool2d(weight, stride))


def score_error(score: Tensor, iou: Tensor) -> Tensor:
    """Cross entropy between the score's logit and the IoU that the mask really has, each ``(B,)``."""
    return F.binary_cross_entropy_with_logits(score, iou, reduction="none")


def batch_iou(logits: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """IoU of the masks at probability 0.5: ``(B,)``, without gradient."""
    with torch.no_grad():
        mask = (logits > 0) & (weight > 0)
        truth = (target > 0.5) & (weight > 0)
        union = (mask | truth).sum((1, 2, 3))
        overlap = (mask & truth).sum((1, 2, 3))
        return torch.where(union > 0, overlap / union.clamp_min(1), torch.ones_like(union, dtype=torch.float32))


def on_canvas(logits: Tensor, size: int) -> Tensor:
    """Logits of any stride at the canvas' own resolution ``(B, 1, size, size)``, float32."""
    return F.interpolate(logits.float(), size=(size, size), mode="bilinear", align_corners=False)


def _cross_entropy(logits: Tensor, target: Tensor) -> Tensor:
    return F.binary_cross_entropy_with_logits(logits, target, reduction="none")
