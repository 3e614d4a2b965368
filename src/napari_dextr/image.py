"""Image planes: any real image, read one region at a time, as the RGB that its viewer sees.

An `ImagePlane` wraps what napari or a file gives - numpy, dask or zarr, grey, RGB(A) or channels, 8 or 16 bit,
bool or float with NaN, one array or the levels of a pyramid - and hands out float32 RGB in 0..255. Only the
asked-for region is ever read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .errors import DextrError, ImageError, first_line
from .prompt import Region

Pixels = npt.NDArray[np.float32]

_LIKE_BYTES = 32  # a float image that is brighter than this, and no brighter than 255, holds values of 8 bits
_COARSEST_STEP_READ_IN_FULL = 2  # a plain array is decimated only where this many pixels remain per canvas pixel
_ROUNDED_EXTENTS = 0.02  # by how much an odd extent, halved and rounded, may make a level look coarser than it is


@dataclass(frozen=True, eq=False)
class Block:
    """Pixels read from a plane: pixel ``(i, j)`` lies at ``origin + spacing * (i, j)`` of the plane."""

    pixels: Pixels
    origin: tuple[float, float]
    spacing: tuple[float, float]


@dataclass(frozen=True, eq=False)
class ImagePlane:
    """One plane of an image, read lazily. Make it with `as_plane`.

    Attributes
    ----------
    levels : tuple of array-like
        ``(H, W)`` or ``(H, W, C)`` arrays, finest first; each needs only ``shape``, ``dtype`` and slicing.
    channels : tuple of int or None
        Which channels of the last axis become red, green and blue; None for a plane without a channel axis.
        Two channels give (a, b, mean).
    limits : tuple of float or None
        Contrast limits ``(low, high)``: the intensities shown as black and as white.
    """

    levels: tuple[Any, ...]
    channels: tuple[int, ...] | None
    limits: tuple[float, float] | None

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width of the finest level, pixels."""
        return int(self.levels[0].shape[0]), int(self.levels[0].shape[1])

    def read(self, region: Region) -> Pixels:
        """Read a region of the finest level as ``(h, w, 3)`` float32 RGB in 0..255."""
        return self._display(self._fetch(self.levels[0], region, (1, 1)))

    def read_coarse(self, region: Region, step: float | tuple[float, float]) -> Block:
        """Read a region for a use that needs only one pixel in ``step``, at least two where there are more.

        A pyramid answers from the coarsest level that is still fine enough along both axes. A single array is
        decimated, so that a huge object costs no more than a large one.

        Parameters
        ----------
        region : two slices
        step : float or (float, float)
            Pixels of the plane for each pixel that is needed, along rows and columns.
        """
        steps = step if isinstance(step, tuple) else (step, step)
        level, factors = self._level_for(steps)
        parts, strides = [], []
        for part, factor, extent, wanted in zip(region, factors, level.shape[:2], steps, strict=True):
            start = min(int(part.start / factor), extent - 1)
            stop = max(start + 1, min(int(np.ceil(part.stop / factor)), extent))
            parts.append(slice(start, stop))
            strides.append(max(1, int(wanted / factor / _COARSEST_STEP_READ_IN_FULL)))
        rows, cols = parts
        pixels = self._display(self._fetch(level, (rows, cols), (strides[0], strides[1])))
        # A level's pixel covers `factor` fine pixels: centres are related by (p + 0.5) / factor - 0.5.
        origin = ((rows.start + 0.5) * factors[0] - 0.5, (cols.start + 0.5) * factors[1] - 0.5)
        return Block(pixels, origin, (strides[0] * factors[0], strides[1] * factors[1]))

    def _level_for(self, steps: tuple[float, float]) -> tuple[Any, tuple[float, float]]:
        """The coarsest level that is fine enough, and for how many pixels of the plane one of its own stands."""
        height, width = self.shape
        level, factors = self.levels[0], (1.0, 1.0)
        for candidate in self.levels[1:]:
            ratio = (height / candidate.shape[0], width / candidate.shape[1])
            fine = all(r <= step * (1 + _ROUNDED_EXTENTS) for r, step in zip(ratio, steps, strict=True))
            if fine and ratio[0] * ratio[1] > factors[0] * factors[1]:
                level, factors = candidate, ratio
        return level, factors

    def _fetch(self, level: Any, region: Region, strides: tuple[int, int]) -> npt.NDArray[Any]:
        rows, cols = region
        try:
            block = level[rows.start : rows.stop : strides[0], cols.start : cols.stop : strides[1]]
            return np.asarray(block)
        except DextrError:
            raise
        except MemoryError as error:
            raise ImageError(
                "There is not enough memory to read this part of the image; close other programs."
            ) from error
        except Exception as error:  # of whatever library reads the pixels
            raise ImageError(
                f"The image could not be read here ({first_line(error)}); check that its file is still there and whole."
            ) from error

    def _display(self, block: npt.NDArray[Any]) -> Pixels:
        """RGB in 0..255 as the viewer shows it; NaN becomes the darkest value of the block."""
        if self.channels is not None:
            block = block[..., list(self.channels)]
        values = _to_255(block, self.limits)
        if values.ndim == 2:
            values = values[..., None]
        if values.shape[-1] == 2:
            values = np.concatenate([values, values.mean(axis=-1, keepdims=True)], axis=-1)
        return np.ascontiguousarray(np.broadcast_to(values, (*values.shape[:2], 3)))


def as_plane(
    image: Any, *, channels: Sequence[int] | None = None, limits: tuple[float, float] | None = None
) -> ImagePlane:
    """Wrap an image plane.

    Parameters
    ----------
    image : array-like, or sequence of array-like
        ``(H, W)`` or ``(H, W, C)``: numpy, dask, zarr or anything that slices; a list is read as the levels of
        a pyramid, finest first. One channel is grey, two are (a, b, mean), three RGB, four RGBA (alpha is dropped).
    channels : sequence of int, optional
        One to three indices into the last axis; needed where it has more than four.
    limits : (low, high), optional
        Contrast limits. Without them 8-bit images are taken as they are; float images within 0..1, or within 0..255
        and brighter than 32, likewise; everything else is stretched between the extremes of the part that is read.

    Raises
    ------
    ImageError
        If the image is empty, too small, not an image plane or not numeric.

    Examples
    --------
    >>> plane = as_plane(np.zeros((100, 80, 5), np.uint16), channels=[4, 0], limits=(0, 4095))
    >>> plane.shape
    (100, 80)
    >>> plane.read((slice(0, 10), slice(0, 20))).shape  # as the viewer shows it: red, green and blue
    (10, 20, 3)
    """
    if isinstance(image, ImagePlane):
        return image
    pyramid = isinstance(image, (list, tuple)) or type(image).__name__ == "MultiScaleData"
    if pyramid and len(image) and all(hasattr(level, "shape") for level in image):
        levels = tuple(image)
    else:
        levels = (_as_array(image),)
    first = levels[0]
    shape = _extents(first)
    if len(shape) not in (2, 3):
        raise ImageError(
            f"An image plane has 2 axes, or 3 with channels last; this one has shape {shape}. Pick one plane of it."
        )
    if min(shape) == 0:
        raise ImageError(f"The image is empty (shape {shape}); open another one.")
    if min(shape[:2]) < 2:
        raise ImageError(f"The image has only {shape[0]} x {shape[1]} pixels; an object needs at least 2 x 2.")
    if _kind(first) not in tuple("buif"):
        raise ImageError(f"The image holds values of type '{first.dtype}'; convert it to a numpy array of numbers.")
    for level in levels[1:]:
        extents = _extents(level)
        if len(extents) != len(shape) or extents[2:] != shape[2:] or min(extents) == 0 or _kind(level) != _kind(first):
            raise ImageError(
                f"A level of the pyramid has shape {extents} where the finest one has {shape}; open another image."
            )
    if len(shape) == 3:
        chosen: tuple[int, ...] | None = _choose_channels(shape, channels)
    elif channels is not None and tuple(channels) not in ((), (0,)):
        raise ImageError("The image has no channel axis, so no channels can be chosen.")
    else:
        chosen = None
    if limits is not None:
        low, high = (float(value) for value in limits)
        if not (np.isfinite(low) and np.isfinite(high) and low < high):
            raise ImageError(f"The contrast limits ({low}, {high}) must be two finite numbers, the lower one first.")
        limits = (low, high)
    return ImagePlane(levels, chosen, limits)


def _as_array(image: Any) -> Any:
    if hasattr(image, "shape") and hasattr(image, "dtype"):
        return image
    try:
        return np.asarray(image)
    except (TypeError, ValueError, OverflowError) as error:
        raise ImageError(f"This is no image: its rows do not make an array ({first_line(error)}).") from error


def _extents(level: Any) -> tuple[int, ...]:
    """Shape in whole numbers."""
    try:
        return tuple(int(extent) for extent in level.shape)
    except (TypeError, ValueError) as error:  # dask writes NaN for what it has not computed yet
        raise ImageError(
            f"The image does not know its own size (shape {level.shape}); with dask, call compute_chunk_sizes() first."
        ) from error


def _kind(level: Any) -> str | None:
    """Letter of numpy for the kind of numbers, None where numpy does not know them."""
    try:
        return str(np.dtype(level.dtype).kind)
    except TypeError:
        return None


def _choose_channels(shape: tuple[int, ...], channels: Sequence[int] | None) -> tuple[int, ...]:
    count = shape[2]
    if channels is None:
        if count > 4:
            raise ImageError(
                f"The image has shape {shape}, that is {count} channels in its last axis; "
                "choose one to three of them (channels), or pass one plane of a stack."
            )
        return tuple(range(min(count, 3)))
    chosen = tuple(int(channel) for channel in channels)
    if not 1 <= len(chosen) <= 3 or any(not -count <= channel < count for channel in chosen):
        raise ImageError(f"Choose one to three channels between 0 and {count - 1}; got {chosen}.")
    return chosen


def _to_255(block: npt.NDArray[Any], limits: tuple[float, float] | None) -> Pixels:
    if block.dtype == np.uint8 and limits in (None, (0.0, 255.0)):
        return block.astype(np.float32)
    if block.dtype == bool:
        return block.astype(np.float32) * 255
    if block.dtype.kind == "f" and block.dtype.itemsize > 8:  # what float64 cannot hold would become infinite below
        most = np.finfo(np.float64).max
        block = np.where(np.isfinite(block), np.clip(block, -most, most), block).astype(np.float64)
    finite = np.isfinite(block) if block.dtype.kind == "f" else None
    if finite is not None and finite.all():
        finite = None
    seen = block if finite is None else block[finite]
    if not seen.size:
        return np.zeros(block.shape, np.float32)
    darkest, brightest = float(seen.min()), float(seen.max())
    if finite is not None:
        block = np.nan_to_num(block, nan=darkest, posinf=brightest, neginf=darkest)
    if limits is not None:
        low, high = limits
    elif block.dtype.kind == "f" and darkest >= 0 and (brightest <= 1 or _LIKE_BYTES < brightest <= 255):
        low, high = 0.0, (1.0 if brightest <= 1 else 255.0)
    else:
        low, high = darkest, brightest
    # float64: a 32-bit integer or a float with a large offset would lose its contrast in float32; divided before
    # the difference is taken, because the extremes of a float may lie farther apart than any float is large
    span = high / 255 - low / 255
    with np.errstate(over="ignore"):  # infinite is beyond the limits, too
        scaled = (block.astype(np.float64) / 255 - low / 255) / (span if span > 0 else 1.0) * 255
    return np.clip(scaled, 0, 255).astype(np.float32)
