"""Parts of the Export COCO widget: layers to choose, classes to name, counts, and what happened."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from html import escape
from typing import Any

from napari.layers import Image, Labels
from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import (
    QFrame,
    QGridLayout,
    QHeaderView,
    QLabel,
    QSizePolicy,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from ..napari_io.export_counts import Counts
from ..napari_io.export_source import image_of
from ..napari_io.label_layers import is_preview
from ..napari_io.placement import plain
from ..napari_io.planes import layer_shape
from ..objects import ObjectClass
from ..words import number_of
from .elided import ElidedCheckBox, ElidedCombo

_MARKS = {"hint": "", "busy": "", "done": "✓ ", "warning": "⚠ ", "error": "⚠ "}
_ROWS = 5  # of the class table before it scrolls


class LayerPairs(QWidget):
    """Each Labels layer with a tick, and the image that it belongs to.

    Parameters
    ----------
    viewer : napari.Viewer or ViewerModel
    match : callable
        Takes a Labels layer and all layers, gives the image that is proposed for it, or None.
    """

    changed = Signal()

    def __init__(self, viewer: Any, match: Callable[[Any, Sequence[Any]], Any] = image_of) -> None:
        super().__init__()
        self._viewer = viewer
        self._match = match
        self._rows: list[tuple[Any, ElidedCheckBox, ElidedCombo, list[Any]]] = []
        self._off: list[Any] = []  # unticked by the user
        self._chosen: list[tuple[Any, Any]] = []  # images chosen by the user
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setColumnStretch(0, 1)
        self._grid.setColumnStretch(1, 1)
        self.refresh()

    def pairs(self) -> list[tuple[Any, Any]]:
        """Ticked Labels layers, bottom first, each with its image or None."""
        return [(labels, images[box.currentIndex()]) for labels, tick, box, images in self._rows if tick.isChecked()]

    def refresh(self) -> None:
        """List the layers of the viewer anew; ticks and choices stay."""
        while self._grid.count():
            item = self._grid.takeAt(0)
            if item.widget() is not None:
                item.widget().hide()
                item.widget().deleteLater()
        layers = [plain(layer) for layer in self._viewer.layers]
        self._rows = []
        for labels in layers:
            if isinstance(labels, Labels) and not is_preview(labels):
                self._add(labels, layers)
        if not self._rows:
            self._grid.addWidget(_hint("No Labels layer is open."), 0, 0, 1, 2)

    def _add(self, labels: Any, layers: Sequence[Any]) -> None:
        row = len(self._rows)
        tick = ElidedCheckBox(labels.name)
        tick.setChecked(not any(labels is other for other in self._off))
        fitting = [
            layer
            for layer in reversed(layers)
            if isinstance(layer, Image) and layer_shape(layer) == layer_shape(labels)
        ]
        proposed = self._match(labels, layers)
        if proposed is not None and not any(proposed is layer for layer in fitting):
            fitting.append(proposed)  # of another shape, but it lies there
        images = [*fitting, None]
        box = ElidedCombo([*(layer.name for layer in fitting), "no image"], "The image that these labels belong to")
        image = next((image for layer, image in self._chosen if layer is labels), proposed)
        box.setCurrentIndex(next((number for number, layer in enumerate(images) if layer is image), len(images) - 1))
        tick.toggled.connect(lambda on: self._on_tick(labels, on))
        box.activated.connect(lambda number: self._on_image(labels, images[number]))
        self._grid.addWidget(tick, row, 0)
        self._grid.addWidget(box, row, 1)
        self._rows.append((labels, tick, box, images))

    def _on_tick(self, labels: Any, on: bool) -> None:
        self._off = [layer for layer in self._off if layer is not labels] + ([] if on else [labels])
        self.changed.emit()

    def _on_image(self, labels: Any, image: Any) -> None:
        self._chosen = [pair for pair in self._chosen if pair[0] is not labels] + [(labels, image)]
        self.changed.emit()


class ClassTable(QTableWidget):
    """Classes with their names, which can be changed, and the number of their objects."""

    def __init__(self) -> None:
        super().__init__(0, 2)
        self.setHorizontalHeaderLabels(["Class", "Objects"])
        self.verticalHeader().hide()
        self.setToolTip("Double-click a name to change it; the layers get the new name when the file is written")
        header = self.horizontalHeader()
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        header.setSectionResizeMode(1, QHeaderView.ResizeMode.ResizeToContents)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._classes: list[ObjectClass] = []
        self.show_classes([])

    def names(self) -> dict[int, str]:
        """Names by number of the class, as the user left them; an emptied one keeps its former name."""
        typed = ((entry, self.item(row, 0).text().strip()) for row, entry in enumerate(self._classes))
        return {entry.id: name or entry.name for entry, name in typed}

    def show_classes(self, classes: Sequence[ObjectClass]) -> None:
        """Show other classes; names that the user changed stay."""
        if list(classes) != self._classes:
            changed = {entry.id: name for entry, name in zip(self._classes, self.names().values(), strict=True)}
            before = {entry.id: entry.name for entry in self._classes}
            self._classes = list(classes)
            self.setRowCount(len(classes))
            for row, entry in enumerate(classes):
                kept = before.get(entry.id) == entry.name
                self.setItem(row, 0, QTableWidgetItem(changed[entry.id] if kept else entry.name))
                number = QTableWidgetItem("")
                number.setFlags(Qt.ItemFlag.ItemIsEnabled)
                number.setTextAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
                self.setItem(row, 1, number)
        height = self.horizontalHeader().sizeHint().height()
        rows = min(max(self.rowCount(), 1), _ROWS)
        self.setFixedHeight(height + rows * self.verticalHeader().defaultSectionSize() + 4)

    def show_counts(self, counts: Mapping[str, int] | None) -> None:
        """Show the number of objects of each class, or nothing."""
        for row, entry in enumerate(self._classes):
            self.item(row, 1).setText("" if counts is None else f"{counts.get(entry.name, 0):,}")


class CountsPanel(QLabel):
    """What will be written, and what is doubtful; a doubt is a link to the object."""

    def __init__(self) -> None:
        super().__init__()
        self.setWordWrap(True)
        self.setTextFormat(Qt.TextFormat.RichText)
        self.setTextInteractionFlags(Qt.TextInteractionFlag.LinksAccessibleByMouse)

    def show_counts(self, counts: Counts, complete: bool) -> None:
        """Show counts, so far or complete."""
        lines = [
            f"<b>{number_of(counts.objects, 'object')}</b> on "
            f"{number_of(counts.planes_with_objects, 'plane')} of {counts.planes:,}" + ("" if complete else " so far …")
        ]
        for kind, text in (
            ("tiny", "tiny"),
            ("parted", "in several parts"),
            ("unclassified", "without a class (written as 'object')"),
        ):
            number, first = getattr(counts, kind), counts.first.get(kind)
            if number and first is not None:
                link = f'<a href="{kind}" style="color: #3a86d8">label {first.label}</a>'
                lines.append(f"⚠ {number:,} {text}: {'e.g. ' if number > 1 else ''}{link}, {escape(first.reason)}")
        self.setText("<br>".join(lines))


class MessagePanel(QFrame):
    """One or two sentences: what to do, what is going on, what came of it."""

    def __init__(self) -> None:
        super().__init__()
        self.setFrameShape(QFrame.Shape.StyledPanel)
        self.text = QLabel()
        self.text.setWordWrap(True)
        self.text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.text.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.MinimumExpanding)
        self.kind = "hint"
        column = QVBoxLayout(self)
        column.addWidget(self.text)

    def say(self, text: str, kind: str = "hint", more: Sequence[str] = ()) -> None:
        """Show a message.

        Parameters
        ----------
        text : str
        kind : {"hint", "busy", "done", "warning", "error"}
        more : sequence of str
            What there is to know besides; in the tooltip, a line each.
        """
        self.kind = kind
        self.setToolTip("".join(f"<p>{escape(line)}</p>" for line in more))  # as rich text it wraps
        self.text.setText(_MARKS[kind] + text)
        font = self.text.font()
        font.setBold(kind == "error")
        self.text.setFont(font)


def _hint(text: str) -> QLabel:
    label = QLabel(text)
    label.setWordWrap(True)
    return label
