"""The review queue of Boxes to masks: the least certain object first, one key for each answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from qtpy.QtCore import QAbstractTableModel, QModelIndex, Qt, Signal
from qtpy.QtGui import QColor
from qtpy.QtWidgets import (
    QAbstractItemView,
    QGridLayout,
    QGroupBox,
    QHeaderView,
    QPushButton,
    QTableView,
    QVBoxLayout,
)

from ..napari_io.box_batch import ACCEPTED, DELETED, FAILED, OPEN, Reviewed

COLUMNS = ("Score", "Label", "Class", "State")

_SIGNS = {OPEN: "", ACCEPTED: "✓ accepted", DELETED: "✗ deleted", FAILED: "⚠ failed"}
_COLORS = {ACCEPTED: "#1fa37c", DELETED: "#8a8a8a", FAILED: "#e0523a"}  # readable on dark and on light


class ReviewModel(QAbstractTableModel):
    """The objects of a run, failures first, then by score."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[Reviewed] = []

    def show_rows(self, rows: Sequence[Reviewed]) -> None:
        """Show other objects, or the same in a new order."""
        self.beginResetModel()
        self.rows = sorted(rows, key=urgency)
        self.endResetModel()

    def touch(self) -> None:
        """Show the present states; the order stays, so that nothing jumps away under the mouse."""
        if self.rows:
            self.dataChanged.emit(self.index(0, 0), self.index(len(self.rows) - 1, len(COLUMNS) - 1))

    def rowCount(self, parent: QModelIndex | None = None) -> int:
        return 0 if parent is not None and parent.isValid() else len(self.rows)

    def columnCount(self, parent: QModelIndex | None = None) -> int:
        return 0 if parent is not None and parent.isValid() else len(COLUMNS)

    def headerData(self, section: int, orientation: Any, role: int = 0) -> Any:
        if role == Qt.ItemDataRole.DisplayRole and orientation == Qt.Orientation.Horizontal:
            return COLUMNS[section]
        return None

    def data(self, index: QModelIndex, role: int = 0) -> Any:
        row = self.rows[index.row()]
        if role == Qt.ItemDataRole.DisplayRole:
            return (
                "–" if row.score is None else f"{row.score:.2f}",
                "–" if row.label is None else str(row.label),
                row.task.class_name,
                _SIGNS[row.state],
            )[index.column()]
        if role == Qt.ItemDataRole.ToolTipRole:
            return row.problem or f"Box {row.task.number + 1}"
        if role == Qt.ItemDataRole.ForegroundRole and row.state in _COLORS:
            return QColor(_COLORS[row.state])
        return None


class ReviewTable(QTableView):
    """The queue. A click, or the arrow keys, go to an object.

    Signals
    -------
    gone_to(row)
        The object that is now looked at (`Reviewed`), or None.
    accepted, redone, deleted
        A key was pressed: A or Enter, R, Delete or Backspace.
    """

    gone_to = Signal(object)
    accepted = Signal()
    redone = Signal()
    deleted = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.rows = ReviewModel()
        self.setModel(self.rows)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setMinimumHeight(150)
        self.verticalHeader().hide()
        header = self.horizontalHeader()
        for column in range(len(COLUMNS)):
            header.setSectionResizeMode(column, QHeaderView.ResizeMode.ResizeToContents)
        header.setResizeContentsPrecision(-1)  # only rows that are seen: there may be ten thousands
        header.setSectionResizeMode(COLUMNS.index("Class"), QHeaderView.ResizeMode.Stretch)
        self.selectionModel().currentRowChanged.connect(self._on_current)

    @property
    def current(self) -> Reviewed | None:
        """The object that is looked at."""
        number = self.currentIndex().row()
        return self.rows.rows[number] if 0 <= number < len(self.rows.rows) else None

    def go_on(self) -> None:
        """Go to the next object that is not reviewed yet, from here downwards, then from the top."""
        rows, here = self.rows.rows, self.currentIndex().row()
        waiting = [number for number, row in enumerate(rows) if row.state == OPEN]
        following = next((number for number in waiting if number > here), waiting[0] if waiting else None)
        if following is not None:
            self.setCurrentIndex(self.rows.index(following, 0))

    def keyPressEvent(self, event: Any) -> None:
        signal = {
            Qt.Key.Key_A: self.accepted,
            Qt.Key.Key_Return: self.accepted,
            Qt.Key.Key_Enter: self.accepted,
            Qt.Key.Key_R: self.redone,
            Qt.Key.Key_Delete: self.deleted,
            Qt.Key.Key_Backspace: self.deleted,
        }.get(event.key())
        if signal is None or event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            super().keyPressEvent(event)
        else:
            signal.emit()

    def _on_current(self, current: QModelIndex, previous: QModelIndex) -> None:
        self.gone_to.emit(self.current)


class ReviewPanel(QGroupBox):
    """The queue with a button for each answer."""

    def __init__(self) -> None:
        super().__init__("Review, least certain first")
        self.table = ReviewTable()
        self.accept = _button("Accept (A)", "The object is right: go to the next one")
        self.redo = _button("Correct (R)", "Open the object in the Annotate widget, with its box and its mask")
        self.delete = _button("Delete (Del)", "Take the object away: go to the next one")
        self.undo = _button("Undo", "Undo the last deletion; after that, the whole run as one step (Ctrl+Z)")
        rows = QVBoxLayout(self)
        rows.addWidget(self.table)
        buttons = QGridLayout()
        for place, button in enumerate((self.accept, self.redo, self.delete, self.undo)):
            buttons.addWidget(button, place // 2, place % 2)
        rows.addLayout(buttons)


def _button(text: str, tip: str) -> QPushButton:
    button = QPushButton(text)
    button.setToolTip(tip)
    button.setFocusPolicy(Qt.FocusPolicy.NoFocus)  # keys stay with the queue
    return button


def urgency(row: Reviewed) -> tuple[bool, float]:
    """What to look at first: failures, then the lowest scores; objects without a score before those with one."""
    return row.state != FAILED, -1.0 if row.score is None else row.score
