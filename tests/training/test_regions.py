"""Held out: whole images in good measure, or what lies beyond a line."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_dextr.training.regions import (
    ENOUGH,
    LEAST,
    Cut,
    choose_cut,
    choose_images,
    same_objects,
    to_hold,
)


def box(top, left, height=10, width=10):
    return slice(top, top + height), slice(left, left + width)


@pytest.mark.parametrize(
    ("total", "share", "count"), [(1, 0.2, 0), (2, 0.2, 1), (4, 0.2, 1), (5, 0.2, 2), (20, 0.2, 4), (3, 0.99, 2)]
)
def test_how_many_are_held_out(total, share, count):
    assert to_hold(total, share) == count


@given(st.lists(st.integers(1, 60), min_size=2, max_size=30), st.floats(0.05, 0.6), st.integers(0, 5))
def test_held_out_images_leave_enough_on_both_sides(counts, share, seed):
    held = choose_images(counts, share, seed)
    assert held == choose_images(counts, share, seed)
    if held is None:
        return
    out, total = sum(counts[place] for place in held), sum(counts)
    assert 0 < out < total
    assert out >= (LEAST if total >= ENOUGH else 1)
    assert out <= max(total // 2, round(share * total))


@pytest.mark.parametrize(("counts", "held"), [([1, 9], None), ([1, 100], None), ([20], None), ([4, 9], {0})])
def test_images_that_are_too_different_are_not_held_out_whole(counts, held):
    assert choose_images(counts, 0.2, 0) == held


def test_many_images_give_the_share_that_was_asked_for():
    counts = np.random.default_rng(0).integers(1, 20, 200).tolist()
    held = choose_images(counts, 0.2, 0)
    assert sum(counts[place] for place in held) / sum(counts) == pytest.approx(0.2, abs=0.01)


@given(
    st.lists(st.tuples(*[st.integers(0, 90)] * 2, *[st.integers(1, 30)] * 2), min_size=2, max_size=25),
    st.floats(0.1, 0.5),
    st.integers(0, 3),
)
def test_a_cut_leaves_objects_on_both_sides_and_counts_those_on_it(places, share, seed):
    boxes = [box(*place) for place in places]
    cut = choose_cut(boxes, to_hold(len(boxes), share), seed)
    assert cut == choose_cut(boxes, to_hold(len(boxes), share), seed)
    if cut is None:
        return
    kept, held = cut.sides((200, 200))
    inside = [
        sum(all(p.start >= q.start and p.stop <= q.stop for p, q in zip(b, side, strict=True)) for b in boxes)
        for side in (kept, held)
    ]
    assert min(inside) >= 1
    assert sum(inside) + cut.left_out == len(boxes)


def test_the_line_that_goes_through_fewest_objects_is_taken():
    # columns part them cleanly; each line between rows would go through an object
    boxes = [box(row + 7 * col, 20 * col) for col in range(5) for row in (0, 15, 30)]
    cut = choose_cut(boxes, 3, 0)
    assert (cut.axis, cut.left_out) == (1, 0)
    assert cut.line in (15, 75)  # in the middle of the gap
    assert len({choose_cut(boxes, 3, seed) for seed in range(20)}) == 2


def test_two_are_held_out_of_five_even_if_an_object_is_lost_by_it():
    boxes = [box(0, 0), box(0, 30), box(12, 5), box(12, 33), box(6, 60)]
    assert sum(b[1].start >= 20 for b in boxes) == 3
    cut = choose_cut(boxes, 2, 0)
    kept, held = cut.sides((40, 100))
    inside = [sum(b[1].start >= s[1].start and b[1].stop <= s[1].stop and b[0].start >= s[0].start
                  and b[0].stop <= s[0].stop for b in boxes) for s in (kept, held)]  # fmt: skip
    assert min(inside) >= 2


def test_nested_objects_cannot_be_parted():
    assert choose_cut([box(0, 0, 50, 50), box(10, 10, 20, 20)], 1, 0) is None


@pytest.mark.parametrize(("axis", "beyond"), [(0, True), (0, False), (1, True), (1, False)])
def test_the_sides_of_a_cut_cover_the_image_without_overlap(axis, beyond):
    kept, held = Cut(axis, 12, beyond, 0).sides((30, 40))
    seen = np.zeros((30, 40), int)
    seen[kept] += 1
    seen[held] += 2
    assert set(np.unique(seen)) == {1, 2}
    assert seen[0, 0] == (1 if beyond else 2)


def test_planes_show_the_same_objects_where_most_labels_stay_where_they_are():
    here = {label: box(20 * label, 0) for label in range(1, 6)}
    moved = {label: box(20 * label + 2, 1) for label in range(2, 6)}
    other = {label: box(20 * label + 9, 30) for label in range(1, 6)}
    assert same_objects(here, moved)
    assert not same_objects(here, other)
    assert not same_objects(here, {})


@pytest.mark.parametrize(("counts", "share"), [([39, 2], 0.2), ([60, 3], 0.2), ([50, 1, 1, 1], 0.2)])
def test_of_many_objects_as_many_are_held_out_as_a_verdict_needs(counts, share):
    assert [choose_images(counts, share, seed) for seed in range(4)] == [None] * 4  # a region is, then
    assert choose_images([36, 2, 2, 2], share, 0) == {1, 2, 3}
