"""What an export needs to know of the file it goes into."""

from __future__ import annotations

import pytest

from napari_dextr.coco.previous import Previous, key_of
from napari_dextr.errors import DataError

from .samples import document, with_value


def test_entries_are_found_by_id_and_by_what_we_recorded(write):
    base = with_value("annotations", "napari_dextr", {"label": 5, "author": "Ada"})
    base["images"][0]["file_name"] = "x\\a.png"
    previous = Previous.read(write(base))
    assert previous.ids == {1: 0}
    assert previous.keys == {(7, "", "Ada", 5): (0,)}
    assert previous.annotation(0) == base["annotations"][0]
    assert previous.entry(previous.image_spans[0]) == base["images"][0]
    assert previous.images["x/a.png"][1].id == previous.last_image == 7
    assert [key for key, _, _ in previous.head] == list(base)
    assert previous.categories == [(2, "cell")]


def test_objects_of_two_sessions_that_count_from_1_are_both_found(write):
    base = with_value("annotations", "napari_dextr", {"label": 1})
    base["annotations"].append({**base["annotations"][0], "id": 2})
    assert Previous.read(write(base)).keys == {(7, "", "", 1): (0, 1)}


def test_only_whole_labels_are_keys():
    assert key_of(1, {"label": 3, "layer": "b"}) == (1, "b", "", 3)
    assert key_of(1, {"label": "3"}) is None
    assert key_of(1, {}) is None


def test_an_inconsistent_file_is_refused(write):
    for content in (
        document(annotations=document()["annotations"] * 2),
        document(images=document()["images"] * 2),
        with_value("annotations", "image_id", 8),
        with_value("annotations", "category_id", 8),
    ):
        with pytest.raises(DataError):
            Previous.read(write(content))
