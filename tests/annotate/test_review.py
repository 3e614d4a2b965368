"""The review list: failures first, then the lowest scores."""

from __future__ import annotations

import csv
import json

import pytest

from napari_dextr.annotate import REVIEW_COLUMNS, ReviewRow, sort_for_review, write_review
from napari_dextr.annotate.review import check_review_path
from napari_dextr.errors import OutputError

ROWS = [
    ReviewRow(1, 1, "a.png", "cell", 0.9, 10),
    ReviewRow(2, 1, "a.png", "cell", None, 10),
    ReviewRow(3, 1, "a.png", "cell", 0.2, 10),
    ReviewRow(4, 1, "a, b.png", "cell", None, 0, "no mask"),
]


def test_failures_come_first_then_rising_scores_then_what_has_none():
    assert [row.annotation_id for row in sort_for_review(ROWS)] == [4, 3, 1, 2]


def test_lists_are_csv_or_json(tmp_path):
    write_review(tmp_path / "a.csv", ROWS)
    with (tmp_path / "a.csv").open(encoding="utf-8", newline="") as stream:
        found = list(csv.reader(stream))
    assert found[0] == list(REVIEW_COLUMNS)
    assert found[1] == ["4", "1", "a, b.png", "cell", "", "0", "no mask"]
    write_review(tmp_path / "a.json", ROWS)
    values = json.loads((tmp_path / "a.json").read_text(encoding="utf-8"))
    assert [value["score"] for value in values] == [None, 0.2, 0.9, None]


def test_other_names_are_refused(tmp_path):
    for path in (tmp_path / "a.txt", tmp_path / "no" / "a.csv", tmp_path):
        with pytest.raises(OutputError):
            check_review_path(path)
