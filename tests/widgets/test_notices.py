"""Problems and successes, told once."""

from __future__ import annotations

from typing import Any

from napari_dextr.errors import PromptError
from napari_dextr.widgets.notices import Notices, sentence_of
from napari_dextr.widgets.worker import LoadCancelledError


def test_problems_are_told_and_forgotten(qtbot: Any) -> None:
    notices = Notices()
    heard: list[tuple[str, bool]] = []
    notices.noticed.connect(lambda text, severe: heard.append((text, severe)))
    notices.report(PromptError("Click four points."))
    assert (notices.problem, heard) == ("Click four points.", [("Click four points.", False)])
    notices.report(PromptError("Quiet."), aloud=False)
    assert (notices.problem, len(heard)) == ("Quiet.", 1)
    notices.report(PromptError("Model."), severe=True)
    notices.report(ValueError("no"))
    assert [severe for _, severe in heard] == [False, True, True]
    notices.report(LoadCancelledError(), severe=True)  # whoever cancelled knows
    assert (notices.problem, len(heard)) == (str(LoadCancelledError()), 3)
    notices.say("Done.")
    assert (notices.problem, notices.done) == (None, "Done.")
    notices.clear()
    assert notices.done is None


def test_sentences_of_errors() -> None:
    assert sentence_of(PromptError("Click four points.")) == "Click four points."
    assert "ValueError: no" in sentence_of(ValueError("no"))
