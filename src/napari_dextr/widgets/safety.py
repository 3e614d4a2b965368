"""Autosave, and the offer to go on where a crash ended the work."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, Signal
from qtpy.QtWidgets import QFrame, QGridLayout, QLabel

from ..errors import DataError, DextrError
from ..napari_io.saved_session import describe, image_names, image_of, names_of, place_finder, place_named, restore
from ..places import data_folder
from ..session.autosave import Journal
from ..session.recovery import Found, Recovered, RecoveredTarget, dismiss, recover, recoverable
from .panels import make_button

if TYPE_CHECKING:
    from ..session.history import Change
    from .controller import AnnotateController


def sessions_folder() -> Path:
    """Where the journals of sessions are kept: with the user's data, as a cache may be emptied, shared or read-only."""
    return data_folder() / "sessions"


class Safety(QObject):
    """Keeps the journal of a session, and finds those that crashed sessions left behind.

    The journal begins with the first thing that is done; a session without any leaves no file.

    Signals
    -------
    changed
        Sessions were found, or the journal begins, or it has a problem.
    """

    changed = Signal()
    _looked = Signal(object)

    def __init__(self, do: AnnotateController, folder: Path, *, on: bool = True) -> None:
        super().__init__()
        self.found: list[Found] = []
        self.journal: Journal | None = None
        self._do = do
        self._folder = folder
        self._on = on
        self._closed = False
        self._restored: dict[tuple[Path, int], Any] = {}  # layers, by the journal and the number of the target in it
        self._looked.connect(self._on_looked)
        if on:
            do.session.watch(self._begin)
            threading.Thread(target=self._look, name="napari-dextr recovery", daemon=True).start()

    @property
    def text(self) -> str:
        """State of the autosave in words."""
        if not self._on:
            return "Autosave is off"
        if self.journal is None:
            return "Autosave: nothing to save yet"
        # Not "saved": a good end removes the journal, and whoever trusted that word would lose what was not exported.
        return f"Autosave: {self.journal.problem}" if self.journal.problem else "Autosave: safe from a crash"

    def recover(self) -> None:
        """Bring back what the newest of the sessions found had done; what cannot be done is said in the widget."""
        if not self.found:
            return
        do, path = self._do, self.found[0].path
        try:
            saved = recover(path)
            missing = self._bring_back(saved, path)
            do.show_place()
            if self.journal is None:
                self._begin()
            if self.journal is not None:
                self.journal.rewrite()  # it has not seen the pixels that were restored
        except DextrError as error:
            do.notices.report(error)
            return
        numbers = [number for held, number in self._restored if held == path]
        count = sum(saved.targets[number].count for number in numbers)
        text = f"{count} object{'s' if count != 1 else ''} recovered."
        if missing is None:
            do.notices.say(text)
            self.forget()
        elif numbers:
            do.notices.say(f"{text} There is more: {missing}")
        else:
            do.notices.report(missing)

    def forget(self) -> None:
        """Throw the newest of the sessions found away."""
        if self.found:
            dismiss(self.found.pop(0).path)
            self.changed.emit()

    def close(self) -> None:
        """End in good order: nothing is left to recover."""
        if self._closed:
            return
        self._closed = True
        if self.journal is not None:
            self.journal.close(keep=False)
        elif self._on:
            self._do.session.unwatch(self._begin)

    def _bring_back(self, saved: Recovered, path: Path) -> DataError | None:
        """Restore what is not there yet; what keeps the rest from it, an image that is not open."""
        do, named = self._do, image_names(saved)
        missing: DataError | None = None
        for number, target in enumerate(saved.targets):
            names = names_of(target)
            if not names or do.bench.holds(self._restored.get((path, number))):
                continue
            try:
                image = image_of(names, do.viewer, named)
            except DataError as error:
                missing = missing or error
                continue
            do.set_image(image)
            do.set_target(None)
            taken = [*do.session.written, *self._restored.values()]
            self._restored[path, number] = self._restore(target, image, taken)
        for draft in saved.drafts:
            if draft.correcting is not None:
                continue
            try:
                place = place_named(draft.place, image_of([draft.place], do.viewer, named))
            except DataError as error:
                missing = missing or error
                continue
            if place not in do.session.drafts:  # what is marked there by now counts more
                do.session.go_to(place)
                do.session.set_prompt(draft.marks, draft.box)
        return missing

    def _restore(self, target: RecoveredTarget, image: Any, taken: list[Any]) -> Any:
        """Write a target of a saved session into a layer, and make all of it part of this session."""
        do, place_of = self._do, place_finder(image, self._do.viewer)
        layer = restore(target, image, do.bench, taken)
        do.set_target(layer)
        do.session.adopt(target.objects(place_of), safe=False)  # where they lie, the journal says better than the marks
        for pixels in target.pixels(place_of):
            do.session.targets[layer].keep_loose(*pixels)
        return layer

    def _begin(self, change: Change | None = None) -> None:
        self._do.session.unwatch(self._begin)
        self.journal = Journal(self._folder, self._do.session, describe)
        self.changed.emit()

    def _look(self) -> None:
        """In a thread: journals can be long."""
        try:
            found = recoverable(self._folder)
        except (DextrError, OSError):
            found = []
        if found and not self._closed:
            self._tell(found)

    def _tell(self, found: Any) -> None:
        try:
            self._looked.emit(found)
        except RuntimeError:  # Qt has deleted this object together with the window
            self._closed = True

    def _on_looked(self, found: list[Found]) -> None:
        self.found = found
        self.changed.emit()


class RecoveryPanel(QFrame):
    """The offer to recover a session; hidden while there is nothing to offer."""

    def __init__(self) -> None:
        super().__init__()
        self.setFrameShape(QFrame.Shape.StyledPanel)
        self.text = QLabel()
        self.text.setWordWrap(True)
        self.recover = make_button("Recover", "Write the objects into a Labels layer, and bring back the points")
        self.forget = make_button("Throw away", "Remove the saved session for good")
        grid = QGridLayout(self)
        grid.addWidget(self.text, 0, 0, 1, 2)
        grid.addWidget(self.recover, 1, 0)
        grid.addWidget(self.forget, 1, 1)
        self.hide()

    def show_found(self, found: list[Found]) -> None:
        """Show the newest session that was found."""
        self.setVisible(bool(found))
        if found:
            count = found[0].objects
            when = found[0].changed.astimezone().strftime("%d %B, %H:%M")
            objects = f"{count} object{'s' if count != 1 else ''}"
            done = f"with {objects} annotated" if count else "while an object was marked"
            self.text.setText(f"napari ended unexpectedly on {when}, {done} here.")
