"""Correction rounds: the network's own mistakes become the next marks (Sofiiuk et al., RITM 2021)."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ..simulation import Simulator
from .batch import Batch

_MASK_DROPPED = 0.15  # share of corrected samples that do not see the earlier mask
_MASK_HARDENED = 0.2  # share that sees it thresholded, as an imported mask is


def add_corrections(batch: Batch, logits: Tensor, rng: np.random.Generator, boundary: float) -> None:
    """Give every sample of a batch the mark a person would add, and the mask it corrects; in place.

    Parameters
    ----------
    batch : Batch
    logits : (B, 1, s, s) tensor
        What the network answered, at any stride.
    boundary : float
        Share of the corrections that are points on the outline.
    """
    simulator = Simulator(rng)
    size = batch.images.shape[-1]
    probability = torch.sigmoid(logits.float())
    # errors are searched at the logits' resolution: as good for a click, and several times quicker
    scale = size / probability.shape[-1]
    truth = F.avg_pool2d(batch.target, round(scale)) > 0.5
    unknown = F.avg_pool2d(batch.weight, round(scale)) <= 0.5
    searched = torch.cat([truth, probability > 0.5, unknown], dim=1).cpu().numpy()
    for marks, arrays in zip(batch.marks, searched, strict=True):
        if not arrays[0].any():
            continue
        found = simulator.correction(*arrays, exact=False, boundary=boundary)
        if found is not None:
            kind, point = found
            marks.add(kind, (point + 0.5) * scale - 0.5)
    earlier = F.interpolate(probability, size=(size, size), mode="bilinear", align_corners=False)[:, 0]
    fate = rng.random(len(batch.marks))
    for index in range(len(batch.marks)):
        if fate[index] < _MASK_DROPPED:
            batch.previous[index] = 0
        elif fate[index] < _MASK_DROPPED + _MASK_HARDENED:
            batch.previous[index] = (earlier[index] > 0.5).float()
        else:
            batch.previous[index] = earlier[index]
