"""The classes of objects: a list with colours, and keys to choose from it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QColor
from qtpy.QtWidgets import QColorDialog, QComboBox, QHBoxLayout, QInputDialog, QMenu, QToolButton, QWidget

from ..napari_io.keys import CLASS_KEYS, KEY_OF
from ..objects import ObjectClass
from .panels import dot

_NONE = "No class"


class ClassPanel(QWidget):
    """Chooses the class of the present object and of those that follow; a menu changes the list.

    Signals
    -------
    chosen(object)
        Number of a class, or None.
    given
        The object that is selected shall get the class that is chosen.
    added(str), renamed(int, str), recoloured(int, str), removed(int)
        What the user wants with the list.
    """

    chosen = Signal(object)
    given = Signal()
    added = Signal(str)
    renamed = Signal(int, str)
    recoloured = Signal(int, str)
    removed = Signal(int)

    def __init__(self) -> None:
        super().__init__()
        self._shown: Any = None
        self.combo = QComboBox()
        self.combo.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.combo.setMinimumContentsLength(8)
        self.combo.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.combo.setToolTip(
            f"Class of this object and of the next ones. {KEY_OF['next_class']}: the next class; "
            "Ctrl and a number: the class with that number"
        )
        self.edit = QToolButton()
        self.edit.setText("Edit")
        self.edit.setStyleSheet("QToolButton::menu-indicator { image: none; }")
        self.edit.setToolTip("Add, rename, recolour or remove classes")
        self.edit.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.edit.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        menu = QMenu(self.edit)
        menu.addAction("Add a class…", self._add)
        self._changes = [
            menu.addAction("Rename…", self._rename),
            menu.addAction("Colour…", self._recolour),
            menu.addAction("Remove", self._remove),
        ]
        menu.addSeparator()
        give = menu.addAction("Give it to the selected object", self.given)
        give.setToolTip(f"{KEY_OF['classify']} gives it to the object under the cursor")
        menu.setToolTipsVisible(True)
        self.edit.setMenu(menu)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.combo, 1)
        row.addWidget(self.edit)
        self.combo.activated.connect(lambda index: self.chosen.emit(self.combo.itemData(index)))

    def show_classes(self, classes: Sequence[ObjectClass], current: int | None) -> None:
        """Show the list, and which class is chosen."""
        if (tuple(classes), current) == self._shown:
            return
        self._shown = (tuple(classes), current)
        self.combo.clear()
        self.combo.addItem(_NONE, None)
        for number, item in enumerate(classes, 1):
            self.combo.addItem(dot(item.colour), f"{number} · {item.name}", item.id)
            if number <= len(CLASS_KEYS):
                self.combo.setItemData(number, KEY_OF[f"class_{number}"], Qt.ItemDataRole.ToolTipRole)
        self.combo.setCurrentIndex(max(0, self.combo.findData(current)))
        for action in self._changes:
            action.setEnabled(current is not None)

    def _current(self) -> ObjectClass:
        classes, current = self._shown
        return next(item for item in classes if item.id == current)

    def _add(self) -> None:
        name, given = QInputDialog.getText(self, "Add a class", "Name of the class:")
        if given and name.strip():
            self.added.emit(name.strip())

    def _rename(self) -> None:
        item = self._current()
        name, given = QInputDialog.getText(self, "Rename the class", "Name of the class:", text=item.name)
        if given and name.strip():
            self.renamed.emit(item.id, name.strip())

    def _recolour(self) -> None:
        item = self._current()
        colour = QColorDialog.getColor(QColor(item.colour), self, f"Colour of '{item.name}'")
        if colour.isValid():
            self.recoloured.emit(item.id, colour.name())

    def _remove(self) -> None:
        self.removed.emit(self._current().id)
