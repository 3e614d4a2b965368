"""Judging: the same marks for every model, several an object, and examples worth looking at."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from napari_dextr.errors import DataError
from napari_dextr.simulation import box_of
from napari_dextr.training.judging import HANDS, Judged, compare, judge, read_comparisons, write_comparisons
from napari_dextr.training.validation import Hand, Showing, crop_points, marked


class Recorder(nn.Module):
    """Answers with the box channel, and keeps what it was asked."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = []

    def forward(self, canvas):
        self.asked.append(canvas.clone())
        return (canvas[:, 9:10, ::2, ::2] - 0.5) * 20, torch.zeros(len(canvas))


def test_two_models_get_the_same_marks_and_every_hand_its_own(store):
    first, second = Recorder(), Recorder()
    found = [judge(network, store, range(10), Showing(64, at_once=8), 0.5) for network in (first, second)]
    assert all(torch.equal(one, other) for one, other in zip(first.asked, second.asked, strict=True))
    assert np.array_equal(found[0].ious, found[1].ious)
    assert (found[0].ious.shape, found[0].masks.shape) == ((10,), (10, 64, 64))
    assert len(first.asked) == 2 * len(HANDS)
    exact, careless, other = (first.asked[number] for number in (0, 2, 4))
    assert not torch.equal(exact, careless)
    assert not torch.equal(careless, other)


def test_the_threshold_decides_what_belongs_to_the_object(store):
    low, high = (judge(Recorder(), store, range(4), Showing(64), threshold) for threshold in (0.1, 0.9))
    assert low.masks.sum() > high.masks.sum()


def test_careless_points_are_near_the_exact_ones(store):
    exact, careless = crop_points(store, 3), crop_points(store, 3, Hand(0.02, 1))
    # anywhere along a straight side, but not far from it
    assert 0 < np.abs(np.array(box_of(exact)) - box_of(careless)).max() < 4
    assert np.array_equal(careless, crop_points(store, 3, Hand(0.02, 1)))
    assert marked(store, [3], 64, Hand(0.02, 1)).marks[0].outline.shape == (4, 2)


def test_examples_go_from_the_worst_to_the_best_and_are_kept(store, tmp_path):
    masks = np.zeros((12, 64, 64), bool)
    before = Judged(np.full(12, 0.5), masks)
    after = Judged(np.linspace(0.4, 0.9, 12)[::-1].copy(), ~masks)
    shown = compare(store, range(12), before, after)
    gains = [each.iou_after - each.iou_before for each in shown]
    assert gains == sorted(gains)
    assert (gains[0], gains[-1]) == (pytest.approx(-0.1), pytest.approx(0.4))
    assert shown[0].name == "object 12"
    assert shown[0].image.dtype == np.uint8
    assert shown[0].truth.any()
    write_comparisons(tmp_path / "c.npz", shown)
    again = read_comparisons(tmp_path / "c.npz")
    assert [each.name for each in again] == [each.name for each in shown]
    assert np.array_equal(again[2].image, shown[2].image)
    assert np.array_equal(again[2].after, shown[2].after)
    (tmp_path / "c.npz").write_bytes(b"PK")
    with pytest.raises(DataError, match="cannot be read"):
        read_comparisons(tmp_path / "c.npz")
    assert compare(store, [], before, after) == []
