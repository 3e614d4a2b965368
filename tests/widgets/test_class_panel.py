"""The list of classes."""

from __future__ import annotations

from typing import Any

import pytest
from qtpy.QtCore import Qt
from qtpy.QtGui import QColor

from napari_dextr.objects import ObjectClass
from napari_dextr.widgets import class_panel
from napari_dextr.widgets.class_panel import ClassPanel

CLASSES = [ObjectClass(4, "cell", "#e69f00"), ObjectClass(7, "dirt", "#56b4e9")]


@pytest.fixture
def panel(qtbot: Any) -> ClassPanel:
    made = ClassPanel()
    qtbot.addWidget(made)
    made.show_classes(CLASSES, 7)
    return made


def test_shows_names_keys_and_the_choice(panel: ClassPanel) -> None:
    texts = [panel.combo.itemText(index) for index in range(panel.combo.count())]
    assert texts == ["No class", "1 · cell", "2 · dirt"]
    assert panel.combo.itemData(2, Qt.ItemDataRole.ToolTipRole) == "Ctrl+2"
    assert panel.combo.currentIndex() == 2
    panel.show_classes(CLASSES, None)
    assert panel.combo.currentIndex() == 0
    assert [action.isEnabled() for action in panel.edit.menu().actions()[:4]] == [True, False, False, False]


def test_more_classes_than_keys(panel: ClassPanel) -> None:
    panel.show_classes([ObjectClass(number, f"c{number}", "#000000") for number in range(1, 12)], 11)
    assert panel.combo.itemData(9, Qt.ItemDataRole.ToolTipRole) == "Ctrl+9"
    assert panel.combo.itemData(10, Qt.ItemDataRole.ToolTipRole) is None


def test_choosing(qtbot: Any, panel: ClassPanel) -> None:
    with qtbot.waitSignal(panel.chosen) as chosen:
        panel.combo.activated.emit(1)
    assert chosen.args == [4]
    with qtbot.waitSignal(panel.chosen) as chosen:
        panel.combo.activated.emit(0)
    assert chosen.args == [None]


def test_changing_the_list(qtbot: Any, panel: ClassPanel, monkeypatch: pytest.MonkeyPatch) -> None:
    add, rename, recolour, remove = panel.edit.menu().actions()[:4]
    monkeypatch.setattr(class_panel.QInputDialog, "getText", lambda *args, **options: (" mitosis ", True))
    monkeypatch.setattr(class_panel.QColorDialog, "getColor", lambda *args: QColor("#123456"))
    for action, signal, values in (
        (add, panel.added, ["mitosis"]),
        (rename, panel.renamed, [7, "mitosis"]),
        (recolour, panel.recoloured, [7, "#123456"]),
        (remove, panel.removed, [7]),
    ):
        with qtbot.waitSignal(signal) as said:
            action.trigger()
        assert said.args == values


def test_dialogs_can_be_cancelled(panel: ClassPanel, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[Any] = []
    for signal in (panel.added, panel.renamed, panel.recoloured):
        signal.connect(lambda *values: said.append(values))
    monkeypatch.setattr(class_panel.QInputDialog, "getText", lambda *args, **options: ("", False))
    monkeypatch.setattr(class_panel.QColorDialog, "getColor", lambda *args: QColor())
    for action in panel.edit.menu().actions()[:3]:
        action.trigger()
    assert said == []


def test_the_chosen_class_is_given_to_an_object(qtbot: Any, panel: ClassPanel) -> None:
    with qtbot.waitSignal(panel.given):
        panel.edit.menu().actions()[-1].trigger()
