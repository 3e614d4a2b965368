"""Evaluation: with models whose answers are known, the figures are known too."""

from __future__ import annotations

import json
from dataclasses import replace

import imageio.v3
import numpy as np
import pytest

from napari_dextr.baselines import BASELINES
from napari_dextr.coco import labels_to_coco, merge_coco, read_coco, write_coco
from napari_dextr.errors import DataError, PromptError, UnsupportedMarkError
from napari_dextr.evaluation import Settings, Spread, evaluate
from napari_dextr.metrics import iou
from napari_dextr.models.spec import ModelSpec
from napari_dextr.prompt import MARKS, Prompt
from napari_dextr.rle import encode
from napari_dextr.segmenter import Segmentation

SHAPE = (80, 100)
FAST = Settings(baselines=("ellipse", "box"))


class Fake:
    """A model that cuts by brightness, with a mistake until it is corrected."""

    def __init__(self, marks=MARKS, mistake: int = 0, score: float | None = 0.75) -> None:
        self.spec = ModelSpec("fake", "none", marks=tuple(marks))
        self.mistake = mistake
        self.score = score
        self.prompts: list[Prompt] = []

    def segment(self, image, prompt):
        for mark in sorted(prompt.marks - set(self.spec.marks)):
            raise UnsupportedMarkError(mark, "fake")
        self.prompts.append(prompt)
        grey = image if image.ndim == 2 else image[..., 0]
        r0, c0, r1, c1 = prompt.bounds or (0, 0, *SHAPE)
        rows, cols = slice(max(int(r0) - 5, 0), int(r1) + 6), slice(max(int(c0) - 5, 0), int(c1) + 6)
        probability = (grey[rows, cols] > 100).astype(np.float32)
        corrected = len(prompt.boundary_points) or (prompt.marks & {"mask"})
        if self.mistake and not corrected:
            probability[:, : probability.shape[1] // self.mistake] = 0
        region = (
            slice(rows.start, rows.start + probability.shape[0]),
            slice(cols.start, cols.start + probability.shape[1]),
        )
        return Segmentation(probability, region, grey.shape, prompt, self.score, "fake", 0.5)


@pytest.fixture(scope="module")
def pack(tmp_path_factory):
    """Three images, one of them grey, with three bright objects each."""
    folder = tmp_path_factory.mktemp("pack")
    documents = []
    rows, cols = np.mgrid[: SHAPE[0], : SHAPE[1]]
    for number in range(3):
        labels = np.zeros(SHAPE, np.uint8)
        labels[np.hypot(rows - 20, (cols - 22) / 1.2) < 12] = 1
        labels[(abs(rows - 55) < 14) & (abs(cols - 60) < 20)] = 2
        labels[(abs(rows - 30) < 3) & (abs(cols - 80) < 4)] = 3
        grey = np.where(labels > 0, 180, 30).astype(np.uint8)
        imageio.v3.imwrite(
            folder / f"{number}.png", grey if number == 0 else np.stack([grey, grey // 2, grey], axis=-1)
        )
        documents.append(labels_to_coco(labels, f"{number}.png", categories={1: "cell"}))
    write_coco(folder / "a.json", merge_coco(documents))
    return folder


def run(pack, model=None, settings=FAST, **changes):
    return evaluate(model or Fake(), read_coco(pack / "a.json"), pack, replace(settings, **changes))


def test_a_perfect_model_scores_one_on_every_object(pack):
    result = run(pack)
    assert len(result.outcomes) == 9
    assert result.iou == Spread(1, 1, 1, 1)
    assert result.boundary_f == 1
    assert result.error_reduction == 1
    assert result.correction_gain == 0
    assert result.score_error == pytest.approx(0.25)
    assert result.latency_ms[0] <= result.latency_ms[1]
    assert {outcome.category for outcome in result.outcomes} == {"cell"}
    assert {outcome.file_name for outcome in result.outcomes} == {"0.png", "1.png", "2.png"}


def test_baselines_stand_beside_it_best_first(pack):
    result = run(pack, settings=Settings())
    means = [spread.mean for spread in result.baselines.values()]
    assert means == sorted(means, reverse=True)
    assert set(result.baselines) == set(Settings().baselines)
    truth = read_coco(pack / "a.json")
    square = next(outcome for outcome in result.outcomes if outcome.object_id == 2)
    mask = truth.mask(truth.objects[1])
    assert square.baselines["box"] == iou(mask, mask)


def test_a_correction_gains_what_the_mistake_cost(pack):
    model = Fake(mistake=2)
    result = run(pack, model)
    assert result.iou.mean < 0.7
    assert result.correction_gain == pytest.approx(1 - result.iou.mean)
    assert result.error_reduction < 0.5
    corrections = [prompt for prompt in model.prompts if "mask" in prompt.marks]
    assert len(corrections) == 9
    assert all("inside" in prompt.marks for prompt in corrections)


def test_models_get_only_corrections_that_they_take(pack):
    assert run(pack, Fake(("extreme",), mistake=2)).correction_gain is None
    boundary = Fake(("extreme", "boundary"), mistake=2)
    assert run(pack, boundary).correction_gain > 0.2
    assert all(prompt.marks <= {"extreme", "boundary"} for prompt in boundary.prompts)
    assert run(pack, correction=False).correction_gain is None


@pytest.mark.parametrize(
    ("prompt", "marks"),
    [
        ("extreme", {"extreme"}),
        ("box", {"box"}),
        ("inside-outside", {"box", "inside", "outside"}),
        ("clicks", {"inside"}),
    ],
)
@pytest.mark.parametrize("jitter", [0.0, 0.03])
def test_every_prompt_is_simulated(pack, prompt, marks, jitter):
    model = Fake()
    result = run(pack, model, prompt=prompt, jitter=jitter, correction=False)
    assert {frozenset(prompt.marks) for prompt in model.prompts} == {frozenset(marks)}
    assert bool(result.baselines) == (prompt != "clicks")
    assert (result.error_reduction is None) == (prompt == "clicks")


def test_a_seed_repeats_the_marks_whatever_else_is_evaluated(pack):
    def marks(**changes):
        model = Fake()
        result = run(pack, model, jitter=0.05, correction=False, **changes)
        drawn = model.prompts[1:]  # the first is given twice, to warm up
        return {
            outcome.object_id: prompt.extreme_points for outcome, prompt in zip(result.outcomes, drawn, strict=True)
        }

    everything, some, other = marks(), marks(limit=4), marks(seed=1)
    assert len(some) == 4
    for number, points in some.items():
        np.testing.assert_array_equal(points, everything[number])
    assert any((other[number] != everything[number]).any() for number in other)


def test_objects_are_chosen_by_size_and_number(pack):
    assert len(run(pack, min_area=100).outcomes) == 6
    assert [o.file_name for o in run(pack, max_per_image=1).outcomes] == ["0.png", "1.png", "2.png"]
    assert len(run(pack, limit=4).outcomes) == 4
    with pytest.raises(DataError, match="No object"):
        run(pack, min_area=1e6)


def test_crowds_are_left_out_and_ignored_pixels_do_not_count(pack, tmp_path):
    coco = json.loads((pack / "a.json").read_text(encoding="utf-8"))
    coco["annotations"] = coco["annotations"][:3]
    coco["annotations"][0]["iscrowd"] = 1
    shown = np.zeros(SHAPE, bool)
    shown[:, 60:] = True  # the mistake of the model is on the left
    coco["annotations"][1]["ignore_segmentation"] = encode(~shown)
    write_coco(tmp_path / "a.json", coco)
    result = evaluate(Fake(mistake=2), read_coco(tmp_path / "a.json"), pack, FAST)
    assert [outcome.object_id for outcome in result.outcomes] == [2, 3]
    assert result.outcomes[0].iou > 0.9
    assert result.outcomes[1].iou < 0.7


def test_results_are_plain_json(pack):
    result = run(pack, Fake(score=None), limit=2)
    values = json.loads(json.dumps(result.to_json(), allow_nan=False))
    assert values["objects"] == len(values["outcomes"]) == 2
    assert values["iou"]["mean"] == 1
    assert values["score_error"] is None
    assert values["settings"]["limit"] == 2
    assert set(values["baselines"]) == {"box", "ellipse"}


def test_progress_counts_every_object(pack):
    seen = []
    evaluate(Fake(), read_coco(pack / "a.json"), pack, FAST, lambda done, total: seen.append((done, total)))
    assert seen == [(number, 9) for number in range(1, 10)]


def test_missing_and_wrong_images_are_named(pack, tmp_path):
    dataset = read_coco(pack / "a.json")
    with pytest.raises(DataError, match=r"0\.png"):
        evaluate(Fake(), dataset, tmp_path, FAST)
    imageio.v3.imwrite(tmp_path / "0.png", np.zeros((5, 6), np.uint8))
    with pytest.raises(DataError, match="5 x 6 pixels, but the annotations say 80 x 100"):
        evaluate(Fake(), dataset, tmp_path, FAST)


def test_a_prompt_that_the_model_does_not_take_is_refused(pack):
    with pytest.raises(UnsupportedMarkError):
        run(pack, Fake(("extreme",)), prompt="box")


@pytest.mark.parametrize(
    ("change", "words"),
    [({"prompt": "magic"}, "no prompt 'magic'"), ({"jitter": 2}, "jitter"), ({"baselines": ("magic",)}, "no baseline")],
)
def test_settings_that_make_no_sense_are_refused(change, words):
    with pytest.raises(PromptError, match=words):
        Settings(**change)


def test_without_opencv_grabcut_is_refused_by_name(monkeypatch):
    monkeypatch.setattr("napari_dextr.evaluation.has_grabcut", lambda: False)
    with pytest.raises(PromptError, match="opencv-python-headless"):
        Settings(baselines=tuple(BASELINES))


def test_spread_of_known_values():
    spread = Spread.of([0.5, 0.8, 0.85, 0.9, 1.0])
    assert spread.mean == pytest.approx(0.81)
    assert spread.median == 0.85
    assert spread.p10 == pytest.approx(0.62)
    assert spread.good == pytest.approx(0.6)
