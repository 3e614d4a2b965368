"""Between the old model and the new: a mean of their weights often serves both old and new objects better.

Wortsman et al., "Robust fine-tuning of zero-shot models", CVPR 2022 (WiSE-FT).
"""

from __future__ import annotations

from .optimisation import Weights


def blended(base: Weights, tuned: Weights, alpha: float) -> Weights:
    """Weights at a share ``alpha`` of the way from the base to the tuned ones, on the CPU.

    Counters, and whatever else is no floating-point number, are those of the tuned ones.
    """
    return {
        name: base[name].cpu().lerp(value.cpu(), alpha) if value.dtype.is_floating_point else value.cpu()
        for name, value in tuned.items()
    }
