"""What the widget tells the user: the last problem, the last success."""

from __future__ import annotations

import logging

from qtpy.QtCore import QObject, Signal

from ..errors import DextrError
from .worker import LoadCancelledError

_LOG = logging.getLogger(__name__)


class Notices(QObject):
    """Problems and successes, until the user does something else.

    Attributes
    ----------
    problem, done : str or None
        What went wrong last; what was achieved last.

    Signals
    -------
    changed
        Either has changed.
    noticed(str, bool)
        The user must hear of a problem; True where it lies with the program or the model, not with the marks.
    """

    changed = Signal()
    noticed = Signal(str, bool)

    def __init__(self) -> None:
        super().__init__()
        self.problem: str | None = None
        self.done: str | None = None

    def clear(self) -> None:
        """The user goes on: forget the problem and the success."""
        self.problem = self.done = None

    def say(self, text: str) -> None:
        """Tell of a success."""
        self.problem, self.done = None, text
        self.changed.emit()

    def report(self, error: Exception, *, aloud: bool = True, severe: bool = False) -> None:
        """Tell of a problem: in the widget and, with ``aloud``, as a notification of napari's."""
        self.problem = sentence_of(error)
        self.changed.emit()
        if aloud and not isinstance(error, LoadCancelledError):  # whoever cancels knows
            ours = isinstance(error, DextrError)
            if not ours:
                _LOG.error("Unexpected error in the Annotate widget", exc_info=error)
            self.noticed.emit(self.problem, severe or not ours)


def sentence_of(error: Exception) -> str:
    """What the user reads of an error."""
    if isinstance(error, DextrError):
        return str(error)
    return f"That failed unexpectedly ({type(error).__name__}: {error}). The points are still there; please report it."
