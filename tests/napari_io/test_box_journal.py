"""The journal of a run of Boxes to masks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_dextr.napari_io import parked_sessions
from napari_dextr.napari_io.box_journal import BoxJournal
from napari_dextr.napari_io.parked_sessions import ask_for, parked_with, release_closed
from napari_dextr.napari_io.planes import Plane
from napari_dextr.napari_io.saved_layers import tell_saved
from napari_dextr.objects import AnnotatedObject, ObjectClass, ObjectFacts
from napari_dextr.prompt import Region
from napari_dextr.session.patches import Patch
from napari_dextr.session.recovery import Recovered, recover, recoverable
from napari_dextr.session.unsaved import moment

CLASSES = [ObjectClass(1, "egg", "#e69f00")]
REGION = (slice(2, 6), slice(3, 9))


class Run:
    """A run that has found an object on the second plane of a stack."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.viewer = folder, ViewerModel()
        self.image = self.viewer.add_image(np.zeros((3, 20, 30)), name="stack")
        self.target = self.viewer.add_labels(np.zeros((3, 20, 30), np.uint16), name="found")
        self.journal = BoxJournal(folder, self.viewer, self.target, CLASSES)
        self.place = self.image, Plane((1, 2), (1, 0, 0))

    def find(self, label: int = 1, region: Region = REGION) -> bool:
        before = self.target.data[1][region].copy()
        self.target.data[1][region] = label
        patch = Patch.of(region, before, np.full_like(before, label))
        assert patch is not None
        item = AnnotatedObject(label, self.place, region, ObjectFacts(box=(2.0, 3.0, 5.0, 8.0), class_id=1))
        return self.journal.note([(self.place, patch)], {label: item})

    def saved(self) -> Recovered:
        (path,) = self.folder.glob("*.dextr-session")
        return recover(path)


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    run = Run(tmp_path)
    yield run
    run.journal.park()
    run.viewer.layers.clear()
    release_closed()
    parked_sessions._parked.clear()


def test_an_object_is_kept_as_soon_as_it_is_found(run: Run) -> None:
    assert run.find()
    saved = run.saved()
    (target,) = saved.targets
    assert (target.name["layer"], target.classes, saved.ended) == ("found", CLASSES, False)
    (item,) = target.objects(lambda name: name["index"])
    assert (item.place, item.region, item.facts.class_id) == ([1, 0, 0], REGION, 1)
    assert [region for _, region, _ in target.pixels(lambda name: name["index"])] == [REGION]
    assert recoverable(run.folder) == []  # it is being worked on


def test_without_objects_nothing_is_left(run: Run) -> None:
    run.journal.park()
    assert list(run.folder.iterdir()) == []


def test_what_was_taken_away_again_is_gone(run: Run) -> None:
    run.find()
    present = run.target.data[1][REGION].copy()
    patch = Patch.of(REGION, present, np.zeros_like(present))
    assert patch is not None
    run.journal.note([(run.place, patch)], {1: None})
    assert run.saved().objects == 0
    run.journal.park()
    assert list(run.folder.iterdir()) == []


def test_a_file_that_has_them_is_enough(run: Run) -> None:
    run.find()
    tell_saved([run.image], moment())
    tell_saved([run.target], moment())
    assert run.saved().targets[0].saved == {1}
    run.find(2, (slice(10, 12), slice(3, 9)))
    run.journal.park()
    assert run.saved().left == 1
    tell_saved([run.target], moment())
    assert list(run.folder.iterdir()) == []


def test_another_session_gets_them_once_the_run_is_complete(run: Run) -> None:
    run.find()
    ask_for([run.target])
    assert list(parked_with([run.target])) == []
    run.journal.complete = True
    ask_for([run.image])
    assert list(parked_with([run.target])) == []
    ask_for([run.target])
    ((parked, number, layer),) = parked_with([run.target])
    assert parked.kept.rests[number].objects == {1}
    assert layer is run.target
    assert not run.find(2)
    assert run.saved().objects == 1


def test_the_layer_has_the_name_that_it_had_at_last(run: Run) -> None:
    run.find()
    run.target.name = "eggs"
    assert run.saved().targets[0].name["layer"] == "eggs"
    run.journal.park()
    run.target.name = "all eggs"
    assert run.saved().targets[0].name["layer"] == "all eggs"
    assert (run.saved().ended, run.saved().left) == (True, 1)


def test_they_are_offered_when_the_layer_is_gone(run: Run) -> None:
    run.find()
    run.viewer.layers.remove(run.target)
    run.journal.park()
    assert [(found.objects, found.run) for found in recoverable(run.folder)] == [(1, "Boxes to masks")]
