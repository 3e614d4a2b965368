"""The house pipeline: how our own models read a crop, see the marks and give back a probability."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import torch

from ..errors import PromptError
from ..frame import Frame
from ..guidance import encode
from ..image import ImagePlane
from ..obedience import obey
from ..prompt import Bounds, Prompt, Region
from .spec import MARGIN, ModelSpec

CLICK_WINDOWS = (48.0, 128.0, 384.0, 768.0)
"""Sides of the windows around clicks that no box bounds, image pixels: nothing else says how large the object is."""
_WINDOW_BONUS = 0.03  # added to the score for every doubling: a part of an object scores as well as the object
_FLATTEST = 2.0  # grey levels; a crop with less contrast than this is not amplified further


class HousePipeline:
    """Reads a crop around the marks (margin as a share of the box), pastes probabilities back."""

    def read(self, plane: ImagePlane, prompt: Prompt, spec: ModelSpec) -> tuple[torch.Tensor, tuple[Frame, ...]]:
        """The ``(N, 11, S, S)`` input of a prompt's N looks at the image, and the frames they were read through."""
        frames = tuple(
            Frame.around(bounds, spec.canvas, plane.shape, margin=spec.margin)
            for bounds in working_bounds(prompt, plane.shape)
        )
        inputs = []
        for frame in frames:
            inputs.append(_input(*frame.read(plane, quiet=True), prompt, frame))
        return torch.cat(inputs), frames

    def look_again(
        self, logits: torch.Tensor, placement: Frame, plane: ImagePlane, prompt: Prompt, spec: ModelSpec
    ) -> tuple[torch.Tensor, Callable[[torch.Tensor], bool]] | None:
        """The crop with its noise, where the object is so thin that it was averaged away together with the noise.

        Of a nucleus, noise can leave a thin part in the first answer. What is found with the noise then is not thin,
        and mostly worse: it counts only where it is thin too, or where nothing was found at first.
        """
        sides = np.abs(np.diag(placement.inverse[:, :2])) * placement.size / logits.shape[-1]
        mask, steps = _mask(logits, spec), (float(sides[0]), float(sides[1]))
        if not placement.smears(plane, mask, steps):
            return None

        def better(second: torch.Tensor) -> bool:
            found = _mask(second, spec)
            return bool(found.any()) and (not mask.any() or placement.smears(plane, found, steps))

        return _input(*placement.read(plane), prompt, placement), better

    def choose(self, scores: torch.Tensor | None, frames: Sequence[Frame]) -> int:
        """The look to keep, by the model's own scores ``(N,)``; the larger window where they are about equal."""
        if scores is None:
            return len(frames) - 1
        sides = torch.tensor([np.sqrt(abs(np.linalg.det(frame.inverse[:, :2]))) for frame in frames])
        return int(torch.argmax(scores + _WINDOW_BONUS * torch.log2(sides)))

    def paste(
        self, logits: torch.Tensor, placement: Frame, prompt: Prompt, spec: ModelSpec
    ) -> tuple[npt.NDArray[np.float32], Region]:
        """Probability and the region it covers, from ``(1, 1, s, s)`` logits; clicks get their way."""
        probability, region = placement.paste(logits[0, 0])
        return obey(probability, region, prompt, spec.threshold), region


def _mask(logits: torch.Tensor, spec: ModelSpec) -> npt.NDArray[np.bool_]:
    mask: npt.NDArray[np.bool_] = (torch.sigmoid(logits[0, 0]) > spec.threshold).numpy()
    return mask


def _input(pixels: torch.Tensor, inside: torch.Tensor, prompt: Prompt, frame: Frame) -> torch.Tensor:
    return torch.cat([normalise(pixels[None], inside[None]), encode(prompt, frame)[None]], dim=1)


def working_bounds(prompt: Prompt, shape: tuple[int, int]) -> tuple[Bounds, ...]:
    """The boxes to look at: that of the marks or of the earlier mask; where clicks leave it open, several windows."""
    bounds = prompt.bounds
    if bounds is None and prompt.previous is not None:
        rows, cols = (np.flatnonzero((prompt.previous.probability > 0.5).any(axis=axis)) for axis in (1, 0))
        if len(rows):
            top, left = (part.start for part in prompt.previous.region)
            bounds = (float(rows[0] + top), float(cols[0] + left), float(rows[-1] + top), float(cols[-1] + left))
    held = np.concatenate([prompt.positive_points, prompt.boundary_points])
    if bounds is not None:
        return (_holding(bounds, held),)
    if not len(held):
        raise PromptError("The earlier mask is empty and there is no other mark; click the object.")
    centre = held.mean(axis=0)
    windows: list[Bounds] = []
    for side in CLICK_WINDOWS:
        half = np.minimum(side, shape) / (2 * (1 + 2 * MARGIN))  # the margin on each side is added later
        low, high = centre - half, centre + half
        window = _holding((float(low[0]), float(low[1]), float(high[0]), float(high[1])), held)
        if window not in windows:
            windows.append(window)
    return tuple(windows)


def _holding(bounds: Bounds, held: npt.NDArray[np.float64]) -> Bounds:
    """Bounds grown to hold every click in or on the object: it belongs to its box, whatever was clicked before."""
    if not len(held):
        return bounds
    low, high = np.minimum(bounds[:2], held.min(axis=0)), np.maximum(bounds[2:], held.max(axis=0))
    return (float(low[0]), float(low[1]), float(high[0]), float(high[1]))


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
