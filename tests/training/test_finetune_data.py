"""Who learns and who judges: every object once, none on both sides."""

from __future__ import annotations

import numpy as np
import pytest

from napari_dextr.training.config import TrainConfig
from napari_dextr.training.distribution import World
from napari_dextr.training.finetune_data import deal, images_of, portion, prepare
from napari_dextr.training.finetune_plan import FineTunePlan
from napari_dextr.training.run_folder import RunFolder
from napari_dextr.training.sources import ArraySource

CONFIG = TrainConfig(canvases=((64, 1.0),))


def source(images, each=2):
    """Images of one grey each with so many squares, so that a crop tells where it is from."""
    pairs = []
    for number in range(images):
        labels = np.zeros((80, 200), np.int32)
        for index in range(each):
            labels[20:50, 10 + 60 * index : 40 + 60 * index] = index + 1
        pairs.append((np.where(labels > 0, 250, 10 * number).astype(np.uint8), labels))
    return ArraySource(pairs)


def greys(store):
    """The images that crops are from."""
    return [int(np.median(image[flags == 0])) // 10 for image, flags in zip(store.images, store.masks, strict=True)]


def prepared(tmp_path, objects, **changes):
    plan = FineTunePlan(objects, tmp_path, **changes)
    return prepare(plan, CONFIG, RunFolder(tmp_path), World(), lambda _line: None, lambda crops, _progress: crops)


def test_few_objects_are_all_trained_on_and_all_judge_once(tmp_path):
    data = prepared(tmp_path, source(5), folds=3)
    assert len(data.training) == len(data.parts) == 10
    assert data.judges is None
    judged = []
    for number in range(3):
        learning, judging = data.fold(number)
        assert len(learning) + len(judging) == 10
        assert not set(greys(learning)) & set(greys(judging))
        judged += greys(judging)
    assert sorted(judged) == sorted(greys(data.training))


def test_many_objects_are_held_out_by_image(tmp_path):
    data = prepared(tmp_path, source(20))
    assert data.parts is None
    assert len(data.training) + len(data.judges) == 40
    assert 6 <= len(data.judges) <= 10
    assert not set(greys(data.training)) & set(greys(data.judges))
    assert len(set(images_of(data.judges))) == len(set(greys(data.judges)))


def test_one_image_is_parted_by_region(tmp_path):
    data = prepared(tmp_path, source(1, each=3), hold_out=0.34)
    assert (len(data.training), len(data.judges)) == (2, 1)


def test_parts_are_disjoint_and_as_many_as_there_can_be():
    parts = deal(source(4, each=1), 6, seed=0)
    assert sum(len(part.images) for part in parts) >= 4
    counts = [sum(len(image.objects()) for image in part.images) for part in parts]
    assert sum(counts) == 4


def test_a_second_time_nothing_is_cut(tmp_path, monkeypatch):
    first = prepared(tmp_path, source(5), folds=2)
    monkeypatch.setattr(ArraySource, "crops", lambda *_words: pytest.fail("cut again"))
    again = prepared(tmp_path, source(5), folds=2)
    assert np.array_equal(first.parts.groups, again.parts.groups)
    alone = prepared(tmp_path, None, folds=2)
    assert np.array_equal(alone.training.images, first.training.images)


def test_what_the_model_cannot_use_is_in_no_store(tmp_path):
    def every_second(crops, progress):
        yield from list(crops)[::2]

    plan = FineTunePlan(source(5), tmp_path, folds=2)
    data = prepare(plan, CONFIG, RunFolder(tmp_path), World(), lambda _line: None, every_second)
    assert len(data.training) == 5
    assert len(data.parts) in (5, 6)


def test_a_portion_is_one_group_with_what_is_known_of_its_crops(store):
    part = portion(store, [0, 17])
    assert (part.names, part.groups.tolist()) == (("own",), [0, 0])
    assert np.array_equal(part.images[1], store.images[17])
    assert part.sides.tolist() == store.sides[[0, 17]].tolist()
