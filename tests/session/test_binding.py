"""Label targets of a session: bound, shared, gone."""

from __future__ import annotations

import numpy as np
import pytest

from napari_dextr.errors import OutputError
from napari_dextr.objects import AnnotatedObject, ObjectClass, ObjectFacts
from napari_dextr.session import Session
from napari_dextr.session.binding import Binding
from napari_dextr.session.history import Change, Written
from napari_dextr.session.labelling import Stroke
from napari_dextr.session.patches import Patch, SparseLabels

PIXEL = (slice(3, 4), slice(3, 4))
HIT = np.ones((1, 1), bool)


@pytest.fixture
def binding() -> Binding:
    binding = Binding()
    binding.bind("layer", SparseLabels(np.uint8))
    return binding


def test_nothing_is_bound() -> None:
    binding = Binding()
    assert (binding.target, dict(binding.objects), binding.classes, binding.current_class) == (None, {}, (), None)
    binding.note_label(9)
    with pytest.raises(OutputError, match="choose one"):
        binding.next_label()


def test_unbinding_keeps_what_is_known(binding: Binding) -> None:
    binding.note_label(9)
    image = binding.targets["layer"].image
    binding.bind(None, None)
    assert binding.target is None
    binding.bind("layer", image)
    assert binding.next_label() == 10


def test_a_target_that_brings_its_own_classes(binding: Binding) -> None:
    binding.adopt([], [ObjectClass(1, "cell", "#000000")])
    binding.bind("other", SparseLabels(np.uint8), classes=[ObjectClass(5, "vein", "#ffffff")])
    assert [item.name for item in binding.classes] == ["vein"]
    binding.bind("third", SparseLabels(np.uint8))  # shares the list in use
    assert [item.name for item in binding.classes] == ["vein"]
    binding.bind("layer", binding.targets["layer"].image)
    assert [item.name for item in binding.classes] == ["cell"]


def test_adopting_takes_the_labels(binding: Binding) -> None:
    binding.adopt([AnnotatedObject(7, "here", PIXEL, ObjectFacts())])
    assert binding.next_label() == 8
    assert list(binding.objects) == [7]
    assert binding.area(7) == 0
    with pytest.raises(OutputError):
        Binding().adopt([])


def test_what_a_step_was_is_told_in_words(binding: Binding) -> None:
    assert (binding.undo_text, binding.redo_text) == (None, None)
    binding.note_painted([Stroke("here", PIXEL, HIT, 0, 4)])
    assert binding.undo_text == "paint by hand"
    binding.undo()
    assert (binding.undo_text, binding.redo_text) == (None, "paint by hand")
    assert (binding.can_undo, binding.can_redo) == (False, True)


def test_painting_the_pixels_of_an_object_changes_its_area(binding: Binding) -> None:
    image = binding.targets["layer"].image
    binding.adopt([AnnotatedObject(1, "here", (slice(0, 3), slice(0, 3)), ObjectFacts())])
    assert binding.area(1) == 0
    image.write("here", PIXEL, np.ones((1, 1), np.uint8), HIT)
    binding.note_painted([Stroke("here", PIXEL, HIT, 0, 1)])
    assert binding.area(1) == 1
    binding.undo()
    assert binding.area(1) == 0


def test_what_others_write_is_told_and_is_no_step() -> None:
    told: list[Change] = []
    binding = Session()
    binding.bind("layer", SparseLabels(np.uint8))
    binding.watch(told.append)
    patch = Patch.of(PIXEL, np.zeros((1, 1), np.uint8), np.full((1, 1), 7, np.uint8))
    assert patch is not None
    item = AnnotatedObject(7, "there", PIXEL, ObjectFacts())
    binding.note_written("layer", [("there", patch)], {7: item})
    assert binding.objects == {7: item}
    assert binding.next_label() == 8
    assert not binding.targets["layer"].only_adopted(item)
    binding.note_written("layer", [], {7: None})
    assert binding.objects == {}
    assert not binding.can_undo
    assert [change.objects for change in told] == [{"layer": {7}}] * 2
    assert told[0].pixels == (Written("layer", "there", patch, True),)


def test_forgetting_a_target_forgets_its_steps(binding: Binding) -> None:
    binding.note_painted([Stroke("here", PIXEL, HIT, 0, 4)])
    binding.add_point("inside", (1, 1))
    binding.forget_target("layer")
    assert [step.text for step in binding._history.steps] == ["add a point"]
    assert binding.targets == {}
    binding.forget_target("never there")
    binding.forget([None])
    assert not binding.can_undo
