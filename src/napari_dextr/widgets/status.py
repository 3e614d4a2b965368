"""The one sentence that tells the user what is going on and what to do next."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..session import NEEDED, Session
from ..words import megabytes
from .hints import hint_of
from .model_client import ModelClient
from .notices import Notices
from .prompts import Prompts

if TYPE_CHECKING:
    from ..napari_io.workbench import Workbench

_FIRST_CORNER = "Click one corner of a box around the object; the lines help."
_ADJECTIVES = {
    "extreme": "on its outline",
    "boundary": "on its outline",
    "inside": "where something is missing",
    "outside": "where there is too much",
}


@dataclass(frozen=True)
class Status:
    """What the widget says now: a sentence, and its kind.

    Kinds are ``"hint"``, ``"busy"``, ``"done"``, ``"doubt"`` and ``"error"``.
    """

    text: str
    kind: str = "hint"


def status_of(
    session: Session,
    bench: Workbench,
    prompts: Prompts,
    model: ModelClient,
    notices: Notices,
    to_accept: bool = False,
) -> Status:
    """What to say, most urgent first; ``to_accept``: what the model finds is accepted as soon as it comes."""
    if bench.image is None:
        return Status("Open an image first: drop a file on the viewer, or use File › Open Sample.")
    if notices.problem is not None:
        return Status(notices.problem, "error")
    if session.busy:
        text = _loading(model) if model.loading else "Finding the object…"
        return Status(f"{text} It is accepted as soon as it is found." if to_accept else text, "busy")
    doubt = hint_of(session.marks, session.box, bench.zooms)
    if bench.hidden:
        doubt = f"'{bench.image.name}', the image that you mark, is hidden. Show it, or choose another under Image."
    if doubt is not None:
        return Status(doubt if session.segmentation is None else f"{doubt} Enter accepts it all the same.", "doubt")
    if session.segmentation is not None:
        return Status(_correcting(session, prompts), "done")
    if not bench.armed:
        return Status("Press D or 'Add points' and click on the object's outline.")
    if notices.done is not None and not session.marks:
        return Status(f"{notices.done} Go on with the next object.", "done")
    return Status(_waiting(session, bench, prompts))


def _loading(model: ModelClient) -> str:
    if model.progress is None:
        return "Loading the model… Your points are kept."
    if model.progress[0] == 0:
        return "Downloading the model… Your points are kept."
    if model.progress[0] == model.progress[1]:
        return "Downloaded. Loading the model… Your points are kept."
    return f"Downloading the model: {megabytes(*model.progress)}…"


def _correcting(session: Session, prompts: Prompts) -> str:
    verb = "puts the corrected object back" if session.reopened is not None else "accepts"
    if prompts.kind in _ADJECTIVES and prompts.kind != "extreme":
        where = _ADJECTIVES[prompts.kind]
        return f"Enter {verb}, Esc discards. To correct, click {where} (Shift: outside), or drag a point."
    if prompts.kind == "box":
        return f"Drag the box's handles. Enter {verb}, Esc discards, N goes on to points."
    return f"Enter {verb}, Esc discards. Drag a point to correct it."


def _waiting(session: Session, bench: Workbench, prompts: Prompts) -> str:
    if prompts.kind == "box":
        return "Drag a box over the object, through its outermost pixels."
    if prompts.kind == "corners":
        started = bench.clicks is not None and prompts.plane is not None and bench.clicks.corners(prompts.plane)
        return "Click the opposite corner." if started else _FIRST_CORNER
    if session.remaining == NEEDED:
        return "Click an object's topmost, leftmost, bottommost and rightmost points, in any order."
    count = session.remaining
    force = " Q segments with three." if count == 1 else ""
    return f"{count} more extreme point{'s' if count > 1 else ''}: top, left, bottom or right end.{force}"
