"""Which prompt an annotation stands for."""

from __future__ import annotations

import numpy as np
import pytest

from napari_dextr.annotate import prompt_of, prompt_of_box
from napari_dextr.annotate.prompts import prompt_of_facts
from napari_dextr.coco import CocoObject
from napari_dextr.errors import DataError, PromptError
from napari_dextr.objects import Mark, ObjectFacts
from napari_dextr.prompt import Prompt
from napari_dextr.rle import encode, measure

POINTS = [[10, 5], [6, 12], [11, 20], [30, 14]]
RECORD = ObjectFacts((*(Mark("extreme", y + 1, x) for x, y in POINTS), Mark("inside", 12, 12)))


def obj(bbox=(3, 4, 22, 17), **extra) -> CocoObject:
    return CocoObject(1, 1, 1, None, bbox, False, extra)


def test_a_box_goes_through_the_outermost_pixels():
    mask = np.zeros((20, 30), bool)
    mask[4:9, 7:19] = True
    assert prompt_of_box(*measure(encode(mask))["bbox"]).box_bounds == (4, 7, 8, 18)


@pytest.mark.parametrize("side", [0.2, 1, 1.5])
def test_a_tiny_box_is_widened_about_its_middle(side):
    top, left, bottom, right = prompt_of_box(10, 20, side, 5).box_bounds
    assert (top, bottom) == (20, 24)
    assert right - left == pytest.approx(1)
    assert (left + right) / 2 == pytest.approx(10 + side / 2 - 0.5)


@pytest.mark.parametrize("box", [(1, 1, 0, 3), (1, 1, -2, 3), (1, 1, float("nan"), 3), (float("inf"), 1, 2, 3)])
def test_an_empty_box_is_refused(box):
    with pytest.raises(PromptError):
        prompt_of_box(*box)


def test_auto_takes_marks_then_extreme_points_then_the_box():
    full = obj(extreme_points=POINTS, napari_dextr=RECORD.to_json())
    assert prompt_of(full, marks=("extreme", "inside")).extreme_points[0].tolist() == [6, 10]
    assert prompt_of(full, marks=("extreme", "inside")).inside_points.tolist() == [[12, 12]]
    assert prompt_of(obj(extreme_points=POINTS)).extreme_points[0].tolist() == [5, 10]
    assert prompt_of(obj(extreme_points=[value for point in POINTS for value in point])).extreme_points[3].tolist() == [
        14,
        30,
    ]
    assert prompt_of(obj()).box_bounds == (4, 3, 20, 24)


def test_what_the_model_does_not_take_is_passed_over():
    full = obj(extreme_points=POINTS, napari_dextr=RECORD.to_json())
    assert prompt_of(full, marks=("extreme",)).extreme_points[0].tolist() == [5, 10]
    assert prompt_of(full, marks=("box",)).box_bounds is not None
    with pytest.raises(DataError, match="extreme and box marks only"):
        prompt_of(obj(extreme_points=POINTS), marks=("inside",))


def test_a_kind_can_be_asked_for():
    full = obj(extreme_points=POINTS, napari_dextr=RECORD.to_json())
    assert prompt_of(full, "box").box_bounds is not None
    assert prompt_of(full, "extreme").extreme_points[0].tolist() == [5, 10]
    with pytest.raises(DataError, match="has no extreme to use"):
        prompt_of(obj(), "extreme")
    with pytest.raises(DataError, match="has no marks, extreme points or box"):
        prompt_of(obj(None))
    with pytest.raises(PromptError, match="no prompt 'magic'"):
        prompt_of(obj(), "magic")


def test_recorded_marks_make_the_prompt_they_were():
    box = ObjectFacts((Mark("boundary", 5, 5), Mark("outside", 9, 9)), box=(1, 2, 8, 9))
    prompt = prompt_of_facts(box)
    assert prompt.box_bounds == (1, 2, 8, 9)
    assert (prompt.boundary_points.tolist(), prompt.outside_points.tolist()) == ([[5, 5]], [[9, 9]])
    clicks = prompt_of_facts(ObjectFacts((Mark("inside", 3, 4),)))
    assert clicks.marks == Prompt.clicks([(3, 4)]).marks
    with pytest.raises(PromptError):
        prompt_of_facts(ObjectFacts((Mark("outside", 3, 4),)))
