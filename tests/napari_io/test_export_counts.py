"""Counts before an export, and what is doubtful."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from napari.layers import Image, Labels
from scipy import ndimage

from napari_dextr.errors import DataError
from napari_dextr.napari_io.export_counts import Counts, Doubt, objects_of
from napari_dextr.napari_io.export_source import label_source


@given(
    arrays(np.int32, st.tuples(st.integers(1, 9), st.integers(1, 9)), elements=st.sampled_from([0, 1, 2, 70_000, -3]))
)
def test_areas_and_parts_are_those_of_a_plain_loop(plane: Any) -> None:
    labels, areas, parts = objects_of(plane)
    assert labels == [value for value in np.unique(plane).tolist() if value]
    for label, area, count in zip(labels, areas, parts, strict=True):
        assert area == (plane == label).sum()
        assert count == ndimage.label(plane == label, np.ones((3, 3)))[1]


def test_other_numbers_are_refused() -> None:
    with pytest.raises(DataError, match="convert the layer's data type"):
        objects_of(np.zeros((3, 3)))


def test_counts_of_a_layer(annotate: Callable[[], tuple[Any, Any, Any]]) -> None:
    _, image, labels = annotate()
    labels.data[3, 30, 30] = 11
    labels.data[1, 38, 48] = 3
    source = label_source(labels, image)
    counts = Counts()
    for index in source.indices():
        counts.add(source, index, source.classes)
    assert (counts.planes, counts.planes_with_objects, counts.objects) == (4, 2, 4)
    assert counts.classes == {"nucleus": 2, "debris": 1}
    assert (counts.tiny, counts.parted, counts.unclassified) == (1, 1, 1)
    assert counts.first["tiny"] == Doubt("mine", (3,), 11, "only 1 pixel")
    assert counts.first["parted"] == Doubt("mine", (1,), 3, "2 separate parts")
    assert counts.first["unclassified"].label == 11


def test_planes_that_layers_share_count_once() -> None:
    image = Image(np.zeros((3, 8, 8), np.uint8))
    counts = Counts()
    for filled in (0, 1):
        data = np.zeros((3, 8, 8), int)
        data[0, 1 + filled, 1] = 1
        source = label_source(Labels(data), image)
        for index in source.indices():
            counts.add(source, index, [])
    assert (counts.planes, counts.planes_with_objects, counts.objects) == (3, 1, 2)
