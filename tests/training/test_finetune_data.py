"""Who learns and who judges: every object once, none on both sides."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from napari_dextr.errors import DataError
from napari_dextr.training.annotated import Stopped
from napari_dextr.training.config import TrainConfig
from napari_dextr.training.crops import IGNORE, OBJECT, CropStore
from napari_dextr.training.distribution import World
from napari_dextr.training.finetune_data import apart, are_thin, deal, images_of, objects_of, portion, prepare
from napari_dextr.training.finetune_plan import FineTunePlan
from napari_dextr.training.run_folder import RunFolder
from napari_dextr.training.sources import ArraySource, Portion

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


def prepared(tmp_path, objects, config=CONFIG, said=None, check=lambda: None, going=lambda: True, **changes):
    plan = FineTunePlan(objects, tmp_path, **changes)
    say = (lambda _line: None) if said is None else said.append
    return prepare(plan, config, RunFolder(tmp_path), World(), say, lambda crops, _progress: crops, check, going)


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


def test_a_refused_command_leaves_the_plan_of_the_run(tmp_path):
    prepared(tmp_path, source(5), folds=2, name="mine")
    with pytest.raises(DataError, match="started with other data"):
        prepared(tmp_path, source(4), folds=2, name="other")
    assert FineTunePlan.reopen(tmp_path).name == "mine"
    assert prepared(tmp_path, None, folds=2).name == "own annotations"


def stack(planes, things, shown=lambda _plane: True):
    """A stack of so many planes that all show the same squares, annotated on some of them."""
    labels = np.zeros((planes, 80, 60 * things), np.int32)
    for index in range(things):
        labels[:, 20:50, 10 + 60 * index : 40 + 60 * index] = index + 1
    image = np.where(labels > 0, 200, 50).astype(np.uint8)
    return ArraySource([(image, labels * np.array([shown(plane) for plane in range(planes)])[:, None, None])])


def test_objects_on_many_planes_count_once(tmp_path):
    data = prepared(tmp_path, stack(30, 2), hold_out=0.5)
    assert len(data.judges) == 30
    assert (len(set(objects_of(data.judges))), len(set(images_of(data.judges)))) == (1, 1)
    assert prepared(tmp_path / "auto", stack(30, 2)).judges is None  # sixty outlines of two objects are few


def test_planes_of_one_object_that_judge_in_turns_count_once(tmp_path):
    labels = np.zeros((12, 60, 60), np.int32)
    for label, edge in enumerate((5, 12, 19, 26), start=1):  # one in the other: the ends of the stack are held out
        labels[:, edge : 60 - edge, edge : 60 - edge] = label
    data = prepared(tmp_path, ArraySource([(labels.astype(np.uint8) * 50, labels)]), folds=2)
    judged = [objects_of(data.fold(number)[1]) for number in (0, 1)]
    assert set(judged[0]) & set(judged[1])
    assert len({image for number in (0, 1) for image in images_of(data.fold(number)[1])}) == 1


def test_specks_do_not_make_many_objects_of_few(tmp_path):
    image, labels = np.full((80, 700), 50, np.uint8), np.zeros((80, 700), np.int32)
    for index in range(10):
        labels[20:50, 10 + 60 * index : 40 + 60 * index] = index + 1
    for index in range(35):
        labels[70, 5 + 15 * index] = 100 + index
    data = prepared(tmp_path, ArraySource([(image, labels)]), folds=2)
    assert (len(data.parts), data.judges) == (10, None)


def without_numbers(images, each):
    """A source whose last image holds no numbers."""
    pairs = [(image.plane().levels[0][:, :].astype(np.float32), image) for image in source(images, each).images]
    found = [(pixels, np.asarray(image._labels[:, :])) for pixels, image in pairs]
    found[-1][0][:] = np.nan
    return ArraySource(found, limits=(0, 255))


@pytest.mark.parametrize("seed", range(4))
def test_an_image_of_which_nothing_can_be_used_refuses_no_training(tmp_path, seed):
    config = TrainConfig(canvases=((64, 1.0),), seed=seed)
    few = prepared(tmp_path / "few", without_numbers(3, 3), config, folds=2)
    assert (len(few.training), len(few.parts), set(few.parts.groups)) == (6, 6, {0, 1})
    many = prepared(tmp_path / "many", without_numbers(2, 3), config, hold_out=0.5)
    assert len(many.training) + len(many.judges) == 3


def test_where_only_one_part_is_left_nothing_judges(tmp_path):
    said = []
    data = prepared(tmp_path, without_numbers(4, 1), folds=4, said=said)
    assert len(data.parts) == 3
    labels = np.zeros((80, 400), np.int32)
    labels[20:50, 10:40] = 1
    labels[10, 60:390], labels[30, 60:390], labels[50, 60:390] = 2, 3, 4  # nothing is left of them on their crops
    data = prepared(tmp_path / "thin", ArraySource([(labels.astype(np.uint8), labels)]), folds=2, said=said)
    assert (len(data.training), data.parts) == (1, None)
    assert any("nothing will judge" in line for line in said)
    assert any("3 so long and thin" in line for line in said)


@pytest.mark.parametrize("after", [0, 3, 12])
def test_cutting_ends_where_it_is_given_up(tmp_path, after):
    class GivenUp(BaseException):
        pass

    asked = []

    def check():
        asked.append(0)
        if len(asked) > after:
            raise GivenUp

    with pytest.raises(GivenUp):
        prepared(tmp_path, source(5), folds=2, check=check)
    assert len(asked) == after + 1
    assert prepared(tmp_path, source(5), folds=2).parts is not None


def test_images_that_judge_do_not_teach():
    pictures = source(3)
    said = []
    assert apart(pictures, source(2), said.append) is pictures
    assert said == []
    judges = Portion(pictures, {1: None})
    assert [image.name for image in apart(pictures, judges, said.append).images] == ["image 1", "image 3"]
    assert "1 of 3 images" in said[0]
    judges = Portion(pictures, {1: (slice(0, 80), slice(0, 100))})  # a part of an image is of that image
    assert len(apart(pictures, judges, said.append).images) == 2
    with pytest.raises(DataError, match="hold out a share"):
        apart(pictures, pictures, said.append)


@pytest.mark.parametrize("after", [0, 7, 25, 60])
def test_a_stop_ends_the_cutting_and_the_same_plan_begins_anew(tmp_path, after):
    asked = []

    def going():
        asked.append(0)
        return len(asked) <= after

    with pytest.raises(Stopped):
        prepared(tmp_path, source(5), folds=2, going=going)
    assert len(asked) == after + 1
    assert not (tmp_path / "data.json").exists()
    assert len(prepared(tmp_path, source(5), folds=2, going=lambda: True).parts) == 10
    assert len(asked) == after + 1


def test_what_is_cut_already_is_opened_whatever_was_asked(tmp_path):
    prepared(tmp_path, source(5), folds=2)
    assert len(prepared(tmp_path, source(5), folds=2, going=lambda: False).parts) == 10


def test_every_object_is_asked_about_when_images_are_large(tmp_path):
    """A stop must not wait for the objects of a whole image, wherever they are read."""
    asked = []
    objects = source(1, each=3)
    plan = FineTunePlan(objects, tmp_path, hold_out=0.34)
    between = []

    def going():
        between.append(len(asked))
        return True

    real = objects.images[0].objects

    def watched(stop=lambda: True):
        return [replace(item, read=lambda item=item: (asked.append(0), item.read())[1]) for item in real(stop)]

    objects.images[0].objects = watched
    prepare(plan, CONFIG, RunFolder(tmp_path), World(), lambda _line: None, lambda crops, _say: crops, going=going)
    assert len(asked) >= 9  # counted, parted and cut
    assert max(np.diff(between)) == 1


def store_of(*masks):
    flags = np.stack(masks).astype(np.uint8)
    return CropStore(np.zeros((*flags.shape, 3), np.uint8), flags, np.zeros(len(flags), np.int64), ("own",))


def bar(width, length=80, flags=OBJECT):
    mask = np.zeros((160, 160), np.uint8)
    mask[80 : 80 + width, 40 : 40 + length] = flags
    return mask


@pytest.mark.parametrize(
    ("widths", "thin"),
    [([3], True), ([30], False), ([3, 3, 30], True), ([3, 30, 30], False), ([3] * 400 + [30] * 300, True)],
)
def test_what_most_objects_are_decides_whether_they_are_thin(widths, thin):
    assert are_thin(store_of(*map(bar, widths))) is thin


def test_pixels_without_a_true_label_do_not_make_an_object_thin():
    assert not are_thin(store_of(bar(30) | bar(100, 100, IGNORE)))
    assert not are_thin(store_of(bar(3, flags=IGNORE)))
