"""Losses on logits of a whole canvas, all per sample: ``(B, 1, S, S)`` logits and targets to ``(B,)``.

``weight`` is 0 where a pixel has no true label, else 1.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

_EPSILON = 1e-6


def normalised_focal(logits: Tensor, target: Tensor, weight: Tensor, gamma: float = 2.0) -> Tensor:
    """Focal loss rescaled so that its total weight stays that of cross entropy.

    Source: Sofiiuk et al., AdaptIS, ICCV 2019, section 3.3.
    """
    error = _cross_entropy(logits, target)
    focus = (torch.sigmoid(logits) - target).abs() ** gamma * weight
    total = weight.sum((1, 2, 3))
    scale = total / focus.detach().sum((1, 2, 3)).clamp_min(_EPSILON)
    # late in training the scale grows without bound on solved samples; a cap keeps their noise out
    return (focus * error).sum((1, 2, 3)) * scale.clamp_max(1e3) / total.clamp_min(1)


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
