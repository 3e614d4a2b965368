"""Autosave, and the offer to go on where a crash, or closing napari too early, ended the work."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, QTimer, Signal

from ..errors import DataError, DextrError, OutputError
from ..files import reason_of
from ..napari_io.parked_sessions import Parked, ask_for, park, parked_with
from ..napari_io.placement import plain
from ..napari_io.saved_layers import listen, stop_listening
from ..napari_io.saved_session import describe, image_names, image_of, names_of, place_finder, place_named, restore
from ..napari_io.viewer_events import LayerEvents
from ..places import data_folder
from ..session.autosave import Journal
from ..session.recovery import Found, Recovered, RecoveredTarget, dismiss, recover
from ..words import number_of
from .left_behind import LeftBehind

if TYPE_CHECKING:
    from ..session.history import Change
    from .controller import AnnotateController


def sessions_folder() -> Path:
    """Where the journals of sessions are kept: with the user's data, as a cache may be emptied, shared or read-only."""
    return data_folder() / "sessions"


class Safety(QObject):
    """Keeps the journal of a session, and finds those that earlier sessions left behind.

    The journal begins with the first thing that is done; a session without any leaves no file.

    Signals
    -------
    changed
        Sessions were found, the journal begins, or a file has objects that were only in it.
    """

    changed = Signal()

    def __init__(self, do: AnnotateController, folder: Path, *, on: bool = True) -> None:
        super().__init__()
        self.left = LeftBehind(do.viewer, folder)
        self.journal: Journal | None = None
        self._do = do
        self._folder = folder
        self._on = on
        self._closed = False
        self._restored: dict[tuple[Path, int], Any] = {}  # layers, by the journal and the number of the target in it
        self._refused: set[tuple[Path, int]] = set()  # what could not be taken over, by the same
        self.left.changed.connect(self.changed)
        self._gone: dict[int, Any] = {}  # layers that went just now, by their numbers in the journal
        self._named: list[Any] = []
        self._names = LayerEvents(renamed=self._on_renamed, edited=self._on_renamed, edits=())
        if on:
            listen(self._on_saved)
            do.changed.connect(self._take_over)
            do.changed.connect(self._follow_names)
            do.session.watch(self._begin)
            self.left.start()

    @property
    def found(self) -> list[Found]:
        """What can be recovered; the first one is on offer."""
        return self.left.found

    @property
    def text(self) -> str:
        """State of the autosave in words."""
        if not self._on:
            return "Autosave is off"
        if self.journal is None:
            return "Autosave: nothing to save yet"
        if self.journal.problem:
            return f"Autosave: {self.journal.problem}"
        unsaved = self.journal.unsaved
        if unsaved.objects:
            return f"Autosave: on ({number_of(unsaved.objects, 'object')} not exported yet)"
        return "Autosave: on (changes not exported yet)" if unsaved else "Autosave: on"

    def recover(self) -> None:
        """Bring back what the first of the sessions found had done; what cannot be done is said in the widget."""
        if not self.found:
            return
        do, path = self._do, self.found[0].path
        try:
            saved = recover(path)
            missing = self._bring_back(saved, path)
            do.show_place()
            self._begun().rewrite()  # it has not seen the pixels that were restored
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
        """Throw the first of the sessions found away."""
        if not self.found:
            return
        try:
            dismiss(self.found[0].path)
        except OSError as error:
            self._do.notices.report(OutputError(f"'{self.found[0].path}' cannot be removed: {reason_of(error)}."))
            return
        self.left.drop()

    def offer_another(self) -> None:
        """Offer the next of the sessions found; this one, whose image may not be at hand, comes last."""
        self.left.put_off()

    def close(self, *, shown: bool = True) -> None:
        """End in good order. What no file has stays in the journal, else nothing is left.

        Parameters
        ----------
        shown : bool
            Whether the viewer has its window still, and in it the layers.
        """
        if self._closed:
            return
        self._closed = True
        if not self._on:
            return
        self.left.stop()
        stop_listening(self._on_saved)
        self._do.changed.disconnect(self._take_over)
        self._do.changed.disconnect(self._follow_names)
        self._names.release()
        self._do.session.unwatch(self._on_change)
        if self.journal is None:
            self._do.session.unwatch(self._begin)
        elif (kept := self.journal.leave()) is not None:
            layers = {number: key for key, number in self.journal.numbers.items()}
            park(Parked(kept, self._do.viewer, layers), shown=shown)

    def close_with_window(self) -> None:
        """End in good order, together with the window."""
        self.close(shown=False)

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
        self._begun().unsaved.recovered(layer, target.saved)
        return layer

    def _take_over(self) -> None:
        """Make what a widget that was closed left unsaved in the layers of this session part of its journal."""
        do = self._do
        ask_for([do.target.layer])  # whose record has just been read; of others, objects may be missing here
        for parked, number, layer in parked_with(do.session.targets):
            path = parked.kept.path
            if (path, number) in self._refused or do.bench.image is None:
                continue
            rest, pieces = parked.kept.rests[number], []
            try:
                if not rest.objects <= do.session.targets[layer].objects.keys():
                    raise DataError(f"Objects have gone from the record of '{layer.name}'.")
                if rest.painted:  # else the objects hold all
                    target = next(target for target in recover(path).targets if target.number == number)
                    pieces = list(target.pixels(place_finder(do.bench.image, do.viewer)))
                for piece in pieces:
                    do.session.targets[layer].keep_loose(*piece)
                for label in rest.objects:
                    do.session.targets[layer].whole(label)  # it may reach beyond its marks
                journal = self._begun()
                journal.unsaved.take_over(layer, rest)
                journal.rewrite()
            except (DextrError, StopIteration):
                self._refused.add((path, number))  # it stays by itself, and is offered when the layer is gone
            else:
                parked.kept.hand_over(number)
                self.changed.emit()

    def _begin(self, change: Change) -> None:
        self._begun()

    def _begun(self) -> Journal:
        if self.journal is None:
            self._do.session.unwatch(self._begin)
            self._do.session.watch(self._on_change)
            self.journal = Journal(self._folder, self._do.session, describe)
            self.changed.emit()
        return self.journal

    def _on_change(self, change: Change) -> None:
        if change.gone is not None and self.journal is not None:
            if (number := self.journal.numbers.get(change.gone)) is not None:
                self._gone[number] = change.gone
            # napari removes all layers when it quits, and closes the window before it does anything else.
            QTimer.singleShot(0, self._settle)

    def _settle(self) -> None:
        """Layers that have gone were removed by somebody: offer what no file has of them."""
        if self._closed or self.journal is None:
            return
        kept, layers = self.journal.settle(), dict(self._gone)
        self._gone.clear()
        if kept is not None:  # an export of theirs may still go on
            park(Parked(kept, self._do.viewer, layers))

    def _follow_names(self) -> None:
        targets = list(self._do.session.targets)
        if targets != self._named:
            self._named = targets
            self._names.follow(targets)

    def _on_renamed(self, event: Any) -> None:
        if self.journal is not None:
            self.journal.rename(plain(event.source))

    def _on_saved(self, layer: Any, began: int) -> None:
        if self.journal is not None and layer in self._do.session.targets:
            self.journal.save(layer, began)
            self.changed.emit()
        else:  # perhaps it was removed before the file was there, and is on offer
            self.left.look_again()
