"""What happens in a viewer while something is annotated there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

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
