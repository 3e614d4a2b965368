"""What earlier sessions left behind, and layers that were removed: the journals that can be recovered now."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

from qtpy.QtCore import QObject, QTimer, Signal

from ..errors import DextrError
from ..napari_io.parked_sessions import hear, hear_no_more, release_closed
from ..session.recovery import Found, recoverable, tidy


class LeftBehind(QObject):
    """Looks for such journals at the beginning, and whenever layers were removed.

    Parameters
    ----------
    viewer : Viewer or ViewerModel
    folder : Path
        Where journals are kept.

    Signals
    -------
    changed
        Others were found, or some have gone.

    Attributes
    ----------
    found : list of Found
        Newest first, or as `put_off` has left them.
    """

    changed = Signal()
    _looked = Signal(object)

    def __init__(self, viewer: Any, folder: Path) -> None:
        super().__init__()
        self.found: list[Found] = []
        self._viewer, self._folder = viewer, folder
        self._watching = False
        self._looked.connect(self._on_looked)

    def start(self) -> None:
        """Begin to look."""
        self._watching = True
        release_closed()
        hear(self._on_released)
        self._viewer.layers.events.removed.connect(self._on_removed)
        self.look()

    def stop(self) -> None:
        """Look no more."""
        if self._watching:
            self._watching = False
            hear_no_more(self._on_released)
            self._viewer.layers.events.removed.disconnect(self._on_removed)

    def look(self) -> None:
        """Look for journals, in the background."""
        if self._watching:
            threading.Thread(target=self._look, name="napari-dextr recovery", daemon=True).start()

    def look_again(self) -> None:
        """Let those go that are no longer there, and look how much is left in the others."""
        if self.found:
            self._on_looked(self.found)
            self.look()

    def put_off(self) -> None:
        """Let the first one, whose image may not be at hand, come last."""
        self.found = [*self.found[1:], *self.found[:1]]
        self.changed.emit()

    def drop(self) -> None:
        """Let the first one go: somebody has recovered or removed it."""
        self.found.pop(0)
        self.changed.emit()

    def _on_removed(self, event: Any) -> None:
        # napari removes all layers when it quits, and closes the window before it does anything else.
        QTimer.singleShot(0, self._release)

    def _release(self) -> None:
        """Layers that were removed by somebody may be of *Boxes to masks*, or of a widget that was closed."""
        if self._watching:
            release_closed()

    def _on_released(self) -> None:
        QTimer.singleShot(0, self.look)

    def _look(self) -> None:
        """In a thread: journals can be long."""
        try:
            found = tidy(recoverable(self._folder))
        except (DextrError, OSError):
            found = []
        if found and self._watching:
            self._tell(found)

    def _tell(self, found: Any) -> None:
        try:
            self._looked.emit(found)
        except RuntimeError:  # Qt has deleted this object together with the window
            self._watching = False

    def _on_looked(self, found: list[Found]) -> None:
        if not self._watching:
            return
        self.found = [item for item in found if item.path.exists()]  # it may have been recovered in the meantime
        self.changed.emit()
