"""Sample data for File > Open Sample. Nothing is downloaded.

Photographs come with scikit-image, nuclei (CC0, see ``sample_images/TERMS.md``) with this package; the stack is drawn.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..image_file import read_image

LayerData = tuple[Any, dict[str, Any], str]

NUCLEI = 6
"""How many images of nuclei there are."""

_FOLDER = Path(__file__).parent / "sample_images"
# What makes of the nuclei a kind that no model here has seen: out of focus by so many pixels, behind fibres that lie so
# many pixels apart and shade by so large a share, with so many grey levels of noise.
_BLUR, _APART, _SHADE, _GRAIN = 2.0, 8.0, 0.4, 6.0
_OFFSET, _PHOTONS = 100, 4.0  # counts of a camera in the dark; photons for each grey level of the image


def astronaut() -> list[LayerData]:
    """Portrait of an astronaut (RGB, 512 x 512)."""
    return _photograph("astronaut", "Astronaut")


def cat() -> list[LayerData]:
    """A cat (RGB, 300 x 451)."""
    return _photograph("chelsea", "Cat")


def coffee() -> list[LayerData]:
    """A cup of coffee (RGB, 400 x 600)."""
    return _photograph("coffee", "Coffee")


def coins() -> list[LayerData]:
    """Coins from Pompeii (grey, 303 x 384)."""
    return _photograph("coins", "Coins")


def tissue() -> list[LayerData]:
    """Immunohistochemical staining of colonic glands (RGB, 512 x 512)."""
    return _photograph("immunohistochemistry", "Tissue")


def fluorescence() -> list[LayerData]:
    """Nuclei as a 16-bit camera counts them (256 x 256): dim ones beside a bright one.

    The image is one of the 8-bit ones; offset and photon noise of a camera are added.
    """
    expected = _nuclei()[-1] * _PHOTONS
    counts = _OFFSET + np.random.default_rng(0).poisson(expected)
    return [(counts.astype(np.uint16), {"name": "Fluorescence"}, "image")]


def stack() -> list[LayerData]:
    """Nuclei in three dimensions (24 planes of 256 x 256, 16 bits, 2 x 0.5 x 0.5 µm), drawn, not recorded."""
    from .sample_stack import SPACING, draw_stack

    placed = {"scale": SPACING, "units": ("um",) * 3, "axis_labels": ("z", "y", "x")}
    return [(draw_stack(), {"name": "Stack", **placed}, "image")]


def nuclei() -> list[LayerData]:
    """Six fluorescence images of nuclei (8 bits, 256 x 256), one on each plane."""
    return [(_nuclei(), {"name": "Nuclei"}, "image")]


def nuclei_labels() -> list[LayerData]:
    """The six images of nuclei, and the labels of their 125 nuclei."""
    return [*nuclei(), _labels()]


def nuclei_dark() -> list[LayerData]:
    """The six images of nuclei inverted, as if seen through a bundle of fibres, and their labels: to fine-tune for.

    The embedded model was trained on the images as they are, so that they cannot show what fine-tuning does.
    """
    from scipy import ndimage

    clear = _nuclei().astype(np.float32)
    clear *= 200 / clear.max(axis=(1, 2), keepdims=True)
    dark = 235 - ndimage.gaussian_filter(clear, (0, _BLUR, _BLUR))
    dark *= 1 + _SHADE * fibres(dark.shape[1:], _APART)
    dark += np.random.default_rng(0).normal(0, _GRAIN, dark.shape)
    return [(np.clip(dark, 0, 255).astype(np.uint8), {"name": "Dark nuclei"}, "image"), _labels()]


SAMPLES = {
    "astronaut": astronaut,
    "cat": cat,
    "coffee": coffee,
    "coins": coins,
    "tissue": tissue,
    "fluorescence": fluorescence,
    "stack": stack,
    "nuclei": nuclei,
    "nuclei_labels": nuclei_labels,
    "nuclei_dark": nuclei_dark,
}
"""Samples by their key in the manifest."""


def _photograph(function: str, name: str) -> list[LayerData]:
    import skimage.data

    return [(getattr(skimage.data, function)(), {"name": name}, "image")]


def _nuclei() -> npt.NDArray[np.uint8]:
    """``(6, 256, 256)``; the files hold the same grey in three channels."""
    files = [_FOLDER / f"nuclei_{number}.jpg" for number in range(1, NUCLEI + 1)]
    return np.stack([np.asarray(read_image(file))[..., 0] for file in files])


def fibres(shape: tuple[int, ...], apart: float) -> npt.NDArray[np.float64]:
    """A honeycomb as a bundle of fibres lays it over an image: three waves that meet at 60 degrees.

    Parameters
    ----------
    shape : (H, W)
    apart : float
        Distance of the waves' crests, pixels.

    Returns
    -------
    (H, W) float64
        -0.5 between the fibres, 1 in the middle of each.
    """
    rows, cols = np.indices(shape)
    waves = [
        np.cos(2 * np.pi / apart * (rows * np.sin(turn) + cols * np.cos(turn))) for turn in np.pi / 3 * np.arange(3)
    ]
    return np.mean(waves, axis=0)


def _labels() -> LayerData:
    """Numbers that no two nuclei share, whatever their plane."""
    planes, last = [], 0
    for number in range(1, NUCLEI + 1):
        plane = np.asarray(read_image(_FOLDER / f"nuclei_{number}_labels.png")).astype(np.uint16)
        plane[plane > 0] += last
        last = int(plane.max())
        planes.append(plane)
    return np.stack(planes), {"name": "Nuclei labels"}, "labels"
