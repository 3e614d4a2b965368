"""Preview and target."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from napari.layers import Image, Labels

from napari_dextr.errors import ImageError, OutputError
from napari_dextr.napari_io import label_layers
from napari_dextr.napari_io.label_layers import (
    check_target,
    clear_preview,
    highest_label,
    largest_label,
    new_preview,
    new_target,
    show_preview,
    write_object,
)
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
    assert np.all(preview.data == 1)
    assert not preview.editable
    clear_preview(preview)
    assert not np.any(preview.data)


def test_target_covers_the_image_and_is_drawn_without_a_copy() -> None:
    image = Image(np.zeros((5, 20, 30, 3), np.uint8), rgb=True, scale=(3, 1, 1))
    target = new_target(image)
    assert target.data.shape == (5, 20, 30)
    assert target.data.dtype == np.uint16
    assert same_place(target, image)
    check_target(target, image)


def test_target_without_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    class Full:
        uint16 = np.uint16

        @staticmethod
        def zeros(*_: Any) -> None:
            raise MemoryError

    monkeypatch.setattr(label_layers, "np", Full)
    with pytest.raises(OutputError, match="5 x 20 x 30"):
        new_target(stack_image())


@pytest.mark.parametrize("keep", [True, False])
def test_writing_touches_only_the_region_and_is_undone_in_one_step(keep: bool) -> None:
    before = np.zeros((5, 20, 30), np.uint16)
    before[3, 5, 11] = 9
    before[3, 15, 20] = 4
    target = Labels(before.copy())
    count = write_object(target, PLANE, REGION, MASK, 12, keep_earlier=keep)
    assert count == (23 if keep else 24)
    expected = before.copy()
    expected[3, 4:8, 10:16] = 12
    if keep:
        expected[3, 5, 11] = 9
    np.testing.assert_array_equal(target.data, expected)
    target.undo()
    np.testing.assert_array_equal(target.data, before)
    target.redo()
    np.testing.assert_array_equal(target.data, expected)


def test_two_objects_are_two_steps() -> None:
    target = Labels(np.zeros((5, 20, 30), np.uint16))
    write_object(target, PLANE, REGION, MASK, 1, keep_earlier=True)
    write_object(target, PLANE, (slice(10, 14), slice(10, 16)), MASK, 2, keep_earlier=True)
    target.undo()
    assert set(np.unique(target.data)) == {0, 1}


def test_nothing_to_write_is_said() -> None:
    target = Labels(np.ones((5, 20, 30), np.uint16))
    with pytest.raises(OutputError, match="empty"):
        write_object(target, PLANE, REGION, np.zeros((4, 6), bool), 2, keep_earlier=False)
    with pytest.raises(OutputError, match="Keep earlier objects"):
        write_object(target, PLANE, REGION, MASK, 2, keep_earlier=True)


def test_a_smaller_target_takes_what_fits() -> None:
    target = Labels(np.zeros((5, 6, 12), np.uint16))
    assert write_object(target, PLANE, REGION, MASK, 2, keep_earlier=True) == 4
    with pytest.raises(ImageError, match="outside"):
        write_object(Labels(np.zeros((5, 3, 3), int)), PLANE, REGION, MASK, 2, keep_earlier=True)


def frozen() -> Labels:
    data = np.zeros((5, 20, 30), int)
    data.flags.writeable = False
    return Labels(data)


def locked() -> Labels:
    layer = Labels(np.zeros((5, 20, 30), int))
    layer.editable = False
    return layer


def lazy() -> Labels:
    return Labels(pytest.importorskip("dask.array").zeros((5, 20, 30), dtype=int))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Labels([np.zeros((5, 20, 30), int), np.zeros((5, 10, 15), int)], multiscale=True), "resolutions"),
        (lazy, "lazily"),
        (frozen, "read-only"),
        (locked, "not editable"),
        (lambda: Labels(np.zeros((5, 20, 30), int), scale=(1, 2, 2)), "pixel on pixel"),
        (lambda: Labels(np.zeros((20, 30), int)), "pixel on pixel"),
    ],
    ids=["multiscale", "dask", "read-only", "locked", "other scale", "other axes"],
)
def test_targets_that_cannot_be_written(make: Any, message: str) -> None:
    with pytest.raises(OutputError, match=message):
        check_target(make(), stack_image())


def test_labels_in_use() -> None:
    data = np.zeros((5, 20, 30), np.uint8)
    data[2, 3, 4] = 77
    assert highest_label(Labels(data)) == 77
    assert highest_label(Labels(np.asfortranarray(data)[:, ::2, ::2])) in (0, 77)
    assert highest_label(Labels(data.transpose(2, 0, 1))) == 77
    assert highest_label(Labels(np.full((4, 4), -3))) == 0
    assert largest_label(Labels(data)) == 255
