"""Documents in memory: joined and written."""

from __future__ import annotations

import numpy as np
import pytest

from napari_dextr.coco import labels_to_coco, merge_coco, read_coco, write_coco
from napari_dextr.errors import DataError, OutputError

LABELS = np.zeros((12, 20), np.int32)
LABELS[2:6, 3:9] = 4
LABELS[8:11, 12:20] = 70_000


def test_merging_numbers_anew_and_joins_categories_by_name():
    one = labels_to_coco(LABELS, "a.png", categories={3: "cell", 1: "dirt"}, category_of={4: 3, 70_000: 1})
    two = labels_to_coco(LABELS, "b.png", categories={1: "cell"})
    merged = merge_coco([one, two])
    assert [image["id"] for image in merged["images"]] == [1, 2]
    assert [entry["id"] for entry in merged["annotations"]] == [1, 2, 3, 4]
    assert [entry["image_id"] for entry in merged["annotations"]] == [1, 1, 2, 2]
    assert merged["categories"] == [{"id": 1, "name": "cell"}, {"id": 2, "name": "dirt"}]
    assert [entry["category_id"] for entry in merged["annotations"]] == [1, 2, 1, 1]


def test_what_is_written_is_read(tmp_path):
    write_coco(tmp_path / "a.json", labels_to_coco(LABELS, "a.png"))
    assert len(read_coco(tmp_path / "a.json").objects) == 2


def test_writing_refuses_what_json_cannot_hold_and_leaves_nothing(tmp_path):
    for value in (float("nan"), object()):
        with pytest.raises(DataError, match="JSON cannot keep"):
            write_coco(tmp_path / "a.json", {"images": value})
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(OutputError):
        write_coco(tmp_path / "no" / "a.json", {})
