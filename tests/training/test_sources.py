"""Sources: what is cut out of them, and that no image is on both sides of a split."""

from __future__ import annotations

import json
from functools import cache

import numpy as np
import pytest
import torch
from PIL import Image

from napari_dextr.coco import labels_to_coco, merge_coco, write_coco
from napari_dextr.errors import DataError, ImageError
from napari_dextr.models.checkpoint import load_network, write_checkpoint
from napari_dextr.models.spec import ModelSpec
from napari_dextr.prompt import MARKS
from napari_dextr.training.crops import OBJECT, OUTSIDE
from napari_dextr.training.finetune import FineTunePlan, FineTuning
from napari_dextr.training.finetune_data import deal
from napari_dextr.training.sources import ArraySource, CocoSource
from napari_dextr.training.survey import survey

from .child import make_network


def silent(_line):
    pass


def picture(objects, size=(90, 100), seed=0):
    """An image with discs, and its labels."""
    rng = np.random.default_rng(seed)
    labels = np.zeros(size, np.int32)
    rows, cols = np.indices(size)
    for label in range(1, objects + 1):
        row, col = 20 + 45 * ((label - 1) // 2), 25 + 45 * ((label - 1) % 2)
        labels[np.hypot(rows - row, cols - col) < rng.uniform(9, 14)] = label
    image = np.where(labels > 0, 190, 60) + rng.normal(0, 5, size)
    return image.clip(0, 255).astype(np.uint8), labels


@pytest.fixture
def pack(tmp_path):
    """Four images: three with two objects each, one with none."""
    documents = []
    for number, objects in enumerate((2, 2, 2, 0)):
        image, labels = picture(objects, seed=number)
        Image.fromarray(image).save(tmp_path / f"{number}.png")
        documents.append(labels_to_coco(labels, f"{number}.png"))
    write_coco(tmp_path / "own.json", merge_coco(documents))
    return tmp_path


def test_coco_objects_become_crops(pack):
    crops = list(CocoSource(pack / "own.json", pack).crops(64, 0, silent))
    assert len(crops) == 6
    assert all(crop.image.shape == (64, 64, 3) and (crop.mask & OBJECT).any() for crop in crops)


def names(source):
    return {image.name for image in source.images}


def count(source):
    return len(list(source.crops(64, 0, silent)))


def test_a_split_shares_out_whole_images(pack):
    source = CocoSource(pack / "own.json", pack)
    kept, held = source.split(0.4, seed=3)
    assert not names(kept) & names(held)
    assert len(names(kept) | names(held)) == 3  # the one without objects judges nothing
    assert (count(kept), count(held)) == (4, 2)
    again = source.split(0.4, seed=3)
    assert (names(again[0]), names(again[1])) == (names(kept), names(held))
    assert len({frozenset(names(source.split(0.4, seed=seed)[1])) for seed in range(12)}) > 1


@pytest.mark.parametrize("share", [0.01, 0.99])
def test_each_side_gets_an_image(pack, share):
    kept, held = CocoSource(pack / "own.json", pack).split(share, 0)
    assert names(kept)
    assert names(held)


@pytest.mark.parametrize("share", [0, 1, -0.5])
def test_shares_that_make_no_sense_are_refused(pack, share):
    with pytest.raises(DataError, match="between 0 and 1"):
        CocoSource(pack / "own.json", pack).split(share, 0)


def field(rows=5, cols=7, step=40):
    """One image with a grid of discs of as many grey values, and its labels."""
    image, labels = drawn(rows, cols, step)
    return image.copy(), labels.copy()


@cache
def drawn(rows, cols, step):
    labels = np.zeros((rows * step, cols * step), np.int32)
    row, col = np.indices(labels.shape)
    for label in range(1, rows * cols + 1):
        centre = step * ((label - 1) // cols) + step // 2, step * ((label - 1) % cols) + step // 2
        labels[np.hypot(row - centre[0], col - centre[1]) < 12] = label
    return (50 + 5 * labels).astype(np.uint8), labels


def single(kind, image, labels, folder):
    if kind == "array":
        return ArraySource([(image, labels)])
    Image.fromarray(image).save(folder / "one.png")
    write_coco(folder / "one.json", labels_to_coco(labels, "one.png"))
    return CocoSource(folder / "one.json", folder)


@pytest.mark.parametrize("kind", ["array", "coco"])
@pytest.mark.parametrize("seed", range(4))
def test_one_image_is_parted_by_a_line_that_shows_neither_side_the_other(kind, seed, tmp_path):
    image, labels = field()
    kept, held = single(kind, image, labels, tmp_path).split(0.2, seed)
    assert (count(kept), count(held)) == (28, 7)
    values = []
    for part in (kept, held):
        (window,) = part.images
        plane = window.plane()
        values.append(set(np.unique(plane.read((slice(0, window.shape[0]), slice(0, window.shape[1])))).astype(int)))
        for crop in part.crops(64, 0, silent):
            beyond = crop.mask & OUTSIDE > 0
            assert not (beyond & (crop.mask & OBJECT > 0)).any()
    assert values[0] & values[1] == {50}  # the background; no object is seen on both sides
    assert len(values[0] | values[1]) == 36


def test_of_one_image_with_five_objects_two_are_held_out(tmp_path):
    image, labels = field(1, 5)
    kept, held = ArraySource([(image, labels)]).split(0.01, 0)
    assert (count(kept), count(held)) == (3, 2)


def test_objects_on_the_line_are_on_neither_side():
    image, labels = field(1, 6)
    labels[0:4, 5:235] = 50  # goes along all of them
    kept, held = ArraySource([(image, labels)]).split(0.3, 0)
    labels_of = [{item.label for window in part.images for item in window.objects()} for part in (kept, held)]
    assert not labels_of[0] & labels_of[1]
    assert 50 not in labels_of[0] | labels_of[1]


def test_what_cannot_be_parted_says_so():
    labels = np.zeros((90, 90), np.int32)
    labels[10:80, 10:80] = 1
    labels[20:70, 20:70] = 2
    image = labels.astype(np.uint8) * 90
    with pytest.raises(DataError, match="no straight line parts them"):
        ArraySource([(image, labels)]).split(0.5, 0)
    with pytest.raises(DataError, match=r"only one usable object.*1 smaller than 60 pixels.*train without validation"):
        tiny = np.where(labels == 2, 0, labels)
        tiny[1:3, 1:3] = 5
        ArraySource([(image, tiny)]).split(0.5, 0)


def test_images_with_too_few_objects_do_not_judge_alone():
    few, many = np.zeros((200, 280), np.int32), field()
    few[20:40, 20:40] = 1
    source = ArraySource([(few.astype(np.uint8), few), many])
    kept, held = source.split(0.2, 0)
    assert (count(kept), count(held)) == (29, 7)  # the one object of the first image trains as well
    assert names(held) == {"image 2"}


def test_neighbouring_planes_with_the_same_objects_are_one_image():
    image, labels = field()
    stack = np.stack([labels] * 4)
    kept, held = ArraySource([(np.stack([image] * 4), stack)]).split(0.2, 0)
    sides = [{item.label for window in part.images for item in window.objects()} for part in (kept, held)]
    assert not sides[0] & sides[1]
    assert (len(sides[0]), len(sides[1])) == (28, 7)
    assert len(kept.images) == len(held.images) == 4
    other = np.stack([labels, labels[::-1, ::-1], labels, labels[::-1, ::-1]])  # pictures of their own
    kept, held = ArraySource([(np.stack([image] * 4), other)]).split(0.2, 0)
    assert (len(kept.images), len(held.images)) == (3, 1)


def labels_in(part):
    return {item.thing for image in part.images for item in image.objects()}


def apart(parts):
    seen = [labels_in(part) for part in parts]
    return not any(one & other for number, one in enumerate(seen) for other in seen[:number])


@pytest.mark.parametrize("parts", [2, 3, 4])
@pytest.mark.parametrize("step", [1, 2, 3])
def test_no_object_of_a_stack_is_in_two_parts_whichever_planes_are_annotated(parts, step):
    image, labels = field(3, 5)
    stack = np.stack([labels * (plane % step == 0) for plane in range(7)])
    source = ArraySource([(np.stack([image] * 7), stack)])
    dealt = deal(source, parts, 0)
    assert len(dealt) == parts
    assert apart(dealt)
    assert any("Neighbouring planes show the same objects" in doubt for doubt in survey(source).doubts)


def test_objects_that_stay_over_time_are_one_as_well():
    image, labels = field(2, 4)
    scenes = np.stack([labels, labels[::-1, ::-1]])  # another one at each depth
    source = ArraySource([(np.stack([np.stack([image] * 2)] * 3), np.stack([scenes] * 3))])
    kept, held = source.split(0.5, 0)
    depths = [{plane.key[2][1] for plane in part.images} for part in (kept, held)]
    assert sorted(map(sorted, depths)) == [[0], [1]]
    assert survey(source).distinct == 16


def test_planes_of_one_stack_in_a_coco_file_are_one_image(tmp_path):
    image, labels = field(3, 4)
    documents = []
    for plane in (4, 0, 2):  # in no order, with planes missing that hold no object
        Image.fromarray(image).save(tmp_path / f"z{plane}.png")
        document = labels_to_coco(labels, f"z{plane}.png")
        document["images"][0]["napari_dextr"] = {"source": "stack.tif", "plane": [plane], "axes": "z"}
        documents.append(document)
    write_coco(tmp_path / "own.json", merge_coco(documents))
    source = CocoSource(tmp_path / "own.json", tmp_path)
    assert len({item.label for plane in source.images for item in plane.objects()}) == 36  # ids are new on each plane
    assert apart(deal(source, 3, 0))
    assert survey(source).distinct == 12


def test_files_without_a_usable_object_are_refused(tmp_path):
    write_coco(tmp_path / "none.json", labels_to_coco(picture(0)[1], "a.png"))
    with pytest.raises(DataError, match="no object with a mask"):
        list(CocoSource(tmp_path / "none.json", tmp_path).crops(64, 0, silent))


@pytest.mark.parametrize("accident", ["missing", "broken", "other size"])
def test_images_that_cannot_be_used_are_named(pack, accident):
    path = pack / "1.png"
    if accident == "missing":
        path.unlink()
    elif accident == "broken":
        path.write_bytes(path.read_bytes()[:60])
    else:
        Image.fromarray(np.zeros((50, 50), np.uint8)).save(path)
    with pytest.raises((DataError, ImageError), match=r"1\.png"):
        list(CocoSource(pack / "own.json", pack).crops(64, 0, silent))


def test_broken_images_can_be_passed_over(pack):
    (pack / "1.png").unlink()
    lines = []
    source = CocoSource(pack / "own.json", pack, skip_unreadable=True)
    assert len(list(source.crops(64, 0, lines.append))) == 4
    assert lines


def test_facts_tell_data_from_other_data(pack):
    source = CocoSource(pack / "own.json", pack)
    facts = source.facts()
    assert json.loads(json.dumps(facts)) == facts
    assert CocoSource(pack / "own.json", pack, least_area=90).facts() != facts
    assert source.split(0.4, 0)[0].facts() != facts
    write_coco(pack / "own.json", labels_to_coco(picture(1)[1], "0.png"))
    assert CocoSource(pack / "own.json", pack).facts() != facts


def test_arrays_become_crops_plane_by_plane():
    images, labels = (np.stack(part) for part in zip(*(picture(n, seed=n) for n in (2, 0, 3)), strict=True))
    source = ArraySource([(images, labels)])
    assert len(list(source.crops(64, 0, silent))) == 5
    kept, held = source.split(0.5, 0)
    assert sorted(len(list(part.crops(64, 0, silent))) for part in (kept, held)) == [2, 3]
    assert json.loads(json.dumps(source.facts())) == source.facts()
    assert kept.facts() != held.facts()


def test_arrays_without_objects_or_of_two_sizes_are_refused():
    image, labels = picture(2)
    with pytest.raises(DataError, match="do not fit"):
        ArraySource([(image[:50], labels)])
    with pytest.raises(DataError):
        list(ArraySource([(image, np.zeros_like(labels))]).crops(64, 0, silent))
    with pytest.raises(DataError, match="no image"):
        ArraySource([])


def test_facts_tell_images_of_the_same_labels_apart_and_stay_when_the_data_go(tmp_path):
    image, labels = field()
    facts = ArraySource([(image, labels)]).facts()
    assert json.loads(json.dumps(facts)) == facts
    assert ArraySource([(image.copy(), labels.copy())]).facts() == facts
    assert ArraySource([(255 - image, labels)]).facts() != facts
    assert ArraySource([(image, labels[:, ::-1])]).facts() != facts
    assert ArraySource([(image, labels)], limits=(0, 100)).facts() != facts
    source = single("coco", image, labels, tmp_path)
    known = source.facts()
    (tmp_path / "one.json").unlink()
    assert source.facts() == known


def test_parts_of_parts_have_facts_of_their_own():
    source = ArraySource([field()])
    kept, held = source.split(0.4, 0)
    parts = [*kept.split(0.5, 0), *held.split(0.5, 0), kept, held, source]
    assert len({json.dumps(part.facts()) for part in parts}) == 7
    assert sum(count(part) for part in parts[:4]) == 35


def test_labels_are_what_they_were_when_they_were_first_read():
    image, labels = field()
    source = ArraySource([(image, labels)])
    facts = source.facts()
    labels[:] = 0  # someone erases the layer
    assert source.facts() == facts
    assert count(source) == 35


@pytest.mark.parametrize(("seed", "planes"), [(0, [0, 1]), (1, [8, 9])])
def test_a_stack_of_one_object_is_parted_at_one_end(seed, planes):
    labels = np.zeros((10, 60, 60), np.int32)
    labels[:, 20:40, 20:40] = 1
    source = ArraySource([(labels.astype(np.uint8) * 99, labels)])
    kept, held = source.split(0.2, seed)
    assert [plane.key[2] for plane in held.images] == [(number,) for number in planes]
    assert (count(kept), count(held)) == (8, 2)


# -- through a whole fine-tuning ------------------------------------------------------------------------------------


QUICK = {"steps": 2, "batch": 4, "canvases": ((64, 1.0),), "validate_every": 2, "pictures": 0, "precision": "float32"}


def tuning(source, folder):
    network = make_network()
    spec = ModelSpec("small", "compact", network.options, canvas=64, marks=MARKS, threshold=0.4, has_score=True)
    write_checkpoint(folder / "start.safetensors", network, spec, dtype=torch.float32)
    plan = FineTunePlan(
        source, folder / "run", initial=str(folder / "start.safetensors"), hold_out=0.25, settings=QUICK, device="cpu"
    )
    return FineTuning(plan)


def spoiled(fault):
    image, labels = field()
    image = image.astype(np.float32) / 255
    if fault == "empty":
        labels[:] = 0
    elif fault == "one pixel":
        labels[:] = 0
        labels[9, 9] = 1
    elif fault == "everything":
        labels[:] = 1
    elif fault == "no whole numbers":
        labels = labels.astype(np.float32)
    elif fault == "no numbers":
        image[:] = np.nan
    elif fault == "complex":
        image = image.astype(complex)
    return ArraySource([(image, labels)])


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("empty", "no usable object"),
        ("one pixel", "1 smaller than 60 pixels"),
        ("everything", "1 covering their whole image"),
        ("no whole numbers", "must be whole numbers, got float32"),
        ("no numbers", "no usable object.*on pixels of which nothing is known"),
        ("complex", "holds values of type 'complex128'"),
    ],
)
def test_data_that_nothing_can_be_learned_from_end_a_fine_tuning_with_a_sentence(fault, words, tmp_path):
    with pytest.raises(DataError, match=words):
        next(tuning(spoiled(fault), tmp_path).run())
    assert survey(spoiled(fault)).refusal
    good = tuning(ArraySource([field()]), tmp_path)  # the folder is not spoiled by it
    assert [update.step for update in good.run()] == [1, 2]


def test_pixels_without_numbers_do_not_poison_a_fine_tuning(tmp_path):
    image, labels = field()
    image = image.astype(np.float32) / 255
    image[:, 30:50] = np.nan
    image[100:110] = np.inf
    run = tuning(ArraySource([(image, labels)]), tmp_path)
    losses = [update.loss for update in run.run()]
    assert np.isfinite(losses).all()
    weights = read_network(tmp_path / "run")
    assert all(torch.isfinite(value).all() for value in weights.values())


def test_images_that_change_while_they_are_cut_out_are_no_harm(tmp_path):
    image, labels = field()
    run = tuning(ArraySource([(image, labels)]), tmp_path)
    updates = run.run()
    next(updates)
    image[:], labels[:] = 0, 0  # the crops are in the run folder by now
    assert len(list(updates)) >= 1
    assert run.outcome is not None


def read_network(folder):
    return load_network(folder)[1].state_dict()
