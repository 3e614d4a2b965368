"""What exports can be told: one list of options for all of them."""

from __future__ import annotations

import inspect

import numpy as np

from napari_dextr.coco import CocoWriter, ImageLabels, WriterOptions
from napari_dextr.coco.options import with_known_ids


def test_the_writer_takes_just_these_options() -> None:
    parameters = inspect.signature(CocoWriter).parameters.values()
    taken = {each.name for each in parameters if each.kind is each.KEYWORD_ONLY}
    assert taken == WriterOptions.__optional_keys__


def test_ids_of_a_list_are_reserved() -> None:
    planes = [ImageLabels("a.png", np.ones((2, 2), int), ids={1: 7}), ImageLabels("b.png", np.ones((2, 2), int))]
    assert with_known_ids({"author": "Ada", "reserved": [3]}, planes) == {"author": "Ada", "reserved": [7, 3]}
    assert with_known_ids({}, iter(planes)) == {"reserved": []}
