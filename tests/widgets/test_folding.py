"""Sections fold, and the keys are listed."""

from __future__ import annotations

from typing import Any

from qtpy.QtWidgets import QLabel

from napari_dextr.napari_io.keys import SHORTCUTS
from napari_dextr.widgets.folding import Section, make_key_list


def test_sections_open_and_close(qtbot: Any) -> None:
    content = QLabel("inside")
    section = Section("More", content)
    qtbot.addWidget(section)
    assert content.isHidden()
    section.header.click()
    assert not content.isHidden()
    section.header.click()
    assert content.isHidden()
    opened = Section("Open", QLabel("inside"), open_=True)
    qtbot.addWidget(opened)
    assert not opened.content.isHidden()


def test_every_key_is_listed(qtbot: Any) -> None:
    table = make_key_list()
    qtbot.addWidget(table)
    texts = {label.text() for label in table.findChildren(QLabel)}
    assert {item.text for item in SHORTCUTS if not item.action.startswith("class_")} <= texts
    assert "Ctrl+1 … Ctrl+9" in texts
