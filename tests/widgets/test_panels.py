"""Status, and kinds of mark."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from napari_dextr.widgets.panels import KindCombo, StatusPanel, make_button, make_check
from napari_dextr.widgets.prompts import CHOICES
from napari_dextr.widgets.status import Status


def model(**facts: Any) -> Any:
    return SimpleNamespace(**{"loading": False, "segmenter": None, "source": "fake", "progress": None, **facts})


def test_status_shows_text_and_dots(qtbot: Any) -> None:
    panel = StatusPanel()
    qtbot.addWidget(panel)
    panel.show_status(Status("Finding the object…", "busy"), 1)
    assert panel.text.text() == "Finding the object…"
    assert panel.dots.text() == "●●●○"
    panel.show_status(Status("Points coincide.", "error"), None)
    assert panel.text.text() == "⚠ Points coincide."
    assert panel.text.font().bold()
    assert panel.dots.text() == ""


def test_activity_and_progress(qtbot: Any) -> None:
    panel = StatusPanel()
    qtbot.addWidget(panel)
    panel.show_result(None, model(), busy=True)
    assert not panel.busy.isHidden()
    assert panel.cancel.isHidden()
    panel.show_result(None, model(loading=True, progress=(50, 200)))
    assert (panel.busy.maximum(), panel.busy.value()) == (1000, 250)
    panel.show_result(None, model(loading=True, progress=(50_000_000, 196_000_000)))
    assert panel.result.text() == "50 of 196 MB"
    assert not panel.cancel.isHidden()
    for progress, text in (
        ((0, 0), "connecting…"),
        ((7_000_000, 0), "7 MB"),
        ((196_000_000, 196_000_000), "loading model…"),
    ):
        panel.show_result(None, model(loading=True, progress=progress))
        assert panel.result.text() == text
    panel.show_result(None, model())
    assert panel.busy.isHidden()
    assert panel.cancel.isHidden()


def test_result_shows_score_and_time(qtbot: Any) -> None:
    panel = StatusPanel()
    qtbot.addWidget(panel)
    panel.show_result(SimpleNamespace(score=0.874, seconds=0.0512), model())
    assert panel.result.text() == "score 0.87 · 51 ms"
    panel.show_result(SimpleNamespace(score=None, seconds=1.2), model())
    assert panel.result.text() == "1200 ms"
    panel.show_result(SimpleNamespace(score=0.5, seconds=0.0), model())  # an object that was reopened
    assert panel.result.text() == "score 0.50"
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
    assert combo.currentIndex() == CHOICES.index("boundary")
    enabled = [combo.model().item(index).isEnabled() for index in range(combo.count())]
    assert enabled == [True, True, False, False, False, False]
    assert combo.itemText(0) == "Extreme point (D)"
    with qtbot.waitSignal(combo.chosen) as chosen:
        combo.activated.emit(0)
    assert chosen.args == ["extreme"]


def test_controls_leave_the_keys_to_the_canvas(qtbot: Any) -> None:
    for control in (make_button("Do", "It does"), make_check("On", "It is on", on=True)):
        qtbot.addWidget(control)
        assert control.focusPolicy().name == "NoFocus"
        assert control.toolTip()
