"""Names that are longer than the dock is wide."""

from __future__ import annotations

from typing import Any

from napari_dextr.widgets.elided import ElidedCheckBox, ElidedCombo, ElidedLabel

LONG = "2026-11-30 embryo 14 & 15, 63x oil, channel DAPI, denoised, z 12-48"


def test_a_tick_cuts_its_name_in_the_middle(qtbot: Any) -> None:
    tick = ElidedCheckBox(LONG)
    qtbot.addWidget(tick)
    for width in (150, 900, 150):
        tick.resize(width, 20)
        tick.grab()  # what is not shown is not laid out
        assert ("…" in tick.text()) is (width == 150)
        assert tick.fontMetrics().horizontalAdvance(tick.text()) < width
        assert tick.text().startswith("20")
        assert tick.text().endswith("48")
    assert tick.toolTip() == LONG
    tick.resize(900, 20)
    tick.grab()
    assert "14 && 15" in tick.text()  # else Qt would take it for a shortcut


def test_a_choice_cuts_its_name_in_the_middle(qtbot: Any) -> None:
    combo = ElidedCombo([LONG, "no image"], "The image")
    qtbot.addWidget(combo)
    for width in (150, 900, 150):
        combo.resize(width, 24)
        assert ("…" in combo.shown) is (width == 150)
    assert combo.shown.endswith("48")
    assert combo.toolTip() == f"{LONG}\nThe image"
    assert combo.minimumSizeHint().width() < 150
    before = combo.grab().toImage()
    combo.setCurrentIndex(1)
    assert (combo.shown, combo.toolTip()) == ("no image", "no image\nThe image")
    assert combo.grab().toImage() != before


def test_what_is_painted_is_what_is_shown(qtbot: Any, monkeypatch: Any) -> None:
    combo = ElidedCombo([LONG], "The image")
    qtbot.addWidget(combo)
    combo.resize(150, 24)
    pictures = []
    for text in (combo.shown, LONG):
        monkeypatch.setattr(ElidedCombo, "shown", text)
        pictures.append(combo.grab().toImage())
    assert pictures[0] != pictures[1]


def test_a_label_cuts_its_name_in_the_middle(qtbot: Any) -> None:
    label = ElidedLabel(LONG, f"/data/{LONG}")
    qtbot.addWidget(label)
    for width in (150, 900, 150):
        label.resize(width, 20)
        label.grab()
        assert ("…" in label.text()) is (width == 150)
        assert label.fontMetrics().horizontalAdvance(label.text()) <= width
    assert label.text().endswith("48")
    assert label.toolTip() == f"/data/{LONG}"
    assert label.minimumSizeHint().width() < 150 or label.sizePolicy().horizontalPolicy().name == "Ignored"
    assert ElidedLabel(LONG).toolTip() == LONG


def test_what_stands_there_without_a_choice_is_shown(qtbot: Any) -> None:
    combo = ElidedCombo([], "The image")
    qtbot.addWidget(combo)
    combo.resize(200, 24)
    assert combo.shown == ""
    empty = combo.grab().toImage()
    combo.setPlaceholderText("No image open")
    assert combo.shown == "No image open"
    assert combo.grab().toImage() != empty
    combo.show_tip()
    assert combo.toolTip() == "The image"
