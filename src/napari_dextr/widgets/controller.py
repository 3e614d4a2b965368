"""What the Annotate widget does: session, layers and model brought together. The view only shows it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, Signal

from ..errors import DextrError, ImageError
from ..napari_io.keys import KeyRing
from ..napari_io.placement import plain
from ..napari_io.planes import hidden_axes, hidden_index
from ..napari_io.target import Target
from ..napari_io.viewer_events import ViewerEvents
from ..napari_io.workbench import Workbench
from ..session import Session
from .actions import actions_of
from .answers import Answers
from .model_client import ModelClient, ModelLoader, load_segmenter
from .notices import Notices
from .object_desk import ObjectDesk
from .prompts import CHOICES, Prompts
from .status import Status, status_of
from .viewer_changes import ViewerChanges

if TYPE_CHECKING:
    from ..postprocess import PostProcess
    from ..session.history import Change


class AnnotateController(QObject):
    """Annotating objects of an image layer, one after the other.

    Parameters
    ----------
    viewer : napari.Viewer or ViewerModel
    load : callable
        Makes a segmenter from a model's name, a device and a callback for progress, off the main thread.

    Signals
    -------
    changed
        Something the view shows has changed.
    tuned
        Threshold or clean-up were changed by undo or redo.
    noticed(str, bool)
        The user must hear of a problem; True where it lies with the program or the model, not with the marks.
    """

    changed = Signal()
    tuned = Signal()
    noticed = Signal(str, bool)
    _scanned = Signal()

    def __init__(self, viewer: Any, *, load: ModelLoader = load_segmenter) -> None:
        super().__init__()
        self.viewer = viewer
        self.notices = Notices()
        self.session = Session(
            plane_of=lambda place: hidden_index(place[1]) if isinstance(place, tuple) else (),
            axes_of=lambda place: hidden_axes(place[1]) if isinstance(place, tuple) else None,
            spot_of=lambda place: place[1] if isinstance(place, tuple) else None,
        )
        seen = ViewerChanges(self)
        self.bench = Workbench(viewer, seen.on_view, self._bind_keys, seen.on_pixels)
        self.target = Target(self.bench, self.session, scanned=self._scanned.emit, changed=self._on_target)
        self.model = ModelClient(load)
        self.prompts = Prompts(viewer, self.session, self.bench)
        self.answers = Answers(self.session, self.bench, self.prompts, self.model, self.notices)
        self.objects = ObjectDesk(viewer, self.session, self.target, self.notices)
        self.closed = False
        self.keys = KeyRing()
        self._bind_keys(viewer)
        self.session.watch(self._on_change)
        for signal in (self.notices.changed, self.answers.shown, self.objects.changed, self.model.progressed):
            signal.connect(self.changed)
        self.objects.classed.connect(self.answers.refresh)
        self._scanned.connect(self.objects.settle)
        self.notices.noticed.connect(self.noticed)
        self.answers.complete.connect(self._on_complete)
        self.model.loaded.connect(self._on_loaded)
        self.model.load_failed.connect(partial(self.notices.report, severe=True))
        self._events = ViewerEvents(viewer, removed=seen.on_removed, activated=seen.on_active, turned=seen.on_view)

    # -- what the view shows --------------------------------------------------------------------------------------

    @property
    def status(self) -> Status:
        """What is going on, and what to do next."""
        return status_of(self.session, self.bench, self.prompts, self.model, self.notices, self.answers.to_accept)

    # -- what the user chooses ------------------------------------------------------------------------------------

    def set_model(self, source: str, device: str) -> None:
        """Load a model in the background; the present marks are asked again with it."""
        self.notices.clear()
        self.model.choose(source, device)
        self.answers.ask_again()

    def set_image(self, image: Any) -> None:
        """Work on an image layer, or on none."""
        image = plain(image)
        if self.closed or (image is self.bench.image and image is not None):
            return
        self.notices.clear()
        self.prompts.release()
        self.bench.set_image(image)
        if image is not None:
            self.prompts.arm()
            self.keep_target()
        self.look()

    def keep_target(self) -> None:
        """Go on with the Labels layer of the image: see `Workbench.known_target`."""
        target = self.bench.known_target(self.target.layer)
        if target is not None and target is self.target.layer:
            self.target.adopt()
        else:
            self.set_target(target)

    def set_target(self, target: Any) -> None:
        """Write accepted objects into a Labels layer; None makes a new one when it is needed."""
        self.objects.show_tables()
        try:
            self.target.choose(target)
        except DextrError as error:
            self.notices.report(error)
        self.changed.emit()

    def reload_objects(self, target: Any) -> None:
        """Read the record of a Labels layer again, after somebody else has written objects into it."""
        if plain(target) is self.target.layer:
            self.target.adopt()
            self.changed.emit()

    def set_kind(self, kind: str) -> None:
        """Choose what the next mark is, and go on. Does nothing where the model does not take it."""
        self.prompts.choose(kind)
        self.look()

    def arm(self) -> None:
        """Make the layer active that takes the next mark."""
        self.prompts.arm()
        self.look()

    def set_auto_accept(self, on: bool) -> None:
        """Accept each object as soon as its mask is there, or wait for the user."""
        self.answers.auto_accept = on

    def tune(self, threshold: float | None, post: PostProcess | None) -> None:
        """Change threshold and clean-up of this and later masks; no network is run."""
        self.session.tune(threshold, post)
        self.answers.refresh()

    # -- what the user does ---------------------------------------------------------------------------------------

    def accept(self) -> None:
        """Write the preview into the target: as the next object, or in place of the one that was reopened.

        While the model is still at work, as soon as its answer comes.
        """
        if self.bench.image is None or self.answers.accept_soon():
            return
        if self.objects.accept():
            self._next_object()
        elif self.prompts.let_go():
            self.answers.refresh(by_hand=True)

    def discard(self) -> None:
        """Drop preview and marks of this plane; undo brings them back."""
        if not self.prompts.hold:  # else they belong to the next object
            self.prompts.drop_corners()
        self.session.discard()
        self.notices.clear()
        self._next_object()

    def undo(self) -> None:
        """Take back the last step, whatever it was."""
        self._follow(self.session.undo)

    def redo(self) -> None:
        """Make the step again that was taken back last."""
        self._follow(self.session.redo)

    def withdraw(self) -> None:
        """Remove the last mark."""
        self.notices.clear()
        self.prompts.withdraw()
        self.answers.refresh()

    def force(self) -> None:
        """Ask with three extreme points."""
        self.answers.force()

    def reopen(self, label: int | None = None) -> None:
        """Go back to an accepted object: that under the cursor by default."""
        if self.bench.image is None:
            return
        released = self.prompts.let_go()
        if self.objects.reopen(label):
            self.show_place()
            self.prompts.arm()
            self.changed.emit()
        elif released:
            self.answers.refresh(by_hand=True)

    def delete(self, label: int | None = None) -> None:
        """Remove an accepted object: the one that is being corrected, else that under the cursor by default."""
        if self.objects.delete(label):
            self.show_place()

    def delete_chosen(self) -> None:
        """Remove the object that is being corrected, else the one whose label is selected."""
        if self.objects.delete_chosen():
            self.show_place()

    def close(self) -> None:
        """Let go of viewer, layers, keys and thread. Clicks and labels stay with the user."""
        if self.closed:
            return
        self.closed = True
        self.objects.show_tables()
        self.model.stop()
        self.session.unwatch(self._on_change)
        self.target.release()
        self._events.release()
        self.keys.release()
        self.prompts.release()
        self.bench.close()

    # -- one thing after the other --------------------------------------------------------------------------------

    def look(self, *, by_hand: bool = False) -> None:
        """Read plane and marks from the viewer, and ask the model where they have changed."""
        place, before = self.session.place, (self.session.marks, self.session.box)
        try:
            self.prompts.look()
        except ImageError as error:
            self.notices.problem = str(error)
        made = place == self.session.place and before != (self.session.marks, self.session.box)
        self.answers.refresh(by_hand=by_hand and made)

    def _next_object(self) -> None:
        self.show_place(by_hand=self.prompts.start_over())
        if self.prompts.kind == "box" and self.bench.armed:
            self.prompts.arm()

    def _follow(self, step: Callable[[], Change | None]) -> None:
        self.notices.clear()
        self.answers.forgive()
        self.prompts.let_go()
        try:
            change = step()
        except DextrError as error:
            self.notices.report(error)
            return
        if change is not None:
            if change.tuning:
                self.tuned.emit()
            self.show_place()

    def show_place(self, *, by_hand: bool = False) -> None:
        """Bring viewer, layers and preview to where the session is; ``by_hand``: its marks were just clicked."""
        before = self.bench.image
        self.prompts.turn_to(self.session.place)
        if self.bench.image is not before:
            self.keep_target()
        self.prompts.write()
        self.answers.refresh(by_hand=by_hand)

    def _on_complete(self) -> None:
        if not self.closed:
            self.accept()

    def _on_change(self, change: Change) -> None:
        self.objects.follow(change)

    def _on_loaded(self) -> None:
        self.session.model_marks = frozenset(getattr(self.model.segmenter.spec, "marks", ()))
        self.session.model_hash = getattr(self.model.segmenter, "model_hash", None)
        self.prompts.taken = self.model.kinds
        if self.prompts.tool not in self.prompts.choices:
            self.set_kind(CHOICES[0])
        self.prompts.settle()
        self.changed.emit()

    def _on_target(self, before: Any) -> None:
        self.answers.call_off()
        if before is not None:
            self.notices.clear()  # what it says of an object in that layer would be read of the next one
            self.keys.release(before)
        if self.target.layer is not None:
            self._bind_keys(self.target.layer)

    def _bind_keys(self, owner: Any) -> None:
        self.keys.bind(owner, actions_of(self))
