"""The house pipeline: how our own models read a crop, see the marks and give back a probability."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch

from ..frame import Frame
from ..guidance import encode
from ..image import ImagePlane
from ..prompt import Bounds, Prompt, Region
from .spec import ModelSpec

CLICK_WINDOW = 384.0
"""Side of the window around clicks that no box bounds, image pixels."""
_FLATTEST = 2.0  # grey levels; a crop with less contrast than this is not amplified further


class HousePipeline:
    """Reads a crop around the marks (margin as a share of the box), pastes probabilities back."""

    def read(self, plane: ImagePlane, prompt: Prompt, spec: ModelSpec) -> tuple[torch.Tensor, Frame]:
        """The ``(1, 11, S, S)`` input of a prompt and the frame it was read through."""
        frame = Frame.around(working_bounds(prompt, plane.shape), spec.canvas, plane.shape, margin=spec.margin)
        pixels, inside = frame.read(plane)
        return torch.cat([normalise(pixels[None], inside[None]), encode(prompt, frame)[None]], dim=1), frame

    def paste(
        self, logits: torch.Tensor, placement: Frame, prompt: Prompt, spec: ModelSpec
    ) -> tuple[npt.NDArray[np.float32], Region]:
        """Probability and the region it covers, from ``(1, 1, s, s)`` logits."""
        return placement.paste(logits[0, 0])


def working_bounds(prompt: Prompt, shape: tuple[int, int]) -> Bounds:
    """The box to look at: that of the marks, or where clicks leave it open, of the earlier mask or a window."""
    bounds = prompt.bounds
    if bounds is None and prompt.previous is not None:
        rows, cols = (np.flatnonzero((prompt.previous.probability > 0.5).any(axis=axis)) for axis in (1, 0))
        if len(rows):
            top, left = (part.start for part in prompt.previous.region)
            bounds = (float(rows[0] + top), float(cols[0] + left), float(rows[-1] + top), float(cols[-1] + left))
    inside = prompt.positive_points
    if bounds is None:
        centre = inside.mean(axis=0)
        half = np.minimum(CLICK_WINDOW, shape) / (2 * 1.4)  # the margin of a fifth on each side is added later
        low, high = centre - half, centre + half
        bounds = (float(low[0]), float(low[1]), float(high[0]), float(high[1]))
    if len(inside):  # a click inside the object is inside its box, whatever was clicked before
        low, high = np.minimum(bounds[:2], inside.min(axis=0)), np.maximum(bounds[2:], inside.max(axis=0))
        bounds = (float(low[0]), float(low[1]), float(high[0]), float(high[1]))
    return bounds


def normalise(pixels: torch.Tensor, inside: torch.Tensor) -> torch.Tensor:
    """Standardise crops: per crop and colour, mean 0; one deviation for all colours; zero beyond the image.

    Parameters
    ----------
    pixels : (B, 3, S, S) float tensor, any range
    inside : (B, S, S) bool tensor
    """
    there = inside[:, None].to(pixels.dtype)
    count = there.sum((2, 3), keepdim=True).clamp_min(1)
    centred = (pixels - (pixels * there).sum((2, 3), keepdim=True) / count) * there
    variance = (centred**2).sum((1, 2, 3), keepdim=True) / (3 * count)
    return centred / variance.clamp_min(_FLATTEST**2).sqrt()
