"""Samples: image, mask and marks land on the same place of the canvas, in every opening and turn."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.ndimage import distance_transform_edt

from napari_dextr.errors import DataError
from napari_dextr.guidance import CHANNELS
from napari_dextr.training import sampling
from napari_dextr.training.augment import Photometric
from napari_dextr.training.config import TrainConfig
from napari_dextr.training.sampling import OPENINGS, Sampler, _turn
from napari_dextr.training.store import CropStore

STILL = Photometric().times(0)


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
        inside, outside = (distance_transform_edt(np.pad(part, 1))[1:-1, 1:-1] for part in (mask, ~mask))
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


def test_groups_without_a_share_are_not_drawn(store):
    batch = Sampler(store, {"upright": 1.0}, photometric=STILL).draw(8, 64, (0, 0))
    assert len(batch.marks) == 8
    with pytest.raises(DataError, match="share"):
        Sampler(store, {"nothing": 1.0})


def test_earlier_masks_fill_their_channel(store):
    batch = sampler(store, earlier_masks=1.0).draw(4, 64, (0, 0))
    assert (batch.inputs()[:, -1].amax(dim=(1, 2)) > 0.5).all()


def test_threads_draw_what_one_alone_draws(store):
    from concurrent.futures import ThreadPoolExecutor

    drawing = sampler(store, composites=0.5)
    with ThreadPoolExecutor(3) as pool:
        together = list(pool.map(lambda step: drawing.draw(3, 64, (0, step)).inputs(), range(6)))
    for step, inputs in enumerate(together):
        torch.testing.assert_close(inputs, sampler(store, composites=0.5).draw(3, 64, (0, step)).inputs())


def test_composites_take_the_ground_of_other_samples(store):
    plain, mixed = (sampler(store, composites=share, earlier_masks=0).draw(12, 64, (9, 0)) for share in (0.0, 1.0))
    torch.testing.assert_close(plain.target, mixed.target)
    inside = plain.target[:, 0] > 0
    differs = (plain.images - mixed.images).abs().amax(dim=1) > 0.5
    assert differs[~inside].float().mean() > 0.3
    assert all(np.array_equal(a.outline, b.outline) for a, b in zip(plain.marks, mixed.marks, strict=True))


def test_rare_sizes_are_drawn_more_often_when_sizes_are_balanced(store):
    sides = np.where(np.arange(len(store)) < 2, 20, 200).astype(np.float32)
    sized = CropStore(store.images, store.masks, np.zeros(len(store), np.int64), ("a",), sides)

    def share_of_small(balance):
        drawing = Sampler(sized, {"a": 1.0}, size_balance=balance)
        (group,) = drawing._members
        chances = np.diff(group.chances, prepend=0)
        return chances[:2].sum() / chances.sum()

    assert share_of_small(0.0) == pytest.approx(2 / 18)
    assert share_of_small(1.0) == pytest.approx(1 / 2)
    assert 2 / 18 < share_of_small(0.5) < 1 / 2


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_the_share_of_samples_with_the_margin_of_inference(store, share):
    drawing = sampler(store, usual_margin=share, openings={"box": 1.0})
    boxes = [mark.box for seed in range(4) for mark in drawing.draw(8, 96, (seed, 0)).marks]
    # a canvas of 96 with a fifth on each side of the longer side leaves 96 / 1.4 for it
    longer = np.array([max(box[2] - box[0], box[3] - box[1]) for box in boxes])
    usual = np.abs(longer - 96 / 1.4) < 2.5
    assert usual.all() if share else usual.mean() < 0.5


@pytest.mark.parametrize(("share", "lying"), [(0.0, 0.0), (1.0, 0.75)])
def test_the_share_of_quarter_turns(store, share, lying, monkeypatch):
    turns = []
    monkeypatch.setattr(sampling, "_turn", lambda *args: turns.append(_turn(*args)) or turns[-1])
    Sampler(store, {"upright": 1.0}, quarter_turns=share).draw(300, 32, (5, 0))
    # mirrored or not, the first axis of an upright photograph stays within 20 degrees of where it was
    upright = np.array([turn[0, 0] > np.cos(np.deg2rad(20.1)) for turn in turns])
    assert 1 - upright.mean() == pytest.approx(lying, abs=0.07)


def test_every_crop_can_be_drawn_and_no_other_group(store):
    drawing = Sampler(store, {"turning": 1.0})
    (group,) = drawing._members
    picks = [np.searchsorted(group.chances, x * group.chances[-1], side="right") for x in np.linspace(0, 0.999, 60)]
    assert {int(group.members[pick]) for pick in picks} == set(range(12, 18))


def test_openings_that_do_not_exist_are_refused(store):
    for openings in ({"extremes": 1.0}, {"extreme": 0.0}, {"extreme": -1.0, "box": 2.0}):
        with pytest.raises(DataError, match="Opening prompts are"):
            sampler(store, openings=openings)


def test_the_sampler_of_a_configuration(store):
    plain = Sampler.of(store, TrainConfig())
    assert plain.shares == {"upright": 1.0, "turning": 1.0}
    assert plain.openings == OPENINGS
    config = TrainConfig(
        shares={"upright": 2.0},
        openings={"box": 1.0},
        composites=0.3,
        size_balance=0.5,
        usual_margin=0.7,
        quarter_turns=0.2,
        turning=("a",),
        photometric=0.5,
    )
    chosen = Sampler.of(store, config)
    assert (chosen.shares, chosen.openings, chosen.composites) == ({"upright": 2.0}, {"box": 1.0}, 0.3)
    assert (chosen.size_balance, chosen.usual_margin) == (0.5, 0.7)
    assert (chosen.turning, chosen.quarter_turns) == (("a",), 0.2)
    assert (plain.photometric, chosen.photometric) == (Photometric(), Photometric().times(0.5))
