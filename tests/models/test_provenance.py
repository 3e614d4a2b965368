"""Where a model comes from, in words."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest

from napari_dextr.models.provenance import describe, held_out_iou
from napari_dextr.models.spec import ModelSpec

NOON = datetime(2026, 11, 21, 12, tzinfo=timezone.utc)
FACTS = {
    "started_from": "embedded",
    "objects": 23,
    "images": 4,
    "validation": {"before": {"own": 0.71}, "after": {"own": 0.86}},
    "created": NOON.isoformat(timespec="seconds"),
}


def told(**facts: object) -> str:
    return describe(ModelSpec("cells", "compact", provenance=facts))


def test_all_of_it_in_one_line():
    day = NOON.astimezone().day
    line = f"started from embedded, 23 objects of 4 images, 0.71 → 0.86 on held-out objects, {day} Nov 2026"
    assert told(**FACTS) == line


@pytest.mark.parametrize(
    ("facts", "line"),
    [
        ({"started_from": "scratch", "objects": 1, "images": 1}, "trained from scratch, 1 object of 1 image"),
        ({"started_from": "cells", "objects": 12345}, "started from cells, 12,345 objects"),
        ({"validation": {"after": {"a": 0.5, "b": 0.7}}}, "0.60 on held-out objects"),
        ({"validation": {"before": 0.5, "after": 0.75}}, "0.50 → 0.75 on held-out objects"),
        ({"title": "Made by hand"}, "Made by hand"),
        ({}, "no record of its training"),
    ],
)
def test_as_far_as_it_is_known(facts, line):
    assert told(**facts) == line


def test_what_makes_no_sense_is_left_out():
    """The facts are free JSON, and files come from anywhere."""
    nonsense = {
        "started_from": 7,
        "objects": "many",
        "images": -1,
        "validation": {"after": {"own": "good"}},
        "created": "yesterday",
    }
    assert told(**nonsense) == "no record of its training"
    assert told(objects=True, validation=[1], created=None, started_from="") == "no record of its training"
    assert told(validation={"after": {}}, created=12) == "no record of its training"
    assert told(validation={"after": {"own": 86}}) == "no record of its training"


def test_the_figures_before_and_after():
    assert held_out_iou(FACTS) == (0.71, 0.86)
    assert held_out_iou({"validation": {"before": {}, "after": {"own": 1}}}) == (None, 1.0)
    assert held_out_iou({}) == (None, None)
