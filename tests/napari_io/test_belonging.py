"""The image of a Labels layer is remembered."""

from __future__ import annotations

import gc
from typing import Any

import numpy as np
from napari.layers import Image, Labels

from napari_dextr.napari_io.belonging import belongs_to, holds_crowds, noted_image, opened_together
from napari_dextr.napari_io.object_table import KEY


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


def test_what_one_file_names_alike_was_opened_together() -> None:
    def coco(file: str, name: str, **more: Any) -> dict[str, Any]:
        return {KEY: {"coco": {"file": file, "images": [{"index": [0], "file_name": name}], **more}}}

    image = Image(np.zeros((1, 8, 8)), metadata=coco("a.json", "x.png", root="."))
    made = [
        Labels(np.zeros((1, 8, 8), int), metadata=metadata)
        for metadata in (
            coco("a.json", "x.png", ids={}),
            coco("a.json", "y.png"),
            coco("b.json", "x.png"),
            coco("a.json", "x.png", crowds=[1]),
            {},
        )
    ]
    assert [opened_together(labels, image) for labels in made] == [True, False, False, True, False]
    assert not opened_together(made[0], Image(np.zeros((1, 8, 8))))
    assert [holds_crowds(labels) for labels in made] == [False, False, False, True, False]
