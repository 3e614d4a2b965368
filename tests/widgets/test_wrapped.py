"""Labels that are never cut off."""

from __future__ import annotations

from typing import Any

import pytest
from qtpy.QtWidgets import QGroupBox, QVBoxLayout, QWidget

from napari_dextr.widgets.wrapped import WrappedLabel

LONG = "Twenty words or so that take several lines as soon as the dock is as narrow as docks tend to be in napari. " * 2


@pytest.fixture
def nested(qtbot: Any) -> tuple[QWidget, WrappedLabel]:
    """A label in a box in a box."""
    window, box, label = QWidget(), QGroupBox("box"), WrappedLabel()
    QVBoxLayout(box).addWidget(label)
    column = QVBoxLayout(window)
    column.addWidget(box)
    column.addStretch(1)
    qtbot.addWidget(window)
    window.resize(260, 900)
    window.show()
    return window, label


def test_a_longer_text_gets_its_height(nested: tuple[QWidget, WrappedLabel], qtbot: Any) -> None:
    _, label = nested
    label.setText("short")
    qtbot.waitUntil(lambda: label.height() >= label.heightForWidth(label.width()))
    one_line = label.height()
    label.setText(LONG)
    qtbot.waitUntil(lambda: label.height() >= label.heightForWidth(label.width()) > 3 * one_line)
    label.setText("short")
    qtbot.waitUntil(lambda: label.height() <= 2 * one_line)


def test_a_narrower_window_gives_it_more_lines(nested: tuple[QWidget, WrappedLabel], qtbot: Any) -> None:
    window, label = nested
    label.setText(LONG)
    window.resize(700, 900)
    qtbot.waitUntil(lambda: label.width() > 500)
    wide = label.heightForWidth(label.width())
    window.resize(260, 900)
    qtbot.waitUntil(lambda: label.height() >= label.heightForWidth(label.width()) > 1.5 * wide)
