"""One image's objects: as single calls would give them, and errors told, not raised."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from napari_dextr.annotate import prompt_of
from napari_dextr.annotate.work import Task, annotate_image
from napari_dextr.coco import open_annotated, read_coco
from napari_dextr.rle import decode


@pytest.fixture
def dataset(pack):
    return read_coco(pack / "a.json")


def task(dataset, image_id: int) -> Task:
    return Task(dataset.images[image_id], tuple(dataset.objects_of(image_id)))


def test_masks_and_scores_are_those_of_single_calls(dataset, pack, model):
    results = annotate_image(model, str(pack / "images"), task(dataset, 2), "auto", 2)
    image = open_annotated(pack / "images", dataset.images[2])
    for obj, result in zip(dataset.objects_of(2), results, strict=True):
        single = model.segment(image, prompt_of(obj))
        assert result.id == obj.id
        assert (decode(result.rle, (40, 50)) != single.full_mask()).mean() < 0.002
        assert result.score == pytest.approx(single.score, abs=1e-4)
        assert result.area == np.count_nonzero(decode(result.rle, (40, 50)))
        assert result.box == list(single.prompt.box_bounds)


def test_one_bad_object_does_not_stop_the_others(dataset, pack, model):
    first, second, third = annotate_image(model, str(pack / "images"), task(dataset, 1), "auto", 8)
    assert first.rle is not None
    assert [point[0] for point in second.points] == ["extreme"] * 4
    assert third.rle is None
    assert "Object 3: The box has a width of 0" in third.problem


def test_a_missing_image_is_told_for_each_of_its_objects(dataset, pack, model):
    results = annotate_image(model, str(pack / "images"), task(dataset, 3), "auto", 8)
    assert [result.id for result in results] == [7, 8, 9]
    assert all("3.png" in result.problem and result.rle is None for result in results)


def test_the_model_says_how_many_objects_go_together(dataset, pack, model, monkeypatch):
    real, sizes = model.segment_many, []

    def noted(image, prompts, *, batch):
        sizes.append(batch)
        return real(image, prompts, batch=batch)

    monkeypatch.setattr(model, "segment_many", noted)
    annotate_image(model, str(pack / "images"), task(dataset, 2), "auto")
    annotate_image(model, str(pack / "images"), task(dataset, 2), "auto", 3)
    assert sizes == [model.at_once, 3]


@pytest.mark.parametrize("error", [torch.OutOfMemoryError("full"), RuntimeError("can't allocate memory")])
def test_batches_that_are_too_large_for_the_memory_are_halved(dataset, pack, model, monkeypatch, error):
    real, sizes = model.segment_many, []

    def narrow(image, prompts, *, batch):
        sizes.append(batch)
        if batch > 2:
            raise error
        return real(image, prompts, batch=batch)

    monkeypatch.setattr(model, "segment_many", narrow)
    results = annotate_image(model, str(pack / "images"), task(dataset, 2), "auto", 8)
    assert sizes == [8, 4, 2]
    assert all(result.rle is not None for result in results)


@pytest.mark.parametrize("error", [torch.OutOfMemoryError("full"), MemoryError()])
def test_a_memory_too_small_for_one_object_is_told(dataset, pack, model, monkeypatch, error):
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(model, "segment_many", fail)
    results = annotate_image(model, str(pack / "images"), task(dataset, 2), "auto", 8)
    assert all("could not be worked on (there is not enough memory" in result.problem for result in results)


def test_other_errors_of_the_network_are_not_hidden(dataset, pack, model, monkeypatch):
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("shapes differ")

    monkeypatch.setattr(model, "segment_many", fail)
    with pytest.raises(RuntimeError, match="shapes differ"):
        annotate_image(model, str(pack / "images"), task(dataset, 2), "auto", 8)
