"""Samples: image, mask and marks land on the same place of the canvas, in every opening and turn."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from napari_dextr.errors import DataError
from napari_dextr.guidance import CHANNELS
from napari_dextr.simulation import depth_map
from napari_dextr.training.augment import Photometric
from napari_dextr.training.sampling import OPENINGS, Sampler, damaged, open_prompt

STILL = Photometric(light=0, inversion=0, grey=0, shuffle=0, blur=0, noise=0, gradient=0)


def sampler(store, **settings):
    shares = {"upright": 1.0, "turning": 1.0}
    return Sampler(store, shares, turning=("turning",), photometric=STILL, **settings)


def test_a_batch_has_the_shapes_it_says(store):
    batch = sampler(store).draw(5, 96, (0, 0))
    assert batch.images.shape == (5, 3, 96, 96)
    assert batch.target.shape == batch.weight.shape == (5, 1, 96, 96)
    assert batch.inputs().shape == (5, 3 + CHANNELS, 96, 96)
    assert set(batch.target.unique().tolist()) <= {0.0, 1.0}


def test_the_same_seed_draws_the_same_batch(store):
    first, again, other = (sampler(store).draw(4, 64, seed).inputs() for seed in ((1, 2), (1, 2), (1, 3)))
    torch.testing.assert_close(first, again)
    assert not torch.allclose(first, other)


def test_image_and_mask_stay_together_through_turn_and_stretch(store):
    """The objects are brighter than their surroundings, so the standardised image must say the same as the mask."""
    batch = sampler(store).draw(24, 96, (3, 0))
    for image, target, weight in zip(batch.images, batch.target, batch.weight, strict=True):
        known = weight[0] > 0
        bright, true = image.mean(dim=0)[known] > 0, target[0][known] > 0
        if true.float().mean() < 0.05 or true.float().mean() > 0.9:
            continue
        overlap = (bright & true).sum() / (bright | true).sum()
        assert overlap > 0.75


def test_extreme_points_lie_on_the_outline_of_the_canvas_mask(store):
    batch = sampler(store, openings={"extreme": 1.0}, earlier_masks=0).draw(30, 128, (4, 0))
    distances = []
    for target, marks in zip(batch.target, batch.marks, strict=True):
        mask = target[0].numpy() > 0.5
        inside, outside = depth_map(mask), depth_map(~mask)
        for row, col in np.round(marks.outline).astype(int).clip(0, 127):
            distances.append(max(inside[row, col], outside[row, col]))
    # clicks miss by about a hundredth of the side, now and then by more
    assert np.median(distances) < 4
    assert np.percentile(distances, 90) < 9


@pytest.mark.parametrize("kind", OPENINGS)
def test_each_opening_gives_its_marks(store, kind):
    batch = sampler(store, openings={kind: 1.0}, earlier_masks=0).draw(10, 96, (5, 0))
    for target, marks in zip(batch.target, batch.marks, strict=True):
        mask = target[0].numpy() > 0.5
        assert (len(marks.outline) > 0) == (kind == "extreme")
        assert (len(marks.outside) == 4) == (kind == "inside_outside")
        assert (marks.box is None) == (kind in ("clicks", "strokes"))
        if kind in ("clicks", "strokes", "inside_outside"):
            rows, cols = np.round(marks.inside).astype(int).clip(0, 95).T
            assert mask[rows, cols].mean() > 0.9
        if kind in ("box", "inside_outside"):
            rows, cols = np.nonzero(mask)
            r0, c0, r1, c1 = marks.box
            assert r0 - 12 < rows.min()
            assert rows.max() < r1 + 12
            assert c0 - 12 < cols.min()
            assert cols.max() < c1 + 12


def test_a_one_pixel_mask_still_opens():
    mask = np.zeros((32, 32), bool)
    mask[15, 17] = True
    for seed in range(20):
        for kind in OPENINGS:
            opening = open_prompt(kind, mask, np.eye(2), np.random.default_rng(seed))
            assert np.isfinite(opening.crop).all()


def test_groups_without_a_share_are_not_drawn(store):
    batch = Sampler(store, {"upright": 1.0}, photometric=STILL).draw(8, 64, (0, 0))
    assert len(batch.marks) == 8
    with pytest.raises(DataError, match="share"):
        Sampler(store, {"nothing": 1.0})


def test_damaged_masks_resemble_the_true_one():
    mask = torch.zeros(64, 64)
    mask[20:40, 15:45] = 1
    for seed in range(10):
        soft = damaged(mask, np.random.default_rng(seed))
        assert 0 <= soft.min()
        assert soft.max() <= 1
        hard = soft > 0.5
        assert (hard & (mask > 0)).sum() / (hard | (mask > 0)).sum() > 0.5


def test_earlier_masks_fill_their_channel(store):
    batch = sampler(store, earlier_masks=1.0).draw(4, 64, (0, 0))
    assert (batch.inputs()[:, -1].amax(dim=(1, 2)) > 0.5).all()
