"""Keys bound to the viewer and to our own layers, and given back at the end."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from .placement import plain

Actions = Mapping[str, Callable[[], None]]


@dataclass(frozen=True)
class Shortcut:
    """An action, its keys, and what they do in words."""

    action: str
    keys: tuple[str, ...]
    title: str

    @property
    def text(self) -> str:
        """The first key as people read it, e.g. ``"Ctrl+Shift+Z"``."""
        return as_people_read(self.keys[0])


def as_people_read(key: str) -> str:
    """A key of napari's, e.g. ``"Control-Z"``, as people read it."""
    return key.replace("Control", "Ctrl").replace("Escape", "Esc").replace("-", "+")


CLASS_KEYS = tuple(f"Control-{number}" for number in range(1, 10))

SHORTCUTS = (
    Shortcut("accept", ("Enter",), "Accept the object"),
    Shortcut("discard", ("Escape",), "Discard it; Undo brings it back"),
    Shortcut("undo", ("U", "Control-Z"), "Undo"),
    Shortcut("redo", ("Shift-U", "Control-Shift-Z"), "Redo"),
    Shortcut("withdraw", ("W",), "Remove the last point"),
    Shortcut("force", ("Q",), "Segment with three points"),
    Shortcut("next_kind", ("N",), "Next kind of mark"),
    Shortcut("extreme", ("D",), "Extreme points"),
    Shortcut("boundary", ("C",), "Points on the outline"),
    Shortcut("inside", ("I",), "Points inside"),
    Shortcut("outside", ("O",), "Points outside"),
    Shortcut("box", ("R",), "Box: drag it over the object"),
    Shortcut("corners", ("J",), "Two corners, then the middle"),
    Shortcut("next_class", ("K",), "Next class"),
    Shortcut("classify", ("Shift-K",), "Give the object under the cursor this class"),
    *(Shortcut(f"class_{index}", (key,), f"Class {index}") for index, key in enumerate(CLASS_KEYS, 1)),
    Shortcut("reopen", ("G",), "Go back to the object under the cursor"),
    Shortcut("delete", ("Shift-Delete", "Shift-Backspace"), "Delete the object under the cursor"),
)
"""What the keys do. In napari 0.6 to 0.9 none of them is taken on images (except C and O), Points, Labels (except
Enter, Escape and Ctrl+Z) or Shapes (except Enter, Escape, D, I and R); what is taken stays napari's."""

KEY_OF = {shortcut.action: shortcut.text for shortcut in SHORTCUTS}
"""The key of each action, as people read it."""

_OURS = ("accept", "discard", "undo", "redo")  # taken over on our own layers, but for the modes below
_DRAWING = ("polygon", "add_polygon", "add_polygon_lasso", "add_polyline", "add_path")


class KeyRing:
    """Binds keys and remembers them."""

    def __init__(self) -> None:
        self._bound: list[tuple[Any, str]] = []

    def bind(self, owner: Any, actions: Actions) -> None:
        """Bind all `SHORTCUTS` on a viewer or layer.

        Keys that were bound there by somebody else are left alone, and so are those that napari itself uses on that
        kind of layer. Exceptions are Enter, Escape and undo: they are ours on our layers, except while a polygon is
        being drawn, which they finish.
        """
        owner = plain(owner)
        taken = _class_keys(owner)
        for shortcut in SHORTCUTS:
            for key in shortcut.keys:
                own = taken.get(_binding(key))
                if own is not None and shortcut.action not in _OURS:
                    continue
                try:
                    owner.bind_key(key, _press(actions[shortcut.action], own))
                except ValueError:  # bound by the user or by another plugin
                    continue
                self._bound.append((owner, key))

    def release(self, owner: Any = None) -> None:
        """Give back the keys of one owner, or all of them."""
        owner = plain(owner)
        for bound, key in self._bound:
            if owner is None or bound is owner:
                bound.bind_key(key, None)
        self._bound = [entry for entry in self._bound if owner is not None and entry[0] is not owner]


def _binding(key: str) -> Any:
    from napari.utils.key_bindings import coerce_keybinding

    return coerce_keybinding(key)


def _class_keys(owner: Any) -> dict[Any, Any]:
    """What napari binds on every layer of this kind, with the user's own changes."""
    keys: dict[Any, Any] = {}
    for kind in reversed(type(owner).__mro__):
        keys.update(getattr(kind, "class_keymap", {}))
    return keys


def _press(action: Callable[[], None], own: Callable[[Any], Any] | None) -> Callable[[Any], Any]:
    def pressed(owner: Any) -> Any:
        if own is not None and str(getattr(owner, "mode", "")) in _DRAWING:
            return own(owner)
        return action()

    return pressed
