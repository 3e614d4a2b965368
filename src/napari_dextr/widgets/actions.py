"""What each key does."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from ..napari_io.keys import CLASS_KEYS
from .prompts import CHOICES

if TYPE_CHECKING:
    from .controller import AnnotateController


def actions_of(do: AnnotateController) -> dict[str, Callable[[], None]]:
    """The actions of `napari_dextr.napari_io.keys.SHORTCUTS`, by name."""
    numbers = range(1, len(CLASS_KEYS) + 1)
    return {
        "accept": do.accept,
        "discard": do.discard,
        "undo": do.undo,
        "redo": do.redo,
        "withdraw": do.withdraw,
        "force": do.force,
        "next_kind": lambda: do.set_kind(do.prompts.next_kind),
        "next_class": do.objects.next_class,
        "classify": do.objects.classify,
        "reopen": do.reopen,
        "delete": do.delete,
        **{kind: partial(do.set_kind, kind) for kind in CHOICES},
        **{f"class_{number}": partial(do.objects.set_class_number, number) for number in numbers},
    }
