"""Autosave, and recovery after a crash."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_dextr.errors import OutputError
from napari_dextr.session.autosave import Journal
from napari_dextr.session.recovery import Found
from napari_dextr.widgets.controller import AnnotateController
from napari_dextr.widgets.safety import RecoveryPanel, Safety

POINTS = [(5.0, 12.0), (14.0, 4.0), (24.0, 13.0), (13.0, 22.0)]


class Rig:
    def __init__(self, load: Callable[..., Any], folder: Path, *, on: bool = True) -> None:
        self.viewer = ViewerModel()
        self.do = AnnotateController(self.viewer, load=load)
        self.safety = Safety(self.do, folder, on=on)
        self.do.set_model("fake", "cpu")

    def open(self, name: str = "cells", width: int = 50) -> None:
        self.do.set_image(self.viewer.add_image(np.zeros((3, 40, width), np.uint8), name=name))
        self.viewer.dims.set_current_step(0, 1)

    def annotate(self, qtbot: Any) -> None:
        assert self.do.bench.clicks is not None
        for point in POINTS:
            self.do.bench.clicks.layer.add([1, *point])
        qtbot.waitUntil(lambda: self.do.session.segmentation is not None)
        self.do.accept()

    def crash(self) -> None:
        """Let go of the journal's lock, as the system does when a process dies; say nothing more."""
        journal = self.safety.journal
        assert journal is not None
        self.do.session.unwatch(journal._on_change)
        journal._close_file()
        journal._lock.release()


@pytest.fixture
def make(qtbot: Any, load: Callable[..., Any], tmp_path: Path) -> Iterator[Callable[..., Rig]]:
    rigs: list[Rig] = []

    def maker(**options: Any) -> Rig:
        rigs.append(Rig(load, tmp_path / "sessions", **options))
        return rigs[-1]

    yield maker
    for rig in rigs:
        rig.safety.close()
        rig.do.close()
    qtbot.waitUntil(lambda: not any(rig.do.model.running for rig in rigs))


def test_a_good_end_leaves_nothing(qtbot: Any, make: Callable[..., Rig], tmp_path: Path) -> None:
    rig = make()
    assert "nothing to save" in rig.safety.text
    rig.open()
    rig.annotate(qtbot)
    assert "safe from a crash" in rig.safety.text
    assert list((tmp_path / "sessions").iterdir())
    rig.safety.close()
    assert not [path for path in (tmp_path / "sessions").iterdir() if path.stat().st_size]


def test_a_crash_before_the_first_object_is_told_without_counting_to_nought(qtbot: Any) -> None:
    panel = RecoveryPanel()
    qtbot.addWidget(panel)
    now = datetime(2026, 11, 30, 12, tzinfo=timezone.utc)
    panel.show_found([Found(Path("a"), now, now, objects=0)])
    assert panel.text.text().endswith(", while an object was marked here.")


def test_switched_off_it_writes_nothing(qtbot: Any, make: Callable[..., Rig], tmp_path: Path) -> None:
    rig = make(on=False)
    rig.open()
    rig.annotate(qtbot)
    assert rig.safety.text == "Autosave is off"
    assert not (tmp_path / "sessions").exists()


def test_what_a_crash_ended_is_offered_and_recovered(qtbot: Any, make: Callable[..., Rig], tmp_path: Path) -> None:
    rig = make()
    rig.open()
    rig.annotate(qtbot)
    assert rig.do.target.layer is not None
    before = np.array(rig.do.target.layer.data)
    assert rig.do.bench.clicks is not None
    rig.do.bench.clicks.layer.add([1, 30, 30])
    rig.crash()

    again = make()
    qtbot.waitUntil(lambda: bool(again.safety.found))
    panel = RecoveryPanel()
    qtbot.addWidget(panel)
    panel.show_found(again.safety.found)
    assert "1 object annotated" in panel.text.text()
    again.safety.recover()
    assert "Open the image 'cells' first" in again.do.status.text or again.do.notices.problem is not None
    again.open("renamed since")
    again.safety.recover()
    assert again.do.target.layer is not None
    np.testing.assert_array_equal(again.do.target.layer.data, before)
    assert list(again.do.session.objects) == [1]
    assert [mark.row for mark in again.do.session.marks] == [30]
    assert again.viewer.dims.current_step[0] == 1
    assert again.safety.found == []
    again.do.reopen(1)
    assert again.do.session.reopened == 1
    panel.show_found(again.safety.found)
    assert panel.isHidden()


def test_what_was_recovered_but_cannot_be_saved_is_offered_still(
    qtbot: Any, make: Callable[..., Rig], monkeypatch: pytest.MonkeyPatch
) -> None:
    rig = make()
    rig.open()
    rig.annotate(qtbot)
    rig.crash()
    again = make()
    qtbot.waitUntil(lambda: bool(again.safety.found))
    again.open()

    def full(journal: Journal) -> None:
        raise OutputError("The disk is full.")

    again.safety._begin()
    monkeypatch.setattr(Journal, "rewrite", full)
    again.safety.recover()
    assert list(again.do.session.objects) == [1]
    assert again.do.notices.problem == "The disk is full."
    assert again.safety.found
    assert again.safety.found[0].path.exists()


def test_a_session_can_be_thrown_away(qtbot: Any, make: Callable[..., Rig], tmp_path: Path) -> None:
    rig = make()
    rig.open()
    rig.annotate(qtbot)
    rig.crash()
    again = make()
    qtbot.waitUntil(lambda: bool(again.safety.found))
    again.safety.forget()
    again.safety.forget()
    again.safety.recover()
    assert again.safety.found == []


def crashed(qtbot: Any, make: Callable[..., Rig], *names: str) -> None:
    """A session over some images, one object on each, that ended in a crash."""
    rig = make()
    for number, name in enumerate(names):
        rig.open(name, 50 + number)
        rig.annotate(qtbot)
    rig.crash()


def test_what_was_annotated_before_recovering_stays_by_itself(qtbot: Any, make: Callable[..., Rig]) -> None:
    crashed(qtbot, make, "cells")
    again = make()
    qtbot.waitUntil(lambda: bool(again.safety.found))
    again.open()
    again.annotate(qtbot)
    mine = again.do.target.layer
    assert mine is not None
    before = mine.data.copy()
    again.safety.recover()
    assert again.do.target.layer is not mine
    np.testing.assert_array_equal(mine.data, before)
    np.testing.assert_array_equal(again.do.target.layer.data, before)


def test_a_layer_that_was_deleted_to_start_over_does_not_come_back(qtbot: Any, make: Callable[..., Rig]) -> None:
    rig = make()
    rig.open()
    rig.annotate(qtbot)
    rig.viewer.layers.remove("DEXTR labels")
    rig.annotate(qtbot)
    assert rig.do.target.layer is not None
    before = rig.do.target.layer.data.copy()
    rig.crash()
    again = make()
    qtbot.waitUntil(lambda: bool(again.safety.found))
    again.open()
    again.safety.recover()
    assert [layer.name for layer in again.viewer.layers if layer.name.startswith("DEXTR labels")] == ["DEXTR labels"]
    np.testing.assert_array_equal(again.do.target.layer.data, before)


def test_each_object_comes_back_on_its_image_and_the_rest_waits(qtbot: Any, make: Callable[..., Rig]) -> None:
    crashed(qtbot, make, "red", "green")
    again = make()
    qtbot.waitUntil(lambda: bool(again.safety.found))
    again.open("green", 51)
    again.safety.recover()
    assert again.safety.found
    assert again.do.notices.done is not None
    assert "1 object recovered. There is more: Open the image 'red' first" in again.do.notices.done
    first = again.do.target.layer
    assert first.data.shape == (3, 40, 51)
    first.data[1] = 0  # whatever is done with it now, it is not recovered again
    again.open("red", 50)
    again.safety.recover()
    assert not again.safety.found
    assert again.do.target.layer.data.shape == (3, 40, 50)
    assert again.do.target.layer.data.any()
    assert not first.data.any()


def test_pixels_painted_by_hand_survive_a_second_crash(qtbot: Any, make: Callable[..., Rig]) -> None:
    rig = make()
    rig.open()
    rig.annotate(qtbot)
    assert rig.do.target.layer is not None
    rig.do.target.layer.paint((1, 35, 45), 7)
    before = rig.do.target.layer.data.copy()
    for _ in range(2):
        rig.crash()
        rig = make()
        qtbot.waitUntil(lambda rig=rig: bool(rig.safety.found))
        rig.open()
        rig.safety.recover()
        np.testing.assert_array_equal(rig.do.target.layer.data, before)


def test_objects_on_turned_axes_come_back_on_their_plane(qtbot: Any, make: Callable[..., Rig]) -> None:
    rig = make()
    rig.do.set_image(rig.viewer.add_image(np.zeros((30, 40, 50), np.uint8), name="cells"))
    rig.viewer.dims.order = (1, 0, 2)
    rig.viewer.dims.set_current_step(1, 7)
    for row, col in POINTS:
        rig.do.bench.clicks.layer.add([row, 7, col])
    qtbot.waitUntil(lambda: rig.do.session.segmentation is not None)
    rig.do.accept()
    place = rig.do.session.objects[1].place[1]
    rig.crash()
    again = make()
    qtbot.waitUntil(lambda: bool(again.safety.found))
    again.do.set_image(again.viewer.add_image(np.zeros((30, 40, 50), np.uint8), name="cells"))
    again.safety.recover()
    assert again.do.session.objects[1].place[1] == place
    assert again.do.session.objects[1].facts.axes == (0, 2)
