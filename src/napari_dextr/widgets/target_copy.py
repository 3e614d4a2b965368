"""Work on a copy of a Labels layer that cannot be written: computed by dask, read-only."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, Signal
from qtpy.QtWidgets import QFrame, QLabel, QVBoxLayout

from ..errors import OutputError
from ..napari_io.label_storage import check_editable, editable_copy, needs_copy
from .background import Background, Tell
from .panels import make_button

if TYPE_CHECKING:
    from napari.layers import Labels

    from .controller import AnnotateController


class TargetCopy(QObject):
    """Copies the target piece by piece in the background, and makes the copy the target.

    Parameters
    ----------
    do : AnnotateController

    Signals
    -------
    changed
        The copy has begun, is farther, or has ended.

    Attributes
    ----------
    share : float
        How far the copy is, 0 to 1.
    """

    changed = Signal()

    def __init__(self, do: AnnotateController) -> None:
        super().__init__()
        self.share = 0.0
        self._do = do
        self._copy: Labels | None = None
        self._work = Background("Copying the labels")
        self._work.told.connect(self._on_told)
        self._work.done.connect(self._on_done)
        self._work.failed.connect(self._on_failed)
        self._work.cancelled.connect(self._on_cancelled)

    @property
    def running(self) -> bool:
        """Whether a copy is being made."""
        return self._work.running

    @property
    def reason(self) -> str | None:
        """Why the target cannot take objects while a copy of it could; None where there is no need for one."""
        layer = self._do.target.layer
        if layer is None or not needs_copy(layer):
            return None
        try:
            check_editable(layer)
        except OutputError as error:
            return str(error)
        return None

    def start(self) -> None:
        """Begin; the user can go on clicking meanwhile."""
        layer = self._do.target.layer
        if layer is None or self.running:
            return
        try:
            self._copy, filling = editable_copy(layer)
        except OutputError as error:
            self._do.notices.report(error)
            return
        self.share = 0.0
        self._work.start(lambda tell: _fill(filling, tell), total=100)
        self.changed.emit()

    def toggle(self) -> None:
        """Begin, or cancel the copy that is being made."""
        if self.running:
            self._work.cancel()
        else:
            self.start()

    def close(self) -> None:
        """Let go of a copy that is being made."""
        self._work.stop()
        self._copy = None

    def _on_told(self, news: list[Any]) -> None:
        done, total = news[-1]
        self.share = done / max(total, 1)
        self._work.advance(int(100 * self.share))
        self.changed.emit()

    def _on_done(self, result: Any) -> None:
        copy, self._copy = self._copy, None
        if copy is not None and self._do.bench.image is not None:
            self._do.bench.insert_target(copy)
            self._do.set_target(copy)
            self._do.notices.say(f"Objects go into '{copy.name}' now.")
        self.changed.emit()

    def _on_failed(self, error: Exception) -> None:
        self._copy = None
        self._do.notices.report(
            OutputError(f"The labels could not be copied ({error}); check that their file is there.")
        )
        self.changed.emit()

    def _on_cancelled(self) -> None:
        self._copy = None
        self.changed.emit()


class CopyPanel(QFrame):
    """Says why the chosen Labels layer cannot be written, and offers a copy; hidden while it can."""

    def __init__(self) -> None:
        super().__init__()
        self.setFrameShape(QFrame.Shape.StyledPanel)
        self.text = QLabel()
        self.text.setWordWrap(True)
        self.button = make_button("", "Copy the layer in the background and write objects into the copy")
        column = QVBoxLayout(self)
        column.addWidget(self.text)
        column.addWidget(self.button)
        self.hide()

    def show_copy(self, copy: TargetCopy) -> None:
        """Show the offer, or how far the copy is."""
        reason = copy.reason
        self.setVisible(reason is not None or copy.running)
        self.text.setVisible(reason is not None)
        self.text.setText(reason or "")
        self.button.setText(f"Copying: {copy.share:.0%}. Cancel" if copy.running else "Work on a copy")


def _fill(filling: Iterator[tuple[int, int]], tell: Tell) -> bool:
    """In a thread: it touches arrays only."""
    for step in filling:
        tell(step)
    return True
