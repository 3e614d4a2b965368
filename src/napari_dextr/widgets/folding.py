"""Sections that fold away, and the one that lists the keys."""

from __future__ import annotations

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QGridLayout, QLabel, QToolButton, QVBoxLayout, QWidget

from ..napari_io.keys import SHORTCUTS

_MOUSE = (
    ("Click", "Add a point"),
    ("Drag a point", "Move it"),
    ("Shift+click, right click", "Point outside the object"),
    ("Ctrl+click", "Point on its outline"),
    ("Alt+click", "Point inside it"),
)


class Section(QWidget):
    """A title that shows and hides what belongs to it.

    Parameters
    ----------
    title : str
    content : QWidget
    open_ : bool
        Whether the content is shown at first.
    """

    def __init__(self, title: str, content: QWidget, *, open_: bool = False) -> None:
        super().__init__()
        self.content = content
        self.header = QToolButton()
        self.header.setText(title)
        self.header.setCheckable(True)
        self.header.setAutoRaise(True)
        self.header.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.header.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.header)
        column.addWidget(content)
        self.header.toggled.connect(self._fold)
        self.header.setChecked(open_)
        self._fold(open_)

    def _fold(self, shown: bool) -> None:
        self.header.setArrowType(Qt.ArrowType.DownArrow if shown else Qt.ArrowType.RightArrow)
        self.content.setVisible(shown)


def make_key_list() -> QWidget:
    """What mouse and keys do."""
    table = QWidget()
    grid = QGridLayout(table)
    grid.setContentsMargins(4, 0, 0, 0)
    grid.setVerticalSpacing(2)
    grid.setColumnStretch(1, 1)
    keys = [(shortcut.text, shortcut.title) for shortcut in SHORTCUTS if not shortcut.action.startswith("class_")]
    for row, (key, title) in enumerate((*_MOUSE, *keys, ("Ctrl+1 … Ctrl+9", "Class of the object"))):
        for column, text in enumerate((key, title)):
            label = QLabel(text)
            label.setWordWrap(True)
            label.setAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignTop)
            grid.addWidget(label, row, column)
    return table
