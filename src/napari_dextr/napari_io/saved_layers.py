"""Telling those who annotate that a file has a Labels layer: whoever saves knows nothing of them.

What other programs or napari's own writers save is not heard of here: napari tells nobody.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from .placement import plain

Heard = Callable[[Any, int], None]
"""Takes the Labels layer, and the `napari_dextr.session.unsaved.moment` at which it was read for the file."""

_listeners: list[Heard] = []


def listen(heard: Heard) -> None:
    """Call a function whenever a file has a Labels layer."""
    _listeners.append(heard)


def stop_listening(heard: Heard) -> None:
    """Call a function no more."""
    _listeners[:] = [other for other in _listeners if other != heard]


def tell_saved(layers: Iterable[Any], began: int) -> None:
    """Tell that a file has some Labels layers, with every object. In the main thread.

    Parameters
    ----------
    layers : iterable of Labels
    began : int
        The `napari_dextr.session.unsaved.moment` before they were read; what has changed since then may not be in it.
    """
    for layer in layers:
        for heard in tuple(_listeners):
            heard(plain(layer), began)
