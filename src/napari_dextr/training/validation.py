"""Validation during training: exact extreme points on stored crops, upright and unchanged."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from ..frame import Frame
from ..simulation import box_of, extreme_points, outline
from .augment import Photometric
from .crops import OBJECT, CropStore
from .losses import batch_iou, on_canvas
from .sampling import Marks, assemble

_UNCHANGED = Photometric(light=0, inversion=0, grey=0, shuffle=0, blur=0, noise=0, gradient=0)
_NONE = np.zeros((0, 2))


def validation_ious(network: nn.Module, store: CropStore, size: int, batch: int = 32) -> dict[str, list[float]]:
    """IoU of every crop of a store with four exact extreme points, by group.

    Parameters
    ----------
    network : torch.nn.Module
        In evaluation mode; takes ``(B, 11, S, S)``.
    store : CropStore
    size : int
        Canvas side S, pixels.
    batch : int
        Crops at a time.
    """
    found: dict[str, list[float]] = {}
    for start in range(0, len(store), batch):
        indices = list(range(start, min(start + batch, len(store))))
        frames, marks = [], []
        for index in indices:
            flags = np.asarray(store.masks[index])
            points = extreme_points(outline((flags & OBJECT) > 0))
            frame = Frame.around(box_of(points), size, (flags.shape[0], flags.shape[1]), margin=0.2, least=2.0)
            placed = frame.to_canvas(points)
            frames.append(frame)
            marks.append(Marks(placed, _NONE, _NONE, box_of(placed)))
        sample = assemble(store, indices, frames, marks, _UNCHANGED, torch.Generator())
        with torch.inference_mode():
            logits = network(sample.inputs())[0]
        ious = batch_iou(on_canvas(logits, size), sample.target, sample.weight).tolist()
        for index, iou in zip(indices, ious, strict=True):
            found.setdefault(store.names[int(store.groups[index])], []).append(iou)
    return found
