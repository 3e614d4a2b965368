"""What every network of the house has after its encoder: PSP bottleneck, top-down decoder, mask and score heads.

The pyramid pooling bottleneck is DEXTR's idea (Maninis et al., CVPR 2018, section 3.2); the score head predicts the
mask's IoU.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..errors import DataError

_MOST = 65536  # of anything that a network is built of: a damaged file must not keep the machine busy for hours
INPUTS = 11
"""Channels of the input: RGB and the eight of `napari_dextr.guidance`."""


class TrainingOutput(NamedTuple):
    """What the losses look at: logits at stride 2, side logits at strides 4, 8, ..., and the score's logit ``(B,)``."""

    logits: Tensor
    side_logits: tuple[Tensor, ...]
    score: Tensor


class PromptNet(nn.Module):
    """Network from a ``(B, 11, S, S)`` canvas to mask logits ``(B, 1, S/2, S/2)`` and a score logit ``(B,)``.

    A subclass makes its encoder, calls `_add_heads`, and hands out the encoder's `features`.

    Attributes
    ----------
    architecture : str
        Key of `napari_dextr.models.architectures.ARCHITECTURES`.
    options : dict
        What that architecture builds the same network from: plain values for `ModelSpec.options`.
    sharpness : float
        Factor on the mask's logits when the network answers (not in training). Focal losses leave probabilities
        near one half; a factor above 1 spreads them without moving the outline at one half.
    """

    architecture: ClassVar[str]
    options: dict[str, Any]
    sharpness: float

    def _add_heads(self, widths: Sequence[int], decoder: int, pools: Sequence[int]) -> None:
        """Add what follows the encoder: ``widths`` are the channels of its features at strides 2, 4, 8, ..."""
        self._levels = len(widths)
        self.pyramid = Pyramid(widths[-1], decoder * 2, pools)
        self.top = convolution(decoder * 2, decoder, 3)
        self.laterals = nn.ModuleList(convolution(width, decoder, 1) for width in widths[:-1])
        self.merges = nn.ModuleList(convolution(decoder, decoder, 3) for _ in widths[:-1])
        self.side_heads = nn.ModuleList(nn.Conv2d(decoder, 1, 1) for _ in widths[1:-1])
        self.mask_head = nn.Sequential(convolution(decoder, decoder // 2, 3), nn.Conv2d(decoder // 2, 1, 1))
        self.score_head = nn.Sequential(nn.Linear(decoder * 4, 64), nn.ReLU(inplace=True), nn.Linear(64, 1))

    @property
    def stride(self) -> int:
        """How far the encoder shrinks the canvas; its side must be a multiple of it."""
        return int(2**self._levels)

    def check_canvas(self, side: int) -> None:
        """Refuse a canvas whose side the network cannot halve as often as it does.

        Raises
        ------
        DataError
            Naming the nearest side that fits.
        """
        if side < self.stride or side % self.stride:
            near = max(1, round(side / self.stride)) * self.stride
            raise DataError(
                f"This network needs a canvas whose side is a multiple of {self.stride} pixels; got {side}, use {near}."
            )

    @abstractmethod
    def features(self, canvas: Tensor) -> list[Tensor]:
        """The encoder's maps, finest first, each of half the side of the one before."""

    def forward(self, canvas: Tensor) -> tuple[Tensor, Tensor]:
        logits, _, score = self.forward_training(canvas, sides=False)
        return logits * self.sharpness, score

    def forward_training(self, canvas: Tensor, sides: bool = True) -> TrainingOutput:
        """The same pass, with the decoder's side outputs for deep supervision."""
        features = self.features(canvas)
        bottleneck = self.pyramid(features[-1])
        x = self.top(bottleneck)
        side_logits: list[Tensor] = []
        for level in range(len(self.laterals) - 1, -1, -1):
            lateral = self.laterals[level](features[level])
            x = self.merges[level](lateral + _resize(x, lateral))
            if sides and level:
                side_logits.insert(0, self.side_heads[level - 1](x))
        logits = self.mask_head(x)
        # The score looks at the object (features under the mask) and its setting (the bottleneck's mean).
        weight = torch.sigmoid(logits.detach())
        inside = _weighted_mean(x, weight)
        outline = _weighted_mean(x, weight * (1 - weight))
        pooled = torch.cat([bottleneck.mean((2, 3)), inside, outline], dim=1)
        score = self.score_head(pooled)[:, 0]
        return TrainingOutput(logits, tuple(side_logits), score)


class Pyramid(nn.Module):
    """Pyramid pooling (Zhao et al., CVPR 2017): context of several grid sizes beside the features."""

    def __init__(self, before: int, width: int, pools: Sequence[int]) -> None:
        super().__init__()
        inner = max(16, before // (2 * len(pools)))
        self.pools = tuple(int(pool) for pool in pools)
        self.contexts = nn.ModuleList(nn.Conv2d(before, inner, 1) for _ in pools)
        self.join = convolution(before + inner * len(pools), width, 3)

    def forward(self, x: Tensor) -> Tensor:
        parts = [x]
        for pool, context in zip(self.pools, self.contexts, strict=True):
            pooled = F.relu(context(F.adaptive_avg_pool2d(x, pool)))
            parts.append(_resize(pooled, x))
        out: Tensor = self.join(torch.cat(parts, dim=1))
        return out


def convolution(before: int, width: int, kernel: int) -> nn.Sequential:
    """A convolution that keeps the resolution, its normalisation and ReLU."""
    return nn.Sequential(
        nn.Conv2d(before, width, kernel, padding=kernel // 2, bias=False),
        nn.BatchNorm2d(width),
        nn.ReLU(inplace=True),
    )


def draw_weights(module: nn.Module) -> None:
    """Draw the weights of every convolution in a module at random (He et al., ICCV 2015)."""
    for part in module.modules():
        # Shapes only (meta) have nothing to fill; and filling there makes PyTorch import its compiler, which takes
        # seconds and brings a second LLVM into the process beside that of software OpenGL: the viewer dies of it.
        if isinstance(part, nn.Conv2d) and not part.weight.is_meta:
            nn.init.kaiming_normal_(part.weight, mode="fan_out", nonlinearity="relu")
            if part.bias is not None:
                nn.init.zeros_(part.bias)


def positive(name: str, values: Sequence[int]) -> tuple[int, ...]:
    """A network's option as whole numbers above zero, and not so large that nobody could build it.

    Raises
    ------
    ValueError
        If it holds anything else, or nothing.
    """
    plain = tuple(values)
    if not plain or any(isinstance(value, bool) or not 1 <= value <= _MOST or value != int(value) for value in plain):
        raise ValueError(f"'{name}' needs whole numbers from 1 to {_MOST}, got {str(list(plain))[:80]}")
    return tuple(int(value) for value in plain)


def _resize(x: Tensor, like: Tensor) -> Tensor:
    return F.interpolate(x, size=like.shape[2:], mode="bilinear", align_corners=False)


def _weighted_mean(features: Tensor, weight: Tensor) -> Tensor:
    """Mean ``(B, C)`` of ``(B, C, h, w)`` features under ``(B, 1, h, w)`` weights."""
    # a product of matrices: multiplying maps of one and of many channels is ten times slower in channels-last memory
    pixels = features.permute(0, 2, 3, 1).flatten(1, 2)  # as they lie in that memory, so nothing is copied
    total = torch.bmm(weight.flatten(2).to(features.dtype), pixels)[:, 0]
    return total / weight.sum((2, 3)).clamp_min(1.0)
