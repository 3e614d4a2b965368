"""Synthetic objects: usable crops, repeatable, with an edge to follow."""

from __future__ import annotations

import numpy as np
from skimage import data

from napari_dextr.training import synthetic
from napari_dextr.training.crops import OBJECT


def test_superpixels_of_a_photograph_are_regions_with_an_edge():
    image = data.astronaut()[:256, :256]
    crops = list(synthetic.superpixel_crops(image, 64, np.random.default_rng(0), count=4))
    assert len(crops) == 4
    for crop in crops:
        mask = crop.mask & OBJECT > 0
        assert 0.005 < mask.mean() < 0.5
        assert crop.image.std() > 5


def test_procedural_objects_differ_from_their_surroundings():
    crops = list(synthetic.procedural_crops(64, np.random.default_rng(0), 12))
    assert len(crops) >= 10
    contrast = []
    for crop in crops:
        mask = crop.mask & OBJECT > 0
        assert mask.any()
        assert crop.side > 0
        inside, outside = crop.image[mask].astype(float), crop.image[~mask].astype(float)
        contrast.append(abs(inside.mean(axis=0) - outside.mean(axis=0)).max())
    assert np.median(contrast) > 15


def test_threads_lie_over_the_photograph():
    rng = np.random.default_rng(0)
    crops = [crop for _ in range(6) for crop in synthetic.thread_crops(data.astronaut(), 160, rng, count=2)]
    assert 6 <= len(crops) <= 12
    for crop in crops:
        assert (crop.mask & OBJECT > 0).any()
        assert crop.image.shape == (160, 160, 3)


def test_the_same_seed_draws_the_same_objects():
    first, again = ([c.image for c in synthetic.procedural_crops(48, np.random.default_rng(2), 3)] for _ in range(2))
    for a, b in zip(first, again, strict=True):
        np.testing.assert_array_equal(a, b)
