"""Evaluation of a whole file: the same objects under every prompt, each image read once."""

from __future__ import annotations

import json

import imageio.v3
import numpy as np
import pytest

from napari_dextr.coco import read_coco, write_coco
from napari_dextr.errors import DataError, UnsupportedMarkError
from napari_dextr.evaluation import Settings, check_data, evaluate, prompts_taken
from napari_dextr.evaluation import run as run_module
from napari_dextr.rle import encode


def test_every_condition_holds_the_same_objects(run):
    result = run(prompts=("extreme", "box", "clicks"), jitters=(0, 0.02), most=4, noc=True)
    assert [(each.prompt, each.jitter) for each in result.results] == [
        ("extreme", 0),
        ("extreme", 0.02),
        ("box", 0),
        ("box", 0.02),
        ("clicks", 0),
        ("clicks", 0.02),
    ]
    ids = [[outcome.object_id for outcome in each.outcomes] for each in result.results]
    assert len(ids[0]) == result.objects == 4
    assert all(row == ids[0] for row in ids)
    assert [bool(each.noc) for each in result.results] == [True, False] * 3  # counted at the first jitter only
    assert result.model["name"] == "fake"
    assert result.turns == []


def test_a_seed_repeats_the_marks_whatever_else_is_evaluated(run, fake):
    def marks(**changes):
        model = fake()
        result = run(model, corrections=0, **{"jitters": (0.05,), **changes}).results[-1]
        drawn = [prompt.extreme_points for prompt in model.prompts if "extreme" in prompt.marks]
        return dict(
            zip([outcome.object_id for outcome in result.outcomes], drawn[-len(result.outcomes) :], strict=True)
        )

    everything = marks()
    some = marks(most=4)
    assert len(some) == 4
    with_others = marks(prompts=("box", "extreme"))
    for number, points in {**some, **with_others}.items():
        np.testing.assert_array_equal(points, everything[number])
    other = marks(seed=1)
    assert any((other[number] != everything[number]).any() for number in other)


def test_the_error_of_the_marks_grows_with_the_jitter_in_one_direction(run, fake):
    model = fake()
    run(model, jitters=(0.02, 0.04), corrections=0)
    small, large = (prompt.extreme_points for prompt in model.prompts[1:3])  # the first call warms up
    middle = 2 * small - large  # where both would be without any error
    assert np.abs(middle - np.round(middle)).max() < 1e-9


def test_each_image_is_read_once(run, monkeypatch):
    opened = []
    real = run_module.open_annotated
    monkeypatch.setattr(
        run_module, "open_annotated", lambda folder, image: opened.append(image.file_name) or real(folder, image)
    )
    run(prompts=("extreme", "box"), jitters=(0, 0.02))
    assert opened == ["0.png", "1.png", "2.png"]


def test_workers_change_no_figure(run, fake):
    def facts(workers):
        document = run(fake(mistake=0.4), workers=workers, jitters=(0, 0.03), noc=True, turns=True).to_json()
        for result in document["results"]:
            del result["latency_ms"]
            for outcome in result["outcomes"]:
                del outcome["seconds"]
        return document

    assert facts(3) == facts(1)


@pytest.mark.parametrize("workers", [1, 2])
def test_progress_counts_every_object(run, workers):
    seen = []
    run(progress=lambda done, total: seen.append((done, total)), workers=workers)
    assert seen == [(number, 9) for number in range(1, 10)]


@pytest.mark.parametrize("workers", [1, 2])
def test_an_error_in_the_midst_comes_out(run, workers):
    def stop(done, total):
        if done == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(progress=stop, workers=workers)


def test_crowds_are_left_out_and_ignored_pixels_do_not_count(pack, tmp_path, fake):
    coco = json.loads((pack / "a.json").read_text(encoding="utf-8"))
    coco["annotations"] = coco["annotations"][:3]
    coco["annotations"][0]["iscrowd"] = 1
    shown = np.zeros((80, 100), bool)
    shown[:, 60:] = True  # the mistake of the model is on the left
    coco["annotations"][1]["ignore_segmentation"] = encode(~shown)
    write_coco(tmp_path / "a.json", coco)
    outcomes = evaluate(fake(mistake=0.5), read_coco(tmp_path / "a.json"), pack, Settings()).results[0].outcomes
    assert [outcome.object_id for outcome in outcomes] == [2, 3]
    assert outcomes[0].iou > 0.9
    assert outcomes[1].iou < 0.7


def test_objects_that_cannot_be_marked_are_left_out_everywhere(pack, tmp_path, run, fake):
    coco = json.loads((pack / "a.json").read_text(encoding="utf-8"))
    coco["annotations"][4]["segmentation"] = encode(np.zeros((80, 100), bool))  # its area still says otherwise
    write_coco(tmp_path / "a.json", coco)
    result = evaluate(fake(), read_coco(tmp_path / "a.json"), pack, Settings(prompts=("extreme", "box")))
    assert result.skipped == 1
    for each in result.results:
        assert [outcome.object_id for outcome in each.outcomes] == [1, 2, 3, 4, 6, 7, 8, 9]


def test_a_missing_image_is_named_before_the_work(pack, tmp_path, fake):
    dataset, model = read_coco(pack / "a.json"), fake()
    for number in (0, 1):
        (tmp_path / f"{number}.png").write_bytes((pack / f"{number}.png").read_bytes())
    for check in (evaluate, check_data):
        with pytest.raises(DataError, match=r"2\.png"):
            check(model, dataset, tmp_path, Settings())
    assert model.prompts == []


@pytest.mark.parametrize("workers", [1, 2])
def test_images_that_cannot_be_used_are_told_of_and_cost_no_results(pack, tmp_path, fake, workers):
    dataset, seen = read_coco(pack / "a.json"), []
    (tmp_path / "0.png").write_bytes((pack / "0.png").read_bytes())
    (tmp_path / "1.png").write_bytes((pack / "1.png").read_bytes()[:200])
    imageio.v3.imwrite(tmp_path / "2.png", np.zeros((5, 6), np.uint8))
    result = evaluate(fake(), dataset, tmp_path, Settings(), lambda done, total: seen.append((done, total)), workers)
    assert [outcome.object_id for outcome in result.results[0].outcomes] == [1, 2, 3]
    assert (result.skipped, max(seen)) == (6, (9, 9))
    told = sorted(result.problems)
    assert "1.png" in told[0]
    assert "5 x 6 pixels, but the annotations say 80 x 100" in told[1]
    assert result.to_json()["problems"] == result.problems
    (tmp_path / "0.png").write_bytes(b"")
    with pytest.raises(DataError, match=r"\d\.png"):
        evaluate(fake(), dataset, tmp_path, Settings())


def test_an_unknown_region_that_cannot_be_understood_costs_one_object(pack, tmp_path, fake):
    coco = json.loads((pack / "a.json").read_text(encoding="utf-8"))
    coco["annotations"][0]["ignore_segmentation"] = {"size": [80, 100], "counts": "nonsense"}
    write_coco(tmp_path / "a.json", coco)
    result = evaluate(fake(), read_coco(tmp_path / "a.json"), pack, Settings())
    assert [outcome.object_id for outcome in result.results[0].outcomes] == [2, 3, 4, 5, 6, 7, 8, 9]


def test_a_prompt_that_the_model_does_not_take_is_refused_before_the_work(run, fake):
    model = fake(("extreme", "inside"))
    assert prompts_taken(model) == ("extreme", "clicks")
    with pytest.raises(UnsupportedMarkError, match="does not take box marks"):
        run(model, prompts=("extreme", "inside-outside"))
    assert model.prompts == []
