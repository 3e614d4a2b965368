"""Python's garbage collection kept in the main thread while another thread works for minutes."""

from __future__ import annotations

import gc

from qtpy.QtCore import QObject, QTimer

_INTERVAL = 1000  # milliseconds between two collections
_WHOLE = 10  # every so many of them look at everything


class MainThreadCollector(QObject):
    """Collects garbage from a timer instead of wherever Python happens to be.

    Python collects in the thread that makes the most objects. While that is one in the background, the cycles it takes
    apart there include what the viewer has thrown away, and Qt's objects may only be deleted in the main thread.
    """

    def __init__(self) -> None:
        super().__init__()
        self._on = False
        self._rounds = 0
        self._timer = QTimer(self)
        self._timer.setInterval(_INTERVAL)
        self._timer.timeout.connect(self._collect)

    def start(self) -> None:
        """From now on only the timer collects. Does nothing where somebody else has turned collection off."""
        if not self._on and gc.isenabled():
            self._on = True
            gc.disable()
            gc.freeze()  # what is there already is not looked at: that would stop the viewer for a moment each time
            self._timer.start()

    def stop(self) -> None:
        """Leave it to Python again."""
        if self._on:
            self._on = False
            gc.unfreeze()
            gc.enable()
            self._timer.stop()

    def _collect(self) -> None:
        self._rounds += 1
        gc.collect(2 if self._rounds % _WHOLE == 0 else 1)
