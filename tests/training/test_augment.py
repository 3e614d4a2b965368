"""Photometric changes: repeatable, in range, sample by sample."""

from __future__ import annotations

import pytest
import torch

from napari_dextr.training.augment import Photometric

OFF = dict.fromkeys(("light", "inversion", "grey", "shuffle", "blur", "noise", "gradient"), 0.0)


@pytest.fixture
def images():
    return torch.rand(6, 3, 32, 32, generator=torch.Generator().manual_seed(1)) * 255


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def test_nothing_changes_when_all_is_off(images):
    torch.testing.assert_close(Photometric(**OFF).apply(images, seeded()), images, atol=1e-3, rtol=0)


@pytest.mark.parametrize("name", OFF)
def test_each_change_changes_and_stays_in_range(images, name):
    kept = images.clone()
    changed = Photometric(**{**OFF, name: 1.0}).apply(images, seeded())
    assert changed.shape == images.shape
    assert not torch.allclose(changed, kept, atol=1)
    assert 0 <= changed.min()
    assert changed.max() <= 255
    torch.testing.assert_close(images, kept)


def test_inversion_and_grey_are_what_they_say(images):
    torch.testing.assert_close(Photometric(**{**OFF, "inversion": 1.0}).apply(images, seeded()), 255 - images)
    grey = Photometric(**{**OFF, "grey": 1.0}).apply(images, seeded())
    torch.testing.assert_close(grey[:, 0], grey[:, 2])
    torch.testing.assert_close(grey[:, 0], images.mean(dim=1))


def test_the_same_seed_makes_the_same_changes(images):
    first, again, other = (Photometric().apply(images, seeded(seed)) for seed in (5, 5, 6))
    torch.testing.assert_close(first, again)
    assert not torch.allclose(first, other)
