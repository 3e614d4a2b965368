"""Autosave, and recovery after a crash, or after an end that nobody wanted."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from napari.components import ViewerModel
from qtpy.QtWidgets import QApplication

from napari_dextr.errors import OutputError
from napari_dextr.napari_io import parked_sessions
from napari_dextr.napari_io.writer import write_layers
from napari_dextr.session.autosave import Journal
from napari_dextr.session.recovery import Found, recover, recoverable
from napari_dextr.widgets.controller import AnnotateController
from napari_dextr.widgets.export_job import ExportJob, ExportPlan
from napari_dextr.widgets.recovery_panel import RecoveryPanel
from napari_dextr.widgets.safety import Safety

POINTS = [(5.0, 12.0), (14.0, 4.0), (24.0, 13.0), (13.0, 22.0)]


class Rig:
    def __init__(
        self, load: Callable[..., Any], folder: Path, *, on: bool = True, viewer: ViewerModel | None = None
    ) -> None:
        self.viewer = ViewerModel() if viewer is None else viewer
        self.do = AnnotateController(self.viewer, load=load)
        self.safety = Safety(self.do, folder, on=on)
        self.do.set_model("fake", "cpu")

    def open(self, name: str = "cells", width: int = 50) -> None:
        self.do.set_image(self.viewer.add_image(np.zeros((3, 40, width), np.uint8), name=name))
        self.viewer.dims.set_current_step(0, 1)

    def annotate(self, qtbot: Any, plane: int = 1) -> None:
        assert self.do.bench.clicks is not None
        self.viewer.dims.set_current_step(0, plane)
        for point in POINTS:
            self.do.bench.clicks.layer.add([plane, *point])
        qtbot.waitUntil(lambda: self.do.session.segmentation is not None)
        self.do.accept()

    def close(self) -> None:
        """As the widget does when its dock is taken out of the window."""
        self.safety.close()
        self.do.close()

    def leave(self) -> None:
        """As napari does when it quits."""
        self.viewer.layers.clear()
        self.close()

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
        rig.close()
        rig.viewer.layers.clear()
    parked_sessions.release_closed()
    qtbot.waitUntil(lambda: not any(rig.do.model.running for rig in rigs))


def annotated(qtbot: Any, make: Callable[..., Rig]) -> Rig:
    """A session with one object on its image."""
    rig = make()
    rig.open()
    rig.annotate(qtbot)
    return rig


def journals(tmp_path: Path) -> list[Path]:
    return [path for path in (tmp_path / "sessions").iterdir() if path.stat().st_size]


@pytest.fixture
def save(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Rig], None]:
    """*File > Save All Layers…* with our writer."""

    def saver(rig: Rig) -> None:
        monkeypatch.setattr("napari_dextr.napari_io.writer.current_viewer", lambda: rig.viewer)
        write_layers(str(tmp_path / "a.json"), [layer.as_layer_data_tuple() for layer in rig.viewer.layers])

    return saver


def export(qtbot: Any, path: Path, *layers: Any, **options: Any) -> None:
    """*Export COCO*."""
    job = ExportJob()
    with qtbot.waitSignal(job.done):
        job.export(ExportPlan(pairs=[(layer, None) for layer in layers], path=path, **options))
    job.stop()


def offer(qtbot: Any, found: list[Found]) -> str:
    panel = RecoveryPanel()
    qtbot.addWidget(panel)
    panel.show_found(found)
    return panel.text.text()


def test_a_good_end_leaves_nothing_where_nothing_was_accepted(
    qtbot: Any, make: Callable[..., Rig], tmp_path: Path
) -> None:
    rig = make()
    assert "nothing to save" in rig.safety.text
    rig.open()
    rig.annotate(qtbot)
    rig.do.undo()
    assert rig.safety.text == "Autosave: on"
    assert journals(tmp_path)
    rig.safety.close()
    assert not journals(tmp_path)


def test_a_good_end_leaves_nothing_where_all_is_saved(
    qtbot: Any, make: Callable[..., Rig], tmp_path: Path, save: Callable[[Rig], None]
) -> None:
    rig = annotated(qtbot, make)
    assert rig.safety.text == "Autosave: on (1 object not exported yet)"
    told: list[str] = []
    rig.safety.changed.connect(lambda: told.append(rig.safety.text))
    save(rig)
    assert told == ["Autosave: on"]
    rig.safety.close()
    assert not journals(tmp_path)


@pytest.mark.parametrize("formats", [("coco",), ("semantic",), ("instances",), ("yolo",)], ids="+".join)
def test_every_export_counts_until_something_changes(
    qtbot: Any, make: Callable[..., Rig], tmp_path: Path, formats: tuple[str, ...]
) -> None:
    rig = annotated(qtbot, make)
    export(qtbot, tmp_path / "a.json", rig.do.target.layer, formats=formats)
    assert rig.safety.text == "Autosave: on"
    rig.do.undo()
    assert rig.safety.text == "Autosave: on (changes not exported yet)"
    export(qtbot, tmp_path / "a.json", rig.do.target.layer, formats=formats, replace=True)
    rig.do.redo()
    assert rig.safety.text == "Autosave: on (1 object not exported yet)"
    export(qtbot, tmp_path / "a.json", rig.do.target.layer, formats=formats)
    rig.safety.close()
    assert not journals(tmp_path)


@pytest.mark.parametrize("late", [False, True])
def test_a_layer_that_is_removed_while_it_is_exported_is_not_offered_any_more_then(
    qtbot: Any, make: Callable[..., Rig], tmp_path: Path, late: bool
) -> None:
    rig = annotated(qtbot, make)
    layer, job = rig.do.target.layer, ExportJob()
    plan = ExportPlan(pairs=[(layer, None)], path=tmp_path / "a.json")
    with qtbot.waitSignal(job.done):
        job.export(plan)
        if late:
            rig.do.objects.add_class("cell")
            rig.do.objects.classify(1)  # no part of that file
        rig.viewer.layers.remove(layer)
        QApplication.processEvents()
    if late:
        qtbot.waitUntil(lambda: bool(rig.safety.found))
        assert offer(qtbot, rig.safety.found).endswith(", with 1 object that was not exported.")
    else:
        qtbot.waitUntil(lambda: not rig.safety.found)
        assert recoverable(tmp_path / "sessions") == []
        assert [path for path in journals(tmp_path) if path != rig.safety.journal.path] == []  # type: ignore[union-attr]
    job.stop()


def test_an_export_of_one_layer_saves_that_layer(qtbot: Any, make: Callable[..., Rig], tmp_path: Path) -> None:
    rig = annotated(qtbot, make)
    first = rig.do.target.layer
    rig.do.set_target(None)
    rig.annotate(qtbot, 2)
    rig.annotate(qtbot, 0)
    assert rig.do.target.layer is not first
    export(qtbot, tmp_path / "a.json", first)
    assert rig.safety.text == "Autosave: on (2 objects not exported yet)"
    rig.leave()
    (found,) = recoverable(tmp_path / "sessions")
    assert (found.objects, found.saved) == (3, 1)
    assert offer(qtbot, [found]).endswith(", with 2 objects that were not exported.")


def test_an_export_that_comes_to_nothing_saves_nothing(qtbot: Any, make: Callable[..., Rig], tmp_path: Path) -> None:
    rig = annotated(qtbot, make)
    job = ExportJob()
    (tmp_path / "a.json").write_text('{"shapes": []}')
    with qtbot.waitSignal(job.failed):
        job.export(ExportPlan(pairs=[(rig.do.target.layer, None)], path=tmp_path / "a.json"))
    job.stop()
    assert "1 object not exported" in rig.safety.text


def test_what_was_closed_unsaved_is_offered_recovered_and_unsaved_still(
    qtbot: Any, make: Callable[..., Rig], tmp_path: Path
) -> None:
    rig = annotated(qtbot, make)
    rig.annotate(qtbot, 2)
    before = np.array(rig.do.target.layer.data)
    rig.leave()
    for _ in range(2):  # closed unsaved once more
        again = make()
        qtbot.waitUntil(lambda again=again: bool(again.safety.found))
        assert offer(qtbot, again.safety.found).startswith("Annotate was closed on ")
        assert offer(qtbot, again.safety.found).endswith(", with 2 objects that were not exported.")
        again.open()
        again.safety.recover()
        np.testing.assert_array_equal(again.do.target.layer.data, before)
        assert again.safety.text == "Autosave: on (2 objects not exported yet)"
        assert not again.safety.found
        assert len(journals(tmp_path)) == 1
        again.leave()


def test_a_layer_that_was_removed_unsaved_is_offered_at_once_and_later(
    qtbot: Any, make: Callable[..., Rig], tmp_path: Path
) -> None:
    rig = annotated(qtbot, make)
    before = rig.do.target.layer.data.copy()
    rig.viewer.layers.remove("DEXTR labels")
    qtbot.waitUntil(lambda: bool(rig.safety.found))
    assert offer(qtbot, rig.safety.found).startswith("Labels were removed on ")
    assert offer(qtbot, rig.safety.found).endswith(", with 1 object that was not exported.")
    assert rig.safety.text == "Autosave: on"
    rig.leave()
    again = make()
    qtbot.waitUntil(lambda: bool(again.safety.found))
    again.open()
    again.safety.recover()
    np.testing.assert_array_equal(again.do.target.layer.data, before)
    assert not again.safety.found
    assert again.safety.text == "Autosave: on (1 object not exported yet)"


def test_a_layer_that_was_removed_comes_back_beside_the_next_one(qtbot: Any, make: Callable[..., Rig]) -> None:
    rig = annotated(qtbot, make)
    before = rig.do.target.layer.data.copy()
    rig.viewer.layers.remove("DEXTR labels")
    rig.annotate(qtbot, 2)
    second = rig.do.target.layer
    qtbot.waitUntil(lambda: bool(rig.safety.found))
    rig.safety.recover()
    np.testing.assert_array_equal(rig.do.target.layer.data, before)
    assert rig.do.target.layer is not second
    assert not second.data[1].any()
    assert rig.safety.text == "Autosave: on (2 objects not exported yet)"


def test_a_layer_without_anything_unsaved_goes_silently(
    qtbot: Any, make: Callable[..., Rig], tmp_path: Path, save: Callable[[Rig], None]
) -> None:
    rig = annotated(qtbot, make)
    save(rig)
    rig.viewer.layers.remove("DEXTR labels")
    qtbot.wait(1)
    assert len(journals(tmp_path)) == 1
    rig.leave()
    assert not journals(tmp_path)


def test_closing_the_widget_offers_nothing_while_the_layer_is_there(
    qtbot: Any, make: Callable[..., Rig], tmp_path: Path
) -> None:
    rig = annotated(qtbot, make)
    rig.close()
    assert len(journals(tmp_path)) == 1
    again = make(viewer=rig.viewer)
    again.safety.left._look()
    assert recoverable(tmp_path / "sessions") == []
    again.close()
    rig.viewer.layers.remove("DEXTR labels")
    third = make(viewer=rig.viewer)
    qtbot.waitUntil(lambda: bool(third.safety.found))
    assert "1 object that was not exported" in offer(qtbot, third.safety.found)
    assert again.safety.found == []


def test_a_layer_of_a_widget_that_was_closed_is_offered_at_once_when_it_is_removed(
    qtbot: Any, make: Callable[..., Rig]
) -> None:
    rig = annotated(qtbot, make)
    before = rig.do.target.layer.data.copy()
    rig.close()
    again = make(viewer=rig.viewer)
    again.do.set_image(rig.viewer.layers["cells"])
    again.do.set_target(None)
    qtbot.wait(1)
    assert not again.safety.found
    rig.viewer.layers.remove("DEXTR labels")
    qtbot.waitUntil(lambda: bool(again.safety.found))
    again.safety.recover()
    np.testing.assert_array_equal(again.do.target.layer.data, before)
    assert not again.safety.found


def test_an_export_after_the_widget_was_closed_counts(qtbot: Any, make: Callable[..., Rig], tmp_path: Path) -> None:
    rig = annotated(qtbot, make)
    first = rig.do.target.layer
    rig.do.set_target(None)
    rig.annotate(qtbot, 2)
    second = rig.do.target.layer
    rig.close()
    export(qtbot, tmp_path / "a.json", first)
    assert recover(journals(tmp_path)[0]).left == 1
    export(qtbot, tmp_path / "a.json", second)
    assert not journals(tmp_path)


def test_the_next_widget_goes_on_with_what_the_first_one_left(
    qtbot: Any, make: Callable[..., Rig], tmp_path: Path
) -> None:
    rig = annotated(qtbot, make)
    layer = rig.do.target.layer
    layer.paint((1, 35, 45), 7)
    rig.close()
    again = make(viewer=rig.viewer)
    again.do.set_image(rig.viewer.layers["cells"])
    assert again.safety.journal is None
    again.do.set_target(layer)
    assert again.safety.text == "Autosave: on (1 object not exported yet)"
    assert len(journals(tmp_path)) == 1
    again.annotate(qtbot, 2)
    before = layer.data.copy()
    again.crash()
    rig.viewer.layers.clear()
    third = make()
    qtbot.waitUntil(lambda: bool(third.safety.found))
    assert "2 objects annotated here" in offer(qtbot, third.safety.found)
    third.open()
    third.safety.recover()
    np.testing.assert_array_equal(third.do.target.layer.data, before)
    assert third.safety.found == []


def test_objects_that_have_gone_from_the_record_of_the_layer_stay_where_they_are(
    qtbot: Any, make: Callable[..., Rig], tmp_path: Path
) -> None:
    rig = annotated(qtbot, make)
    layer = rig.do.target.layer
    rig.close()
    layer.metadata.clear()
    again = make(viewer=rig.viewer)
    again.do.set_image(rig.viewer.layers["cells"])
    again.do.set_target(layer)
    assert "nothing to save" in again.safety.text
    assert recover(journals(tmp_path)[0]).objects == 1


def test_what_the_next_widget_cannot_go_on_with_stays(
    qtbot: Any, make: Callable[..., Rig], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig = annotated(qtbot, make)
    rig.close()
    again = make(viewer=rig.viewer)
    again.do.set_image(rig.viewer.layers["cells"])

    def full(journal: Journal) -> None:
        raise OutputError("The disk is full.")

    monkeypatch.setattr(Journal, "rewrite", full)
    again.do.set_target(rig.viewer.layers["DEXTR labels"])
    again.do.changed.emit()
    monkeypatch.undo()
    again.close()
    rig.viewer.layers.clear()
    parked_sessions.release_closed()
    assert [found.objects for found in recoverable(tmp_path / "sessions")] == [1]


def test_a_session_whose_image_is_not_open_does_not_bar_the_way_to_another(
    qtbot: Any, make: Callable[..., Rig]
) -> None:
    for name, width in (("cells", 50), ("tissue", 60)):
        rig = make()
        rig.open(name, width)
        rig.annotate(qtbot)
        rig.leave()
    again = make()
    again.open("cells")
    qtbot.waitUntil(lambda: len(again.safety.found) == 2)
    again.safety.recover()
    assert "'tissue'" in (again.do.notices.problem or "")
    again.safety.offer_another()
    again.safety.recover()
    assert [found.objects for found in again.safety.found] == [1]
    assert len(again.do.session.objects) == 1
    panel = RecoveryPanel()
    qtbot.addWidget(panel)
    panel.show_found(again.safety.found)
    assert panel.another.isHidden()
    panel.show_found(again.safety.found * 2)
    assert not panel.another.isHidden()


def test_what_cannot_be_thrown_away_is_said(
    qtbot: Any, make: Callable[..., Rig], monkeypatch: pytest.MonkeyPatch
) -> None:
    rig = annotated(qtbot, make)
    rig.leave()
    again = make()
    qtbot.waitUntil(lambda: bool(again.safety.found))

    def refuse(path: Path, missing_ok: bool = False) -> None:
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", refuse)
        again.safety.forget()
    assert "cannot be removed" in (again.do.notices.problem or "")
    assert again.safety.found


CHILD = """
import sys
import napari, numpy as np
from qtpy.QtCore import QTimer
from napari_dextr.napari_io.writer import write_layers
from tests.widgets.conftest import FakeSegmenter
from napari_dextr.widgets.annotate import AnnotateWidget

how, file, *steps = sys.argv[1:]
viewer = napari.Viewer()
viewer.add_image(np.zeros((3, 40, 50), np.uint8), name="cells")
widget = AnnotateWidget(viewer, load=lambda *_: FakeSegmenter())
dock = viewer.window.add_dock_widget(widget)
do = widget.controller
left = 0

def step():
    if not steps:
        return end()
    name = steps.pop(0)
    if name == "save":
        viewer.layers.save(file, plugin="napari-dextr")
        return step()
    global left
    for row, col in [(5, 4), (14, 0), (24, 4), (13, 8)]:
        do.bench.clicks.layer.add([1, row, col + left])
    left += 12
    accept()

def accept():
    if do.session.segmentation is None:
        return QTimer.singleShot(20, accept)
    do.accept()
    step()

def end():
    if how == "dock":
        viewer.window.remove_dock_widget(dock)
        QTimer.singleShot(50, viewer.window._qt_window.close)
    elif how == "quit":
        viewer.window._qt_window.close(quit_app=True)
    else:
        viewer.window._qt_window.close()

QTimer.singleShot(500, step)
napari.run()
"""


@pytest.mark.screen
@pytest.mark.long
@pytest.mark.parametrize(
    ("how", "steps", "left"),
    [
        ("window", ["accept", "accept"], 2),
        ("quit", ["accept", "save", "accept"], 1),
        ("dock", ["accept", "save"], None),
    ],
)
def test_napari_ends_in_another_process(
    qtbot: Any, make: Callable[..., Rig], tmp_path: Path, how: str, steps: list[str], left: int | None
) -> None:
    command = [sys.executable, "-c", CHILD, how, str(tmp_path / "a.json"), *steps]
    environment = {**os.environ, "NAPARI_DEXTR_DATA": str(tmp_path)}
    subprocess.run(command, cwd=Path(__file__).parents[2], env=environment, timeout=200, check=False)
    found = recoverable(tmp_path / "sessions")
    if left is None:
        assert not journals(tmp_path)
        return
    assert [(item.objects - item.saved, item.ended) for item in found] == [(left, True)]
    rig = make()
    qtbot.waitUntil(lambda: bool(rig.safety.found))
    rig.open()
    rig.safety.recover()
    assert len(rig.do.session.objects) == steps.count("accept")
    assert rig.do.target.layer.data[1, 10, 3:16].any()
    assert recoverable(tmp_path / "sessions") == []


def test_switched_off_it_writes_nothing(qtbot: Any, make: Callable[..., Rig], tmp_path: Path) -> None:
    rig = make(on=False)
    rig.open()
    rig.annotate(qtbot)
    assert rig.safety.text == "Autosave is off"
    assert not (tmp_path / "sessions").exists()


def test_what_a_crash_ended_is_offered_and_recovered(qtbot: Any, make: Callable[..., Rig], tmp_path: Path) -> None:
    rig = annotated(qtbot, make)
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


def test_a_recovered_layer_has_its_name_and_what_was_exported_stays_exported(
    qtbot: Any, make: Callable[..., Rig], tmp_path: Path
) -> None:
    rig = annotated(qtbot, make)
    export(qtbot, tmp_path / "a.json", rig.do.target.layer)
    rig.annotate(qtbot, 2)
    rig.do.target.layer.name = "nuclei, first look"
    rig.crash()
    for _ in range(2):  # it ends in good order after that, and is offered once more
        again = make()
        qtbot.waitUntil(lambda again=again: bool(again.safety.found))
        again.open()
        again.safety.recover()
        assert again.do.target.layer.name == "nuclei, first look"
        assert again.safety.text == "Autosave: on (1 object not exported yet)"
        assert again.do.session.target is again.do.target.layer
        again.leave()
        (found,) = recoverable(tmp_path / "sessions")
        assert (found.objects, found.saved) == (2, 1)


def test_a_layer_that_is_renamed_after_the_widget_was_closed_comes_back_under_that_name(
    qtbot: Any, make: Callable[..., Rig]
) -> None:
    rig = annotated(qtbot, make)
    rig.close()
    rig.viewer.layers["DEXTR labels"].name = "nuclei, second look"
    rig.viewer.layers.clear()
    again = make()
    qtbot.waitUntil(lambda: bool(again.safety.found))
    again.open()
    again.safety.recover()
    assert again.do.target.layer.name == "nuclei, second look"


def test_what_was_recovered_but_cannot_be_saved_is_offered_still(
    qtbot: Any, make: Callable[..., Rig], monkeypatch: pytest.MonkeyPatch
) -> None:
    rig = annotated(qtbot, make)
    rig.crash()
    again = make()
    qtbot.waitUntil(lambda: bool(again.safety.found))
    again.open()

    def full(journal: Journal) -> None:
        raise OutputError("The disk is full.")

    again.safety._begun()
    monkeypatch.setattr(Journal, "rewrite", full)
    again.safety.recover()
    assert list(again.do.session.objects) == [1]
    assert again.do.notices.problem == "The disk is full."
    assert again.safety.found
    assert again.safety.found[0].path.exists()


def test_a_session_can_be_thrown_away(qtbot: Any, make: Callable[..., Rig], tmp_path: Path) -> None:
    rig = annotated(qtbot, make)
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


def test_a_layer_that_was_deleted_to_start_over_does_not_come_back_with_the_next(
    qtbot: Any, make: Callable[..., Rig]
) -> None:
    rig = annotated(qtbot, make)
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
    rig = annotated(qtbot, make)
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
