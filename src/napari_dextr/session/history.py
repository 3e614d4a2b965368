"""Undo and redo: one sequence of steps over everything that a session holds, each with its own inverse.

A step is a few edits. Every edit knows the state before and after it, so that going back is as simple as going forth:

>>> state = State()
>>> history = History(state)
>>> history.do(Step("name the class", (Put("class", 1, None, "cell"),)))
>>> state.get("class", 1)
'cell'
>>> _ = history.undo()
>>> state.get("class", 1) is None
True
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, Protocol

from ..errors import OutputError
from .patches import LabelImage, Patch

LIMIT = 50_000
"""Steps that can be undone. A step of clicks takes about a kilobyte, one of pixels as much as its outline."""

Direction = Literal["do", "undo", "redo"]


class State:
    """What the edits of a session change: values in named slots, and the pixels of label targets."""

    def __init__(self) -> None:
        self.images: dict[tuple[str, Hashable], LabelImage] = {}
        self._slots: dict[Hashable, dict[Any, Any]] = {}

    def get(self, slot: Hashable, key: Hashable) -> Any:
        """The value of a slot, None where there is none."""
        return self._slots.get(slot, {}).get(key)

    def put(self, slot: Hashable, key: Hashable, value: Any) -> None:
        """Set the value of a slot; None removes it."""
        if value is None:
            self._slots.get(slot, {}).pop(key, None)
        else:
            self._slots.setdefault(slot, {})[key] = value

    def slot(self, slot: Hashable) -> dict[Any, Any]:
        """All values of a slot."""
        return self._slots.setdefault(slot, {})


class Edit(Protocol):
    """A change of the state that can be taken back."""

    def apply(self, state: State, forward: bool) -> None:
        """Make the change, or take it back."""


@dataclass(frozen=True, slots=True)
class Put:
    """A slot of the state gets another value; None is no value."""

    slot: Hashable
    key: Hashable
    before: Any
    after: Any

    def apply(self, state: State, forward: bool) -> None:
        state.put(self.slot, self.key, self.after if forward else self.before)


@dataclass(frozen=True, slots=True)
class Paint:
    """Pixels change: ``"labels"`` of a target, or the record of what is ``"painted"`` there by hand."""

    what: str
    target: Hashable
    place: Hashable
    patch: Patch
    done: bool = False  # the first time, somebody else has changed the pixels already

    def apply(self, state: State, forward: bool) -> None:
        image = state.images.get((self.what, self.target))
        if image is None:
            raise OutputError("The Labels layer of that step is not in use now; choose it again, then undo or redo.")
        self.patch.apply(image, self.place, forward)


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that a person did.

    Attributes
    ----------
    text : str
        What it was, e.g. ``"add a point"``.
    edits : tuple of Edit
        Made in this order, taken back in the opposite one.
    place : hashable
        The plane where it happened.
    target : hashable
        The label target that it changed, or None.
    merge : hashable
        Steps that follow each other with the same value, not None, become one.
    anywhere : bool
        It belongs to no place; ``place`` does not count.
    """

    text: str
    edits: tuple[Edit, ...]
    place: Hashable = None
    target: Hashable = None
    merge: Hashable = None
    anywhere: bool = False

    def puts(self, *slots: str) -> bool:
        """Whether it changes one of these slots."""
        return any(isinstance(edit, Put) and edit.slot in slots for edit in self.edits)

    @property
    def paints(self) -> tuple[Paint, ...]:
        """Its changes of label pixels."""
        return tuple(edit for edit in self.edits if isinstance(edit, Paint) and edit.what == "labels")

    @property
    def objects(self) -> dict[Hashable, frozenset[int]]:
        """Labels whose object, row or pixels it changes, by label target."""
        found: dict[Hashable, frozenset[int]] = {}
        for paint in self.paints:
            found[paint.target] = found.get(paint.target, frozenset()) | paint.patch.labels
        for edit in self.edits:
            if isinstance(edit, Put) and isinstance(edit.slot, tuple) and edit.slot[0] == "object":
                target, label = edit.slot[1], edit.key
                assert isinstance(label, int)
                found[target] = found.get(target, frozenset()) | {label}
        return found


@dataclass(frozen=True, slots=True)
class Written:
    """Label pixels that were changed just now."""

    target: Hashable
    place: Hashable
    patch: Patch
    forward: bool


@dataclass(frozen=True, slots=True)
class Change:
    """What has just been done, undone or redone, for those who show or save it.

    Attributes
    ----------
    text : str
        What it was, in words.
    how : {"do", "undo", "redo"}
    place : hashable
        Where it happened.
    marks, tuning, classes : bool
        Whether the marks of ``place``, threshold and clean-up, or the list of classes and the current one changed.
    objects : mapping of hashable to frozenset of int
        Labels, by label target, whose record, row in the table or pixels may have changed.
    pixels : tuple of Written
    gone : hashable
        A label target that is no longer there, with all its objects; None where nothing went.
    """

    text: str
    how: Direction
    place: Hashable
    marks: bool
    tuning: bool
    classes: bool
    objects: Mapping[Hashable, frozenset[int]]
    pixels: tuple[Written, ...]
    gone: Hashable = None

    @classmethod
    def of(cls, step: Step, how: Direction, place: Hashable) -> Change:
        """The change that a step makes, or that taking it back makes, with the place to show."""
        written = tuple(Written(edit.target, edit.place, edit.patch, how != "undo") for edit in step.paints)
        return cls(
            step.text,
            how,
            place,
            step.puts("draft"),
            step.puts("tuning"),
            step.puts("classes", "class"),
            step.objects,
            written,
        )


class History:
    """Steps done and undone.

    Parameters
    ----------
    state : State
        What the steps change.
    limit : int
        Steps kept; the oldest go first.
    """

    def __init__(self, state: State, limit: int = LIMIT) -> None:
        self._state = state
        self._past: deque[Step] = deque(maxlen=limit)
        self._future: list[Step] = []

    def __len__(self) -> int:
        return len(self._past)

    @property
    def steps(self) -> Iterator[Step]:
        """All steps, done and undone."""
        yield from self._past
        yield from self._future

    @property
    def last(self) -> Step | None:
        """The step that `undo` takes back."""
        return self._past[-1] if self._past else None

    @property
    def next(self) -> Step | None:
        """The step that `redo` makes again."""
        return self._future[-1] if self._future else None

    def do(self, step: Step) -> None:
        """Make a step and remember it. What had been undone is gone; a step that fails has changed nothing."""
        _apply(self._state, step, forward=True, first=True)
        self._future.clear()
        last = self.last
        if last is not None and step.merge is not None and last.merge == step.merge:
            self._past.pop()
            step = _merged(last, step)
            if all(isinstance(edit, Put) and edit.before == edit.after for edit in step.edits):
                return
        self._past.append(step)

    def undo(self) -> Step | None:
        """Take the last step back and return it; None at the beginning."""
        if not self._past:
            return None
        _apply(self._state, self._past[-1], forward=False)
        step = self._past.pop()
        self._future.append(step)
        return step

    def redo(self) -> Step | None:
        """Make the step again that was taken back last, and return it; None at the end."""
        if not self._future:
            return None
        _apply(self._state, self._future[-1], forward=True)
        step = self._future.pop()
        self._past.append(step)
        return step

    def drop(self, gone: Callable[[Step], bool]) -> None:
        """Forget steps that can no longer be taken back."""
        self._past = deque((step for step in self._past if not gone(step)), self._past.maxlen)
        self._future = [step for step in self._future if not gone(step)]


def _apply(state: State, step: Step, *, forward: bool, first: bool = False) -> None:
    """Make all edits of a step, or take them back; where one fails, those before it are turned round again."""
    made: list[Edit] = []
    edits: Iterator[Edit] = iter(step.edits if forward else reversed(step.edits))
    try:
        for edit in edits:
            if not (first and isinstance(edit, Paint) and edit.done):
                edit.apply(state, forward)
                made.append(edit)
    except Exception:
        for edit in reversed(made):
            edit.apply(state, not forward)
        raise


def _merged(first: Step, second: Step) -> Step:
    """One step for two that change the same slots."""
    before = {(edit.slot, edit.key): edit for edit in first.edits if isinstance(edit, Put)}
    edits: list[Edit] = []
    for edit in second.edits:
        if isinstance(edit, Put) and (edit.slot, edit.key) in before:
            edit = replace(edit, before=before.pop((edit.slot, edit.key)).before)
        edits.append(edit)
    return replace(second, edits=(*before.values(), *edits))
