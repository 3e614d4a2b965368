"""Surveys: what is counted, what is doubted, what is refused, and that they are quick and can be stopped."""

from __future__ import annotations

import re

import numpy as np
import pytest
from PIL import Image

from napari_dextr.coco import labels_to_coco, write_coco
from napari_dextr.objects import Mark, ObjectFacts
from napari_dextr.training.joined import JoinedSource
from napari_dextr.training.sources import ArraySource, CocoSource
from napari_dextr.training.survey import Survey, drawn_by, in_pieces, survey

SIDES = (10, 14, 12, 16, 11, 15)


def picture(sides=SIDES, shape=(100, 120)):
    """Squares of these sides in a grid, none at the border, and their image."""
    labels = np.zeros(shape, np.int32)
    for number, side in enumerate(sides):
        row, col = 5 + 30 * (number // 4), 5 + 28 * (number % 4)
        labels[row : row + side, col : col + side] = number + 1
    return (50 + 20 * labels).astype(np.uint8), labels


def two(**changes):
    """Two images without anything to doubt."""
    image, labels = picture(**changes)
    return ArraySource([(image, labels), (image[::-1], labels[::-1])])


def doubts(source, **settings):
    found = survey(source, **settings)
    assert found.refusal is None
    return " ".join(found.doubts)


def test_what_is_there_is_counted():
    found = survey(two())
    assert (found.objects, found.images, found.sides, found.left_out) == (12, 2, (10, 14, 16), 0)
    assert found.doubts == ()
    assert found.refusal is None
    assert found.sentence() == "12 objects on 2 images, 10 to 16 pixels long"


def test_classes_are_counted_by_frequency(tmp_path):
    image, labels = picture()
    Image.fromarray(image).save(tmp_path / "a.png")
    document = labels_to_coco(labels, "a.png")
    document["categories"] = [{"id": 1, "name": "debris"}, {"id": 2, "name": "nucleus"}]
    for number, entry in enumerate(document["annotations"]):
        entry["category_id"] = 1 if number == 3 else 2
    write_coco(tmp_path / "a.json", document)
    found = survey(CocoSource(tmp_path / "a.json", tmp_path))
    assert list(found.classes.items()) == [("nucleus", 5), ("debris", 1)]
    assert found.sentence() == "6 objects on 1 image (nucleus 5, debris 1), 10 to 16 pixels long"
    for entry in document["annotations"]:
        entry["category_id"] = 2
    write_coco(tmp_path / "a.json", document)
    assert "All objects are of one class, 'nucleus'" in doubts(CocoSource(tmp_path / "a.json", tmp_path))


def test_few_objects_and_one_image_are_doubted():
    image, labels = picture((10, 15, 12))
    text = doubts(ArraySource([(image, labels)]))
    assert text.startswith("With fewer than 5 objects nothing can be promised")
    assert "All objects are on one image: some are held out by region" in text
    assert "fewer than 5" not in doubts(ArraySource([picture()]))


def test_tiny_objects_are_left_out_and_told():
    image, labels = picture((10, 14, 12, 7, 15, 16))
    found = survey(ArraySource([(image, labels)]))
    assert (found.objects, found.left_out) == (5, 1)
    assert "1 object is smaller than 60 pixels and left out: too few pixels to learn an outline from." in found.doubts


def test_objects_at_the_border_are_told():
    image, labels = picture()
    labels[95:, 20:40], labels[40:60, 110:] = 20, 21
    assert "2 objects touch the border of the image" in doubts(ArraySource([(image, labels)]))


def test_scattered_objects_are_named():
    image, labels = picture()
    labels[80:90, 90:105] = 4
    assert "Object 4 consists of pieces far apart" in doubts(ArraySource([(image, labels)]))


def block(*places):
    mask = np.zeros((60, 60), bool)
    for top, left, side in places:
        mask[top : top + side, left : left + side] = True
    return mask


@pytest.mark.parametrize(
    ("places", "scattered"),
    [
        ([(5, 5, 10)], False),
        ([(5, 5, 10), (17, 5, 10)], False),  # a gap of two pixels: a bright line through it
        ([(5, 5, 10), (40, 40, 10)], True),
        ([(5, 5, 20), (50, 50, 2)], False),  # a speck
        ([(0, 0, 10), (12, 0, 10), (24, 0, 10)], False),  # each near the next
        ([], False),
    ],
)
def test_pieces_count_where_they_are_large_and_far_apart(places, scattered):
    assert in_pieces(block(*places)) is scattered


def test_an_object_that_covers_nearly_all_is_doubted():
    labels = np.ones((100, 120), np.int32)
    labels[:, :6] = 0
    image, others = picture()
    text = doubts(ArraySource([(image, labels), (image, others)]))
    assert "Object 1 covers 95% of its image: perhaps it is the background" in text


def test_objects_of_one_size_are_doubted():
    assert "All objects are about 12 pixels long" in doubts(two(sides=(12,) * 6))


def test_doubles_are_told():
    image, labels = picture()
    source = JoinedSource([ArraySource([(image, labels)]), ArraySource([(image, np.where(labels > 2, labels, 0))])])
    assert "4 objects are there twice with the same pixels and used once." in survey(source).doubts


def test_stacks_of_one_scene_are_told_from_stacks_of_pictures():
    image, labels = picture()
    text = doubts(ArraySource([(np.stack([image] * 3), np.stack([labels] * 3))]))
    assert "Neighbouring planes show the same objects" in text
    turned = np.stack([labels, labels[::-1, ::-1], labels])
    assert "planes" not in doubts(ArraySource([(np.stack([image] * 3), turned)]))


def test_nearly_everything_on_one_image_is_told():
    image, labels = picture()
    text = doubts(ArraySource([(image, labels), (image.copy(), np.where(labels == 2, 2, 0))]))
    assert "Nearly all objects are on one image" in text


# -- drawn by the model -------------------------------------------------------------------------------------------


def extremes(*more):
    return (*(Mark("extreme", 5.0 * n, 3.0 + n % 2) for n in range(4)), *more)


@pytest.mark.parametrize(
    ("facts", "by_it"),
    [
        (None, False),
        (ObjectFacts(marks=extremes()), False),
        (ObjectFacts(marks=extremes(), model="mine"), True),
        (ObjectFacts(marks=extremes(), model="other", model_hash="mine"), True),
        (ObjectFacts(marks=extremes(Mark("inside", 4.0, 4.0)), model="mine"), False),
        (ObjectFacts(marks=extremes(Mark("boundary", 4.0, 4.0)), model="mine"), False),
        (ObjectFacts(box=(1, 1, 9, 9), model="mine"), True),
        (ObjectFacts(box=(1, 1, 9, 9), marks=(Mark("outside", 2.0, 2.0),), model="mine"), False),
        (ObjectFacts(box=(1, 1, 9, 9), marks=extremes(), model="mine"), False),
        (
            ObjectFacts(
                box=(1, 1, 9, 9),
                marks=(*(Mark("outside", r, c) for r in (1.0, 9.0) for c in (1.0, 9.0)), Mark("inside", 5.0, 5.0)),
                model="mine",
            ),
            True,  # two corners and a point inside
        ),
        (ObjectFacts(marks=(Mark("inside", 5.0, 5.0),), model="mine"), False),  # corrects a mask from elsewhere
        (ObjectFacts(model="mine"), True),
    ],
)
def test_objects_accepted_as_the_model_drew_them(facts, by_it):
    assert drawn_by(facts, "mine") is by_it


def test_objects_of_the_model_itself_are_told(tmp_path):
    image, labels = picture()
    Image.fromarray(image).save(tmp_path / "a.png")
    document = labels_to_coco(labels, "a.png")
    for entry in document["annotations"][:4]:
        entry["napari_dextr"] = ObjectFacts(marks=extremes(), model="embedded").to_json()
    write_coco(tmp_path / "a.json", document)
    source = CocoSource(tmp_path / "a.json", tmp_path)
    assert "4 of 6 were drawn by this model and not corrected by a mark" in doubts(source, model="embedded")
    assert survey(source, model="embedded").untouched == 4
    assert "drawn by" not in doubts(source)
    assert "drawn by" not in doubts(source, model="another")


# -- refusals -----------------------------------------------------------------------------------------------------


def one(value, shape=(60, 60), region=np.s_[10:30, 10:30], dtype=np.int32):
    labels = np.zeros(shape, dtype)
    labels[region] = value
    return labels


@pytest.mark.parametrize(
    ("image", "labels", "words"),
    [
        (np.zeros((60, 60)), one(0), "holds no object; annotate some first"),
        (np.zeros((60, 60)), one(1, region=np.s_[5, 5]), r"no object of 60 pixels or more \(1 smaller one\)"),
        (np.zeros((60, 60)), one(1, region=np.s_[:]), "covers its whole image"),
        (np.zeros((60, 60)), one(1, dtype=np.float32), "must be whole numbers, got float32; convert them"),
        (np.full((60, 60), np.nan), one(1), r"holds no numbers \(NaN\) where the objects are"),
        (np.zeros((60, 60), complex), one(1), "holds values of type 'complex128'"),
    ],
)
def test_what_cannot_be_learned_from_is_refused(image, labels, words):
    found = survey(ArraySource([(image, labels)]))
    assert found.objects == 0
    assert found.doubts == ()
    assert re.search(words, found.refusal), found.refusal
    assert found.sentence() == found.refusal


def test_images_that_are_not_there_are_refused_or_left_out(tmp_path):
    image, labels = picture()
    document = labels_to_coco(labels, "a.png")
    document["images"].append({**document["images"][0], "id": 2, "file_name": "b.png"})
    document["annotations"] += [{**e, "id": e["id"] + 10, "image_id": 2} for e in document["annotations"]]
    write_coco(tmp_path / "a.json", document)
    Image.fromarray(image).save(tmp_path / "a.png")
    assert "'b.png' is not in" in survey(CocoSource(tmp_path / "a.json", tmp_path)).refusal
    lenient = CocoSource(tmp_path / "a.json", tmp_path, skip_unreadable=True)
    assert "1 image cannot be found and will be left out, as 'b.png'." in survey(lenient).doubts
    (tmp_path / "a.png").unlink()
    assert survey(lenient).refusal is not None


def test_a_file_that_is_no_coco_file_is_refused(tmp_path):
    (tmp_path / "a.json").write_text("{}", encoding="utf-8")
    assert "not a COCO file" in survey(CocoSource(tmp_path / "a.json", tmp_path)).refusal


def test_parts_of_an_image_without_numbers_leave_the_rest():
    image, labels = picture()
    image = image.astype(np.float32)
    image[labels == 3] = np.nan
    found = survey(ArraySource([(image, labels)]))
    assert (found.objects, found.left_out) == (5, 1)
    assert "1 object is left out: on pixels without any number (NaN)." in found.doubts


# -- quick --------------------------------------------------------------------------------------------------------


class Noted:
    """A lazy array that writes down how many pixels are read."""

    def __init__(self, array):
        self.array, self.shape, self.dtype, self.read = array, array.shape, array.dtype, 0

    def __getitem__(self, index):
        self.read += self.array[index].size
        return self.array[index]


@pytest.mark.parametrize("dtype", [np.uint16, np.float32])
def test_lazy_images_are_not_read_whole_and_labels_once(dtype):
    labels = np.zeros((5, 600, 800), np.int32)
    for plane in (1, 3):
        labels[plane, 100:120, 200:230], labels[plane, 400:420, 500 + 50 * plane : 530 + 50 * plane] = 1, 2
    image, lazy = Noted(labels.astype(dtype)), Noted(labels)
    source = ArraySource([(image, lazy)])
    found = survey(source)
    assert (found.objects, found.images) == (4, 2)
    assert lazy.read == labels.size
    assert image.read <= (0 if dtype == np.uint16 else 4 * 20 * 30)


def test_it_tells_how_far_it_is_and_can_be_stopped():
    image, labels = picture()
    pairs = [(image.copy(), np.roll(labels, 3 * n, axis=1)) for n in range(8)]
    shares = []
    assert survey(ArraySource(pairs), lambda share: shares.append(share) or True).objects > 40
    assert shares == sorted(shares)
    assert len(set(shares)) == 8
    found = survey(ArraySource(pairs), lambda share: share < 0.5)
    assert found == Survey(refusal="The survey was stopped before everything was read.")


def test_objects_that_vanish_on_their_crops_are_doubted_or_refused():
    image, labels = picture(shape=(1200, 1200))
    for number in range(4):
        labels[300 + 150 * number : 303 + 150 * number, 50:1150] = 20 + number
    found = survey(ArraySource([(image, labels)]))
    assert (found.objects, found.left_out) == (6, 4)
    assert "4 objects are left out: so long and thin that they vanish" in " ".join(found.doubts)
    labels[labels < 20] = 0
    assert "only objects so long and thin" in survey(ArraySource([(image, labels)])).refusal


def test_a_lazy_image_whose_file_is_gone_is_a_refusal():
    class Gone:
        shape, dtype, ndim = (100, 120), np.dtype(np.float32), 2

        def __getitem__(self, _index):
            raise OSError("file 'x.tif' is gone")

    assert "'x.tif' is gone" in survey(ArraySource([(Gone(), picture()[1])], limits=(0, 1))).refusal
