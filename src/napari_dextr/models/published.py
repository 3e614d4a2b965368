"""The published models' way from an image to their input, and from their logits to a mask.

Maninis et al., "Deep Extreme Cut", CVPR 2018. The arithmetic is theirs, step by step, integer truncations
included: it is what the checkpoints were trained with. Pixel and box conventions differ from the rest of the
project (`napari_dextr.frame`), so nothing here is shared with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from ..errors import PromptError
from ..image import ImagePlane
from ..prompt import Prompt, Region

if TYPE_CHECKING:
    from .spec import ModelSpec

_FWHM = 10.0
"""Full width at half maximum of a point's Gaussian on the canvas, pixels (the paper's "sigma")."""

_CUBIC = -0.75
"""Parameter a of the cubic convolution kernel (Keys, 1981)."""

_EXACT_SIDE = 4096
"""Crops with a longer side are read decimated: at such sizes the authors' sampling skips most pixels anyway."""


@dataclass(frozen=True)
class Placement:
    """Where a crop lies: inclusive integer bounds (top, left, bottom, right) in pixels of the plane.

    Attributes
    ----------
    crop : tuple of int
        The box with its margin; may leave the image.
    tight : tuple of int
        The box of the points.
    shape : tuple of int
        Height and width of the plane.
    """

    crop: tuple[int, int, int, int]
    tight: tuple[int, int, int, int]
    shape: tuple[int, int]

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the crop, pixels."""
        top, left, bottom, right = self.crop
        return bottom - top + 1, right - left + 1


class PublishedPipeline:
    """Reads the four input channels of a published model and pastes its logits back."""

    def read(self, plane: ImagePlane, prompt: Prompt, spec: ModelSpec) -> tuple[Tensor, tuple[Placement]]:
        """Make the network's input.

        Parameters
        ----------
        plane : ImagePlane
            Only the crop is read from it.
        prompt : Prompt
            Its extreme points are used, in any order; three or more.
        spec : ModelSpec
            ``canvas`` is the side of the input and ``margin`` the border around the points, pixels.

        Returns
        -------
        inputs : (1, 4, S, S) float32 tensor
            Red, green, blue and the heat map of the points, each in 0..255.
        placements : tuple of one Placement
            For `paste`.

        Raises
        ------
        PromptError
            If the prompt has no extreme points, or their box misses the image.
        """
        points = np.trunc(prompt.extreme_points).astype(np.int64)
        if not len(points):
            raise PromptError(
                f"The model '{spec.name}' needs extreme points; click the object's outermost points first."
            )
        placement = _place(points, int(spec.margin), plane.shape)
        colours = _read_crop(plane, placement, spec.canvas)
        heat = _heat_map(points, placement, spec.canvas)
        stacked = np.concatenate([colours, heat[None]]).astype(np.float32)
        return torch.from_numpy(stacked[None]), (placement,)

    def choose(self, scores: Tensor | None, placements: Sequence[Placement]) -> int:
        """The look to keep: there is only one."""
        return 0

    def look_again(
        self, logits: Tensor, placement: Placement, plane: ImagePlane, prompt: Prompt, spec: ModelSpec
    ) -> None:
        """Never: the authors look once."""

    def paste(
        self, logits: Tensor, placement: Placement, prompt: Prompt, spec: ModelSpec
    ) -> tuple[npt.NDArray[np.float32], Region]:
        """Bring logits back to the image.

        Parameters
        ----------
        logits : (1, 1, h, w) tensor
            The network's output.
        placement : Placement
            From `read`.
        prompt, spec
            As given to `read`.

        Returns
        -------
        probability : (h, w) float32 array
            In 0..1, on ``region``; outside it the probability is 0.
        region : Region
            The box of the points, cut to the image.
        """
        side = (spec.canvas, spec.canvas)
        fine = functional.interpolate(logits.float(), size=side, mode="bilinear", align_corners=True)
        canvas = torch.sigmoid(fine)[0, 0].cpu().numpy()
        region = _visible(placement.tight, placement.shape)
        rows, cols = (
            _taps(spec.canvas, length, part.start - corner, part.stop - corner)
            for length, part, corner in zip(placement.size, region, placement.crop[:2], strict=True)
        )
        probability = _resample(canvas[..., None], rows, cols)[..., 0]
        return np.clip(probability, 0, 1), region


def _place(points: npt.NDArray[np.int64], margin: int, shape: tuple[int, int]) -> Placement:
    (top, left), (bottom, right) = points.min(axis=0).tolist(), points.max(axis=0).tolist()
    if top >= shape[0] or left >= shape[1] or bottom < 0 or right < 0:
        raise PromptError(f"The points lie outside the image of {shape[0]} x {shape[1]} pixels; click on the object.")
    crop = (top - margin, left - margin, bottom + margin, right + margin)
    return Placement(crop, (top, left, bottom, right), shape)


def _visible(box: tuple[int, int, int, int], shape: tuple[int, int]) -> Region:
    """The part of an inclusive box that lies inside the image."""
    top, left, bottom, right = box
    return slice(max(top, 0), min(bottom + 1, shape[0])), slice(max(left, 0), min(right + 1, shape[1]))


def _heat_map(points: npt.NDArray[np.int64], placement: Placement, canvas: int) -> npt.NDArray[np.float64]:
    """Maximum of one Gaussian per point, stretched to 0..255: ``(S, S)``."""
    offsets = points - np.array(placement.crop[:2])
    centres = np.trunc(offsets * (canvas / np.array(placement.size, np.float64)))
    grid = np.arange(canvas)
    squared = (grid - centres[:, :1])[:, :, None] ** 2 + (grid - centres[:, 1:])[:, None, :] ** 2
    heat = np.exp(-4 * np.log(2) * squared.min(axis=0) / _FWHM**2)
    heat -= heat.min()
    stretched: npt.NDArray[np.float64] = heat * (255 / max(float(heat.max()), 1e-6))
    return stretched


def _read_crop(plane: ImagePlane, placement: Placement, canvas: int) -> npt.NDArray[np.float32]:
    """The crop on the canvas: ``(3, S, S)`` whole numbers in 0..255, zero outside the image."""
    region = _visible(placement.crop, placement.shape)
    block = plane.read_coarse(region, max(placement.size) // canvas if max(placement.size) > _EXACT_SIDE else 1)
    pixels = np.rint(block.pixels).astype(np.uint8)
    binary = int(pixels.max()) <= 1  # such a crop was taken for a mask, and resized with nearest
    axes = []
    for axis in (0, 1):
        length, corner = placement.size[axis], placement.crop[axis]
        taps = _nearest(length, canvas) if binary else _taps(length, canvas, 0, canvas)
        inside = (taps.index + corner >= 0) & (taps.index + corner < placement.shape[axis])
        index = np.rint((taps.index + corner - block.origin[axis]) / block.spacing[axis]).astype(np.int64)
        axes.append(_Taps(np.clip(index, 0, pixels.shape[axis] - 1), np.where(inside, taps.weight, 0)))
    rows, cols = axes
    values = _resample(pixels, rows, cols)
    return np.clip(np.rint(values), 0, 255).astype(np.float32).transpose(2, 0, 1)


@dataclass(frozen=True, eq=False)
class _Taps:
    """Which input samples make up each output sample: ``(n, k)`` indices and weights."""

    index: npt.NDArray[np.int64]
    weight: npt.NDArray[Any]


def _taps(length: int, canvas: int, start: int, stop: int) -> _Taps:
    """Cubic convolution from ``length`` samples to ``canvas``; the outputs ``start`` to ``stop`` of them.

    Half-pixel centres, the border sample repeated, no smoothing when shrinking.
    """
    position = (np.arange(start, stop) + 0.5) * (length / canvas) - 0.5
    first = np.floor(position)
    near = position - first
    distance = np.stack([near + 1, near, 1 - near, 2 - near], axis=1)
    a = _CUBIC
    inner = ((a + 2) * distance - (a + 3)) * distance**2 + 1
    outer = ((a * distance - 5 * a) * distance + 8 * a) * distance - 4 * a
    weight = np.where(distance <= 1, inner, outer)
    index = first[:, None].astype(np.int64) + np.arange(-1, 3)
    return _Taps(np.clip(index, 0, length - 1), weight.astype(np.float32))


def _nearest(length: int, canvas: int) -> _Taps:
    index = np.minimum(np.floor(np.arange(canvas) * (length / canvas)).astype(np.int64), length - 1)
    return _Taps(index[:, None], np.ones((canvas, 1), np.float32))


def _resample(values: npt.NDArray[Any], rows: _Taps, cols: _Taps) -> npt.NDArray[np.float32]:
    """Apply taps to both axes of ``(h, w, c)`` values."""
    needed, index = np.unique(rows.index, return_inverse=True)
    values = values[needed]
    index = index.reshape(rows.index.shape)
    wide = np.zeros((len(needed), len(cols.index), values.shape[2]), np.float32)
    for tap in range(cols.index.shape[1]):
        wide += values[:, cols.index[:, tap]] * cols.weight[:, tap, None].astype(np.float32)
    result = np.zeros((len(rows.index), *wide.shape[1:]), np.float32)
    for tap in range(rows.index.shape[1]):
        result += wide[index[:, tap]] * rows.weight[:, tap, None, None].astype(np.float32)
    return result
