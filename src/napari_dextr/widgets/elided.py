"""Names that are cut in the middle where there is no room for them; a tooltip has them in full."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from qtpy.QtCore import Qt
from qtpy.QtGui import QPalette
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QLabel,
    QSizePolicy,
    QStyle,
    QStyleOptionButton,
    QStyleOptionComboBox,
    QStylePainter,
    QWidget,
)

_MIDDLE = Qt.TextElideMode.ElideMiddle  # names of one series differ at their ends
_PADDING = 6  # pixels that styles leave beside the text of a combo box


class ElidedCheckBox(QCheckBox):
    """A tick with a name of any length, and any characters; it takes the width that it is given."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self._name = name
        self.setToolTip(name)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)

    def resizeEvent(self, event: Any) -> None:
        super().resizeEvent(event)
        option = QStyleOptionButton()
        self.initStyleOption(option)
        room = self.style().subElementRect(QStyle.SubElement.SE_CheckBoxContents, option, self).width()
        shown = self.fontMetrics().elidedText(self._name, _MIDDLE, room)
        self.setText(shown.replace("&", "&&"))  # one alone would underline the next letter


class ElidedLabel(QLabel):
    """A name of any length, and any characters; it takes the width that it is given.

    Parameters
    ----------
    name : str
    tip : str, optional
        The tooltip, where that is another than the name.
    """

    def __init__(self, name: str, tip: str | None = None) -> None:
        super().__init__()
        self._name = name
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setToolTip(name if tip is None else tip)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.setText(name)

    def resizeEvent(self, event: Any) -> None:
        super().resizeEvent(event)
        self.setText(self.fontMetrics().elidedText(self._name, _MIDDLE, self.contentsRect().width()))


class ElidedCombo(QComboBox):
    """A choice among names of any length.

    Parameters
    ----------
    names : sequence of str
    tip : str
        What is chosen; the tooltip has it below the name.
    """

    def __init__(self, names: Sequence[str] = (), tip: str = "", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._tip = tip
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.setMinimumContentsLength(6)
        self.view().setTextElideMode(_MIDDLE)
        self.currentTextChanged.connect(self.show_tip)
        self.write(names)

    def write(self, names: Sequence[str]) -> None:
        """Make these the whole list."""
        self.clear()
        self.addItems(list(names))
        for number, name in enumerate(names):
            self.setItemData(number, name, Qt.ItemDataRole.ToolTipRole)

    def show_tip(self, _: str = "") -> None:
        """Bring the tooltip up to date, where the choice has changed in silence."""
        self.setToolTip("\n".join(line for line in (self.currentText(), self._tip) if line))

    @property
    def shown(self) -> str:
        """The chosen name, or what stands there while there is none, as it is shown."""
        option = QStyleOptionComboBox()
        self.initStyleOption(option)
        field = QStyle.SubControl.SC_ComboBoxEditField
        room = self.style().subControlRect(QStyle.ComplexControl.CC_ComboBox, option, field, self).width()
        text = self.placeholderText() if self.currentIndex() < 0 else self.currentText()
        return str(self.fontMetrics().elidedText(text, _MIDDLE, room - _PADDING))

    def paintEvent(self, event: Any) -> None:
        option, painter = QStyleOptionComboBox(), QStylePainter(self)
        self.initStyleOption(option)
        painter.drawComplexControl(QStyle.ComplexControl.CC_ComboBox, option)
        option.currentText = self.shown
        if self.currentIndex() < 0:
            option.palette.setBrush(QPalette.ColorRole.ButtonText, option.palette.placeholderText())
        painter.drawControl(QStyle.ControlElement.CE_ComboBoxLabel, option)
