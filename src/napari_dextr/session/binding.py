"""The label images that a session writes into, their objects and classes, and one undo for everything."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from types import MappingProxyType

from ..errors import OutputError
from ..objects import AnnotatedObject, ObjectClass
from .classes import Classes, checked
from .drafting import Drafting
from .history import Change, Direction, Step, Written
from .labelling import LabelTarget, Stroke
from .patches import LabelImage, Patch


class Binding(Drafting):
    """Drafts, and the label targets they go to. `napari_dextr.session.Session` adds what a person does to objects."""

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        spot_of: Callable[[Hashable], Hashable] = lambda place: place,
    ) -> None:
        super().__init__(clock)
        self._spot_of = spot_of
        self._targets: dict[Hashable, LabelTarget] = {}
        self._target: LabelTarget | None = None
        self._class_list: Hashable = None  # the list in use; targets without classes of their own share one
        self._class_lists: dict[Hashable, Hashable] = {}

    # -- the label image ------------------------------------------------------------------------------------------

    @property
    def target(self) -> Hashable:
        """Key of the label image that objects are written into, or None."""
        return None if self._target is None else self._target.key

    @property
    def targets(self) -> Mapping[Hashable, LabelTarget]:
        """Every label image that was bound and is not gone."""
        return MappingProxyType(self._targets)

    @property
    def written(self) -> set[Hashable]:
        """Label images whose objects or pixels were changed here, undone changes included."""
        return {target for step in self._history.steps for target in step.objects}

    def bind(self, target: Hashable, image: LabelImage | None, *, classes: Iterable[ObjectClass] | None = None) -> None:
        """Write the next objects into a label image; None into none.

        Parameters
        ----------
        target : hashable
            Names the image; what was known about it from before is still known.
        image : LabelImage or None
        classes : sequence of ObjectClass, optional
            Its classes, where it is new; by default it shares the present ones.
        """
        if image is None:
            self._target = None
            return
        known = self._targets.get(target)
        if known is None:
            known = self._targets[target] = LabelTarget(target, self._state, image, self._spot_of)
            self._class_lists[target] = self._class_list if classes is None else target
            if classes is not None:
                self._state.put("classes", target, checked(classes))
        elif known.image is not image:
            known.image = image
            known.take_label(image.highest())
        self._target = known
        self._class_list = self._class_lists[target]

    def adopt(
        self, objects: Iterable[AnnotatedObject], classes: Iterable[ObjectClass] | None = None, *, safe: bool = True
    ) -> None:
        """Take over objects that the bound image held before, and its classes. That is no step to undo.

        Parameters
        ----------
        objects : iterable of AnnotatedObject
        classes : iterable of ObjectClass, optional
        safe : bool
            They can be found in the image again: where a label goes on to another plane, the pixels that it leaves
            need no place in a journal.
        """
        target = self._bound()
        if classes is not None:
            self._class_list = self._class_lists[target.key] = target.key
            self._state.put("classes", target.key, checked(classes))
        for item in objects:
            target.adopt(item, safe=safe)

    def forget(self, places: Iterable[Hashable]) -> None:
        """Drop marks and steps of places that are gone (a closed image). Objects stay."""
        gone = set(places)
        self._history.drop(lambda step: not step.anywhere and step.place in gone)
        for place in gone:
            self._state.put("draft", place, None)
            self._started.pop(place, None)
            self._shapes.pop(place, None)
        if self._place in gone:
            self._place = None
            self._enter()

    def forget_target(self, target: Hashable) -> None:
        """Drop objects, labels and steps of a label image that is gone."""
        self._history.drop(lambda step: step.target == target)
        known = self._targets.pop(target, None)
        for slot in ("object", "claim", "deleted"):
            self._state.slot((slot, target)).clear()
        for what in ("labels", "painted"):
            self._state.images.pop((what, target), None)
        self._class_lists.pop(target, None)
        if self.target == target:
            self._target = None  # the list of classes stays: it is the user's
        for place, draft in tuple(self._state.slot("draft").items()):
            if draft.correcting is not None and draft.correcting[0] == target:
                self._state.put("draft", place, None)
                if place == self._place:
                    self._enter()
        if known is not None:
            self._after(Change("close a layer", "do", None, False, False, False, {}, (), gone=target))

    @property
    def places(self) -> tuple[Hashable, ...]:
        """Places that have marks or steps, and the present one."""
        steps = {step.place for step in self._history.steps if not step.anywhere}
        return tuple({self._place, *self._state.slot("draft"), *steps})

    def next_label(self) -> int:
        """Label of the next object: never one that was used before, not even where that was undone.

        Raises
        ------
        OutputError
            If no label image is bound, or it cannot hold the label.
        """
        return self._bound().free_label()

    def note_label(self, label: int) -> None:
        """Note that a label of the bound image is in use (somebody painted with it)."""
        if self._target is not None:
            self._target.take_label(label)

    def note_painted(self, strokes: Sequence[Stroke]) -> None:
        """Note what a person has just painted by hand in the bound image: it takes its turn in undo and redo.

        Parameters
        ----------
        strokes : sequence of Stroke
            One for each plane; all together are one step.
        """
        if self._target is None:
            return
        edits = self._target.strokes(strokes)
        if edits:
            self._do(Step("paint by hand", edits, strokes[0].place, self._target.key))

    def note_written(
        self,
        target: Hashable,
        pixels: Iterable[tuple[Hashable, Patch]],
        objects: Mapping[int, AnnotatedObject | None],
    ) -> None:
        """Note what another part of the program has just written into one of `targets`. That is no step to undo.

        Parameters
        ----------
        target : hashable
        pixels : iterable of (place, Patch)
        objects : mapping of int to AnnotatedObject or None
            By label, those that are new or others than before; None where there is none any more.
        """
        written = tuple(Written(target, place, patch, True) for place, patch in pixels)
        for label, item in objects.items():
            self._state.put(("claim", target), label, None)  # nobody has told what lies beneath it
            self._state.put(("object", target), label, item)
        labels = frozenset(objects).union(*(change.patch.labels for change in written))
        self._after(Change("write objects", "do", self._place, False, False, False, {target: labels}, written))

    # -- what it holds ------------------------------------------------------------------------------------------

    @property
    def objects(self) -> Mapping[int, AnnotatedObject]:
        """Objects of the bound image, by label."""
        return MappingProxyType({}) if self._target is None else self._target.objects

    def area(self, label: int) -> int:
        """Number of pixels that an object has now."""
        return self._bound().area(label)

    @property
    def classes(self) -> Classes:
        """Classes of the bound image, in the order in which they were added."""
        return self._classes_of(self._class_list)

    def classes_of(self, target: Hashable) -> Classes:
        """Classes of one of `targets`."""
        return self._classes_of(self._class_lists[target])

    @property
    def current_class(self) -> int | None:
        """Class of the next object, or of the one that is being corrected; None is no class."""
        if self._draft.correcting is not None:
            return self._draft.class_id
        current: int | None = self._state.get("class", self._class_list)
        return current

    # -- undo and redo --------------------------------------------------------------------------------------------

    @property
    def can_undo(self) -> bool:
        """Whether there is a step to undo."""
        return self._history.last is not None

    @property
    def can_redo(self) -> bool:
        """Whether there is an undone step to make again."""
        return self._history.next is not None

    @property
    def undo_text(self) -> str | None:
        """What `undo` takes back, in words."""
        return None if self._history.last is None else self._history.last.text

    @property
    def redo_text(self) -> str | None:
        """What `redo` makes again, in words."""
        return None if self._history.next is None else self._history.next.text

    def undo(self) -> Change | None:
        """Take back the last step, wherever it was, and turn to its place; None if there is none.

        Raises
        ------
        OutputError
            If the pixels cannot be written; nothing is changed then.
        """
        return self._stepped(self._history.undo(), "undo")

    def redo(self) -> Change | None:
        """Make the step again that was undone last, and turn to its place; None if there is none.

        Raises
        ------
        OutputError
            If the pixels cannot be written; nothing is changed then.
        """
        return self._stepped(self._history.redo(), "redo")

    # -- inside -----------------------------------------------------------------------------------------------------

    def _bound(self) -> LabelTarget:
        if self._target is None:
            raise OutputError("There is no Labels layer to write into; choose one, or let a new one be made.")
        return self._target

    def _classes_of(self, class_list: Hashable) -> Classes:
        found: Classes | None = self._state.get("classes", class_list)
        return found or ()

    def _stepped(self, step: Step | None, how: Direction) -> Change | None:
        if step is None:
            return None
        place = self._place if step.anywhere else step.place
        change = Change.of(step, how, place)
        self._turn(place)
        self._after(change)
        return change

    def _after(self, change: Change) -> None:
        for key, labels in change.objects.items():
            target = self._targets.get(key)
            if target is not None:
                target.touched(labels)
                if change.how == "do":
                    target.take_label(max(labels, default=0))
        super()._after(change)
