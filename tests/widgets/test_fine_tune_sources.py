"""Layers and files to learn from, and what was found in them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from napari.components import ViewerModel
from qtpy.QtWidgets import QFileDialog, QToolButton

from napari_dextr.widgets.fine_tune_sources import COCO, SESSION, AnnotationFile, SourcesPanel, SurveyLabel


@pytest.fixture
def viewer() -> ViewerModel:
    return ViewerModel()


@pytest.fixture
def panel(viewer: ViewerModel, qtbot: Any) -> SourcesPanel:
    made = SourcesPanel(viewer)
    qtbot.addWidget(made)
    return made


def test_labels_are_paired_with_the_image_they_lie_on(viewer: ViewerModel, panel: SourcesPanel) -> None:
    image = viewer.add_image(np.zeros((30, 40)), name="cells")
    viewer.add_image(np.zeros((9, 9)), name="other", translate=(200, 200))
    labels = viewer.add_labels(np.zeros((30, 40), int), name="objects")
    part = viewer.add_labels(np.zeros((10, 10), int), name="a corner", translate=(5, 5))
    alone = viewer.add_labels(np.zeros((3, 30, 40), int), name="alone")
    panel.pairs.refresh()
    pairs = panel.wanted().pairs
    assert len(pairs) == 2
    assert pairs[0] == (labels, image)
    assert pairs[1] == (part, image)
    assert panel.without_image() == [alone.name]


def test_nothing_is_wanted_at_first(panel: SourcesPanel) -> None:
    assert not panel.wanted()
    assert panel.without_image() == []


def test_files_are_listed_once_and_can_be_taken_away(panel: SourcesPanel, qtbot: Any, tmp_path: Path) -> None:
    first, second = AnnotationFile(COCO, tmp_path / "a.json"), AnnotationFile(SESSION, tmp_path / "b.dextr-session")
    for file in (first, second, AnnotationFile(COCO, first.path, tmp_path / "images")):
        with qtbot.waitSignal(panel.changed):
            panel.add(file)
    assert panel.wanted().files == (second, AnnotationFile(COCO, first.path, tmp_path / "images"))
    assert panel._list.count() == 2
    cross = panel._list.itemAt(0).widget().findChildren(QToolButton)[-1]
    with qtbot.waitSignal(panel.changed):
        cross.click()
    assert [file.path for file in panel.files] == [first.path]


def test_files_are_chosen_in_dialogs(
    panel: SourcesPanel, qtbot: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = [str(tmp_path / "a.json"), "", str(tmp_path / "b.dextr-session")]
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (answers.pop(0), ""))
    panel.add_coco.click()
    panel.add_coco.click()
    panel.add_session.click()
    assert [(file.kind, file.path.name) for file in panel.files] == [(COCO, "a.json"), (SESSION, "b.dextr-session")]
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(tmp_path / "images"))
    panel._list.itemAt(0).widget().findChildren(QToolButton)[0].click()
    assert {file.images for file in panel.files if file.kind == COCO} == {tmp_path / "images"}


def test_the_survey_label(qtbot: Any) -> None:
    label = SurveyLabel()
    qtbot.addWidget(label)
    label.say("")
    assert label.isHidden()
    label.say("23 objects on <4> images", ["2 are tiny."])
    assert not label.isHidden()
    assert "&lt;4&gt;" in label.text()
    assert "⚠ 2 are tiny." in label.text()
    label.say("Nothing.", refused=True)
    assert label.text() == "<b>⚠ Nothing.</b>"
    label.say("Much.", [f"doubt {number}" for number in range(9)])
    assert "3 more" in label.text()
    assert "doubt 8" in label.toolTip()
