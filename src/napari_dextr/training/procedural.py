"""Drawn pictures of cells and filaments, with the true mask of every object that shows enough of itself.

They bring what photographs lack: lobed and touching cells, rims and halos, tubes a few pixels wide, trees, objects out
of focus, debris, uneven light and grain. Shades are 0..1 until the picture gets its colours.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

Shade = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]

EXTENT = 256
"""Side of a drawn picture, pixels."""

_LEAST_VISIBLE = 0.6  # share of an object that neighbours may not hide
_LEAST_AREA = 60  # pixels
_WAVE = 7  # lobes of a cell's outline at most
_STEP = 3.0  # pixels between the points of a path


@dataclass
class Scene:
    """A picture that is being drawn: shades ``(E, E)``, and the masks of its objects in drawing order."""

    shade: Shade = field(default_factory=lambda: np.zeros((EXTENT, EXTENT), np.float32))
    masks: list[Mask] = field(default_factory=list)
    whole: list[int] = field(default_factory=list)

    def add(self, mask: Mask, value: Shade, opacity: float, *, hides: bool) -> None:
        """Put an object of ``value`` shades on the picture; one that ``hides`` takes its pixels from earlier ones."""
        if hides:
            for earlier in self.masks:
                earlier &= ~mask
        self.shade = np.where(mask, (1 - opacity) * self.shade + opacity * value, self.shade)
        self.masks.append(mask)
        self.whole.append(int(mask.sum()))

    def objects(self) -> list[Mask]:
        """Masks of the objects that show enough of themselves."""
        shown = [int(mask.sum()) for mask in self.masks]
        return [
            mask
            for mask, whole, seen in zip(self.masks, self.whole, shown, strict=True)
            if seen >= max(_LEAST_AREA, _LEAST_VISIBLE * whole)
        ]


def draw_scene(rng: np.random.Generator) -> tuple[npt.NDArray[np.uint8], list[Mask]]:
    """A picture ``(E, E, 3)`` and the masks ``(E, E)`` of its objects: cells, or filaments, or filaments on cells."""
    kind = rng.random()
    scene = Scene()
    if kind < 0.6:
        _draw_cells(scene, rng)
    else:
        if kind > 0.85:
            _draw_cells(scene, rng)
            scene = Scene(scene.shade * np.float32(rng.uniform(0.2, 0.6)))
        draw_filaments(scene, rng)
    return _coloured(scene.shade, rng), scene.objects()


def _draw_cells(scene: Scene, rng: np.random.Generator) -> None:
    """Cells of one kind: filled or rimmed, alone or in clusters, some out of focus behind the others."""
    radius = float(np.exp(rng.uniform(np.log(9), np.log(62))))
    count = int(rng.integers(2, max(4, min(40, round(9000 / radius**2) + 4))))
    clustered, slender = rng.uniform(0, 0.9), rng.uniform(0.45, 1)
    roughness = rng.uniform(0.05, 0.3)
    rim, interior, dome = rng.choice([0.0, 0.0, 0.6, -0.3]), rng.uniform(0.35, 1.0), rng.uniform(0, 0.5)
    if rim > 0:
        interior *= rng.uniform(0.2, 1.0)  # some are seen by their rims alone
    texture = smooth_noise(rng, rng.uniform(1, 8)) * np.float32(rng.uniform(0, 0.15))
    opacity = rng.uniform(0.6, 1.0)
    behind = Scene()
    centres: list[Any] = []
    for _ in range(count):
        centre = rng.uniform(0, EXTENT, 2)
        if centres and rng.random() < clustered:
            angle = rng.uniform(0, 2 * np.pi)
            near = centres[int(rng.integers(len(centres)))]
            centre = near + radius * rng.uniform(1.2, 2.1) * np.array([np.sin(angle), np.cos(angle)])
        centres.append(centre)
        distance = _cell_distance(centre, radius * np.exp(rng.normal(0, 0.18)), slender, roughness, rng)
        value = interior * (1 - dome * distance**2) + texture + rng.normal(0, 0.05)
        if rim:
            value = value + rim * np.exp(-(((distance - 0.93) / 0.09) ** 2))
        target = behind if rng.random() < 0.15 else scene
        target.add(distance < 1, np.clip(value, 0.02, 1.2).astype(np.float32), opacity, hides=True)
    if behind.masks:
        scene.shade = np.maximum(scene.shade, 0.8 * blurred(behind.shade, rng.uniform(4, 9)))


def _cell_distance(
    centre: npt.NDArray[np.float64], radius: float, slender: float, roughness: float, rng: np.random.Generator
) -> Shade:
    """Distance from a cell's centre as a share of the way to its outline, ``(E, E)``: inside below 1."""
    rows, cols = np.ogrid[:EXTENT, :EXTENT]
    tilt = rng.uniform(0, np.pi)
    u = (rows - centre[0]) * np.cos(tilt) + (cols - centre[1]) * np.sin(tilt)
    v = ((cols - centre[1]) * np.cos(tilt) - (rows - centre[0]) * np.sin(tilt)) / (slender * np.exp(rng.normal(0, 0.1)))
    angle = np.arctan2(v, u).astype(np.float32)
    outline = np.ones_like(angle)
    for lobes in range(2, _WAVE + 1):
        outline += np.float32(rng.normal(0, roughness / lobes)) * np.cos(lobes * angle + rng.uniform(0, 2 * np.pi))
    distance: Shade = (np.hypot(u, v) / (radius * np.maximum(outline, 0.3))).astype(np.float32)
    return distance


def draw_filaments(scene: Scene, rng: np.random.Generator, widest: float = 9.0) -> None:
    """Threads, tubes and trees of them, which cross without hiding each other; ``widest`` is half a width, pixels."""
    from scipy.ndimage import distance_transform_edt

    width = float(np.exp(rng.uniform(np.log(1.0), np.log(widest))))
    wander, hollow = rng.uniform(0.02, 0.25), rng.random() < 0.25
    branches = int(rng.integers(1, 6)) if rng.random() < 0.4 else 0
    for _ in range(int(rng.integers(1, 8))):
        widths = np.zeros((EXTENT, EXTENT), np.float32)
        paths = [_path(rng.uniform(15, EXTENT - 15, 2), rng.uniform(0, 2 * np.pi), wander, rng)]
        thick = [width * np.exp(rng.normal(0, 0.2))]
        for _ in range(branches):
            parent = int(rng.integers(len(paths)))
            at = paths[parent][int(rng.integers(len(paths[parent])))]
            paths.append(_path(at, rng.uniform(0, 2 * np.pi), wander, rng))
            thick.append(max(0.8, thick[parent] * rng.uniform(0.5, 0.9)))
        taper = rng.uniform(0.3, 1.0)
        for path, start in zip(paths, thick, strict=True):
            _trace(widths, path, np.linspace(start, max(0.7, taper * start), len(path)))
        away, nearest = distance_transform_edt(widths == 0, return_indices=True)
        local = np.maximum(widths[tuple(nearest)], 0.7)
        across = (away / local).astype(np.float32)
        value = rng.uniform(0.4, 1.0) * (1 - 0.5 * across**2)
        if hollow:
            value = value * (0.35 + 0.65 * np.clip(across, 0, 1) ** 3)
        value = value * (1 + rng.uniform(0, 0.3) * smooth_noise(rng, rng.uniform(2, 6)))  # beads and gaps along it
        mask = away <= local
        scene.add(mask, np.maximum(scene.shade, np.clip(value, 0.03, 1.2)).astype(np.float32), 1.0, hides=False)


def _path(
    at: npt.NDArray[np.float64], heading: float, wander: float, rng: np.random.Generator
) -> npt.NDArray[np.float64]:
    """A smooth random walk ``(N, 2)`` that ends at the picture's border."""
    points, bend = [at], 0.0
    for _ in range(int(rng.integers(8, 70))):
        bend = 0.85 * bend + rng.normal(0, 0.35 * wander)
        heading += bend
        at = at + _STEP * np.array([np.sin(heading), np.cos(heading)])
        if not (1 <= at.min() and at.max() <= EXTENT - 2):
            break
        points.append(at)
    return np.array(points)


def _trace(widths: Shade, path: npt.NDArray[np.float64], along: npt.NDArray[np.float64]) -> None:
    """Write a path's local width into the pixels that it runs through."""
    fine = np.linspace(0, len(path) - 1, max(2, int(len(path) * _STEP * 1.5)))
    knots = np.arange(len(path))
    rows, cols = (np.round(np.interp(fine, knots, path[:, axis])).astype(int) for axis in (0, 1))
    widths[rows, cols] = np.interp(fine, knots, along)


def _coloured(shade: Shade, rng: np.random.Generator) -> npt.NDArray[np.uint8]:
    """Optics, debris, background, light, colours and grain."""
    shade = blurred(shade, float(np.exp(rng.uniform(np.log(0.4), np.log(2.2)))))
    if rng.random() < 0.4:
        debris = np.zeros_like(shade)
        spots = rng.integers(0, EXTENT, (int(rng.integers(5, 120)), 2))
        debris[spots[:, 0], spots[:, 1]] = rng.uniform(1, 12, len(spots))
        shade = shade + rng.choice([-0.5, 0.5, 1.0]) * blurred(debris, rng.uniform(0.7, 2.0))
    background = rng.uniform(0, 0.1) * smooth_noise(rng, rng.uniform(8, 40))
    background = background + rng.uniform(0, 0.05) * smooth_noise(rng, 2.0)
    rows, cols = np.mgrid[-1 : 1 : EXTENT * 1j, -1 : 1 : EXTENT * 1j]
    slope = rng.normal(0, 0.2, 2) if rng.random() < 0.5 else np.zeros(2)
    light = 1 + slope[0] * rows + slope[1] * cols - rng.choice([0.0, 0.3]) * (rows**2 + cols**2) / 2
    shade = ((shade + background) * light).astype(np.float32)
    low, high = _two_colours(rng)
    contrast = float(np.abs(high - low).max())
    stain = contrast * (rng.normal(0, 0.07, 3) if rng.random() < 0.5 else np.zeros(3))  # a dye that follows nothing
    picture = low + (high - low) * shade[..., None] + stain * smooth_noise(rng, rng.uniform(3, 20))[..., None]
    grain = rng.normal(0, 1, (EXTENT, EXTENT, 3 if rng.random() < 0.5 else 1))
    picture = picture + contrast * rng.uniform(0, 0.11) * grain * np.sqrt(0.3 + np.clip(shade, 0, 1))[..., None]
    image: npt.NDArray[np.uint8] = np.clip(picture, 0, 255).astype(np.uint8)
    return image


def _two_colours(rng: np.random.Generator) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Colours of the shades 0 and 1 that can be told apart: grey half of the time."""
    while True:
        low, high = rng.uniform(0, 255, (2, 3)) if rng.random() < 0.5 else np.repeat(rng.uniform(0, 255, (2, 1)), 3, 1)
        if np.abs(high - low).max() > 60:
            return low, high


def smooth_noise(rng: np.random.Generator, sigma: float) -> Shade:
    """Smooth noise ``(E, E)`` of deviation 1, with spots about ``sigma`` pixels wide."""
    coarse = max(1, int(sigma / 2))  # drawn small and spread: smoothing at full size takes most of the time
    extent = -(-EXTENT // coarse) + 1
    small = blurred(rng.normal(0, 1, (extent, extent)).astype(np.float32), sigma / coarse)
    spread = np.repeat(np.repeat(small, coarse, 0), coarse, 1)[:EXTENT, :EXTENT]
    if coarse > 1:
        spread = blurred(spread, coarse / 2)
    noise: Shade = spread / (spread.std() + 1e-6)
    return noise


def blurred(shade: Shade, sigma: float) -> Shade:
    """Shades out of focus by a Gaussian of deviation ``sigma`` pixels."""
    from scipy.ndimage import gaussian_filter

    smooth: Shade = gaussian_filter(shade, sigma)
    return smooth
