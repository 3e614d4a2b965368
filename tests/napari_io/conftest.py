"""A small annotated stack, as Annotate leaves it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_dextr.napari_io.object_table import store
from napari_dextr.objects import Mark, ObjectClass, ObjectFacts

CLASSES = [ObjectClass(1, "nucleus", "#e69f00"), ObjectClass(2, "debris", "#56b4e9")]
FACTS = {
    3: ObjectFacts(
        marks=(Mark("extreme", 5.0, 8.5), Mark("extreme", 7.0, 5.0), Mark("inside", 7.0, 12.0)),
        class_id=2,
        score=0.9,
        model="embedded",
        seconds=3.5,
        plane=(1,),
    ),
    7: ObjectFacts(class_id=1, plane=(1,)),
    9: ObjectFacts(box=(1.0, 1.0, 8.0, 8.0), class_id=1, plane=(3,)),
}


@pytest.fixture
def annotate() -> Callable[..., tuple[Any, Any, Any]]:
    """Makes a viewer with the stack "cells" of 4 planes and the labels "mine": one object with a hole, two without."""

    def make() -> tuple[ViewerModel, Any, Any]:
        viewer = ViewerModel()
        pixels = np.random.default_rng(0).integers(0, 255, (4, 40, 50)).astype(np.uint8)
        place = {"scale": (3, 0.5, 0.5), "translate": (0, 10, 20)}
        image = viewer.add_image(pixels, name="cells", **place)
        labels = viewer.add_labels(np.zeros((4, 40, 50), np.uint16), name="mine", **place)
        labels.data[1, 5:10, 5:20] = 3
        labels.data[1, 20:30, 30:40] = 7
        labels.data[1, 22:25, 33:36] = 0
        labels.data[3, 1:9, 1:9] = 9
        store(labels, FACTS, CLASSES)
        return viewer, image, labels

    return make
