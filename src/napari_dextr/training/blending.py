"""Between models of one origin: a mean of their weights often serves the objects of all better than each does.

Wortsman et al., "Robust fine-tuning of zero-shot models", CVPR 2022 (WiSE-FT), for the old model and the new; Ilharco
et al., "Editing models with task arithmetic", ICLR 2023, for several that learned different things.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch

from .optimisation import Weights


def blended(base: Weights, tuned: Weights, alpha: float) -> Weights:
    """Weights at a share ``alpha`` of the way from the base to the tuned ones, on the CPU.

    Counters, and whatever else is no floating-point number, are those of the tuned ones.
    """
    return {
        name: base[name].cpu().lerp(value.cpu(), alpha) if value.dtype.is_floating_point else value.cpu()
        for name, value in tuned.items()
    }


def deepened(base: Weights, deeper: Weights) -> Weights:
    """The base's weights in a network with further residual blocks, which answers as the base does.

    These blocks have the deeper network's weights but for their last normalisation, which is silent: on the way from
    here to the deeper network they become louder.
    """
    silent = (".norm2.weight", ".norm2.bias")
    return {
        name: base[name] if name in base else torch.zeros_like(value) if name.endswith(silent) else value
        for name, value in deeper.items()
    }


def merged(base: Weights, specialists: Iterable[tuple[float, Weights]]) -> Weights:
    """The base's weights, moved by a share of the way to each of several models that were trained from it.

    Counters, and whatever else is no floating-point number, are the base's.
    """
    found = {name: value.cpu().clone() for name, value in base.items()}
    for share, weights in specialists:
        for name, value in found.items():
            if value.dtype.is_floating_point:
                value += share * (weights[name].cpu() - base[name].cpu())
    return found
