"""The Annotate dock widget: what the user sees and presses. `AnnotateController` does the work."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari.layers import Image, Labels
from napari.utils.notifications import show_error, show_warning
from qtpy.QtCore import QEvent, Qt
from qtpy.QtWidgets import (
    QCheckBox,
    QFormLayout,
    QGridLayout,
    QGroupBox,
    QPushButton,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from .controller import AnnotateController
from .layer_combo import LayerCombo
from .model_box import ModelBox
from .model_client import ModelLoader, load_segmenter
from .panels import KindCombo, StatusPanel, ThresholdSlider

if TYPE_CHECKING:
    import napari


class AnnotateWidget(QScrollArea):
    """Dock widget *Annotate*: four clicks on an object, and its mask goes into a Labels layer.

    Parameters
    ----------
    napari_viewer : napari.Viewer
        napari passes it in, and knows by the name that it should.
    load : callable, optional
        Makes a segmenter from a model's name and a device; tests pass their own.
    """

    def __init__(self, napari_viewer: napari.Viewer, *, load: ModelLoader = load_segmenter) -> None:
        super().__init__()
        viewer = napari_viewer
        self.setWidgetResizable(True)
        self.setFrameShape(QScrollArea.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setMinimumWidth(260)
        self.controller = AnnotateController(viewer, load=load)
        self.images = LayerCombo(viewer, lambda layer: isinstance(layer, Image))
        self.images.setPlaceholderText("No image open")
        self.targets = LayerCombo(viewer, self._is_target, none="New: DEXTR labels")
        self.models = ModelBox()
        self.status = StatusPanel()
        self.kinds = KindCombo()
        self.arm = _button("Add points (D)", "Make the points layer active: each click on the image adds a point")
        self.undo = _button("Undo (U)", "Undo the last click, move or deletion (U, or Ctrl+Z)")
        self.redo = _button("Redo", "Make the undone step again (Ctrl+Shift+Z)")
        self.accept = _button("Accept (Enter)", "Write the object into the Labels layer")
        self.discard = _button("Discard (Esc)", "Drop the preview and its points; Undo brings the points back")
        self.threshold = ThresholdSlider()
        self.fill_holes = _check("Fill holes", "Fill every hole of the mask")
        self.keep_marked = _check("Keep clicked parts only", "Drop parts of the mask that no point touches")
        self.keep_earlier = _check("Keep earlier objects", "Never write over pixels that have a label already", on=True)
        self._lay_out()
        self._connect()
        self.models.announce()
        self._start(viewer)
        self.destroyed.connect(self.controller.close)  # together with the window

    # -- making -----------------------------------------------------------------------------------------------------

    def _lay_out(self) -> None:
        choices = QFormLayout()
        choices.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        choices.addRow("Image", self.images)
        choices.addRow("Labels", self.targets)
        choices.addRow("Model", self.models.models)
        choices.addRow("Device", self.models.devices)
        choices.addRow("Next click", self.kinds)
        buttons = QGridLayout()
        buttons.addWidget(self.arm, 0, 0, 1, 2)
        buttons.addWidget(self.undo, 1, 0)
        buttons.addWidget(self.redo, 1, 1)
        buttons.addWidget(self.accept, 2, 0)
        buttons.addWidget(self.discard, 2, 1)
        mask = QGroupBox("Mask")
        mask_rows = QVBoxLayout(mask)
        for row in (self.threshold, self.fill_holes, self.keep_marked, self.keep_earlier):
            mask_rows.addWidget(row)
        content = QWidget()
        column = QVBoxLayout(content)
        column.addLayout(choices)
        column.addWidget(self.status)
        column.addLayout(buttons)
        column.addWidget(mask)
        column.addStretch(1)
        self.setWidget(content)

    def _connect(self) -> None:
        do = self.controller
        # Layers come and go while napari is still busy with them: act when it has finished.
        later = Qt.ConnectionType.QueuedConnection
        self.images.chosen.connect(do.set_image, later)
        self.targets.chosen.connect(do.set_target, later)
        self.models.chosen.connect(do.set_model)
        self.kinds.chosen.connect(do.set_kind)
        for button, action in (
            (self.arm, do.arm),
            (self.undo, do.undo),
            (self.redo, do.redo),
            (self.accept, do.accept),
            (self.discard, do.discard),
        ):
            button.clicked.connect(action)
        self.threshold.changed.connect(self._tune)
        self.fill_holes.toggled.connect(self._tune)
        self.keep_marked.toggled.connect(self._tune)
        self.keep_earlier.toggled.connect(self._tune)
        do.changed.connect(self._show_state)
        do.noticed.connect(self._notify)

    def _start(self, viewer: Any) -> None:
        """Take the image that is active, else the topmost one."""
        self.images.layer = viewer.layers.selection.active
        self.controller.set_image(self.images.layer)
        self._show_state()

    # -- showing ----------------------------------------------------------------------------------------------------

    def _show_state(self) -> None:
        do, session = self.controller, self.controller.session
        there = do.bench.image is not None
        ready = session.segmentation is not None
        self.status.show_status(do.status, session.remaining if there else None)
        self.status.show_result(session.segmentation, do.model)
        self.kinds.show_kinds(do.kind, do.model.kinds)
        self.threshold.show_default(getattr(do.model.segmenter, "spec", None))
        if self.targets.layer is not do.target.layer:
            self.targets.blockSignals(True)
            self.targets.layer = do.target.layer
            self.targets.blockSignals(False)
        self.arm.setEnabled(there)
        self.kinds.setEnabled(there)
        self.undo.setEnabled(session.can_undo)
        self.redo.setEnabled(session.can_redo)
        self.accept.setEnabled(ready)
        self.discard.setEnabled(bool(session.marks))

    def _notify(self, text: str, severe: bool) -> None:
        (show_error if severe else show_warning)(text)

    def _tune(self, _: Any = None) -> None:
        self.controller.keep_earlier = self.keep_earlier.isChecked()
        self.controller.tune(
            self.threshold.value, fill_holes=self.fill_holes.isChecked(), keep_marked=self.keep_marked.isChecked()
        )

    def _is_target(self, layer: Any) -> bool:
        image = self.controller.bench.image
        return (
            isinstance(layer, Labels)
            and layer is not self.controller.bench.preview
            and (image is None or layer.ndim == image.ndim)
        )

    # -- the end ----------------------------------------------------------------------------------------------------

    def release(self) -> None:
        """Let go of the viewer: layers, keys, thread. Called when the dock is closed."""
        self.images.release()
        self.targets.release()
        self.controller.close()

    def event(self, event: Any) -> bool:
        """Notice that napari has taken the widget out of its window."""
        handled = bool(super().event(event))
        if event.type() == QEvent.Type.ParentChange and self.parent() is None:
            self.release()
        return handled

    def closeEvent(self, event: Any) -> None:
        self.release()
        super().closeEvent(event)


def _button(text: str, tip: str) -> QPushButton:
    button = QPushButton(text)
    button.setToolTip(tip)
    button.setFocusPolicy(Qt.FocusPolicy.NoFocus)  # keys stay with the canvas
    return button


def _check(text: str, tip: str, *, on: bool = False) -> QCheckBox:
    box = QCheckBox(text)
    box.setToolTip(tip)
    box.setChecked(on)
    box.setFocusPolicy(Qt.FocusPolicy.NoFocus)
    return box
