"""Doubtful marks are spoken of, good ones are not."""

from __future__ import annotations

from napari_dextr.objects import Mark
from napari_dextr.widgets.hints import hint_of

POINTS = [(2.0, 50.0), (50.0, 1.0), (98.0, 51.0), (49.0, 100.0)]


def extremes(*points: tuple[float, float]) -> list[Mark]:
    return [Mark("extreme", *point) for point in points]


def test_good_marks_need_no_hint() -> None:
    assert hint_of([], None) is None
    assert hint_of(extremes(*POINTS[:3]), None) is None
    assert hint_of([*extremes(*POINTS), Mark("inside", 50, 50), Mark("outside", 5, 5)], None) is None
    assert hint_of([], (10.0, 10.0, 60.0, 70.0)) is None


def test_coincident_points() -> None:
    assert "Points 1 and 3 coincide" in str(hint_of(extremes(POINTS[0], POINTS[1], (2.5, 50.5)), None))


def test_small_objects_depend_on_the_zoom() -> None:
    small = extremes((10, 14), (20, 10), (30, 15), (20, 19))
    assert hint_of(small, None, zooms=(4.0, 4.0)) is None
    assert "9 px wide" in str(hint_of(small, None))
    assert hint_of(small, None, zooms=(1.0, 2.0)) is None  # rows may be farther apart than columns
    assert "5 px high" in str(hint_of([], (10.0, 10.0, 15.0, 70.0)))


def test_a_point_that_is_no_end() -> None:
    assert "Point 2 is at no end" in str(hint_of(extremes(POINTS[0], (50, 40), *POINTS[1:]), None))


def test_an_inside_point_outside() -> None:
    assert "Point 5 is an inside point" in str(hint_of([*extremes(*POINTS), Mark("inside", 150, 50)], None))
