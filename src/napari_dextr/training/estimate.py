"""How long a fine-tuning will take, told before it is started: a pass of the network is timed, the rest is counted."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from .finetune_plan import SCRATCH, FineTunePlan

if TYPE_CHECKING:
    from ..models.spec import ModelSpec

_SAMPLE = 5.0  # passes that a sample costs: its corrections, its gradient, and its share of the optimiser's work
_LOOKS = 5  # passes that judging an object takes in each round, validations on the way included
_SECOND_LOOK = 3.0  # seconds: a pass that is quicker is timed again, for the first one also sets the network up

_known: dict[tuple[str, str], tuple[ModelSpec, float]] = {}  # a pass of a model on a device


def estimate_seconds(plan: FineTunePlan, objects: int) -> float | None:
    """Time that a plan will take on a number of objects, seconds; within a factor of two on a machine that is idle.

    None where nothing can be said beforehand: for a model that has to be downloaded first, or a start from scratch.

    Raises
    ------
    ModelError, DataError
        If the model, the device or the settings cannot be used.
    """
    if plan.initial == SCRATCH:
        return None
    known = seconds_of_pass(plan.initial, plan.device)
    if known is None:
        return None
    from ..models.runtime import choose_device

    spec, seconds = known
    config = plan.config(spec, choose_device(plan.device))
    canvas = sum(side**2 * share for side, share in config.canvases) / sum(share for _, share in config.canvases)
    samples = plan.steps_in_all(objects) * config.batch
    judged = objects * _LOOKS * (1 + plan.parts(objects))
    return seconds * canvas / spec.canvas**2 * (_SAMPLE * samples + judged)


def seconds_of_pass(initial: str, device: str) -> tuple[ModelSpec, float] | None:
    """How a model is run, and the time that one object takes in it, seconds; measured once for each model and device.

    None for a model that would have to be downloaded first.

    Raises
    ------
    ModelError
        If the model cannot be used, or the device is not there.
    """
    key = (initial, device)
    if key not in _known:
        if _is_far(initial):
            return None
        import torch

        from ..guidance import CHANNELS
        from ..models import open_network
        from ..models.runtime import choose_device

        place = choose_device(device)
        spec, network = open_network(initial)
        network = network.to(place).eval()
        channels = 3 + (CHANNELS if spec.pipeline == "house" else 1)  # published models see one map of the clicks
        inputs = torch.zeros(1, channels, spec.canvas, spec.canvas, device=place)
        seconds = float("inf")
        with torch.inference_mode():
            for _ in range(3):
                started = time.perf_counter()
                network(inputs)[0].float().cpu()  # waits for a graphics card, too
                seconds = min(seconds, time.perf_counter() - started)
                if seconds > _SECOND_LOOK:
                    break
        _known[key] = spec, seconds
    return _known[key]


def _is_far(initial: str) -> bool:
    from ..models.download import cached_file
    from ..models.registry import entries

    entry = next((entry for entry in entries() if entry.name == initial), None)
    return entry is not None and bool(entry.url) and not cached_file(entry).is_file()
