"""The annotation session: marks, preview, accepted objects, label numbers. No Qt, no napari, no torch.

A session knows one *place* at a time (a plane of an image); each place has its own marks and its own undo.
Whoever shows the session feeds it the marks and asks it for requests:

>>> session = Session()
>>> for point in [(10, 40), (50, 5), (90, 42), (48, 80)]:
...     _ = session.add_point("extreme", point)
>>> request = session.begin()
>>> request.prompt.bounds
(10.0, 5.0, 90.0, 80.0)

The answer goes back with ``session.finish(request.serial, segmentation)``, which drops it if the marks have
changed in the meantime.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from .errors import OutputError, PromptError
from .prompt import Prompt, Region

if TYPE_CHECKING:
    from .postprocess import PostProcess
    from .segmenter import Segmentation

KINDS = ("extreme", "boundary", "inside", "outside")
"""Kinds of point a session takes; each is a mark of `napari_dextr.prompt.MARKS`."""

NEEDED = 4
"""Extreme points of an object before it is segmented."""


@dataclass(frozen=True)
class Mark:
    """One click: its kind and where it lies on the plane (float row and column, pixels)."""

    kind: str
    row: float
    col: float

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise PromptError(f"Points of kind '{self.kind}' are not known; use one of {', '.join(KINDS)}.")


Marks = tuple[Mark, ...]


@dataclass
class History:
    """Undo and redo of the marks of one place."""

    present: Marks = ()
    past: list[Marks] = field(default_factory=list)
    future: list[Marks] = field(default_factory=list)

    def push(self, marks: Marks) -> bool:
        """Make ``marks`` the present; False if nothing changed."""
        if marks == self.present:
            return False
        self.past.append(self.present)
        self.present = marks
        self.future.clear()
        return True

    def undo(self) -> bool:
        """Go one step back; False at the beginning."""
        return self._step(self.past, self.future)

    def redo(self) -> bool:
        """Go one step forward again; False at the end."""
        return self._step(self.future, self.past)

    def _step(self, source: list[Marks], destination: list[Marks]) -> bool:
        if not source:
            return False
        destination.append(self.present)
        self.present = source.pop()
        return True


@dataclass(frozen=True, eq=False)
class Request:
    """What the model is asked: a prompt, and the serial number that its answer must carry."""

    serial: int
    prompt: Prompt


@dataclass(frozen=True, eq=False)
class AcceptedObject:
    """What made an accepted object: kept for export and for going back to it."""

    label: int
    place: Hashable
    prompt: Prompt
    region: Region
    model: str
    score: float | None


class Session:
    """State of annotating objects one after the other.

    Attributes
    ----------
    segmentation : Segmentation or None
        Answer to the present marks, thresholded and cleaned as asked with `tune`; None while there is none.
    accepted : list of AcceptedObject
        Objects accepted so far, oldest first.
    """

    def __init__(self) -> None:
        self.segmentation: Segmentation | None = None
        self.accepted: list[AcceptedObject] = []
        self._place: Hashable = None
        self._histories: dict[Hashable, History] = {None: History()}
        self._serial = 0
        self._pending = False
        self._threshold: float | None = None
        self._post: PostProcess | None = None
        self._target: Hashable = None
        self._next_labels: dict[Hashable, int] = {}

    # -- marks ------------------------------------------------------------------------------------------------

    @property
    def place(self) -> Hashable:
        """The plane that is being annotated."""
        return self._place

    @property
    def marks(self) -> Marks:
        """Present marks of the place, in the order in which they were made."""
        return self._history.present

    @property
    def remaining(self) -> int:
        """Extreme points still to be clicked."""
        return max(0, NEEDED - sum(mark.kind == "extreme" for mark in self.marks))

    @property
    def can_undo(self) -> bool:
        """Whether a step on the marks of this place can be undone."""
        return bool(self._history.past)

    @property
    def can_redo(self) -> bool:
        """Whether an undone step can be made again."""
        return bool(self._history.future)

    def go_to(self, place: Hashable, marks: Iterable[Mark] = ()) -> None:
        """Turn to another place, on which ``marks`` are seen now. Its earlier undo steps are still there."""
        if place != self._place:
            self._place = place
            self._histories.setdefault(place, History())
            self._invalidate()
        self.set_marks(marks)

    def add_point(self, kind: str, point: tuple[float, float]) -> Marks:
        """Add a point of one of `KINDS` at float (row, col)."""
        self.set_marks((*self.marks, Mark(kind, float(point[0]), float(point[1]))))
        return self.marks

    def move_point(self, index: int, point: tuple[float, float]) -> Marks:
        """Move a point to float (row, col)."""
        moved = replace(self.marks[index], row=float(point[0]), col=float(point[1]))
        self.set_marks(moved if mark is self.marks[index] else mark for mark in self.marks)
        return self.marks

    def remove_point(self, index: int) -> Marks:
        """Remove a point."""
        chosen = range(len(self.marks))[index]
        self.set_marks(mark for number, mark in enumerate(self.marks) if number != chosen)
        return self.marks

    def set_marks(self, marks: Iterable[Mark]) -> bool:
        """Replace all marks of the place in one undoable step; False if nothing changed."""
        changed = self._history.push(tuple(marks))
        if changed:
            self._invalidate()
        return changed

    def undo(self) -> bool:
        """Undo the last step on the marks; False if there is none."""
        changed = self._history.undo()
        if changed:
            self._invalidate()
        return changed

    def redo(self) -> bool:
        """Make the step again that was undone last; False if there is none."""
        changed = self._history.redo()
        if changed:
            self._invalidate()
        return changed

    def discard(self) -> None:
        """Drop the marks and the preview; `undo` brings the marks back."""
        self.set_marks(())
        self._invalidate()

    def forget(self, places: Iterable[Hashable]) -> None:
        """Drop marks and undo steps of places that are gone (a closed image)."""
        for place in tuple(places):
            self._histories.pop(place, None)
            if place == self._place:
                self._place = None
                self._histories.setdefault(None, History())
                self._invalidate()

    @property
    def places(self) -> tuple[Hashable, ...]:
        """Places that have marks or undo steps."""
        return tuple(self._histories)

    # -- asking the model ---------------------------------------------------------------------------------------

    @property
    def busy(self) -> bool:
        """Whether a request is waiting for its answer."""
        return self._pending

    def prompt(self) -> Prompt:
        """The marks as a prompt.

        Raises
        ------
        PromptError
            If extreme points are missing or do not enclose an area.
        """
        if self.remaining:
            raise PromptError(f"Extreme points: {self.remaining} of {NEEDED} are missing; click them first.")
        prompt = Prompt.extreme(self._points("extreme"))
        if boundary := self._points("boundary"):
            prompt = prompt.with_boundary(boundary)
        if inside := self._points("inside"):
            prompt = prompt.with_inside(inside)
        if outside := self._points("outside"):
            prompt = prompt.with_outside(outside)
        return prompt

    def begin(self) -> Request | None:
        """Ask for the present marks; None while extreme points are missing. Supersedes earlier requests.

        Raises
        ------
        PromptError
            If the marks cannot be used; they stay where they are.
        """
        self._invalidate()
        if self.remaining:
            return None
        request = Request(self._serial, self.prompt())
        self._pending = True
        return request

    def finish(self, serial: int, segmentation: Segmentation) -> bool:
        """Take the answer to a request; False (and nothing changes) if it was superseded."""
        if not self._answers(serial):
            return False
        self._pending = False
        self.segmentation = self._tuned(segmentation)
        return True

    def fail(self, serial: int) -> bool:
        """Note that a request got no answer; False if it was superseded anyway."""
        if not self._answers(serial):
            return False
        self._pending = False
        return True

    def tune(self, threshold: float | None, post: PostProcess | None) -> bool:
        """Set threshold and clean-up of this and later masks, without the network.

        Parameters
        ----------
        threshold : float or None
            Probability above which a pixel belongs to the object, in 0..1; None leaves the model's own.
        post : PostProcess or None
            Clean-up of the mask; None leaves the model's own.

        Returns
        -------
        bool
            Whether there is a mask that has changed.
        """
        self._threshold, self._post = threshold, post
        if self.segmentation is None:
            return False
        self.segmentation = self._tuned(self.segmentation)
        return True

    # -- labels -------------------------------------------------------------------------------------------------

    def use_target(self, target: Hashable, highest: int) -> None:
        """Write the next objects into ``target``, whose highest label is ``highest`` at the moment."""
        self._target = target
        self.note_label(highest)

    def forget_target(self, target: Hashable) -> None:
        """Drop the label counter of a target that is gone."""
        self._next_labels.pop(target, None)
        if self._target == target:
            self._target = None

    def note_label(self, label: int) -> None:
        """Note that a label of the target is taken (somebody painted with it)."""
        self._next_labels[self._target] = max(self._next_labels.get(self._target, 1), int(label) + 1)

    def next_label(self, largest: int | None = None) -> int:
        """Label of the next object; labels are never used twice, not even after undo.

        Parameters
        ----------
        largest : int, optional
            Largest value that the target can hold.

        Raises
        ------
        OutputError
            If the label does not fit into the target.
        """
        label = self._next_labels.get(self._target, 1)
        if largest is not None and label > largest:
            raise OutputError(
                f"The Labels layer holds values up to {largest} only, and label {label} comes next; "
                "right-click the layer and convert its data type, or choose a new layer."
            )
        return label

    def accept(self, label: int) -> AcceptedObject:
        """Note that the preview was written as ``label``, and make room for the next object.

        Raises
        ------
        PromptError
            If there is no preview.
        """
        segmentation = self.segmentation
        if segmentation is None:
            raise PromptError("There is no preview to accept; click the object's extreme points first.")
        self.note_label(label)
        accepted = AcceptedObject(
            label, self._place, segmentation.prompt, segmentation.region, segmentation.model, segmentation.score
        )
        self.accepted.append(accepted)
        self._histories[self._place] = History()
        self._invalidate()
        return accepted

    # -- inside -------------------------------------------------------------------------------------------------

    @property
    def _history(self) -> History:
        return self._histories[self._place]

    def _points(self, kind: str) -> list[tuple[float, float]]:
        return [(mark.row, mark.col) for mark in self.marks if mark.kind == kind]

    def _answers(self, serial: int) -> bool:
        return self._pending and serial == self._serial

    def _invalidate(self) -> None:
        self._serial += 1
        self._pending = False
        self.segmentation = None

    def _tuned(self, segmentation: Segmentation) -> Segmentation:
        if self._threshold is not None and self._threshold != segmentation.threshold:
            segmentation = segmentation.with_threshold(self._threshold)
        if self._post is not None and self._post != segmentation.post:
            segmentation = segmentation.with_post(self._post)
        return segmentation
