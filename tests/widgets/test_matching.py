"""What differs by rounding only is the same."""

from __future__ import annotations

from napari_dextr.objects import Mark
from napari_dextr.widgets.matching import corners_of, settled, take


def test_a_box_that_was_only_rounded_is_the_known_one() -> None:
    known = (1.0, 2.0, 3.0, 4.0)
    assert settled((1.0004, 2.0, 3.0, 4.0), known) is known
    assert settled((1.1, 2.0, 3.0, 4.0), known) == (1.1, 2.0, 3.0, 4.0)
    assert settled(None, known) is None
    assert settled(known, None) is known


def test_corners_are_outside_points() -> None:
    assert corners_of(None) == ()
    assert [(mark.kind, mark.row, mark.col) for mark in corners_of((1.0, 2.0, 3.0, 4.0))] == [
        ("outside", 1.0, 2.0),
        ("outside", 1.0, 4.0),
        ("outside", 3.0, 4.0),
        ("outside", 3.0, 2.0),
    ]


def test_a_mark_is_taken_once_and_only_of_its_kind() -> None:
    known = [Mark("inside", 5.0, 5.0), Mark("extreme", 5.0, 5.0)]
    assert take(known, Mark("extreme", 5.0002, 5.0)) == Mark("extreme", 5.0, 5.0)
    assert take(known, Mark("extreme", 5.0, 5.0)) is None
    assert known == [Mark("inside", 5.0, 5.0)]
