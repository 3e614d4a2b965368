"""The image of a Labels layer is remembered."""

from __future__ import annotations

import gc

import numpy as np
from napari.layers import Image, Labels

from napari_dextr.napari_io.belonging import belongs_to, noted_image


def test_the_first_image_counts_while_it_exists() -> None:
    labels = Labels(np.zeros((8, 8), int))
    first, second = (Image(np.zeros((8, 8))) for _ in range(2))
    assert noted_image(labels) is None
    belongs_to(labels, first)
    belongs_to(labels, second)
    assert noted_image(labels) is first
    del first
    gc.collect()
    assert noted_image(labels) is None
    belongs_to(labels, second)
    assert noted_image(labels) is second
