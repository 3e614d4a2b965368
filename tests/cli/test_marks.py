"""Marks as people type them."""

from __future__ import annotations

import numpy as np
import pytest

from napari_dextr.cli._marks import parse_numbers, parse_points, parse_prompt, parse_whole
from napari_dextr.errors import PromptError


@pytest.mark.parametrize(
    "text",
    [
        "12,40 80.5,-3",
        "12,40;80.5,-3",
        " 12 , 40   80.5,  -3 ",
        "(12, 40) (80.5, -3)",
        "12,40 ; 80.5,-3;",
        "1.2e1,40\n80.5,-3",
    ],
)
def test_points_are_read_however_they_are_spaced(text):
    assert parse_points(text, "--points") == [(12, 40), (80.5, -3)]


def test_no_points_are_no_error():
    assert parse_points("  ", "--inside") == []


@pytest.mark.parametrize("text", ["12 40", "12,40,8", "a,b", "12,", "12,40 x"])
def test_points_that_are_none_are_shown(text):
    with pytest.raises(PromptError, match=r'--points must be written as "row,col row,col"'):
        parse_points(text, "--points")


def test_numbers_are_counted():
    assert parse_numbers("2, 0,1", "--channels") == [2, 0, 1]
    with pytest.raises(PromptError, match="--box must be 4 numbers"):
        parse_numbers("1,2,3", "--box", 4)
    with pytest.raises(PromptError, match="--limits must be numbers"):
        parse_numbers("low,high", "--limits", 2)


def parse(points=None, box=None, inside=None, outside=None, boundary=None):
    return parse_prompt(points, box, inside, outside, boundary)


def test_every_kind_of_prompt_and_addition():
    extreme = parse(points="1,5 5,1 9,5 5,9", inside="5,5", outside="0,0 9,9", boundary="2,2")
    assert extreme.marks == {"extreme", "inside", "outside", "boundary"}
    np.testing.assert_array_equal(extreme.outside_points, [(0, 0), (9, 9)])
    assert parse(box="9,8,1,2").box_bounds == (1, 2, 9, 8)
    assert parse(box="9,8,1,2", outside="0,0").marks == {"box", "outside"}
    clicks = parse(inside="5,5 6,6", outside="0,0")
    assert clicks.marks == {"inside", "outside"}
    assert len(clicks.inside_points) == 2
    assert len(clicks.outside_points) == 1


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({}, "Say where the object is"),
        ({"outside": "1,1"}, "Say where the object is"),
        ({"points": "1,5 5,1 9,5 5,9", "box": "1,2,3,4"}, "either --points or --box"),
        ({"points": "1,5 5,1"}, "at least 3"),
        ({"points": "1,1 2,2 3,3 4,4"}, "on one line"),
        ({"points": "1,5 5,1 9,5 nan,9"}, "not a finite number"),
        ({"points": "1,5 1,5 9,5 9,5"}, "coincide"),
        ({"points": ""}, "at least 3"),
        ({"box": "1,1,1,9"}, "box is empty"),
    ],
)
def test_marks_that_say_nothing_are_refused(words, message):
    with pytest.raises(PromptError, match=message):
        parse(**words)


@pytest.mark.parametrize("text", ["nan", "1,inf"])
def test_numbers_are_finite(text):
    with pytest.raises(PromptError, match="finite"):
        parse_numbers(text, "--channels")


def test_channels_are_whole_numbers():
    assert parse_whole("2,0", "--channels") == [2, 0]
    with pytest.raises(PromptError, match="--channels must be whole numbers"):
        parse_whole("0.7", "--channels")
