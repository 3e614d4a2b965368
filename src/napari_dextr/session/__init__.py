"""The annotation session: marks, preview, accepted objects, classes, undo of it all. No Qt, no napari, no torch."""

from ..objects import KINDS, NEEDED, AnnotatedObject, Mark
from .drafting import Request
from .history import Change
from .labelling import AcceptPolicy, Stroke
from .patches import LabelImage
from .session import Row, Session

__all__ = [
    "KINDS",
    "NEEDED",
    "AcceptPolicy",
    "AnnotatedObject",
    "Change",
    "LabelImage",
    "Mark",
    "Request",
    "Row",
    "Session",
    "Stroke",
]
