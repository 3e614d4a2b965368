"""Losses: least where the mask is right, blind where there is no true label, and the values of their formulas."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from napari_dextr.errors import DataError
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


# -- against the formulas, written out ------------------------------------------------------------------------


def entropy(logit, truth):
    return max(logit, 0) - logit * truth + math.log1p(math.exp(-abs(logit)))


def sigmoid(logit):
    return 1 / (1 + math.exp(-logit)) if logit >= 0 else math.exp(logit) / (1 + math.exp(logit))


def slow_focal(logits, target, weight, _batch):
    focus = [abs(sigmoid(x) - t) ** 2 * w for x, t, w in zip(logits, target, weight, strict=True)]
    total = sum(weight)
    scale = min(total / max(sum(focus), 1e-6), 1e3)
    return scale * sum(f * entropy(x, t) for f, x, t in zip(focus, logits, target, strict=True)) / max(total, 1)


def slow_iou(logits, target, weight, _batch):
    overlap = sum(sigmoid(x) * t * w for x, t, w in zip(logits, target, weight, strict=True))
    union = sum((sigmoid(x) + t - sigmoid(x) * t) * w for x, t, w in zip(logits, target, weight, strict=True))
    return 1 - (overlap + 1) / (union + 1)


def slow_boundary(logits, target, weight, _batch):
    side = math.isqrt(len(target))
    near = []
    for place in range(len(target)):
        row, col = divmod(place, side)
        around = [
            target[r * side + c]
            for r in range(max(row - 2, 0), min(row + 3, side))
            for c in range(max(col - 2, 0), min(col + 3, side))
        ]
        local = sum(around) / len(around)
        near.append((1 + 8 * min(local, 1 - local)) * weight[place])
    return sum(n * entropy(x, t) for n, x, t in zip(near, logits, target, strict=True)) / max(sum(near), 1)


def slow_balanced(logits, target, weight, batch):
    positives = float((batch[0] * batch[1]).sum() / max(batch[1].sum(), 1))
    total = sum(
        (t * (1 - positives) + (1 - t) * positives) * w * entropy(x, t)
        for x, t, w in zip(logits, target, weight, strict=True)
    )
    return total / max(sum(weight), 1)


@pytest.mark.parametrize(
    ("name", "slow"),
    [("focal", slow_focal), ("iou", slow_iou), ("boundary", slow_boundary), ("balanced", slow_balanced)],
)
@pytest.mark.parametrize("spread", [0.5, 4.0, 30.0])
def test_losses_are_their_formulas(name, slow, spread, target):
    rng = np.random.default_rng(int(spread))
    logits = rng.normal(0, spread, target.shape)
    weight = (rng.random(target.shape) < 0.8).astype(float)
    found = losses.MASK_LOSSES[name](torch.from_numpy(logits), target.double(), torch.from_numpy(weight))
    truth = target.double().numpy()
    expected = [
        slow(logits[i].ravel().tolist(), truth[i].ravel().tolist(), weight[i].ravel().tolist(), (truth, weight))
        for i in range(len(logits))
    ]
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-6)


@pytest.mark.parametrize("loss", [*MASK_LOSSES, losses.side_loss])
@pytest.mark.parametrize("level", [-1e4, -60.0, 0.0, 60.0, 1e4])
@pytest.mark.parametrize("filling", [0.0, 1.0, None])
def test_gradients_are_finite_at_the_extremes(loss, level, filling, target):
    truth = target if filling is None else torch.full_like(target, filling)
    logits = torch.full_like(truth, level).requires_grad_()
    value = loss(logits, truth, torch.ones_like(truth))
    value.sum().backward()
    assert torch.isfinite(value).all()
    assert torch.isfinite(logits.grad).all()


def test_the_score_has_a_finite_gradient_at_the_extremes():
    score = torch.tensor([-1e4, 1e4, 0.0]).requires_grad_()
    losses.score_error(score, torch.tensor([1.0, 0.0, 0.5])).sum().backward()
    assert torch.isfinite(score.grad).all()


# -- mixtures -------------------------------------------------------------------------------------------------


def test_a_mixture_is_the_weighted_sum(target):
    logits, weight = torch.randn(target.shape, generator=torch.Generator().manual_seed(1)), torch.ones_like(target)
    mixed = losses.mask_loss(losses.mixture({"focal": 0.5, "iou": 2.0, "boundary": 0}), logits, target, weight)
    expected = 0.5 * losses.normalised_focal(logits, target, weight) + 2 * losses.soft_iou(logits, target, weight)
    torch.testing.assert_close(mixed, expected)


def test_presets_are_mixtures():
    for name in losses.PRESETS:
        assert losses.mixture(name) == losses.mixture(losses.PRESETS[name])
    assert losses.mixture("house") == {"focal": 1.0, "iou": 1.0, "boundary": 0.5}


@pytest.mark.parametrize(
    ("chosen", "words"),
    [
        ("dice", "no mask loss 'dice'; take house or balanced"),
        ({"focal": 1.0, "dice": 1.0}, "no mask loss 'dice'; known are focal, iou"),
        ({"focal": 0.0}, "one above zero"),
        ({"focal": -1.0}, "none negative"),
        ({"focal": math.nan}, "finite"),
        ({}, "one above zero"),
    ],
)
def test_mixtures_that_make_no_sense_are_refused(chosen, words):
    with pytest.raises(DataError, match=words):
        losses.mixture(chosen)


def test_side_outputs_are_judged_at_their_own_stride(target):
    small = torch.randn(2, 1, 4, 4, generator=torch.Generator().manual_seed(2))
    coarse = torch.nn.functional.avg_pool2d(target, 4)
    weight = torch.ones_like(coarse)
    expected = losses.soft_iou(small, coarse, weight) + losses.boundary_weighted(small, coarse, weight)
    torch.testing.assert_close(losses.side_loss(small, target, torch.ones_like(target)), expected)
