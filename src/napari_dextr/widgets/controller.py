"""What the Annotate widget does: session, layers and model brought together. The view only shows it."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, Signal

from ..errors import DextrError, ImageError, PromptError
from ..napari_io.keys import CLICK_KEYS, VIEWER_KEYS, KeyRing
from ..napari_io.placement import plain
from ..napari_io.planes import Plane, current_plane, read_plane, shown_limits
from ..napari_io.target import Target
from ..napari_io.workbench import Workbench
from ..session import KINDS, Session
from .model_client import ModelClient, ModelLoader, load_segmenter
from .status import Status, sentence_of, status_of

if TYPE_CHECKING:
    from ..napari_io.click_layer import ClickLayer

_LOG = logging.getLogger(__name__)


class AnnotateController(QObject):
    """Annotating objects of an image layer, one after the other.

    Parameters
    ----------
    viewer : napari.Viewer or ViewerModel
    load : callable
        Makes a segmenter from a model's name and a device, off the main thread.

    Signals
    -------
    changed
        Something the view shows has changed.
    noticed(str, bool)
        The user must hear of a problem; True where it lies with the program or the model, not with the marks.
    """

    changed = Signal()
    noticed = Signal(str, bool)

    def __init__(self, viewer: Any, *, load: ModelLoader = load_segmenter) -> None:
        super().__init__()
        self.viewer = viewer
        self.session = Session()
        self.bench = Workbench(viewer, self._on_view)
        self.target = Target(self.bench, self.session)
        self.keep_earlier = True
        self._plane: Plane | None = None
        self._problem: str | None = None
        self._done: str | None = None
        self._kind = KINDS[0]
        self._closed = False
        self._keys = KeyRing()
        self._keys.bind(viewer, VIEWER_KEYS, self._actions())
        self.model = ModelClient(load)
        self.model.loaded.connect(self._on_loaded)
        self.model.load_failed.connect(self._report)
        self.model.answered.connect(self._on_answered)
        self.model.failed.connect(self._on_failed)
        for event, callback in self._viewer_events():
            event.connect(callback)

    # -- what the view shows --------------------------------------------------------------------------------------

    @property
    def status(self) -> Status:
        """What is going on, and what to do next."""
        return status_of(self.session, self.bench, self.model, problem=self._problem, done=self._done)

    @property
    def kind(self) -> str:
        """Kind of the next click, one of `napari_dextr.session.KINDS`."""
        return self._kind

    # -- what the user does ---------------------------------------------------------------------------------------

    def set_model(self, source: str, device: str) -> None:
        """Load a model in the background; the present marks are asked again with it."""
        self._problem = None
        self.model.choose(source, device)
        self._ask()

    def set_image(self, image: Any) -> None:
        """Work on an image layer, or on none."""
        image = plain(image)
        if self._closed or (image is self.bench.image and image is not None):
            return
        self._problem = self._done = None
        self.bench.set_image(image)
        if image is not None:
            self._take_clicks()
            self.set_target(self.bench.made_target())
        self._look()

    def set_target(self, target: Any) -> None:
        """Write accepted objects into a Labels layer; None makes a new one when it is needed."""
        self.target.choose(target)
        self.changed.emit()

    def set_kind(self, kind: str) -> None:
        """Choose the kind of the next click, and go on clicking. Does nothing where the model does not take it."""
        if kind in self.model.kinds:
            self._kind = kind
            self.arm()

    def arm(self) -> None:
        """Make the click layer active in add mode; make it anew where the user has deleted it."""
        if self.bench.image is not None:
            self._take_clicks()
            self._look()

    def accept(self) -> None:
        """Write the preview into the target as the next object."""
        segmentation, plane = self.session.segmentation, self._plane
        if self.bench.image is None or self.session.busy:
            return
        try:
            if segmentation is None or plane is None:
                raise PromptError("There is no preview to accept yet; click the object's four extreme points first.")
            label = self.target.write(plane, segmentation, keep_earlier=self.keep_earlier)
        except DextrError as error:
            self._report(error)
            return
        self.session.accept(label)
        assert self.target.layer is not None
        self._done = f"Object {label} is in '{self.target.layer.name}'."
        self._kind = KINDS[0]
        self._after_marks()

    def discard(self) -> None:
        """Drop preview and clicks of this plane; undo brings them back."""
        self.session.discard()
        self._kind = KINDS[0]
        self._done = None
        self._after_marks()

    def undo(self) -> None:
        """Undo the last click, move or deletion."""
        if self.session.undo():
            self._after_marks()

    def redo(self) -> None:
        """Make the undone step again."""
        if self.session.redo():
            self._after_marks()

    def tune(self, threshold: float | None, *, fill_holes: bool, keep_marked: bool) -> None:
        """Change threshold and clean-up of this and later masks; no network is run."""
        from ..postprocess import PostProcess

        if self.session.tune(threshold, PostProcess(fill_holes=math.inf if fill_holes else 0, keep_marked=keep_marked)):
            self._show()
        self.changed.emit()

    def close(self) -> None:
        """Let go of viewer, layers, keys and thread. Clicks and labels stay with the user."""
        if self._closed:
            return
        self._closed = True
        self.model.stop()
        self.target.release()
        for event, callback in self._viewer_events():
            event.disconnect(callback)
        self._keys.release()
        self.bench.close()

    # -- marks to model -------------------------------------------------------------------------------------------

    def _look(self) -> None:
        """Read plane and marks from the viewer, and ask the model where they have changed."""
        image, clicks = self.bench.image, self.bench.clicks
        self._plane = None
        if image is not None:
            try:
                self._plane = current_plane(image, self.viewer.dims)
            except ImageError as error:
                self._problem = str(error)
        if self._plane is None:
            self.session.go_to(None)
        else:
            self.session.go_to((image, self._plane), () if clicks is None else clicks.marks(self._plane))
        if self.session.segmentation is None and not self.session.busy:
            self._ask()
        self.changed.emit()

    def _after_marks(self) -> None:
        """Bring the session's marks into the click layer, and ask the model."""
        self._problem = None
        if self._plane is not None:
            clicks = self.bench.clicks or self._take_clicks()
            clicks.write(self._plane, self.session.marks)
            clicks.kind = self._kind
        self._ask()

    def _ask(self) -> None:
        """Send the present marks to the model; without enough of them, show nothing."""
        request = None
        try:
            request = self.session.begin()
        except DextrError as error:
            self._report(error)
        image, plane = self.bench.image, self._plane
        if request is None or image is None or plane is None:
            self.model.cancel()
            self.bench.hide()
        else:
            self.model.ask(request, read_plane(image, plane), shown_limits(image))
        self.changed.emit()

    def _show(self) -> None:
        segmentation = self.session.segmentation
        if segmentation is not None and self._plane is not None and self.bench.image is not None:
            self.bench.show(self._plane, segmentation.region, segmentation.mask)

    # -- answers --------------------------------------------------------------------------------------------------

    def _on_loaded(self) -> None:
        if self._kind not in self.model.kinds:
            self.set_kind(KINDS[0])
        self.changed.emit()

    def _on_answered(self, serial: int, segmentation: Any) -> None:
        if not self._closed and self.session.finish(serial, segmentation):
            self._problem = None
            self._show()
            self.changed.emit()

    def _on_failed(self, serial: int, error: Exception) -> None:
        if not self._closed and self.session.fail(serial):
            self.bench.hide()
            self._report(error, aloud=error is not self.model.error)

    def _report(self, error: Exception, aloud: bool = True) -> None:
        """Say what went wrong: in the widget, and as a notification. The points stay."""
        self._problem = sentence_of(error)
        self.changed.emit()
        if aloud:
            ours = isinstance(error, DextrError)
            if not ours:
                _LOG.error("Unexpected error in the Annotate widget", exc_info=error)
            self.noticed.emit(self._problem, not ours or error is self.model.error)

    # -- what happens in the viewer, clicks and keys --------------------------------------------------------------

    def _on_removed(self, event: Any) -> None:
        layer = plain(event.value)
        self._keys.release(layer)
        self.target.forget(layer)
        if self.bench.forget(layer):
            self._look()
        gone = [place for place in self.session.places if isinstance(place, tuple) and place[0] is layer]
        self.session.forget(gone)
        self.changed.emit()

    def _on_active(self, event: Any = None) -> None:
        self.changed.emit()

    def _on_view(self, event: Any = None) -> None:
        """Points added, moved or removed; another slice, axis order or dimensionality."""
        if self.bench.image is not None:
            self._problem = None
            self._look()

    def _viewer_events(self) -> tuple[tuple[Any, Callable[..., None]], ...]:
        layers, dims = self.viewer.layers, self.viewer.dims.events
        return (
            (layers.events.removed, self._on_removed),
            (layers.selection.events.active, self._on_active),
            (dims.point, self._on_view),
            (dims.order, self._on_view),
            (dims.ndisplay, self._on_view),
        )

    def _take_clicks(self) -> ClickLayer:
        """The click layer of the image: bound to the keys, showing the present kind, active in add mode."""
        clicks = self.bench.make_clicks()
        self._keys.release(clicks.layer)
        self._keys.bind(clicks.layer, CLICK_KEYS, self._actions())
        clicks.kind = self._kind
        self.bench.arm()
        return clicks

    def _actions(self) -> dict[str, Callable[[], None]]:
        return {
            "accept": self.accept,
            "discard": self.discard,
            "undo": self.undo,
            "undo_too": self.undo,
            "redo": self.redo,
            "arm": partial(self.set_kind, KINDS[0]),
            **{kind: partial(self.set_kind, kind) for kind in KINDS[1:]},
        }
