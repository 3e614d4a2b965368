"""The annotation session: marks, preview, accepted objects, classes, undo of it all. No Qt, no napari, no torch.

A session knows one *place* at a time (a plane of an image); each place has its own marks. Whoever shows the session
feeds it the marks and asks it for requests:

>>> session = Session()
>>> for point in [(10, 40), (50, 5), (90, 42), (48, 80)]:
...     _ = session.add_point("extreme", point)
>>> request = session.begin()
>>> request.prompt.bounds
(10.0, 5.0, 90.0, 80.0)

The answer goes back with ``session.finish(request.serial, segmentation)``, which drops it if the marks have
changed in the meantime. `Session.accept` writes it into the label image that was given to `Session.bind`.

Undo and redo are one sequence over all places, whatever was done: marks, masks, objects, classes, and what a person
painted by hand in the target. Going back from the end to the beginning gives the pixels of the beginning.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timezone

from ..errors import PromptError
from ..objects import AnnotatedObject, ObjectClass, ObjectFacts
from . import classes as class_list
from .binding import Binding
from .classes import Classes
from .draft import EMPTY, Answer, Draft
from .history import Change, Edit, Put, Step
from .labelling import AcceptPolicy, LabelTarget
from .patches import PackedMask


@dataclass(frozen=True)
class Row:
    """An object as a table shows it."""

    label: int
    class_name: str
    area: int
    score: float | None
    prompts: str
    seconds: float | None


class Session(Binding):
    """State of annotating objects one after the other.

    Parameters
    ----------
    clock : callable
        Seconds that only go forward, to measure the time that objects take.
    now : callable
        The time for people, UTC and ISO 8601.
    author : str, optional
        Goes into the facts of objects.
    plane_of : callable, optional
        Indices along the axes that are not displayed, of a place.
    axes_of : callable, optional
        The two axes that are displayed, where the plane alone does not say which place it is.
    spot_of : callable, optional
        What names the label pixels of a place: places of two channels can show the same ones.

    Attributes
    ----------
    policy : AcceptPolicy
        What accepted objects may write over.
    model_hash : str or None
        Hash of the weights in use, for the facts.
    """

    def __init__(
        self,
        *,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], str] = lambda: datetime.now(timezone.utc).isoformat(timespec="seconds"),
        author: str | None = None,
        plane_of: Callable[[Hashable], tuple[int, ...]] = lambda place: (),
        axes_of: Callable[[Hashable], tuple[int, int] | None] = lambda place: None,
        spot_of: Callable[[Hashable], Hashable] = lambda place: place,
    ) -> None:
        super().__init__(clock, spot_of)
        self.policy = AcceptPolicy()
        self.model_hash: str | None = None
        self.author = author
        self._now = now
        self._plane_of = plane_of
        self._axes_of = axes_of
        self._class_numbers: dict[Hashable, int] = {}

    def watch(self, callback: Callable[[Change], None]) -> None:
        """Call a function after everything that was done, undone or redone."""
        self._watchers.append(callback)

    def unwatch(self, callback: Callable[[Change], None]) -> None:
        """Call a function no more."""
        self._watchers[:] = [other for other in self._watchers if other != callback]

    # -- objects --------------------------------------------------------------------------------------------------

    @property
    def reopened(self) -> int | None:
        """Label of the object that is being corrected."""
        return None if self._draft.correcting is None else self._draft.correcting[1]

    @property
    def reopened_in(self) -> Hashable:
        """Key of the label image that holds this object; another one may be bound by now."""
        return None if self._draft.correcting is None else self._draft.correcting[0]

    def rows(self, labels: Iterable[int] | None = None) -> list[Row]:
        """The table of objects, or of some of them, by label."""
        if self._target is None:
            return []
        names = {item.id: item.name for item in self.classes}
        objects = self._target.objects
        chosen = sorted(objects if labels is None else set(labels) & set(objects))
        rows = []
        for label in chosen:
            facts = objects[label].facts
            name = names.get(facts.class_id, "") if facts.class_id is not None else ""
            rows.append(Row(label, name, self._target.area(label), facts.score, facts.prompts, facts.seconds))
        return rows

    def accept(self) -> AnnotatedObject:
        """Write the preview as the next object, or in place of the one that is being corrected.

        Raises
        ------
        PromptError
            If there is no preview. Nothing is changed then.
        OutputError
            If no label image is bound, it cannot take the object, or `policy` leaves nothing to write. Nothing is
            changed then.
        """
        shown, draft = self.segmentation, self._as_shown()
        if shown is None:
            raise PromptError("There is no preview to accept; click the object's extreme points first.")
        target, earlier = self._home(self.reopened, self.reopened_in), None
        if draft.correcting is not None:
            earlier = target.whole(draft.correcting[1])
        mask = shown.region, shown.mask
        label, region, edits = target.accept(self._place, *mask, self.policy, earlier, draft.reopened)
        facts = ObjectFacts(
            marks=draft.marks,
            box=draft.box,
            class_id=self.current_class,
            score=shown.score,
            model=shown.model or None,
            model_hash=self.model_hash,
            seconds=round(draft.seconds, 2),
            plane=self._plane_of(self._place),
            axes=self._axes_of(self._place),
            author=self.author,
            created=(earlier.facts.created if earlier else None) or self._now(),
        )
        item = AnnotatedObject(label, self._place, region, facts)
        put = Put(("object", target.key), label, earlier, item)
        text = f"accept object {label}" if earlier is None else f"correct object {label}"
        self._do(Step(text, (*edits, put, self._put_draft(draft, EMPTY)), item.place, target.key))
        return item

    def reopen(self, label: int) -> AnnotatedObject:
        """Go back to an accepted object to correct it: to its place, its marks and its mask.

        Its mask is the preview; the next click asks the model with it as the previous mask. `accept` replaces only its
        own pixels, `discard` leaves them as they were.

        Raises
        ------
        PromptError
            If there is no such object, or none of its pixels is left.
        """
        target = self._bound()
        item, key = target.whole(label), (target.key, label)
        region, mask = target.own(item)
        if not mask.any():
            raise PromptError(f"Object {label} has no pixels left; delete it, or undo what was written over it.")
        self._turn(item.place)
        before, facts = self._as_shown(), item.facts
        if before.correcting == key:
            return item
        packed = PackedMask.of(mask, region)
        answer = Answer(packed, facts.score, facts.model or "", self.tuning)
        seconds = facts.seconds or 0.0
        after = Draft(facts.marks, facts.box, key, facts.class_id, None, answer, seconds, reopened=packed)
        self._do(Step(f"reopen object {label}", (self._put_draft(before, after),), item.place, target.key))
        return item

    def delete(self, label: int, within: Hashable = None) -> None:
        """Take an object away. Its pixels become what lay beneath them where that is known, else 0.

        Parameters
        ----------
        label : int
        within : hashable
            Label image that holds it; by default the bound one, or where only the one being corrected has that label,
            its own.

        Raises
        ------
        PromptError
            If there is no such object.
        """
        target = self._home(label, within)
        edits, item = target.delete(label), target.object(label)
        draft = self._draft_at(item.place)
        if draft.correcting == (target.key, label):
            edits = (*edits, Put("draft", item.place, draft, None))
        self._do(Step(f"delete object {label}", edits, item.place, target.key))

    # -- classes --------------------------------------------------------------------------------------------------

    def set_class(self, label: int | None, class_id: int | None, within: Hashable = None) -> None:
        """Give an object a class, or take it away.

        Parameters
        ----------
        label : int or None
            None means the current object and those after it.
        class_id : int or None
        within : hashable
            Label image that holds the object, as for `delete`.

        Raises
        ------
        PromptError
            If there is no such object or class.
        """
        if class_id is not None:
            class_list.find(self.classes, class_id)
        if label is None:
            if class_id == self.current_class:
                return
            draft = self._as_shown()
            if draft.correcting is not None:
                self._change_draft("change the class", draft, replace(draft, class_id=class_id))
            else:
                put = Put("class", self._class_list, self.current_class, class_id)
                self._do(Step("choose a class", (put,), merge="class", anywhere=True))
            return
        target = self._home(label, within)
        item = target.object(label)
        if item.facts.class_id != class_id:
            edits = (_classed(target.key, item, class_id),)
            self._do(Step(f"change the class of object {label}", edits, item.place, target.key))

    def add_class(self, name: str, colour: str | None = None) -> ObjectClass:
        """Add a class to the list; a `PromptError` if the name is empty or taken."""
        used = self._class_numbers.get(self._class_list, 0)
        classes, added = class_list.with_class(self.classes, name, colour, after=used)
        self._class_numbers[self._class_list] = added.id
        self._change_classes(f"add the class '{added.name}'", classes)
        return added

    def rename_class(self, number: int, name: str) -> None:
        """Give a class another name; a `PromptError` if that is empty or taken."""
        self._change_classes("rename a class", class_list.renamed(self.classes, number, name))

    def recolour_class(self, number: int, colour: str) -> None:
        """Give a class another colour, ``"#rrggbb"``; several in a row are one step."""
        classes = class_list.recoloured(self.classes, number, colour)
        self._change_classes("change the colour of a class", classes, merge=("colour", self._class_list, number))

    def remove_class(self, number: int) -> None:
        """Take a class out of the list; its objects have none then."""
        removed = class_list.find(self.classes, number)
        edits: list[Edit] = []
        if self._state.get("class", self._class_list) == number:
            edits.append(Put("class", self._class_list, number, None))
        for place in self._state.slot("draft"):
            draft = self._draft_at(place)
            if draft.class_id == number:
                edits.append(Put("draft", place, draft, replace(draft, class_id=None)))
        for key, target in self._targets.items():
            if self._class_lists[key] == self._class_list:
                classed = [item for item in target.objects.values() if item.facts.class_id == number]
                edits += [_classed(key, item, None) for item in classed]
        self._change_classes(f"remove the class '{removed.name}'", class_list.without(self.classes, number), edits)

    # -- inside ---------------------------------------------------------------------------------------------------

    def _home(self, label: int | None, within: Hashable) -> LabelTarget:
        """Where an object lies: within a label image that is named, in the bound one, or where it was reopened."""
        if within is None and label == self.reopened and label not in self.objects:
            within = self.reopened_in
        found = self._targets.get(within)
        return self._bound() if found is None else found

    def _change_classes(
        self, text: str, classes: Classes, edits: Iterable[Edit] = (), *, merge: Hashable = None
    ) -> None:
        put = Put("classes", self._class_list, self.classes, classes)
        self._do(Step(text, (put, *edits), None, self.target, merge, anywhere=True))


def _classed(target: Hashable, item: AnnotatedObject, class_id: int | None) -> Put:
    """Edit that gives an object another class."""
    after = replace(item, facts=replace(item.facts, class_id=class_id))
    return Put(("object", target), item.label, item, after)
