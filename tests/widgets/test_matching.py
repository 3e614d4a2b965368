"""What differs by rounding only is the same."""

from __future__ import annotations

from napari_dextr.objects import Mark
from napari_dextr.widgets.matching import box_between, corners_of, settled, take, with_corners


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


def test_two_corners_in_any_order_make_a_box_if_they_enclose_something() -> None:
    assert box_between((20, 3), (5, 30)) == (5, 3, 20, 30)
    assert box_between((20, 3), (20.5, 30)) is None


def test_the_first_point_inside_makes_the_corners_outside_points_once() -> None:
    inside, box = (Mark("inside", 3, 4),), (1.0, 2.0, 5.0, 6.0)
    assert with_corners((), box, ()) == ()
    assert with_corners(inside, box, ()) == (*corners_of(box), *inside)
    assert with_corners(inside, box, inside) == inside
