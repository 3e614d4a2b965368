"""The Boxes to masks widget: from boxes to a reviewed Labels layer."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from napari.components import ViewerModel
from qtpy.QtCore import Qt

from napari_dextr.errors import DextrError
from napari_dextr.models.catalogue import EMBEDDED_FILE
from napari_dextr.models.checkpoint import write_checkpoint
from napari_dextr.models.own import models_folder
from napari_dextr.models.spec import ModelSpec
from napari_dextr.napari_io.box_batch import ACCEPTED, DELETED, OPEN
from napari_dextr.napari_io.object_table import record
from napari_dextr.napari_io.parked_sessions import release_closed
from napari_dextr.napari_io.preferences import read_preferences
from napari_dextr.napari_io.saved_layers import tell_saved
from napari_dextr.session.autosave import SUFFIX
from napari_dextr.session.patches import SparseLabels
from napari_dextr.session.recovery import recover, recoverable
from napari_dextr.session.unsaved import moment
from napari_dextr.widgets.annotate import AnnotateWidget
from napari_dextr.widgets.boxes_to_masks import BoxesToMasksWidget
from napari_dextr.widgets.docks import tell_models_changed
from napari_dextr.widgets.safety import sessions_folder

CORNERS = [(9.5, 4.5), (9.5, 10.5), (20.5, 10.5), (20.5, 4.5)]


@pytest.fixture
def many(segmenter: Any) -> Any:
    def segment_many(image: Any, prompts: Any, *, batch: int = 8, channels: Any = None, limits: Any = None) -> Any:
        return [segmenter.segment(image, prompt, limits=limits) for prompt in prompts]

    segmenter.segment_many = segment_many
    return segmenter


Load = Callable[..., Any]


@pytest.fixture
def take(many: Any) -> Load:
    def load(source: str, device: str, progress: Any = None) -> Any:
        return many

    return load


@pytest.fixture
def made(qtbot: Any, take: Load) -> Iterator[tuple[ViewerModel, BoxesToMasksWidget]]:
    viewer = ViewerModel()
    widget = BoxesToMasksWidget(viewer, load=take)  # type: ignore[arg-type]
    qtbot.addWidget(widget)
    widget.resize(300, 800)
    widget.show()
    yield viewer, widget
    widget.release()


def fill(viewer: Any) -> Any:
    viewer.add_image(np.zeros((4, 60, 80), np.uint8), name="stack")
    data = [[(number, row, col + 15 * number) for row, col in CORNERS] for number in range(3)]
    return viewer.add_shapes(data, shape_type="rectangle", name="boxes")


def run(qtbot: Any, widget: BoxesToMasksWidget) -> None:
    qtbot.waitUntil(lambda: widget.button.isEnabled() and widget.boxes.layer is not None)
    widget.button.click()
    qtbot.waitUntil(lambda: not widget.job.busy)


def test_empty_state(made: tuple[ViewerModel, BoxesToMasksWidget]) -> None:
    _, widget = made
    assert "Open an image first" in widget.message.text.text()
    for button in (widget.button, widget.accept, widget.redo, widget.delete, widget.undo):
        assert not button.isEnabled()


def test_a_download_is_told_while_it_goes_on(qtbot: Any, many: Any) -> None:
    viewer, gate = ViewerModel(), threading.Event()

    def load(source: str, device: str, progress: Any) -> Any:
        progress(61_000_000, 244_000_000)
        gate.wait(60)
        return many

    widget = BoxesToMasksWidget(viewer, load=load)  # type: ignore[arg-type]
    qtbot.addWidget(widget)
    fill(viewer)
    qtbot.waitUntil(widget.button.isEnabled)
    try:
        widget.button.click()
        assert (widget.message.text.text(), widget.bar.maximum()) == ("Preparing …", 0)
        qtbot.waitUntil(lambda: "61 of 244 MB" in widget.message.text.text())
        assert 4 * widget.bar.value() == widget.bar.maximum()
    finally:
        gate.set()
    qtbot.waitUntil(lambda: not widget.job.busy)
    assert widget.bar.isHidden()
    assert "3 objects" in widget.message.text.text()
    widget.release()


def test_run_review_and_undo(qtbot: Any, made: tuple[ViewerModel, BoxesToMasksWidget]) -> None:
    viewer, widget = made
    fill(viewer)
    qtbot.waitUntil(widget.button.isEnabled)
    assert "Find masks" in widget.message.text.text()
    run(qtbot, widget)
    assert widget.message.kind == "done"
    target = viewer.layers["DEXTR labels"]
    assert widget.targets.layer is target
    assert sorted(np.unique(target.data)) == [0, 1, 2, 3]
    first = widget.table.current
    assert first is not None  # it has gone to the first one by itself
    assert viewer.dims.point[0] == first.task.plane.index[0]
    qtbot.keyClick(widget.table, Qt.Key.Key_A)
    second = widget.table.current
    assert (first.state, second is not first) == (ACCEPTED, True)
    qtbot.keyClick(widget.table, Qt.Key.Key_Delete)
    assert second is not None
    assert second.state == DELETED
    assert not (target.data == second.label).any()
    assert "1 to review" in widget.message.text.text()
    widget.undo.click()
    assert (target.data == second.label).any()
    widget.undo.click()
    assert (first.state, widget.undo.toolTip()) == (OPEN, "Undo: the whole run (Ctrl+Z)")
    qtbot.keyClick(widget.table, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    if widget.undo.isEnabled():  # an offscreen window is never active, and shortcuts need an active one
        widget.undo.click()
    assert not target.data.any()
    assert widget.table.rows.rows == []
    assert not widget.undo.isEnabled()
    assert "Undone: the whole run, and the Labels layer" in widget.message.text.text()
    assert [layer.name for layer in viewer.layers] == ["stack", "boxes"]
    assert widget.targets.layer is None
    run(qtbot, widget)  # and once more, from the beginning
    assert sorted(np.unique(viewer.layers["DEXTR labels"].data)) == [0, 1, 2, 3]


def test_all_reviewed(qtbot: Any, made: tuple[ViewerModel, BoxesToMasksWidget]) -> None:
    viewer, widget = made
    fill(viewer)
    run(qtbot, widget)
    for _ in range(3):
        widget.accept.click()
    assert widget.message.text.text() == "✓ All objects are reviewed."


def test_cancelling(qtbot: Any, made: tuple[ViewerModel, BoxesToMasksWidget], many: Any) -> None:
    viewer, widget = made
    fill(viewer)
    many.gate.clear()
    qtbot.waitUntil(widget.button.isEnabled)
    widget.button.click()
    qtbot.waitUntil(many.entered.is_set)
    assert widget.button.text() == "Cancel"
    assert widget.bar.isVisible()
    assert not widget.undo.isEnabled()
    widget.button.click()
    many.gate.set()
    qtbot.waitUntil(lambda: not widget.job.busy)
    assert "Cancelled." in widget.message.text.text()
    assert widget.button.text() == "Find masks"


def test_errors_are_sentences(qtbot: Any, made: tuple[ViewerModel, BoxesToMasksWidget], many: Any) -> None:
    viewer, widget = made
    fill(viewer)
    many.error = DextrError("This model is broken; choose another one.")
    run(qtbot, widget)
    assert widget.message.kind == "error"
    assert "choose another one" in widget.message.text.text()
    viewer.layers["boxes"].data = []
    widget.button.click()
    assert "holds no box" in widget.message.text.text()


def test_the_object_is_opened_in_annotate(qtbot: Any, made: tuple[ViewerModel, BoxesToMasksWidget]) -> None:
    viewer, widget = made
    fill(viewer)
    run(qtbot, widget)
    opened: list[Any] = []

    class Dock:
        def show(self) -> None: ...
        def raise_(self) -> None: ...

    class Annotate:
        controller = None

        def open_object(self, image: Any, target: Any, label: int) -> None:
            opened.append((image.name, target.name, label))

    class Window:
        dock_widgets: dict[str, Any] = {}  # noqa: RUF012

        def add_plugin_dock_widget(self, plugin: str, name: str, tabify: bool = False) -> Any:
            return Dock(), Annotate()

    widget._viewer = type("Viewer", (), {"window": Window(), "layers": viewer.layers})()
    qtbot.keyClick(widget.table, Qt.Key.Key_R)
    assert widget.table.current is not None
    assert opened == [("stack", "DEXTR labels", widget.table.current.label)]


def the_journal() -> Path:
    (path,) = sessions_folder().glob(f"*{SUFFIX}")
    return path


def drawn(path: Path, shape: tuple[int, ...]) -> Any:
    """The pixels of the only layer in a journal."""
    (target,) = recover(path).targets
    places = [tuple(item.place["index"][:1]) for item in target.objects(lambda place: place)]
    assert len(set(places)) == 1
    pixels = SparseLabels(np.uint16)
    target.write(pixels, lambda _: 0)
    whole = np.zeros(shape, np.uint16)
    whole[places[0]] = pixels.read(0, (slice(0, shape[1]), slice(0, shape[2])))
    return whole


def test_what_was_found_is_kept_until_a_file_has_it(
    qtbot: Any, made: tuple[ViewerModel, BoxesToMasksWidget], many: Any
) -> None:
    viewer, widget = made
    image = viewer.add_image(np.zeros((1, 60, 80), np.uint8), name="stack")
    viewer.add_shapes([[(0, row, col + 15 * n) for row, col in CORNERS] for n in range(3)], shape_type="rectangle")
    widget.images.layer = image
    run(qtbot, widget)
    target = viewer.layers["DEXTR labels"]
    assert not recover(the_journal()).ended
    np.testing.assert_array_equal(drawn(the_journal(), target.data.shape), target.data)
    widget.delete.click()
    assert recover(the_journal()).objects == 2
    np.testing.assert_array_equal(drawn(the_journal(), target.data.shape), target.data)
    widget.undo.click()
    assert recover(the_journal()).objects == 3
    widget.release()
    assert recover(the_journal()).left == 3
    assert recoverable(sessions_folder()) == []  # the layer is still there
    tell_saved([target], moment())
    assert not list(sessions_folder().iterdir())


def test_what_a_crash_left_of_a_run_comes_back_in_annotate(
    qtbot: Any, made: tuple[ViewerModel, BoxesToMasksWidget], many: Any
) -> None:
    viewer, widget = made
    fill(viewer)
    run(qtbot, widget)
    found = viewer.layers["DEXTR labels"].data.copy()
    left = the_journal().read_bytes()
    viewer.layers.clear()
    the_journal().unlink()
    (sessions_folder() / f"left{SUFFIX}").write_bytes(left)
    viewer.add_image(np.zeros((4, 60, 80), np.uint8), name="stack")
    annotate = AnnotateWidget(viewer, load=lambda *_: many)  # type: ignore[arg-type]
    qtbot.addWidget(annotate)
    qtbot.waitUntil(lambda: bool(annotate.safety.found))
    annotate.recovery.recover.click()
    np.testing.assert_array_equal(viewer.layers["DEXTR labels"].data, found)
    assert annotate.safety.text == "Autosave: on (3 objects not exported yet)"
    annotate.release()


def test_annotate_counts_what_was_found_and_follows_the_review(
    qtbot: Any, made: tuple[ViewerModel, BoxesToMasksWidget], many: Any
) -> None:
    viewer, widget = made
    fill(viewer)
    annotate = AnnotateWidget(viewer, load=lambda *_: many)  # type: ignore[arg-type]
    qtbot.addWidget(annotate)
    window = SimpleNamespace(dock_widgets={"Annotate": annotate})
    widget._viewer = SimpleNamespace(window=window, layers=viewer.layers)
    run(qtbot, widget)
    target = viewer.layers["DEXTR labels"]
    target.data[0, 12, 10:79] = 1  # further than its box tells
    assert "nothing to save" in annotate.safety.text
    annotate.controller.set_target(target)
    assert annotate.safety.text == "Autosave: on (3 objects not exported yet)"
    assert the_journal() == annotate.safety.journal.path
    row = widget.table.current
    assert row is not None
    widget.delete.click()
    assert annotate.safety.text == "Autosave: on (2 objects not exported yet)"
    assert row.label not in annotate.controller.session.objects
    saved = recover(the_journal())
    assert saved.objects == 2
    labels = SparseLabels(np.uint16)
    saved.targets[0].write(labels, lambda place: place["index"][0])
    for plane in range(3):
        shown = labels.read(plane, (slice(0, 60), slice(0, 80)))
        np.testing.assert_array_equal(shown, target.data[plane])
    widget.undo.click()
    assert annotate.safety.text == "Autosave: on (3 objects not exported yet)"
    assert row.label in annotate.controller.session.objects
    tell_saved([target], moment())
    assert annotate.safety.text == "Autosave: on"
    annotate.release()


def test_an_annotate_widget_that_is_at_the_layer_counts_at_the_end_of_the_run(
    qtbot: Any, made: tuple[ViewerModel, BoxesToMasksWidget], many: Any
) -> None:
    viewer, widget = made
    shapes = fill(viewer)
    shapes.features = {"class": np.array(["egg"] * 3, object)}
    annotate = AnnotateWidget(viewer, load=lambda *_: many)  # type: ignore[arg-type]
    qtbot.addWidget(annotate)
    annotate.controller.set_target(viewer.add_labels(np.zeros((4, 60, 80), np.uint16), name="mine"))
    widget._viewer = SimpleNamespace(layers=viewer.layers, window=SimpleNamespace(dock_widgets={"Annotate": annotate}))
    widget.targets.layer = viewer.layers["mine"]
    run(qtbot, widget)
    assert annotate.safety.text == "Autosave: on (3 objects not exported yet)"
    assert [entry.name for entry in annotate.controller.session.classes] == ["egg"]
    annotate.release()


def test_an_annotate_widget_that_is_elsewhere_gets_what_was_found_when_it_turns_to_the_layer(
    qtbot: Any, made: tuple[ViewerModel, BoxesToMasksWidget], many: Any
) -> None:
    viewer, widget = made
    fill(viewer).features = {"class": np.array(["egg"] * 3, object)}
    annotate = AnnotateWidget(viewer, load=lambda *_: many)  # type: ignore[arg-type]
    qtbot.addWidget(annotate)
    layers = [viewer.add_labels(np.zeros((4, 60, 80), np.uint16), name=name) for name in ("mine", "other")]
    for layer in layers:
        annotate.controller.set_target(layer)
    widget._viewer = SimpleNamespace(layers=viewer.layers, window=SimpleNamespace(dock_widgets={"Annotate": annotate}))
    widget.targets.layer = layers[0]
    run(qtbot, widget)
    widget.delete.click()
    assert "nothing to save" in annotate.safety.text
    assert recover(the_journal()).objects == 2
    annotate.controller.set_target(layers[0])
    assert annotate.safety.text == "Autosave: on (2 objects not exported yet)"
    assert [entry.name for entry in record(layers[0])[1]] == ["egg"]
    widget.undo.click()
    assert annotate.safety.text == "Autosave: on (3 objects not exported yet)"
    assert [entry.name for entry in record(layers[0])[1]] == ["egg"]
    widget.undo.click()  # the whole run
    assert not annotate.controller.session.objects
    assert annotate.safety.text == "Autosave: on"  # no file has, or had, any of it
    annotate.release()
    release_closed()
    assert not list(sessions_folder().glob(f"*{SUFFIX}"))


@pytest.mark.parametrize("when", ["at once", "after the next run", "when napari quits"])
def test_a_layer_of_a_run_that_is_removed_is_offered_at_once(
    qtbot: Any, made: tuple[ViewerModel, BoxesToMasksWidget], many: Any, when: str
) -> None:
    viewer, widget = made
    fill(viewer)
    annotate = AnnotateWidget(viewer, load=lambda *_: many)  # type: ignore[arg-type]
    qtbot.addWidget(annotate)
    run(qtbot, widget)
    target = viewer.layers["DEXTR labels"]
    if when == "after the next run":
        widget.targets.layer = None
        run(qtbot, widget)
    assert not annotate.safety.found
    if when == "when napari quits":
        viewer.layers.clear()
        annotate.release()
        qtbot.wait(1)
        assert not annotate.safety.found
        return
    before = target.data.copy()
    viewer.layers.remove(target)
    qtbot.waitUntil(lambda: bool(annotate.safety.found))
    assert annotate.recovery.text.text().startswith("Boxes to masks found 3 objects on ")
    annotate.recovery.recover.click()
    assert not annotate.safety.found
    np.testing.assert_array_equal(annotate.controller.target.layer.data, before)
    assert annotate.safety.text == "Autosave: on (3 objects not exported yet)"
    annotate.release()


def test_without_autosave_nothing_is_kept(qtbot: Any, take: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    preferences = replace(read_preferences(), autosave=False)
    monkeypatch.setattr("napari_dextr.widgets.boxes_to_masks.read_preferences", lambda: preferences)
    viewer = ViewerModel()
    widget = BoxesToMasksWidget(viewer, load=take)  # type: ignore[arg-type]
    qtbot.addWidget(widget)
    widget.show()
    fill(viewer)
    run(qtbot, widget)
    assert len(widget.job.rows) == 3
    assert not sessions_folder().exists()
    widget.release()


def test_fits_into_a_narrow_dock(qtbot: Any, made: tuple[ViewerModel, BoxesToMasksWidget]) -> None:
    viewer, widget = made
    fill(viewer).name = "boxes with an extraordinarily long name, as detectors give them to people"
    assert widget.minimumSizeHint().width() <= 300
    assert widget.widget().minimumSizeHint().width() <= 300


def test_a_target_that_goes_empties_the_queue(qtbot: Any, made: tuple[ViewerModel, BoxesToMasksWidget]) -> None:
    viewer, widget = made
    fill(viewer)
    run(qtbot, widget)
    viewer.layers.remove("DEXTR labels")
    assert widget.table.rows.rows == []
    qtbot.waitUntil(lambda: widget.targets.layer is None)


def test_a_model_that_is_kept_meanwhile_can_be_chosen(made: tuple[ViewerModel, BoxesToMasksWidget]) -> None:
    _, widget = made
    models_folder().mkdir(parents=True)
    write_checkpoint(models_folder() / "cells.safetensors", {}, ModelSpec("cells", "compact"))
    tell_models_changed(SimpleNamespace(window=SimpleNamespace(dock_widgets={"Boxes to masks": widget})))
    widget.models.choose("cells")
    assert widget.models.models.currentText() == "cells"


@pytest.mark.screen
@pytest.mark.skipif(not EMBEDDED_FILE.is_file(), reason="this checkout has no embedded weights yet")
def test_coins_with_the_embedded_model(make_napari_viewer: Any, qtbot: Any) -> None:
    viewer = make_napari_viewer(show=True)
    viewer.open_sample("napari-dextr", "coins")
    box = [(104.5, 24.5), (104.5, 68.5), (147.5, 68.5), (147.5, 24.5)]
    viewer.add_shapes([box], shape_type="rectangle")
    _, widget = viewer.window.add_plugin_dock_widget("napari-dextr", "Boxes to masks")
    widget.models.devices.setCurrentIndex(widget.models.devices.findData("cpu"))
    run(qtbot, widget)
    assert widget.message.kind == "done"
    coin = viewer.layers["DEXTR labels"].data == 1
    rows, cols = np.mgrid[: coin.shape[0], : coin.shape[1]]
    truth = ((rows - 126) / 21.5) ** 2 + ((cols - 46.5) / 22) ** 2 <= 1
    assert (coin & truth).sum() / (coin | truth).sum() > 0.8
    widget.table.setFocus()
    assert widget.window().focusWidget() is widget.table
    widget.redo.click()  # the real Annotate widget takes it
    qtbot.waitUntil(lambda: any("Annotate" in name for name in viewer.window.dock_widgets))
    focused = widget.window().focusWidget()
    annotate = next(each for name, each in viewer.window.dock_widgets.items() if "Annotate" in name)
    assert annotate.controller.session.reopened == 1
    qtbot.waitUntil(lambda: annotate.controller.session.segmentation is not None)
    annotate.controller.accept()  # the correction comes back, and leads back to the queue
    qtbot.waitUntil(lambda: widget.table.rows.rows[0].state == ACCEPTED)
    assert widget.message.text.text() == "✓ All objects are reviewed."
    viewer.window.remove_dock_widget(widget)
    assert focused is not widget.table  # Enter in Annotate would have accepted what the hidden queue shows next
