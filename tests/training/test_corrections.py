"""Correction rounds: a mark on the error, and the mask that it corrects."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from napari_dextr.training.corrections import add_corrections
from napari_dextr.training.sampling import Batch, Marks

SIZE = 64


@pytest.fixture
def batch():
    target = torch.zeros(8, 1, SIZE, SIZE)
    target[..., 16:48, 16:48] = 1
    none = np.zeros((0, 2))
    marks = [Marks(none, none, none, None) for _ in range(8)]
    return Batch(torch.zeros(8, 3, SIZE, SIZE), target, torch.ones_like(target), marks, torch.zeros(8, SIZE, SIZE))


def logits(mask):
    return (2 * mask[..., ::2, ::2] - 1) * 10


def test_a_missed_part_gets_an_inside_click(batch):
    predicted = batch.target.clone()
    predicted[..., 32:] = 0
    add_corrections(batch, logits(predicted), np.random.default_rng(0), boundary=0.0)
    for marks in batch.marks:
        ((row, col),) = marks.inside
        assert 16 <= row < 48
        assert 31 <= col < 48
        assert not len(marks.outside)


def test_a_surplus_part_gets_an_outside_click(batch):
    predicted = batch.target.clone()
    predicted[..., 50:64, :] = 1
    add_corrections(batch, logits(predicted), np.random.default_rng(0), boundary=0.0)
    for marks in batch.marks:
        assert marks.outside[0][0] >= 49
        assert not len(marks.inside)


def test_some_corrections_lie_on_the_outline(batch):
    add_corrections(batch, logits(torch.zeros_like(batch.target)), np.random.default_rng(0), boundary=1.0)
    for marks in batch.marks:
        row, col = marks.outline[0]
        assert min(abs(row - 16), abs(row - 47), abs(col - 16), abs(col - 47)) < 2


def test_the_earlier_mask_is_shown_mostly(batch):
    predicted = batch.target.clone()
    predicted[..., 32:] = 0
    add_corrections(batch, logits(predicted), np.random.default_rng(0), boundary=0.0)
    shown = batch.previous.amax(dim=(1, 2)) > 0.5
    assert shown.float().mean() >= 0.5
    index = int(shown.nonzero()[0])
    assert batch.previous[index, 30, 20] > 0.5
    assert batch.previous[index, 30, 45] < 0.5


def test_nothing_wrong_adds_no_mark(batch):
    add_corrections(batch, logits(batch.target), np.random.default_rng(0), boundary=0.5)
    assert all(len(m.inside) + len(m.outside) + len(m.outline) == 0 for m in batch.marks)


def test_pixels_without_a_label_are_not_corrected(batch):
    predicted = batch.target.clone()
    predicted[..., 50:64, :] = 1
    batch.weight[..., 49:64, :] = 0
    add_corrections(batch, logits(predicted), np.random.default_rng(0), boundary=0.0)
    assert all(not len(marks.outside) for marks in batch.marks)
