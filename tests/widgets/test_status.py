"""One sentence for each state."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from napari_dextr.errors import PromptError
from napari_dextr.session import Session
from napari_dextr.widgets.status import sentence_of, status_of

POINTS = [(2.0, 10.0), (10.0, 1.0), (18.0, 11.0), (9.0, 20.0)]


def session(count: int, *, busy: bool = False, answered: bool = False) -> Session:
    made = Session()
    for point in POINTS[:count]:
        made.add_point("extreme", point)
    if busy:
        made.begin()
    if answered:
        made.segmentation = object()  # type: ignore[assignment]
    return made


@pytest.mark.parametrize(
    ("state", "facts", "kind", "words"),
    [
        (session(0), {"image": None}, "hint", "Open an image first"),
        (session(4, busy=True), {"problem": "Bad."}, "error", "Bad."),
        (session(4, busy=True), {"loading": True}, "busy", "Loading the model"),
        (session(4, busy=True), {}, "busy", "Finding the object"),
        (session(4, answered=True), {}, "done", "Enter accepts"),
        (session(0), {"armed": False}, "hint", "Press D"),
        (session(0), {"done": "Object 3 is in 'x'."}, "done", "Object 3 is in 'x'. Click the next"),
        (session(0), {}, "hint", "topmost"),
        (session(1), {"done": "Object 3."}, "hint", "3 more extreme points"),
        (session(3), {}, "hint", "1 more extreme point:"),
    ],
)
def test_status(state: Session, facts: dict[str, Any], kind: str, words: str) -> None:
    bench = SimpleNamespace(image=facts.get("image", object()), armed=facts.get("armed", True))
    model = SimpleNamespace(loading=facts.get("loading", False))
    status = status_of(state, bench, model, problem=facts.get("problem"), done=facts.get("done"))  # type: ignore[arg-type]
    assert status.kind == kind
    assert words in status.text


def test_sentences_of_errors() -> None:
    assert sentence_of(PromptError("Click four points.")) == "Click four points."
    assert "ValueError: no" in sentence_of(ValueError("no"))
