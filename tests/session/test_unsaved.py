"""What of a session no file has."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from napari_dextr.objects import AnnotatedObject, ObjectFacts
from napari_dextr.segmentation import Segmentation
from napari_dextr.session import Session
from napari_dextr.session.labelling import Stroke
from napari_dextr.session.patches import SparseLabels
from napari_dextr.session.unsaved import Rest, Unsaved, moment

from .boxed_object import accept


def paint(session: Session, before: int, after: int) -> None:
    region, where = (slice(0, 1), slice(400, 402)), np.ones((1, 2), bool)
    assert session.target is not None
    session.targets[session.target].image.write(None, region, np.full((1, 2), after), where)
    session.note_painted([Stroke(None, region, where, before, after)])


@pytest.fixture
def session() -> Session:
    session = Session()
    session.bind("layer", SparseLabels(np.uint16))
    return session


@pytest.fixture
def unsaved(session: Session) -> Unsaved:
    made = Unsaved(session)
    session.watch(made.follow)
    return made


def save(unsaved: Unsaved) -> None:
    for rest in unsaved.rests.values():
        rest.save(moment())


def test_moments_follow_one_another() -> None:
    assert moment() < moment()


def test_accepted_objects_are_unsaved_until_a_file_has_them(session: Session, unsaved: Unsaved) -> None:
    assert not unsaved
    accept(session, 0)
    accept(session, 20)
    assert unsaved
    assert unsaved.objects == 2
    save(unsaved)
    assert not unsaved
    assert unsaved.objects == 0
    assert unsaved.rests["layer"].clean == {1, 2}


def test_marks_classes_and_what_was_undone_are_not_missed(session: Session, unsaved: Unsaved) -> None:
    session.add_point("inside", (1, 1))
    session.discard()
    session.add_class("cell")
    accept(session, 0)
    session.undo()
    accept(session, 20)
    session.delete(2)
    paint(session, 0, 7)
    session.undo()
    assert not unsaved


CHANGES: dict[str, Any] = {
    "undo": (lambda session: session.undo(), 0),
    "delete": (lambda session: session.delete(1), 0),
    "class": (lambda session: session.set_class(1, 1), 1),
    "correct": (lambda session: (session.reopen(1), session.add_point("outside", (2, 2)), again(session)), 1),
    "redo": (lambda session: (session.undo(), session.redo()), 1),
    "paint": (lambda session: paint(session, 0, 7), 0),
    "erase": (lambda session: paint(session, 7, 0), 0),
}


def again(session: Session) -> None:
    request = session.begin()
    assert request is not None
    region, values = (slice(0, 9), slice(0, 9)), np.ones((9, 9), np.float32)
    session.finish(request.serial, Segmentation(values, region, (10, 500), request.prompt, None, "fake", 0.5))
    session.accept()


@pytest.mark.parametrize("name", CHANGES)
def test_whatever_changes_after_the_file_is_unsaved(session: Session, unsaved: Unsaved, name: str) -> None:
    change, objects = CHANGES[name]
    session.add_class("cell")
    accept(session, 0)
    save(unsaved)
    change(session)
    assert unsaved
    assert unsaved.objects == objects
    save(unsaved)
    assert not unsaved


def test_what_changes_while_the_file_is_written_stays_unsaved(session: Session, unsaved: Unsaved) -> None:
    accept(session, 0)
    accept(session, 20)
    began = moment()
    session.delete(1)
    accept(session, 40)
    assert unsaved.rests["layer"].save(began) == {2}
    assert (unsaved.objects, unsaved.rests["layer"].objects) == (1, {3})
    session.delete(3)
    assert unsaved.rests["layer"].deleted == {3}  # the file may have it
    unsaved.rests["layer"].save(moment())
    assert not unsaved


def test_objects_that_the_image_held_before_count_once_they_are_changed(session: Session) -> None:
    place, region = None, (slice(0, 10), slice(0, 10))
    session.targets["layer"].image.write(place, region, np.full((10, 10), 4), np.ones((10, 10), bool))
    session.adopt([AnnotatedObject(4, place, region, ObjectFacts())])
    unsaved = Unsaved(session)
    session.watch(unsaved.follow)
    accept(session, 20)
    assert unsaved.rests["layer"].objects == {5}
    session.delete(4)
    assert unsaved.rests["layer"].deleted == {4}
    session.undo()
    assert unsaved.rests["layer"].objects == {4, 5}
    assert unsaved.rests["layer"].deleted == set()


def test_it_can_start_late(session: Session) -> None:
    accept(session, 0)
    assert Unsaved(session).objects == 1


def test_a_label_image_that_goes_takes_its_objects_with_it(session: Session, unsaved: Unsaved) -> None:
    accept(session, 0)
    session.forget_target("layer")
    assert not unsaved


def test_what_comes_from_a_journal_is_unsaved(session: Session, unsaved: Unsaved) -> None:
    region = (slice(0, 10), slice(0, 10))
    session.adopt([AnnotatedObject(4, None, region, ObjectFacts())], safe=False)
    assert not unsaved
    unsaved.recovered("layer")
    assert unsaved.objects == 1
    save(unsaved)
    assert not unsaved
    session.targets["layer"].keep_loose(None, region, np.ones((10, 10), bool))
    unsaved.recovered("layer")
    session.delete(4)
    assert unsaved


def test_what_comes_from_a_journal_and_is_in_a_file_is_saved(session: Session) -> None:
    items = [AnnotatedObject(label, None, (slice(0, 10), slice(0, 10)), ObjectFacts()) for label in (4, 5)]
    session.adopt(items, safe=False)
    unsaved = Unsaved(session)  # for which both are new
    unsaved.recovered("layer", {5, 6})
    rest = unsaved.rests["layer"]
    assert (rest.objects, rest.clean) == ({4}, {5})
    save(unsaved)
    assert not unsaved
    assert rest.clean == {4, 5}


def test_what_an_earlier_session_left_is_taken_over(session: Session, unsaved: Unsaved) -> None:
    session.adopt([AnnotatedObject(4, None, (slice(0, 10), slice(0, 10)), ObjectFacts())])
    rest = Rest({4: moment(), 5: moment(), 6: moment()}, {4, 5}, {6}, filed={6, 8})
    unsaved.take_over("layer", rest)
    mine = unsaved.rests["layer"]
    assert (mine.objects, mine.deleted, mine.clean) == ({4}, {6}, {8})
    unsaved.take_over("no layer of it", rest)
    assert unsaved.objects == 1


def test_what_an_earlier_session_made_and_takes_away_again_is_not_missed(session: Session, unsaved: Unsaved) -> None:
    """The next session knows its objects from the record of the layer, but no file has them."""
    items = [AnnotatedObject(label, None, (slice(0, 10), slice(0, 10)), ObjectFacts()) for label in (4, 5)]
    session.note_written("layer", [], {item.label: item for item in items})
    before = unsaved.rests["layer"]
    session.unwatch(unsaved.follow)
    session.adopt([*items, AnnotatedObject(6, None, (slice(0, 10), slice(0, 10)), ObjectFacts())])
    later = Unsaved(session)
    session.watch(later.follow)
    later.take_over("layer", before)
    assert later.objects == 2
    session.note_written("layer", [], {4: None, 5: None})
    assert not later
    session.note_written("layer", [], {6: None})  # this one came with the layer
    assert later
    session.note_written("layer", [], {4: items[0]})
    save(later)
    session.note_written("layer", [], {4: None})
    assert later.rests["layer"].deleted == {4}
