"""Label planes: every object once, whatever the plane's size, chunks and type, and read once."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_dextr.errors import DataError
from napari_dextr.image import as_plane
from napari_dextr.objects import ObjectFacts
from napari_dextr.training import label_planes
from napari_dextr.training.annotated import Rules, Stopped, View
from napari_dextr.training.label_planes import LabelPlane, packed_objects, planes_of


def labels_of(seed=0, shape=(90, 70)):
    rng = np.random.default_rng(seed)
    labels = np.zeros(shape, np.int64)
    for label in rng.permutation(12) + 1:
        row, col = rng.integers(0, shape[0] - 20), rng.integers(0, shape[1] - 20)
        labels[row : row + rng.integers(1, 40), col : col + rng.integers(1, 20)] = label
    return labels


def assert_same(found, labels):
    assert list(found) == [int(value) for value in np.unique(labels) if value]
    for label, packed in found.items():
        mask = np.zeros(labels.shape, bool)
        mask[packed.region] = packed.mask()
        np.testing.assert_array_equal(mask, labels == label)


@given(st.integers(0, 50), st.integers(7, 100))
def test_objects_over_several_tiles_are_put_together(seed, side):
    labels = labels_of(seed)
    before, label_planes._TILE = label_planes._TILE, side
    try:
        assert_same(packed_objects(labels), labels)
    finally:
        label_planes._TILE = before


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int32", "uint64"])
def test_labels_of_any_whole_type(dtype):
    labels = labels_of().astype(dtype)
    labels[labels == 5] = np.iinfo(dtype).max
    assert_same(packed_objects(labels), labels)
    assert_same(packed_objects(labels > 0), labels > 0)


def test_negative_labels_are_objects():
    labels = -labels_of()
    assert_same(packed_objects(labels), labels)


def test_lazy_labels_are_read_once_by_whole_chunks(monkeypatch):
    da = pytest.importorskip("dask.array")
    monkeypatch.setattr(label_planes, "_TILE", 32)
    labels = labels_of()
    read = []

    def load(block, block_info=None):
        read.append(block_info[0]["array-location"])
        return block

    lazy = da.map_blocks(load, da.from_array(labels, chunks=(45, 30)), dtype=labels.dtype, meta=labels[:0, :0])
    plane = make(View(lazy, (slice(0, 90), slice(0, 70))))
    for _ in range(2):
        assert len(plane.objects()) == len(np.unique(labels)) - 1
    assert len(read) == len(set(map(str, read))) == 6


def make(labels, image=None, **settings):
    image = np.zeros(labels.shape, np.uint8) if image is None else image
    return LabelPlane(labels, lambda: as_plane(image), "cells", "key", Rules(), **settings)


def test_a_plane_knows_classes_and_facts_of_its_objects():
    labels = np.array([[1, 1, 0], [0, 2, 9]])
    facts = {2: ObjectFacts(model="embedded")}
    plane = make(labels, kinds={1: "nucleus"}, facts=facts, ignore=(9,))
    assert [(item.label, item.kind, item.facts) for item in plane.objects()] == [
        (1, "nucleus", None),
        (2, "", facts[2]),
    ]
    region, mask = plane.objects()[0].read()
    unknown = plane.unknown()(plane.objects()[0], region, mask)
    np.testing.assert_array_equal(unknown, labels == 9)
    assert make(labels).unknown()(None, region, mask) is None


def test_what_the_labels_said_first_stays():
    labels = labels_of()
    plane = make(labels)
    digest, count = plane.digest(), len(plane.objects())
    labels[:] = 0
    assert plane.digest() == digest
    assert len(plane.objects()) == count
    assert make(labels).digest() != digest


def test_a_look_at_the_image_tells_it_from_another():
    labels = labels_of()
    image = np.random.default_rng(0).integers(0, 255, labels.shape, np.uint8)
    looks = [make(labels, picture).look([1, 2]) for picture in (image, image.copy(), 255 - image, image.astype(int))]
    assert looks[0] == looks[1]
    assert len(set(looks)) == 3
    assert make(labels, image[:50]).look([1]) == b""


def test_stopping_leaves_nothing_half_read(monkeypatch):
    monkeypatch.setattr(label_planes, "_TILE", 32)
    labels = labels_of()
    plane = make(labels)
    answers = iter([True, True, False])
    with pytest.raises(Stopped):
        plane.objects(lambda: next(answers))
    assert len(plane.objects()) == len(np.unique(labels)) - 1


def test_labels_that_are_no_whole_numbers_and_images_of_other_sizes_are_refused():
    with pytest.raises(DataError, match="'cells' must be whole numbers, got float64"):
        make(np.zeros((9, 9))).objects()
    with pytest.raises(DataError, match="9 x 8 pixels, but its labels have 9 x 9"):
        make(np.zeros((9, 9), int), np.zeros((9, 8))).plane()


def test_labels_that_cannot_be_read_any_more_say_so():
    class Gone:
        shape, dtype = (9, 9), np.dtype(int)

        def __getitem__(self, index):
            raise OSError("file is gone")

    with pytest.raises(DataError, match=r"labels of 'cells' could not be read \(file is gone\)"):
        make(Gone()).objects()


def test_planes_of_a_stack():
    assert list(planes_of((5, 6), None)) == [(slice(0, 5), slice(0, 6))]
    assert list(planes_of((2, 5, 6), None)) == [(0, slice(0, 5), slice(0, 6)), (1, slice(0, 5), slice(0, 6))]
    assert next(iter(planes_of((5, 2, 6), 1))) == (slice(0, 5), 0, slice(0, 6))
    with pytest.raises(DataError, match="do not leave planes of two axes"):
        list(planes_of((5, 6), 0))
