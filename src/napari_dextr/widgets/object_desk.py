"""Accepted objects: accepting, going back to them, deleting, classes, and the table that shows them."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, QTimer, Signal

from ..errors import DextrError, PromptError
from ..napari_io import object_table
from ..napari_io.label_layers import colour_by_class
from ..napari_io.placement import plain
from ..session import Session
from .notices import Notices

if TYPE_CHECKING:
    from ..napari_io.target import Target
    from ..session.history import Change

_TABLE_DELAY = 200  # milliseconds: fast annotators fill the table once for several objects


class ObjectDesk(QObject):
    """The objects of the target, by their labels.

    Signals
    -------
    changed
        Classes or objects have changed.
    classed
        Classes were chosen or changed. Where one was that of an object being corrected, the answer on its way is void.
    """

    changed = Signal()
    classed = Signal()

    def __init__(self, viewer: Any, session: Session, target: Target, notices: Notices) -> None:
        super().__init__()
        self._viewer, self._session, self._target, self._notices = viewer, session, target, notices
        self._by_class = False
        self._refused = ""  # why the colours of classes cannot be shown, as it was said last
        self._stale: set[Any] = set()  # layers whose tables are not up to date
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_TABLE_DELAY)
        self._timer.timeout.connect(self.show_tables)

    def accept(self) -> bool:
        """Write the preview into the target, which is made where there is none; False if that cannot be done."""
        try:
            if self._session.segmentation is None:
                raise PromptError("There is no preview to accept yet; click the object's four extreme points first.")
            again = self._session.reopened is not None
            layer: Any = self._session.reopened_in if again else self._target.ensure()
            label = self._session.accept().label
            layer.selected_label = label
            object_table.note_highest(layer, label)
        except DextrError as error:
            self._notices.report(error)
            return False
        hidden = "" if layer.visible else ", which is hidden"
        self._notices.say(f"Object {label} is {'corrected in' if again else 'in'} '{layer.name}'{hidden}.")
        return True

    def reopen(self, label: int | None = None) -> bool:
        """Go back to an accepted object: that under the cursor by default. False if there is none."""
        return self._do("reopen", label)

    def delete(self, label: int | None = None) -> bool:
        """Remove an accepted object: the one that is being corrected, else that under the cursor."""
        if label is None and self._session.reopened is not None:
            return self._do("delete", self._session.reopened, self._session.reopened_in)
        return self._do("delete", label)

    def pointed(self) -> int | None:
        """Label under the cursor, else that which is selected in the target and is an object; None without either."""
        layer, label = self._target.layer, self._under_cursor()
        if layer is None or label is not None:
            return label
        active = plain(self._viewer.layers.selection.active)
        chosen = int(layer.selected_label)
        return chosen if active is layer and chosen in self._session.objects else None

    def _under_cursor(self) -> int | None:
        layer = self._target.layer
        if layer is None:
            return None
        dims = self._viewer.dims
        value = layer.get_value(
            self._viewer.cursor.position,
            view_direction=None,
            dims_displayed=list(dims.displayed),
            world=True,
        )
        value = value[-1] if isinstance(value, tuple) else value  # of a pyramid: level and label
        return int(value) if value else None

    @property
    def selected(self) -> int | None:
        """Label that is selected in the target: by hand, in the features table, or because it was accepted last."""
        layer = self._target.layer
        return None if layer is None else int(layer.selected_label)

    # -- classes ------------------------------------------------------------------------------------------------

    def set_class(self, class_id: int | None) -> None:
        """Give the present object, and those that follow, a class; None for no class."""
        self._try(lambda: self._session.set_class(None, class_id))

    def set_class_number(self, number: int) -> None:
        """Choose the class at a place of the list, counted from 1; nothing where there is none."""
        classes = self._session.classes
        if number <= len(classes):
            self.set_class(classes[number - 1].id)

    def classify(self, label: int | None = None) -> None:
        """Give an accepted object, by default that under the cursor, the class that is chosen now."""
        self._do("classify", label)

    def delete_chosen(self) -> bool:
        """Remove the object that is being corrected, else the `selected` one: a button does not point at any."""
        return self.delete(self.selected if self._session.reopened is None else None)

    def classify_chosen(self) -> None:
        """As `classify`, for the object that is being corrected, else the `selected` one."""
        session = self._session
        self._do("classify", self.selected if session.reopened is None else session.reopened, session.reopened_in)

    def next_class(self) -> None:
        """Go to the next class of the list, after the last one to the first."""
        ids = [item.id for item in self._session.classes]
        if ids:
            current = self._session.current_class
            self.set_class(ids[(ids.index(current) + 1) % len(ids)] if current in ids else ids[0])

    def add_class(self, name: str) -> None:
        """Add a class to the list, and choose it."""
        self._try(lambda: self._session.set_class(None, self._session.add_class(name).id))

    def rename_class(self, number: int, name: str) -> None:
        """Give a class another name."""
        self._try(lambda: self._session.rename_class(number, name))

    def recolour_class(self, number: int, colour: str) -> None:
        """Give a class another colour."""
        self._try(lambda: self._session.recolour_class(number, colour))

    def remove_class(self, number: int) -> None:
        """Take a class out of the list; its objects have none then."""
        self._try(lambda: self._session.remove_class(number))

    def settle(self) -> None:
        """Take over the labels in use of a large layer, once they are known."""
        self._try(self._target.settle)

    def set_colours(self, by_class: bool) -> None:
        """Show objects in the colours of their classes, or in napari's own."""
        self._by_class = by_class
        if self._target.layer is not None:
            self._colour(self._target.layer)

    # -- the record ---------------------------------------------------------------------------------------------

    def follow(self, change: Change) -> None:
        """Bring the records of layers up to date with a change of the session, and their tables a moment later."""
        session = self._session
        for layer, target in session.targets.items():  # undo reaches layers that are not in use now
            if layer not in change.objects and not change.classes:
                continue
            objects = target.objects
            changed = {
                label: objects[label].facts if label in objects else None for label in change.objects.get(layer, ())
            }
            object_table.note(layer, changed, session.classes_of(layer))
            self._stale.add(layer)
            self._timer.start()
        if change.objects or change.classes:
            self.changed.emit()

    def show_tables(self) -> None:
        """Fill the features tables that are out of date."""
        stale, self._stale = self._stale, set()
        with suppress(RuntimeError):  # at the end of the program Qt may have deleted its timer already
            self._timer.stop()
        for layer in stale & self._session.targets.keys():
            target = self._session.targets[layer]
            areas: dict[int, int] = {}
            for label in target.objects:
                try:
                    areas[label] = target.area(label)
                except DextrError:  # the layer cannot be read from the present image: it keeps the numbers it has
                    break
            facts = {label: item.facts for label, item in target.objects.items()}
            object_table.show(layer, facts, self._session.classes_of(layer), areas)
            if self._by_class:
                self._colour(layer)

    # -- inside ---------------------------------------------------------------------------------------------------

    def _colour(self, layer: Any) -> None:
        colours = None
        if self._by_class:
            known: dict[int | None, str] = {item.id: item.colour for item in self._session.classes_of(layer)}
            objects = self._session.targets[layer].objects
            colours = {label: known.get(item.facts.class_id) for label, item in objects.items()}
        try:
            colour_by_class(layer, colours)
        except DextrError as error:
            colour_by_class(layer, None)
            self._notices.report(error, aloud=self._refused != str(error))  # the table is filled again and again
            self._refused = str(error)

    def _try(self, change: Callable[[], Any]) -> None:
        try:
            change()
        except DextrError as error:
            self._notices.report(error)
        self.classed.emit()
        self.changed.emit()

    def _do(self, what: str, label: int | None, within: Any = None) -> bool:
        try:
            # In the 3-D view nobody can tell which plane's pixels are meant.
            seen = label is None and self._viewer.dims.ndisplay == 2 and self._under_cursor() is not None
            label = self.pointed() if label is None else label
            if label is None:
                raise PromptError(f"Point at an accepted object to {what} it, or select its label in the Labels layer.")
            if within is None and ((seen and what != "classify") or label not in self._session.objects):
                self._target.adopt_label(label, pointed=seen)
            if what == "reopen":
                self._session.reopen(label)
            elif what == "delete":
                self._session.delete(label, within)
            else:
                self._session.set_class(label, self._session.current_class, within)
        except DextrError as error:
            self._notices.report(error)
            return False
        if what == "delete":
            self._notices.say(f"Object {label} is deleted; Undo brings it back.")
        elif what == "classify":
            names = {item.id: item.name for item in self._session.classes}
            name = names.get(self._session.current_class or 0)
            self._notices.say(f"Object {label} is of class '{name}'." if name else f"Object {label} has no class.")
        else:
            self._notices.clear()
        return True
