"""Surveys and trainings in the background, with a training that learns nothing but obeys."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from napari.components import ViewerModel

from napari_dextr.errors import DextrError, OutputError
from napari_dextr.models.own import own_models
from napari_dextr.training.finetune import FineTunePlan
from napari_dextr.widgets import fine_tune_job
from napari_dextr.widgets.fine_tune_form import Choices
from napari_dextr.widgets.fine_tune_job import FineTuneJob
from napari_dextr.widgets.fine_tune_sources import COCO, AnnotationFile, Wanted
from napari_dextr.widgets.fine_tune_work import Ended

from .fake_training import CUTTING, HELPS, NO_HELP, FakeTuning, Stage, fill, runs


@pytest.fixture
def viewer() -> ViewerModel:
    made = ViewerModel()
    fill(made)
    return made


@pytest.fixture
def job(viewer: ViewerModel, stage: Stage, library: Path, qtbot: Any) -> Iterator[FineTuneJob]:
    made = FineTuneJob(viewer, stage.make)
    yield made
    made.close()


def wanted(viewer: ViewerModel) -> Wanted:
    return Wanted(((viewer.layers["objects"], viewer.layers["cells"]),))


CHOICES = Choices("embedded", "cpu", "quick", name="cells")


def test_a_survey_of_layers(job: FineTuneJob, viewer: ViewerModel, qtbot: Any) -> None:
    with qtbot.waitSignal(job.surveyed) as caught:
        job.survey(wanted(viewer), "embedded")
    (found,) = caught.args
    assert (found.objects, found.images, found.refusal) == (6, 1, None)
    assert not job.surveying


def test_layers_and_files_are_surveyed_together(
    job: FineTuneJob, viewer: ViewerModel, qtbot: Any, tmp_path: Path
) -> None:
    from napari_dextr.coco import read_coco
    from napari_dextr.widgets.export_job import ExportJob, ExportPlan

    export = ExportJob()
    with qtbot.waitSignal(export.done):
        export.export(ExportPlan(pairs=[(viewer.layers["objects"], viewer.layers["cells"])], path=tmp_path / "a.json"))
    assert len(read_coco(tmp_path / "a.json").objects) == 6
    both = Wanted(wanted(viewer).pairs, (AnnotationFile(COCO, tmp_path / "a.json"),))
    with qtbot.waitSignal(job.surveyed) as caught:
        job.survey(both, "embedded")
    assert caught.args[0].objects == 12
    with qtbot.waitSignal(job.surveyed) as caught:
        job.survey(Wanted(files=(AnnotationFile(COCO, tmp_path / "missing.json"),)), "embedded")
    assert "missing.json" in caught.args[0].refusal


def test_labels_off_their_image_cannot_be_used(job: FineTuneJob, viewer: ViewerModel, qtbot: Any) -> None:
    viewer.layers["objects"].scale = (2, 2)
    with qtbot.waitSignal(job.unusable) as caught:
        job.survey(wanted(viewer), "embedded")
    assert "objects" in caught.args[0]
    with qtbot.waitSignal(job.failed):
        job.start(wanted(viewer), CHOICES)
    assert not job.busy


def test_a_model_that_helps_is_kept(
    job: FineTuneJob, viewer: ViewerModel, library: Path, stage: Stage, qtbot: Any
) -> None:
    steps: list[int] = []
    sentences: list[str] = []
    job.updated.connect(lambda updates: steps.extend(item.step for item in updates))
    job.staged.connect(sentences.append)
    with qtbot.waitSignal(job.done) as caught:
        job.start(wanted(viewer), CHOICES)
    ended: Ended = caught.args[0]
    assert steps == [1, 2, 3, 4, 5]
    assert sentences[0] == "Cutting out the objects"
    assert ended.kept == "cells"
    assert [model.name for model in own_models()] == ["cells"]
    sentence, helps, facts, _ = ended.verdict()
    assert helps
    assert sentence == HELPS.sentence()
    assert "'cells'" in facts
    assert not job.busy
    assert stage.made[0].plan.preset == "quick"


def test_the_choices_reach_the_plan(job: FineTuneJob, viewer: ViewerModel, stage: Stage, qtbot: Any) -> None:
    choices = Choices("embedded", "cpu", "thorough", {"steps": 7, "anchor": 0.3}, 0.3, False, "mine")
    with qtbot.waitSignal(job.done):
        job.start(wanted(viewer), choices)
    plan = stage.made[0].plan
    assert (plan.initial, plan.device, plan.preset, plan.name, plan.hold_out) == (
        "embedded", "cpu", "thorough", "mine", 0.3,
    )  # fmt: skip
    assert dict(plan.settings) == {"steps": 7, "anchor": 0.3, "turning": ()}


def test_a_model_that_does_not_help_is_not_kept_unless_on_purpose(
    job: FineTuneJob, viewer: ViewerModel, stage: Stage, qtbot: Any
) -> None:
    stage.verdict = NO_HELP
    with qtbot.waitSignal(job.done) as caught:
        job.start(wanted(viewer), CHOICES)
    ended: Ended = caught.args[0]
    assert ended.kept is None
    assert own_models() == ()
    assert not ended.verdict()[1]
    assert job.keep(ended) == "cells"
    assert [model.name for model in own_models()] == ["cells"]


def test_a_taken_name_is_not_replaced(job: FineTuneJob, viewer: ViewerModel, qtbot: Any) -> None:
    for expected in ("cells", "cells 2"):
        with qtbot.waitSignal(job.done) as caught:
            job.start(wanted(viewer), CHOICES)
        assert caught.args[0].kept == expected


def test_without_a_verdict_nothing_is_claimed(job: FineTuneJob, viewer: ViewerModel, stage: Stage, qtbot: Any) -> None:
    stage.verdict = None
    with qtbot.waitSignal(job.done) as caught:
        job.start(wanted(viewer), CHOICES)
    sentence, helps, _, _ = caught.args[0].verdict()
    assert not helps
    assert "keeping the old model" in sentence
    assert own_models() == ()


def test_pause_and_resume(job: FineTuneJob, viewer: ViewerModel, stage: Stage, qtbot: Any) -> None:
    stage.hold_at = 2
    job.start(wanted(viewer), CHOICES)
    qtbot.waitUntil(stage.reached.is_set)
    job.pause()
    assert job.paused
    assert not stage.made[0].going.is_set()
    stage.gate.set()
    job.go_on()
    assert not job.paused
    with qtbot.waitSignal(job.done):
        pass


def test_stopping_keeps_the_best(job: FineTuneJob, viewer: ViewerModel, stage: Stage, qtbot: Any) -> None:
    stage.hold_at = 2
    job.start(wanted(viewer), CHOICES)
    qtbot.waitUntil(stage.reached.is_set)
    with qtbot.waitSignal(job.done) as caught:
        job.stop()
        assert job.stopping
        stage.gate.set()
    assert caught.args[0].outcome.ended == "stopped"
    assert "Stopped" in caught.args[0].verdict()[2]


def test_stopping_before_anything_was_learned_leaves_nothing(
    job: FineTuneJob, viewer: ViewerModel, stage: Stage, library: Path, qtbot: Any
) -> None:
    stage.hold_at = CUTTING
    job.start(wanted(viewer), CHOICES)
    qtbot.waitUntil(stage.reached.is_set)
    assert not job.learned
    with qtbot.waitSignal(job.unbegun):
        job.stop()
        stage.gate.set()
    assert not job.busy
    assert runs(library) == []
    assert own_models() == ()


@pytest.mark.parametrize("paused", [False, True])
def test_cancelling_leaves_no_trace(
    job: FineTuneJob, viewer: ViewerModel, stage: Stage, library: Path, qtbot: Any, paused: bool
) -> None:
    stage.hold_at = 3
    job.start(wanted(viewer), CHOICES)
    qtbot.waitUntil(stage.reached.is_set)
    if paused:
        job.pause()
    assert len(runs(library)) == 1
    with qtbot.waitSignal(job.cancelled):
        job.cancel()
        stage.gate.set()
    assert runs(library) == []
    assert own_models() == ()
    assert not job.busy


def test_only_a_long_training_is_asked_about(
    job: FineTuneJob, viewer: ViewerModel, stage: Stage, qtbot: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert job.would_lose == 0
    stage.hold_at = 3
    job.start(wanted(viewer), CHOICES)
    qtbot.waitUntil(stage.reached.is_set)
    assert job.would_lose == 0
    monkeypatch.setattr(fine_tune_job, "_WORTH_ASKING", 0.0)
    assert job.would_lose > 0


def test_an_error_after_some_steps_leaves_the_run_to_be_resumed(
    job: FineTuneJob, viewer: ViewerModel, stage: Stage, library: Path, qtbot: Any
) -> None:
    stage.error = OutputError("The disk is full; make room.")
    with qtbot.waitSignal(job.failed) as caught:
        job.start(wanted(viewer), CHOICES)
    assert caught.args == ["The disk is full; make room."]
    assert len(runs(library)) == 1
    assert stage.closed.is_set()


def test_an_error_before_the_first_step_leaves_nothing(
    job: FineTuneJob, viewer: ViewerModel, stage: Stage, library: Path, qtbot: Any
) -> None:
    stage.error, stage.error_at = ValueError("broken"), 1
    with qtbot.waitSignal(job.failed) as caught:
        job.start(wanted(viewer), CHOICES)
    assert "ValueError: broken" in caught.args[0]
    assert runs(library) == []


@pytest.mark.parametrize("name", ["embedded", "a/b"])
def test_a_name_that_cannot_be_is_refused_before_anything_is_done(
    job: FineTuneJob, viewer: ViewerModel, stage: Stage, library: Path, qtbot: Any, name: str
) -> None:
    with qtbot.waitSignal(job.failed) as caught:
        job.start(wanted(viewer), Choices("embedded", "cpu", "quick", name=name))
    assert name in caught.args[0]
    assert stage.made == []
    assert runs(library) == []


@pytest.mark.parametrize("paused", [False, True])
def test_closing_ends_the_training_and_keeps_its_checkpoint(
    job: FineTuneJob, viewer: ViewerModel, stage: Stage, library: Path, qtbot: Any, paused: bool
) -> None:
    stage.hold_at = 3
    job.start(wanted(viewer), CHOICES)
    qtbot.waitUntil(stage.reached.is_set)
    if paused:
        job.pause()
    job.close()
    assert not job.busy
    stage.gate.set()
    qtbot.waitUntil(stage.closed.is_set)
    (run,) = runs(library)
    assert (run / "last.pt").read_text(encoding="utf-8") == "3"


def test_layers_may_go_while_it_trains(job: FineTuneJob, viewer: ViewerModel, stage: Stage, qtbot: Any) -> None:
    stage.hold_at = 1
    job.start(wanted(viewer), CHOICES)
    qtbot.waitUntil(stage.reached.is_set)
    viewer.layers.clear()
    with qtbot.waitSignal(job.done):
        stage.gate.set()


def test_looking_for_interrupted_runs_where_there_are_none(job: FineTuneJob, qtbot: Any) -> None:
    with qtbot.waitSignal(job.found) as caught:
        job.look()
    assert caught.args == [[]]


def test_what_cannot_be_resumed_says_so(job: FineTuneJob, qtbot: Any, tmp_path: Path) -> None:
    @dataclass
    class Gone:
        path: Path = tmp_path / "gone"
        name: str = "gone"

    with qtbot.waitSignal(job.failed) as caught:
        job.resume(Gone())
    assert "gone" in caught.args[0]


def test_sentence_of() -> None:
    assert fine_tune_job.sentence_of(DextrError("Do this.")) == "Do this."
    assert "please report" in fine_tune_job.sentence_of(RuntimeError("x"))


def test_a_resumed_training_is_never_cancelled_without_a_question(
    job: FineTuneJob, viewer: ViewerModel, stage: Stage, library: Path, qtbot: Any
) -> None:
    """Hours may lie behind it, whenever it was resumed."""
    stage.hold_at = 1
    job._begin(lambda: FineTunePlan(None, library.parent / "runs" / "old"), fresh=False)
    qtbot.waitUntil(stage.reached.is_set)
    assert job.would_lose >= fine_tune_job._WORTH_ASKING
    stage.gate.set()
    with qtbot.waitSignal(job.done):
        pass


def test_closing_wakes_a_training_that_was_paused_before_it_began(
    job: FineTuneJob, viewer: ViewerModel, stage: Stage, library: Path, qtbot: Any
) -> None:
    ready = threading.Event()

    def planned() -> FineTunePlan:
        assert ready.wait(60)
        return FineTunePlan(None, library.parent / "runs" / "old")

    job._begin(planned, fresh=False)
    order = job._order
    assert order is not None
    job.pause()
    job.close()
    assert not order.paused
    ready.set()


def test_cancelling_while_objects_judge_keeps_nothing(
    job: FineTuneJob, viewer: ViewerModel, stage: Stage, library: Path, qtbot: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    judging, judged = threading.Event(), threading.Event()
    real = FakeTuning.run

    def run(tuning: FakeTuning) -> Iterator[Any]:
        yield from real(tuning)
        judging.set()
        assert judged.wait(60)

    monkeypatch.setattr(FakeTuning, "run", run)
    job.start(wanted(viewer), CHOICES)
    qtbot.waitUntil(judging.is_set)
    with qtbot.waitSignal(job.cancelled):
        job.cancel()
        judged.set()
    assert own_models() == ()
    assert runs(library) == []
