"""The Export COCO widget: from an empty viewer to a checked file."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Labels

from napari_dextr.napari_io.object_table import store
from napari_dextr.objects import ObjectClass, ObjectFacts
from napari_dextr.widgets.export_coco import ExportCocoWidget


@pytest.fixture
def made(qtbot: Any) -> Iterator[tuple[ViewerModel, ExportCocoWidget]]:
    viewer = ViewerModel()
    widget = ExportCocoWidget(viewer)  # type: ignore[arg-type]
    qtbot.addWidget(widget)
    widget.resize(300, 800)
    widget.show()
    yield viewer, widget
    widget.release()


def fill(viewer: Any) -> Any:
    viewer.add_image(np.zeros((3, 20, 20), np.uint8), name="stack")
    data = np.zeros((3, 20, 20), np.uint16)
    data[1, 2:8, 2:8] = 1
    data[1, 15, 15] = 2
    labels = viewer.add_labels(data, name="a layer with an extraordinarily long name, as microscopes give them")
    store(labels, {1: ObjectFacts(class_id=1, plane=(1,))}, [ObjectClass(1, "egg", "#e69f00")])
    return labels


def counted(widget: ExportCocoWidget, objects: int) -> bool:
    counts = widget._counts
    return counts is not None and counts.objects == objects and not widget.job.counting


def test_empty_state(made: tuple[ViewerModel, ExportCocoWidget]) -> None:
    _, widget = made
    assert "Tick a Labels layer" in widget.message.text.text()
    assert not widget.button.isEnabled()
    assert widget.classes.rowCount() == 0


def test_from_labels_to_a_file(qtbot: Any, made: tuple[ViewerModel, ExportCocoWidget], tmp_path: Path) -> None:
    viewer, widget = made
    labels = fill(viewer)
    qtbot.waitUntil(lambda: counted(widget, 2))
    assert "<b>2 objects</b> on 1 plane of 3" in widget.preview.text()
    assert "Choose a file" in widget.message.text.text()
    widget.form.file.setText(str(tmp_path / "a.json"))
    assert widget.button.isEnabled()
    widget.classes.item(0, 0).setText("ovum")
    widget.button.click()
    assert widget.button.text() == "Cancel"
    qtbot.waitUntil(lambda: not widget.job.busy)
    assert widget.message.kind in {"done", "warning"}
    assert "2 objects are on 1 image in" in widget.message.text.text()
    assert str(tmp_path / "a.json") in widget.message.toolTip()
    assert widget.button.text() == "Export"
    assert not widget.bar.isVisible()
    assert widget.form.existing.isEnabled()
    document = json.loads((tmp_path / "a.json").read_text(encoding="utf-8"))
    assert "ovum" in [entry["name"] for entry in document["categories"]]
    assert labels.metadata["napari_dextr"]["coco"]["file"] == str(tmp_path / "a.json")


def test_errors_stay_until_something_is_changed(
    qtbot: Any, made: tuple[ViewerModel, ExportCocoWidget], tmp_path: Path
) -> None:
    viewer, widget = made
    fill(viewer)
    widget.form.file.setText(str(tmp_path / "missing" / "a.json"))
    widget.button.click()
    assert widget.message.kind == "error"
    assert "does not exist" in widget.message.text.text()
    qtbot.waitUntil(lambda: counted(widget, 2))
    assert widget.message.kind == "error"
    widget.form.file.setText(str(tmp_path / "a.json"))
    assert widget.message.text.text().startswith("Ready. 2 planes without objects will be left out")
    widget.form.empty.setChecked(True)
    assert widget.message.text.text() == "Ready."


def test_planes_that_the_file_has_already_are_not_called_black(
    qtbot: Any, made: tuple[ViewerModel, ExportCocoWidget], tmp_path: Path
) -> None:
    viewer, widget = made
    fill(viewer)
    qtbot.waitUntil(lambda: counted(widget, 2))
    widget.form.file.setText(str(tmp_path / "a.json"))
    widget.form.empty.setChecked(True)
    widget.button.click()
    qtbot.waitUntil(lambda: not widget.job.busy)
    widget.form.empty.setChecked(False)
    assert widget.message.text.text() == "Ready. 'a.json' is there already."
    widget.form.existing.setCurrentIndex(1)
    widget.form.existing.activated.emit(1)  # another file in its place: there they are no more
    assert widget.message.text.text().endswith("they are black. To keep them, tick 'Planes without objects too'.")
    widget.form.existing.setCurrentIndex(0)
    (tmp_path / "of others.json").write_text('{"images": [], "annotations": [], "categories": []}', encoding="utf-8")
    widget.form.file.setText(str(tmp_path / "of others.json"))
    assert "they are black, unless they are in it already" in widget.message.text.text()


def test_counts_follow_the_labels(qtbot: Any, made: tuple[ViewerModel, ExportCocoWidget]) -> None:
    viewer, widget = made
    labels = fill(viewer)
    qtbot.waitUntil(lambda: counted(widget, 2))
    labels.data_setitem(tuple(np.array([[2], [5], [5]])), 9)
    qtbot.waitUntil(lambda: counted(widget, 3))
    viewer.layers.remove(labels)
    assert widget.preview.text() == ""
    assert "Tick a Labels layer" in widget.message.text.text()


def test_a_slow_count_is_only_repeated_on_request(qtbot: Any, made: tuple[ViewerModel, ExportCocoWidget]) -> None:
    viewer, widget = made
    labels = fill(viewer)
    qtbot.waitUntil(lambda: counted(widget, 2))
    widget.job.slow = True
    labels.data_setitem(tuple(np.array([[2], [5], [5]])), 9)
    assert widget.recount.isVisible()
    widget.recount.click()
    qtbot.waitUntil(lambda: counted(widget, 3))
    assert not widget.recount.isVisible()


def test_a_doubt_leads_to_its_object(qtbot: Any, made: tuple[ViewerModel, ExportCocoWidget]) -> None:
    viewer, widget = made
    labels = fill(viewer)
    qtbot.waitUntil(lambda: counted(widget, 2))
    viewer.dims.set_point(0, 0)
    widget.preview.linkActivated.emit("tiny")
    assert viewer.dims.point[0] == 1
    assert labels.selected_label == 2


def test_the_file_that_the_labels_came_from_is_suggested(
    made: tuple[ViewerModel, ExportCocoWidget], tmp_path: Path
) -> None:
    viewer, widget = made
    coco = {"file": str(tmp_path / "old.json"), "images": [], "ids": {}}
    viewer.add_labels(np.zeros((8, 8), int), metadata={"napari_dextr": {"coco": coco}})
    assert widget.form.file.text() == str(tmp_path / "old.json")


def test_fits_into_a_narrow_dock(made: tuple[ViewerModel, ExportCocoWidget]) -> None:
    viewer, widget = made
    fill(viewer)
    assert widget.minimumSizeHint().width() <= 300
    assert widget.widget().minimumSizeHint().width() <= 300


@pytest.mark.screen
def test_in_a_real_viewer(make_napari_viewer: Any, qtbot: Any, tmp_path: Path) -> None:
    viewer = make_napari_viewer(show=True)
    labels = fill(viewer)
    _, widget = viewer.window.add_plugin_dock_widget("napari-dextr", "Export COCO")
    widget.form.file.setText(str(tmp_path / "a.json"))
    qtbot.waitUntil(lambda: counted(widget, 2))
    widget.button.click()
    qtbot.waitUntil(lambda: not widget.job.busy)
    second = viewer.open(str(tmp_path / "a.json"), plugin="napari-dextr")
    np.testing.assert_array_equal(next(layer for layer in second if isinstance(layer, Labels)).data, labels.data)
    viewer.window.remove_dock_widget(widget)
    assert not widget.job.counting
