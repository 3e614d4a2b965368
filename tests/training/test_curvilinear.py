"""Threads over photographs: repeatable, thin, seen, and on ground that stays as it was."""

from __future__ import annotations

import numpy as np
import pytest
from skimage import data

from napari_dextr.training.curvilinear import draw_threads
from napari_dextr.training.procedural import EXTENT

PHOTOGRAPH = data.astronaut()


def drawings(count):
    return [draw_threads(PHOTOGRAPH, np.random.default_rng(seed)) for seed in range(count)]


def test_threads_are_thin_and_long():
    from scipy.ndimage import distance_transform_edt

    masks = [mask for _, found in drawings(12) for mask in found]
    assert len(masks) >= 12
    half_widths = [float(distance_transform_edt(mask).max()) for mask in masks]
    lengths = [float(np.ptp(np.argwhere(mask), axis=0).max()) for mask in masks]
    assert max(half_widths) <= 9  # where two of a tree's branches meet
    assert np.median(half_widths) <= 5
    assert np.median(np.array(lengths) / half_widths) > 15


@pytest.mark.parametrize("seed", range(4))
def test_what_no_thread_covers_is_the_photograph(seed):
    """Flat ground stays flat; threads differ from it by what an eye can see."""
    from scipy.ndimage import binary_dilation

    flat = np.full((200, 240, 3), 130, np.uint8)
    image, masks = draw_threads(flat, np.random.default_rng(seed))
    assert image.shape == (EXTENT, EXTENT, 3)
    assert image.dtype == np.uint8
    for mask in masks:
        inside = image[mask].astype(float).mean(axis=0)
        assert abs(inside - 130).max() > 8
    anything = binary_dilation(np.logical_or.reduce(masks), iterations=8) if masks else np.zeros(image.shape[:2], bool)
    away = image[~anything].astype(float)
    assert abs(np.median(away) - 130) < 3


def test_a_thread_that_cannot_be_seen_is_not_asked_for(monkeypatch):
    from napari_dextr.training import curvilinear

    monkeypatch.setattr(curvilinear, "_laid_over", lambda ground, shade, rng: ground)
    assert all(masks == [] for _, masks in drawings(4))


def test_a_small_photograph_is_ground_enough():
    image, _ = draw_threads(PHOTOGRAPH[:20, :30], np.random.default_rng(0))
    assert image.shape == (EXTENT, EXTENT, 3)


def test_the_same_seed_draws_the_same_threads():
    (first, masks), (again, same) = (draw_threads(PHOTOGRAPH, np.random.default_rng(3)) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    assert all((a == b).all() for a, b in zip(masks, same, strict=True))
