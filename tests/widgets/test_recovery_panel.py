"""What is offered for recovery, in words."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from napari_dextr.session.recovery import Found
from napari_dextr.widgets.recovery_panel import RecoveryPanel


def offer(qtbot: Any, found: list[Found]) -> str:
    panel = RecoveryPanel()
    qtbot.addWidget(panel)
    panel.show_found(found)
    return panel.text.text()


def test_several_are_offered_one_after_the_other(qtbot: Any) -> None:
    now = datetime(2026, 11, 30, 12, tzinfo=timezone.utc)
    found = [Found(Path(str(n)), now, now - timedelta(days=n), 37, 12 * (n % 2), n < 2) for n in range(4)]
    texts = [offer(qtbot, found[n:]) for n in range(4)]
    assert [text.partition(", with ")[2] for text in texts] == [
        "37 objects that were not exported. There are 3 other sessions too.",
        "25 objects that were not exported. There are 2 other sessions too.",
        "37 objects annotated here. There is 1 other session too.",
        "37 objects annotated here, 12 of them exported.",
    ]
    assert [text.split(" on ")[0] for text in texts] == ["Annotate was closed"] * 2 + ["napari ended unexpectedly"] * 2


def test_the_offer_is_true_of_few_and_of_all(qtbot: Any) -> None:
    now = datetime(2026, 11, 30, 12, tzinfo=timezone.utc)
    for objects, saved, ended, text in [
        (1, 0, True, "1 object that was not exported."),
        (3, 3, True, "changes that were not exported."),
        (3, 3, False, "3 objects annotated and exported here."),
    ]:
        assert offer(qtbot, [Found(Path("a"), now, now, objects, saved, ended)]).endswith(f", with {text}")


def test_a_crash_before_the_first_object_is_told_without_counting_to_nought(qtbot: Any) -> None:
    now = datetime(2026, 11, 30, 12, tzinfo=timezone.utc)
    assert offer(qtbot, [Found(Path("a"), now, now, objects=0)]).endswith(", while an object was marked here.")


def test_what_boxes_to_masks_left_is_told_as_what_it_found(qtbot: Any) -> None:
    now = datetime(2026, 11, 30, 12, tzinfo=timezone.utc)
    when = now.astimezone().strftime("%d %B, %H:%M")
    for saved, ended, removed, text in [
        (1, True, False, f"Boxes to masks found 2 objects on {when}, that were not exported."),
        (2, True, False, f"Boxes to masks found 1 object on {when}, that was not exported."),
        (3, True, False, f"Boxes to masks made changes on {when}, that were not exported."),
        (0, True, True, f"Labels were removed on {when}, with 3 objects that were not exported."),
        (0, False, False, f"napari ended unexpectedly on {when}, with 3 objects found by Boxes to masks."),
        (
            3,
            False,
            False,
            f"napari ended unexpectedly on {when}, with 3 objects found by Boxes to masks and exported here.",
        ),
    ]:
        found = Found(Path("a"), now, now, 3, saved, ended, removed, "Boxes to masks")
        assert offer(qtbot, [found]) == text
