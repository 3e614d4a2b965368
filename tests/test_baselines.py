"""Baselines: right on the shapes they assume, and never outside the box."""

from __future__ import annotations

import numpy as np
import pytest

from napari_dextr import baselines
from napari_dextr.baselines import BASELINES
from napari_dextr.errors import DextrError, PromptError
from napari_dextr.metrics import iou
from napari_dextr.prompt import Prompt

SHAPE = (90, 120)
GEOMETRIC = [name for name in BASELINES if name != "grabcut"]


def disc(angle: float = 0.0, long: float = 40.5, short: float = 20.5) -> np.ndarray:
    rows, cols = np.mgrid[: SHAPE[0], : SHAPE[1]].astype(float) - np.array([44, 58])[:, None, None]
    along = cols * np.cos(angle) + rows * np.sin(angle)
    across = rows * np.cos(angle) - cols * np.sin(angle)
    return (along / long) ** 2 + (across / short) ** 2 <= 1


def extremes(mask: np.ndarray) -> Prompt:
    coordinates = np.argwhere(mask)
    points = []
    for axis, pick in ((0, np.min), (1, np.min), (0, np.max), (1, np.max)):
        side = coordinates[coordinates[:, axis] == pick(coordinates[:, axis])]
        points.append(side[len(side) // 2])
    return Prompt.extreme(points)


@pytest.mark.parametrize(
    ("name", "mask", "least"),
    [
        ("box", np.pad(np.ones((40, 50), bool), ((20, 30), (30, 40))), 1.0),
        ("ellipse", disc(), 0.98),
        ("hermite", disc(), 0.97),
        ("tilted ellipse", disc(0.6), 0.96),
        ("quadrilateral", np.abs(np.mgrid[-45:45, -60:60]).sum(axis=0) <= 30, 0.97),
    ],
)
def test_each_is_right_where_its_assumption_holds(name, mask, least):
    assert iou(BASELINES[name](None, extremes(mask), SHAPE), mask) >= least


def test_the_tilt_comes_from_the_points():
    mask = disc(0.6)
    prompt = extremes(mask)
    tilted, upright = (iou(BASELINES[name](None, prompt, SHAPE), mask) for name in ("tilted ellipse", "ellipse"))
    assert tilted > upright + 0.1


@pytest.mark.parametrize("name", GEOMETRIC)
@pytest.mark.parametrize(
    "prompt",
    [
        Prompt.extreme([(10, 40), (50, 5), (80, 42), (48, 100)]),
        Prompt.extreme([(10.2, 40.7), (50, 5), (80, 42)]),
        Prompt.extreme([(10, 40), (50, 5), (80, 42), (48, 100), (20, 80), (70, 20)]),
        Prompt.box(10, 5, 80, 100),
        Prompt.extreme([(-8, 40), (50, -6), (95, 42), (48, 130)]),
        Prompt.box(3, 4, 4, 5),
    ],
)
def test_masks_lie_within_the_box_of_the_marks(name, prompt):
    mask = BASELINES[name](None, prompt, SHAPE)
    assert mask.shape == SHAPE
    assert mask.dtype == bool
    assert mask.any()
    assert not (mask & ~BASELINES["box"](None, prompt, SHAPE)).any()


def test_the_order_of_the_clicks_does_not_matter():
    points = np.array([(10, 40), (50, 5), (80, 42), (48, 100)])
    for name in GEOMETRIC:
        one, other = (
            BASELINES[name](None, Prompt.extreme(points[order]), SHAPE) for order in ([0, 1, 2, 3], [2, 0, 3, 1])
        )
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("name", GEOMETRIC)
def test_clicks_alone_enclose_nothing(name):
    with pytest.raises(PromptError, match="clicks alone"):
        BASELINES[name](None, Prompt.clicks([(40, 40)]), SHAPE)


@pytest.mark.skipif(not baselines.has_grabcut(), reason="OpenCV is not installed")
@pytest.mark.parametrize("size", [1, 5])
def test_grabcut_finds_what_differs_in_colour(size):
    notched = disc()
    notched[40:, 55:62] = False
    mask = np.kron(notched, np.ones((size, size), bool))
    image = np.where(mask[..., None], (220, 40, 30), (30, 90, 40)).astype(np.uint8)
    image += np.random.default_rng(0).integers(0, 20, image.shape, dtype=np.uint8)
    prompt = extremes(mask)
    cut = BASELINES["grabcut"](image, prompt, mask.shape)
    assert iou(cut, mask) > 0.93
    assert iou(cut, mask) > iou(BASELINES["hermite"](None, prompt, mask.shape), mask)
    assert iou(BASELINES["grabcut"](image.mean(axis=-1), prompt, mask.shape), mask) > 0.9


def test_grabcut_says_what_it_needs(monkeypatch):
    prompt = Prompt.box(10, 5, 80, 100)
    with pytest.raises(DextrError, match="needs the image"):
        BASELINES["grabcut"](None, prompt, SHAPE)
    monkeypatch.setattr(baselines, "has_grabcut", lambda: False)
    with pytest.raises(DextrError, match="opencv-python-headless"):
        BASELINES["grabcut"](np.zeros(SHAPE), prompt, SHAPE)


@pytest.mark.parametrize("name", ["ellipse", "tilted ellipse"])
def test_ellipses_are_the_same_in_part_of_the_image_as_in_all_of_it(name):
    rng = np.random.default_rng(0)
    for _ in range(200):
        points = rng.uniform(-8, 28, (4, 2)).round(1)
        if np.ptp(points, axis=0).min() < 2:
            continue
        small = BASELINES[name](None, Prompt.extreme(points), (20, 20))
        large = BASELINES[name](None, Prompt.extreme(points + 40), (100, 100))
        assert np.array_equal(small, large[40:60, 40:60])
