"""Names that are cut in the middle where there is no room for them; a tooltip has them in full."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QSizePolicy,
    QStyle,
    QStyleOptionButton,
    QStyleOptionComboBox,
    QStylePainter,
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


class ElidedCombo(QComboBox):
    """A choice among names of any length.

    Parameters
    ----------
    names : sequence of str
    tip : str
        What is chosen; the tooltip has it below the name.
    """

    def __init__(self, names: list[str], tip: str) -> None:
        super().__init__()
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.setMinimumContentsLength(6)
        self.view().setTextElideMode(_MIDDLE)
        self.currentTextChanged.connect(lambda name: self.setToolTip(f"{name}\n{tip}"))
        self.addItems(names)
        for number, name in enumerate(names):
            self.setItemData(number, name, Qt.ItemDataRole.ToolTipRole)

    @property
    def shown(self) -> str:
        """The chosen name as it is shown."""
        option = QStyleOptionComboBox()
        self.initStyleOption(option)
        field = QStyle.SubControl.SC_ComboBoxEditField
        room = self.style().subControlRect(QStyle.ComplexControl.CC_ComboBox, option, field, self).width()
        return str(self.fontMetrics().elidedText(self.currentText(), _MIDDLE, room - _PADDING))

    def paintEvent(self, event: Any) -> None:
        option, painter = QStyleOptionComboBox(), QStylePainter(self)
        self.initStyleOption(option)
        painter.drawComplexControl(QStyle.ComplexControl.CC_ComboBox, option)
        option.currentText = self.shown
        painter.drawControl(QStyle.ControlElement.CE_ComboBoxLabel, option)
