"""Preview and target."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from napari.layers import Image, Labels

from napari_dextr.errors import OutputError
from napari_dextr.napari_io import label_layers
from napari_dextr.napari_io.label_layers import (
    check_target,
    clear_preview,
    colour_by_class,
    edge_of,
    new_preview,
    new_target,
    show_preview,
)
from napari_dextr.napari_io.label_storage import LARGEST_TEXTURE, levels
from napari_dextr.napari_io.placement import same_place
from napari_dextr.napari_io.planes import Plane

REGION = (slice(4, 8), slice(10, 16))
MASK = np.ones((4, 6), bool)
PLANE = Plane((1, 2), (3, 0, 0))


def stack_image(**options: Any) -> Image:
    return Image(np.zeros((5, 20, 30)), **options)


def test_preview_holds_only_the_region_and_lies_on_it() -> None:
    image = stack_image(scale=(3, 0.5, 0.5), translate=(1, 2, 3), rotate=20)
    preview = new_preview(image)
    show_preview(preview, image, PLANE, REGION, MASK)
    assert preview.data.shape == (1, 4, 6)
    np.testing.assert_allclose(preview.data_to_world((0, 0, 0)), image.data_to_world((3, 4, 10)))
    assert np.all(preview.data > 0)
    assert not preview.editable
    clear_preview(preview)
    assert not np.any(preview.data)


def test_preview_is_filled_and_its_edge_is_drawn() -> None:
    image = Image(np.zeros((20, 30)))
    preview = new_preview(image)
    mask = np.zeros((6, 7), bool)
    mask[1:, 1:6] = True
    show_preview(preview, image, Plane((0, 1), (0, 0)), (slice(2, 8), slice(3, 10)), mask)
    np.testing.assert_array_equal(preview.data != 0, mask)
    np.testing.assert_array_equal(
        preview.data,
        [
            [0, 0, 0, 0, 0, 0, 0],
            [0, 2, 2, 2, 2, 2, 0],
            [0, 2, 1, 1, 1, 2, 0],
            [0, 2, 1, 1, 1, 2, 0],
            [0, 2, 1, 1, 1, 2, 0],
            [0, 2, 2, 2, 2, 2, 0],
        ],
    )
    fill, edge = (preview.get_color(value) for value in (1, 2))
    assert 0.3 < fill[3] < 0.6
    assert edge[3] == 1


def test_preview_takes_the_colour_of_a_class() -> None:
    image = Image(np.zeros((20, 30)))
    preview = new_preview(image)
    own = preview.get_color(2)
    plane = Plane((0, 1), (0, 0))
    show_preview(preview, image, plane, REGION, MASK, "#ff8000")
    np.testing.assert_allclose(preview.get_color(2)[:3], (1, 128 / 255, 0), atol=1e-6)
    show_preview(preview, image, plane, REGION, MASK)
    np.testing.assert_allclose(preview.get_color(2), own)


@pytest.mark.parametrize("shape", [(1, 1), (1, 5), (2, 2)])
def test_small_masks_are_all_edge(shape: tuple[int, int]) -> None:
    assert edge_of(np.ones(shape, bool)).all()
    assert not edge_of(np.zeros(shape, bool)).any()


def test_target_covers_the_image_and_is_drawn_without_a_copy() -> None:
    image = Image(
        np.zeros((5, 20, 30, 3), np.uint8), rgb=True, scale=(3, 1, 1), units="um", axis_labels=("t", "y", "x")
    )
    target = new_target(image)
    assert target.data.shape == (5, 20, 30)
    assert target.data.dtype == np.uint16
    assert (target.units, target.axis_labels) == (image.units, image.axis_labels)
    assert same_place(target, image)
    check_target(target, image)


def test_target_of_a_huge_image_has_resolutions_and_takes_no_memory() -> None:
    dask = pytest.importorskip("dask.array")
    huge = [dask.zeros((side, side), chunks=1000, dtype=np.uint8) for side in (50_000, 500)]
    image = Image(huge, multiscale=True, contrast_limits=(0, 255), scale=(0.5, 0.5))
    target = new_target(image)
    assert target.multiscale
    shapes = [level.shape for level in levels(target)]
    assert shapes[0] == (50_000, 50_000)
    assert max(shapes[-1]) < 1100
    check_target(target, image)
    assert same_place(target, image)


def test_target_of_a_pyramid_that_can_be_painted_is_a_plain_layer() -> None:
    side = 4096
    assert side <= LARGEST_TEXTURE
    image = Image([np.zeros((side, side), np.uint8), np.zeros((side // 4, side // 4), np.uint8)], multiscale=True)
    target = new_target(image)
    assert not target.multiscale
    assert target.data.shape == (side, side)
    assert target.editable


def test_target_without_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise MemoryError

    monkeypatch.setattr(label_layers, "allocate", full)
    with pytest.raises(OutputError, match="5 x 20 x 30"):
        new_target(stack_image())


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Labels(np.zeros((5, 20, 30), int), scale=(1, 2, 2)), "pixel on pixel"),
        (lambda: Labels(np.zeros((20, 30), int)), "pixel on pixel"),
        (lambda: Labels(pytest.importorskip("dask.array").zeros((5, 20, 30), dtype=int)), "copy"),
    ],
    ids=["other scale", "other axes", "dask"],
)
def test_targets_that_cannot_be_written(make: Any, message: str) -> None:
    with pytest.raises(OutputError, match=message):
        check_target(make(), stack_image())


def test_labels_are_shown_in_the_colours_of_their_classes() -> None:
    layer = new_target(Image(np.zeros((20, 30))))
    own = [layer.get_color(label) for label in (1, 2, 3)]
    colour_by_class(layer, {1: None, 2: "#ff0000", 3: "#00ff00"})
    np.testing.assert_allclose(layer.get_color(1), own[0])
    np.testing.assert_allclose(layer.get_color(2), (1, 0, 0, 1))
    np.testing.assert_allclose(layer.get_color(3), (0, 1, 0, 1))
    colour_by_class(layer, None)
    np.testing.assert_allclose([layer.get_color(label) for label in (1, 2, 3)], own)


def test_high_labels_cost_no_more_than_low_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(label_layers, "find_spec", lambda name: name)
    layer = Labels(np.zeros((20, 30), np.uint16))
    colour_by_class(layer, {60_000: "#ff0000", 65_000: None})
    assert len(layer.colormap.color_dict) == 4  # these two, the background, and all others
    np.testing.assert_allclose(layer.get_color(60_000), (1, 0, 0, 1))


def test_labels_that_napari_cannot_colour_one_by_one_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(label_layers, "find_spec", lambda name: None)
    layer = Labels(np.zeros((20, 30), np.int32))
    with pytest.raises(OutputError, match="300000 of 'Labels' is too high.*install numba"):
        colour_by_class(layer, {300_000: "#ff0000"})
