"""From marks to a preview: the model is asked, its answer is shown, and accepted where the user wants that."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, Signal

from ..errors import DextrError, PromptError
from ..napari_io.planes import read_plane, shown_limits
from ..session import NEEDED, Session
from .model_client import ModelClient
from .notices import Notices
from .prompts import Prompts

if TYPE_CHECKING:
    from ..napari_io.workbench import Workbench
    from ..session.history import Change

FEWEST = 3
"""Extreme points that suffice where the user insists."""


class Answers(QObject):
    """Asks the model for the session's marks, and shows what it says.

    Signals
    -------
    shown
        There is a preview, another one, or none any more.
    complete
        The answer has come that is to be accepted: with *auto-accept*, or because the user has said so already.

    Attributes
    ----------
    auto_accept : bool
        Whether an object is complete with its first answer.
    """

    shown = Signal()
    complete = Signal()

    def __init__(
        self, session: Session, bench: Workbench, prompts: Prompts, model: ModelClient, notices: Notices
    ) -> None:
        super().__init__()
        self.auto_accept = False
        self._session, self._bench, self._prompts, self._model, self._notices = session, bench, prompts, model, notices
        self._refused: Any = None  # place, marks and box that the model could not use
        self._asked: int | None = None  # the latest request
        self._automatic: int | None = None  # request whose answer is accepted at once
        self._promised: int | None = None  # the same, because the user pressed Enter before the answer came
        model.answered.connect(self._on_answered)
        model.failed.connect(self._on_failed)
        model.moved.connect(self._on_moved)
        session.watch(self._on_change)

    def refresh(self, *, by_hand: bool = False) -> None:
        """Show the mask of the present marks, or ask for it; ``by_hand``: the user has just made them."""
        session = self._session
        if session.segmentation is not None:
            self.show()
        elif session.to_ask and self._refused != self._question:
            self.ask(by_hand=by_hand)
        elif not session.busy:
            self._model.cancel()
            self._bench.hide()
        self.shown.emit()

    def ask(self, *, by_hand: bool = False, least: int = NEEDED) -> None:
        """Send the present marks to the model; without enough of them, show nothing."""
        session, request = self._session, None
        self._automatic = self._promised = None
        self._prompts.let_go()
        try:
            request = session.begin(least)
        except DextrError as error:
            self._refuse(error)
        image, plane = self._bench.image, self._prompts.plane
        if request is None or image is None or plane is None:
            self._model.cancel()
            self._bench.hide()
        else:
            self._asked = request.serial
            if self.auto_accept and by_hand and session.reopened is None:
                self._automatic = request.serial
                self._prompts.keep_back()
            self._model.ask(request, read_plane(image, plane), shown_limits(image))
        self.shown.emit()

    @property
    def to_accept(self) -> bool:
        """Whether the answer that is awaited is accepted as soon as it comes."""
        return self._session.busy and self._asked in (self._automatic, self._promised)

    @property
    def can_accept(self) -> bool:
        """Whether there is something to accept: a preview, or an answer that is awaited and not accepted already."""
        return self._session.segmentation is not None or (self._session.busy and not self.to_accept)

    def accept_soon(self) -> bool:
        """Accept the answer that is awaited as soon as it comes; False where none is. Other marks make that void.

        What is marked meanwhile belongs to the next object, as with *auto-accept*.
        """
        if not self._session.busy or self.to_accept:
            return self._session.busy
        self._notices.clear()
        self._promised = self._asked
        self._prompts.keep_back()
        self.shown.emit()
        return True

    def call_off(self) -> None:
        """Accept nothing of what `accept_soon` was told: the user has done something else since then."""
        if self._promised is not None:
            self._promised = None
            self.shown.emit()

    def ask_again(self) -> None:
        """Ask anew for the present marks: model or pixels have changed. An object that was reopened keeps its mask."""
        self.forgive()
        session = self._session
        if session.busy or session.to_ask or (session.segmentation is not None and session.reopened is None):
            self.ask()
        else:
            self.show()  # new pixels have hidden it
        self.shown.emit()

    def force(self) -> None:
        """Ask with three extreme points."""
        if not self._session.remaining:
            return
        self._notices.clear()
        self.ask(by_hand=True, least=FEWEST)
        if not self._session.busy and self._notices.problem is None:
            self._notices.report(PromptError(f"Click at least {FEWEST} extreme points first."), aloud=False)

    def show(self) -> None:
        """Show the session's mask in the preview layer, in the colour of its class."""
        session, plane = self._session, self._prompts.plane
        segmentation = session.segmentation
        if segmentation is None or plane is None or self._bench.image is None:
            return
        colour = next((item.colour for item in session.classes if item.id == session.current_class), None)
        self._bench.show(plane, segmentation.region, segmentation.mask, colour)

    @property
    def _question(self) -> Any:
        return self._session.place, self._session.marks, self._session.box

    def _refuse(self, error: Exception, *, aloud: bool = True) -> None:
        self._refused = self._question
        self._notices.report(error, aloud=aloud, severe=error is self._model.error)

    def _on_change(self, change: Change) -> None:
        if change.how != "do" or change.tuning or change.classes:  # it would not be the object that was accepted
            self.call_off()

    def _on_answered(self, serial: int, segmentation: Any) -> None:
        if not self._session.finish(serial, segmentation):
            return
        self._refused = None
        self._notices.problem = None
        if serial in (self._automatic, self._promised):
            self._automatic = self._promised = None
            self.complete.emit()  # before it is shown: what is accepted at once needs no preview
        elif self._prompts.let_go():  # called off: the clicks that were kept back for a next object belong to this one
            self.refresh()
        self.show()
        self.shown.emit()

    def _on_failed(self, serial: int, error: Exception) -> None:
        if not self._session.fail(serial):
            return
        self._automatic = self._promised = None
        self._bench.hide()
        self._refuse(error, aloud=error is not self._model.error)
        if self._prompts.let_go():
            self.refresh()
        self.shown.emit()

    def _on_moved(self, device: str) -> None:
        text = f"The GPU has no memory left for the model; it now runs on {device.upper()}, more slowly."
        self._notices.noticed.emit(text, False)
        self.shown.emit()

    def forgive(self) -> None:
        """Ask again even for marks that could not be used: something else has changed (the model)."""
        self._refused = None
