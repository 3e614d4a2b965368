"""Photometric changes: repeatable, in range, sample by sample."""

from __future__ import annotations

import pytest
import torch

from napari_dextr.training.augment import Photometric

OFF = dict.fromkeys(("light", "inversion", "grey", "shuffle", "blur", "defocus", "noise", "gradient"), 0.0)


@pytest.fixture
def images():
    return torch.rand(6, 3, 32, 32, generator=torch.Generator().manual_seed(1)) * 255


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def test_nothing_changes_when_all_is_off(images):
    torch.testing.assert_close(Photometric(**OFF).apply(images, seeded()), images, atol=1e-3, rtol=0)


@pytest.mark.parametrize("name", OFF)
def test_each_change_changes_and_stays_about_in_range(images, name):
    kept = images.clone()
    changed = Photometric(**{**OFF, name: 1.0}).apply(images, seeded())
    assert changed.shape == images.shape
    assert not torch.allclose(changed, kept, atol=1)
    assert changed.min() >= -128
    assert changed.max() <= 384
    torch.testing.assert_close(images, kept)


def test_far_out_of_focus_only_the_coarse_is_left():
    stripes = torch.zeros(30, 3, 96, 96)
    stripes[..., ::8] = stripes[..., 1::8] = stripes[..., 2::8] = stripes[..., 3::8] = 255
    soft, usual = (
        Photometric(**{**OFF, name: 1.0}).apply(stripes, seeded()).std(dim=(1, 2, 3)) for name in ("defocus", "blur")
    )
    assert usual.min() > 45  # stripes of 4 pixels survive the blur of a picture in focus
    assert soft.median() < 15


def test_all_changes_are_made_as_much_rarer_as_asked():
    usual, half = vars(Photometric()), vars(Photometric().times(0.5))
    assert half == {name: often / 2 for name, often in usual.items()}
    assert vars(Photometric().times(0)) == OFF


def test_a_dim_image_keeps_its_object():
    """Fluorescence fills a small part of the range; darkened by a fixed amount it would be black all over."""
    images = torch.full((40, 3, 32, 32), 6.0)
    images[..., 8:20, 8:20] = 40
    for seed in range(4):
        changed = Photometric().apply(images, seeded(seed))
        inside = changed[..., 10:18, 10:18].flatten(2).mean(dim=2)
        outside = changed[..., 24:, 24:].flatten(2).mean(dim=2)
        assert ((inside - outside).abs().amax(dim=1) > 3).all()


def test_samples_change_the_same_alone_and_in_company(images):
    plan = Photometric().plan(len(images), seeded())
    together = plan.apply(images)
    for index in range(len(images)):
        torch.testing.assert_close(plan.of(index, index + 1).apply(images[index : index + 1])[0], together[index])


def test_changes_of_colour_add_up_to_one_matrix(images):
    """Light, grey, shuffling and inversion, one after the other, are what the matrix does at once."""
    plan = Photometric(**{**OFF, "light": 1, "inversion": 1, "shuffle": 1}).plan(6, seeded(4))
    x = (images / 255) ** torch.tensor(plan.gamma)[:, None, None, None]
    expected = torch.einsum("bij,bjhw->bihw", plan.matrix, x) + plan.offset[..., None, None]
    low, high = expected.flatten(1).quantile(0.2, dim=1), expected.flatten(1).quantile(0.8, dim=1)
    changed = plan.apply(images) / 255
    bulk = (expected > low[:, None, None, None]) & (expected < high[:, None, None, None])
    bulk &= (expected > 0) & (expected < 1)
    torch.testing.assert_close(changed[bulk], expected[bulk], atol=1e-4, rtol=0)
    # an inverted channel is one of the channels, turned over
    assert (plan.matrix.sum(dim=2) < 0).all()
    assert ((plan.matrix != 0).sum(dim=(1, 2)) == 3).all()


def test_inversion_and_grey_are_what_they_say(images):
    torch.testing.assert_close(Photometric(**{**OFF, "inversion": 1.0}).apply(images, seeded()), 255 - images)
    grey = Photometric(**{**OFF, "grey": 1.0}).apply(images, seeded())
    torch.testing.assert_close(grey[:, 0], grey[:, 2])
    torch.testing.assert_close(grey[:, 0], images.mean(dim=1))


def test_the_same_seed_makes_the_same_changes(images):
    first, again, other = (Photometric().apply(images, seeded(seed)) for seed in (5, 5, 6))
    torch.testing.assert_close(first, again)
    assert not torch.allclose(first, other)


def test_noise_is_fine_or_coarse_and_grey_or_coloured():
    """Enlarged to the canvas, the noise of an object of 20 pixels has grains as wide as 8."""
    flat = torch.full((60, 3, 128, 128), 128.0)
    flat[..., :64] = 60  # not empty: noise is scaled by what there is to see
    plan = Photometric(**{**OFF, "noise": 1.0}).plan(len(flat), seeded(2))
    noise = (plan.apply(flat) - flat)[..., 70:]
    alike = [float((a[:, :, 1:] * a[:, :, :-1]).mean() / a.square().mean()) for a in noise]
    fine = [value for value, grain in zip(alike, plan.grain, strict=True) if grain == 1]
    coarse = [value for value, grain in zip(alike, plan.grain, strict=True) if grain > 4]
    assert len(fine) > 10
    assert len(coarse) > 10
    assert max(map(abs, fine)) < 0.1  # neighbours have nothing in common
    assert min(coarse) > 0.7  # neighbours lie in one grain
    for changed, coloured in zip(noise, plan.coloured, strict=True):
        assert torch.allclose(changed[0], changed[1], atol=1e-3) != coloured
