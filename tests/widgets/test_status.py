"""One sentence for each state."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from napari_dextr.session import Session
from napari_dextr.widgets.status import status_of

POINTS = [(20.0, 100.0), (100.0, 10.0), (180.0, 110.0), (90.0, 200.0)]


def session(count: int, *, busy: bool = False, answered: bool = False, box: bool = False) -> Session:
    made = Session()
    for point in POINTS[:count]:
        made.add_point("extreme", point)
    if box:
        made.set_box((10.0, 10.0, 90.0, 90.0))
    if busy:
        made.begin()
    if answered:
        made.segmentation = object()  # type: ignore[assignment]
    return made


CLOSE = session(2)
CLOSE.add_point("extreme", (100.5, 10.5))


@pytest.mark.parametrize(
    ("state", "facts", "kind", "words"),
    [
        (session(0), {"image": None}, "hint", "Open an image first"),
        (session(4, busy=True), {"problem": "Bad."}, "error", "Bad."),
        (session(4, busy=True), {"loading": True}, "busy", "Loading the model"),
        (session(4, busy=True), {"loading": True, "progress": (0, 0)}, "busy", "Downloading the model…"),
        (session(4, busy=True), {"loading": True, "progress": (9, 9)}, "busy", "Downloaded. Loading"),
        (session(4, busy=True), {"loading": True, "progress": (40e6, 200e6)}, "busy", "40 of 200 MB"),
        (session(4, busy=True), {"loading": True, "progress": (40e6, 0)}, "busy", "model: 40 MB"),
        (session(4, busy=True), {}, "busy", "Finding the object"),
        (session(4, busy=True), {"to_accept": True}, "busy", "Finding the object… It is accepted as soon as"),
        (session(4, busy=True), {"loading": True, "to_accept": True}, "busy", "are kept. It is accepted as soon as"),
        (session(4, answered=True), {}, "done", "Enter accepts"),
        (session(4, answered=True), {"next": "inside"}, "done", "where something is missing"),
        (session(0, answered=True, box=True), {"next": "box"}, "done", "handles"),
        (CLOSE, {}, "doubt", "Points 2 and 3 coincide"),
        (session(4, answered=True), {"zoom": 0.05}, "doubt", "zoom in for exact points. Enter accepts"),
        (session(0), {"armed": False}, "hint", "Press D"),
        (
            session(0),
            {"image": SimpleNamespace(name="cy5"), "hidden": True},
            "doubt",
            "'cy5', the image that you mark, is",
        ),
        (session(4, answered=True), {"image": SimpleNamespace(name="cy5"), "hidden": True}, "doubt", "Enter accepts"),
        (session(0), {"done": "Object 3 is in 'x'."}, "done", "Object 3 is in 'x'. Go on"),
        (session(0), {}, "hint", "topmost"),
        (session(0), {"next": "box"}, "hint", "Drag a box"),
        (session(0), {"next": "corners"}, "hint", "one corner"),
        (session(0), {"next": "corners", "corners": [(1, 1)]}, "hint", "opposite"),
        (session(1), {"done": "Object 3."}, "hint", "3 more extreme points"),
        (session(3), {}, "hint", "1 more extreme point:"),
        (session(3), {}, "hint", "Q segments with three"),
    ],
)
def test_status(state: Session, facts: dict[str, Any], kind: str, words: str) -> None:
    bench = SimpleNamespace(
        image=facts.get("image", object()),
        armed=facts.get("armed", True),
        hidden=facts.get("hidden", False),
        zooms=(facts.get("zoom", 1.0),) * 2,
        clicks=SimpleNamespace(corners=lambda plane: facts.get("corners", [])),
    )
    model = SimpleNamespace(loading=facts.get("loading", False), progress=facts.get("progress"))
    prompts = SimpleNamespace(kind=facts.get("next", "extreme"), plane=object())
    notices = SimpleNamespace(problem=facts.get("problem"), done=facts.get("done"))
    status = status_of(
        state,
        bench,
        prompts,
        model,
        notices,
        facts.get("to_accept", False),  # type: ignore[arg-type]
    )
    assert status.kind == kind
    assert words in status.text
