"""Counting and writing in the background."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import pytest
from napari.layers import Image, Labels

from napari_dextr.coco import ImageLabels, export_coco
from napari_dextr.coco.validation import CocoReport
from napari_dextr.napari_io.export_images import Pictures
from napari_dextr.napari_io.object_table import record, store
from napari_dextr.napari_io.saved_layers import listen, stop_listening
from napari_dextr.objects import ObjectClass, ObjectFacts
from napari_dextr.session.unsaved import moment
from napari_dextr.widgets.export_job import ExportJob, ExportPlan, Outcome


@pytest.fixture
def pair() -> tuple[Labels, Image]:
    data = np.zeros((3, 20, 20), np.uint16)
    data[0, 2:8, 2:8] = 1
    data[2, 3:9, 3:9] = 2
    labels = Labels(data, name="labels")
    facts = {1: ObjectFacts(class_id=1, plane=(0,)), 2: ObjectFacts(class_id=2, plane=(2,))}
    store(labels, facts, [ObjectClass(1, "egg", "#e69f00"), ObjectClass(2, "mite", "#56b4e9")])
    return labels, Image(np.zeros((3, 20, 20), np.uint8), name="stack")


@pytest.fixture
def job(qtbot: Any) -> Iterator[ExportJob]:
    made = ExportJob()
    yield made
    made.stop()


def test_counting(job: ExportJob, pair: Any, qtbot: Any) -> None:
    with qtbot.waitSignal(job.counted) as caught:
        job.count([pair])
    counts, complete = caught.args
    assert complete
    assert counts.classes == {"egg": 1, "mite": 1}
    assert not job.counting


def test_what_cannot_be_counted_is_said(job: ExportJob, qtbot: Any) -> None:
    gone: list[bool] = []

    def read(block: np.ndarray) -> np.ndarray:
        if gone:
            raise OSError("the disk has gone")
        return block

    labels = Labels(da.zeros((4, 4), dtype=int).map_blocks(read, dtype=int, meta=np.zeros((0, 0), int)))
    gone.append(True)
    with qtbot.waitSignal(job.stopped_counting) as caught:
        job.count([(labels, None)])
    assert "the disk has gone" in caught.args[0]


def test_classes_of_one_name_are_one_whatever_their_numbers(
    job: ExportJob, pair: Any, qtbot: Any, tmp_path: Path
) -> None:
    other = Labels(np.zeros((3, 20, 20), np.uint16), name="other")
    other.data[1, 2:8, 2:8] = 1
    store(other, {1: ObjectFacts(class_id=1, plane=(1,))}, [ObjectClass(1, "mite", "#e69f00")])
    pairs = [pair, (other, pair[1])]
    with qtbot.waitSignal(job.counted) as caught:
        job.count(pairs)
    assert caught.args[0].classes == {"egg": 1, "mite": 2}
    with qtbot.waitSignal(job.done) as caught:
        job.export(ExportPlan(pairs=pairs, path=tmp_path / "a.json", names={2: "tick"}))
    assert caught.args[0].report.by_class == {"egg": 1, "tick": 2}
    document = json.loads((tmp_path / "a.json").read_text(encoding="utf-8"))
    assert [(entry["id"], entry["name"]) for entry in document["categories"]] == [(1, "egg"), (2, "tick")]
    assert [entry["category_id"] for entry in document["annotations"]] == [1, 2, 2]
    assert [(entry.id, entry.name) for entry in record(other)[1]] == [(1, "tick")]
    assert record(other)[0][1].class_id == 1


def test_export_with_new_names_in_every_format(job: ExportJob, pair: Any, qtbot: Any, tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    formats = ("coco", "semantic", "instances", "yolo")
    steps: list[tuple[int, int]] = []
    job.progressed.connect(lambda done, total: steps.append((done, total)))
    with qtbot.waitSignal(job.done) as caught:
        job.export(ExportPlan(pairs=[pair], path=path, formats=formats, names={1: "ovum"}))
    text, kind = caught.args[0].sentence()
    assert kind == "done"
    assert "2 objects are on 2 images" in text
    assert "2 images written" in text
    assert steps[-1] == (3, 3)
    document = json.loads(path.read_text(encoding="utf-8"))
    assert [entry["name"] for entry in document["categories"]] == ["ovum", "mite"]
    assert {folder.name for folder in tmp_path.iterdir()} == {"a.json", "images", "semantic", "instances", "yolo"}
    labels = pair[0]
    assert [entry.name for entry in record(labels)[1]] == ["ovum", "mite"]
    coco = labels.metadata["napari_dextr"]["coco"]
    assert coco["file"] == str(path)
    assert coco["ids"] == {"images/stack_z0.png": {1: 1}, "images/stack_z2.png": {2: 2}}


def test_what_was_exported_is_told_as_it_was_at_the_beginning(
    job: ExportJob, pair: Any, qtbot: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from napari_dextr.widgets import export_job

    held, real = Held(pair[0].data), export_job.label_source

    def lazy(labels: Any, image: Any) -> Any:
        source = real(labels, image)
        object.__setattr__(source, "array", held)
        return source

    monkeypatch.setattr(export_job, "label_source", lazy)
    heard: list[tuple[Any, int]] = []

    def hear(layer: Any, began: int) -> None:
        heard.append((layer, began))

    listen(hear)
    before = moment()
    with qtbot.waitSignal(job.done):
        job.export(ExportPlan(pairs=[pair], path=tmp_path / "a.json"))
        qtbot.waitUntil(held.entered.is_set)
        after = moment()
        held.gate.set()
    stop_listening(hear)
    ((layer, began),) = heard
    assert layer is pair[0]
    assert before < began < after


def test_deleted_objects_leave_the_file(job: ExportJob, pair: Any, qtbot: Any, tmp_path: Path) -> None:
    plan = ExportPlan(pairs=[pair], path=tmp_path / "a.json")
    with qtbot.waitSignal(job.done):
        job.export(plan)
    pair[0].data[2] = 0
    with qtbot.waitSignal(job.done) as caught:
        job.export(plan)
    assert "1 deleted object" in caught.args[0].sentence()[0]
    document = json.loads((tmp_path / "a.json").read_text(encoding="utf-8"))
    assert [entry["id"] for entry in document["annotations"]] == [1]
    assert list(tmp_path.glob("a*.bak")) or list(tmp_path.glob("*.bak"))


@pytest.mark.parametrize("path", [None, Path("/no/such/folder/a.json")])
def test_without_a_place_nothing_begins(job: ExportJob, pair: Any, qtbot: Any, path: Path | None) -> None:
    with qtbot.waitSignal(job.failed) as caught:
        job.export(ExportPlan(pairs=[pair], path=path))
    assert "folder" in caught.args[0] or "file" in caught.args[0]
    assert not job.busy


def test_a_foreign_file_is_not_replaced(job: ExportJob, pair: Any, qtbot: Any, tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text('{"shapes": []}')
    with qtbot.waitSignal(job.failed) as caught:
        job.export(ExportPlan(pairs=[pair], path=path))
    assert "a.json" in caught.args[0]
    assert path.read_text() == '{"shapes": []}'


class Held:
    """An array that can be held while it is read."""

    def __init__(self, data: np.ndarray) -> None:
        self.data, self.gate, self.entered = data, threading.Event(), threading.Event()
        self.shape, self.dtype, self.ndim = data.shape, data.dtype, data.ndim

    def __getitem__(self, key: Any) -> Any:
        self.entered.set()
        assert self.gate.wait(30)
        return self.data[key]


def test_cancelling_leaves_the_old_file(
    job: ExportJob, pair: Any, qtbot: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from napari_dextr.widgets import export_job

    path = tmp_path / "a.json"
    plan = ExportPlan(pairs=[pair], path=path)
    with qtbot.waitSignal(job.done):
        job.export(plan)
    before = path.read_bytes(), sorted(file.name for file in tmp_path.iterdir())
    held = Held(pair[0].data)
    real = export_job.label_source

    def lazy(labels: Any, image: Any) -> Any:
        source = real(labels, image)
        object.__setattr__(source, "array", held)
        return source

    monkeypatch.setattr(export_job, "label_source", lazy)
    heard: list[Any] = []
    monkeypatch.setattr(export_job, "tell_saved", lambda layers, began: heard.append(began))
    with qtbot.waitSignal(job.cancelled):
        job.export(plan)
        qtbot.waitUntil(held.entered.is_set)
        job.cancel()
        held.gate.set()
    assert (path.read_bytes(), sorted(file.name for file in tmp_path.iterdir())) == before
    assert heard == []


@pytest.mark.parametrize("formats", [("coco",), ("coco", "semantic", "instances", "yolo")])
def test_cancelling_takes_back_the_pictures_of_the_run(
    job: ExportJob, pair: Any, qtbot: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, formats: tuple[str, ...]
) -> None:
    from napari_dextr.widgets import export_job

    (tmp_path / "theirs.png").write_bytes(b"theirs")
    real = export_job.image_labels

    def planes(*arguments: Any, **options: Any) -> Iterator[Any]:
        for plane in real(*arguments, **options):
            yield plane
            assert list((tmp_path / "images").iterdir())
            job.cancel()

    monkeypatch.setattr(export_job, "image_labels", planes)
    with qtbot.waitSignal(job.cancelled):
        job.export(ExportPlan(pairs=[pair], path=tmp_path / "a.json", formats=formats))
    assert [file.name for file in tmp_path.iterdir()] == ["theirs.png"]


@pytest.mark.parametrize(
    ("found", "end", "lines"),
    [
        (0, "is sound.", []),
        (1, "Please look at: Problem 0.", ["Problem 0."]),
        (3, "Please look at: Problem 0. (and 2 more; the tooltip lists them)", [f"Problem {n}." for n in range(3)]),
        (
            1300,
            "(and 1,299 more; the tooltip lists them)",
            [*(f"Problem {n}." for n in range(25)), "… and 1,275 more."],
        ),
    ],
)
def test_all_problems_can_be_looked_up(tmp_path: Path, found: int, end: str, lines: list[str]) -> None:
    path = tmp_path / "a.json"
    report = export_coco(path, [ImageLabels("a.png", np.eye(4, dtype=int))])
    check = CocoReport(path)
    for number in range(found):
        check.add(f"Problem {number}.")
    outcome = Outcome(path, Pictures(path), report, check)
    assert outcome.sentence()[0].endswith(end)
    assert outcome.details == [str(path), *lines]
