"""What an object writes into label pixels."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from napari_dextr.errors import ImageError, OutputError, PromptError
from napari_dextr.objects import AnnotatedObject, ObjectFacts
from napari_dextr.prompt import Region
from napari_dextr.session.history import Paint, State
from napari_dextr.session.labelling import AcceptPolicy, LabelTarget, Stroke
from napari_dextr.session.patches import Labels, Mask, SparseLabels

SHAPE = (6, 7)
WHOLE = (slice(0, 6), slice(0, 7))
LABELS = arrays.arrays(np.uint8, SHAPE, elements=st.integers(0, 3))
MASKS = arrays.arrays(bool, SHAPE).filter(lambda mask: bool(mask.any()))


class Small(SparseLabels):
    """Labels that end before the image does."""

    def read(self, place: Any, region: Region) -> Labels:
        rows, cols = (slice(part.start, min(part.stop, 5)) for part in region)
        if rows.start >= rows.stop or cols.start >= cols.stop:
            raise ImageError("The place lies outside.")
        return super().read(place, (rows, cols))


def target_with(labels: Labels) -> tuple[LabelTarget, SparseLabels, State]:
    image, state = SparseLabels(labels.dtype), State()
    image.write("here", WHOLE, labels, np.ones(labels.shape, bool))
    return LabelTarget("layer", state, image), image, state


@pytest.mark.parametrize(
    ("policy", "allowed"),
    [
        (AcceptPolicy(), [True, False, False]),
        (AcceptPolicy("overwrite"), [True, True, True]),
        (AcceptPolicy("protect", frozenset({2})), [True, True, False]),
        (AcceptPolicy("protect"), [True, True, True]),
    ],
)
def test_policies(policy: AcceptPolicy, allowed: list[bool]) -> None:
    assert policy.allows(np.array([0, 1, 2])).tolist() == allowed


@given(LABELS, MASKS, st.sampled_from(["background", "overwrite", "protect"]))
def test_a_new_object_gets_what_the_policy_allows(labels: Labels, mask: Mask, kind: Any) -> None:
    target, image, state = target_with(labels)
    policy = AcceptPolicy(kind, frozenset({2}))
    won = mask & policy.allows(labels)
    if not won.any():
        with pytest.raises(OutputError, match="must stay"):
            target.accept("here", WHOLE, mask, policy, None)
        return
    label, region, edits = target.accept("here", WHOLE, mask, policy, None)
    assert label == max(1, int(labels.max()) + 1)
    np.testing.assert_array_equal(image.read("here", WHOLE), labels)  # planning writes nothing
    for edit in edits:
        edit.apply(state, forward=True)
    np.testing.assert_array_equal(image.read("here", WHOLE), np.where(won, label, labels))
    inside = np.zeros(SHAPE, bool)
    inside[region] = True
    assert not (won & ~inside).any()
    for edit in reversed(edits):
        edit.apply(state, forward=False)
    np.testing.assert_array_equal(image.read("here", WHOLE), labels)


@given(LABELS, MASKS, MASKS)
def test_a_correction_changes_its_own_pixels_only(labels: Labels, first: Mask, second: Mask) -> None:
    target, image, state = target_with(labels)
    policy = AcceptPolicy("overwrite")
    label, region, edits = target.accept("here", WHOLE, first, policy, None)
    for edit in edits:
        edit.apply(state, forward=True)
    item = AnnotatedObject(label, "here", region, ObjectFacts())
    again, _, edits = target.accept("here", WHOLE, second, policy, item)
    assert again == label
    for edit in edits:
        edit.apply(state, forward=True)
    np.testing.assert_array_equal(image.read("here", WHOLE), np.where(second, label, labels))


def test_an_empty_mask_is_refused() -> None:
    target, _, _ = target_with(np.zeros(SHAPE, np.uint8))
    with pytest.raises(OutputError, match="empty"):
        target.accept("here", WHOLE, np.zeros(SHAPE, bool), AcceptPolicy(), None)


def test_labels_that_end_before_the_image() -> None:
    image, state = Small(np.uint8), State()
    target = LabelTarget("layer", state, image)
    _, region, edits = target.accept("here", WHOLE, np.ones(SHAPE, bool), AcceptPolicy(), None)
    assert region == (slice(0, 5), slice(0, 5))
    for edit in edits:
        edit.apply(state, forward=True)
    assert image.read("here", WHOLE).all()


def test_an_object_that_is_not_there() -> None:
    target, _, _ = target_with(np.zeros(SHAPE, np.uint8))
    with pytest.raises(PromptError, match="no object 3"):
        target.delete(3)


def test_a_stroke_is_known_by_its_pixels() -> None:
    target, _, state = target_with(np.zeros(SHAPE, np.uint8))
    state.put(("object", "layer"), 1, AnnotatedObject(1, "here", (slice(0, 2), slice(0, 2)), ObjectFacts()))
    changed = np.zeros(SHAPE, bool)
    changed[4, 5] = True
    edits = target.strokes([Stroke("here", WHOLE, changed, 0, 1)])
    for edit in edits:
        if not isinstance(edit, Paint) or not edit.done:
            edit.apply(state, forward=True)
    assert target.objects[1].region == (slice(0, 5), slice(0, 6))
    assert [(place, region) for place, region, _ in target.painted()] == [("here", (slice(4, 5), slice(5, 6)))]
    assert target.strokes([Stroke("here", WHOLE, changed, 1, 1)]) == ()


def test_a_label_that_somebody_has_written_unseen_is_not_given() -> None:
    target, image, _ = target_with(np.zeros(SHAPE, np.uint8))
    image.write("here", (slice(2, 3), slice(2, 4)), np.array([[1, 2]], np.uint8), np.ones((1, 2), bool))
    label, _, _ = target.accept("here", WHOLE, np.ones(SHAPE, bool), AcceptPolicy("overwrite"), None)
    assert label == 3


def test_the_region_of_an_object_is_widened_until_it_holds_it() -> None:
    labels = np.zeros((90, 90), np.uint8)
    labels[0:80, 10:70] = 5
    image, state = SparseLabels(np.uint8), State()
    image.write("here", (slice(0, 90), slice(0, 90)), labels, labels > 0)
    target = LabelTarget("layer", state, image)
    target.adopt(AnnotatedObject(5, "here", (slice(20, 30), slice(20, 30)), ObjectFacts()))
    assert target.area(5) == 80 * 60
    assert target.whole(5).region == (slice(0, 80), slice(10, 70))
    assert target.only_adopted(target.objects[5])
    for edit in target.delete(5):
        edit.apply(state, forward=True)
    assert not image.read("here", (slice(0, 90), slice(0, 90))).any()


def test_a_label_on_two_planes_stands_for_the_one_that_was_adopted_last() -> None:
    target, image, state = target_with(np.zeros(SHAPE, np.uint8))
    whole = np.ones(SHAPE, bool)
    label, region, edits = target.accept("here", WHOLE, whole, AcceptPolicy(), None)
    for edit in edits:
        edit.apply(state, forward=True)
    target.adopt(AnnotatedObject(label, "here", region, ObjectFacts()), safe=False)
    image.write("there", WHOLE, np.full(SHAPE, label, np.uint8), whole)
    target.adopt(AnnotatedObject(label, "there", WHOLE, ObjectFacts()))
    assert [place for place, _, _ in target.painted()] == ["here"]  # a journal must not lose them
    for edit in target.delete(label):
        edit.apply(state, forward=True)
    assert (image.read("here", WHOLE) == label).all()
    assert not image.read("there", WHOLE).any()


def test_a_stroke_on_another_channel_enlarges_the_object() -> None:
    state = State()
    target = LabelTarget("layer", state, SparseLabels(np.uint8), spot_of=lambda place: "plane")
    state.put(("object", "layer"), 1, AnnotatedObject(1, "red", (slice(0, 2), slice(0, 2)), ObjectFacts()))
    changed = np.zeros(SHAPE, bool)
    changed[4, 5] = True
    for edit in target.strokes([Stroke("green", WHOLE, changed, 0, 1)]):
        if not isinstance(edit, Paint) or not edit.done:
            edit.apply(state, forward=True)
    assert target.objects[1].region == (slice(0, 5), slice(0, 6))
    assert [place for place, _, _ in target.painted()] == ["green"]
