"""Classes find their categories by name."""

from __future__ import annotations

import pytest

from napari_dextr.coco.categories import UNCLASSIFIED, Categories
from napari_dextr.coco.previous import Previous
from napari_dextr.errors import DataError
from napari_dextr.objects import ObjectClass

CELL, DIRT = ObjectClass(1, "cell", "#e69f00"), ObjectClass(2, "dirt", "#56b4e9")


def test_a_new_file_gets_the_numbers_of_the_classes():
    categories = Categories([DIRT, CELL], Previous())
    assert [(entry["id"], entry["name"]) for entry in categories.added] == [(2, "dirt"), (1, "cell")]
    assert categories.added[0]["napari_dextr"] == {"colour": "#56b4e9"}
    assert categories.of(1, "x") == (1, "cell")


def test_names_decide_in_an_old_file_and_taken_numbers_are_left():
    categories = Categories([CELL, DIRT], Previous(categories=[(2, "cell"), (5, "x"), (6, "cell"), (9, "")]))
    assert categories.of(1, "x") == (2, "cell")
    assert categories.of(2, "x") == (10, "dirt")
    assert [entry["id"] for entry in categories.added] == [10]
    assert categories.same(6, 2)
    assert not categories.same(5, 2)
    assert Categories([ObjectClass(3, "category 9", "#000000")], Previous(categories=[(9, "")])).added == []


def test_objects_without_a_class_get_the_only_one_or_one_of_their_own():
    assert Categories([DIRT], Previous()).of(None, "x") == (2, "dirt")
    assert Categories([], Previous()).of(None, "x") == (1, UNCLASSIFIED)
    several = Categories([CELL, DIRT], Previous())
    assert [several.of(None, "x") for _ in range(2)] == [(3, UNCLASSIFIED)] * 2
    assert several.unclassified == 2


def test_a_class_that_is_not_listed_is_refused():
    with pytest.raises(DataError, match="Label 3 has class 7"):
        Categories([CELL], Previous()).of(7, "Label 3")


def test_classes_may_have_one_name_where_the_file_has_it_for_several() -> None:
    twins = [ObjectClass(2, "cells", "#e69f00"), ObjectClass(1, "cells", "#56b4e9")]  # of categories 0 and 1
    categories = Categories(twins, Previous(categories=[(0, "cells"), (1, "cells")]))
    assert [categories.of(number, "x") for number in (2, 1)] == [(0, "cells"), (1, "cells")]
    assert categories.added == []
    for previous in (Previous(), Previous(categories=[(1, "cells")])):
        with pytest.raises(DataError, match="Two classes have the name 'cells'"):
            Categories(twins, previous)
