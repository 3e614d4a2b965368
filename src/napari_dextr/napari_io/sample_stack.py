"""A stack of nuclei, drawn as a confocal microscope records them: blurred more along the axis, with photon noise."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

SHAPE = (24, 256, 256)
"""Planes, rows and columns."""

SPACING = (2.0, 0.5, 0.5)
"""Micrometres between planes, rows and columns."""

_COUNT = 70  # nuclei that are tried; those that would touch another one are left out
_RADIUS = (6.0, 10.0)  # micrometres, of each half axis
_GAP = 1.05  # distance of two centres at least, in sums of their largest half axes
_BLUR = (1.0, 1.2, 1.2)  # pixels: 2 µm along the axis, 0.6 µm across
_OFFSET, _LIGHT = 110, 900.0  # counts of the camera in the dark; photons of a bright nucleus


def draw_stack(seed: int = 0) -> npt.NDArray[np.uint16]:
    """The stack, ``SHAPE``; the same for the same seed."""
    from scipy import ndimage

    rng = np.random.default_rng(seed)
    extent = np.array(SHAPE) * SPACING
    axes = [np.arange(size, dtype=np.float32) * step for size, step in zip(SHAPE, SPACING, strict=True)]
    grain = ndimage.gaussian_filter(rng.standard_normal(SHAPE, np.float32), (0.8, 3, 3))
    light = np.full(SHAPE, 0.02, np.float32)
    placed: list[tuple[npt.NDArray[np.float64], float]] = []
    for _ in range(_COUNT):
        centre, radii = rng.uniform(0.08, 0.92, 3) * extent, rng.uniform(*_RADIUS, 3)
        axis, brightness = np.linalg.qr(rng.standard_normal((3, 3)))[0], rng.uniform(0.35, 1.0)
        reach = float(radii.max())
        if any(np.linalg.norm(centre - other) < _GAP * (reach + far) for other, far in placed):
            continue
        placed.append((centre, reach))
        part = tuple(
            slice(*np.searchsorted(ticks, (middle - reach, middle + reach)))
            for ticks, middle in zip(axes, centre, strict=True)
        )
        near = np.meshgrid(*(ticks[cut] for ticks, cut in zip(axes, part, strict=True)), indexing="ij")
        offset = np.stack(near, axis=-1) - centre
        inside = (((offset @ axis) / radii) ** 2).sum(axis=-1) < 1
        light[part][inside] = brightness * (1 + 2.2 * grain[part][inside])
    blurred = np.clip(ndimage.gaussian_filter(light, _BLUR), 0, None)
    return (_OFFSET + rng.poisson(blurred * _LIGHT)).astype(np.uint16)
