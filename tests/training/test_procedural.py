"""Drawn scenes: repeatable, with objects that can be seen and masks that fit them."""

from __future__ import annotations

import numpy as np
import pytest

from napari_dextr.training import procedural
from napari_dextr.training.procedural import EXTENT, Scene, draw_scene


@pytest.mark.parametrize("seed", range(6))
def test_a_scene_has_objects_that_differ_from_what_is_beside_them(seed):
    from scipy.ndimage import binary_dilation

    image, masks = draw_scene(np.random.default_rng(seed))
    assert image.shape == (EXTENT, EXTENT, 3)
    assert image.dtype == np.uint8
    assert masks
    anything = np.logical_or.reduce(masks)
    beside = binary_dilation(anything, iterations=6) & ~binary_dilation(anything, iterations=2)
    if anything.any() and beside.sum() > 50:
        inside, around = image[anything].astype(float), image[beside].astype(float)
        assert abs(inside.mean(axis=0) - around.mean(axis=0)).max() > 4


def test_the_same_seed_draws_the_same_scene():
    (first, masks), (again, same), (other, _) = (draw_scene(np.random.default_rng(seed)) for seed in (4, 4, 5))
    np.testing.assert_array_equal(first, again)
    assert all((a == b).all() for a, b in zip(masks, same, strict=True))
    assert (first != other).any()


def rectangle(rows, cols):
    mask = np.zeros((EXTENT, EXTENT), bool)
    mask[rows, cols] = True
    return mask


def test_what_neighbours_hide_is_not_asked_for():
    scene, ones = Scene(), np.ones((EXTENT, EXTENT), np.float32)
    scene.add(rectangle(slice(0, 40), slice(0, 40)), ones, 1.0, hides=True)
    scene.add(rectangle(slice(0, 40), slice(10, 60)), 0.5 * ones, 1.0, hides=True)
    (shown,) = scene.objects()
    assert shown.sum() == 40 * 50
    assert scene.shade[5, 5] == 1
    assert scene.shade[5, 20] == 0.5


def test_threads_that_cross_stay_whole():
    scene, ones = Scene(), np.ones((EXTENT, EXTENT), np.float32)
    for mask in (rectangle(slice(20, 24), slice(0, 60)), rectangle(slice(0, 60), slice(20, 24))):
        scene.add(mask, ones, 1.0, hides=False)
    assert [mask.sum() for mask in scene.objects()] == [240, 240]


def test_specks_are_not_asked_for():
    scene = Scene()
    scene.add(rectangle(slice(0, 5), slice(0, 5)), np.ones((EXTENT, EXTENT), np.float32), 1.0, hides=True)
    assert scene.objects() == []


def test_paths_end_at_the_border():
    for seed in range(30):
        path = procedural._path(np.array([20.0, 20.0]), 3.0, 0.2, np.random.default_rng(seed))
        assert path.min() >= 1
        assert path.max() <= EXTENT - 2


def test_colours_can_be_told_apart():
    rng = np.random.default_rng(0)
    for _ in range(50):
        low, high = procedural._two_colours(rng)
        assert abs(high - low).max() > 60


@pytest.mark.parametrize("sigma", [0.8, 5.0, 30.0])
def test_noise_has_its_size_and_deviation(sigma):
    noise = procedural.smooth_noise(np.random.default_rng(0), sigma)
    assert noise.shape == (EXTENT, EXTENT)
    assert noise.std() == pytest.approx(1, abs=0.01)
    step = abs(np.diff(noise, axis=0)).mean()
    assert step < 1.5 / sigma
