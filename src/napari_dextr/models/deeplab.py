"""The network of the published DEXTR models: a DeepLab-v2-style ResNet-101 with four input channels.

Maninis, Caelles, Pont-Tuset and Van Gool, "Deep Extreme Cut", CVPR 2018, section 3. The layers and their names
are those of the authors' checkpoints, so that these load strictly.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..errors import ModelError
from .heads import draw_weights

Head = Literal["psp", "atrous"]

FEATURES = 2048
"""Channels that the backbone hands to the head."""

_EXPANSION = 4  # a block's output channels for each of its inner ones


class Bottleneck(nn.Module):
    """Residual block with a narrow 3x3 convolution (He et al., CVPR 2016), in the variant of these models.

    The stride is on the first 1x1 convolution, as in Caffe, and a stage's first block is dilated like the others.
    torchvision's block differs in both, and importing torchvision takes longer than loading the weights.
    """

    def __init__(self, before: int, width: int, stride: int, dilation: int, project: bool) -> None:
        super().__init__()
        after = width * _EXPANSION
        self.conv1 = nn.Conv2d(before, width, 1, stride=stride, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=dilation, dilation=dilation, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, after, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(after)
        self.relu = nn.ReLU(inplace=True)
        self.downsample: nn.Module = nn.Identity()
        if project:
            self.downsample = nn.Sequential(
                nn.Conv2d(before, after, 1, stride=stride, bias=False), nn.BatchNorm2d(after)
            )

    def forward(self, features: Tensor) -> Tensor:
        narrow = self.relu(self.bn1(self.conv1(features)))
        narrow = self.relu(self.bn2(self.conv2(narrow)))
        result: Tensor = self.relu(self.bn3(self.conv3(narrow)) + self.downsample(features))
        return result


def _stage(before: int, width: int, blocks: int, stride: int = 1, dilation: int = 1) -> nn.Sequential:
    """Blocks of one resolution; the first one projects its input, even where the resolution stays."""
    first = Bottleneck(before, width, stride, dilation, project=True)
    others = [Bottleneck(width * _EXPANSION, width, 1, dilation, project=False) for _ in range(blocks - 1)]
    return nn.Sequential(first, *others)


class PyramidHead(nn.Module):
    """Pyramid scene parsing head: features pooled to 1, 2, 3 and 6 bins beside the features themselves.

    ``(N, 2048, h, w)`` features to ``(N, 1, h, w)`` logits.
    """

    bins = (1, 2, 3, 6)

    def __init__(self, features: int = FEATURES, width: int = 512) -> None:
        super().__init__()
        self.stages = nn.ModuleList(
            nn.Sequential(
                nn.AdaptiveAvgPool2d(size),
                nn.Conv2d(features, width, 1, bias=False),
                nn.BatchNorm2d(width),
                nn.ReLU(),
            )
            for size in self.bins
        )
        joined = features + width * len(self.bins)
        self.bottleneck = nn.Sequential(nn.Conv2d(joined, width, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU())
        self.final = nn.Conv2d(width, 1, 1)

    def forward(self, features: Tensor) -> Tensor:
        """Logits at the resolution of the features."""
        size = features.shape[2:]
        pooled = [
            functional.interpolate(stage(features), size=size, mode="bilinear", align_corners=True)
            for stage in self.stages
        ]
        logits: Tensor = self.final(self.bottleneck(torch.cat([*pooled, features], dim=1)))
        return logits


class AtrousHead(nn.Module):
    """Sum of four dilated 3x3 convolutions (DeepLab-v2): ``(N, 2048, h, w)`` features to ``(N, 1, h, w)`` logits."""

    dilations = (6, 12, 18, 24)

    def __init__(self, features: int = FEATURES) -> None:
        super().__init__()
        self.conv2d_list = nn.ModuleList(
            nn.Conv2d(features, 1, 3, padding=dilation, dilation=dilation) for dilation in self.dilations
        )

    def forward(self, features: Tensor) -> Tensor:
        """Logits at the resolution of the features."""
        first, *others = [convolution(features) for convolution in self.conv2d_list]
        for other in others:
            first = first + other
        logits: Tensor = first
        return logits


HEADS: dict[str, type[nn.Module]] = {"psp": PyramidHead, "atrous": AtrousHead}


class DextrNet(nn.Module):
    """ResNet-101 at output stride 8 and one of two heads: ``(N, 4, H, W)`` float to ``(N, 1, H / 8, W / 8)`` logits.

    Parameters
    ----------
    head : {"psp", "atrous"}
        The head of the checkpoint; the published ones and the paper's best results use ``"psp"``.
    channels : int
        Input channels: red, green, blue (0..255) and the heat map of the extreme points (0..255).
    """

    def __init__(self, head: Head = "psp", channels: int = 4) -> None:
        super().__init__()
        if head not in HEADS:
            raise ModelError(f"The head '{head}' is unknown; known heads: {', '.join(HEADS)}.")
        self.conv1 = nn.Conv2d(channels, 64, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        self.layer1 = _stage(64, 64, blocks=3)
        self.layer2 = _stage(256, 128, blocks=4, stride=2)
        self.layer3 = _stage(512, 256, blocks=23, dilation=2)
        self.layer4 = _stage(1024, 512, blocks=3, dilation=4)
        self.layer5 = HEADS[head]()
        draw_weights(self)

    def forward(self, inputs: Tensor) -> Tensor:
        """Logits at an eighth of the resolution of the inputs."""
        features = self.maxpool(self.relu(self.bn1(self.conv1(inputs))))
        features = self.layer4(self.layer3(self.layer2(self.layer1(features))))
        logits: Tensor = self.layer5(features)
        return logits


def build_dextr(head: Head = "psp", channels: int = 4) -> DextrNet:
    """Make the network with fresh weights; see `DextrNet`."""
    return DextrNet(head=head, channels=channels)
