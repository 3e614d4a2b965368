"""One step of learning: corrections, loss, gradient, average. Knows no folder, no clock on the wall, no validation."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..errors import DataError
from ..models.heads import PromptNet, TrainingOutput
from . import losses
from .batch import Batch
from .config import TrainConfig
from .corrections import add_corrections
from .distribution import World
from .optimisation import Anchor, follow, make_optimizer
from .parts import freeze, keep_statistics

_FIXED = ("optimizer", "frozen")  # settings that decide what a checkpoint holds


@dataclass(frozen=True)
class Lesson:
    """What one step gave, averaged over all processes.

    Attributes
    ----------
    loss, iou : float
    asked : bool
        Whether any process had been asked to stop.
    network_seconds : float
        Time spent in the network, its gradient and the optimiser.
    """

    loss: float
    iou: float
    asked: bool
    network_seconds: float


class Learner:
    """A network, its average and its optimiser.

    Parameters
    ----------
    network : PromptNet
        Moved to the device and changed in place.
    config : TrainConfig
    device : torch.device
    world : World

    Raises
    ------
    DataError
        If the settings do not suit the network or the device.
    """

    def __init__(self, network: PromptNet, config: TrainConfig, device: torch.device, world: World) -> None:
        if config.precision == "float16" and device.type != "cuda":
            raise DataError("Training in float16 needs a CUDA graphics card; take bfloat16 or float32.")
        for side, _ in config.canvases:
            network.check_canvas(side)
        self.config = config
        self.device = device
        self.world = world
        self.network: PromptNet = network.to(device).to(memory_format=torch.channels_last)
        self.averaged: PromptNet = copy.deepcopy(network).eval().requires_grad_(False)
        freeze(network, config.frozen)
        self.optimizer = make_optimizer(network, config)
        self._anchor = Anchor(network, config.anchor)
        self.scaler = torch.amp.GradScaler(device.type, enabled=config.precision == "float16")
        self._mixture = losses.mixture(config.mask_loss)
        self._forward: nn.Module | None = None

    def learn(self, batch: Batch, step: int, asked: bool = False) -> Lesson:
        """Do the step number ``step``, counted from 0.

        Raises
        ------
        DataError
            If loss or gradient are no finite numbers; network and average are as before the step, then.
        """
        config, world = self.config, self.world
        # every process corrects as often as the others, at places of its own
        rounds = _rounds(config, np.random.default_rng((config.seed, step, 1)))
        rng = np.random.default_rng(world.seed(config.seed, step, 2))
        torch.manual_seed(int(rng.integers(2**31)))  # for networks that draw lots themselves, as dropout does
        seconds = 0.0
        for _ in range(rounds):
            inputs = batch.inputs()
            before = self._clock()
            logits = self._predict(inputs)
            seconds += self._clock() - before
            add_corrections(batch, logits, rng, config.boundary)
        inputs = batch.inputs()
        before = self._clock()
        loss, iou, stop = self._descend(batch, inputs, step, asked)
        follow(self.averaged, self.network, config.average, step + 1)
        return Lesson(loss, iou, stop, seconds + self._clock() - before)

    def to(self, device: torch.device) -> None:
        """Move everything to another device, in place; the processor knows no float16 and computes in float32."""
        self.device = device
        self.network.to(device)
        self.averaged.to(device)
        for values in self.optimizer.state.values():
            for name, value in values.items():
                if isinstance(value, Tensor) and value.ndim:
                    values[name] = value.to(device)
        self.scaler = torch.amp.GradScaler(device.type, enabled=self._precision() == "float16")

    def _precision(self) -> str:
        precision = self.config.precision
        return "float32" if precision == "float16" and self.device.type != "cuda" else precision

    def autocast(self) -> torch.autocast:
        """The arithmetic of the network's passes."""
        precision = self._precision()
        dtype = torch.float16 if precision == "float16" else torch.bfloat16
        return torch.autocast(self.device.type, dtype, enabled=precision != "float32")

    def state(self) -> dict[str, Any]:
        """Everything that the next step depends on."""
        return {
            "network": self.network.state_dict(),
            "averaged": self.averaged.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "scaler": self.scaler.state_dict(),
            "fixed": {name: getattr(self.config, name) for name in _FIXED},
        }

    def differs(self, state: Mapping[str, Any]) -> str:
        """Settings of what `state` wrote, in words, that are others now and cannot be; else empty."""
        known = state.get("fixed")
        fixed = known if isinstance(known, dict) else {}
        other = [
            f"{name} '{fixed[name]}'" for name in _FIXED if fixed.get(name) not in (None, getattr(self.config, name))
        ]
        return " and ".join(other)

    def start_over(self) -> None:
        """Forget a step that memory was not enough for, before it is done again."""
        self.optimizer.zero_grad(set_to_none=True)
        scale = self.scaler.state_dict()
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=self.scaler.is_enabled())
        if scale:  # a scaler refuses to unscale the gradients of one step twice
            self.scaler.load_state_dict(scale)

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go back to what `state` wrote; raises whatever PyTorch does where it does not fit."""
        self.network.load_state_dict(state["network"])
        self.averaged.load_state_dict(state["averaged"])
        decays = [group["weight_decay"] for group in self.optimizer.param_groups]
        self.optimizer.load_state_dict(state["optimizer"])
        for group, decay in zip(self.optimizer.param_groups, decays, strict=True):
            group["weight_decay"] = decay  # as the settings say now, like the learning rate
        if self.scaler.is_enabled() and state.get("scaler"):
            self.scaler.load_state_dict(state["scaler"])

    def _descend(self, batch: Batch, inputs: Tensor, step: int, asked: bool) -> tuple[float, float, bool]:
        if self._forward is None:
            self._forward = self.world.wrap(_TrainingPass(self.network), self.device)
        self.network.train()
        if self.config.frozen_statistics:
            keep_statistics(self.network)
        with self.autocast():
            output: TrainingOutput = self._forward(inputs)
        per_sample, ious = self._loss(output, batch)
        loss = per_sample.mean()
        value, iou, stop = self.world.mean([float(loss.detach()), float(ious.mean()), float(asked)])
        if not math.isfinite(value):
            raise self._diverged(f"The loss became {value}", step)
        rate = self.config.rate_at(step)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(self.scaler.scale(loss))
        self.scaler.unscale_(self.optimizer)
        norm = nn.utils.clip_grad_norm_(self.network.parameters(), self.config.clip)
        # a scaler leaves such a step out and lowers its scale; without one it would ruin the weights
        if not self.scaler.is_enabled() and not math.isfinite(float(norm)):
            raise self._diverged("The gradient became infinite", step)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self._anchor.pull(rate)
        self.world.average_statistics(self.network)
        return value, iou, stop > 0

    def _loss(self, output: TrainingOutput, batch: Batch) -> tuple[Tensor, Tensor]:
        logits = losses.on_canvas(output.logits, batch.target.shape[-1])
        iou = losses.batch_iou(logits, batch.target, batch.weight)
        total = losses.mask_loss(self._mixture, logits, batch.target, batch.weight)
        for side in output.side_logits:
            part = losses.side_loss(side, batch.target, batch.weight)
            total = total + self.config.side_loss / len(output.side_logits) * part
        return total + self.config.score_loss * losses.score_error(output.score.float(), iou), iou

    def _predict(self, inputs: Tensor) -> Tensor:
        self.network.eval()
        with torch.inference_mode(), self.autocast():
            output: tuple[Tensor, Tensor] = self.network(inputs)
        return output[0].float()

    def _clock(self) -> float:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        elif self.device.type == "mps":
            torch.mps.synchronize()
        return time.perf_counter()

    def _diverged(self, what: str, step: int) -> DataError:
        return DataError(
            f"{what} at step {step + 1}; give a lower learning rate than {self.config.learning_rate:g} and start the "
            "run again: it goes on from its last checkpoint, which is from before that."
        )


class _TrainingPass(nn.Module):
    """The training pass as `forward`, which is the one that DistributedDataParallel watches."""

    def __init__(self, network: PromptNet) -> None:
        super().__init__()
        self.network = network

    def forward(self, inputs: Tensor) -> TrainingOutput:
        return self.network.forward_training(inputs)


def _rounds(config: TrainConfig, rng: np.random.Generator) -> int:
    share = np.asarray(config.corrections, float)
    return int(rng.choice(len(share), p=share / share.sum()))
