"""The Boxes to masks dock widget: a mask for every box, then the queue. `BoxesJob` does the work."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari.layers import Image, Labels
from qtpy.QtCore import Qt
from qtpy.QtGui import QKeySequence, QShortcut
from qtpy.QtWidgets import (
    QCheckBox,
    QFormLayout,
    QProgressBar,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from ..errors import DextrError
from ..napari_io.box_batch import DELETED, OPEN
from ..napari_io.box_tasks import fitting_image, holds_boxes
from ..napari_io.preferences import read_preferences, use_folders
from .boxes_job import BoxesJob
from .boxes_review import ReviewPanel
from .docks import ScrollDock, come_forward, correct_in_annotate, note_in_annotate, tell_annotate
from .export_parts import MessagePanel
from .layer_combo import LayerCombo
from .model_box import ModelBox
from .model_client import ModelLoader, load_segmenter
from .safety import sessions_folder

if TYPE_CHECKING:
    import napari

_HINT = "Draw rectangles around objects in a Shapes layer, then press 'Find masks'."


class BoxesToMasksWidget(ScrollDock):
    """Dock widget *Boxes to masks*.

    Parameters
    ----------
    napari_viewer : napari.Viewer
        napari passes it in, and knows by the name that it should.
    load : callable, optional
        Makes a segmenter from a model's name and a device; tests pass their own.
    """

    def __init__(self, napari_viewer: napari.Viewer, *, load: ModelLoader = load_segmenter) -> None:
        super().__init__()
        self._viewer: Any = napari_viewer
        self._sent: Any = None  # the object that is being corrected in the Annotate widget
        preferences = read_preferences()
        use_folders(preferences)
        self.job = BoxesJob(self._viewer, load, sessions_folder() if preferences.autosave else None)
        self.boxes = LayerCombo(self._viewer, holds_boxes, "Boxes, or extreme points, of the objects")
        self.boxes.setPlaceholderText("No Shapes or Points layer")
        self.images = LayerCombo(self._viewer, lambda layer: isinstance(layer, Image), "The image that they lie on")
        self.images.setPlaceholderText("No image open")
        self.targets = LayerCombo(
            self._viewer, self._is_target, "The layer that the masks go into", none="New: DEXTR labels"
        )
        self.models = ModelBox(preferences.model, preferences.device)
        self.overwrite = QCheckBox("Write over earlier objects")
        self.overwrite.setToolTip("Otherwise only pixels that have no label yet get one")
        self.button = QPushButton("Find masks")
        self.bar = QProgressBar()
        self.bar.setVisible(False)
        self.message = MessagePanel()
        self.review = ReviewPanel()
        self.table = self.review.table
        self.accept, self.redo = self.review.accept, self.review.redo
        self.delete, self.undo = self.review.delete, self.review.undo
        self._lay_out()
        self._connect()
        self._start()

    # -- making ---------------------------------------------------------------------------------------------------

    def _lay_out(self) -> None:
        choices = QFormLayout()
        choices.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        for title, widget in (
            ("Boxes", self.boxes),
            ("Image", self.images),
            ("Labels", self.targets),
            ("Model", self.models.models),
            ("Device", self.models.devices),
        ):
            choices.addRow(title, widget)
        inside = QWidget()
        column = QVBoxLayout(inside)
        column.addLayout(choices)
        for widget in (self.overwrite, self.button, self.bar, self.message):
            column.addWidget(widget)
        column.addWidget(self.review, 1)
        self.setWidget(inside)

    def _connect(self) -> None:
        self.button.clicked.connect(self._on_button)
        self.boxes.chosen.connect(self._on_boxes, Qt.ConnectionType.QueuedConnection)
        self.images.chosen.connect(self._on_image, Qt.ConnectionType.QueuedConnection)
        self.job.progressed.connect(self._on_progress)
        self.job.added.connect(self._show_rows)
        self.job.ended.connect(self._on_ended)
        self.job.written.connect(self._on_written)
        self.job.rescored.connect(self._on_corrected)
        self.table.gone_to.connect(self._go_to)
        self.table.accepted.connect(self._accept)
        self.table.redone.connect(self._redo)
        self.table.deleted.connect(self._delete)
        self.accept.clicked.connect(self._accept)
        self.redo.clicked.connect(self._redo)
        self.delete.clicked.connect(self._delete)
        self.undo.clicked.connect(self._undo)
        keys = QShortcut(QKeySequence(QKeySequence.StandardKey.Undo), self)
        keys.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
        keys.activated.connect(self._undo)
        self._viewer.layers.events.removed.connect(self._on_removed)

    def _start(self) -> None:
        """Take the layer that is active, and the image under it."""
        self.boxes.layer = self._viewer.layers.selection.active
        self._on_boxes(self.boxes.layer)

    # -- choosing -------------------------------------------------------------------------------------------------

    def _on_boxes(self, layer: Any) -> None:
        if self._released:
            return
        if layer is not None:
            self.images.layer = fitting_image(self._viewer, layer)
        self._show_state()

    def _on_image(self, _: Any) -> None:
        if not self._released:
            self.targets.refresh()
            self._show_state()

    def _is_target(self, layer: Any) -> bool:
        image = self.images.layer
        return isinstance(layer, Labels) and bool(layer.editable) and (image is None or layer.ndim == image.ndim)

    def _show_state(self) -> None:
        if self.job.busy:
            return
        self.button.setText("Find masks")
        self.button.setEnabled(self.boxes.layer is not None and self.images.layer is not None)
        if not self.job.rows:
            self.message.say(_HINT if self.images.layer is not None else "Open an image first.")
        self._show_buttons()

    def reload_models(self) -> None:
        """Look again which models there are."""
        self.models.reload()

    # -- the run --------------------------------------------------------------------------------------------------

    def _on_button(self) -> None:
        if self.job.busy:
            self.button.setEnabled(False)
            self.job.cancel()
            return
        try:
            target = self.job.start(
                self.boxes.layer,
                self.images.layer,
                self.targets.layer,
                self.models.source,
                str(self.models.devices.currentData()),
                overwrite=self.overwrite.isChecked(),
            )
        except DextrError as error:
            self.message.say(str(error), "error")
            return
        self.targets.layer = target
        self.button.setText("Cancel")

    def _on_progress(self, sentence: str, done: int, total: int) -> None:
        self.bar.setVisible(True)
        self.bar.setRange(0, total)  # 0: it wanders
        self.bar.setValue(done)
        self.message.say(sentence, "busy")

    def _on_ended(self, sentence: str, kind: str) -> None:
        self.bar.setVisible(False)
        self._show_rows()
        self._show_state()
        self.message.say(sentence, kind)
        self._tell_annotate()
        self.table.go_on()

    # -- review ---------------------------------------------------------------------------------------------------

    def _show_rows(self) -> None:
        current = self.table.current
        self.table.rows.show_rows(self.job.rows)
        if current is not None and current in self.table.rows.rows and not self.job.busy:
            self.table.setCurrentIndex(self.table.rows.index(self.table.rows.rows.index(current), 0))
        self._show_buttons()

    def _show_buttons(self) -> None:
        row, idle = self.table.current, not self.job.busy
        there = idle and row is not None and row.label is not None and row.state != DELETED
        self.accept.setEnabled(there and row is not None and row.state == OPEN)
        self.redo.setEnabled(there)
        self.delete.setEnabled(there)
        text = None if self.job.batch is None else self.job.batch.undo_text
        self.undo.setEnabled(idle and text is not None)
        self.undo.setToolTip(f"Undo: {text} (Ctrl+Z)" if text else "There is nothing to undo")

    def _go_to(self, row: Any) -> None:
        if row is not None and not self.job.busy:
            self.job.show(row)
        self._show_buttons()

    def _accept(self) -> None:
        if self.accept.isEnabled() and self.table.current is not None and self.job.batch is not None:
            self.job.batch.accept(self.table.current)
            self._after_answer()

    def _delete(self) -> None:
        if self.delete.isEnabled() and self.table.current is not None and self.job.batch is not None:
            self._try(self.job.batch.delete, self.table.current)
            self._tell_annotate()
            self._after_answer()

    def _undo(self) -> None:
        if self.undo.isEnabled():
            text = self._try(self.job.undo)
            self._tell_annotate()
            if text:
                layer = "" if self.job.batch is not None else ", and the Labels layer that was made for it"
                self.message.say(f"Undone: {text}{layer}.", "done")
            if self.job.rows:
                self.table.rows.touch()
            else:
                self._show_rows()
            self._show_buttons()

    def _redo(self) -> None:
        """Open the object in the Annotate widget."""
        row, batch = self.table.current, self.job.batch
        if self.redo.isEnabled() and row is not None and batch is not None and row.label is not None:
            self._sent = row
            correct_in_annotate(self._viewer, batch.image, batch.target, row.label)
            self.table.clearFocus()  # else Enter, meant for Annotate, would accept the next object here, unseen

    def _on_corrected(self, rows: list[Any]) -> None:
        """Objects were corrected in the Annotate widget; the one that was sent there leads back to the queue."""
        self.table.rows.touch()
        if not any(row is self._sent for row in rows):
            return
        self._sent = None
        come_forward(self)
        self._after_answer()
        self.table.setFocus()

    def _after_answer(self) -> None:
        self.table.rows.touch()
        self._show_buttons()
        self.table.go_on()
        left = sum(row.state == OPEN for row in self.job.rows)
        self.message.say(f"{left:,} to review." if left else "All objects are reviewed.", "hint" if left else "done")

    def _try(self, action: Any, *arguments: Any) -> Any:
        try:
            return action(*arguments)
        except DextrError as error:
            self.message.say(str(error), "error")
            return None

    def _on_written(self, pixels: list[Any], objects: dict[int, Any]) -> None:
        if self.job.batch is not None:
            note_in_annotate(self._viewer, self.job.batch.target, pixels, objects)

    def _tell_annotate(self) -> None:
        tell_annotate(self._viewer, None if self.job.batch is None else self.job.batch.target)

    # -- the end --------------------------------------------------------------------------------------------------

    def _on_removed(self, event: Any) -> None:
        was_busy = self.job.busy
        self.job.forget(event.value)
        if was_busy and not self.job.busy:
            self._on_ended("The layer has gone; the run was ended.", "warning")

    def _let_go(self) -> None:
        self.job.stop()
        for combo in (self.boxes, self.images, self.targets):
            combo.release()
        self._viewer.layers.events.removed.disconnect(self._on_removed)
