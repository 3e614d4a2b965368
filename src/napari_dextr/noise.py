"""Noise: how much of it a crop holds, and a crop made quiet enough for a network to see shapes in it.

A small object is read magnified, and with it the noise of its pixels, which then looks like structure. Averaging
neighbouring pixels helps exactly as far as there is noise: a clean crop goes through as it is.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

Channels = npt.NDArray[np.float32]

LOUDEST = 0.12
"""Noise that is left in the mean of a crop's colours, as a share of the deviation of what it shows.

Chosen on noisy nuclei, animals and everyday objects of the training packs: 0.09 to 0.16 are as good.
"""

_WIDEST = 0.1  # deviation of the averaging, as a share of the crop's shorter side: shapes stay
_NARROWEST = 0.5  # pixels; narrower averages change clean crops for nothing
_FAINTEST = 2.0  # grey levels; a crop that shows less than this shows nothing
_MEDIAN_OF_NORMAL = 0.67449  # of the absolute values, in deviations
_WORTH_HALVING = 16  # pixels of a side; half of less shows hardly anything but edges
_THIN = 0.25  # thickness of an object, as a share of its length
_SMEARED = 18.0  # widths of an average; what is thicker keeps its edges
_SHAPED = 512  # pixels of a side that suffice to see how thin an object is
_REACH = 3.0  # deviations that an average reaches to
_SAMPLED = 64  # rows and columns at which noise is measured, at least, where there are so many


def noise_level(pixels: Channels) -> float:
    """Standard deviation of the noise from pixel to pixel, in the mean of the channels.

    The mean, since a network averages over colours as well: noise of its own in each of three harms less than the
    same noise in all of them. Flat parts, slopes and straight edges cancel in the difference of the diagonals of two
    by two pixels; what is left, by its median, is noise, as long as fine detail covers less than half of the image.

    Parameters
    ----------
    pixels : (C, h, w) float array
        Any unit.

    Returns
    -------
    float
        In the unit of the pixels; 0 where there are fewer than two by two.

    Notes
    -----
    The detail of Haar's wavelets, and the estimate of its deviation by Donoho and Johnstone (Biometrika, 1994).

    Examples
    --------
    >>> noise = np.random.default_rng(0).normal(0, 20, (100, 100))
    >>> ramp = np.linspace(0, 255, 100) + np.zeros((3, 100, 1))
    >>> round(noise_level(ramp + noise)), noise_level(ramp) < 1e-9
    (20, True)
    """
    height, width = pixels.shape[-2:]
    if min(height, width) < 2:
        return 0.0
    step = max(1, min(height, width) // _SAMPLED)
    (a, b), (c, d) = (
        [pixels[:, row : height - 1 + row : step, col : width - 1 + col : step].mean(axis=0) for col in (0, 1)]
        for row in (0, 1)
    )
    return float(np.median(np.abs(a - b - c + d)) / 2 / _MEDIAN_OF_NORMAL)


def averaging_width(pixels: Channels) -> float:
    """How widely to average so that noise is at most `LOUDEST` of what a crop shows.

    Parameters
    ----------
    pixels : (C, h, w) float array, in grey levels of 0..255

    Returns
    -------
    float
        Standard deviation of a Gaussian, in pixels; 0 where nothing needs to be done.
    """
    smaller = min(pixels.shape[-2:])
    width = _width(pixels)
    if smaller >= _WORTH_HALVING:  # JPEG takes noise from the finest pixels only, and so does enlarging
        width = max(width, 2 * _width(_halved(pixels)))
    width = min(width, _WIDEST * smaller)
    return width if width >= _NARROWEST else 0.0


def _width(pixels: Channels) -> float:
    noise = noise_level(pixels)
    if noise == 0:
        return 0.0
    variance = float(np.mean([channel.var() for channel in pixels]))
    least = _width_for(noise, variance)
    if least < _NARROWEST / 4:
        return least  # far too narrow to be used, whatever part of the variance is noise
    return _width_for(noise, variance - float(np.mean([noise_level(channel[None]) ** 2 for channel in pixels])))


def _width_for(noise: float, variance: float) -> float:
    """White noise that a Gaussian of deviation s averages keeps 1 / (2 s sqrt(pi)) of its own deviation."""
    return noise / (LOUDEST * 2 * math.sqrt(math.pi) * math.sqrt(max(variance, _FAINTEST**2)))


def _halved(pixels: Channels) -> Channels:
    """The mean of each two by two pixels."""
    height, width = (extent // 2 * 2 for extent in pixels.shape[-2:])
    even, odd = (pixels[:, row:height:2, :width] for row in (0, 1))
    rows = even + odd
    return np.asarray((rows[:, :, 0::2] + rows[:, :, 1::2]) / 4, np.float32)


def quieten(pixels: Channels) -> Channels:
    """A crop in which noise is no louder than `LOUDEST`: averaged with a Gaussian where it is, else itself.

    The noise may be as fine as the pixels or twice as coarse.

    Parameters
    ----------
    pixels : (C, h, w) float array, in grey levels of 0..255

    Returns
    -------
    (C, h, w) float32 array
    """
    width = averaging_width(pixels)
    if not width:
        return pixels
    from scipy.ndimage import gaussian_filter

    quiet: Channels = gaussian_filter(pixels, (0, width, width), mode="nearest", truncate=_REACH)
    return quiet


def thickness(mask: npt.NDArray[np.bool_], steps: tuple[float, float] = (1.0, 1.0)) -> tuple[float, float]:
    """Mean thickness of an object, and its length.

    Parameters
    ----------
    mask : (h, w) bool
    steps : (float, float)
        Height and width of its pixels, in any unit.

    Returns
    -------
    thickness, length : float
        In that unit: twice the area over the outline, and the longer side of the box. Both 0 for an empty mask.

    Examples
    --------
    >>> bar = np.zeros((20, 60), bool)
    >>> bar[8:12, 5:55] = True
    >>> across, along = thickness(bar)
    >>> round(across, 1), along
    (4.7, 50.0)
    """
    stride = max(1, max(mask.shape) // _SHAPED)
    mask, (height, width) = mask[::stride, ::stride], (stride * step for step in steps)
    rows, cols = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        return 0.0, 0.0
    padded = np.pad(mask, 1)
    edges = [np.count_nonzero(np.diff(padded, axis=axis)) for axis in (0, 1)]
    # Counted edges are longer than a slanted outline: by 4 / pi, over all directions.
    outline = (edges[0] * width + edges[1] * height) * np.pi / 4
    area = np.count_nonzero(mask) * height * width
    return float(2 * area / outline), float(max(np.ptp(rows) * height + height, np.ptp(cols) * width + width))


def is_thin(thickness: float, length: float, width: float = math.inf) -> bool:
    """Whether an object is so thin that averaging takes it away with the noise: a fibre, a vessel.

    Parameters
    ----------
    thickness, length : float
        Of the object, as `thickness` gives them. Nothing (0, 0) is thin.
    width : float
        Of the averaging, in the same unit. Without it: whether any could take the object away.
    """
    return thickness <= _THIN * length and thickness <= _SMEARED * width
