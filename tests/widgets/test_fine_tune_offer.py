"""The offer to resume."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from napari_dextr.widgets.fine_tune_offer import OfferPanel, offer

NOW = datetime(2026, 3, 14, 15, 0, tzinfo=timezone.utc).astimezone()


@dataclass(frozen=True)
class Run:
    name: str = "cells"
    started: datetime = NOW - timedelta(hours=1)
    step: int = 140
    steps: int = 600
    busy: bool = False
    path: Path = Path("runs/cells")


@pytest.fixture
def panel(qtbot: Any) -> OfferPanel:
    made = OfferPanel()
    qtbot.addWidget(made)
    return made


def test_nothing_is_offered_at_first(panel: OfferPanel) -> None:
    assert panel.isHidden()
    panel.show_runs([Run()])
    assert not panel.isHidden()
    panel.show_runs([])
    assert panel.isHidden()


def test_what_is_said() -> None:
    hour = Run().started.strftime("%H:%M")
    assert offer([Run()], NOW) == f"The training 'cells' of {hour} was interrupted at step 140 of 600."
    assert "13 March, " in offer([Run(started=NOW - timedelta(days=1))], NOW)
    assert "There is 1 more" in offer([Run(), Run()], NOW)
    assert "There are 2 more" in offer([Run(), Run(), Run()], NOW)
    assert "running in another program" in offer([Run(busy=True)], NOW)
    assert "had ended" in offer([Run(step=600)], NOW)
    assert offer([Run(step=0, steps=0)], NOW).endswith("was interrupted.")


def test_the_buttons_are_for_the_first_and_then_the_next(panel: OfferPanel, qtbot: Any) -> None:
    first, second = Run("first"), Run("second")
    panel.show_runs([first, second])
    with qtbot.waitSignal(panel.discarded) as caught:
        panel.discard.click()
    assert caught.args == [first]
    with qtbot.waitSignal(panel.resumed) as caught:
        panel.resume.click()
    assert caught.args == [second]
    assert panel.isHidden()


def test_a_training_of_another_program_is_left_alone(panel: OfferPanel, qtbot: Any) -> None:
    panel.show_runs([Run("theirs", busy=True), Run("mine")])
    assert "'mine'" in panel.text.text()
    with qtbot.waitSignal(panel.discarded) as caught:
        panel.discard.click()
    assert caught.args[0].name == "mine"
    assert "'theirs'" in panel.text.text()
    assert panel.resume.isHidden()
    assert panel.discard.isHidden()
