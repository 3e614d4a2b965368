"""Arrays of all kinds behind a Labels layer: written in place, or refused with a way out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from napari.layers import Labels

from napari_dextr.errors import OutputError
from napari_dextr.napari_io import label_storage
from napari_dextr.napari_io.label_storage import (
    UneditableError,
    allocate,
    check_editable,
    editable_copy,
    finest,
    level_shapes,
    levels,
    pieces,
    read_block,
    write_block,
)
from napari_dextr.napari_io.placement import same_place


def zarr_zeros(shape: tuple[int, ...], folder: Path, **options: Any) -> Any:
    zarr = pytest.importorskip("zarr")
    chunks = tuple(min(8, extent) for extent in shape)
    return zarr.open(str(folder / "labels.zarr"), mode="w", shape=shape, chunks=chunks, dtype="i4", fill_value=0)


def frozen(shape: tuple[int, ...] = (20, 30)) -> np.ndarray:
    data = np.zeros(shape, int)
    data.flags.writeable = False
    return data


def test_numpy_zarr_and_several_resolutions_are_editable(tmp_path: Path) -> None:
    for dtype in (np.int8, np.uint8, np.int16, np.uint16, np.int32, np.uint32, np.int64, np.uint64):
        check_editable(Labels(np.zeros((20, 30), dtype)))
    check_editable(Labels(zarr_zeros((20, 30), tmp_path)))
    check_editable(Labels([np.zeros((20, 30), int), np.zeros((10, 15), int)], multiscale=True))


def test_what_cannot_be_written_says_whether_a_copy_helps(tmp_path: Path) -> None:
    dask = pytest.importorskip("dask.array")
    zarr = pytest.importorskip("zarr")
    zarr_zeros((20, 30), tmp_path)
    closed = zarr.open(str(tmp_path / "labels.zarr"), mode="r")
    for data in (dask.zeros((20, 30), dtype=int), frozen(), closed):
        with pytest.raises(UneditableError, match="copy") as caught:
            check_editable(Labels(data))
        assert caught.value.copy
    pyramid = [np.zeros((20, 30), int), dask.zeros((10, 15), dtype=int)]
    with pytest.raises(UneditableError, match="dask"):
        check_editable(Labels(pyramid, multiscale=True))
    locked = Labels(np.zeros((20, 30), int))
    locked.editable = False
    with pytest.raises(UneditableError, match="unlock") as caught:
        check_editable(locked)
    assert not caught.value.copy


def test_dask_inside_xarray_is_seen() -> None:
    dask = pytest.importorskip("dask.array")

    class DataArray:  # as xarray's
        def __init__(self, data: Any) -> None:
            self.data, self.shape, self.dtype, self.ndim = data, data.shape, data.dtype, data.ndim

        def __getitem__(self, key: Any) -> Any:
            return self.data[key]

        def __setitem__(self, key: Any, value: Any) -> None:
            self.data[key] = value

    check_editable(Labels(DataArray(np.zeros((20, 30), int))))
    with pytest.raises(UneditableError):
        check_editable(Labels(DataArray(dask.zeros((20, 30), dtype=int))))


def test_writing_sets_only_what_has_changed() -> None:
    array = np.arange(600).reshape(20, 30)
    before = array.copy()
    changed = np.zeros((4, 5), bool)
    changed[1, 2:] = True
    write_block([array], (slice(3, 7), slice(10, 15)), np.full((4, 5), 77), changed)
    assert (array != before).sum() == 3
    assert (array[4, 12:15] == 77).all()


@pytest.mark.parametrize("shape", [(101, 77), (3, 64, 50)])
def test_coarse_levels_show_the_pixel_under_their_centre(shape: tuple[int, ...]) -> None:
    """Whatever is written in whatever order, each level stays the finest one seen at its own centres."""
    rng = np.random.default_rng(1)
    shapes = [shape, *((*shape[:-2], -(-shape[-2] // f), -(-shape[-1] // f)) for f in (2, 4, 8))]
    arrays = [np.zeros(s, np.uint16) for s in shapes]
    for value in range(1, 40):
        start = [int(rng.integers(0, extent - 1)) for extent in shape]
        block = tuple(slice(s, int(rng.integers(s + 1, extent + 1))) for s, extent in zip(start, shape, strict=True))
        values = np.full([part.stop - part.start for part in block], value)
        write_block(arrays, block, values, rng.random(values.shape) < 0.7)
    for array in arrays[1:]:
        centres = [
            np.minimum(((np.arange(count) + 0.5) * extent / count).astype(int), extent - 1)
            for count, extent in zip(array.shape, shape, strict=True)
        ]
        np.testing.assert_array_equal(array, arrays[0][np.ix_(*centres)])


def test_a_compressed_chunk_is_read_once_and_written_once(tmp_path: Path) -> None:
    array = zarr_zeros((20, 30), tmp_path)
    array[...] = np.arange(600).reshape(20, 30)
    expected = array[...]
    asked: list[tuple[str, Any]] = []

    class Watched:
        shape, dtype, chunks = array.shape, array.dtype, array.chunks

        def __getitem__(self, key: Any) -> Any:
            asked.append(("read", key))
            return array[key]

        def __setitem__(self, key: Any, value: Any) -> None:
            asked.append(("write", key))
            array[key] = value

    changed = np.zeros((4, 9), bool)
    changed[1:3, 2:8] = True
    write_block([Watched()], (slice(3, 7), slice(20, 29)), np.full((4, 9), 7), changed)
    expected[4:6, 22:28] = 7
    np.testing.assert_array_equal(array[...], expected)
    chunks = (slice(0, 8), slice(16, 30))
    assert asked == [("read", chunks), ("write", chunks)]


def test_a_failure_leaves_no_level_half_written() -> None:
    class Broken:
        shape, dtype = (10, 15), np.dtype(int)

        def __getitem__(self, key: Any) -> np.ndarray:
            return np.zeros((10, 15), int)[key]

        def __setitem__(self, key: Any, value: Any) -> None:
            raise OSError("disk full")

    fine = np.zeros((20, 30), int)
    with pytest.raises(OSError, match="disk full"):
        write_block([fine, Broken()], (slice(0, 8), slice(0, 8)), np.ones((8, 8), int), np.ones((8, 8), bool))
    assert not fine.any()


def test_large_planes_get_resolutions_and_small_ones_do_not() -> None:
    assert level_shapes((4000, 16_384)) == [(4000, 16_384)]
    shapes = level_shapes((5, 50_000, 2000))
    assert shapes[:3] == [(5, 50_000, 2000), (5, 25_000, 1000), (5, 12_500, 1000)]
    assert max(shapes[-1][-2:]) <= 1024
    assert level_shapes((30_000, 512, 512)) == [(30_000, 512, 512)]  # a long film is no large picture


def test_what_numpy_cannot_hold_goes_to_zarr(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("zarr")

    zeros = np.zeros

    def full(shape: Any, *options: Any, **named: Any) -> Any:
        if shape == ():  # zarr 2 asks for a fill value
            return zeros(shape, *options, **named)
        raise MemoryError

    monkeypatch.setattr(np, "zeros", full)
    (array,) = allocate((3, 2000, 1500))
    assert array.shape == (3, 2000, 1500)
    assert array.chunks == (1, 512, 512)
    monkeypatch.setattr(label_storage, "find_spec", lambda _: None)
    with pytest.raises(MemoryError):
        allocate((20, 20))


@pytest.mark.parametrize("shape", [(7,), (5000, 3000), (3, 40, 50), (2, 2, 2100, 2100)])
def test_pieces_cover_everything_once(shape: tuple[int, ...]) -> None:
    seen = np.zeros(shape, np.uint8)
    sizes = []
    for block in pieces(seen):
        seen[block] += 1
        sizes.append(seen[block].size)
    assert (seen == 1).all()
    assert max(sizes) <= 1 << 22


def test_pieces_are_whole_chunks() -> None:
    dask = pytest.importorskip("dask.array")
    array = dask.zeros((10_000, 9000), chunks=(1000, 700), dtype=np.uint8)
    blocks = list(pieces(array))
    assert all(part.start % size == 0 for block in blocks for part, size in zip(block, (1000, 700), strict=True))
    assert len(blocks) < 10 * 13


@pytest.mark.parametrize("large", [False, True])
def test_an_editable_copy(large: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    dask = pytest.importorskip("dask.array")
    if large:
        monkeypatch.setattr(label_storage, "LARGEST_TEXTURE", 1500)
    data = np.zeros((2000, 40), np.int32)
    data[500:700, 10:20] = 70_000
    layer = Labels(
        dask.from_array(data, chunks=(512, 40)),
        name="cells",
        scale=(2, 3),
        translate=(1, 1),
        features={"index": [70_000], "class": ["nucleus"]},
        metadata={"napari_dextr": {"objects": {70_000: {}}}},
    )
    copy, filling = editable_copy(layer)
    steps = list(filling)
    assert steps[-1][0] == steps[-1][1]
    np.testing.assert_array_equal(finest(copy), data)
    assert copy.multiscale == large
    assert len(levels(copy)) == (2 if large else 1)
    assert same_place(copy, layer)
    assert copy.name == "cells copy"
    assert list(copy.features["class"]) == ["nucleus"]
    assert copy.metadata == layer.metadata
    assert copy.metadata["napari_dextr"] is not layer.metadata["napari_dextr"]
    check_editable(copy)


def test_reading_says_what_went_wrong() -> None:
    class Gone:
        shape, dtype, ndim = (20, 30), np.dtype(int), 2
        there = True

        def __getitem__(self, key: Any) -> np.ndarray:
            if not self.there:
                raise OSError("the drive is gone")
            return np.zeros((20, 30), int)[key]

    data = Gone()
    layer = Labels(data)
    data.there = False
    with pytest.raises(OutputError, match="the drive is gone"):
        read_block(layer, (slice(0, 3), slice(0, 3)))
