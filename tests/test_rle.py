"""Run lengths and polygons agree with pycocotools, and broken ones are refused."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from pycocotools import mask as cocomask

from napari_dextr.errors import DataError
from napari_dextr.rle import decode, encode, measure

masks = arrays(bool, array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=40))


def theirs(mask: np.ndarray) -> dict:
    rle = cocomask.encode(np.asfortranarray(mask, dtype=np.uint8))
    return {"size": rle["size"], "counts": rle["counts"].decode("ascii")}


@given(masks)
def test_encoding_is_that_of_pycocotools_and_decoding_undoes_it(mask):
    rle = encode(mask)
    assert rle == theirs(mask)
    np.testing.assert_array_equal(decode(rle, mask.shape), mask)


@given(masks, st.integers(0, 9), st.integers(0, 9), st.integers(0, 9), st.integers(0, 9))
def test_a_cut_out_is_encoded_as_if_it_were_the_whole_image(mask, above, below, left, right):
    whole = np.pad(mask, ((above, below), (left, right)))
    assert encode(mask, corner=(above, left), shape=whole.shape) == theirs(whole)


@given(masks)
def test_area_and_box_are_those_of_pycocotools(mask):
    rle = encode(mask)
    packed = {**rle, "counts": rle["counts"].encode()}
    assert measure(rle) == {"area": float(mask.sum()), "bbox": cocomask.toBbox(packed).tolist()}


def test_a_large_mask_goes_through_long_runs():
    mask = np.zeros((3000, 2000), bool)
    mask[10:2990, 5:1995] = True
    assert encode(mask) == theirs(mask)
    np.testing.assert_array_equal(decode(encode(mask), mask.shape), mask)


def test_uncompressed_runs_go_down_the_columns_background_first():
    mask = decode({"size": [2, 3], "counts": [1, 2, 3]}, (2, 3))
    np.testing.assert_array_equal(mask, [[False, True, False], [True, False, False]])


def test_polygons_become_the_pixels_that_pycocotools_draws():
    polygons = [[2.0, 2.0, 8.0, 2.0, 8.0, 7.0, 2.0, 7.0], [10, 1, 14, 1, 12, 6]]
    expected = cocomask.decode(cocomask.merge(cocomask.frPyObjects([[float(v) for v in p] for p in polygons], 10, 16)))
    np.testing.assert_array_equal(decode(polygons, (10, 16)), expected.astype(bool))


@given(arrays(bool, (7, 9)), st.data())
def test_no_cut_string_passes_for_a_mask(mask, data):
    """pycocotools itself returns memory that nobody set here."""
    counts = encode(mask)["counts"]
    cut = counts[: data.draw(st.integers(0, len(counts) - 1))]
    with pytest.raises(DataError):
        decode({"size": [7, 9], "counts": cut}, (7, 9))


@pytest.mark.parametrize(
    "segmentation",
    [
        {"size": [4, 5], "counts": [20, 1]},
        {"size": [4, 5], "counts": [25, -5]},
        {"size": [4, 5], "counts": [19.5, 0.5]},
        {"size": [5, 4], "counts": [20]},
        {"size": [4, 5]},
        {"counts": [20]},
        {"size": [4, 5], "counts": "ä"},
        {"size": [4, 5], "counts": ""},
        {"size": [4, 5], "counts": "ooooooooo0"},
        {"size": [4, 5], "counts": "z"},
        [[0, 0, 3, 3]],
        [[0, 0, 3, 3, 3]],
        [[0, 0, 3, "x", 3, 0]],
        [[0, 0, 3, float("nan"), 3, 0]],
        [[0, 0, 1e9, 0, 3, 3]],
        [],
        "text",
        7,
    ],
)
def test_what_does_not_fit_is_refused_in_one_sentence(segmentation):
    with pytest.raises(DataError) as caught:
        decode(segmentation, (4, 5))
    assert "\n" not in str(caught.value)
