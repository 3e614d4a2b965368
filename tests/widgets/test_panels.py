"""Status, kinds and threshold."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from napari_dextr.session import KINDS
from napari_dextr.widgets.panels import KindCombo, StatusPanel, ThresholdSlider
from napari_dextr.widgets.status import Status


def model(**facts: Any) -> Any:
    return SimpleNamespace(**{"loading": False, "segmenter": None, "source": "fake", **facts})


def test_status_shows_text_dots_and_activity(qtbot: Any) -> None:
    panel = StatusPanel()
    qtbot.addWidget(panel)
    panel.show_status(Status("Finding the object…", "busy"), 1)
    assert panel.text.text() == "Finding the object…"
    assert panel.dots.text() == "●●●○"
    assert not panel.busy.isHidden()
    panel.show_status(Status("Points coincide.", "error"), None)
    assert panel.text.text() == "⚠ Points coincide."
    assert panel.text.font().bold()
    assert panel.dots.text() == "○○○○"
    assert panel.busy.isHidden()


def test_result_shows_score_and_time(qtbot: Any) -> None:
    panel = StatusPanel()
    qtbot.addWidget(panel)
    panel.show_result(SimpleNamespace(score=0.874, seconds=0.0512), model())
    assert panel.result.text() == "score 0.87 · 51 ms"
    panel.show_result(SimpleNamespace(score=None, seconds=1.2), model())
    assert panel.result.text() == "1200 ms"
    panel.show_result(None, model(loading=True))
    assert "loading" in panel.result.text()
    panel.show_result(None, model(segmenter=SimpleNamespace(device="cuda:0")))
    assert panel.result.text() == "ready on cuda:0"
    panel.show_result(None, model())
    assert panel.result.text() == ""


def test_kinds_the_model_does_not_take_are_grey(qtbot: Any) -> None:
    combo = KindCombo()
    qtbot.addWidget(combo)
    combo.show_kinds("boundary", ("extreme", "boundary"))
    assert combo.currentIndex() == KINDS.index("boundary")
    assert [combo.model().item(index).isEnabled() for index in range(4)] == [True, True, False, False]
    with qtbot.waitSignal(combo.chosen) as chosen:
        combo.activated.emit(0)
    assert chosen.args == ["extreme"]


def test_threshold_follows_the_model_until_it_is_moved(qtbot: Any) -> None:
    slider = ThresholdSlider()
    qtbot.addWidget(slider)
    spec = SimpleNamespace(threshold=0.8)
    slider.show_default(spec)
    assert slider.value is None
    assert slider.number.text() == "0.80"
    with qtbot.waitSignal(slider.changed) as changed:
        slider.slider.setValue(35)
    assert changed.args == [0.35]
    slider.show_default(spec)
    assert slider.value == 0.35
    slider.show_default(SimpleNamespace(threshold=0.5))
    assert slider.value is None
    slider.show_default(None)
    assert slider.number.text() == "0.50"
