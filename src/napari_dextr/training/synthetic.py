"""Synthetic objects: superpixels of real photographs, and procedural cells and filaments.

Superpixels as pseudo-objects teach "follow the edges between the marks" for things nobody has labelled; procedural
shapes bring thin, lobed and touching objects of microscopy.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from ..image import as_plane
from .crops import Crop, cut

_SCALES = (80.0, 200.0, 500.0)
"""Scales of the graph-based segmentation (Felzenszwalb and Huttenlocher, IJCV 2004)."""


def superpixel_crops(
    image: npt.NDArray[np.uint8], side: int, rng: np.random.Generator, *, count: int = 3, least_area: int = 400
) -> Iterator[Crop]:
    """Regions of an ``(H, W, 3)`` photograph at a random scale, as if they were objects."""
    from scipy.ndimage import binary_fill_holes
    from skimage.segmentation import felzenszwalb

    regions = felzenszwalb(image, scale=float(rng.choice(_SCALES)), sigma=0.8, min_size=least_area // 2)
    sizes = np.bincount(regions.ravel())
    usable = np.flatnonzero((sizes >= least_area) & (sizes <= 0.5 * regions.size))
    plane = as_plane(image)
    for label in rng.permutation(usable)[:count]:
        mask = binary_fill_holes(regions == label)
        yield cut(plane, mask, None, side)


def procedural_crops(side: int, rng: np.random.Generator, count: int) -> Iterator[Crop]:
    """Drawn fields of blobs or filaments, one object of each field marked."""
    for _ in range(count):
        draw = _filament_field if rng.random() < 0.4 else _blob_field
        image, labels = draw(rng)
        marked = int(rng.integers(1, labels.max() + 1))
        mask = labels == marked
        if mask.sum() < 60:
            continue
        yield cut(as_plane(image), mask, None, side)


def _blob_field(rng: np.random.Generator) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int32]]:
    """Lobed, partly overlapping blobs on a textured background: ``(160, 160, 3)`` and labels."""
    extent = 160
    labels = np.zeros((extent, extent), np.int32)
    shade = np.zeros((extent, extent), np.float32)
    rows, cols = np.mgrid[:extent, :extent].astype(np.float32)
    for label in range(1, int(rng.integers(3, 9))):
        centre = rng.uniform(20, extent - 20, 2)
        radius = rng.uniform(10, 34)
        angle = np.arctan2(rows - centre[0], cols - centre[1])
        stretch = rng.uniform(0.5, 1.0)
        tilt = rng.uniform(0, np.pi)
        u = (rows - centre[0]) * np.cos(tilt) + (cols - centre[1]) * np.sin(tilt)
        v = -(rows - centre[0]) * np.sin(tilt) + (cols - centre[1]) * np.cos(tilt)
        outline = radius * np.ones_like(angle)
        for lobes in range(2, 6):
            outline += radius * rng.normal(0, 0.25 / lobes) * np.cos(lobes * angle + rng.uniform(0, 2 * np.pi))
        distance = np.hypot(u, v / stretch) / np.maximum(outline, 3)
        inside = distance < 1
        labels[inside] = label
        profile = rng.uniform(0.4, 1.0) * (1 - rng.uniform(0, 0.8) * distance**2)
        shade[inside] = profile[inside]
    return _render(shade, rng), labels


def _filament_field(rng: np.random.Generator) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int32]]:
    """Thin curves of a few pixels' width: ``(160, 160, 3)`` and labels."""
    from scipy.ndimage import distance_transform_edt
    from skimage.draw import line

    extent = 160
    labels = np.zeros((extent, extent), np.int32)
    shade = np.zeros((extent, extent), np.float32)
    for label in range(1, int(rng.integers(2, 6))):
        at = rng.uniform(15, extent - 15, 2)
        heading = rng.uniform(0, 2 * np.pi)
        bend = rng.normal(0, 0.06)
        path = np.ones((extent, extent), bool)
        for _ in range(int(rng.integers(10, 40))):
            heading += bend + rng.normal(0, 0.12)
            step = np.clip(at + 4 * np.array([np.sin(heading), np.cos(heading)]), 1, extent - 2)
            path[line(*np.round(at).astype(int), *np.round(step).astype(int))] = False
            at = step
        distance = distance_transform_edt(path)
        width = rng.uniform(1.2, 4.5)
        inside = distance <= width
        labels[inside] = label
        shade[inside] = (rng.uniform(0.4, 1.0) * (1 - 0.5 * (distance / (width + 1)) ** 2))[inside]
    return _render(shade, rng), labels


def _render(shade: npt.NDArray[np.float32], rng: np.random.Generator) -> npt.NDArray[np.uint8]:
    """Colour, blur and texture a field of shades in 0..1."""
    from scipy.ndimage import gaussian_filter

    texture = gaussian_filter(rng.normal(0, 1, shade.shape), rng.uniform(1, 6))
    texture /= texture.std() + 1e-6
    fine = gaussian_filter(rng.normal(0, 1, shade.shape), 0.7)
    field = gaussian_filter(shade, rng.uniform(0.4, 1.4)) + rng.uniform(0, 0.10) * texture + rng.uniform(0, 0.06) * fine
    low, high = rng.uniform(0, 255, (2, 3)) if rng.random() < 0.5 else np.repeat(rng.uniform(0, 255, (2, 1)), 3, axis=1)
    coloured = low + (high - low) * field[..., None] + rng.normal(0, rng.uniform(0, 10), (*shade.shape, 1))
    image: npt.NDArray[np.uint8] = np.clip(coloured, 0, 255).astype(np.uint8)
    return image
