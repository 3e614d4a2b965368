"""A tiny store of drawn objects that every training test can use."""

from __future__ import annotations

import numpy as np
import pytest

from napari_dextr.image import as_plane
from napari_dextr.training.crops import cut, write_store

SIDE = 64


def blobs(count=12, seed=0):
    """Bright rectangles and discs on noise, with a strip of ignored pixels in some."""
    rng = np.random.default_rng(seed)
    for index in range(count):
        rows, cols = np.mgrid[:90, :100]
        centre, radius = rng.uniform(35, 55, 2), rng.uniform(10, 25)
        mask = np.hypot(rows - centre[0], cols - centre[1]) < radius
        if index % 3 == 0:
            mask = (abs(rows - centre[0]) < radius) & (abs(cols - centre[1]) < radius / 2)
        image = (60 + 100 * mask + rng.normal(0, 12, mask.shape)).clip(0, 255).astype(np.uint8)
        ignore = np.zeros_like(mask)
        ignore[:5] = True
        yield cut(as_plane(np.stack([image] * 3, axis=-1)), mask, ignore if index % 2 else None, SIDE)


@pytest.fixture(scope="session")
def store(tmp_path_factory):
    folder = tmp_path_factory.mktemp("store")
    return write_store(folder, [("upright", blobs(12, 0)), ("turning", blobs(6, 1))], SIDE)


@pytest.fixture
def network():
    from .child import make_network

    return make_network()
