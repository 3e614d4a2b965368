"""A run over all boxes, in the background."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_dextr.errors import DextrError, ImageError
from napari_dextr.napari_io.object_table import record, store
from napari_dextr.napari_io.parked_sessions import release_closed
from napari_dextr.session.autosave import SUFFIX
from napari_dextr.widgets import boxes_job
from napari_dextr.widgets.boxes_job import BoxesJob


@pytest.fixture
def many(segmenter: Any) -> Any:
    """The model without a network, asked for many."""

    def segment_many(image: Any, prompts: Any, *, batch: int = 8, channels: Any = None, limits: Any = None) -> Any:
        return [segmenter.segment(image, prompt, limits=limits) for prompt in prompts]

    segmenter.segment_many = segment_many
    segmenter.model_hash = "abc"
    return segmenter


@pytest.fixture
def made(qtbot: Any, many: Any) -> Iterator[tuple[ViewerModel, BoxesJob]]:
    viewer = ViewerModel()

    def load(source: str, device: str, progress: Callable[[int, int], None]) -> Any:
        progress(1, 2)
        if source == "broken":
            raise DextrError("This model is broken; choose another one.")
        if source == "odd":
            raise RuntimeError("CUDA error")
        return many

    job = BoxesJob(viewer, load)
    yield viewer, job
    many.gate.set()
    job.stop()


def boxes(viewer: ViewerModel, count: int = 3) -> tuple[Any, Any]:
    image = viewer.add_image(np.zeros((4, 60, 200), np.uint8), scale=(2, 1, 1))
    corners = [(9.5, 4.5), (9.5, 10.5), (20.5, 10.5), (20.5, 4.5)]
    data = [[(number % 4, row, col + 15 * number) for row, col in corners] for number in range(count)]
    return image, viewer.add_shapes(data, shape_type="rectangle", scale=(2, 1, 1))


def test_every_box_becomes_an_object(qtbot: Any, made: tuple[ViewerModel, BoxesJob]) -> None:
    viewer, job = made
    image, shapes = boxes(viewer, 12)
    steps: list[tuple[str, int, int]] = []
    job.progressed.connect(lambda *step: steps.append(step))
    with qtbot.waitSignal(job.ended) as caught:
        target = job.start(shapes, image, None, "any", "auto")
        assert job.busy
    assert caught.args[1] == "done"
    assert "12 objects in 'DEXTR labels'" in caught.args[0]
    assert steps[0] == ("Preparing …", 0, 0)
    assert steps[-1] == ("Object 12 of 12", 12, 12)
    assert any(layer is target for layer in viewer.layers)
    assert sorted(np.unique(target.data)) == list(range(13))
    facts, _ = record(target)
    assert len(facts) == 12
    assert facts[1].model_hash == "abc"
    np.testing.assert_allclose(target.scale, image.scale)


def test_small_boxes_come_before_the_large_one_around_them(qtbot: Any, made: tuple[ViewerModel, BoxesJob]) -> None:
    viewer, job = made
    image = viewer.add_image(np.zeros((60, 60), np.uint8))
    large, small = [(0, 0), (0, 50), (50, 50), (50, 0)], [(9.5, 9.5), (9.5, 20.5), (20.5, 20.5), (20.5, 9.5)]
    shapes = viewer.add_shapes([large, small], shape_type="rectangle")
    with qtbot.waitSignal(job.ended):
        target = job.start(shapes, image, None, "any", "auto")
    inside = target.data[10:21, 10:21]
    assert (inside == inside[0, 0]).all()
    assert target.data[30, 30] not in (0, inside[0, 0])


def test_cancelling_keeps_what_was_found(qtbot: Any, made: tuple[ViewerModel, BoxesJob], many: Any) -> None:
    viewer, job = made
    image, shapes = boxes(viewer, 12)
    many.gate.clear()
    with qtbot.waitSignal(job.ended) as caught:
        job.start(shapes, image, None, "any", "auto")
        qtbot.waitUntil(many.entered.is_set)
        job.cancel()
        many.gate.set()
    assert caught.args[0].startswith("Cancelled.")
    assert caught.args[1] == "warning"
    assert len(job.rows) < 12


@pytest.mark.parametrize(("source", "said"), [("broken", "choose another one"), ("odd", "failed unexpectedly")])
def test_a_model_that_cannot_be_loaded_is_said(
    qtbot: Any, made: tuple[ViewerModel, BoxesJob], source: str, said: str
) -> None:
    viewer, job = made
    image, shapes = boxes(viewer)
    with qtbot.waitSignal(job.ended) as caught:
        job.start(shapes, image, None, source, "auto")
    assert said in caught.args[0]
    assert caught.args[1] == "error"
    assert not job.busy
    assert len(viewer.layers) == 2  # the new Labels layer has gone again


def test_a_layer_that_was_there_stays_when_the_model_cannot_be_loaded(
    qtbot: Any, made: tuple[ViewerModel, BoxesJob]
) -> None:
    viewer, job = made
    image, shapes = boxes(viewer)
    target = viewer.add_labels(np.zeros((4, 60, 200), np.uint8), scale=(2, 1, 1))
    with qtbot.waitSignal(job.ended):
        job.start(shapes, image, target, "broken", "auto")
    assert any(layer is target for layer in viewer.layers)


def test_boxes_that_all_lie_elsewhere_are_said_and_leave_no_layer(
    qtbot: Any, made: tuple[ViewerModel, BoxesJob]
) -> None:
    viewer, job = made
    image = viewer.add_image(np.zeros((20, 20), np.uint8))
    shapes = viewer.add_shapes([[(90, 90), (90, 99), (99, 99), (99, 90)]], shape_type="rectangle", name="far")
    with qtbot.waitSignal(job.ended) as caught:
        job.start(shapes, image, None, "any", "auto")
    assert "'far' holds no box that can be used. Number 1" in caught.args[0]
    assert len(viewer.layers) == 2


def test_answers_that_come_in_a_flood_let_the_viewer_breathe(
    qtbot: Any, made: tuple[ViewerModel, BoxesJob], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(boxes_job, "_SLICE", 0.0)  # every piece of news wants a turn of its own
    monkeypatch.setattr(boxes_job, "_SHOWN", 0.0)
    viewer, job = made
    image, shapes = boxes(viewer, 12)
    turns: list[int] = []
    job.added.connect(lambda: turns.append(len(job.rows)))
    with qtbot.waitSignal(job.ended) as caught:
        job.start(shapes, image, None, "any", "auto")
    assert caught.args[1] == "done"
    assert len(job.rows) == 12
    assert turns == sorted(turns)


def test_without_boxes_nothing_begins(made: tuple[ViewerModel, BoxesJob]) -> None:
    viewer, job = made
    image = viewer.add_image(np.zeros((20, 20)))
    with pytest.raises(ImageError, match="holds no box"):
        job.start(viewer.add_shapes(), image, None, "any", "auto")
    assert not job.busy
    assert len(viewer.layers) == 2  # no empty Labels layer is left behind


def rename(viewer: ViewerModel, target: Any) -> None:
    target.name = "mine"


def paint(viewer: ViewerModel, target: Any) -> None:
    target.data[0, 50, 190] = 99


def tabulate(viewer: ViewerModel, target: Any) -> None:
    target.features = {"index": [77], "remark": ["look again"]}


def leave(viewer: ViewerModel, target: Any) -> None: ...


@pytest.mark.parametrize(
    ("use", "annotated", "stays"),
    [(leave, False, False), (rename, False, True), (paint, False, True), (tabulate, False, True), (leave, True, True)],
)
def test_undoing_the_whole_run_takes_its_layer_along_unless_it_is_used(
    qtbot: Any,
    made: tuple[ViewerModel, BoxesJob],
    monkeypatch: pytest.MonkeyPatch,
    use: Callable[[ViewerModel, Any], None],
    annotated: bool,
    stays: bool,
) -> None:
    monkeypatch.setattr(boxes_job, "used_in_annotate", lambda viewer, target: annotated)
    viewer, job = made
    image, shapes = boxes(viewer)
    with qtbot.waitSignal(job.ended):
        target = job.start(shapes, image, None, "any", "auto")
    job.batch.accept(job.rows[0])  # type: ignore[union-attr]
    use(viewer, target)
    job.undo()
    assert target in viewer.layers
    assert job.undo() == "the whole run"
    assert (target in viewer.layers) == stays
    assert job.rows == []
    assert job.undo() is None


def test_a_run_that_was_undone_is_not_offered_again(qtbot: Any, many: Any, tmp_path: Path) -> None:
    viewer = ViewerModel()
    job = BoxesJob(viewer, lambda *_: many, tmp_path)
    image, shapes = boxes(viewer)
    with qtbot.waitSignal(job.ended):
        job.start(shapes, image, None, "any", "auto")
    assert list(tmp_path.glob(f"*{SUFFIX}"))
    job.undo()
    job.stop()
    release_closed()
    assert not list(tmp_path.glob(f"*{SUFFIX}"))


def test_undoing_the_whole_run_leaves_a_layer_that_was_there(qtbot: Any, made: tuple[ViewerModel, BoxesJob]) -> None:
    viewer, job = made
    image, shapes = boxes(viewer)
    target = viewer.add_labels(np.zeros((4, 60, 200), np.uint8), scale=(2, 1, 1))
    with qtbot.waitSignal(job.ended):
        job.start(shapes, image, target, "any", "auto")
    job.undo()
    assert not target.data.any()
    assert target in viewer.layers


def test_showing_an_object(qtbot: Any, made: tuple[ViewerModel, BoxesJob]) -> None:
    viewer, job = made
    image, shapes = boxes(viewer)
    with qtbot.waitSignal(job.ended):
        target = job.start(shapes, image, None, "any", "auto")
    row = next(row for row in job.rows if row.task.facts.plane == (2,))
    job.show(row)
    assert viewer.dims.point[0] == pytest.approx(4)
    assert viewer.layers.selection.active is target
    assert target.selected_label == row.label


def test_corrections_elsewhere_change_the_score(qtbot: Any, made: tuple[ViewerModel, BoxesJob]) -> None:
    viewer, job = made
    image, shapes = boxes(viewer)
    with qtbot.waitSignal(job.ended):
        target = job.start(shapes, image, None, "any", "auto")
    facts, classes = record(target)
    facts[2] = replace(facts[2], score=0.31)
    with qtbot.waitSignal(job.rescored):
        store(target, facts, classes)
    assert next(row for row in job.rows if row.label == 2).score == 0.31


def test_a_target_that_goes_ends_the_run(qtbot: Any, made: tuple[ViewerModel, BoxesJob], many: Any) -> None:
    viewer, job = made
    image, shapes = boxes(viewer)
    many.gate.clear()
    target = job.start(shapes, image, None, "any", "auto")
    viewer.layers.remove(target)
    job.forget(target)
    assert not job.busy
    assert job.rows == []
