"""The compact network: a plain residual encoder, PSP bottleneck and top-down decoder for every prompt kind.

It answers in tens of milliseconds on a laptop and is small enough to ship inside the wheel. The pyramid pooling
bottleneck is DEXTR's idea (Maninis et al., CVPR 2018, section 3.2); the score head predicts the mask's IoU.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

INPUTS = 11
"""Channels of the input: RGB and the eight of `napari_dextr.guidance`."""


class TrainingOutput(NamedTuple):
    """What the losses look at: logits at strides 2, 4 and 8 (full canvas each), and the score's logit ``(B,)``."""

    logits: Tensor
    side_logits: tuple[Tensor, ...]
    score: Tensor


class CompactNet(nn.Module):
    """Network from a ``(B, 11, S, S)`` canvas to mask logits ``(B, 1, S/2, S/2)`` and a score logit ``(B,)``.

    Parameters
    ----------
    widths : sequence of int
        Channels at strides 2, 4, 8, 16.
    blocks : sequence of int
        Residual blocks at each of these strides.
    decoder : int
        Channels of the top-down decoder.
    pools : sequence of int
        Grid sizes of the pyramid pooling.
    sharpness : float
        Factor on the mask's logits when the network answers (not in training). Focal losses leave probabilities
        near one half; a factor above 1 spreads them without moving the outline at one half.
    """

    def __init__(
        self,
        widths: Sequence[int] = (32, 64, 128, 192),
        blocks: Sequence[int] = (1, 2, 3, 3),
        decoder: int = 48,
        pools: Sequence[int] = (1, 2, 4),
        inputs: int = INPUTS,
        sharpness: float = 1.0,
    ) -> None:
        super().__init__()
        self.sharpness = float(sharpness)
        self.stages = nn.ModuleList()
        before = inputs
        for width, count in zip(widths, blocks, strict=True):
            stage = [_Residual(before, width, stride=2)]
            stage += [_Residual(width, width) for _ in range(count - 1)]
            self.stages.append(nn.Sequential(*stage))
            before = width
        self.pyramid = _Pyramid(widths[-1], decoder * 2, pools)
        self.top = _conv(decoder * 2, decoder, 3)
        self.laterals = nn.ModuleList(_conv(width, decoder, 1) for width in widths[:-1])
        self.merges = nn.ModuleList(_conv(decoder, decoder, 3) for _ in widths[:-1])
        self.side_heads = nn.ModuleList(nn.Conv2d(decoder, 1, 1) for _ in widths[1:-1])
        self.mask_head = nn.Sequential(_conv(decoder, decoder // 2, 3), nn.Conv2d(decoder // 2, 1, 1))
        self.score_head = nn.Sequential(nn.Linear(decoder * 4, 64), nn.ReLU(inplace=True), nn.Linear(64, 1))
        self._initialise()

    def _initialise(self) -> None:
        if self.mask_head[1].weight.is_meta:
            # Shapes only, nothing to fill; and filling there makes PyTorch import its compiler, which takes seconds and
            # brings a second LLVM into the process beside that of software OpenGL: the viewer dies of it.
            return
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
            elif isinstance(module, _Residual):
                nn.init.zeros_(module.norm2.weight)  # each block starts as the identity

    def forward(self, canvas: Tensor) -> tuple[Tensor, Tensor]:
        logits, _, score = self.forward_training(canvas, sides=False)
        return logits * self.sharpness, score

    def forward_training(self, canvas: Tensor, sides: bool = True) -> TrainingOutput:
        """The same pass, with the decoder's side outputs for deep supervision."""
        features = []
        x = canvas
        for stage in self.stages:
            x = stage(x)
            features.append(x)
        bottleneck = self.pyramid(x)
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
        area = weight.sum((2, 3)).clamp_min(1.0)
        inside = (x * weight).sum((2, 3)) / area
        outline = (x * weight * (1 - weight)).sum((2, 3)) / (weight * (1 - weight)).sum((2, 3)).clamp_min(1.0)
        pooled = torch.cat([bottleneck.mean((2, 3)), inside, outline], dim=1)
        score = self.score_head(pooled)[:, 0]
        return TrainingOutput(logits, tuple(side_logits), score)


class _Residual(nn.Module):
    """Two 3x3 convolutions and a shortcut (He et al., CVPR 2016)."""

    def __init__(self, before: int, width: int, stride: int = 1) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(before, width, 3, stride, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, 1, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(width)
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or before != width:
            # averaging before the 1x1 keeps every pixel in play where a strided 1x1 would drop three of four
            pool: nn.Module = nn.AvgPool2d(2) if stride == 2 else nn.Identity()
            self.shortcut = nn.Sequential(pool, nn.Conv2d(before, width, 1, bias=False), nn.BatchNorm2d(width))

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.norm1(self.conv1(x)), inplace=True)
        return F.relu(self.norm2(self.conv2(y)) + self.shortcut(x), inplace=True)


class _Pyramid(nn.Module):
    """Pyramid pooling (Zhao et al., CVPR 2017): context of several grid sizes beside the features."""

    def __init__(self, before: int, width: int, pools: Sequence[int]) -> None:
        super().__init__()
        inner = max(16, before // (2 * len(pools)))
        self.pools = tuple(int(pool) for pool in pools)
        self.contexts = nn.ModuleList(nn.Conv2d(before, inner, 1) for _ in pools)
        self.join = _conv(before + inner * len(pools), width, 3)

    def forward(self, x: Tensor) -> Tensor:
        parts = [x]
        for pool, context in zip(self.pools, self.contexts, strict=True):
            pooled = F.relu(context(F.adaptive_avg_pool2d(x, pool)))
            parts.append(_resize(pooled, x))
        out: Tensor = self.join(torch.cat(parts, dim=1))
        return out


def _conv(before: int, width: int, kernel: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(before, width, kernel, padding=kernel // 2, bias=False),
        nn.BatchNorm2d(width),
        nn.ReLU(inplace=True),
    )


def _resize(x: Tensor, like: Tensor) -> Tensor:
    return F.interpolate(x, size=like.shape[2:], mode="bilinear", align_corners=False)
