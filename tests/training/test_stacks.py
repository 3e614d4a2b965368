"""Stacks: what several planes show is one image and one object, whichever planes lie between and in whatever order."""

from __future__ import annotations

import pytest

from napari_dextr.training.annotated import AnnotatedImage
from napari_dextr.training.stacks import Units, is_stack, kept_together, objects_of, planes_before


class Bare(AnnotatedImage):
    def __init__(self, key, neighbours=()):
        self.key, self.neighbours = key, neighbours

    def objects(self, going=lambda: True):
        return []

    def plane(self):
        raise NotImplementedError


def here(*labels, at=0):
    return {label: (slice(20 * label + at, 20 * label + at + 10), slice(0, 10)) for label in labels}


def grid(*positions):
    """Planes at some positions of one stack, by position."""
    keys = {position: str(position) for position in positions}
    before = planes_before(keys)
    return {position: Bare(keys[position], before[position]) for position in positions}


def together(planes, boxes):
    """Positions that are kept together; planes without boxes have no object."""
    found = [(number, planes[place], boxes[place]) for number, place in enumerate(boxes)]
    names = {plane.key: place for place, plane in planes.items()}
    groups = kept_together(found, {plane.key: plane.neighbours for plane in planes.values()})
    return [sorted({names[image.key] for _, image, _ in group}) for group in groups], groups


def test_the_nearest_plane_before_is_named_along_each_axis():
    before = planes_before({(0, 0): "a", (0, 2): "b", (1, 2): "c", (3, 2): "d", (3, 0): "e"})
    assert before == {
        (0, 0): (None, None), (0, 2): (None, "a"), (1, 2): ("b", None), (3, 2): ("c", "e"), (3, 0): ("a", None),
    }  # fmt: skip
    assert planes_before({}) == {}
    assert planes_before({(): "flat"}) == {(): ()}


@pytest.mark.parametrize("order", [(0, 2, 4, 7), (7, 2, 0, 4)])
def test_planes_without_an_object_do_not_part_a_stack(order):
    planes = grid(*((number,) for number in range(8)))
    groups, _ = together(planes, {(number,): here(1, 2) for number in order})
    assert groups == [[(0,), (2,), (4,), (7,)]]
    groups, _ = together(planes, {(0,): here(1, 2), (2,): here(1, 2, at=15), (4,): here(1, 2, at=15)})
    assert groups == [[(0,)], [(2,), (4,)]]


def test_objects_that_stay_along_any_axis_keep_planes_together():
    planes = grid(*((t, z) for t in range(3) for z in range(2)))
    boxes = {(t, z): here(1, 2, at=15 * z) for t, z in planes}  # another scene at each z, the same ones over time
    groups, _ = together(planes, boxes)
    assert groups == [[(0, 0), (1, 0), (2, 0)], [(0, 1), (1, 1), (2, 1)]]
    boxes[2, 1] = here(1, 2)
    assert together(planes, boxes)[0] == [[(0, 0), (1, 0), (2, 0), (2, 1)], [(0, 1), (1, 1)]]


def test_an_object_on_several_planes_is_one():
    _, (stack, alone) = together(grid((0,), (1,), (2,)), {(0,): here(1, 2), (1,): here(1, 2, 3), (2,): here(1, at=12)})
    assert (is_stack(stack), objects_of(stack)) == (True, 3)
    assert (is_stack(alone), objects_of(alone)) == (False, 1)
    units = Units([stack, alone])
    assert units.image("(0,)") == units.image("(1,)") != units.image("(2,)")
    first = units.object("(0,)", 1)
    assert [units.object("(1,)", 1), units.object("(0,)", 1)] == [first, first]
    assert units.object("(1,)", 3) != first
    # of an image of its own, what two sources have under one label are two objects
    assert len({first, units.object("(2,)", 1), units.object("(2,)", 1)}) == 3
