"""The compact network: a plain residual encoder before the house's heads, for every prompt kind.

It answers in tens of milliseconds on a laptop and is small enough to ship inside the wheel.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn

from .heads import INPUTS, PromptNet, TrainingOutput, draw_weights, positive

__all__ = ["INPUTS", "CompactNet", "TrainingOutput"]


class CompactNet(PromptNet):
    """`PromptNet` with a plain residual encoder.

    Parameters
    ----------
    widths : sequence of int
        Channels at strides 2, 4, 8, 16, and on for as many as there are.
    blocks : sequence of int
        Residual blocks at each of these strides.
    decoder : int
        Channels of the top-down decoder.
    pools : sequence of int
        Grid sizes of the pyramid pooling.
    inputs : int
        Channels of the canvas.
    sharpness : float
        See `PromptNet`.

    Raises
    ------
    ValueError
        If the options do not describe a network.
    """

    architecture = "compact"

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
        widths, blocks, pools = positive("widths", widths), positive("blocks", blocks), positive("pools", pools)
        (decoder,) = positive("decoder", (decoder,))
        if len(widths) != len(blocks) or len(widths) < 2:
            raise ValueError(f"'widths' and 'blocks' need one number a stride, got {len(widths)} and {len(blocks)}")
        self.options = {
            "widths": list(widths),
            "blocks": list(blocks),
            "decoder": decoder,
            "pools": list(pools),
            "inputs": int(inputs),
            "sharpness": float(sharpness),
        }
        self.sharpness = float(sharpness)
        self.stages = nn.ModuleList()
        before = inputs
        for width, count in zip(widths, blocks, strict=True):
            stage = [_Residual(before, width, stride=2)]
            stage += [_Residual(width, width) for _ in range(count - 1)]
            self.stages.append(nn.Sequential(*stage))
            before = width
        self._add_heads(widths, decoder, pools)
        draw_weights(self)

    def features(self, canvas: Tensor) -> list[Tensor]:
        """The encoder's maps at strides 2, 4, 8, ..."""
        found = []
        x = canvas
        for stage in self.stages:
            x = stage(x)
            found.append(x)
        return found


class _Residual(nn.Module):
    """Two 3x3 convolutions and a shortcut (He et al., CVPR 2016)."""

    def __init__(self, before: int, width: int, stride: int = 1) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(before, width, 3, stride, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, 1, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(width)
        if not self.norm2.weight.is_meta:
            nn.init.zeros_(self.norm2.weight)  # each block starts as the identity
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or before != width:
            # averaging before the 1x1 keeps every pixel in play where a strided 1x1 would drop three of four
            pool: nn.Module = nn.AvgPool2d(2) if stride == 2 else nn.Identity()
            self.shortcut = nn.Sequential(pool, nn.Conv2d(before, width, 1, bias=False), nn.BatchNorm2d(width))

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.norm1(self.conv1(x)), inplace=True)
        return F.relu(self.norm2(self.conv2(y)) + self.shortcut(x), inplace=True)
