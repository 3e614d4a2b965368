"""Synthetic objects: superpixels of real photographs, threads drawn over them, and drawn cells and filaments.

Superpixels as pseudo-objects teach "follow the edges between the marks" for things nobody has labelled; drawn scenes
bring thin, lobed and touching objects of microscopy, threads over photographs thin objects on ground with edges.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from ..image import as_plane
from .crops import Crop, cut
from .curvilinear import draw_threads
from .procedural import draw_scene

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
    """One object of each of ``count`` drawn pictures (`napari_dextr.training.procedural`), where one shows."""
    for _ in range(count):
        image, masks = draw_scene(rng)
        if masks:
            yield cut(as_plane(image), masks[int(rng.integers(len(masks)))], None, side)


def thread_crops(
    image: npt.NDArray[np.uint8], side: int, rng: np.random.Generator, *, count: int = 2
) -> Iterator[Crop]:
    """Threads over a window of an ``(H, W, 3)`` photograph (`napari_dextr.training.curvilinear`), where some show."""
    drawn, masks = draw_threads(image, rng)
    plane = as_plane(drawn)
    for index in rng.permutation(len(masks))[:count]:
        yield cut(plane, masks[int(index)], None, side)
