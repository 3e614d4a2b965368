"""What is marked on one place."""

from __future__ import annotations

import pytest

from napari_dextr.objects import Mark
from napari_dextr.session.draft import EMPTY, Draft, adds_correction, told

EXTREME = tuple(Mark("extreme", row, row) for row in range(4))
INSIDE = Mark("inside", 5, 5)


@pytest.mark.parametrize(
    ("draft", "enough"),
    [
        (EMPTY, False),
        (Draft(EXTREME[:3]), False),
        (Draft(EXTREME), True),
        (Draft((INSIDE,)), False),
        (Draft(box=(0, 0, 5, 5)), True),
        (Draft(correcting=("layer", 1)), False),
        (Draft((INSIDE,), correcting=("layer", 1)), True),
    ],
)
def test_whether_the_marks_say_which_object_is_meant(draft: Draft, enough: bool) -> None:
    assert draft.enough is enough


def test_an_object_from_a_file_leans_on_its_mask() -> None:
    assert Draft(EXTREME[:2], correcting=("layer", 1)).leans_on_mask
    assert not Draft(EXTREME, correcting=("layer", 1)).leans_on_mask
    assert not Draft((INSIDE,)).leans_on_mask


@pytest.mark.parametrize(
    ("before", "after", "correction"),
    [
        (EXTREME, (*EXTREME, INSIDE), True),
        (EXTREME, (*EXTREME, INSIDE, Mark("outside", 1, 1)), True),
        (EXTREME, (*EXTREME, Mark("extreme", 1, 1)), False),
        (EXTREME, EXTREME[1:], False),
        (EXTREME, (*EXTREME[1:], INSIDE), False),
        (EXTREME, EXTREME, False),
    ],
)
def test_what_counts_as_a_correction(before: tuple[Mark, ...], after: tuple[Mark, ...], correction: bool) -> None:
    assert adds_correction(before, after) is correction


def test_changes_have_names() -> None:
    assert told(EMPTY, Draft(EXTREME)) == "add a point"
    assert told(Draft(EXTREME), Draft(EXTREME[1:])) == "remove a point"
    assert told(Draft((INSIDE,)), Draft((Mark("inside", 6, 6),))) == "move a point"
    assert told(EMPTY, Draft(box=(0, 0, 5, 5))) == "change the box"
