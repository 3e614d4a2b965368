"""Annotated images: which objects are used, windows on images, and views that read only what is sliced."""

from __future__ import annotations

import numpy as np
import pytest

from napari_dextr.image import as_plane
from napari_dextr.training.annotated import (
    AnnotatedImage,
    Annotation,
    Choice,
    Rules,
    Stopped,
    View,
    Window,
    file_key,
    reasons,
    trimmed,
)


class Drawn(AnnotatedImage):
    """An image with the masks given, each on a region that is larger than needed."""

    def __init__(self, masks, key="a", rules=None, unknown=None):
        self.name = self.key = key
        self.shape = masks[0].shape
        self.rules = rules or Rules(4)
        self.left_out = {"marking crowds": 1}
        self._masks, self._unknown = masks, unknown

    def objects(self, going=lambda: True):
        everywhere = slice(0, self.shape[0]), slice(0, self.shape[1])
        return [Annotation(n, lambda mask=mask: (everywhere, mask)) for n, mask in enumerate(self._masks, start=1)]

    def plane(self):
        return as_plane(np.arange(self.shape[0] * self.shape[1], dtype=np.uint8).reshape(self.shape))

    def unknown(self):
        return lambda _annotation, _region, _mask: self._unknown


def square(top, left, side=4, shape=(20, 12)):
    mask = np.zeros(shape, bool)
    mask[top : top + side, left : left + side] = True
    return mask


def test_objects_are_used_once_if_they_are_large_enough_and_not_everything():
    masks = [square(0, 0), square(0, 0), square(9, 9, 1), np.ones((20, 12), bool), square(8, 4)]
    choice = Choice([Drawn(masks), Drawn([square(8, 4), square(15, 0)]), Drawn([square(8, 4)], key="b")])
    used = [(image.key, [part.annotation.label for part in parts]) for _, image, parts in choice]
    # one image twice: what lies on it twice counts once; another image has objects of its own
    assert used == [("a", [1, 5]), ("a", [2]), ("b", [1])]
    assert choice.left_out == {
        "marking crowds": 3, "drawn twice": 2, "smaller than 4 pixels": 1, "covering their whole image": 1,
    }  # fmt: skip
    assert reasons({"small": 2, "none": 0, "twice": 1}) == "2 small, 1 twice"


def test_an_image_that_occurs_once_has_its_doubles_removed_too():
    choice = Choice([Drawn([square(0, 0), square(0, 0)])])
    assert [len(parts) for _, _, parts in choice] == [1]


def test_parts_are_cut_to_the_object():
    ((_, _, (part,)),) = Choice([Drawn([square(8, 4)])])
    assert part.region == (slice(8, 12), slice(4, 8))
    assert part.mask.all()
    assert part.area == 16


def test_at_most_so_many_of_an_image_are_drawn_at_random_and_repeatably():
    masks = [square(4 * n, 0) for n in range(5)]
    picks = [
        tuple(p.annotation.label for _, _, parts in Choice([Drawn(masks, rules=Rules(4, 2))], seed) for p in parts)
        for seed in (0, 0, *range(1, 9))
    ]
    assert {len(pick) for pick in picks} == {2}
    assert picks[0] == picks[1]
    assert len(set(picks)) > 1


def test_a_choice_can_be_stopped():
    asked = iter([True, False])
    with pytest.raises(Stopped):
        list(Choice([Drawn([square(0, 0)]), Drawn([square(0, 0)])], going=lambda: next(asked)))


def test_a_window_holds_what_lies_in_it_wholly_and_no_pixel_beyond():
    masks = [square(0, 0), square(8, 4), square(3, 4)]
    unknown = square(7, 3, 2)
    region = slice(6, 20), slice(2, 12)
    window = Window(Drawn(masks, unknown=unknown), region)
    (item,) = window.objects()
    at, mask = item.read()
    assert item.label == 2
    assert at == (slice(2, 6), slice(2, 6))
    assert mask.shape == (4, 4)
    assert mask.all()
    plane = window.plane()
    assert plane.shape == window.shape == (14, 10)
    whole = Drawn(masks).plane().read((slice(0, 20), slice(0, 12)))
    np.testing.assert_array_equal(plane.read((slice(0, 14), slice(0, 10))), whole[region])
    np.testing.assert_array_equal(window.unknown()(item, at, mask)[0:14, 0:10], unknown[region])
    assert Window(Drawn(masks), region).unknown()(item, at, mask) is None


def test_trimming_keeps_the_place_of_a_mask_and_leaves_empty_ones():
    region, mask = trimmed((slice(10, 30), slice(5, 17)), square(8, 4))
    assert region == (slice(18, 22), slice(9, 13))
    assert mask.all()
    empty = np.zeros((3, 3), bool)
    assert trimmed((slice(0, 3), slice(0, 3)), empty) == ((slice(0, 3), slice(0, 3)), empty)


class Noted:
    """An array that writes down what is read of it."""

    def __init__(self, array):
        self.array, self.shape, self.dtype, self.read = array, array.shape, array.dtype, []

    def __getitem__(self, index):
        self.read.append(self.array[index].size)
        return self.array[index]


@pytest.mark.parametrize("channels", [(), (3,)])
def test_a_view_is_a_part_of_a_plane_and_reads_only_what_is_sliced(channels):
    array = np.random.default_rng(0).integers(0, 255, (4, 30, 5, 40, *channels))
    noted = Noted(array)
    view = View(noted, (2, slice(5, 25), 1, slice(10, 40)))
    part = array[2, 5:25, 1, 10:40]
    assert view.shape == part.shape
    assert view.dtype == array.dtype
    np.testing.assert_array_equal(view[3:9, 4:20:2], part[3:9, 4:20:2])
    np.testing.assert_array_equal(view[:, :], part)
    np.testing.assert_array_equal(view[2:4], part[2:4])
    assert view[30:40, 0:5].size == 0
    assert noted.read[0] == part[3:9, 4:20:2].size
    np.testing.assert_array_equal(View(view, (slice(2, 6), slice(1, 9)))[1:3, 2:4], part[3:5, 3:5])


def test_views_know_chunks():
    da = pytest.importorskip("dask.array")
    array = da.zeros((3, 40, 50), chunks=(1, 16, 25), dtype=int)
    assert View(array, (0, slice(0, 40), slice(0, 50))).chunks == (16, 25)
    assert View(np.zeros((5, 5)), (slice(0, 5), slice(0, 5))).chunks is None


def test_a_file_has_one_key_however_it_is_named(tmp_path, monkeypatch):
    (tmp_path / "sub").mkdir()
    key = file_key(tmp_path / "sub" / "a.png")
    assert file_key(str(tmp_path / "sub" / ".." / "sub" / "a.png")) == key
    monkeypatch.chdir(tmp_path)
    assert file_key("sub/a.png") == key
    assert file_key("sub/a.png", [3]) == file_key("sub/a.png", (3,)) != key
