"""Photometric augmentation of a batch, in torch so that it runs where the network runs."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

_USUAL = 0.2  # deviation of an ordinary picture's intensities, of 1
_SOFTEST = 1.8  # canvas pixels of blur that a picture in focus has
_FARTHEST = 40.0  # canvas pixels of blur far out of focus
_COARSEST = 8.0  # canvas pixels that one pixel of the image fills where an object is about 20 pixels wide


@dataclass(frozen=True)
class Photometric:
    """How often each change is made, in 0..1."""

    light: float = 0.7
    inversion: float = 0.08
    grey: float = 0.15
    shuffle: float = 0.08
    blur: float = 0.15
    defocus: float = 0.12
    noise: float = 0.3
    gradient: float = 0.12

    def times(self, share: float) -> Photometric:
        """Every change, ``share`` times as often."""
        return Photometric(**{name: share * often for name, often in vars(self).items()})

    def plan(self, count: int, generator: torch.Generator) -> Changes:
        """Draw the changes of ``count`` samples; ``generator`` is the CPU's, so that every device gets the same."""

        def chosen(share: float) -> Tensor:
            return torch.rand(count, generator=generator) < share

        def uniform(low: float, high: float, *extent: int) -> Tensor:
            return low + (high - low) * torch.rand(count, *extent, generator=generator)

        lit = chosen(self.light)
        gamma = torch.where(lit, torch.exp(uniform(-0.5, 0.5)), 1.0)
        contrast = torch.where(lit, uniform(0.6, 1.3), 1.0)
        brightness = torch.where(lit, uniform(-0.2, 0.2), 0.0)
        tint = torch.where(lit[:, None], uniform(0.85, 1.15, 3), 1.0)
        # whatever is linear in the colours becomes one matrix and one offset a sample
        matrix = torch.diag_embed(contrast[:, None] * tint)
        offset = (0.5 - 0.5 * contrast + brightness)[:, None] * tint
        for share, mix in ((self.grey, torch.full((count, 3, 3), 1 / 3)), (self.shuffle, _shuffles(count, generator))):
            mixed = torch.where(chosen(share)[:, None, None], mix, torch.eye(3))
            matrix, offset = mixed @ matrix, (mixed @ offset[..., None])[..., 0]
        inverted = chosen(self.inversion)[:, None]
        matrix = torch.where(inverted[..., None], -matrix, matrix)
        offset = torch.where(inverted, 1 - offset, offset)
        slope = torch.where(chosen(self.gradient)[:, None], uniform(-0.6, 0.6, 2), 0.0)
        sigma = torch.where(chosen(self.blur), uniform(0.5, _SOFTEST), 0.0)
        # a small object out of focus is enlarged with its blur, until nothing but its shape is left to know
        focus = torch.exp(uniform(math.log(_SOFTEST), math.log(_FARTHEST)))
        sigma = torch.where(chosen(self.defocus), focus, sigma)
        # mostly faint, now and then as strong as the objects themselves
        noise = torch.where(chosen(self.noise), 0.25 * uniform(0.0, 1.0) ** 2, 0.0)
        grain = torch.where(chosen(0.6), torch.exp(uniform(0.0, math.log(_COARSEST))), 1.0)
        coloured = chosen(0.5)
        seeds = torch.randint(2**62, (count,), generator=generator)
        return Changes(
            matrix, offset, gamma.tolist(), slope.tolist(), sigma.tolist(),
            noise.tolist(), grain.tolist(), coloured.tolist(), seeds.tolist(),
        )  # fmt: skip

    def apply(self, images: Tensor, generator: torch.Generator) -> Tensor:
        """Change ``(B, 3, S, S)`` images of 0..255, about which they stay; every sample draws its own changes."""
        return self.plan(len(images), generator).apply(images)


@dataclass(frozen=True, eq=False)
class Changes:
    """What is done to each sample of a batch.

    Attributes
    ----------
    matrix, offset : (B, 3, 3) and (B, 3) tensors
        Light, tint, grey, shuffled channels and inversion: linear in the colours, after gamma.
    gamma : list of float
        1 for none.
    slope : list of [float, float]
        Unevenness of the light along rows and columns; 0 for none.
    sigma, noise : list of float
        Blur in pixels and amount of shot noise; 0 for none.
    grain : list of float
        Side of a grain of the noise in pixels: the noise of a small object is enlarged with it.
    coloured : list of bool
        Whether the noise of the three channels differs, as a colour camera's, or is the same, as in a grey image.
    seeds : list of int
        Of each sample's noise.
    """

    matrix: Tensor
    offset: Tensor
    gamma: list[float]
    slope: list[list[float]]
    sigma: list[float]
    noise: list[float]
    grain: list[float]
    coloured: list[bool]
    seeds: list[int]

    def of(self, start: int, stop: int) -> Changes:
        """The changes of some samples of the batch."""
        part = slice(start, stop)
        return Changes(
            self.matrix[part], self.offset[part], self.gamma[part], self.slope[part], self.sigma[part],
            self.noise[part], self.grain[part], self.coloured[part], self.seeds[part],
        )  # fmt: skip

    def apply(self, images: Tensor) -> Tensor:
        """Change ``(B, 3, S, S)`` images of 0..255, on their device; they stay as they are."""
        # what is decided by a value is decided on numbers of the CPU: asking a GPU for one would make it wait
        device, size = images.device, images.shape[-1]
        x = (images / 255).clamp_(0, 1)
        if any(gamma != 1 for gamma in self.gamma):
            x = x.pow_(torch.tensor(self.gamma, device=device)[:, None, None, None])
        x = torch.baddbmm(self.offset.to(device)[..., None], self.matrix.to(device), x.flatten(2)).reshape(x.shape)
        if any(map(any, self.slope)):
            ramp = torch.linspace(-0.5, 0.5, size, device=device)
            rows, cols = torch.tensor(self.slope, device=device).T[..., None, None, None]
            x *= 1 + rows * ramp[:, None] + cols * ramp
        mean = x.mean(dim=(1, 2, 3), keepdim=True)
        square = torch.linalg.vector_norm(x, dim=(1, 2, 3), keepdim=True) ** 2 / x[0].numel()
        deviation = (square - mean**2).clamp_min(0).sqrt()  # sixteen times as quick as torch.std_mean
        for index, (sigma, noise) in enumerate(zip(self.sigma, self.noise, strict=True)):
            if sigma:
                sigma = min(sigma, size / 5)  # what is blurred is mirrored at the rim, not beyond the other one
                x[index] = _blur(x[index : index + 1], sigma)[0]
            if noise:
                channels = 3 if self.coloured[index] else 1
                grains = _grains(channels, size, self.grain[index], self.seeds[index]).to(device)
                grains *= noise * (deviation[index] / _USUAL).clamp_max(1)  # a faint picture must not drown in it
                x[index] += grains * (0.3 + x[index].clamp(0, 1).sqrt_())  # shot noise grows with light
        # as a sensor clips, but never the bulk of a picture: a dim one would become black all over
        low, high = (mean - 2 * deviation).clamp_max(0), (mean + 2 * deviation).clamp_min(1)
        return x.clamp_(low, high).mul_(255)


def _shuffles(count: int, generator: torch.Generator) -> Tensor:
    """Matrices that put the colours in another order, ``(B, 3, 3)``."""
    return torch.stack([torch.eye(3)[torch.randperm(3, generator=generator)] for _ in range(count)])


def _grains(channels: int, size: int, grain: float, seed: int) -> Tensor:
    """Normal noise ``(channels, size, size)`` whose grains are as many pixels wide, enlarged as a crop is."""
    cells = max(round(size / grain), 2)
    noise = torch.randn(1, channels, cells, cells, generator=torch.Generator().manual_seed(seed))
    if cells < size:
        noise = F.interpolate(noise, size=(size, size), mode="bilinear", align_corners=False)
    return noise[0]


def _blur(images: Tensor, sigma: float) -> Tensor:
    reach = int(2 * sigma + 1)
    axis = torch.arange(-reach, reach + 1, dtype=images.dtype, device=images.device)
    kernel = torch.exp(-(axis**2) / (2 * sigma**2))
    kernel = (kernel / kernel.sum()).repeat(images.shape[1], 1, 1)
    padded = F.pad(images, (reach,) * 4, mode="reflect")
    rows = F.conv2d(padded, kernel[:, :, :, None].reshape(-1, 1, 2 * reach + 1, 1), groups=images.shape[1])
    return F.conv2d(rows, kernel.reshape(-1, 1, 1, 2 * reach + 1), groups=images.shape[1])
