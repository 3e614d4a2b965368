"""A whole session, without viewer and without network."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from napari_dextr.errors import OutputError, PromptError
from napari_dextr.postprocess import PostProcess
from napari_dextr.prompt import Region
from napari_dextr.segmentation import Segmentation
from napari_dextr.session import KINDS, Row, Session
from napari_dextr.session.autosave import Journal
from napari_dextr.session.labelling import AcceptPolicy, Stroke
from napari_dextr.session.patches import Labels, Mask, SparseLabels
from napari_dextr.session.recovery import recover

SIZE = 24
CORNERS = [(2.0, 10.0), (10.0, 1.0), (18.0, 11.0), (9.0, 20.0)]


class Clock:
    """A clock that goes as told."""

    def __init__(self) -> None:
        self.time = 100.0

    def __call__(self) -> float:
        return self.time


class NumpyLabels:
    """Planes of labels in one array, as a Labels layer holds them."""

    def __init__(self, places: str = "ab", dtype: Any = np.uint16) -> None:
        self.planes = {place: np.zeros((SIZE, SIZE), dtype) for place in places}
        self.locked = False

    @property
    def largest(self) -> int:
        return int(np.iinfo(self.planes["a"].dtype).max)

    def highest(self) -> int:
        return max(int(plane.max()) for plane in self.planes.values())

    def read(self, place: Any, region: Region) -> Labels:
        return self.planes[place][region]

    def write(self, place: Any, region: Region, values: Labels, changed: Mask) -> None:
        if self.locked:
            raise OutputError("The layer is locked.")
        self.planes[place][region][changed] = values[changed]


def blob(top: int = 2, left: int = 2, bottom: int = 8, right: int = 8) -> Mask:
    mask = np.zeros((SIZE, SIZE), bool)
    mask[top:bottom, left:right] = True
    return mask


def answer(session: Session, mask: Mask, *, score: float | None = 0.8) -> bool:
    """Let the model answer the present marks with a mask."""
    request = session.begin()
    assert request is not None
    whole = (slice(0, SIZE), slice(0, SIZE))
    result = Segmentation(mask.astype(np.float32), whole, (SIZE, SIZE), request.prompt, score, "fake", 0.5)
    return session.finish(request.serial, result)


def click(session: Session) -> None:
    for point in CORNERS:
        session.add_point("extreme", point)


def mark(session: Session, mask: Mask) -> None:
    """Click an object and get a mask."""
    click(session)
    assert answer(session, mask)


def accept(session: Session, mask: Mask) -> int:
    mark(session, mask)
    return session.accept().label


@pytest.fixture
def labels() -> NumpyLabels:
    return NumpyLabels()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def session(labels: NumpyLabels, clock: Clock) -> Session:
    session = Session(clock=clock, now=lambda: "2026-01-01T00:00:00+00:00", author="ada", plane_of=lambda place: (7,))
    session.go_to("a")
    session.bind("layer", labels)
    return session


# -- accepting --------------------------------------------------------------------------------------------------------


def test_accepting_writes_the_mask_and_remembers_what_made_it(
    session: Session, labels: NumpyLabels, clock: Clock
) -> None:
    session.model_hash = "cafe"
    session.add_point("extreme", CORNERS[0])
    clock.time += 2.5
    for point in CORNERS[1:]:
        session.add_point("extreme", point)
    clock.time += 1
    answer(session, blob())
    item = session.accept()
    np.testing.assert_array_equal(labels.planes["a"] == 1, blob())
    assert (item.label, item.place, item.region) == (1, "a", (slice(2, 8), slice(2, 8)))
    facts = item.facts
    assert (facts.prompts, facts.score, facts.model, facts.model_hash) == ("4 extreme", 0.8, "fake", "cafe")
    assert (facts.seconds, facts.plane, facts.author, facts.created) == (3.5, (7,), "ada", "2026-01-01T00:00:00+00:00")
    assert session.objects == {1: item}
    assert session.marks == ()
    assert session.segmentation is None


def test_the_table_of_objects(session: Session) -> None:
    session.add_class("cell")
    session.set_class(None, 1)
    accept(session, blob())
    accept(session, blob(10, 10, 12, 12))
    session.set_class(2, None)
    assert session.rows() == [
        Row(1, "cell", 36, 0.8, "4 extreme", 0.0),
        Row(2, "", 4, 0.8, "4 extreme", 0.0),
    ]
    assert [row.label for row in session.rows([2, 9])] == [2]
    assert Session().rows() == []


def test_nothing_to_accept(session: Session) -> None:
    with pytest.raises(PromptError, match="no preview"):
        session.accept()


def test_nowhere_to_accept_into() -> None:
    session = Session()
    mark(session, blob())
    with pytest.raises(OutputError, match="choose one"):
        session.accept()
    assert session.segmentation is not None


@pytest.mark.parametrize("reason", ["locked", "empty", "covered", "full"])
def test_an_accept_that_fails_changes_nothing(session: Session, labels: NumpyLabels, reason: str) -> None:
    accept(session, blob())
    click(session)
    answer(session, np.zeros((SIZE, SIZE), bool) if reason == "empty" else blob(3, 3, 6, 6))
    if reason != "covered":
        session.policy = AcceptPolicy("overwrite")
    labels.locked = reason == "locked"
    if reason == "full":
        session.note_label(65535)
    before, steps, objects = labels.planes["a"].copy(), session.undo_text, dict(session.objects)
    with pytest.raises(OutputError):
        session.accept()
    np.testing.assert_array_equal(labels.planes["a"], before)
    assert (session.undo_text, dict(session.objects)) == (steps, objects)
    assert len(session.marks) == 4
    assert session.segmentation is not None


def test_undoing_an_accept_brings_marks_and_mask_back_without_the_model(
    session: Session, labels: NumpyLabels, clock: Clock
) -> None:
    session.add_point("extreme", (1, 1))
    clock.time += 4
    session.discard()
    click(session)
    clock.time += 2
    answer(session, blob())
    session.accept()
    clock.time += 60
    change = session.undo()
    assert change is not None
    assert (change.text, change.how, change.place) == ("accept object 1", "undo", "a")
    assert change.marks
    assert change.objects == {"layer": {1}}
    assert not labels.planes["a"].any()
    assert len(session.marks) == 4
    assert session.segmentation is not None
    np.testing.assert_array_equal(session.segmentation.full_mask(), blob())
    assert not session.to_ask
    clock.time += 1
    assert session.accept().facts.seconds == 3.0  # the minute between does not count


def test_labels_are_never_given_twice(session: Session, labels: NumpyLabels) -> None:
    accept(session, blob())
    session.undo()
    assert session.next_label() == 2
    session.note_painted([Stroke("b", (slice(0, 1), slice(0, 1)), np.ones((1, 1), bool), 0, 40)])
    assert session.next_label() == 41
    session.bind("other", NumpyLabels())
    assert session.next_label() == 1
    session.bind("layer", labels)
    assert session.next_label() == 41
    session.forget_target("layer")
    labels.planes["b"][3, 3] = 9
    session.bind("layer", labels)
    assert session.next_label() == 10
    replaced = NumpyLabels()
    replaced.planes["a"][0, 0] = 50
    session.bind("layer", replaced)
    assert session.next_label() == 51


def test_a_label_over_the_data_type_is_refused() -> None:
    session = Session()
    image = NumpyLabels(dtype=np.uint8)
    image.planes["a"][0, 0] = 255
    session.bind("layer", image)
    with pytest.raises(OutputError, match="up to 255 only"):
        session.next_label()


# -- correcting -------------------------------------------------------------------------------------------------------


def test_going_back_to_an_object(session: Session, labels: NumpyLabels, clock: Clock) -> None:
    session.add_class("cell")
    session.set_class(None, 1)
    mark(session, blob())
    clock.time += 5
    session.accept()
    session.set_class(None, None)
    session.go_to("b")
    clock.time += 100
    session.reopen(1)
    assert (session.place, session.reopened, session.current_class) == ("a", 1, 1)
    assert len(session.marks) == 4
    assert session.segmentation is not None
    np.testing.assert_array_equal(session.segmentation.full_mask()[:8, :8], blob()[:8, :8])
    assert not session.to_ask
    session.model_marks = frozenset({"extreme", "inside", "mask"})
    session.add_point("inside", (12, 12))
    assert session.to_ask
    previous = session.prompt().previous
    assert previous is not None
    assert previous.region == (slice(2, 8), slice(2, 8))
    assert previous.probability.all()
    clock.time += 2
    answer(session, blob(4, 2, 10, 8), score=0.9)
    assert session.accept().label == 1
    np.testing.assert_array_equal(labels.planes["a"] == 1, blob(4, 2, 10, 8))
    assert not (labels.planes["a"] > 1).any()
    facts = session.objects[1].facts
    assert (facts.prompts, facts.score, facts.seconds, facts.class_id) == ("4 extreme, 1 inside", 0.9, 7.0, 1)
    assert session.next_label() == 2
    assert session.area(1) == 36


def test_cancelling_a_correction_leaves_the_object(session: Session, labels: NumpyLabels) -> None:
    accept(session, blob())
    before, item = labels.planes["a"].copy(), session.objects[1]
    session.reopen(1)
    session.add_point("outside", (3, 3))
    answer(session, blob(5, 5, 7, 7))
    session.discard()
    np.testing.assert_array_equal(labels.planes["a"], before)
    assert session.objects[1] == item
    assert session.reopened is None
    assert session.marks == ()


def test_a_correction_gives_back_what_lay_beneath(session: Session, labels: NumpyLabels) -> None:
    session.policy = AcceptPolicy("overwrite")
    labels.planes["a"][0:3, 0:10] = 9  # painted before the session
    accept(session, blob(4, 0, 10, 10))
    accept(session, blob(1, 0, 8, 6))  # over both
    session.reopen(2)
    session.add_point("outside", (1, 1))
    answer(session, blob(3, 0, 5, 6))
    session.accept()
    expected = np.zeros((SIZE, SIZE), int)
    expected[0:3, 0:10] = 9
    expected[4:10, 0:10] = 1
    expected[3:5, 0:6] = 2
    np.testing.assert_array_equal(labels.planes["a"], expected)


def test_what_has_gone_in_the_meantime_does_not_come_back(session: Session, labels: NumpyLabels) -> None:
    session.policy = AcceptPolicy("overwrite")
    accept(session, blob(0, 0, 6, 6))
    accept(session, blob(0, 6, 6, 12))
    accept(session, blob(2, 2, 5, 10))
    session.delete(1)
    session.reopen(2)
    session.add_point("outside", (1, 1))
    answer(session, blob(0, 8, 6, 12))  # takes its pixels from object 3 again, and gives up columns 6 and 7
    session.accept()
    session.delete(3)
    expected = np.zeros((SIZE, SIZE), int)
    expected[0:6, 8:12] = 2
    np.testing.assert_array_equal(labels.planes["a"], expected)


def test_an_object_from_a_file_is_corrected_by_its_mask(session: Session, labels: NumpyLabels) -> None:
    from napari_dextr.objects import AnnotatedObject, ObjectClass, ObjectFacts

    labels.planes["a"][5:9, 5:9] = 12
    item = AnnotatedObject(12, "a", (slice(3, 12), slice(3, 12)), ObjectFacts(class_id=2))
    session.adopt([item], [ObjectClass(2, "nucleus", "#00ff00")])
    assert not session.can_undo
    assert session.next_label() == 13
    assert session.rows() == [Row(12, "nucleus", 16, None, "", None)]
    session.reopen(12)
    assert session.remaining == 0
    assert not session.to_ask
    assert session.begin() is None
    session.reopen(12)  # once is enough
    assert session.undo_text == "reopen object 12"
    session.undo()
    session.redo()
    session.add_point("inside", (10, 6))
    assert session.prompt().box_bounds == (4.5, 4.5, 8.5, 8.5)
    session.model_marks = frozenset({"mask"})
    assert session.prompt().box_bounds is None
    assert session.prompt().previous is not None
    answer(session, blob(5, 5, 12, 9))
    session.accept()
    np.testing.assert_array_equal(labels.planes["a"] == 12, blob(5, 5, 12, 9))
    assert session.objects[12].facts.prompts == "1 inside"


def test_of_an_accepted_object_whose_box_or_points_are_removed_the_mask_says_where_it_is(session: Session) -> None:
    session.model_marks = frozenset({"mask"})
    session.set_box((2, 2, 8, 8))
    answer(session, blob())
    session.accept()
    session.reopen(1)
    session.set_box((2, 2, 9, 9))  # no answer has come when it is removed
    session.set_box(None)
    session.add_point("inside", (8, 8))
    previous = session.prompt().previous
    assert previous is not None
    assert previous.region == (slice(2, 8), slice(2, 8))
    session.discard()
    accept(session, blob(12, 12, 16, 16))
    session.reopen(2)
    session.remove_point(0)
    previous = session.prompt().previous
    assert previous is not None
    assert previous.region == (slice(12, 16), slice(12, 16))


def test_a_correction_that_is_taken_back_leaves_the_object_as_it_was_reopened(
    session: Session, labels: NumpyLabels, clock: Clock
) -> None:
    from napari_dextr.objects import AnnotatedObject, ObjectFacts

    labels.planes["a"][5:9, 5:9] = 12
    session.adopt([AnnotatedObject(12, "a", (slice(3, 12), slice(3, 12)), ObjectFacts())])
    session.reopen(12)  # no marks: only its mask says where it is
    session.add_point("inside", (10, 6))
    answer(session, blob(5, 5, 12, 9))
    session.remove_point(0)
    assert session.segmentation is not None
    assert session.segmentation.mask.sum() == 16
    session.accept()
    np.testing.assert_array_equal(labels.planes["a"] == 12, blob(5, 5, 9, 9))
    mark(session, blob(14, 14, 20, 20))
    session.add_point("inside", (17, 17))
    answer(session, blob(14, 14, 21, 21))
    label = session.accept().label
    session.reopen(label)
    session.add_point("outside", (20, 20))
    answer(session, blob(14, 14, 15, 15))
    session.add_point("inside", (18, 18))
    session.remove_point(6)
    session.remove_point(5)
    assert not session.to_ask  # the marks are those of the mask that is there
    assert session.segmentation is not None
    assert session.segmentation.mask.sum() == 49


def test_a_class_that_goes_takes_no_preview_along(session: Session) -> None:
    session.add_class("cell")
    session.set_class(None, 1)
    accept(session, blob())
    session.reopen(1)
    session.add_point("inside", (8, 8))
    answer(session, blob(2, 2, 9, 9))
    session.remove_class(1)
    assert session.current_class is None
    assert session.segmentation is not None
    assert session.segmentation.mask.sum() == 49
    session.undo()
    assert session.current_class == 1
    assert session.segmentation is not None


def test_what_is_corrected_is_meant_wherever_it_lies(session: Session, labels: NumpyLabels) -> None:
    accept(session, blob())
    other = NumpyLabels()
    session.bind("other", other)
    session.add_class("cell")
    accept(session, blob(10, 10, 12, 12))
    session.bind("layer", labels)
    session.reopen(1)
    session.bind("other", other)
    assert (session.reopened, session.reopened_in) == (1, "layer")
    session.set_class(1, 1, "layer")
    assert session.objects[1].facts.class_id is None
    assert session.targets["layer"].objects[1].facts.class_id == 1
    session.delete(1)  # that of the bound image, which has one too
    assert labels.planes["a"].any()
    assert not other.planes["a"].any()
    session.undo()
    session.delete(1, "layer")
    assert not labels.planes["a"].any()
    assert other.planes["a"].any()
    assert session.reopened is None
    session.undo()
    session.bind("layer", None)
    session.accept()
    assert labels.planes["a"].any()


def test_an_object_whose_pixels_are_gone_is_not_reopened(session: Session, labels: NumpyLabels) -> None:
    accept(session, blob())
    session.policy = AcceptPolicy("overwrite")
    accept(session, blob(0, 0, 10, 10))
    assert session.area(1) == 0
    with pytest.raises(PromptError, match="no pixels left"):
        session.reopen(1)
    with pytest.raises(PromptError, match="no object 7"):
        session.reopen(7)
    session.undo()
    assert session.area(1) == 36


def test_an_unfinished_object_comes_back_after_a_correction_is_undone(session: Session, clock: Clock) -> None:
    accept(session, blob())
    session.add_point("extreme", (1, 1))
    clock.time += 3
    session.reopen(1)
    clock.time += 50
    session.undo()
    assert len(session.marks) == 1
    assert session.reopened is None
    clock.time += 1
    for point in CORNERS[1:]:
        session.add_point("extreme", point)
    answer(session, blob(12, 12, 14, 14))
    assert session.accept().facts.seconds == 4.0


# -- policies ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("policy", "won"),
    [
        (AcceptPolicy(), {0}),
        (AcceptPolicy("overwrite"), {0, 1, 2, 3}),
        (AcceptPolicy("protect", frozenset({2})), {0, 1, 3}),
        (AcceptPolicy("overwrite", keep_painted=True), {0, 1, 2}),
    ],
    ids=["background", "overwrite", "protect", "keep painted"],
)
def test_policies(session: Session, labels: NumpyLabels, policy: AcceptPolicy, won: set[int]) -> None:
    accept(session, blob(0, 0, 4, 4))
    accept(session, blob(0, 4, 4, 8))
    paint(session, labels, "a", blob(0, 8, 4, 12), 3)
    before = labels.planes["a"].copy()
    session.policy = policy
    assert accept(session, blob(1, 0, 3, 20)) == 4
    after = labels.planes["a"]
    np.testing.assert_array_equal(after == 4, blob(1, 0, 3, 20) & np.isin(before, list(won)))
    np.testing.assert_array_equal(after[after != 4], before[after != 4])


def test_hand_edits_outlive_a_correction(session: Session, labels: NumpyLabels) -> None:
    accept(session, blob(2, 2, 8, 8))
    paint(session, labels, "a", blob(2, 8, 8, 10), 1)  # enlarged by hand
    paint(session, labels, "a", blob(2, 2, 8, 3), 0)  # and a column erased
    assert session.area(1) == 42
    session.policy = AcceptPolicy(keep_painted=True)
    session.reopen(1)
    session.add_point("outside", (2, 2))
    answer(session, blob(4, 2, 8, 8))
    session.accept()
    np.testing.assert_array_equal(labels.planes["a"] == 1, blob(4, 3, 8, 8) | blob(2, 8, 8, 10))
    session.policy = AcceptPolicy()
    session.reopen(1)
    session.add_point("inside", (5, 5))
    answer(session, blob(4, 2, 8, 8))
    session.accept()
    np.testing.assert_array_equal(labels.planes["a"] == 1, blob(4, 2, 8, 8))


# -- the user's own strokes -------------------------------------------------------------------------------------------


def paint(session: Session, labels: NumpyLabels, place: str, mask: Mask, label: int) -> None:
    before = labels.planes[place].copy()
    labels.planes[place][mask] = label
    session.note_painted([Stroke(place, (slice(0, SIZE), slice(0, SIZE)), mask, before, label)])


def test_strokes_take_their_turn(session: Session, labels: NumpyLabels) -> None:
    start = labels.planes["a"].copy()
    accept(session, blob())
    first = labels.planes["a"].copy()
    paint(session, labels, "a", blob(5, 5, 12, 12), 8)
    second = labels.planes["a"].copy()
    session.policy = AcceptPolicy("overwrite")
    accept(session, blob(0, 0, 7, 7))
    third = labels.planes["a"].copy()
    for _ in range(6):  # the accept, its four clicks, the stroke
        session.undo()
    np.testing.assert_array_equal(labels.planes["a"], first)
    while session.undo():
        pass
    np.testing.assert_array_equal(labels.planes["a"], start)
    while session.redo():
        pass
    np.testing.assert_array_equal(labels.planes["a"], third)
    for _ in range(5):
        session.undo()
    np.testing.assert_array_equal(labels.planes["a"], second)
    assert session.undo_text == "paint by hand"


def test_what_is_painted_onto_the_object_that_is_corrected_stays(session: Session, labels: NumpyLabels) -> None:
    accept(session, blob(2, 2, 8, 8))
    session.reopen(1)
    paint(session, labels, "a", blob(12, 12, 14, 14), 1)
    paint(session, labels, "a", blob(2, 2, 3, 3), 0)
    session.add_point("inside", (5, 5))
    answer(session, blob(2, 2, 9, 8))
    session.accept()
    expected = (blob(2, 2, 9, 8) & ~blob(2, 2, 3, 3)) | blob(12, 12, 14, 14)
    np.testing.assert_array_equal(labels.planes["a"] == 1, expected)
    session.reopen(1)  # from now on they belong to it like all others
    session.add_point("outside", (13, 13))
    answer(session, blob(2, 2, 9, 8))
    session.accept()
    np.testing.assert_array_equal(labels.planes["a"] == 1, blob(2, 2, 9, 8))


def test_strokes_that_touch_nothing_are_no_step(session: Session) -> None:
    session.note_painted([])
    Session().note_painted([])
    assert not session.can_undo


def test_undo_spares_pixels_that_somebody_else_has_changed(session: Session, labels: NumpyLabels) -> None:
    accept(session, blob())
    labels.planes["a"][3, 3] = 77  # unseen by the session
    session.undo()
    assert labels.planes["a"][3, 3] == 77
    assert (labels.planes["a"] > 0).sum() == 1
    session.redo()
    assert labels.planes["a"][3, 3] == 77
    assert session.area(1) == 35


# -- deleting, classes, targets, places -------------------------------------------------------------------------------


def test_deleting_an_object(session: Session, labels: NumpyLabels) -> None:
    session.policy = AcceptPolicy("overwrite")
    accept(session, blob(0, 0, 6, 6))
    accept(session, blob(3, 3, 9, 9))
    session.reopen(2)
    session.delete(2)
    np.testing.assert_array_equal(labels.planes["a"], blob(0, 0, 6, 6))
    assert list(session.objects) == [1]
    assert session.reopened is None
    session.undo()
    assert labels.planes["a"][4, 4] == 2
    assert session.reopened == 2
    with pytest.raises(PromptError, match="no object 5"):
        session.delete(5)


def test_classes(session: Session) -> None:
    cell = session.add_class("cell")
    other = session.add_class("other", "#123456")
    assert (cell.id, other.id, other.colour) == (1, 2, "#123456")
    session.set_class(None, 1)
    accept(session, blob())
    session.rename_class(1, "nucleus")
    session.recolour_class(1, "#000000")
    session.recolour_class(1, "#ffffff")
    assert session.classes[0].colour == "#ffffff"
    session.undo()
    assert session.classes[0] == type(cell)(1, "nucleus", cell.colour)  # two colours in a row are one step
    session.remove_class(1)
    assert [item.id for item in session.classes] == [2]
    assert session.objects[1].facts.class_id is None
    assert session.current_class is None
    change = session.undo()
    assert change is not None
    assert change.classes
    assert change.objects == {"layer": {1}}
    assert session.objects[1].facts.class_id == 1
    assert session.current_class == 1
    session.redo()
    assert session.add_class("third").id == 3
    with pytest.raises(PromptError, match="no class 9"):
        session.set_class(1, 9)


def test_the_class_of_an_object_that_is_corrected(session: Session) -> None:
    session.add_class("cell")
    session.add_class("other")
    accept(session, blob())
    session.reopen(1)
    session.set_class(None, 2)
    assert session.current_class == 2
    session.add_point("inside", (3, 3))
    answer(session, blob(2, 2, 9, 9))
    session.accept()
    assert session.objects[1].facts.class_id == 2
    assert session.current_class is None
    session.set_class(1, 1)
    assert session.undo_text == "change the class of object 1"
    session.reopen(1)
    session.remove_class(1)
    assert session.current_class is None
    session.undo()
    assert session.current_class == 1


def test_classes_follow_to_the_first_target() -> None:
    session = Session()
    session.add_class("cell")
    session.bind("layer", NumpyLabels())
    assert [item.name for item in session.classes] == ["cell"]
    session.undo()
    assert session.classes == ()
    session.redo()
    session.forget_target("layer")
    assert [item.name for item in session.classes] == ["cell"]
    session.bind("new", NumpyLabels())
    assert [item.name for item in session.classes] == ["cell"]


def test_undo_goes_to_where_it_happened(session: Session) -> None:
    session.add_point("extreme", (1, 1))
    session.go_to("b")
    session.add_point("extreme", (2, 2))
    session.tune(0.3, None)
    session.go_to("a")
    changes = [session.undo(), session.undo(), session.undo()]
    assert [change.place for change in changes if change] == ["a", "b", "a"]
    assert session.place == "a"
    assert session.undo() is None


def test_several_targets_share_one_history(session: Session, labels: NumpyLabels) -> None:
    accept(session, blob())
    other = NumpyLabels()
    session.bind("other", other)
    accept(session, blob(1, 1, 3, 3))
    session.bind("layer", labels)
    session.undo()
    assert not other.planes["a"].any()
    assert labels.planes["a"].any()
    session.redo()
    session.reopen(1)
    session.forget_target("layer")
    assert session.marks == ()
    assert session.objects == {}
    assert session.target is None
    while session.undo():
        pass
    assert not other.planes["a"].any()
    assert labels.planes["a"].any()


def test_a_closed_image_takes_its_steps_along(session: Session) -> None:
    accept(session, blob())
    session.add_point("extreme", (1, 1))
    session.go_to("b")
    session.add_point("extreme", (2, 2))
    session.add_class("cell")
    session.forget(["a"])
    assert set(session.places) == {"b"}
    assert 1 in session.objects
    session.undo()
    session.undo()
    assert not session.can_undo
    session.forget(["b"])
    assert session.place is None


def test_a_step_that_cannot_be_undone_now_stays(session: Session, labels: NumpyLabels) -> None:
    accept(session, blob())
    labels.locked = True
    with pytest.raises(OutputError, match="locked"):
        session.undo()
    assert list(session.objects) == [1]
    labels.locked = False
    assert session.undo() is not None
    labels.locked = True
    with pytest.raises(OutputError, match="locked"):
        session.redo()
    assert session.redo_text == "accept object 1"


def test_watchers_hear_of_everything(session: Session) -> None:
    heard: list[tuple[str, str]] = []

    def listen(change: Any) -> None:
        heard.append((change.how, change.text))

    session.watch(listen)
    session.add_point("extreme", (1, 1))
    session.undo()
    session.redo()
    session.unwatch(listen)
    session.discard()
    assert heard == [("do", "add a point"), ("undo", "add a point"), ("redo", "add a point")]


def test_the_largest_planes_cost_no_more_than_the_object() -> None:
    session = Session()
    session.bind("huge", SparseLabels(np.int32))
    session.policy = AcceptPolicy("overwrite")
    click(session)
    request = session.begin()
    assert request is not None
    region = (slice(49_000, 49_020), slice(48_000, 48_030))
    values = np.ones((20, 30), np.float32)
    session.finish(request.serial, Segmentation(values, region, (50_000, 50_000), request.prompt, None, "fake", 0.5))
    session.accept()
    assert session.area(1) == 600
    session.reopen(1)
    session.delete(1)
    assert session.rows() == []


# -- any sequence of actions ------------------------------------------------------------------------------------------

PLACES = st.sampled_from("ab")
POINT = st.tuples(st.integers(0, SIZE - 1), st.integers(0, SIZE - 1)).map(lambda p: (float(p[0]), float(p[1])))
RECTANGLE = st.builds(
    lambda r, c, h, w: blob(r, c, min(SIZE, r + h), min(SIZE, c + w)),
    st.integers(0, SIZE - 2), st.integers(0, SIZE - 2), st.integers(1, 10), st.integers(1, 10),
)  # fmt: skip
MASKS = st.one_of(RECTANGLE, st.builds(np.bitwise_xor, RECTANGLE, RECTANGLE).filter(lambda mask: bool(mask.any())))


class AnySession(RuleBasedStateMachine):
    """Whatever is done: undo passes through every state on the way back, redo on the way forth."""

    @initialize(seed=st.integers(0, 5))
    def start(self, seed: int) -> None:
        self.labels = NumpyLabels()
        rng = np.random.default_rng(seed)
        if seed:
            self.labels.planes["a"][rng.random((SIZE, SIZE)) < 0.1] = 3  # somebody's earlier work
        self.begin_pixels = {place: plane.copy() for place, plane in self.labels.planes.items()}
        self.painted = {place: np.zeros((SIZE, SIZE), bool) for place in "ab"}
        self.given: set[int] = set()
        self.folder = Path(tempfile.mkdtemp())
        self.session = Session(clock=Clock())
        self.session.go_to("a")
        self.session.bind("layer", self.labels)
        self.journal = Journal(self.folder, self.session)
        self.trace = [self.snapshot()]
        self.last: Any = None  # step that the present state came from

    def snapshot(self) -> dict[str, Any]:
        session = self.session
        return {
            "pixels": {place: plane.tobytes() for place, plane in self.labels.planes.items()},
            "painted": {place: mask.tobytes() for place, mask in self.painted.items()},
            "objects": {label: (item.place, item.region, item.facts) for label, item in session.objects.items()},
            "drafts": {place: (d.marks, d.box, d.correcting, d.class_id) for place, d in session.drafts.items()},
            "classes": session.classes,
            "class": session._state.get("class", None),
            "tuning": session.tuning,
        }

    def did(self) -> None:
        """Note the state after an action. Without a new step nothing may have changed, but in steps that merge."""
        history, now = self.session._history, self.snapshot()
        count, last = len(history), history.last
        if last is self.last and (last is None or last.merge is None):
            assert now == self.trace[count]
            return
        del self.trace[count:]
        assert len(self.trace) == count
        self.trace.append(now)
        self.last = last

    @rule(kind=st.sampled_from(KINDS), point=POINT)
    def add_point(self, kind: str, point: tuple[float, float]) -> None:
        self.session.add_point(kind, point)
        self.did()

    @precondition(lambda self: self.session.marks)
    @rule(data=st.data(), point=POINT)
    def move_or_remove(self, data: st.DataObject, point: tuple[float, float]) -> None:
        index = data.draw(st.integers(0, len(self.session.marks) - 1))
        if data.draw(st.booleans()):
            self.session.move_point(index, point)
        else:
            self.session.remove_point(index)
        self.did()

    @rule(box=st.sampled_from([None, (2, 2, 9, 9), (0, 3, 12, 20)]))
    def set_box(self, box: Any) -> None:
        self.session.set_box(box)
        self.did()

    @rule()
    def discard(self) -> None:
        self.session.discard()
        self.did()

    @rule(threshold=st.sampled_from([None, 0.3, 0.6]), holes=st.sampled_from([0, 5]))
    def tune(self, threshold: float | None, holes: int) -> None:
        self.session.tune(threshold, PostProcess(fill_holes=holes) if holes else None)
        self.did()

    @rule(place=PLACES)
    def go_to(self, place: str) -> None:
        self.session.go_to(place)

    @rule(
        mask=MASKS,
        kind=st.sampled_from(["background", "overwrite", "protect"]),
        protected=st.frozensets(st.integers(1, 9)),
        keep_painted=st.booleans(),
    )
    def accept(self, mask: Mask, kind: Any, protected: frozenset[int], keep_painted: bool) -> None:
        session = self.session
        if session._draft.extremes < 4 and session.box is None and session.reopened is None:
            session.set_box((1, 1, 9, 9))
            self.did()
        session.policy = policy = AcceptPolicy(kind, protected, keep_painted)
        place, own = session.place, session.reopened
        try:
            request = session.begin()
        except PromptError:
            return
        if request is not None:
            whole = (slice(0, SIZE), slice(0, SIZE))
            values = mask.astype(np.float32)
            session.finish(request.serial, Segmentation(values, whole, (SIZE, SIZE), request.prompt, None, "fake", 0.5))
        before = {name: plane.copy() for name, plane in self.labels.planes.items()}
        objects = dict(session.objects)
        try:
            item = session.accept()
        except (OutputError, PromptError):
            assert all((self.labels.planes[name] == plane).all() for name, plane in before.items())
            return
        if own is None:
            assert item.label not in objects
            assert item.label not in self.given
            assert not any((plane == item.label).any() for plane in before.values())
        else:
            assert item.label == own
        self.given.add(item.label)
        assert set(session.objects) == {*objects, item.label}  # no object is lost
        changed = {name: plane != self.labels.planes[name] for name, plane in before.items()}
        assert not changed["b" if place == "a" else "a"].any()
        lost = before[place][changed[place]]
        foreign = lost[lost != item.label]
        if policy.kind == "background":
            assert not foreign.any()
        if policy.kind == "protect":
            assert not set(foreign.tolist()) & protected
        if policy.keep_painted:
            assert not (changed[place] & self.painted[place]).any()
        self.painted[place] = self.painted[place] & ~changed[place]
        self.did()

    @precondition(lambda self: self.session.objects)
    @rule(data=st.data(), what=st.sampled_from(["reopen", "delete", "classify"]))
    def handle(self, data: st.DataObject, what: str) -> None:
        label = data.draw(st.sampled_from(sorted(self.session.objects)))
        item = self.session.objects[label]
        before = self.labels.planes[item.place].copy()
        try:
            if what == "reopen":
                self.session.reopen(label)
            elif what == "delete":
                self.session.delete(label)
                assert not (self.labels.planes[item.place] == label).any()
            elif self.session.classes:
                self.session.set_class(label, data.draw(st.sampled_from(self.session.classes)).id)
        except PromptError:
            assert what == "reopen"
        changed = before != self.labels.planes[item.place]
        assert (before[changed] == label).all()
        self.painted[item.place] = self.painted[item.place] & ~changed
        self.did()

    @precondition(lambda self: self.session.objects)
    @rule(data=st.data(), mask=MASKS, edit=RECTANGLE, keep_painted=st.booleans())
    def touch_up(self, data: st.DataObject, mask: Mask, edit: Mask, keep_painted: bool) -> None:
        """Paint on an object by hand, then correct it."""
        label = data.draw(st.sampled_from(sorted(self.session.objects)))
        self.brush(self.session.objects[label].place, edit, label)
        try:
            self.session.reopen(label)
        except PromptError:
            return
        self.did()
        self.session.set_box((1, 1, 12, 12))
        self.did()
        self.accept(mask, "background", frozenset(), keep_painted)

    @rule(data=st.data())
    def classes(self, data: st.DataObject) -> None:
        session = self.session
        what = data.draw(st.sampled_from(["add", "rename", "remove", "choose", "recolour"]))
        numbers = [item.id for item in session.classes]
        if what == "add":
            session.add_class(f"class {len(session._history)} {len(numbers)}")
        elif numbers:
            number = data.draw(st.sampled_from(numbers))
            actions: dict[str, Callable[[], Any]] = {
                "rename": lambda: session.rename_class(number, f"name {len(session._history)} {number}"),
                "remove": lambda: session.remove_class(number),
                "choose": lambda: session.set_class(None, number),
                "recolour": lambda: session.recolour_class(number, data.draw(st.sampled_from(["#000000", "#ffffff"]))),
            }
            actions[what]()
        self.did()

    @rule(place=PLACES, mask=RECTANGLE, data=st.data(), ours=st.booleans())
    def paint(self, place: str, mask: Mask, data: st.DataObject, ours: bool) -> None:
        objects = sorted(self.session.objects)
        self.brush(place, mask, data.draw(st.sampled_from(objects) if ours and objects else st.integers(0, 12)))

    def brush(self, place: Any, mask: Mask, label: int) -> None:
        changed = mask & (self.labels.planes[place] != label)
        paint(self.session, self.labels, place, changed, label)
        if changed.any():
            self.given.add(label)
        self.painted[place] = self.painted[place] | changed
        self.did()

    @rule(times=st.integers(1, 6))
    def undo(self, times: int) -> None:
        for _ in range(times):
            change = self.session.undo()
            if change is not None:
                assert self.session.place == change.place
            self.check()

    @rule(times=st.integers(1, 6))
    def redo(self, times: int) -> None:
        for _ in range(times):
            self.session.redo()
            self.check()

    def check(self) -> None:
        self.last = self.session._history.last
        expected = self.trace[len(self.session._history)]
        self.painted = {
            place: np.frombuffer(data, bool).reshape(SIZE, SIZE) for place, data in expected["painted"].items()
        }
        assert self.snapshot() == expected

    @invariant()
    def areas_are_right(self) -> None:
        if hasattr(self, "session"):
            for row in self.session.rows():
                assert row.area == (self.labels.planes[self.session.objects[row.label].place] == row.label).sum()  # type: ignore[index]

    def teardown(self) -> None:
        if not hasattr(self, "session"):
            return
        self.check_recovery()
        while self.session.redo():
            pass
        end = self.snapshot()
        for _ in range(2):
            while self.session.undo():
                self.check()
            for place, plane in self.begin_pixels.items():
                np.testing.assert_array_equal(self.labels.planes[place], plane)
            while self.session.redo():
                self.check()
            assert self.snapshot()["pixels"] == end["pixels"]
        self.check_recovery()
        self.journal.close()
        shutil.rmtree(self.folder)

    def check_recovery(self) -> None:
        """What the journal tells is what there is."""
        assert self.journal.problem is None
        recovered = recover(self.journal.path)
        assert recovered.damaged == 0
        fresh = NumpyLabels()
        for place, plane in self.begin_pixels.items():
            fresh.planes[place][:] = plane
        objects: dict[int, Any] = {}
        for target in recovered.targets:
            target.write(fresh, str)
            objects |= {item.label: item for item in target.objects(str)}
            assert tuple(target.classes) == self.session.classes
        for place, plane in self.labels.planes.items():
            np.testing.assert_array_equal(fresh.planes[place], plane)
        assert objects == self.session.objects
        drafts = {draft.place: (draft.marks, draft.box) for draft in recovered.drafts}
        assert drafts == {place: (draft.marks, draft.box) for place, draft in self.session.drafts.items()}


TestAnySession = AnySession.TestCase
TestAnySession.settings = settings(
    max_examples=25, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck)
)
