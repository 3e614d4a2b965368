"""The review queue."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from qtpy.QtCore import Qt

from napari_dextr.napari_io.box_batch import ACCEPTED, DELETED, FAILED, Reviewed
from napari_dextr.widgets.boxes_review import ReviewTable


def row(number: int, score: float | None, **options: Any) -> Reviewed:
    task: Any = SimpleNamespace(number=number, class_name="egg")
    return Reviewed(task, score=score, label=number, **options)


@pytest.fixture
def table(qtbot: Any) -> ReviewTable:
    made = ReviewTable()
    qtbot.addWidget(made)
    rows = [row(1, 0.9), row(2, 0.4), row(3, None, state=FAILED, problem="Too small."), row(4, 0.6), row(5, None)]
    made.rows.show_rows(rows)
    return made


def texts(table: ReviewTable) -> list[list[str]]:
    model = table.rows
    return [[model.data(model.index(r, c)) for c in range(model.columnCount())] for r in range(model.rowCount())]


def test_failures_come_first_and_then_the_least_certain(table: ReviewTable) -> None:
    assert [line[1] for line in texts(table)] == ["3", "5", "2", "4", "1"]
    assert texts(table)[0] == ["–", "3", "egg", "⚠ failed"]
    assert texts(table)[2] == ["0.40", "2", "egg", ""]
    tip = Qt.ItemDataRole.ToolTipRole
    assert [table.rows.data(table.rows.index(place, 0), tip) for place in (0, 2)] == ["Too small.", "Box 3"]


def test_going_through(table: ReviewTable) -> None:
    seen: list[int] = []
    table.gone_to.connect(lambda found: seen.append(found.label))
    assert table.current is None
    for answer in (ACCEPTED, DELETED, ACCEPTED, ACCEPTED):
        table.go_on()
        assert table.current is not None
        table.current.state = answer
    table.go_on()  # nothing left: it stays
    assert seen == [5, 2, 4, 1]
    table.rows.touch()
    assert [line[3] for line in texts(table)] == ["⚠ failed", "✓ accepted", "✗ deleted", "✓ accepted", "✓ accepted"]


def test_after_the_last_one_the_open_ones_above_come(table: ReviewTable) -> None:
    table.setCurrentIndex(table.rows.index(4, 0))
    table.rows.rows[4].state = ACCEPTED
    table.go_on()
    assert table.currentIndex().row() == 1


@pytest.mark.parametrize(
    ("key", "name"),
    [
        (Qt.Key.Key_A, "accepted"),
        (Qt.Key.Key_Return, "accepted"),
        (Qt.Key.Key_R, "redone"),
        (Qt.Key.Key_Delete, "deleted"),
        (Qt.Key.Key_Backspace, "deleted"),
    ],
)
def test_keys(qtbot: Any, table: ReviewTable, key: Any, name: str) -> None:
    with qtbot.waitSignal(getattr(table, name)):
        qtbot.keyClick(table, key)


def test_arrows_move(qtbot: Any, table: ReviewTable) -> None:
    table.go_on()
    qtbot.keyClick(table, Qt.Key.Key_Down)
    assert table.current is table.rows.rows[2]
