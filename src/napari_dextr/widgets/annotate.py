"""The Annotate dock widget: what the user sees and presses. `AnnotateController` does the work."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari.layers import Image, Labels
from napari.utils.notifications import show_error, show_info, show_warning
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QFormLayout, QGridLayout, QLabel, QVBoxLayout, QWidget

from ..errors import DextrError
from ..napari_io.keys import KEY_OF
from ..napari_io.preferences import read_preferences, use_folders
from .class_panel import ClassPanel
from .controller import AnnotateController
from .docks import ScrollDock
from .folding import Section, make_key_list
from .layer_combo import LayerCombo
from .mask_panel import MaskPanel
from .model_box import ModelBox
from .model_client import ModelLoader, load_segmenter
from .panels import KindCombo, StatusPanel, make_button, make_check
from .recovery_panel import RecoveryPanel
from .safety import Safety, sessions_folder
from .target_copy import CopyPanel, TargetCopy

if TYPE_CHECKING:
    import napari


class AnnotateWidget(ScrollDock):
    """Dock widget *Annotate*: four clicks on an object, and its mask goes into a Labels layer.

    Parameters
    ----------
    napari_viewer : napari.Viewer
        napari passes it in, and knows by the name that it should.
    load : callable, optional
        Makes a segmenter from a model's name, a device and a callback for progress; tests pass their own.
    """

    def __init__(self, napari_viewer: napari.Viewer, *, load: ModelLoader = load_segmenter) -> None:
        super().__init__()
        viewer = napari_viewer
        preferences = read_preferences()
        use_folders(preferences)
        self.controller = AnnotateController(viewer, load=load)
        self.images = LayerCombo(viewer, lambda layer: isinstance(layer, Image), "The image that is annotated")
        self.images.setPlaceholderText("No image open")
        self.targets = LayerCombo(
            viewer, self._is_target, "The layer that accepted objects go into", none="New: DEXTR labels"
        )
        self.models = ModelBox(preferences.model, preferences.device)
        self.safety = Safety(self.controller, sessions_folder(), on=preferences.autosave)
        self.recovery = RecoveryPanel()
        self.copying = TargetCopy(self.controller)
        self.copy = CopyPanel()
        self.saved = QLabel()
        self.saved.setWordWrap(True)
        self.status = StatusPanel()
        self.kinds = KindCombo()
        self.classes = ClassPanel()
        self.mask = MaskPanel()
        self.mask.prefer(preferences.threshold)
        self._make_buttons()
        self.auto_accept.setChecked(preferences.auto_accept)
        self.controller.answers.auto_accept = preferences.auto_accept
        self._lay_out()
        self._connect()
        self.models.announce()
        self._start(viewer)
        self.destroyed.connect(self.safety.close_with_window)
        self.destroyed.connect(self.controller.close)

    # -- making -----------------------------------------------------------------------------------------------------

    def _make_buttons(self) -> None:
        def button(text: str, action: str, tip: str) -> Any:
            key = KEY_OF[action]
            return make_button(f"{text} ({key})", f"{tip}. Key: {key}, whichever of our layers is active")

        self.arm = button("Add points", "extreme", "Make the points layer active: each click on the image adds a point")
        self.undo = button("Undo", "undo", "Take back the last step, whatever it was (also Ctrl+Z)")
        self.redo = button("Redo", "redo", "Make the undone step again (also Ctrl+Shift+Z)")
        self.accept = button("Accept", "accept", "Write the object into the Labels layer, as soon as it is found")
        self.discard = button("Discard", "discard", "Drop the preview and its points; Undo brings them back")
        self.reopen = button(
            "Correct",
            "reopen",
            "Correct the selected label, at first the last object; the key: that under the cursor",
        )
        self.delete = make_button(
            "Delete (Shift+Del)",
            "Delete the selected label, at first the last object; the key (or Shift+Backspace): that under the cursor",
        )
        self.auto_accept = make_check(
            "Accept automatically", "The fourth click accepts the object; the next click begins the next one"
        )
        self.by_class = make_check("Colours of the classes", "Show each object in the colour of its class")

    def _lay_out(self) -> None:
        choices = QFormLayout()
        choices.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        choices.addRow("Image", self.images)
        choices.addRow("Labels", self.targets)
        choices.addRow("Model", self.models.models)
        choices.addRow("Device", self.models.devices)
        choices.addRow("Class", self.classes)
        choices.addRow("Next mark", self.kinds)
        buttons = QGridLayout()
        buttons.addWidget(self.arm, 0, 0, 1, 2)
        buttons.addWidget(self.accept, 1, 0)
        buttons.addWidget(self.discard, 1, 1)
        buttons.addWidget(self.undo, 2, 0)
        buttons.addWidget(self.redo, 2, 1)
        buttons.addWidget(self.reopen, 3, 0)
        buttons.addWidget(self.delete, 3, 1)
        content = QWidget()
        column = QVBoxLayout(content)
        column.addWidget(self.recovery)
        column.addLayout(choices)
        column.addWidget(self.copy)
        column.addWidget(self.status)
        column.addLayout(buttons)
        column.addWidget(self.auto_accept)
        column.addWidget(self.by_class)
        column.addWidget(Section("Mask", self.mask, open_=True))
        column.addWidget(Section("Mouse and keys", make_key_list()))
        column.addWidget(self.saved)
        column.addStretch(1)
        self.setWidget(content)

    def _connect(self) -> None:
        do = self.controller
        # Layers come and go while napari is still busy with them: act when it has finished.
        later = Qt.ConnectionType.QueuedConnection
        self.images.chosen.connect(do.set_image, later)
        self.targets.picked.connect(do.set_target, later)  # where a layer has gone, the controller knows what to do
        self.models.chosen.connect(do.set_model)
        self.status.cancel.clicked.connect(do.model.cancel_load)
        do.model.load_failed.connect(self.models.forget_use)
        do.model.returned.connect(self.models.show_choice)
        do.model.cancelled.connect(show_info)
        self.kinds.chosen.connect(do.set_kind)
        for button, action in (
            (self.arm, do.arm),
            (self.undo, do.undo),
            (self.redo, do.redo),
            (self.accept, do.accept),
            (self.discard, do.discard),
        ):
            button.clicked.connect(action)
        # A hand that has gone to a button points at no object any more.
        self.reopen.clicked.connect(lambda: do.reopen(do.objects.selected))
        self.delete.clicked.connect(do.delete_chosen)
        self.classes.given.connect(do.objects.classify_chosen)
        self.copy.button.clicked.connect(self.copying.toggle)
        self.copying.changed.connect(self._show_state)
        self.auto_accept.toggled.connect(do.set_auto_accept)
        self.by_class.toggled.connect(do.objects.set_colours)
        for signal, change in (
            (self.classes.chosen, do.objects.set_class),
            (self.classes.added, do.objects.add_class),
            (self.classes.renamed, do.objects.rename_class),
            (self.classes.recoloured, do.objects.recolour_class),
            (self.classes.removed, do.objects.remove_class),
        ):
            signal.connect(change)
        self.mask.tuned.connect(lambda: do.tune(self.mask.threshold, self.mask.post))
        self.mask.policy_changed.connect(self._set_policy)
        do.tuned.connect(lambda: self.mask.show_tuning(*do.session.tuning))
        self.recovery.recover.clicked.connect(self.safety.recover)
        self.recovery.forget.clicked.connect(self.safety.forget)
        self.recovery.another.clicked.connect(self.safety.offer_another)
        self.safety.changed.connect(self._show_safety)
        do.changed.connect(self._show_state)
        do.noticed.connect(self._notify)

    def _start(self, viewer: Any) -> None:
        """Take the image that is active, else the topmost one that is shown."""
        shown = [layer for layer in viewer.layers if isinstance(layer, Image) and layer.visible]
        for layer in (*shown[-1:], viewer.layers.selection.active):
            self.images.layer = layer
        self.controller.set_image(self.images.layer)
        if self.mask.threshold is not None:
            self.controller.tune(self.mask.threshold, None)
        self._show_state()

    # -- showing ----------------------------------------------------------------------------------------------------

    def _show_state(self) -> None:
        do, session = self.controller, self.controller.session
        there = do.bench.image is not None
        simple = do.prompts.tool == "extreme" and session.reopened is None
        self.status.show_status(do.status, session.remaining if there and simple else None)
        self.status.show_result(session.segmentation, do.model, session.busy)
        self.kinds.show_kinds(do.prompts.kind, do.prompts.choices)
        self.classes.show_classes(session.classes, session.current_class)
        self.mask.show_default(getattr(do.model.segmenter, "spec", None))
        for combo, layer in ((self.images, do.bench.image), (self.targets, do.target.layer)):
            if combo.layer is not layer:  # undo and correcting go to where it happened
                combo.blockSignals(True)
                combo.layer = layer
                combo.blockSignals(False)
        objects = bool(session.objects)
        for control, usable in (
            (self.arm, there),
            (self.kinds, there),
            (self.undo, session.can_undo),
            (self.redo, session.can_redo),
            (self.accept, do.answers.can_accept),
            (self.discard, bool(session.marks) or session.box is not None or session.reopened is not None),
            (self.reopen, objects),
            (self.delete, objects),
        ):
            control.setEnabled(usable)
        self.copy.show_copy(self.copying)
        self._show_safety()
        self.undo.setToolTip(f"Undo: {session.undo_text or 'nothing yet'} ({KEY_OF['undo']}, Ctrl+Z)")
        self.redo.setToolTip(f"Redo: {session.redo_text or 'nothing undone'} ({KEY_OF['redo']}, Ctrl+Shift+Z)")

    def _show_safety(self) -> None:
        self.recovery.show_found(self.safety.found)
        self.saved.setText(self.safety.text)

    def _notify(self, text: str, severe: bool) -> None:
        (show_error if severe else show_warning)(text)

    def _set_policy(self) -> None:
        try:
            self.controller.session.policy = self.mask.policy()
        except DextrError as error:
            self.controller.notices.report(error)

    def _is_target(self, layer: Any) -> bool:
        image = self.controller.bench.image
        return (
            isinstance(layer, Labels)
            and layer is not self.controller.bench.preview
            and (image is None or layer.ndim == image.ndim)
        )

    def open_object(self, image: Image, target: Labels, label: int) -> None:
        """Go back to an object of a Labels layer to correct it; what cannot be done is said in the widget.

        Parameters
        ----------
        image : Image
            The layer that the object was segmented on.
        target : Labels
            The layer that holds the object, and in its metadata what made it.
        label : int
            Value of the object's pixels.
        """
        self.controller.set_image(image)
        self.controller.set_target(target)
        self.controller.reload_objects(target)
        self.images.layer = image
        self.controller.reopen(label)

    def reload_models(self) -> None:
        """Look again which models there are."""
        self.models.reload()

    # -- the end ----------------------------------------------------------------------------------------------------

    def _let_go(self) -> None:
        self.images.release()
        self.targets.release()
        self.safety.close()
        self.copying.close()
        self.controller.close()
