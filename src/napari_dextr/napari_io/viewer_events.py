"""What happens in a viewer while something is annotated there."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from .placement import plain

Callback = Callable[[Any], None]


class ViewerEvents:
    """Listens to a viewer until it is released.

    Parameters
    ----------
    viewer : ViewerModel
    removed : callable
        A layer is gone; ``event.value`` is the layer.
    activated : callable
        Another layer is active.
    turned : callable
        Another slice, axis order or dimensionality is shown.
    """

    def __init__(self, viewer: Any, *, removed: Callback, activated: Callback, turned: Callback) -> None:
        dims = viewer.dims.events
        self._connected: tuple[tuple[Any, Callback], ...] = (
            (viewer.layers.events.removed, removed),
            (viewer.layers.selection.events.active, activated),
            (dims.point, turned),
            (dims.order, turned),
            (dims.ndisplay, turned),
        )
        for event, callback in self._connected:
            event.connect(callback)

    def release(self) -> None:
        """Listen no more."""
        for event, callback in self._connected:
            event.disconnect(callback)
        self._connected = ()


class LayerEvents:
    """Listens to the layers of a viewer: to their names, and to what may change the objects in them.

    Parameters
    ----------
    renamed, edited : callable
    edits : tuple of str
        Events of a layer that count as edits; not every kind of layer has all of them.
    """

    def __init__(self, *, renamed: Callback, edited: Callback, edits: tuple[str, ...]) -> None:
        self._renamed, self._edited, self._edits = renamed, edited, edits
        self._connected: list[tuple[Any, Callback]] = []

    def follow(self, layers: Iterable[Any]) -> None:
        """Listen to these layers instead of the ones before."""
        self.release()
        for layer in map(plain, layers):
            edits = (getattr(layer.events, name, None) for name in self._edits)
            self._connected.append((layer.events.name, self._renamed))
            self._connected += [(event, self._edited) for event in edits if event is not None]
        for event, callback in self._connected:
            event.connect(callback)

    def release(self) -> None:
        """Listen no more."""
        for event, callback in self._connected:
            event.disconnect(callback)
        self._connected = []
