"""Losses: least where the mask is right, blind where there is no true label, and the values of their formulas."""

from __future__ import annotations

import math

import pytest
import torch

from napari_dextr.training import losses

MASK_LOSSES = [losses.normalised_focal, losses.soft_iou, losses.boundary_weighted, losses.class_balanced]


@pytest.fixture
def target():
    mask = torch.zeros(2, 1, 16, 16)
    mask[0, 0, 4:12, 3:9] = 1
    mask[1, 0, 1:6, 7:15] = 1
    return mask


@pytest.mark.parametrize("loss", MASK_LOSSES)
def test_right_is_better_than_unsure_is_better_than_wrong(loss, target):
    weight = torch.ones_like(target)
    right, unsure, wrong = (loss((2 * target - 1) * scale, target, weight) for scale in (8.0, 0.0, -8.0))
    assert right.shape == (2,)
    assert (right < unsure).all()
    assert (unsure < wrong).all()
    assert (right < 0.05).all()


@pytest.mark.parametrize("loss", MASK_LOSSES)
def test_pixels_without_a_label_count_for_nothing(loss, target):
    weight = torch.ones_like(target)
    weight[..., 10:] = 0
    logits = torch.randn(target.shape, generator=torch.Generator().manual_seed(0))
    changed = logits.clone()
    changed[..., 12:] *= -5
    other = target.clone()
    other[..., 14:] = 1 - other[..., 14:]
    # the outline's weight looks two pixels around, so what differs lies four pixels away
    torch.testing.assert_close(loss(logits, target, weight), loss(changed, other, weight))


@pytest.mark.parametrize("loss", MASK_LOSSES)
def test_gradients_are_finite_even_without_any_label(loss, target):
    logits = torch.full_like(target, 30.0).requires_grad_()
    loss(logits, target, torch.zeros_like(target)).sum().backward()
    assert torch.isfinite(logits.grad).all()


def test_soft_iou_of_half_overlap():
    target = torch.zeros(1, 1, 1, 4)
    target[..., :2] = 1
    logits = torch.tensor([-40.0, 40.0, 40.0, -40.0]).reshape(1, 1, 1, 4)
    # overlap 1, union 3, both plus one
    assert losses.soft_iou(logits, target, torch.ones_like(target)).item() == pytest.approx(1 - 2 / 4)


def test_class_balanced_is_the_papers_formula():
    target = torch.tensor([1.0, 0, 0, 0]).reshape(1, 1, 2, 2)
    logits = torch.zeros_like(target)
    # N-/N over the one object pixel + N+/N over the three others, mean over N = 4
    expected = math.log(2) * (0.75 * 1 + 0.25 * 3) / 4
    assert losses.class_balanced(logits, target, torch.ones_like(target)).item() == pytest.approx(expected)


def test_the_outline_weighs_more():
    target = torch.zeros(1, 1, 20, 20)
    target[..., :10] = 1
    weight = torch.ones_like(target)

    def with_error(column):
        logits = (2 * target - 1) * 8
        logits[..., column] *= -1
        return losses.boundary_weighted(logits, target, weight).item()

    assert with_error(9) > 2 * with_error(2)


def test_batch_iou_leaves_out_what_has_no_label(target):
    weight = torch.ones_like(target)
    logits = (2 * target - 1) * 3
    logits[0, 0, 15] = 3
    assert losses.batch_iou(logits, target, weight)[0] < 1
    weight[0, 0, 15] = 0
    torch.testing.assert_close(losses.batch_iou(logits, target, weight), torch.ones(2))


def test_the_score_is_best_at_the_true_iou():
    iou = torch.tensor([0.7])
    errors = [losses.score_error(torch.logit(torch.tensor([p])), iou).item() for p in (0.5, 0.7, 0.9)]
    assert min(errors) == errors[1]
