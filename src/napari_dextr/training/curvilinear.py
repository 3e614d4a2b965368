"""Threads, tubes and trees of them drawn over photographs: cracks, hairs, wires, vessels on whatever lies behind them.

Drawn pictures (`napari_dextr.training.procedural`) teach thin objects on plain ground; here the ground has edges of
its own, which a thin object crosses without belonging to them.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .procedural import EXTENT, Mask, Scene, Shade, blurred, draw_filaments, smooth_noise

_LEAST_CONTRAST = 15.0  # grey levels by which a thread changes what it covers, on average; less is hard to see
_WIDEST = 5.0  # half of a thread's width at most, pixels; wider ones are in the drawn pictures
_LEAST_WINDOW = 120  # side of the window of a photograph that becomes the ground, pixels


def draw_threads(
    photograph: npt.NDArray[np.uint8], rng: np.random.Generator
) -> tuple[npt.NDArray[np.uint8], list[Mask]]:
    """Threads over a window of a photograph.

    Parameters
    ----------
    photograph : (H, W, 3) uint8
    rng : numpy.random.Generator

    Returns
    -------
    image : (E, E, 3) uint8
        E is `napari_dextr.training.procedural.EXTENT`.
    masks : list of (E, E) bool
        Of the threads that can be seen.
    """
    ground = _window(photograph, rng)
    scene = Scene()
    draw_filaments(scene, rng, widest=_WIDEST)
    shade = blurred(scene.shade, float(np.exp(rng.uniform(np.log(0.4), np.log(1.6)))))
    picture = _laid_over(ground, shade, rng)
    seen = np.abs(picture - ground).max(axis=-1)
    grain = rng.uniform(0, 6) * rng.normal(0, 1, (EXTENT, EXTENT, 1))
    image: npt.NDArray[np.uint8] = np.clip(picture + grain, 0, 255).astype(np.uint8)
    return image, [mask for mask in scene.objects() if seen[mask].mean() >= _LEAST_CONTRAST]


def _window(photograph: npt.NDArray[np.uint8], rng: np.random.Generator) -> npt.NDArray[np.float32]:
    """A square window of a photograph, at the size of a drawn picture and as sharp as it comes."""
    from PIL import Image

    height, width = photograph.shape[:2]
    largest = min(height, width)
    side = int(rng.integers(min(_LEAST_WINDOW, largest), largest + 1))
    top, left = int(rng.integers(height - side + 1)), int(rng.integers(width - side + 1))
    window = Image.fromarray(np.ascontiguousarray(photograph[top : top + side, left : left + side]))
    return np.asarray(window.resize((EXTENT, EXTENT), Image.Resampling.BILINEAR), np.float32)


def _laid_over(ground: npt.NDArray[np.float32], shade: Shade, rng: np.random.Generator) -> npt.NDArray[np.float32]:
    """Ground changed where the threads are: darker, lighter, or in a colour of their own, more or less opaque."""
    opacity = np.float32(rng.uniform(0.25, 1.0)) * np.clip(shade, 0, 1)
    if rng.random() < 0.4:
        opacity = opacity * np.clip(1 + rng.uniform(0, 0.4) * smooth_noise(rng, rng.uniform(2, 12)), 0, 1)
    cover: npt.NDArray[np.float32] = np.asarray(opacity[..., None], np.float32)
    kind = rng.random()
    if kind < 0.35:  # a shadow or a crack: what is behind shows through
        return ground * (1 - cover * np.float32(rng.uniform(0.4, 0.95)))
    if kind < 0.55:
        return ground + (255 - ground) * cover * np.float32(rng.uniform(0.3, 0.9))
    colour = rng.uniform(0, 255, 3) if rng.random() < 0.6 else np.repeat(rng.uniform(0, 255), 3)
    texture = rng.uniform(0, 15) * smooth_noise(rng, rng.uniform(1, 4))[..., None]
    laid: npt.NDArray[np.float32] = (ground * (1 - cover) + (colour + texture) * cover).astype(np.float32)
    return laid
