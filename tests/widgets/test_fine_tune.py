"""The Fine-tune widget: from an empty viewer to a model in use, with a training that learns nothing but obeys."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_dextr.errors import OutputError
from napari_dextr.models.own import own_models
from napari_dextr.widgets import fine_tune_job
from napari_dextr.widgets.fine_tune import FineTuneWidget
from napari_dextr.widgets.fine_tune_job import FineTuneJob

from .fake_training import CUTTING, NO_HELP, STEPS, Annotate, FakeTuning, Stage, fill, runs, update


class Made:
    """A viewer with the widget, and an Annotate widget's model box."""

    def __init__(self, qtbot: Any, stage: Stage) -> None:
        self.qtbot, self.stage = qtbot, stage
        self.viewer = ViewerModel()
        self.annotate = Annotate()
        self.widget = self.open()

    def open(self) -> FineTuneWidget:
        widget = FineTuneWidget(
            self.viewer,  # type: ignore[arg-type]
            job=FineTuneJob(self.viewer, self.stage.make),
            annotate=lambda _: self.annotate,
        )
        self.qtbot.addWidget(widget)
        widget.resize(300, 900)
        widget.show()
        return widget

    def ready(self) -> None:
        self.qtbot.waitUntil(self.widget.start.isEnabled)

    def run(self, *, hold_at: int = 0) -> None:
        """Fill, start, and wait until the training holds, or has ended."""
        self.stage.hold_at = hold_at
        fill(self.viewer)
        self.ready()
        self.widget.start.click()
        if hold_at:
            self.qtbot.waitUntil(self.stage.reached.is_set)
        else:
            self.ended()

    def ended(self) -> None:
        self.qtbot.waitUntil(lambda: not self.widget.job.busy)

    @property
    def page(self) -> str:
        pages = {"setup": self.widget.setup, "progress": self.widget.progress, "result": self.widget.result}
        (shown,) = [name for name, page in pages.items() if not page.isHidden()]
        return shown


@pytest.fixture
def made(qtbot: Any, stage: Stage, library: Path) -> Iterator[Made]:
    rig = Made(qtbot, stage)
    yield rig
    rig.widget.release()


def test_empty_state(made: Made) -> None:
    assert made.page == "setup"
    assert "Open an image" in made.widget.message.text.text()
    assert not made.widget.start.isEnabled()


def test_from_objects_to_a_model_in_use(made: Made) -> None:
    made.run()
    widget, result = made.widget, made.widget.result
    assert made.page == "result"
    assert "Helps: 0.71 → 0.86" in result.verdict.text.text()
    assert [step for step, _ in widget.progress.plot.loss] == list(range(1, STEPS + 1))
    assert [model.name for model in own_models()] == ["cells"]
    assert made.annotate.models.source == "embedded"  # nothing is replaced silently
    result.use.click()
    assert made.annotate.models.source == "cells"
    assert not result.use.isEnabled()
    result.revert.click()
    assert made.annotate.models.source == "embedded"
    assert result.use.isEnabled()
    result.name.setText("nuclei")
    result.rename.click()
    assert [model.name for model in own_models()] == ["nuclei"]
    result.name.setText("embedded")
    result.rename.click()
    assert result.verdict.kind == "error"
    result.anew.click()
    assert made.page == "setup"
    assert widget.form.models.models.findData("nuclei") >= 0


def test_a_model_that_does_not_help_is_kept_only_on_purpose(made: Made, library: Path) -> None:
    made.stage.verdict = NO_HELP
    made.run()
    result = made.widget.result
    assert "keeping the old model" in result.verdict.text.text()
    assert own_models() == ()
    assert result.use.isHidden()
    result.keep.click()
    assert [model.name for model in own_models()] == ["cells"]
    assert not result.use.isHidden()
    result.drop.click()
    assert own_models() == ()
    assert runs(library) == []
    assert made.page == "setup"


def test_export(made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from qtpy.QtWidgets import QFileDialog

    made.run()
    answers = ["", str(tmp_path / "out.safetensors"), str(tmp_path / "no" / "such" / "out.safetensors")]
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (answers.pop(0), ""))
    for kind in ("done", "done", "error"):
        made.widget.result.export.click()
        assert made.widget.result.verdict.kind == kind
    assert (tmp_path / "out.safetensors").is_file()


def test_an_export_replaces_no_file_that_nobody_was_asked_about(
    made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The dialog asks about the name as it was typed, which has no ending yet."""
    from qtpy.QtWidgets import QFileDialog

    made.run()
    (tmp_path / "cells v1.safetensors").write_text("precious", encoding="utf-8")
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(tmp_path / "cells v1"), ""))
    made.widget.result.export.click()
    assert made.widget.result.verdict.kind == "error"
    assert (tmp_path / "cells v1.safetensors").read_text(encoding="utf-8") == "precious"


def test_stopping_before_there_is_a_model_leaves_a_training_to_be_resumed(
    made: Made, library: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = FakeTuning.run

    def run(tuning: FakeTuning) -> Iterator[Any]:
        yield from real(tuning)
        assert tuning.outcome is not None
        tuning.outcome = replace(tuning.outcome, tuned=None, verdict=None)

    monkeypatch.setattr(FakeTuning, "run", run)
    made.run(hold_at=2)
    made.widget.progress.stop.click()
    made.stage.gate.set()
    made.ended()
    assert made.page == "setup"
    assert "can be resumed" in made.widget.message.text.text()
    assert len(runs(library)) == 1


def test_pausing_and_stopping(made: Made) -> None:
    made.run(hold_at=2)
    progress = made.widget.progress
    assert made.page == "progress"
    progress.pause.click()
    assert progress.pause.text() == "Resume"
    assert "Paused" in progress.message.text.text()
    made.stage.gate.set()
    progress.pause.click()
    assert progress.pause.text() == "Pause"
    progress.stop.click()
    made.ended()
    assert made.page == "result"


def test_before_anything_is_learned_pause_and_stop_say_so(made: Made, library: Path) -> None:
    made.run(hold_at=CUTTING)
    progress = made.widget.progress
    progress.pause.click()
    assert "Nothing was learned yet" in progress.message.text.text()
    made.widget.job.staged.emit("training: 6 objects cut out")
    assert "Paused" in progress.message.text.text()
    progress.pause.click()
    progress.stop.click()
    assert "judged" not in progress.message.text.text()
    made.stage.gate.set()
    made.ended()
    assert made.page == "setup"
    assert "Stopped before anything was learned" in made.widget.message.text.text()
    assert runs(library) == []
    made.ready()  # to train anew


def test_cancelling_a_short_training_asks_nothing(made: Made, library: Path) -> None:
    made.run(hold_at=2)
    made.widget.progress.cancel.click()
    made.stage.gate.set()
    made.ended()
    assert made.page == "setup"
    assert "Nothing of the training is left" in made.widget.message.text.text()
    assert runs(library) == []


def test_cancelling_a_long_training_asks_once(made: Made, library: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fine_tune_job, "_WORTH_ASKING", 0.0)
    made.run(hold_at=3)
    progress = made.widget.progress
    progress.cancel.click()
    assert "Press Cancel again" in progress.message.text.text()
    assert made.widget.job.busy
    made.widget._on_updates([update(2)])
    assert "Press Cancel again" in progress.message.text.text()
    progress.cancel.click()
    made.stage.gate.set()
    made.ended()
    assert runs(library) == []


def test_an_error_is_said_and_the_run_offered_again(made: Made, library: Path) -> None:
    made.stage.error = OutputError("The disk is full; make room.")
    made.run()
    assert made.page == "setup"
    assert made.widget.message.kind == "error"
    assert len(runs(library)) == 1
    with made.qtbot.waitSignal(made.widget.job.surveyed):
        pass
    assert "disk is full" in made.widget.message.text.text()
    made.widget.form.presets.setCurrentIndex(1)
    assert "Ready" in made.widget.message.text.text()


def test_notices_are_shown(made: Made) -> None:
    made.run(hold_at=2)
    made.widget._on_updates([update(2, notices=("Batches have 2 samples from now on.",))])
    assert "2 samples" in made.widget.progress.notice.text()


def test_layers_may_come_and_go_while_it_trains(made: Made) -> None:
    made.run(hold_at=2)
    made.viewer.layers.clear()
    made.viewer.add_image(np.zeros((9, 9)))
    made.stage.gate.set()
    made.ended()
    assert made.page == "result"


def test_closing_the_dock_ends_the_training_with_its_checkpoint(made: Made, library: Path) -> None:
    made.run(hold_at=3)
    made.widget.release()
    made.stage.gate.set()
    made.qtbot.waitUntil(made.stage.closed.is_set)
    (run,) = runs(library)
    assert (run / "last.pt").read_text(encoding="utf-8") == "3"
    made.viewer.layers.clear()  # a closed widget hears nothing of it
    made.viewer.theme = "light"


def test_a_training_whose_verdict_was_seen_goes_with_the_window(made: Made, library: Path) -> None:
    made.run()
    assert len(runs(library)) == 1
    made.widget.job.close()  # what the end of the window calls: napari closes no dock when it quits
    assert runs(library) == []
    assert [model.name for model in own_models()] == ["cells"]


def test_it_follows_the_theme(made: Made) -> None:
    before = made.widget.progress.plot._ground.lightnessF()
    made.viewer.theme = "light"
    assert made.widget.progress.plot._ground.lightnessF() > before


def test_fits_into_a_narrow_dock(made: Made) -> None:
    fill(made.viewer)
    made.widget.form.presets.setCurrentIndex(made.widget.form.presets.count() - 1)
    for page in (made.widget.setup, made.widget.progress, made.widget.result):
        made.widget._show_page(page)
        assert made.widget.widget().minimumSizeHint().width() <= 300


@pytest.mark.screen
def test_in_a_real_viewer(make_napari_viewer: Any, qtbot: Any, stage: Stage, library: Path) -> None:
    viewer = make_napari_viewer(show=True)
    fill(viewer)
    _, widget = viewer.window.add_plugin_dock_widget("napari-dextr", "Fine-tune")
    widget.job._make = stage.make
    qtbot.waitUntil(widget.start.isEnabled)
    widget.start.click()
    qtbot.waitUntil(lambda: not widget.job.busy)
    widget.result.use.click()  # opens Annotate, which is not there yet
    annotate = viewer.window.dock_widgets["Annotate (napari-dextr)"]
    assert annotate.models.source == "cells"
    qtbot.waitUntil(lambda: annotate.controller.model.segmenter is not None)
    widget.result.revert.click()
    assert annotate.models.source == "embedded"
    viewer.window.remove_dock_widget(widget)
    assert runs(library) == []
    annotate.release()
    qtbot.waitUntil(lambda: not annotate.controller.model.running)
