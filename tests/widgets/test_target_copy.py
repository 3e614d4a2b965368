"""Copies of Labels layers that cannot be written."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import dask.array as da
import numpy as np
import pytest

from napari_dextr.errors import OutputError
from napari_dextr.widgets import target_copy
from napari_dextr.widgets.target_copy import CopyPanel, TargetCopy

Rig = Any  # the fixtures of conftest.py: a viewer model with an image, a controller, and what it said


@pytest.fixture
def copying(rig: Rig) -> Iterator[TargetCopy]:
    rig.open()
    pixels = np.zeros((40, 50), np.int32)
    pixels[30:, 40:] = 6
    rig.do.set_target(rig.viewer.add_labels(da.from_array(pixels, chunks=10), name="lazy"))
    made = TargetCopy(rig.do)
    yield made
    made.close()


def test_work_goes_on_in_the_copy(qtbot: Any, rig: Rig, copying: TargetCopy) -> None:
    panel = CopyPanel()
    qtbot.addWidget(panel)
    panel.show_copy(copying)
    assert not panel.isHidden()
    assert "dask" in panel.text.text()
    assert panel.button.text() == "Work on a copy"
    rig.segment()
    rig.do.accept()
    assert "copy" in rig.notices[-1][0]
    copying.toggle()
    panel.show_copy(copying)
    assert "Cancel" in panel.button.text()
    qtbot.waitUntil(lambda: not copying.running)
    panel.show_copy(copying)
    assert panel.isHidden()
    target = rig.do.target.layer
    assert target is not None
    assert target.name == "lazy copy"
    rig.do.accept()
    assert set(np.unique(target.data)) == {0, 6, 7}
    assert rig.names.index("lazy copy") < rig.names.index("Extreme clicks")


def test_cancelling_and_failing_leave_things_as_they_were(
    qtbot: Any, rig: Rig, copying: TargetCopy, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = rig.names

    def endless() -> Iterator[tuple[int, int]]:
        while True:
            yield 1, 100

    monkeypatch.setattr(target_copy, "editable_copy", lambda layer: (layer, endless()))
    copying.start()
    qtbot.waitUntil(lambda: copying.share == 0.01)
    copying.toggle()
    qtbot.waitUntil(lambda: not copying.running)

    def broken() -> Iterator[tuple[int, int]]:
        raise ValueError("no file")
        yield

    monkeypatch.setattr(target_copy, "editable_copy", lambda layer: (layer, broken()))
    copying.start()
    qtbot.waitUntil(lambda: bool(rig.notices))
    assert "no file" in rig.notices[-1][0]

    def full(layer: Any) -> Any:
        raise OutputError("There is not enough memory.")

    monkeypatch.setattr(target_copy, "editable_copy", full)
    copying.start()
    assert "memory" in rig.notices[-1][0]
    assert rig.names == before


def test_without_need_there_is_no_offer(rig: Rig, copying: TargetCopy) -> None:
    assert copying.reason is not None
    rig.do.set_target(None)
    assert copying.reason is None
    copying.start()
    assert not copying.running
