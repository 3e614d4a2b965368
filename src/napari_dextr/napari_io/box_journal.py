"""What *Boxes to masks* has made, kept in a journal of its own until Annotate goes on with it, or a file has it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..objects import AnnotatedObject, ObjectClass
from ..session import Session
from ..session.autosave import Journal
from ..session.patches import Patch
from .label_pixels import LayerPixels
from .parked_sessions import Parked, holding, not_holding, park
from .placement import plain
from .saved_layers import listen, stop_listening
from .saved_session import describe

if TYPE_CHECKING:
    from napari.layers import Labels


RUN = "Boxes to masks"


class BoxJournal:
    """Follows one run and its review.

    Parameters
    ----------
    folder : Path
        Where journals are kept.
    viewer : Viewer or ViewerModel
    target : Labels
        Takes the objects.
    classes : sequence of ObjectClass
        Of the target.

    Attributes
    ----------
    complete : bool
        Whether the record of the layer holds the objects too, so that another session can go on with them.
    """

    def __init__(self, folder: Path, viewer: Any, target: Labels, classes: Iterable[ObjectClass]) -> None:
        self.complete = False
        self._viewer = viewer
        self._target: Labels = plain(target)
        session = Session(spot_of=lambda place: place[1] if isinstance(place, tuple) else None)
        pixels = LayerPixels(self._target, viewer.dims, highest=lambda: 0)
        session.bind(self._target, pixels, classes=list(classes) or None)
        self._session = session
        self._journal: Journal | None = Journal(folder, session, describe, RUN)
        self._target.events.name.connect(self._on_renamed)
        listen(self._on_saved)
        holding(self._on_asked)

    def note(self, pixels: Iterable[tuple[Any, Patch]], objects: Mapping[int, AnnotatedObject | None]) -> bool:
        """Note what was just written, as `Session.note_written` takes it; False where another session has it now."""
        if self._journal is None:
            return False
        self._session.note_written(self._target, pixels, objects)
        return True

    def park(self) -> None:
        """End. What no file has waits for recovery, or for the session that goes on with the layer."""
        journal, self._journal = self._journal, None
        if journal is None:
            return
        self._target.events.name.disconnect(self._on_renamed)
        stop_listening(self._on_saved)
        not_holding(self._on_asked)
        kept = journal.leave()
        if kept is not None:
            park(Parked(kept, self._viewer, {number: key for key, number in journal.numbers.items()}))

    def _on_renamed(self, event: Any) -> None:
        if self._journal is not None:
            self._journal.rename(self._target)

    def _on_asked(self, layers: Collection[Any]) -> None:
        if self.complete and any(layer is self._target for layer in layers):
            self.park()

    def _on_saved(self, layer: Any, began: int) -> None:
        if self._journal is not None and layer is self._target:
            self._journal.save(layer, began)
