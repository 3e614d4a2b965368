"""The training loop: a generator of updates that the command line, the widget and the tests all drive."""

from __future__ import annotations

import copy
import math
import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..errors import DataError, ModelError
from ..files import atomic_write, make_folder
from ..models.compact import CompactNet, TrainingOutput
from . import losses
from .config import TrainConfig
from .corrections import add_corrections
from .crops import CropStore
from .sampling import Batch, Sampler
from .validation import validation_ious

CHECKPOINT = "last.pt"


@dataclass(frozen=True)
class Update:
    """One step's report.

    Attributes
    ----------
    step, steps : int
        Steps done and in all.
    loss, learning_rate : float
    train_iou : float
        Mean IoU of the batch at its last round.
    validation : mapping of str to float, or None
        Mean IoU of each validation group for the averaged weights, only where this step validated.
    samples_per_second : float
    outside_network : float
        Share of the time spent outside the network, 0..1.
    seconds_left : float
    """

    step: int
    steps: int
    loss: float
    learning_rate: float
    train_iou: float
    validation: Mapping[str, float] | None
    samples_per_second: float
    outside_network: float
    seconds_left: float


class Trainer:
    """Trains a `CompactNet` on a crop store; resumes from the run folder where it stopped.

    Parameters
    ----------
    network : CompactNet
        Changed in place.
    sampler : Sampler
    config : TrainConfig
    run : path
        Folder for the checkpoint ``last.pt``; created where missing.
    validation : CropStore, optional
        Validated with exact extreme points on the last canvas.
    """

    def __init__(
        self,
        network: CompactNet,
        sampler: Sampler,
        config: TrainConfig,
        run: str | os.PathLike[str],
        validation: CropStore | None = None,
    ) -> None:
        torch.manual_seed(config.seed)
        self.network = network.to(memory_format=torch.channels_last)
        self.sampler = sampler
        self.config = config
        self.run = make_folder(run)
        self.validation = validation
        self.averaged = copy.deepcopy(network).eval()
        self.optimizer = torch.optim.AdamW(
            _parameter_groups(network, config), lr=config.learning_rate, betas=(0.9, 0.99)
        )
        self.step = 0
        if (self.run / CHECKPOINT).exists():
            self._resume()

    def train(self) -> Iterator[Update]:
        """Run from the current step to the end, yielding an `Update` a step.

        The batch of a step depends on the seed and the step alone, so a run that was stopped and resumed gives
        the curve of an uninterrupted one.
        """
        config = self.config
        with atomic_write(self.run / "config.json") as part:
            part.write_text(config.to_json(), encoding="utf-8")
        while self.step < config.steps:
            started = time.perf_counter()
            size, count = config.canvas_at(self.step), config.batch_at(self.step)
            rng = np.random.default_rng((config.seed, self.step, 1))
            batch = self.sampler.draw(count, size, (config.seed, self.step, 0))
            inside = 0.0
            for _ in range(_rounds(config, rng)):
                inputs = batch.inputs()
                before = time.perf_counter()
                logits = self._predict(self.network, inputs)
                inside += time.perf_counter() - before
                add_corrections(batch, logits, rng, config.boundary)
            inputs = batch.inputs()
            before = time.perf_counter()
            rate = _set_rate(self.optimizer, config, self.step)
            loss, iou = self._descend(batch, inputs)
            inside += time.perf_counter() - before
            self.step += 1
            self._average()
            report = None
            if self.step % config.validate_every == 0 or self.step == config.steps:
                self.save()
                report = self.validate()
            spent = time.perf_counter() - started
            yield Update(
                self.step, config.steps, loss, rate, iou, report,
                count / spent, 1 - inside / spent, (config.steps - self.step) * spent,
            )  # fmt: skip

    def _descend(self, batch: Batch, inputs: Tensor) -> tuple[float, float]:
        self.network.train()
        with self._autocast():
            output = self.network.forward_training(inputs)
        per_sample, iou = self._loss(output, batch)
        loss = per_sample.mean()
        if not bool(torch.isfinite(loss)):
            raise DataError(
                f"The loss became {loss.item()} at step {self.step}; lower the learning rate and resume from the last "
                "checkpoint."
            )
        self.optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        nn.utils.clip_grad_norm_(self.network.parameters(), self.config.clip)
        self.optimizer.step()
        return float(loss.detach()), float(iou.mean())

    def _loss(self, output: TrainingOutput, batch: Batch) -> tuple[Tensor, Tensor]:
        size = batch.target.shape[-1]
        logits = losses.on_canvas(output.logits, size)
        iou = losses.batch_iou(logits, batch.target, batch.weight)
        if self.config.mask_loss == "balanced":
            total = losses.class_balanced(logits, batch.target, batch.weight)
        else:
            total = losses.normalised_focal(logits, batch.target, batch.weight)
            total = total + losses.soft_iou(logits, batch.target, batch.weight)
            total = total + 0.5 * losses.boundary_weighted(logits, batch.target, batch.weight)
        for side in output.side_logits:
            stride = size // side.shape[-1]
            target, weight = F.avg_pool2d(batch.target, stride), F.avg_pool2d(batch.weight, stride)
            rough = side.float()
            side_loss = losses.soft_iou(rough, target, weight) + losses.boundary_weighted(rough, target, weight)
            total = total + self.config.side_loss / len(output.side_logits) * side_loss
        total = total + self.config.score_loss * losses.score_error(output.score.float(), iou)
        return total, iou

    def _predict(self, network: CompactNet, inputs: Tensor) -> Tensor:
        network.eval()
        with torch.inference_mode(), self._autocast():
            output: tuple[Tensor, Tensor] = network(inputs)
        return output[0].float()

    def _autocast(self) -> torch.autocast:
        return torch.autocast("cpu", torch.bfloat16, enabled=self.config.precision == "bfloat16")

    @torch.no_grad()
    def _average(self) -> None:
        # a fresh average would drag random weights along: it follows closely at first
        decay = min(self.config.average, (1 + self.step) / (10 + self.step))
        source = self.network.state_dict()
        for name, value in self.averaged.state_dict().items():
            if value.dtype.is_floating_point:
                value.lerp_(source[name], 1 - decay)
            else:
                value.copy_(source[name])

    def validate(self) -> dict[str, float]:
        """Mean IoU per validation group, exact extreme points, averaged weights."""
        if self.validation is None:
            return {}
        size = self.config.canvases[-1][0]
        with self._autocast():
            found = validation_ious(self.averaged, self.validation, size)
        return {name: float(np.mean(ious)) for name, ious in found.items()}

    def save(self) -> None:
        """Write the checkpoint; the one before stays until the new one is complete."""
        state: dict[str, Any] = {
            "network": self.network.state_dict(),
            "averaged": self.averaged.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "step": self.step,
            "seed": self.config.seed,
        }
        with atomic_write(self.run / CHECKPOINT) as part:
            torch.save(state, part)

    def _resume(self) -> None:
        path = self.run / CHECKPOINT
        try:
            state = torch.load(path, map_location="cpu", weights_only=True)
            self.network.load_state_dict(state["network"])
            self.averaged.load_state_dict(state["averaged"])
            self.optimizer.load_state_dict(state["optimizer"])
            self.step = int(state["step"])
        except Exception as error:
            raise ModelError(
                f"The checkpoint '{path}' cannot be resumed ({type(error).__name__}); move it away to start the run "
                "afresh."
            ) from error


def _rounds(config: TrainConfig, rng: np.random.Generator) -> int:
    share = np.asarray(config.corrections, float)
    return int(rng.choice(len(share), p=share / share.sum()))


def _set_rate(optimizer: torch.optim.Optimizer, config: TrainConfig, step: int) -> float:
    warm = max(1, round(config.warm_up * config.steps))
    if step < warm:
        rate = config.learning_rate * (step + 1) / warm
    else:
        rate = config.learning_rate * 0.5 * (1 + math.cos(math.pi * (step - warm) / max(1, config.steps - warm)))
    for group in optimizer.param_groups:
        group["lr"] = rate
    return rate


def _parameter_groups(network: nn.Module, config: TrainConfig) -> list[dict[str, Any]]:
    decayed = [p for p in network.parameters() if p.ndim > 1]
    plain = [p for p in network.parameters() if p.ndim <= 1]
    return [{"params": decayed, "weight_decay": config.weight_decay}, {"params": plain, "weight_decay": 0.0}]
