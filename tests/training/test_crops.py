"""Cutting objects out: what is cut, what counts, what is left out, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from napari_dextr.coco import labels_to_coco, write_coco
from napari_dextr.errors import DataError
from napari_dextr.image import as_plane
from napari_dextr.training.crops import IGNORE, OBJECT, OUTSIDE, cut
from napari_dextr.training.sources import ArraySource, CocoSource


def silent(_line):
    pass


def coco_crops(annotations, images, side, *, progress=silent, **settings):
    return CocoSource(annotations, images, **settings).crops(side, 0, progress)


def array_crops(image, labels, side, **settings):
    return ArraySource([(image, labels)], **settings).crops(side, 0, silent)


def test_a_crop_holds_the_object_with_half_its_side_around():
    image = np.zeros((200, 200), np.uint8)
    image[80:120, 90:110] = 200
    crop = cut(as_plane(image), image > 0, None, 80)
    assert crop.image.shape == (80, 80, 3)
    rows, cols = np.nonzero(crop.mask & OBJECT)
    # 40 px tall with 20 px above and below: 80 px at scale one; the aspect ratio is kept
    assert np.ptp(rows) + 1 == 40
    assert np.ptp(cols) + 1 == 20
    np.testing.assert_array_equal(crop.image[..., 0] > 100, (crop.mask & OBJECT) > 0)


def test_beyond_the_image_and_ignored_pixels_are_flagged():
    image = np.zeros((60, 60), np.uint8)
    mask = np.zeros((60, 60), bool)
    mask[0:20, 0:20] = True
    ignore = np.zeros((60, 60), bool)
    ignore[25:, :] = True
    crop = cut(as_plane(image), mask, ignore, 40)
    assert (crop.mask[:8] & OUTSIDE).all()
    assert (crop.mask[-3, 12:] & IGNORE).all()
    assert not (crop.mask[crop.mask & OBJECT > 0] & OUTSIDE).any()


@pytest.fixture
def pack(tmp_path):
    """A COCO file with a large, a small and a crowd object on one image."""
    labels = np.zeros((60, 80), np.int32)
    labels[5:30, 5:40] = 1
    labels[40:44, 50:54] = 2
    labels[35:55, 5:30] = 3
    (tmp_path / "images").mkdir()
    Image.fromarray(np.full((60, 80, 3), 90, np.uint8)).save(tmp_path / "images" / "a.png")
    document = labels_to_coco(labels, "a.png")
    document["annotations"][2]["iscrowd"] = 1
    write_coco(tmp_path / "annotations.json", document)
    return tmp_path


def test_small_objects_and_crowds_are_left_out(pack):
    crops = list(coco_crops(pack / "annotations.json", pack / "images", 32, least_area=60))
    assert len(crops) == 1
    assert len(list(coco_crops(pack / "annotations.json", pack / "images", 32, least_area=10))) == 2


def test_objects_of_one_image_can_be_limited(pack):
    assert len(list(coco_crops(pack / "annotations.json", pack / "images", 32, least_area=1, most_per_image=1))) == 1


def test_an_image_of_another_size_than_its_masks_is_named(pack):
    Image.fromarray(np.zeros((60, 81, 3), np.uint8)).save(pack / "images" / "a.png")
    with pytest.raises(DataError, match=r"60 x 81 pixels.*60 x 80"):
        list(coco_crops(pack / "annotations.json", pack / "images", 32))


def object_of(crop):
    return crop.mask & OBJECT > 0


@pytest.mark.parametrize("place", [(30, 40), (0, 0), (159, 179)])
@pytest.mark.parametrize("extent", [8, 50, 150])
def test_an_object_is_cut_the_same_from_its_own_region(place, extent):
    rng = np.random.default_rng(0)
    image = rng.integers(0, 255, (200, 220), dtype=np.uint8)
    mask = np.zeros((200, 220), bool)
    mask[place[0] : place[0] + extent, place[1] : place[1] + extent] = rng.random() < 2
    ignore = np.zeros_like(mask)
    ignore[:, :60] = ~mask[:, :60]
    rows, cols = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    region = (slice(rows[0], rows[-1] + 1), slice(cols[0], cols[-1] + 1))
    whole, part = cut(as_plane(image), mask, ignore, 64), cut(as_plane(image), mask[region], ignore, 64, region)
    np.testing.assert_array_equal(whole.image, part.image)
    np.testing.assert_array_equal(whole.mask, part.mask)
    assert whole.side == max(len(rows), len(cols))
    # the object is about half of the crop wide: what `SURROUNDINGS` leaves
    longer = max(np.ptp(np.nonzero(object_of(whole)), axis=1)) + 1
    assert longer == pytest.approx(64 * whole.side / max(2 * whole.side, whole.side + 4), abs=1.5)


def test_a_crop_is_as_quiet_as_what_a_click_shows_the_network():
    image = np.full((200, 200), 100.0) + np.random.default_rng(0).normal(0, 40, (200, 200))
    rows, cols = np.mgrid[:200, :200]
    masks = [np.hypot(rows - 100, cols - 100) < 40, np.abs(rows - cols) < 2]
    compact, thin = (cut(as_plane(image, limits=(0, 255)), mask, None, 80).image.std() for mask in masks)
    assert compact < 15 < thin  # of a thin object, averaging would leave nothing


def test_an_empty_mask_is_refused():
    with pytest.raises(DataError, match="empty"):
        cut(as_plane(np.zeros((20, 20), np.uint8)), np.zeros((20, 20), bool), None, 32)


def write_pack(folder, objects, size=(60, 80)):
    """A COCO file of one grey image with the annotations given."""
    (folder / "images").mkdir(exist_ok=True)
    Image.fromarray(np.full((*size, 3), 90, np.uint8)).save(folder / "images" / "a.png")
    document = {
        "images": [{"id": 1, "file_name": "a.png", "height": size[0], "width": size[1]}],
        "annotations": [{"id": i + 1, "image_id": 1, "category_id": 1, **obj} for i, obj in enumerate(objects)],
        "categories": [{"id": 1, "name": "thing"}],
    }
    write_coco(folder / "annotations.json", document)
    return folder / "annotations.json", folder / "images"


def runs(mask):
    """Uncompressed COCO run lengths, written the slow way."""
    counts, value, length = [], False, 0
    for pixel in mask.T.ravel():
        if pixel != value:
            counts.append(length)
            value, length = pixel, 0
        length += 1
    return {"size": list(mask.shape), "counts": [*counts, length]}


def filled(rows, cols, size=(60, 80)):
    mask = np.zeros(size, bool)
    mask[rows, cols] = True
    return mask


def test_crowds_are_no_objects_and_count_for_nothing_around_others(tmp_path):
    thing, crowd = filled(slice(20, 40), slice(20, 40)), filled(slice(10, 50), slice(35, 60))
    pack = write_pack(tmp_path, [{"segmentation": runs(thing)}, {"segmentation": runs(crowd), "iscrowd": 1}])
    (crop,) = coco_crops(*pack, 40)
    # 20 px of object become 20 of 40: one canvas pixel an image pixel, the crop begins at row 10, column 10
    np.testing.assert_array_equal(object_of(crop), thing[10:50, 10:50])
    np.testing.assert_array_equal(crop.mask & IGNORE > 0, (crowd & ~thing)[10:50, 10:50])


def test_an_object_keeps_its_own_ignored_pixels_beside_a_crowd(tmp_path):
    thing, crowd = filled(slice(20, 40), slice(20, 40)), filled(slice(45, 50), slice(0, 80))
    border = filled(slice(18, 20), slice(20, 40))
    pack = write_pack(
        tmp_path,
        [
            {"segmentation": runs(thing), "ignore_segmentation": runs(border)},
            {"segmentation": runs(crowd), "iscrowd": 1},
        ],
    )
    (crop,) = coco_crops(*pack, 40)
    np.testing.assert_array_equal(crop.mask & IGNORE > 0, (crowd | border)[10:50, 10:50])


def test_polygons_and_run_lengths_give_the_same_crop(tmp_path):
    thing = filled(slice(20, 40), slice(20, 40))
    polygon = [[20, 20, 40, 20, 40, 40, 20, 40]]  # x, y along the pixels' outer edges
    crops = [
        next(coco_crops(*write_pack(tmp_path, [{"segmentation": segmentation}]), 40))
        for segmentation in (runs(thing), polygon)
    ]
    np.testing.assert_array_equal(crops[0].mask, crops[1].mask)


def test_a_file_without_usable_objects_says_why(tmp_path):
    small, crowd = filled(slice(2, 5), slice(2, 5)), filled(slice(0, 30), slice(30, 60))
    objects = [{"segmentation": runs(small)}, {"segmentation": runs(crowd), "iscrowd": 1}, {"bbox": [1, 1, 9, 9]}]
    with pytest.raises(DataError, match=r"no usable object.*1 marking crowds, 1 without a mask, 1 smaller than 60"):
        list(coco_crops(*write_pack(tmp_path, objects), 32))


@pytest.fixture
def two_images(pack):
    """The pack with a second image, whose file is no image."""
    labels = np.zeros((60, 80), np.int32)
    labels[5:30, 5:40] = 1
    document = labels_to_coco(labels, "b.png")
    first = labels_to_coco(labels, "a.png")
    first["images"] += [{**document["images"][0], "id": 2}]
    first["annotations"] += [{**document["annotations"][0], "id": 2, "image_id": 2}]
    write_coco(pack / "annotations.json", first)
    (pack / "images" / "b.png").write_bytes(b"not an image")
    return pack


@pytest.mark.parametrize("missing", [False, True])
def test_an_unreadable_image_is_named_or_left_out(two_images, missing):
    pack = (two_images / "annotations.json", two_images / "images")
    if missing:
        (two_images / "images" / "b.png").unlink()
    with pytest.raises(DataError, match=r"'b\.png' cannot be used.*skip_unreadable"):
        list(coco_crops(*pack, 32))
    said = []
    assert len(list(coco_crops(*pack, 32, skip_unreadable=True, progress=said.append))) == 1
    assert said == ["1 of 2 images could not be read and were left out: 'b.png'"]
    (two_images / "images" / "a.png").unlink()
    with pytest.raises(DataError, match="no usable object.*2 images that could not be read"):
        list(coco_crops(*pack, 32, skip_unreadable=True))


# -- arrays ---------------------------------------------------------------------------------------------------


def squares(shape=(60, 80), dtype=np.int32, values=(1, 2)):
    labels = np.zeros(shape, dtype)
    labels[10:30, 10:30] = values[0]
    labels[30:50, 30:60] = values[1]
    return labels


def picture(labels):
    return np.where(labels > 0, 200, 40).astype(np.uint8)


@pytest.mark.parametrize("dtype", ["uint8", "int8", "uint16", "int16", "int32", "uint32", "int64", "uint64"])
def test_labels_of_any_whole_type_give_their_objects(dtype):
    values = (1, 100) if np.dtype(dtype).itemsize == 1 else (7, np.iinfo(dtype).max)
    labels = squares(dtype=dtype, values=values)
    crops = list(array_crops(picture(labels), labels, 40))
    assert [crop.side for crop in crops] == [20, 30]
    for crop in crops:
        assert crop.image[object_of(crop)].mean() > 150
    np.testing.assert_array_equal(object_of(crops[0]), filled(slice(10, 30), slice(10, 30))[:40, :40])


def test_a_bool_mask_is_one_object_and_negative_labels_are_objects():
    labels = squares()
    assert len(list(array_crops(picture(labels), labels == 1, 40))) == 1
    assert len(list(array_crops(picture(labels), -labels, 40))) == 2


def test_colour_images_and_chosen_channels():
    labels = squares()
    image = np.zeros((60, 80, 5), np.uint16)
    image[..., 3] = 1000 * (labels == 1) + 200
    first, _ = array_crops(image, labels, 40, channels=(3,), limits=(200, 1200))
    assert first.image[object_of(first)].min() == 255
    assert first.image[~object_of(first)].max() == 0
    assert len(list(array_crops(image[..., :3], labels, 40))) == 2


@pytest.mark.parametrize(("axis", "order"), [(None, (0, 1, 2)), (0, (0, 1, 2)), (2, (1, 2, 0)), (-2, (1, 0, 2))])
def test_stacks_are_cut_plane_by_plane(axis, order):
    labels = np.stack([squares(), np.zeros((60, 80), np.int32), squares(values=(5, 5))])
    image = picture(labels)
    moved = labels.transpose(order), image.transpose(order)
    crops = list(array_crops(moved[1], moved[0], 40, axis=axis))
    assert len(crops) == 3  # the last plane's squares have one label: one object
    expected = list(array_crops(image[0], labels[0], 40))
    np.testing.assert_array_equal(crops[0].image, expected[0].image)


def test_a_stack_of_several_axes_with_colours():
    labels = np.zeros((2, 3, 60, 80), np.uint8)
    labels[0, 1], labels[1, 2] = squares(), squares()
    image = np.repeat(picture(labels)[..., None], 3, axis=-1)
    assert len(list(array_crops(image, labels, 40, axis=(0, 1)))) == 4
    assert len(list(array_crops(image, labels, 40, most_per_image=1))) == 2


class Lazy:
    """An array on disk: whatever is read is written down."""

    def __init__(self, array):
        self.array, self.shape, self.dtype, self.read = array, array.shape, array.dtype, []

    def __getitem__(self, index):
        part = self.array[index]
        self.read.append(part.shape)
        return part


def test_what_is_left_out_is_told(pack):
    said = []
    list(coco_crops(pack / "annotations.json", pack / "images", 32, progress=said.append))
    assert said == ["Objects left out: 1 marking crowds, 1 smaller than 60 pixels"]


def test_of_a_large_plane_only_the_surroundings_of_objects_are_read(monkeypatch):
    monkeypatch.setattr("napari_dextr.training.crops._AT_ONCE", 1000)
    labels = squares((600, 800))
    lazy = Lazy(picture(labels))
    crops = list(array_crops(lazy, labels, 40))
    assert [max(shape) < 80 for shape in lazy.read] == [True, True]
    for one, other in zip(crops, array_crops(picture(labels), labels, 40), strict=True):
        np.testing.assert_array_equal(one.image, other.image)


def test_only_one_plane_is_read_at_a_time_and_images_only_where_there_are_objects():
    labels = np.zeros((4, 60, 80), np.uint16)
    labels[2] = squares()
    lazy, stack = Lazy(picture(labels)), Lazy(labels)
    assert len(list(array_crops(lazy, stack, 40))) == 2
    assert set(stack.read) == {(60, 80)}
    assert lazy.read == [(60, 80)]


def test_dask_arrays_are_cut():
    da = pytest.importorskip("dask.array")
    labels = np.stack([squares(), squares()])
    image = da.from_array(picture(labels), chunks=(1, 30, 40))
    crops = list(array_crops(image, da.from_array(labels, chunks=(1, 60, 80)), 40))
    expected = list(array_crops(picture(labels), labels, 40))
    for one, other in zip(crops, expected, strict=True):
        np.testing.assert_array_equal(one.image, other.image)


def test_pixels_without_a_label_count_for_nothing():
    labels = squares()
    labels[10:30, 32:36] = -1
    (first, _) = array_crops(picture(labels), labels, 40, ignore=-1)
    np.testing.assert_array_equal(first.mask & IGNORE > 0, (labels == -1)[:40, :40])


@pytest.mark.parametrize("channels", [None, 3])
def test_pixels_without_a_number_are_unknown_and_spoil_nothing(channels):
    labels = squares()
    image = picture(labels).astype(np.float32) / 255
    if channels:
        image = np.repeat(image[..., None], channels, axis=-1)
    image[8:14, 5:40] = np.nan
    image[20, 20] = np.inf
    first, second = array_crops(image, labels, 40)
    holes = np.zeros((60, 80), bool)
    holes[8:14, 5:40] = holes[20, 20] = True
    np.testing.assert_array_equal(first.mask & IGNORE > 0, holes[:40, :40])
    assert first.image[object_of(first) & (first.mask & IGNORE == 0)].mean() > 150
    assert np.isfinite(first.image).all()
    assert not (second.mask & IGNORE)[12:].any()


def test_an_object_of_which_nothing_is_known_is_left_out():
    labels = squares()
    image = picture(labels).astype(np.float32)
    image[10:30, 10:30] = np.nan
    said = []
    assert len(list(ArraySource([(image, labels)]).crops(40, 0, said.append))) == 1
    assert said == ["Objects left out: 1 on pixels of which nothing is known"]
    with pytest.raises(DataError, match="no usable object"):
        list(array_crops(np.full((60, 80), np.nan), labels, 40))


@pytest.mark.parametrize(
    ("image", "labels", "settings", "words"),
    [
        (np.zeros((60, 81)), squares(), {}, r"\(60, 81\) and labels of shape \(60, 80\) do not fit"),
        (np.zeros((60, 80, 3, 2)), squares(), {}, "must agree"),
        (np.zeros((60, 80)), squares().astype(float), {}, "whole numbers, got float64"),
        (np.zeros((60, 80)), np.zeros((60, 80), int), {}, "no usable object.*it is empty"),
        (np.zeros((60, 80)), squares(), {"least_area": 5000}, "2 smaller than 5000 pixels"),
        (np.zeros((60, 80)), squares(), {"axis": 0}, "do not leave planes of two axes"),
        (np.zeros((3, 60, 80)), np.stack([squares()] * 3), {"axis": 3}, "do not leave planes"),
        (np.zeros((3, 60, 80)), np.stack([squares()] * 3), {"axis": (0, 0)}, "do not leave planes"),
    ],
)
def test_arrays_that_do_not_fit_are_refused_with_a_sentence(image, labels, settings, words):
    with pytest.raises(DataError, match=words):
        list(array_crops(image, labels, 40, **settings))
