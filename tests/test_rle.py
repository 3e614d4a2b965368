"""Run lengths and polygons agree with pycocotools, and broken ones are refused."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from pycocotools import mask as cocomask

from napari_dextr.errors import DataError
from napari_dextr.rle import (
    cut_runs,
    decode,
    decode_runs,
    encode,
    encode_polygons,
    encode_runs,
    label_runs,
    measure,
    run_pixels,
)

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


@given(masks)
def test_runs_are_the_mask_and_go_back_to_its_code(mask):
    runs = decode_runs(encode(mask), mask.shape)
    assert encode_runs(runs, mask.shape) == encode(mask)
    np.testing.assert_array_equal(run_pixels(runs), np.flatnonzero(mask.T))
    region, part = cut_runs(runs, mask.shape)
    back = np.zeros_like(mask)
    back[region] = part
    np.testing.assert_array_equal(back, mask)
    if mask.any():
        assert all(part.any(axis=axis)[[0, -1]].all() for axis in (0, 1))


@given(arrays(np.int16, array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=12), elements=st.integers(-2, 3)))
def test_one_pass_finds_the_runs_of_every_label(labels):
    found = dict(label_runs(labels))
    assert list(found) == [label for label in np.unique(labels).tolist() if label]
    for label, runs in found.items():
        assert encode_runs(runs, labels.shape) == encode(labels == label)


def test_zeros_between_uncompressed_runs_join_them():
    runs = decode_runs({"size": [2, 4], "counts": [1, 2, 0, 1, 2, 0, 2]}, (2, 4))
    assert runs.tolist() == [[1, 4]]


def test_polygons_have_a_code_too():
    square = [[1, 1, 4, 1, 4, 3, 1, 3]]
    assert encode_polygons(square, (5, 6)) == encode(decode(square, (5, 6)))


@pytest.mark.parametrize(
    ("polygon", "words"),
    [
        ([-50, 1, 3, 1, 3, 3], "by far, at x, y = -50, 1"),
        ([-3, -3, -1, -3, -1, -1], "outside its image"),
        ([7, 1, 9, 1, 9, 3], "outside its image"),
        ([1, 1, float("nan"), 1, 3, 3], "not a finite number"),
    ],
)
def test_polygons_that_miss_their_image_are_refused(polygon, words):
    with pytest.raises(DataError, match=words):
        decode([polygon], (5, 6))


def test_a_polygon_may_hang_over_the_border_as_objects_do():
    np.testing.assert_array_equal(
        decode([[-2, -2, 3, -2, 3, 3, -2, 3]], (5, 6)), decode([[0, 0, 3, 0, 3, 3, 0, 3]], (5, 6))
    )


@pytest.mark.parametrize("count", [-1, 13, 2**63, 10**30])
def test_counts_that_no_image_has_are_refused(count):
    with pytest.raises(DataError, match="do not f"):
        decode_runs({"size": [3, 4], "counts": [count, 4]}, (3, 4))


def test_a_polygon_with_a_number_that_is_too_large_is_refused():
    with pytest.raises(DataError, match="not a number"):
        decode([[1, 1, 5, 1, 5, 10**400]], (8, 10))


def test_images_beyond_what_masks_can_be_are_refused():
    with pytest.raises(DataError, match="larger than pycocotools"):
        decode([[1, 1, 5, 1, 5, 5]], (2**16, 2**16))
    huge = {"size": [2**28, 2**28], "counts": [2**56]}
    assert len(decode_runs(huge, (2**28, 2**28))) == 0
    with pytest.raises(DataError, match="not enough memory"):
        decode(huge, (2**28, 2**28))


def test_an_object_on_an_image_beyond_run_lengths_is_refused():
    with pytest.raises(DataError, match="cut it into tiles"):
        encode(np.ones((2, 2), bool), corner=(69000, 69000), shape=(70000, 70000))
