"""The one sentence that tells the user what is going on and what to do next."""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import DextrError
from ..napari_io.workbench import Workbench
from ..session import NEEDED, Session
from .model_client import ModelClient


@dataclass(frozen=True)
class Status:
    """What the widget says now: a sentence, and its kind: ``"hint"``, ``"busy"``, ``"done"`` or ``"error"``."""

    text: str
    kind: str = "hint"


def status_of(
    session: Session, bench: Workbench, model: ModelClient, *, problem: str | None = None, done: str | None = None
) -> Status:
    """What to say, most urgent first.

    Parameters
    ----------
    session, bench, model
        State of the widget.
    problem : str, optional
        What went wrong last; it stands until the user does something.
    done : str, optional
        What was achieved last.
    """
    if bench.image is None:
        return Status("Open an image first: drop a file on the viewer, or use File › Open Sample.")
    if problem is not None:
        return Status(problem, "error")
    if session.busy:
        return Status("Loading the model…" if model.loading else "Finding the object…", "busy")
    if session.segmentation is not None:
        return Status("Enter accepts the object, Esc discards it. Drag a point to correct it.", "done")
    if not bench.armed:
        return Status("Press D or 'Add points', then click on the object's outline.")
    if done is not None and not session.marks:
        return Status(f"{done} Click the next object.", "done")
    if session.remaining == NEEDED:
        return Status("Click an object's topmost, leftmost, bottommost and rightmost points, in any order.")
    count = session.remaining
    return Status(f"{count} more extreme point{'s' if count > 1 else ''}: top, left, bottom or right end.")


def sentence_of(error: Exception) -> str:
    """What the user reads of an error."""
    if isinstance(error, DextrError):
        return str(error)
    return f"That failed unexpectedly ({type(error).__name__}: {error}). The points are still there; please report it."
