"""Keys bound to the viewer and to our own layers, and given back at the end."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from .placement import plain

CLICK_KEYS = {
    "accept": "Enter",
    "discard": "Escape",
    "undo": "Control-Z",
    "redo": "Control-Shift-Z",
    "undo_too": "U",
    "arm": "D",
    "boundary": "C",
    "inside": "I",
    "outside": "O",
}
"""Keys of the Points layer, free there in napari 0.6 to 0.9."""

VIEWER_KEYS = {"accept": "Enter", "discard": "Escape", "undo_too": "U", "arm": "D"}
"""Keys that also work while another layer is active, unless that layer uses them itself."""


class KeyRing:
    """Binds keys and remembers them."""

    def __init__(self) -> None:
        self._bound: list[tuple[Any, str]] = []

    def bind(self, owner: Any, keys: Mapping[str, str], actions: Mapping[str, Callable[[], None]]) -> None:
        """Bind ``actions`` to the keys of the same name on a layer or viewer; keys in use there are left alone."""
        owner = plain(owner)
        for name, key in keys.items():
            try:
                owner.bind_key(key, _without_argument(actions[name]))
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


def _without_argument(action: Callable[[], None]) -> Callable[[Any], None]:
    def pressed(_: Any) -> None:
        action()

    return pressed
