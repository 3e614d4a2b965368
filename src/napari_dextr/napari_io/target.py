"""The Labels layer that accepted objects are written into, and the labels that are taken there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .label_layers import check_target, highest_label, largest_label, write_object
from .placement import plain

if TYPE_CHECKING:
    from napari.layers import Labels

    from ..segmenter import Segmentation
    from ..session import Session
    from .planes import Plane
    from .workbench import Workbench


class Target:
    """Where objects go. Labels that the user paints there by hand are noted, so that none is given twice.

    Attributes
    ----------
    layer : Labels or None
        None until the first object is accepted, unless the user chose a layer.
    """

    def __init__(self, bench: Workbench, session: Session) -> None:
        self.layer: Labels | None = None
        self._bench = bench
        self._session = session
        self._writing = False

    def choose(self, layer: Any) -> None:
        """Write the next objects into ``layer``; None makes a new one when it is needed."""
        layer = plain(layer)
        if layer is self.layer:
            return
        self.release()
        self.layer = layer
        if layer is not None:
            layer.events.paint.connect(self._on_painted)
            layer.events.data.connect(self._on_replaced)
            self._session.use_target(layer, highest_label(layer))

    def write(self, plane: Plane, segmentation: Segmentation, *, keep_earlier: bool) -> int:
        """Write a segmentation as the next object, one step of napari's undo; returns its label.

        Raises
        ------
        OutputError, ImageError
            If the layer cannot take it; nothing is written then.
        """
        assert self._bench.image is not None
        if self.layer is None:
            self.choose(self._bench.make_target())
        layer = self.layer
        assert layer is not None
        check_target(layer, self._bench.image)
        label = self._session.next_label(largest_label(layer))
        self._writing = True
        try:
            write_object(layer, plane, segmentation.region, segmentation.mask, label, keep_earlier=keep_earlier)
        finally:
            self._writing = False
        self._session.note_label(label)
        return label

    def release(self) -> None:
        """Stop listening to the layer, which stays as it is."""
        if self.layer is not None:
            self.layer.events.paint.disconnect(self._on_painted)
            self.layer.events.data.disconnect(self._on_replaced)
            self.layer = None

    def forget(self, layer: Any) -> None:
        """Let go of a layer that was removed from the viewer."""
        if layer is self.layer:
            self.release()
        self._session.forget_target(layer)

    def _on_painted(self, event: Any = None) -> None:
        if self.layer is not None and not self._writing:
            self._session.note_label(int(self.layer.selected_label))

    def _on_replaced(self, event: Any = None) -> None:
        if self.layer is not None:
            self._session.note_label(highest_label(self.layer))
