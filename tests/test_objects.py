"""The record of one annotated object, to JSON and back."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_dextr.errors import DataError, PromptError
from napari_dextr.objects import KINDS, Mark, ObjectClass, ObjectFacts, class_colour, region_of

NUMBER = st.floats(allow_nan=False, allow_infinity=False)
FACTS = st.builds(
    ObjectFacts,
    marks=st.lists(st.builds(Mark, st.sampled_from(KINDS), NUMBER, NUMBER), max_size=6).map(tuple),
    box=st.none() | st.tuples(*[st.floats(-50, 0)] * 2, *[st.floats(1, 50)] * 2),
    class_id=st.none() | st.integers(1, 9),
    score=st.none() | st.floats(0, 1),
    model=st.none() | st.text(max_size=5),
    model_hash=st.none() | st.text(max_size=5),
    seconds=st.none() | st.floats(0, 1e6),
    plane=st.lists(st.integers(0, 99), max_size=3).map(tuple),
    author=st.none() | st.text(max_size=5),
    created=st.none() | st.just("2026-01-01T00:00:00+00:00"),
)


@given(FACTS)
def test_facts_survive_json(facts: ObjectFacts) -> None:
    assert ObjectFacts.from_json(json.loads(json.dumps(facts.to_json()))) == facts


def test_what_is_unknown_is_left_out() -> None:
    assert ObjectFacts().to_json() == {}
    assert ObjectFacts.from_json({"of": "a newer version", "score": None}) == ObjectFacts()


def test_prompts_in_words() -> None:
    marks = tuple(Mark(kind, 1, 2) for kind in ["inside", "extreme", "extreme", "outside"])
    assert ObjectFacts(marks).prompts == "2 extreme, 1 inside, 1 outside"
    assert ObjectFacts(box=(0, 0, 1, 1)).prompts == "box"
    assert ObjectFacts().prompts == ""


@pytest.mark.parametrize(
    "value",
    [
        [],
        {"marks": 3},
        {"marks": [["middle", 1, 2]]},
        {"marks": [["inside", 1]]},
        {"marks": [["inside", 1, "2"]]},
        {"marks": [["inside", 1, float("nan")]]},
        {"marks": [["inside", 1, True]]},
        {"marks": [[["inside"], 1, 2]]},
        {"box": [1, 2, 3]},
        {"box": [5, 5, 5, 9]},
        {"class_id": 1.5},
        {"class_id": True},
        {"score": "good"},
        {"seconds": float("inf")},
        {"model": 3},
        {"plane": [1.5]},
        {"plane": "3"},
    ],
    ids=str,
)
def test_nonsense_is_refused(value: Any) -> None:
    with pytest.raises(DataError):
        ObjectFacts.from_json(value)


def test_a_mark_has_a_kind() -> None:
    with pytest.raises(PromptError, match="extreme"):
        Mark("middle", 1, 1)


def test_classes_survive_json() -> None:
    item = ObjectClass(3, "Zellkern ü", "#12aBcD")
    assert ObjectClass.from_json(json.loads(json.dumps(item.to_json()))) == item
    assert ObjectClass.from_json({"id": 2, "name": "cell"}).colour == class_colour(2)


@pytest.mark.parametrize(
    "value",
    [
        None,
        {"id": 1},
        {"id": "1", "name": "cell"},
        {"id": True, "name": "cell"},
        {"id": 0, "name": "cell"},
        {"id": 1, "name": " "},
        {"id": 1, "name": "cell", "colour": "red"},
        {"id": 1, "name": "cell", "colour": "#12345g"},
    ],
    ids=str,
)
def test_classes_that_make_no_sense_are_refused(value: Any) -> None:
    with pytest.raises(DataError):
        ObjectClass.from_json(value)


def test_the_first_classes_differ_in_colour() -> None:
    assert len({class_colour(number) for number in range(1, 10)}) == 9
    assert class_colour(10) == class_colour(1)


@pytest.mark.parametrize("value", [10**400, float("inf"), float("nan"), True])
def test_numbers_that_nothing_has_are_refused(value: Any) -> None:
    for record in ({"score": value}, {"marks": [["inside", value, 1]]}, {"box": [0, 0, value, 5]}):
        with pytest.raises(DataError, match="not a number"):
            ObjectFacts.from_json(record)


def test_the_axes_of_a_plane_are_optional() -> None:
    facts = ObjectFacts(plane=(3,), axes=(0, 2))
    assert facts.to_json() == {"plane": [3], "axes": [0, 2]}
    assert ObjectFacts.from_json(facts.to_json()) == facts
    assert ObjectFacts.from_json({"plane": [3]}).axes is None
    for axes in ([0], [2, 0], ["a", "b"], 5):
        with pytest.raises(DataError):
            ObjectFacts.from_json({"axes": axes})


def test_where_an_object_should_lie() -> None:
    extremes = (Mark("extreme", 10, 20), Mark("extreme", 20, 22), Mark("extreme", 15, 21))
    assert region_of(ObjectFacts((*extremes, Mark("inside", 50, 40), Mark("outside", 900, 900)))) == (
        slice(0, 69),
        slice(2, 59),
    )
    assert region_of(ObjectFacts(box=(100, 100, 120, 140))) == (slice(82, 139), slice(82, 159))
    assert region_of(ObjectFacts(tuple(Mark("extreme", -90, 5) for _ in range(3)))) == (slice(0, 1), slice(0, 14))
    assert region_of(ObjectFacts((*extremes[:2], Mark("inside", 50, 40)))) is None  # they say nothing of its size
    assert region_of(ObjectFacts((Mark("outside", 1, 1),))) is None
