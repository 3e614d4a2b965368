"""Networks of the house on torchvision's encoders, for those who train from ImageNet weights.

They take the same canvas, have the same heads and travel in the same checkpoints as the compact network. torchvision
is imported only when one of them is built: its import takes seconds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import ModelError
from .heads import INPUTS, PromptNet, draw_weights, positive
from .triton import without_triton

Stages = list[nn.Sequential]


def _resnet_stages(net: Any) -> Stages:
    layers = (net.layer2, net.layer3, net.layer4)
    return [nn.Sequential(net.conv1, net.bn1, net.relu), nn.Sequential(net.maxpool, net.layer1), *layers]


def _mobilenet_stages(net: Any) -> Stages:
    blocks, starts = list(net.features), (0, 2, 4, 7, 13, 17)
    return [nn.Sequential(*blocks[start:stop]) for start, stop in pairwise(starts)]


BACKBONES: dict[str, tuple[tuple[int, ...], Callable[[Any], Stages]]] = {
    "resnet18": ((64, 64, 128, 256, 512), _resnet_stages),
    "resnet50": ((64, 256, 512, 1024, 2048), _resnet_stages),
    "mobilenet_v3_large": ((16, 24, 40, 112, 960), _mobilenet_stages),
}
"""torchvision's name of an encoder to its channels at strides 2 to 32, and how it comes apart at them."""


class BackboneNet(PromptNet):
    """`PromptNet` with an encoder of torchvision.

    Parameters
    ----------
    backbone : str
        One of `BACKBONES`.
    decoder, pools, inputs, sharpness
        As in `napari_dextr.models.compact.CompactNet`.
    pretrained : bool
        Start from torchvision's ImageNet weights, downloaded at first use. The first convolution keeps its weights for
        red, green and blue; those of the marks start at zero.

    Raises
    ------
    ValueError
        If the options do not describe a network.
    ModelError
        If torchvision is missing, or its weights cannot be had.
    """

    architecture = "backbone"

    def __init__(
        self,
        backbone: str = "resnet18",
        decoder: int = 48,
        pools: Sequence[int] = (1, 2, 4),
        inputs: int = INPUTS,
        sharpness: float = 1.0,
        pretrained: bool = False,
    ) -> None:
        super().__init__()
        if backbone not in BACKBONES:
            raise ValueError(f"the backbone '{backbone}' is unknown; known are {', '.join(BACKBONES)}")
        pools = positive("pools", pools)
        (decoder,) = positive("decoder", (decoder,))
        # `pretrained` is how training starts, not what the network is: a checkpoint brings its own weights
        self.options = {
            "backbone": backbone,
            "decoder": decoder,
            "pools": list(pools),
            "inputs": int(inputs),
            "sharpness": float(sharpness),
        }
        self.sharpness = float(sharpness)
        widths, take_apart = BACKBONES[backbone]
        self._add_heads(widths, decoder, pools)
        draw_weights(self)
        stages = take_apart(_torchvision_net(backbone, pretrained))
        _widen(stages[0], int(inputs), pretrained)
        self.stages = nn.ModuleList(stages)

    def features(self, canvas: Tensor) -> list[Tensor]:
        """The encoder's maps at strides 2 to 32."""
        found = []
        x = canvas
        for stage in self.stages:
            x = stage(x)
            found.append(x)
        return found


def _torchvision_net(name: str, pretrained: bool) -> nn.Module:
    try:
        with without_triton():
            from torchvision import models
    except ImportError as error:
        raise ModelError(
            f"The backbone '{name}' needs torchvision, which cannot be imported ({error}); install it "
            "(pip install torchvision), or train the compact network."
        ) from error
    net: nn.Module = models.get_model(name, weights=None)
    if not pretrained:
        return net
    weights = models.get_model_weights(name).DEFAULT
    try:
        net.load_state_dict(weights.get_state_dict(progress=False, check_hash=True))
    except Exception as error:  # no network, a proxy's web page, a damaged or foreign file: one remedy for all
        folder = f"{torch.hub.get_dir()}/checkpoints"
        raise ModelError(
            f"The pretrained weights of '{name}' could not be had ({_reason(error)}); put the file {weights.url} into "
            f"'{folder}', or train from scratch (pretrained = false)."
        ) from error
    return net


def _widen(stage: nn.Sequential, inputs: int, pretrained: bool) -> None:
    """Give an encoder's first convolution further input channels, in place."""
    holder: Any = stage if isinstance(stage[0], nn.Conv2d) else stage[0]
    old = holder[0]
    new = nn.Conv2d(inputs, old.out_channels, old.kernel_size, old.stride, old.padding, bias=False)
    if pretrained:
        with torch.no_grad():
            new.weight.zero_()
            new.weight[:, :3] = old.weight
    else:
        draw_weights(new)
    holder[0] = new


def _reason(error: Exception) -> str:
    return (str(error).splitlines() or [""])[0].rstrip(".") or type(error).__name__
