"""A list of layers to choose from that follows the viewer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QWidget

from ..napari_io.placement import plain
from .elided import ElidedCombo


class LayerCombo(ElidedCombo):
    """Combo box of the viewer's layers, topmost first. It keeps layers, not names: renaming changes nothing.

    Parameters
    ----------
    viewer : napari.Viewer or ViewerModel
    accepts : callable
        Takes a layer, tells whether it is listed.
    tip : str
        What is chosen, for the tooltip.
    none : str, optional
        First entry, standing for None; without it the box is empty where no layer fits.
    """

    chosen = Signal(object)  # a layer or None, by the user or because the chosen layer has gone
    picked = Signal(object)  # the same, by the user only

    def __init__(
        self,
        viewer: Any,
        accepts: Callable[[Any], bool],
        tip: str = "",
        *,
        none: str | None = None,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(tip=tip, parent=parent)
        self._viewer = viewer
        self._accepts = accepts
        self._none = none
        self._layers: list[Any] = []
        self._watched: list[Any] = []
        self.setMinimumContentsLength(8)
        for event in self._events():
            event.connect(self.refresh)
        self.currentIndexChanged.connect(self._on_index)
        self.refresh()

    @property
    def layer(self) -> Any:
        """The chosen layer, or None."""
        index = self.currentIndex()
        return self._layers[index] if 0 <= index < len(self._layers) else None

    @layer.setter
    def layer(self, layer: Any) -> None:
        if layer is not None and not any(listed is plain(layer) for listed in self._layers):
            self.refresh()  # what the list accepts may have changed
        for index, listed in enumerate(self._layers):
            if listed is plain(layer):
                self.setCurrentIndex(index)

    def refresh(self, event: Any = None) -> None:
        """List the layers anew; the chosen one stays chosen while it is there."""
        before = self.layer
        fitting = [plain(layer) for layer in reversed(self._viewer.layers) if self._accepts(plain(layer))]
        self._watch(fitting)
        self._layers = fitting if self._none is None else [None, *fitting]
        blocked = self.blockSignals(True)
        try:
            self.write([str(self._none if layer is None else layer.name) for layer in self._layers])
            kept = next((i for i, layer in enumerate(self._layers) if layer is before), 0)
            self.setCurrentIndex(kept if self._layers else -1)
        finally:
            self.blockSignals(blocked)
        self.show_tip()
        if self.layer is not before:
            self.chosen.emit(self.layer)

    def release(self) -> None:
        """Stop following the viewer."""
        for event in self._events():
            event.disconnect(self.refresh)
        self._watch([])

    def _events(self) -> tuple[Any, ...]:
        events = self._viewer.layers.events
        return events.inserted, events.removed, events.reordered

    def _watch(self, layers: list[Any]) -> None:
        """Follow the names of these layers (not every napari from 0.6 on tells of renaming in its list of layers)."""
        for layer in self._watched:
            layer.events.name.disconnect(self.refresh)
        for layer in layers:
            layer.events.name.connect(self.refresh)
        self._watched = layers

    def _on_index(self, _: int) -> None:
        self.picked.emit(self.layer)
        self.chosen.emit(self.layer)
