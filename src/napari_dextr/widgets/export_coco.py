"""The Export COCO dock widget: what to write, where, and what will be in it. `ExportJob` does the work."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QGroupBox, QProgressBar, QPushButton, QVBoxLayout, QWidget

from ..napari_io.export_counts import Counts
from ..napari_io.export_planes import join_classes
from ..napari_io.export_source import label_source
from ..napari_io.navigation import show_object
from ..napari_io.viewer_events import LayerEvents
from .docks import ScrollDock
from .export_form import ExportForm
from .export_job import ExportJob, ExportPlan, Outcome
from .export_parts import ClassTable, CountsPanel, LayerPairs, MessagePanel

if TYPE_CHECKING:
    import napari

_PAUSE = 400  # milliseconds without a change before the layers are counted again
_WATCHED = ("paint", "data", "features")  # events of a Labels layer after which its counts may differ


class ExportCocoWidget(ScrollDock):
    """Dock widget *Export COCO*.

    Parameters
    ----------
    napari_viewer : napari.Viewer
        napari passes it in, and knows by the name that it should.
    """

    def __init__(self, napari_viewer: napari.Viewer) -> None:
        super().__init__()
        self._viewer: Any = napari_viewer
        self.job = ExportJob()
        self._counts: Counts | None = None
        self._layers = LayerEvents(renamed=self._on_layers, edited=self._on_edited, edits=_WATCHED)
        self.pairs = LayerPairs(self._viewer)
        self.preview = CountsPanel()
        self.recount = QPushButton("Labels have changed: count again")
        self.recount.setVisible(False)
        self.classes = ClassTable()
        self.form = ExportForm()
        self.message = MessagePanel()
        self.bar = QProgressBar()
        self.bar.setVisible(False)
        self.button = QPushButton("Export")
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_PAUSE)
        self._lay_out()
        self._connect()
        self._on_layers()

    # -- making ---------------------------------------------------------------------------------------------------

    def _lay_out(self) -> None:
        layers = QGroupBox("Labels and their images")
        QVBoxLayout(layers).addWidget(self.pairs)
        content = QGroupBox("What will be written")
        rows = QVBoxLayout(content)
        for part in (self.preview, self.recount, self.classes):
            rows.addWidget(part)
        inside = QWidget()
        column = QVBoxLayout(inside)
        for widget in (layers, content, self.form, self.message, self.bar, self.button):
            column.addWidget(widget)
        column.addStretch(1)
        self.setWidget(inside)

    def _connect(self) -> None:
        self._timer.timeout.connect(self._count)
        self.pairs.changed.connect(self._on_chosen)
        self.recount.clicked.connect(self._count)
        self.preview.linkActivated.connect(self._show_doubt)
        self.form.changed.connect(self._show_state)
        self.button.clicked.connect(self._on_button)
        self.job.counted.connect(self._on_counted)
        self.job.stopped_counting.connect(self._on_uncountable)
        self.job.progressed.connect(self._on_progress)
        self.job.done.connect(self._on_done)
        self.job.failed.connect(lambda sentence: self._on_end(sentence, "error"))
        self.job.cancelled.connect(lambda: self._on_end("Cancelled. The file is as it was before.", "warning"))
        for event in self._layer_events():
            event.connect(self._on_layers)

    def _layer_events(self) -> tuple[Any, ...]:
        events = self._viewer.layers.events
        return events.inserted, events.removed, events.reordered

    # -- layers and counts ----------------------------------------------------------------------------------------

    def _on_layers(self, event: Any = None) -> None:
        """Layers have come, gone, moved or got another name."""
        self._layers.follow(self._viewer.layers)
        self.pairs.refresh()
        self._on_chosen()

    def _on_chosen(self) -> None:
        self._counts = None
        self.preview.setText("")
        self._show_classes()
        if not self.form.file.text():
            self.form.file.setText(self._suggestion())
        self._show_state()
        self._timer.start()

    def _on_edited(self, event: Any = None) -> None:
        """Labels have changed: count again after a pause, unless that takes long."""
        if self.job.slow:
            self.recount.setVisible(True)
        else:
            self._timer.start()

    def _count(self) -> None:
        self.recount.setVisible(False)
        self._show_classes()
        pairs = self.pairs.pairs()
        if pairs and self.isVisible():
            self.job.count(pairs)

    def _show_classes(self) -> None:
        sources, classes = join_classes([label_source(labels, None) for labels, _ in self.pairs.pairs()])
        self.classes.show_classes(classes if sources else [])

    def _on_counted(self, counts: Counts, complete: bool) -> None:
        self._counts = counts
        self.preview.show_counts(counts, complete)
        if complete and self.message.kind == "hint":
            self._show_state()
        self.classes.show_counts(counts.classes)

    def _on_uncountable(self, sentence: str) -> None:
        self._counts = None
        self.preview.setText("")
        self.classes.show_counts(None)
        self.message.say(sentence, "error")

    def _show_doubt(self, kind: str) -> None:
        doubt = None if self._counts is None else self._counts.first.get(kind)
        layer = next((labels for labels, _ in self.pairs.pairs() if doubt and labels.name == doubt.layer), None)
        if doubt is not None and layer is not None:
            show_object(self._viewer, layer, doubt.index, doubt.label)

    # -- the export -----------------------------------------------------------------------------------------------

    def plan(self) -> ExportPlan:
        """What the user wants now."""
        return ExportPlan(pairs=self.pairs.pairs(), names=self.classes.names(), **self.form.choices())

    def _suggestion(self) -> str:
        """The file that the labels came from, or ``annotations.json`` beside an image that came from a file."""
        for labels, image in self.pairs.pairs():
            source = label_source(labels, image)
            if "file" in source.coco:
                return str(source.coco["file"])
            if source.image is not None and source.image.path is not None:
                return str(source.image.path.parent / "annotations.json")
        return ""

    def _on_button(self) -> None:
        if self.job.busy:
            self.button.setEnabled(False)
            self.job.cancel()
            return
        self.bar.setRange(0, 0)
        self.bar.setVisible(True)
        self.message.say("Writing …", "busy")
        self.button.setText("Cancel")
        self.job.export(self.plan())

    def _show_state(self) -> None:
        """What is still missing, or that all is ready."""
        if self.job.busy:
            return
        path, plan = self.form.path, self.plan()
        hint = None
        if not plan.pairs:
            hint = "Tick a Labels layer; the Annotate widget makes one."
        elif path is None:
            hint = "Choose a file to write to."
        elif not plan.formats:
            hint = "Tick at least one format."
        self.button.setEnabled(hint is None)
        exists = path is not None and path.is_file()
        ready = f"Ready. '{path.name}' is there already." if path and exists else "Ready."
        self.message.say(hint or f"{ready}{self._left_out(plan)}")

    def _left_out(self, plan: ExportPlan) -> str:
        """What becomes of planes without objects, where the user should know."""
        counts = self._counts
        left = 0 if counts is None else counts.planes - counts.planes_with_objects
        if not left or plan.with_empty or plan.stack_comes_back():
            return ""
        planes, they = ("plane", "it is") if left == 1 else ("planes", "they are")
        known = ", unless they are in it already" if plan.merges() else ""
        return (
            f" {left:,} {planes} without objects will be left out: when the file is opened, {they} black{known}. To "
            "keep them, tick 'Planes without objects too'."
        )

    def _on_progress(self, done: int, total: int) -> None:
        self.bar.setRange(0, max(total, 1))
        self.bar.setValue(done)
        self.message.say("Checking the file …" if done >= total else f"Plane {done + 1:,} of {total:,}", "busy")

    def _on_done(self, outcome: Outcome) -> None:
        self.form.existing.setEnabled(True)
        self._on_end(*outcome.sentence(), more=outcome.details)

    def _on_end(self, sentence: str, kind: str, more: Sequence[str] = ()) -> None:
        self.bar.setVisible(False)
        self.button.setText("Export")
        self._show_state()
        self.message.say(sentence, kind, more)

    # -- the end --------------------------------------------------------------------------------------------------

    def showEvent(self, event: Any) -> None:
        super().showEvent(event)
        self._timer.start()

    def _let_go(self) -> None:
        self._timer.stop()
        self.job.stop()
        self._layers.release()
        for event in self._layer_events():
            event.disconnect(self._on_layers)
