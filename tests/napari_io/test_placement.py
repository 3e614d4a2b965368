"""The layers we make lie where their image lies."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from napari.layers import Image, Labels

from napari_dextr.napari_io.placement import follow, placement, plain, same_place

TRANSFORMS: list[dict[str, Any]] = [
    {},
    {"scale": (3.0, 0.5, 0.25), "translate": (10, -4, 7)},
    {"scale": (2.0, 0.5, 0.25), "rotate": 30.0, "shear": (0.1, 0.2, 0.3), "translate": (1, 2, 3)},
    {"scale": (2.0, 1, 1), "affine": np.array([[1, 0, 0, 5], [0, 0.8, -0.6, 2], [0, 0.6, 0.8, 1], [0, 0, 0, 1.0]])},
    {"units": ("um", "um", "um"), "axis_labels": ("z", "y", "x")},
]


@pytest.mark.parametrize("transform", TRANSFORMS)
def test_same_coordinates(transform: dict[str, Any]) -> None:
    image = Image(np.zeros((4, 10, 12)), **transform)
    layer = Labels(np.zeros((4, 10, 12), int), **placement(image))
    for point in ([0, 0, 0], [3, 9, 11], [1.5, 2.25, 7]):
        np.testing.assert_allclose(layer.data_to_world(point), image.data_to_world(point))
    assert same_place(layer, image)
    assert layer.units == image.units
    assert layer.axis_labels == image.axis_labels


@pytest.mark.parametrize("transform", TRANSFORMS)
def test_a_corner_shifts_the_origin(transform: dict[str, Any]) -> None:
    image = Image(np.zeros((4, 10, 12)), **transform)
    layer = Labels(np.zeros((1, 3, 3), int), **placement(image, (2, 5, 6)))
    for point in ([0, 0, 0], [0, 2, 1]):
        np.testing.assert_allclose(layer.data_to_world(point), image.data_to_world(np.add(point, (2, 5, 6))))
    assert not same_place(layer, image)


def test_same_place_sees_axes_and_small_shifts() -> None:
    image = Image(np.zeros((10, 12)), scale=(0.1, 5))
    assert not same_place(Labels(np.zeros((2, 10, 12), int)), image)
    assert not same_place(Labels(np.zeros((10, 12), int), scale=(0.1, 5), translate=(0.05, 0)), image)
    assert same_place(Labels(np.zeros((20, 20), int), scale=(0.1, 5)), image)


def test_follow_takes_over_a_transform() -> None:
    image = Image(np.zeros((10, 12)))
    layer = Labels(np.zeros((10, 12), int), **placement(image))
    image.scale = (0.5, 0.25)
    image.rotate = 20
    assert not same_place(layer, image)
    follow(layer, image)
    assert same_place(layer, image)


def test_plain_unwraps_napari_proxies() -> None:
    wrapt = pytest.importorskip("wrapt")
    layer = Image(np.zeros((4, 4)))
    assert plain(wrapt.ObjectProxy(layer)) is layer
    assert plain(layer) is layer
    assert plain(None) is None
