"""Frames: the affine map between the image plane and the network's square canvas.

This is the only module that converts coordinates. On both sides the centre of pixel ``(i, j)`` is the point
``(i, j)`` (half-pixel centres, torch's ``align_corners=False``), so that resampling never shifts anything.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F

from .image import ImagePlane
from .noise import averaging_width, is_thin, quieten, thickness
from .prompt import Bounds, Points, Region

_BAND = 1 << 22  # pixels resampled at a time: bounds the memory of a very large object
_FINEST_SUPERSAMPLING = 8

Matrix = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Frame:
    """An affine map from image plane to canvas.

    Attributes
    ----------
    matrix : (2, 3) float64
        Takes homogeneous ``(row, col, 1)`` of the image plane to ``(row, col)`` of the canvas.
    size : int
        Side of the square canvas, pixels.
    shape : (int, int)
        Height and width of the image plane, pixels.
    """

    matrix: Matrix
    size: int
    shape: tuple[int, int]

    @classmethod
    def around(
        cls,
        bounds: Bounds,
        size: int,
        shape: tuple[int, int],
        *,
        margin: float = 0.2,
        least: float = 4.0,
        stretch: float = 2.0,
        turn: Matrix | None = None,
    ) -> Frame:
        """Frame of a crop around a box of marks.

        Parameters
        ----------
        bounds : (r0, c0, r1, c1)
            Box through the centres of the outermost pixels, in image coordinates (after ``turn``, if given).
        size : int
            Side of the canvas, pixels.
        shape : (H, W)
            Extent of the image plane. The crop may leave it; there it holds the fill value.
        margin : float
            Added on each side, as a share of the box's longer side.
        least : float
            Smallest margin, in image pixels.
        stretch : float
            How far the aspect ratio may be changed to fill the square. A longer box is given more surroundings
            on its short sides instead.
        turn : (2, 2) array, optional
            Rotation or reflection applied to image coordinates first.
        """
        r0, c0, r1, c1 = bounds
        extent = np.array([r1 - r0 + 1.0, c1 - c0 + 1.0])
        border = max(margin * extent.max(), least)
        extent = extent + 2 * border
        extent = np.maximum(extent, extent.max() / stretch)
        centre = np.array([(r0 + r1) / 2, (c0 + c1) / 2])
        scale = size / extent
        linear = np.diag(scale) @ (np.eye(2) if turn is None else np.asarray(turn, np.float64))
        offset = (size - 1) / 2 - scale * centre
        return cls(np.column_stack([linear, offset]), int(size), (int(shape[0]), int(shape[1])))

    @property
    def inverse(self) -> Matrix:
        """``(2, 3)`` map from canvas to image plane."""
        back = np.linalg.inv(self.matrix[:, :2])
        return np.column_stack([back, -back @ self.matrix[:, 2]])

    @property
    def zoom(self) -> float:
        """Canvas pixels per image pixel (the larger of the two axes)."""
        return float(np.linalg.norm(self.matrix[:, :2], axis=1).max())

    def to_canvas(self, points: Any) -> Points:
        """Map ``(N, 2)`` image points to the canvas."""
        return _apply(self.matrix, points)

    def to_image(self, points: Any) -> Points:
        """Map ``(N, 2)`` canvas points to the image plane."""
        return _apply(self.inverse, points)

    @property
    def region(self) -> Region:
        """Pixels of the image plane whose centres lie on the canvas: two slices inside the image."""
        return self._region(0.0)

    def _region(self, border: float) -> Region:
        edge = self.size - 0.5
        corners = self.to_image([(-0.5, -0.5), (-0.5, edge), (edge, -0.5), (edge, edge)])
        low, high = corners.min(axis=0) - border, corners.max(axis=0) + border
        parts = []
        for start, stop, extent in zip(low, high, self.shape, strict=True):
            first = min(max(math.ceil(start - 1e-6), 0), extent - 1)
            parts.append(slice(first, min(max(math.floor(stop + 1e-6) + 1, first + 1), extent)))
        return parts[0], parts[1]

    def read(self, plane: ImagePlane, *, quiet: bool = False) -> tuple[torch.Tensor, torch.Tensor]:
        """Read the crop.

        Parameters
        ----------
        plane : ImagePlane
        quiet : bool
            Whether strong noise is averaged away, see `napari_dextr.noise`.

        Returns
        -------
        pixels : (3, S, S) float32 tensor
            RGB in 0..255; beyond the image the nearest pixel is repeated.
        inside : (S, S) bool tensor
            Where the canvas lies on the image.
        """
        source, matrix = self._source(plane)
        if quiet:
            # Before anything is magnified: neighbours have noise of their own only here.
            source = torch.from_numpy(quieten(source.numpy()))
        return resample(source, matrix, (self.size, self.size), antialias=False), self.covers_image()

    def averaging(self, plane: ImagePlane) -> float:
        """How widely `read` averages noise away, image pixels; 0 where there is none."""
        source, matrix = self._source(plane)
        finer = np.linalg.norm(matrix[:, :2], axis=1) / np.linalg.norm(self.inverse[:, :2], axis=1)
        return averaging_width(source.numpy()) / float(finer.mean())

    def smears(self, plane: ImagePlane, mask: npt.NDArray[np.bool_], steps: tuple[float, float] = (1.0, 1.0)) -> bool:
        """Whether a quiet `read` takes an object away with the noise.

        Parameters
        ----------
        plane : ImagePlane
        mask : (h, w) bool
            The object, at any scale.
        steps : (float, float)
            Height and width of the mask's pixels, image pixels.
        """
        found = thickness(mask, steps)
        if not is_thin(*found):  # most are not, and nothing needs to be read for them
            return False
        width = self.averaging(plane)
        return width > 0 and is_thin(*found, width)

    def _source(self, plane: ImagePlane) -> tuple[torch.Tensor, Matrix]:
        """The pixels ``(3, h, w)`` that the crop is resampled from, and the map from the canvas to them."""
        rows, cols = (float(step) for step in 1 / np.linalg.norm(self.matrix[:, :2], axis=0))  # per canvas pixel
        block = plane.read_coarse(self._region(math.ceil(max(rows, cols))), (rows, cols))
        matrix = self.inverse.copy()
        matrix[:, 2] -= block.origin
        matrix /= np.asarray(block.spacing)[:, None]
        return shrunk(torch.from_numpy(block.pixels).permute(2, 0, 1), matrix)

    def covers_image(self) -> torch.Tensor:
        """``(S, S)`` bool tensor: where the canvas lies on the image."""
        rows, cols = _coordinates(self.inverse, (self.size, self.size))
        height, width = self.shape
        return (rows >= -0.5) & (rows <= height - 0.5) & (cols >= -0.5) & (cols <= width - 0.5)

    def read_mask(self, mask: Any, region: Region) -> torch.Tensor:
        """Bring a ``(h, w)`` mask or probability on ``region`` to the canvas; zero elsewhere. ``(S, S)`` float32."""
        source = torch.from_numpy(np.array(mask, np.float32))[None]  # a copy: prompts keep theirs read-only
        matrix = self.inverse.copy()
        matrix[:, 2] -= (region[0].start, region[1].start)
        rows, cols = _coordinates(matrix, (self.size, self.size))
        height, width = source.shape[1:]
        there = (rows >= -0.5) & (rows <= height - 0.5) & (cols >= -0.5) & (cols <= width - 0.5)
        return resample(source, matrix, (self.size, self.size))[0] * there

    def paste(self, logits: torch.Tensor) -> tuple[npt.NDArray[np.float32], Region]:
        """Bring logits back to the image plane, as probabilities.

        Parameters
        ----------
        logits : (s, s) float tensor
            Network output over the whole canvas, at any stride.

        Returns
        -------
        probability : (h, w) float32
            Share of each image pixel that belongs to the object. Where an image pixel is larger than a logit's,
            it is the mean over the pixel, so that small objects keep their area.
        region : two slices
            What it covers, inside the image.
        """
        region = self.region
        step = self.size / logits.shape[-1]
        matrix = self.matrix.copy()
        matrix[:, 2] += matrix[:, :2] @ (region[0].start, region[1].start)
        matrix = matrix / step
        matrix[:, 2] += 0.5 / step - 0.5
        fine = min(max(1, math.ceil(self.zoom / step - 0.25)), _FINEST_SUPERSAMPLING)
        height, width = (part.stop - part.start for part in region)
        out = np.empty((height, width), np.float32)
        source = logits[None].float()
        band = max(1, _BAND // max(1, width * fine * fine))
        for start in range(0, height, band):
            rows = min(band, height - start)
            sub = matrix.copy()
            # sub-pixel (a) of pixel (i) lies at i + (a + 0.5) / fine - 0.5
            sub[:, 2] += sub[:, :2] @ (start + 0.5 / fine - 0.5, 0.5 / fine - 0.5)
            sub[:, :2] /= fine
            values = torch.sigmoid(resample(source, sub, (rows * fine, width * fine), antialias=False))
            if fine > 1:
                values = F.avg_pool2d(values, fine)
            out[start : start + rows] = values[0].numpy()
        return out, region


def resample(source: torch.Tensor, matrix: Matrix, shape: tuple[int, int], *, antialias: bool = True) -> torch.Tensor:
    """Resample a ``(C, h, w)`` tensor; ``matrix`` takes target (row, col) to source (row, col).

    Bilinear; where the target is coarser, the source is averaged over blocks first. Beyond the border the
    nearest value is repeated.
    """
    matrix = np.array(matrix, np.float64)
    if antialias:
        source, matrix = shrunk(source, matrix)
    rows, cols = _coordinates(matrix, shape)
    height, width = source.shape[1:]
    grid = torch.stack([(2 * cols + 1) / width - 1, (2 * rows + 1) / height - 1], dim=-1)
    return F.grid_sample(source[None], grid[None].float(), mode="bilinear", padding_mode="border", align_corners=False)[
        0
    ]


def shrunk(source: torch.Tensor, matrix: Matrix) -> tuple[torch.Tensor, Matrix]:
    """A source averaged over blocks, as far as the target of ``matrix`` (see `resample`) is coarser; and its matrix."""
    shrink = np.linalg.norm(matrix[:, :2], axis=1)
    blocks = [max(1, min(int(s + 0.25), extent)) for s, extent in zip(shrink, source.shape[1:], strict=True)]
    if max(blocks) == 1:
        return source, matrix
    factor = np.asarray(blocks, np.float64)
    smaller = F.avg_pool2d(source[None], blocks, ceil_mode=True, count_include_pad=False)[0]
    linear = matrix[:, :2] / factor[:, None]
    return smaller, np.column_stack([linear, (matrix[:, 2] + 0.5) / factor - 0.5])


def _coordinates(matrix: Matrix, shape: tuple[int, int]) -> tuple[torch.Tensor, torch.Tensor]:
    """Source row and col of each target pixel, each a ``shape`` float64 tensor."""
    i = torch.arange(shape[0], dtype=torch.float64)[:, None]
    j = torch.arange(shape[1], dtype=torch.float64)[None, :]
    rows = matrix[0, 0] * i + matrix[0, 1] * j + matrix[0, 2]
    cols = matrix[1, 0] * i + matrix[1, 1] * j + matrix[1, 2]
    return rows, cols


def _apply(matrix: Matrix, points: Any) -> Points:
    array = np.asarray(points, np.float64).reshape(-1, 2)
    mapped: Points = array @ matrix[:, :2].T + matrix[:, 2]
    return mapped
