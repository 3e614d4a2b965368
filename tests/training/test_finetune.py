"""Fine-tuning: from annotations to a judged model that opens, on the same curve after a stop, never worse unnoticed."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from napari_dextr import Prompt, load_model
from napari_dextr.coco import labels_to_coco, merge_coco, write_coco
from napari_dextr.errors import DataError, ModelError, OutputError
from napari_dextr.models.checkpoint import read_checkpoint, read_spec, write_checkpoint
from napari_dextr.models.spec import ModelSpec
from napari_dextr.prompt import MARKS
from napari_dextr.training import crops, finetune_run, loop, starts
from napari_dextr.training.finetune import FineTunePlan, FineTuning, read_outcome
from napari_dextr.training.finetune_plan import PLAN
from napari_dextr.training.outcome import Outcome
from napari_dextr.training.run_folder import read_metrics
from napari_dextr.training.sources import ArraySource, CocoSource
from napari_dextr.training.verdict import Verdict

from .child import make_network

CHILD = Path(__file__).with_name("child.py")
QUICK = {"steps": 4, "batch": 4, "canvases": ((64, 1.0),), "validate_every": 2, "pictures": 0, "precision": "float32"}


def write_data(folder):
    """Three images with four discs each, and a small model to start from; the same ones each time."""
    rng = np.random.default_rng(0)
    rows, cols = np.indices((90, 100))
    documents = []
    for number in range(3):
        labels = np.zeros((90, 100), np.int32)
        for label in range(1, 5):
            row, col = 22 + 45 * ((label - 1) // 2), 25 + 48 * ((label - 1) % 2)
            labels[np.hypot(rows - row, cols - col) < rng.uniform(9, 15)] = label
        image = np.where(labels > 0, 190, 60) + rng.normal(0, 8, labels.shape)
        Image.fromarray(image.clip(0, 255).astype(np.uint8)).save(folder / f"{number}.png")
        documents.append(labels_to_coco(labels, f"{number}.png"))
    write_coco(folder / "own.json", merge_coco(documents))
    network = make_network()
    spec = ModelSpec("small", "compact", network.options, canvas=64, marks=MARKS, threshold=0.4, has_score=True)
    write_checkpoint(folder / "start.safetensors", network, spec, dtype=torch.float32)
    return folder


@pytest.fixture
def data(tmp_path):
    return write_data(tmp_path)


def plan(data, **changes):
    values = {"initial": str(data / "start.safetensors"), "hold_out": 0.34, "settings": QUICK, "device": "cpu"}
    return FineTunePlan(CocoSource(data / "own.json", data), data / "run", **{**values, **changes})


def weights_of(path):
    return {name: value.numpy() for name, value in read_checkpoint(path)[1].items() if "tracked" not in name}


def same_weights(first, second):
    first, second = weights_of(first), weights_of(second)
    return all(np.array_equal(first[name], second[name]) for name in first)


def let_verdict(monkeypatch, helps, gain=0.1):
    real = Verdict.of

    def of(*words):
        return replace(real(*words), helps=helps, gain=gain)

    monkeypatch.setattr(finetune_run.Verdict, "of", of)


@pytest.fixture
def says(monkeypatch):
    """Lets a test say what the verdict is, with the figures that were found."""
    return partial(let_verdict, monkeypatch)


@dataclass(frozen=True)
class Whole:
    """A run that nothing cut short: its curve, what it came to, and its folder."""

    curve: list[float]
    outcome: Outcome
    folder: Path

    @classmethod
    def of(cls, plan):
        tuning = FineTuning(plan)
        return cls([update.loss for update in tuning.run()], tuning.outcome, Path(plan.out))


@pytest.fixture(scope="module")
def whole_rounds(tmp_path_factory):
    """What stopped and killed runs in rounds must come to: their data are these to the bit."""
    data = write_data(tmp_path_factory.mktemp("whole"))
    with pytest.MonkeyPatch.context() as monkeypatch:
        let_verdict(monkeypatch, True)
        return Whole.of(plan(data, hold_out=None, folds=2))


def test_annotations_become_a_model_that_segments(data, says):
    says(True)
    lines = []
    tuning = FineTuning(plan(data), lines.append)
    updates = list(tuning.run())
    assert [update.step for update in updates] == [1, 2, 3, 4]
    assert any("8 objects cut out" in line for line in lines)
    assert any("4 objects cut out" in line for line in lines)  # held out
    assert any("as it is now" in line for line in lines)  # that takes a while: nobody shall wonder
    outcome = tuning.outcome
    assert outcome.ended == "finished"
    assert outcome.verdict.objects == 4
    assert outcome.after["own"] == outcome.verdict.after
    model = load_model(data / "run")
    assert model.spec.threshold == outcome.threshold
    assert model.spec.name == "run"
    facts = model.spec.provenance
    assert (facts["started_from"], facts["objects"], facts["images"]) == ("small", 8, 2)
    assert facts["data"] == "own.json"
    assert facts["validation"] == {"before": dict(outcome.before), "after": dict(outcome.after)}
    image = np.asarray(Image.open(data / "0.png"))
    assert model.segment(image, Prompt.box(10, 12, 35, 40)).mask.dtype == bool
    assert outcome.tuned.is_file()
    assert 1 <= len(outcome.objects) <= 6
    assert outcome.objects[0].before.shape == outcome.objects[0].truth.shape == (64, 64)


def test_where_the_verdict_is_no_the_old_model_is_in_the_folder(data, says):
    says(False)
    tuning = FineTuning(plan(data))
    list(tuning.run())
    assert same_weights(data / "run", data / "start.safetensors")
    assert load_model(data / "run").spec.name == "small"
    assert not same_weights(tuning.outcome.tuned, data / "start.safetensors")
    assert read_spec(tuning.outcome.tuned).name == "run"


def test_until_the_verdict_the_old_model_is_in_the_folder(data):
    updates = FineTuning(plan(data)).run()
    next(updates)
    assert same_weights(data / "run", data / "start.safetensors")
    updates.close()
    assert same_weights(data / "run", data / "start.safetensors")
    assert read_outcome(data / "run") is None
    assert next(FineTuning(plan(data)).run()).step == 2


def test_few_objects_judge_in_turns_and_all_of_them_teach(data, says):
    says(True)
    tuning = FineTuning(plan(data, hold_out=None, folds=3))
    updates = list(tuning.run())
    assert [update.step for update in updates] == list(range(1, 17))
    assert {update.steps for update in updates} == {16}
    assert [update.ended for update in updates] == [""] * 15 + ["finished"]
    assert len({update.stage for update in updates}) == 4
    outcome = tuning.outcome
    assert (outcome.verdict.objects, outcome.verdict.images) == (12, 3)  # every object judged once
    assert read_spec(data / "run").provenance["objects"] == 12
    assert not list((data / "run" / "rounds").glob("*/*.pt"))  # they would take half a gigabyte
    again = read_outcome(data / "run")
    assert again.verdict == outcome.verdict
    assert [each.iou_after for each in again.objects] == [each.iou_after for each in outcome.objects]


def test_where_nothing_speaks_for_it_no_training_on_all_follows(data, says):
    says(False, gain=-0.01)
    tuning = FineTuning(plan(data, hold_out=None, folds=2))
    updates = list(tuning.run())
    assert updates[-1].step == 8
    assert tuning.outcome.tuned is None
    assert same_weights(data / "run", data / "start.safetensors")
    assert read_outcome(data / "run").verdict == tuning.outcome.verdict


def test_too_few_objects_for_any_judge_keep_the_old_model(data):
    labels = np.zeros((90, 100), np.int32)
    labels[20:50, 30:70] = 1
    source = ArraySource([((labels * 100 + 50).astype(np.uint8), labels)])
    tuning = FineTuning(replace(plan(data, hold_out=None), source=source))
    list(tuning.run())
    assert not tuning.outcome.verdict.helps
    assert "keeping the old" in tuning.outcome.verdict.sentence()
    assert same_weights(data / "run", data / "start.safetensors")
    assert tuning.outcome.tuned.is_file()


def test_a_stopped_run_goes_on_with_the_same_curve(data):
    whole = [update.loss for update in FineTuning(plan(data, name="w")).run()]
    (data / "run").rename(data / "whole")
    tuning = FineTuning(plan(data))
    first = []
    for update in tuning.run():
        first.append(update.loss)
        tuning.stop()
    assert len(first) == 2  # asked during the first step's report, it ends with the next step
    assert tuning.outcome.ended == "stopped"
    assert load_model(data / "run").spec.canvas == 64
    again = FineTuning(plan(data))
    rest = [update.loss for update in again.run()]
    assert first + rest == whole
    assert again.outcome.before == tuning.outcome.before
    assert [line["loss"] for line in read_metrics(data / "run")] == whole
    assert same_weights(data / "run" / "tuned.safetensors", data / "whole" / "tuned.safetensors")


@pytest.mark.parametrize("stop", [2, 7, 10])
def test_a_run_in_rounds_goes_on_from_its_folder_alone(data, stop, says, whole_rounds):
    says(True)
    tuning = FineTuning(plan(data, hold_out=None, folds=2))
    first = []
    for update in tuning.run():
        first.append(update.loss)
        if update.step == stop:
            tuning.stop()
    assert len(first) == stop + 1  # the step that it is at is done
    assert tuning.outcome.ended == "stopped"
    assert tuning.outcome.verdict is None
    assert same_weights(data / "run", data / "start.safetensors")
    for path in [*data.glob("*.png"), data / "own.json", data / "start.safetensors"]:
        path.rename(path.with_suffix(".gone"))
    again = FineTuning.open(data / "run")
    rest = [update.loss for update in again.run()]
    assert first + rest == whole_rounds.curve
    assert again.outcome.verdict == whole_rounds.outcome.verdict
    assert same_weights(data / "run" / "tuned.safetensors", whole_rounds.folder / "tuned.safetensors")


@pytest.mark.parametrize(("hold_out", "until"), [(None, 3), (None, 6), (0.34, 3)])
def test_a_killed_run_goes_on_to_the_same_end(data, hold_out, until, says, start_python, request):
    def records(folder):
        return [[line["loss"] for line in read_metrics(place)] for place in (*sorted(folder.glob("rounds/*")), folder)]

    says(True)
    mine = plan(data, hold_out=hold_out, folds=2, settings={**QUICK, "checkpoint_every": 1})
    if hold_out is None:
        whole = request.getfixturevalue("whole_rounds")
    else:
        whole = Whole.of(mine)
        whole = replace(whole, folder=whole.folder.rename(data / "whole"))
    first = FineTuning(mine).run()
    next(first)
    first.close()
    child = start_python(CHILD, data / "run", "", 0, f"tune:{until}")
    assert child.stdout.readline() == "here\n"
    child.kill()
    child.communicate()
    again = FineTuning.open(data / "run")
    list(again.run())
    assert again.outcome.verdict == whole.outcome.verdict
    assert records(data / "run") == records(whole.folder)
    assert same_weights(data / "run" / "tuned.safetensors", whole.folder / "tuned.safetensors")


def test_a_pause_waits_with_everything_on_disk_and_a_stop_ends_it(data):
    tuning = FineTuning(plan(data, settings={**QUICK, "steps": 6, "validate_every": 6}))
    updates = tuning.run()
    next(updates)
    assert not (data / "run" / "last.pt").exists()
    tuning.pause()
    rest = []
    thread = threading.Thread(target=lambda: rest.extend(updates))
    thread.start()
    thread.join(0.5)
    assert thread.is_alive()
    assert rest == []
    assert (data / "run" / "last.pt").is_file()
    tuning.resume()
    thread.join(60)
    assert [update.step for update in rest] == [2, 3, 4, 5, 6]
    again = FineTuning(plan(data, settings={**QUICK, "steps": 9, "validate_every": 3}))
    again.pause()
    ended = []
    thread = threading.Thread(target=lambda: ended.extend(again.run()))
    thread.start()
    thread.join(0.5)
    assert thread.is_alive()
    again.stop()
    thread.join(60)
    assert [update.ended for update in ended] == ["stopped"]


def slowly(monkeypatch, each=0.05):
    """Cutting takes its time; the crops that were begun."""
    begun, real = [], crops.cut

    def cut(*words):
        begun.append(0)
        time.sleep(each)
        return real(*words)

    monkeypatch.setattr(crops, "cut", cut)
    return begun


def test_a_stop_while_objects_are_cut_out_ends_at_once_and_leaves_nothing_that_misleads(data, monkeypatch):
    begun = slowly(monkeypatch)
    tuning = FineTuning(plan(data))
    updates = []
    thread = threading.Thread(target=lambda: updates.extend(tuning.run()))
    thread.start()
    while not begun:
        time.sleep(0.01)
    tuning.stop()
    asked = time.monotonic()
    thread.join(60)
    assert time.monotonic() - asked < 1
    assert (updates, tuning.outcome) == ([], None)
    assert len(begun) < 12
    assert not (data / "run" / "best.safetensors").exists()
    again = FineTuning(plan(data))
    assert len(list(again.run())) == 4
    assert again.outcome.ended == "finished"


def test_a_pause_while_objects_are_cut_out_waits(data, monkeypatch):
    begun = slowly(monkeypatch, 0.01)
    tuning = FineTuning(plan(data))
    tuning.pause()
    updates = []
    thread = threading.Thread(target=lambda: updates.extend(tuning.run()))
    thread.start()
    thread.join(1)
    assert thread.is_alive()
    assert begun == []
    tuning.resume()
    thread.join(60)
    assert len(updates) == 4


def test_a_pause_while_objects_are_cut_out_can_be_given_up(data):
    given_up = threading.Event()

    def check():
        if given_up.is_set():
            raise GivenUp

    tuning = FineTuning(plan(data), check=check)
    tuning.pause()
    ended = []

    def run():
        with pytest.raises(GivenUp):
            next(tuning.run())
        ended.append(0)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join(0.5)
    assert thread.is_alive()
    given_up.set()
    thread.join(60)
    assert ended == [0]


@pytest.mark.parametrize("end", ["stop", "give up"])
def test_nobody_waits_for_a_download(data, monkeypatch, end):
    said, given_up = [], threading.Event()

    def slow(source, *, progress):
        for done in range(1000):
            progress(done, 1000)
            if done == 3:
                tuning.stop() if end == "stop" else given_up.set()
        raise AssertionError("nobody was asked")

    def check():
        if given_up.is_set():
            raise GivenUp

    monkeypatch.setattr(starts, "open_network", slow)
    tuning = FineTuning(plan(data, initial="dextr-coco"), said.append, check=check)
    if end == "stop":
        assert list(tuning.run()) == []
        assert tuning.outcome is None
    else:
        with pytest.raises(GivenUp):
            list(tuning.run())
    assert said == ["The model 'dextr-coco' is downloaded first …"]
    assert not (data / "run" / PLAN).exists()


@pytest.mark.parametrize("end", ["stop", "give up"])
def test_nobody_waits_until_the_old_model_is_judged(data, monkeypatch, end):
    shown, real, tuning = [], loop.validation_ious, None

    def judged(network, store, showing, **words):
        shown.append(0)
        if len(shown) == 1 and end == "stop":
            tuning.stop()
        return real(network, store, showing, **words)

    def check():
        if shown and end == "give up":
            raise GivenUp

    monkeypatch.setattr(loop, "validation_ious", judged)
    tuning = FineTuning(plan(data), check=check)
    if end == "stop":
        assert list(tuning.run()) == []
        assert (tuning.outcome.ended, tuning.outcome.tuned) == ("stopped", None)
    else:
        with pytest.raises(GivenUp):
            list(tuning.run())
    assert shown == [0]
    monkeypatch.setattr(loop, "validation_ious", real)
    assert len(list(FineTuning(plan(data)).run())) == 4


def test_a_progress_that_raises_ends_the_run_and_frees_the_folder(data):
    class Cancelled(BaseException):
        pass

    def cancel(_line):
        raise Cancelled

    with pytest.raises(Cancelled):
        list(FineTuning(plan(data), cancel).run())
    assert len(list(FineTuning(plan(data)).run())) == 4


def test_two_at_once_in_one_folder_are_refused(data):
    first = FineTuning(plan(data)).run()
    next(first)
    with pytest.raises(OutputError, match="Another training"):
        next(FineTuning(plan(data)).run())
    first.close()


def test_a_damaged_checkpoint_is_told_and_the_one_before_goes_on(data):
    settings = {**QUICK, "validate_every": 1}
    tuning = FineTuning(plan(data, settings=settings))
    for update in tuning.run():
        if update.step == 2:
            tuning.stop()
    path = data / "run" / "last.pt"
    path.write_bytes(path.read_bytes()[:-200])
    updates = list(FineTuning(plan(data, settings=settings)).run())
    assert updates[0].step == 3
    assert any("goes on from the checkpoint before it" in notice for notice in updates[0].notices)


def test_a_full_disk_is_told_and_the_old_model_stays(data, monkeypatch):
    def full(folder, state):
        raise OutputError("'last.pt' cannot be written: the disk is full.")

    monkeypatch.setattr(loop.checkpoints, "save", full)
    updates = FineTuning(plan(data)).run()
    notices = []
    with pytest.raises(OutputError, match="disk is full"):
        for update in updates:
            notices += update.notices
    assert any("The training goes on" in notice for notice in notices)
    assert same_weights(data / "run", data / "start.safetensors")


@pytest.mark.parametrize("frozen", ["early", "encoder", "all but heads"])
def test_what_is_frozen_is_as_it_was_and_statistics_are_too(data, frozen):
    settings = {**QUICK, "frozen": frozen}
    tuning = FineTuning(plan(data, settings=settings, hold_out=0))
    list(tuning.run())
    before, after = weights_of(data / "start.safetensors"), weights_of(data / "run" / "tuned.safetensors")
    changed = {name for name in before if not np.allclose(before[name], after[name], rtol=2e-3, atol=1e-5)}
    kept = {"early": ("stages.0.", "stages.1."), "encoder": ("stages.",), "all but heads": ("stages.", "top.")}[frozen]
    assert changed
    assert not [name for name in changed if name.startswith(kept) or "running_" in name]


def test_without_judges_the_last_average_is_the_model(data):
    tuning = FineTuning(plan(data, hold_out=0))
    list(tuning.run())
    assert (tuning.outcome.best_step, tuning.outcome.after, tuning.outcome.before) == (4, {}, {})
    assert tuning.outcome.verdict is None
    assert tuning.outcome.threshold == 0.4  # that of the start
    assert same_weights(data / "run", tuning.outcome.tuned)


def test_judges_of_their_own_file(data):
    document = json.loads((data / "own.json").read_text(encoding="utf-8"))
    for name, wanted in (("teach.json", ("0.png", "1.png")), ("judge.json", ("1.png", "2.png"))):
        images = [image for image in document["images"] if image["file_name"] in wanted]
        numbers = {image["id"] for image in images}
        objects = [obj for obj in document["annotations"] if obj["image_id"] in numbers]
        (data / name).write_text(json.dumps({**document, "images": images, "annotations": objects}), encoding="utf-8")
    teach, judge = (CocoSource(data / name, data) for name in ("teach.json", "judge.json"))
    lines = []
    tuning = FineTuning(replace(plan(data, hold_out=0, validation=judge), source=teach), lines.append)
    list(tuning.run())
    assert set(tuning.outcome.after) == {"own"}
    assert (tuning.outcome.verdict.objects, tuning.outcome.verdict.images) == (8, 2)
    facts = read_spec(tuning.outcome.tuned).provenance
    assert (facts["objects"], facts["images"]) == (4, 1)  # the image in both files judges and does not teach
    assert any("1 of 2 images" in line for line in lines)
    again = FineTuning.open(data / "run")
    assert list(again.run()) == []
    assert again.outcome.verdict == tuning.outcome.verdict


def test_judges_of_the_file_that_teaches_are_refused_before_a_plan_is_remembered(data):
    with pytest.raises(DataError, match="hold out a share"):
        list(FineTuning(plan(data, hold_out=0, validation=CocoSource(data / "own.json", data))).run())
    assert not (data / "run" / PLAN).exists()
    assert len(list(FineTuning(plan(data)).run())) == 4


def test_arrays_can_be_trained_on(data):
    labels = np.zeros((3, 90, 100), np.int32)
    labels[:, 20:50, 30:70] = 1
    labels[:, 60:80, 20:40] = 2
    source = ArraySource([((labels * 100 + 50).astype(np.uint8), labels)])
    tuning = FineTuning(replace(plan(data, hold_out=0.3), source=source))
    assert len(list(tuning.run())) == 4


def test_a_folder_of_other_data_is_refused(data):
    list(FineTuning(plan(data)).run())
    with pytest.raises(DataError, match="started with other data"):
        list(FineTuning(plan(data, hold_out=0.7)).run())


def test_a_folder_of_another_start_is_refused(data):
    list(FineTuning(plan(data)).run())
    (data / "start.safetensors").rename(data / "other.safetensors")
    with pytest.raises(DataError, match="started from the model"):
        list(FineTuning(plan(data, initial=str(data / "other.safetensors"))).run())


def test_a_run_that_has_no_crops_yet_cannot_go_on_by_itself(data):
    def cancel(_line):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(FineTuning(plan(data), cancel).run())
    with pytest.raises(DataError, match="before its objects were cut out"):
        list(FineTuning.open(data / "run").run())


def test_models_of_another_kind_are_refused(data):
    network = make_network()
    spec = ModelSpec("odd", "compact", network.options, pipeline="published", canvas=64, margin=50, marks=("extreme",))
    write_checkpoint(data / "odd.safetensors", network, spec)
    with pytest.raises(ModelError, match=r"'odd'.*cannot be trained"):
        list(FineTuning(plan(data, initial=str(data / "odd.safetensors"))).run())


def test_from_scratch_needs_no_start_and_is_the_same_each_time(data):
    runs = [FineTuning(plan(data, initial="scratch", name=name)) for name in ("a", "b")]
    losses = []
    for number, run in enumerate(runs):
        losses.append([update.loss for update in run.run()])
        (data / "run").rename(data / str(number))
    assert losses[0] == losses[1]
    assert runs[0].outcome.before == {}
    assert runs[0].outcome.verdict is None


def test_a_run_that_is_over_is_not_that_of_other_settings(data, says):
    says(True)
    list(FineTuning(plan(data)).run())
    before = (data / "run" / "best.safetensors").read_bytes()
    with pytest.raises(DataError, match=r"is over; its model was made with learning_rate .*Choose another run folder"):
        list(FineTuning(plan(data, settings={**QUICK, "learning_rate": 0.02})).run())
    assert (data / "run" / "best.safetensors").read_bytes() == before
    assert [update.step for update in FineTuning(plan(data, settings={**QUICK, "steps": 6})).run()] == [5, 6]


@pytest.mark.parametrize(("width", "canvases"), [(2, [[128, 1.0]]), (20, [[96, 0.75], [128, 0.25]])])
def test_thin_objects_are_learned_on_the_whole_canvas(data, says, width, canvases):
    says(True)
    network = make_network()
    spec = ModelSpec("wider", "compact", network.options, canvas=128, marks=MARKS, has_score=True)
    write_checkpoint(data / "wider.safetensors", network, spec)
    labels = np.zeros((90, 100), np.int32)
    for label, row in enumerate((8, 35, 62), start=1):
        labels[row : row + width, 10:90] = label
    image = np.where(labels > 0, 190, 60).astype(np.uint8)
    settings = {name: value for name, value in QUICK.items() if name != "canvases"}
    source = ArraySource([(image, labels), (image[::-1], labels[::-1])])
    wanted = FineTunePlan(source, data / "run", str(data / "wider.safetensors"), hold_out=0.5, device="cpu")
    lines = []
    list(FineTuning(replace(wanted, settings=settings), lines.append).run())
    assert any("thin" in line for line in lines) is (width == 2)
    assert json.loads((data / "run" / "config.json").read_text(encoding="utf-8"))["canvases"] == canvases
    longer = FineTuning(replace(wanted, settings={**settings, "steps": 5}))  # it is still the same run
    assert [update.step for update in longer.run()] == [5]


def test_where_nothing_speaks_for_it_any_more_an_earlier_model_is_taken_back(data, says):
    says(True)
    settings = {"settings": QUICK, "hold_out": None, "folds": 2}
    list(FineTuning(plan(data, **settings)).run())
    assert not same_weights(data / "run", data / "start.safetensors")
    says(False, gain=-0.01)
    list(FineTuning(plan(data, **{**settings, "settings": {**QUICK, "steps": 5}})).run())
    assert same_weights(data / "run", data / "start.safetensors")


def test_a_stop_before_the_first_step_on_all_objects_makes_no_model(data, says):
    says(True)
    tuning = FineTuning(plan(data, hold_out=None, folds=2))
    for update in tuning.run():
        if update.step == 8:  # the last step of the rounds
            tuning.stop()
    assert tuning.outcome.ended == "stopped"
    assert tuning.outcome.tuned is None
    assert not (data / "run" / "tuned.safetensors").exists()
    assert read_outcome(data / "run") is None


def test_objects_that_cannot_be_read_any_more_are_told(data):
    updates = FineTuning(plan(data)).run()
    next(updates)
    updates.close()
    (data / "run" / "data.json").write_text("{", encoding="utf-8")
    with pytest.raises(DataError, match="choose another run folder"):
        list(FineTuning(plan(data)).run())


def test_a_seed_that_is_none_is_refused_before_anything_is_written(data):
    with pytest.raises(DataError, match="seed"):
        list(FineTuning(plan(data, settings={**QUICK, "seed": "abc"})).run())


def test_a_refused_command_decides_neither_the_start_nor_the_plan(data):
    with pytest.raises(DataError, match="learning rate 5"):
        list(FineTuning(plan(data, initial="embedded", settings={**QUICK, "learning_rate": 5})).run())
    updates = FineTuning(plan(data, name="mine")).run()
    next(updates)
    updates.close()
    assert load_model(data / "run").spec.name == "small"
    with pytest.raises(DataError, match="other data"):
        list(FineTuning(plan(data, hold_out=0.5, name="other", settings={**QUICK, "steps": 9})).run())
    again = FineTuning.open(data / "run")
    assert [update.steps for update in again.run()] == [4] * 3
    facts = read_spec(again.outcome.tuned)
    assert (facts.name, facts.provenance["data"]) == ("mine", "own.json")


def test_after_a_stop_a_lower_rate_can_be_given(data):
    tuning = FineTuning(plan(data))
    for _ in tuning.run():
        tuning.stop()
    assert (tuning.outcome.ended, read_outcome(data / "run").ended) == ("stopped", "stopped")
    again = FineTuning(plan(data, settings={**QUICK, "learning_rate": 1e-5}))
    assert [update.step for update in again.run()] == [3, 4]


class GivenUp(BaseException):
    pass


@pytest.mark.parametrize("hold_out", [None, 0.34])
def test_what_is_given_up_while_objects_judge_ends_at_once(data, hold_out, monkeypatch):
    monkeypatch.setattr(finetune_run, "_JUDGED_AT_ONCE", 1)
    asked = []

    def check():
        if judging:
            asked.append(0)
            if len(asked) == 3:
                raise GivenUp

    judging = []
    tuning = FineTuning(plan(data, hold_out=hold_out, folds=2), check=check)
    with pytest.raises(GivenUp):
        for update in tuning.run():
            judging = [update] if update.step == 4 else []
    assert tuning.outcome is None
    assert len(asked) == 3
    rest = [update.step for update in FineTuning(plan(data, hold_out=hold_out, folds=2)).run()]
    assert rest[:4] == ([] if hold_out else [5, 6, 7, 8])  # nothing that was learned is lost


def test_a_stop_ends_a_round_in_which_objects_judge(data, monkeypatch, says, whole_rounds):
    says(True)
    monkeypatch.setattr(finetune_run, "_JUDGED_AT_ONCE", 1)
    tuning = FineTuning(plan(data, hold_out=None, folds=2))
    shown, real = [], finetune_run.judge

    def judge(network, store, chosen, showing, threshold):
        shown.append(0)
        if len(shown) == 2:
            tuning.stop()
        return real(network, store, chosen, showing, threshold)

    monkeypatch.setattr(finetune_run, "judge", judge)
    first = [update.loss for update in tuning.run()]
    assert (len(first), len(shown), tuning.outcome.ended) == (4, 2, "stopped")
    again = FineTuning.open(data / "run")
    assert first + [update.loss for update in again.run()] == whole_rounds.curve
    assert again.outcome.verdict == whole_rounds.outcome.verdict


def test_the_last_training_follows_the_settings_that_were_judged(data, says):
    says(True)
    tuning = FineTuning(plan(data, hold_out=None, folds=2))
    for update in tuning.run():
        if update.step == 9:
            tuning.stop()
    assert tuning.outcome.steps == 2
    slower = plan(data, hold_out=None, folds=2, settings={**QUICK, "learning_rate": 1e-6})
    assert [update.step for update in FineTuning(slower).run()] == list(range(1, 13))


def test_damaged_pictures_of_a_round_are_no_obstacle(data, says):
    says(True)
    updates = FineTuning(plan(data, hold_out=None, folds=2)).run()
    for update in updates:
        if update.step == 9:
            break
    updates.close()
    (data / "run" / "rounds" / "1" / "comparisons.npz").write_bytes(b"PK")
    again = FineTuning.open(data / "run")
    assert [update.step for update in again.run()] == [10, 11, 12]
    assert again.outcome.verdict.objects == 12
    (data / "run" / "comparisons.npz").write_bytes(b"PK")
    assert read_outcome(data / "run").objects == ()


def test_after_a_card_was_left_the_processor_computes_in_its_own_arithmetic(data, monkeypatch):
    seen, real = [], finetune_run.Trainer

    class Small(real):
        def __init__(self, network, sampler, config, *words, **names):
            seen.append((config.precision, names["device"].type))
            super().__init__(
                network, sampler, replace(config, precision="float32"), *words, **{**names, "device": "cpu"}
            )

    monkeypatch.setattr(finetune_run, "Trainer", Small)
    # there is no card here: what matters is what each stage is given after the first came back from one
    monkeypatch.setattr("napari_dextr.training.finetune.choose_device", lambda _name: torch.device("cuda"))
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _device: (7, 0))
    settings = {**QUICK, "precision": "float16", "steps": 1, "validate_every": 1}
    list(FineTuning(plan(data, hold_out=None, folds=2, settings=settings)).run())
    assert seen[:2] == [("float16", "cuda"), ("float32", "cpu")]
