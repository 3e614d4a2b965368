"""Choice of model and device."""

from __future__ import annotations

from typing import Any

import pytest

from napari_dextr.models.registry import entries
from napari_dextr.widgets import model_box
from napari_dextr.widgets.model_box import ModelBox


@pytest.fixture
def box(qtbot: Any) -> ModelBox:
    made = ModelBox()
    qtbot.addWidget(made.models)
    qtbot.addWidget(made.devices)
    return made


def test_lists_the_embedded_model_first_and_every_entry(box: ModelBox) -> None:
    sources = [box.models.itemData(index) for index in range(box.models.count())]
    assert sources[0] == "embedded"
    assert {entry.name for entry in entries()} <= set(sources)
    assert len(set(sources)) == len(sources)
    tips = [str(box.models.itemData(index, 3)) for index in range(box.models.count())]
    assert any("MB" in tip for tip in tips)


def test_announces_model_and_device(qtbot: Any, box: ModelBox) -> None:
    with qtbot.waitSignal(box.chosen) as chosen:
        box.announce()
    assert chosen.args == ["embedded", "auto"]
    with qtbot.waitSignal(box.chosen) as chosen:
        box.devices.setCurrentIndex(1)
    assert chosen.args == ["embedded", "cpu"]
    with qtbot.waitSignal(box.chosen) as chosen:
        box.models.activated.emit(1)
    assert chosen.args == [box.models.itemData(1), "cpu"]


def test_choosing_the_same_again_says_nothing(qtbot: Any, box: ModelBox) -> None:
    with qtbot.assertNotEmitted(box.chosen):
        box.models.activated.emit(0)


def test_a_file(qtbot: Any, box: ModelBox, monkeypatch: pytest.MonkeyPatch) -> None:
    last = box.models.count() - 1
    monkeypatch.setattr(model_box.QFileDialog, "getOpenFileName", lambda *_: ("/data/mine.safetensors", ""))
    with qtbot.waitSignal(box.chosen) as chosen:
        box.models.activated.emit(last)
    assert chosen.args == ["/data/mine.safetensors", "auto"]
    assert box.models.currentText() == "mine.safetensors"


def test_a_cancelled_file_dialog_changes_nothing(qtbot: Any, box: ModelBox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_box.QFileDialog, "getOpenFileName", lambda *_: ("", ""))
    with qtbot.assertNotEmitted(box.chosen):
        box.models.activated.emit(box.models.count() - 1)
    assert box.source == "embedded"
    assert box.models.currentIndex() == 0


def test_shows_what_is_in_use_without_a_word(qtbot: Any, box: ModelBox) -> None:
    with qtbot.assertNotEmitted(box.chosen):
        box.show_choice("/data/mine.safetensors", "cpu")
    assert (box.source, box.models.currentText()) == ("/data/mine.safetensors", "mine.safetensors")
    assert box.devices.currentData() == "cpu"
