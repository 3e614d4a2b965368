"""The optimiser, the running average of the weights, and the best weights so far."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ..models.triton import without_triton
from .config import TrainConfig
from .muon import Muon

Weights = dict[str, Tensor]


def make_optimizer(network: nn.Module, config: TrainConfig) -> torch.optim.Optimizer:
    """What the settings name, over what learns; normalisations and biases are not decayed."""
    with without_triton():
        if config.optimizer == "muon":
            return Muon(network, config.learning_rate, config.weight_decay)
        learning = [p for p in network.parameters() if p.requires_grad]
        decayed = [p for p in learning if p.ndim > 1]
        plain = [p for p in learning if p.ndim <= 1]
        groups = [{"params": decayed, "weight_decay": config.weight_decay}, {"params": plain, "weight_decay": 0.0}]
        return torch.optim.AdamW(groups, lr=config.learning_rate, betas=(0.9, 0.99))


class Anchor:
    """Where the weights started, and the pull back to it (`TrainConfig.anchor`).

    Parameters
    ----------
    network : torch.nn.Module
        As it is before the first step of the run.
    strength : float
        0 keeps nothing in memory and does nothing.
    """

    def __init__(self, network: nn.Module, strength: float) -> None:
        self._strength = strength
        learning = [p for p in network.parameters() if p.requires_grad] if strength else []
        self._pairs = [(p, p.detach().clone()) for p in learning]

    @torch.no_grad()
    def pull(self, rate: float) -> None:
        """Move the weights towards the start, as far as a step at this learning rate does; in place."""
        for weight, start in self._pairs:
            weight.lerp_(start.to(weight.device), rate * self._strength)


@torch.no_grad()
def follow(averaged: nn.Module, network: nn.Module, decay: float, step: int) -> None:
    """Move an average of weights and statistics towards the network, in place."""
    # a fresh average would drag random weights along: it follows closely at first
    decay = min(decay, (1 + step) / (10 + step))
    source = network.state_dict()
    for name, value in averaged.state_dict().items():
        if value.dtype.is_floating_point:
            value.lerp_(source[name], 1 - decay)
        else:
            value.copy_(source[name])


@dataclass
class Best:
    """The best weights that a validation has seen.

    Attributes
    ----------
    iou : float or None
        Their mean IoU over the groups; None before the first validation.
    step : int
        Steps that had been done.
    waited : int
        Validations since, none of them better.
    report : mapping of str to float
        Mean IoU of each group.
    weights : dict of str to Tensor, or None
        On the CPU.
    """

    iou: float | None = None
    step: int = 0
    waited: int = 0
    report: Mapping[str, float] | None = None
    weights: Weights | None = None

    def judge(self, report: Mapping[str, float], step: int, network: nn.Module, least_gain: float) -> bool:
        """Take a validation into account; True where it is the best so far, whose weights are then kept.

        Smaller gains than ``least_gain`` are kept as well, but they do not count as progress: the wait goes on.
        """
        iou = sum(report.values()) / len(report)
        self.waited = 0 if self.iou is None or iou >= self.iou + least_gain else self.waited + 1
        if self.iou is not None and iou <= self.iou:
            return False
        self.iou, self.step, self.report = iou, step, dict(report)
        self.weights = {name: value.detach().cpu().clone() for name, value in network.state_dict().items()}
        return True

    def state(self) -> dict[str, Any]:
        """Plain values and tensors for a checkpoint."""
        return {
            "iou": self.iou, "step": self.step, "waited": self.waited, "report": self.report, "averaged": self.weights,
        }  # fmt: skip

    @classmethod
    def of(cls, state: Mapping[str, Any]) -> Best:
        """What `state` wrote."""
        return cls(state["iou"], state["step"], state["waited"], state["report"], state["averaged"])
