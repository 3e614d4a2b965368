"""What Annotate does when layers, planes or pixels change in the viewer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, Qt, Signal

from ..napari_io.placement import plain

if TYPE_CHECKING:
    from .controller import AnnotateController


class ViewerChanges(QObject):
    """Takes what happens in the viewer to the controller.

    Parameters
    ----------
    do : AnnotateController
    """

    _emptied = Signal()

    def __init__(self, do: AnnotateController) -> None:
        super().__init__()
        self._do = do
        self._emptied.connect(self._tidy, Qt.ConnectionType.QueuedConnection)  # once napari has finished removing

    def on_removed(self, event: Any) -> None:
        """A layer has gone: ours, the image, the target or any other."""
        do = self._do
        layer, correcting = plain(event.value), do.session.reopened is not None
        do.keys.release(layer)
        do.target.forget(layer)
        if do.bench.boxes is not None and layer is do.bench.boxes.layer:
            do.session.set_box(None)
        # The points of an object whose layer is gone begin a new one. While its layer is there nothing has changed, and
        # to show the preview anew would fill the list of layers that somebody is about to empty.
        if do.bench.forget(layer) or (correcting and do.session.reopened is None):
            do.look()
        do.session.forget([place for place in do.session.places if isinstance(place, tuple) and place[0] is layer])
        do.changed.emit()
        self._emptied.emit()

    def _tidy(self) -> None:
        if not self._do.closed:
            self._do.bench.tidy()

    def on_active(self, event: Any = None) -> None:
        """Another layer is active."""
        self._do.prompts.settle_kind()
        self._do.changed.emit()

    def on_view(self, event: Any = None) -> None:
        """Marks made, moved or removed; another slice, axis order or dimensionality."""
        do = self._do
        if do.bench.image is not None and not do.closed:
            do.notices.problem = None
            do.look(by_hand=True)

    def on_pixels(self) -> None:
        """The image has other pixels: ask anew. Where it has other axes too, its planes are others than before."""
        do, image = self._do, self._do.bench.image
        places = [place for place in do.session.places if isinstance(place, tuple) and place[0] is image]
        do.session.forget([place for place in places if image is not None and place[1].ndim != image.ndim])
        if do.bench.clicks is None:
            do.prompts.release()
            do.prompts.arm()
            do.keep_target()
            do.look()
        do.answers.ask_again()
