"""Photometric augmentation of a batch, in torch so that it runs where the network runs."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor


@dataclass(frozen=True)
class Photometric:
    """How often each change is made, in 0..1."""

    light: float = 0.7
    inversion: float = 0.08
    grey: float = 0.15
    shuffle: float = 0.08
    blur: float = 0.15
    noise: float = 0.25
    gradient: float = 0.12

    def apply(self, images: Tensor, generator: torch.Generator) -> Tensor:
        """Change ``(B, 3, S, S)`` images of 0..255; every sample draws its own changes."""
        count = len(images)

        def chosen(share: float) -> Tensor:
            return torch.rand(count, generator=generator) < share

        def uniform(low: float, high: float, *extent: int) -> Tensor:
            return low + (high - low) * torch.rand(count, *extent, 1, 1, generator=generator)

        x = images / 255
        lit = chosen(self.light)
        if lit.any():
            gamma = torch.exp(uniform(-0.5, 0.5, 1))
            contrast, brightness, tint = uniform(0.6, 1.3, 1), uniform(-0.2, 0.2, 1), uniform(0.85, 1.15, 3)
            changed = (x.clamp(1e-4, 1) ** gamma - 0.5) * contrast + 0.5 + brightness
            x = torch.where(lit[:, None, None, None], changed * tint, x)
        grey = chosen(self.grey)
        x = torch.where(grey[:, None, None, None], x.mean(dim=1, keepdim=True), x)
        for index in torch.nonzero(chosen(self.shuffle)).flatten().tolist():
            x[index] = x[index, torch.randperm(3, generator=generator)]
        inverted = chosen(self.inversion)
        x = torch.where(inverted[:, None, None, None], 1 - x, x)
        sloped = chosen(self.gradient)
        if sloped.any():
            ramp = torch.linspace(-0.5, 0.5, x.shape[-1])
            slope = uniform(-0.6, 0.6, 1) * ramp[:, None] + uniform(-0.6, 0.6, 1) * ramp[None, :]
            x = torch.where(sloped[:, None, None, None], x * (1 + slope), x)
        blurred = torch.nonzero(chosen(self.blur)).flatten()
        if len(blurred):
            sigma = float(0.5 + 1.3 * torch.rand(1, generator=generator))
            x[blurred] = _blur(x[blurred], sigma)
        noisy = torch.nonzero(chosen(self.noise)).flatten()
        if len(noisy):
            part = x[noisy]
            amount = 0.08 * torch.rand(len(noisy), 1, 1, 1, generator=generator)
            one_channel = torch.randn(len(noisy), 1, *part.shape[2:], generator=generator)
            x[noisy] = part + amount * one_channel * (0.3 + part.clamp(0, 1).sqrt())  # shot noise grows with light
        return x.clamp(0, 1) * 255


def _blur(images: Tensor, sigma: float) -> Tensor:
    reach = int(2 * sigma + 1)
    axis = torch.arange(-reach, reach + 1, dtype=torch.float32)
    kernel = torch.exp(-(axis**2) / (2 * sigma**2))
    kernel = (kernel / kernel.sum()).repeat(images.shape[1], 1, 1)
    padded = F.pad(images, (reach,) * 4, mode="reflect")
    rows = F.conv2d(padded, kernel[:, :, :, None].reshape(-1, 1, 2 * reach + 1, 1), groups=images.shape[1])
    return F.conv2d(rows, kernel.reshape(-1, 1, 1, 2 * reach + 1), groups=images.shape[1])
