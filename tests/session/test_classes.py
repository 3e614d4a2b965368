"""Lists of classes."""

from __future__ import annotations

import pytest

from napari_dextr.errors import DataError, PromptError
from napari_dextr.objects import ObjectClass
from napari_dextr.session.classes import Classes, checked, find, recoloured, renamed, with_class, without


@pytest.fixture
def two() -> Classes:
    return (ObjectClass(1, "cell", "#000000"), ObjectClass(4, "debris", "#ffffff"))


def test_new_classes_get_their_own_id_and_colour() -> None:
    classes: Classes = ()
    for number in range(1, 10):
        classes, added = with_class(classes, f"class {number}")
        assert added.id == number
    assert len({item.colour for item in classes}) == 9
    assert len(with_class(classes, "tenth")[0]) == 10


def test_ids_are_not_given_again(two: Classes) -> None:
    assert with_class(two, "third")[1].id == 5
    assert with_class(without(two, 4), "third", after=4)[1].id == 5


def test_a_colour_that_is_taken_is_not_given_again(two: Classes) -> None:
    first = with_class((), "a")[1].colour
    assert with_class((ObjectClass(9, "b", first),), "c")[1].colour != first


@pytest.mark.parametrize("name", ["", "  ", "cell", " cell "])
def test_names_are_different_and_not_empty(two: Classes, name: str) -> None:
    with pytest.raises(PromptError):
        with_class(two, name)
    with pytest.raises(PromptError):
        renamed(two, 4, name)


def test_changing_a_class(two: Classes) -> None:
    assert renamed(two, 1, " nucleus ")[0].name == "nucleus"
    assert renamed(two, 1, "cell") == two
    assert recoloured(two, 4, "#123456")[1].colour == "#123456"
    assert without(two, 1) == two[1:]
    with pytest.raises(DataError, match="rrggbb"):
        recoloured(two, 4, "blue")


def test_a_class_that_is_not_there(two: Classes) -> None:
    assert find(two, 4) is two[1]
    with pytest.raises(PromptError, match="class 2"):
        without(two, 2)


def test_of_two_with_one_id_the_first_counts(two: Classes) -> None:
    assert checked([*two, ObjectClass(1, "again", "#000000")]) == two
