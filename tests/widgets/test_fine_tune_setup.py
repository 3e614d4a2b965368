"""What to learn from, and what is said of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_dextr.napari_io.preferences import Preferences
from napari_dextr.widgets.fine_tune_job import FineTuneJob
from napari_dextr.widgets.fine_tune_setup import SetupPage

from .fake_training import Stage, fill


@pytest.fixture
def viewer() -> ViewerModel:
    return ViewerModel()


@pytest.fixture
def page(viewer: ViewerModel, stage: Stage, library: Path, qtbot: Any) -> Iterator[SetupPage]:
    job = FineTuneJob(viewer, stage.make)
    made = SetupPage(viewer, job, Preferences())
    qtbot.addWidget(made)
    made.resize(300, 900)
    made.show()
    yield made
    made.release()
    job.close()


def test_what_is_found_is_said_and_follows_the_layers(page: SetupPage, viewer: ViewerModel, qtbot: Any) -> None:
    fill(viewer, objects=2)
    qtbot.waitUntil(page.start.isEnabled)
    survey = page.sources.survey
    assert "2 objects on 1 image" in survey.text()
    assert "fewer than 5" in survey.text()
    assert page.form.choices().name == "cells"
    labels = viewer.layers["objects"]
    rows, cols = (part.ravel() for part in np.mgrid[60:75, 60:75])
    labels.data_setitem((rows, cols), 9)
    qtbot.waitUntil(lambda: "3 objects" in survey.text())
    viewer.layers.remove(labels)
    qtbot.waitUntil(lambda: survey.isHidden())
    assert not page.start.isEnabled()


def test_objects_that_cannot_be_used_are_refused_with_a_reason(
    page: SetupPage, viewer: ViewerModel, qtbot: Any
) -> None:
    fill(viewer, objects=0)
    survey = page.sources.survey
    qtbot.waitUntil(lambda: "no object" in survey.text())
    assert not page.start.isEnabled()
    assert page.message.kind == "warning"


def test_labels_without_an_image_are_left_out_aloud(page: SetupPage, viewer: ViewerModel, qtbot: Any) -> None:
    fill(viewer)
    viewer.add_labels(np.zeros((3, 9, 9), int), name="alone")
    qtbot.waitUntil(page.start.isEnabled)
    assert "'alone' has no image" in page.sources.survey.text()


def test_the_time_is_estimated(page: SetupPage, viewer: ViewerModel, qtbot: Any) -> None:
    fill(viewer)
    qtbot.waitUntil(lambda: "Here it takes" in page.form.explanation.text())


def test_another_base_model_is_another_survey(page: SetupPage, viewer: ViewerModel, qtbot: Any) -> None:
    fill(viewer)
    qtbot.waitUntil(page.start.isEnabled)
    with qtbot.waitSignal(page.job.surveyed):
        page.form.models.chosen.emit("embedded", "cpu")


def test_the_button_says_that_it_was_pressed(page: SetupPage, viewer: ViewerModel, qtbot: Any) -> None:
    fill(viewer)
    qtbot.waitUntil(page.start.isEnabled)
    with qtbot.waitSignal(page.started):
        page.start.click()


def test_a_training_elsewhere_is_looked_at_again(page: SetupPage, qtbot: Any, tmp_path: Path) -> None:
    @dataclass
    class Run:
        busy: bool
        name: str = "cells"
        path: Path = tmp_path
        started: datetime = datetime(2026, 3, 14, tzinfo=timezone.utc)
        step: int = 1
        steps: int = 9

    page._looking.setInterval(1)
    with qtbot.waitSignal(page.job.found):
        page._on_found([Run(busy=True)])
    page._on_found([Run(busy=False)])
    assert not page._looking.isActive()
    assert not page.offer.isHidden()


def test_a_released_page_hears_nothing_of_the_viewer(page: SetupPage, viewer: ViewerModel) -> None:
    page.release()
    viewer.add_labels(np.zeros((9, 9), int))
    assert page.sources.pairs.pairs() == []
    for event in page._layer_events():
        event.connect(page.refresh)  # so that releasing it once more finds them
