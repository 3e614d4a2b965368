"""The house pipeline: what is looked at, and how intensities are standardised."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from napari_dextr.errors import PromptError
from napari_dextr.image import as_plane
from napari_dextr.models.house import HousePipeline, normalise, working_bounds
from napari_dextr.models.spec import ModelSpec
from napari_dextr.prompt import MARKS, Prompt

SPEC = ModelSpec(name="test", architecture="compact", canvas=64, marks=MARKS)
EXTREMES = [(20, 50), (60, 25), (90, 50), (60, 80)]


def test_the_input_has_colours_and_guidance():
    image = np.random.default_rng(0).integers(0, 256, (120, 110, 3), np.uint8)
    inputs, (frame,) = HousePipeline().read(as_plane(image), Prompt.extreme(EXTREMES), SPEC)
    assert inputs.shape == (1, 11, 64, 64)
    assert inputs.dtype == torch.float32
    assert frame.size == 64
    assert inputs[0, 3].max() > 0.8


def test_only_the_crop_is_read():
    class Source:
        shape, dtype, ndim = (50_000, 50_000), np.dtype("u1"), 2
        read = 0

        def __getitem__(self, key):
            rows, cols = (len(range(*part.indices(50_000))) for part in key)
            self.read += rows * cols
            return np.zeros((rows, cols), np.uint8)

    source = Source()
    points = np.array(EXTREMES) + 30_000
    _inputs, (frame,) = HousePipeline().read(as_plane(source), Prompt.extreme(points), SPEC)
    probability, region = HousePipeline().paste(torch.zeros(1, 1, 32, 32), frame, Prompt.extreme(points), SPEC)
    assert source.read < 150 * 150
    assert probability.shape == tuple(part.stop - part.start for part in region)
    assert max(probability.shape) < 150


def test_a_click_that_the_network_does_not_follow_gets_its_way():
    plane = as_plane(np.zeros((120, 110), np.uint8))
    prompt = Prompt.extreme(EXTREMES).with_outside([(55, 50)])
    _inputs, (frame,) = HousePipeline().read(plane, prompt, SPEC)
    probability, region = HousePipeline().paste(torch.ones(1, 1, 32, 32), frame, prompt, SPEC)
    assert probability[55 - region[0].start, 50 - region[1].start] == 0
    assert 0.6 < (probability > SPEC.threshold).mean() < 1


def test_standardising_is_blind_to_brightness_and_contrast():
    pixels = torch.rand(2, 3, 16, 16) * 100
    inside = torch.ones(2, 16, 16, dtype=torch.bool)
    inside[:, :4] = False
    first = normalise(pixels, inside)
    torch.testing.assert_close(first, normalise(pixels * 2.5 + 7, inside), atol=1e-4, rtol=0)
    assert not first[:, :, :4].any()
    there = first[:, :, 4:]
    torch.testing.assert_close(there.mean(dim=(2, 3)), torch.zeros(2, 3), atol=1e-5, rtol=0)
    torch.testing.assert_close(there.pow(2).mean(dim=(1, 2, 3)), torch.ones(2), atol=1e-4, rtol=0)


def test_a_flat_crop_is_not_blown_up():
    flat = normalise(torch.full((1, 3, 8, 8), 90.0) + 0.01 * torch.randn(1, 3, 8, 8), torch.ones(1, 8, 8, dtype=bool))
    assert flat.abs().max() < 0.1


def test_bounds_come_from_the_marks():
    assert working_bounds(Prompt.extreme(EXTREMES), (120, 110)) == ((20, 25, 90, 80),)
    assert working_bounds(Prompt.box(10, 20, 60, 80), (120, 110)) == ((10, 20, 60, 80),)


def test_an_inside_click_beyond_the_box_widens_it():
    assert working_bounds(Prompt.extreme(EXTREMES).with_inside([(100, 50)]), (120, 110)) == ((20, 25, 100, 80),)


def test_an_outside_click_does_not_widen_the_box():
    assert working_bounds(Prompt.extreme(EXTREMES).with_outside([(5, 5)]), (120, 110)) == ((20, 25, 90, 80),)


@pytest.mark.parametrize(("shape", "windows"), [((60, 80), 2), ((1000, 2000), 4)])
def test_clicks_alone_look_through_windows_of_several_sizes(shape, windows):
    click = (shape[0] / 2, shape[1] / 3)
    found = working_bounds(Prompt.clicks([click]), shape)
    assert len(found) == windows
    for r0, c0, r1, c1 in found:
        assert r0 < click[0] < r1
        assert c0 < click[1] < c1
    heights = [r1 - r0 for r0, _, r1, _ in found]
    assert heights == sorted(heights)
    assert heights[-1] <= min(768, shape[0])


def test_a_long_stroke_is_looked_at_whole_and_once_per_size():
    points = np.column_stack([np.full(50, 300.0), np.linspace(100, 700, 50)])
    found = working_bounds(Prompt.strokes([points]), (1000, 1000))
    assert all(c0 <= 100 and c1 >= 700 for _, c0, _, c1 in found)
    assert len(set(found)) == len(found)


def test_clicks_on_an_earlier_mask_look_at_the_mask():
    probability = np.zeros((50, 60), np.float32)
    probability[10:20, 30:50] = 0.9
    prompt = Prompt.clicks([(115, 240)]).with_mask(probability, (slice(100, 150), slice(200, 260)))
    assert working_bounds(prompt, (400, 400)) == ((110, 230, 119, 249),)


def test_the_best_scored_look_is_kept_and_the_larger_of_equals():
    pipeline = HousePipeline()
    inputs, frames = pipeline.read(as_plane(np.zeros((900, 900), np.uint8)), Prompt.clicks([(400, 400)]), SPEC)
    assert inputs.shape == (4, 11, 64, 64)
    assert pipeline.choose(torch.tensor([0.2, 0.9, 0.3, 0.1]), frames) == 1
    assert pipeline.choose(torch.tensor([0.6, 0.6, 0.6, 0.6]), frames) == 3
    assert (
        pipeline.choose(torch.tensor([0.7, 0.66, 0.5, 0.4]), frames) == 1
    )  # a part scores a little better than the whole
    assert pipeline.choose(None, frames) == 3


def test_a_boundary_click_on_an_earlier_mask_looks_at_both():
    """It says nothing about the extent: taken for the box, it cut everything but itself off the object."""
    mask = np.zeros((120, 110), bool)
    mask[30:60, 20:70] = True
    region = (slice(0, 120), slice(0, 110))
    prompt = Prompt().with_mask(mask, region).with_boundary([(75, 40)])
    assert prompt.bounds is None
    assert working_bounds(prompt, (120, 110)) == ((30, 20, 75, 69),)


def test_a_boundary_click_beside_an_inside_click_leaves_the_windows_open():
    found = working_bounds(Prompt.clicks([(500, 500)]).with_boundary([(500, 560)]), (1000, 1000))
    assert len(found) == 4
    assert all(low <= 500 and high >= 560 for _, low, _, high in found)


def test_an_empty_earlier_mask_and_nothing_else_is_refused():
    empty = Prompt().with_mask(np.zeros((9, 9), bool), (slice(0, 9), slice(0, 9)))
    with pytest.raises(PromptError, match="click the object"):
        working_bounds(empty, (120, 110))


# -- noise ----------------------------------------------------------------------------------------------------------


def answer(mask: np.ndarray) -> torch.Tensor:
    """The logits of a network that is sure."""
    return torch.from_numpy(np.where(mask, 9.0, -9.0)).float()[None, None]


@pytest.mark.parametrize(("loud", "thin", "again"), [(True, True, True), (True, False, False), (False, True, False)])
def test_a_thin_object_in_noise_is_looked_at_again_with_its_noise(loud, thin, again):
    image = np.zeros((120, 110), np.float32) + np.linspace(60, 200, 110, dtype=np.float32)
    image += np.random.default_rng(0).normal(0, 40 if loud else 0, image.shape).astype(np.float32)
    plane, prompt, pipeline = as_plane(image, limits=(0, 255)), Prompt.extreme(EXTREMES), HousePipeline()
    inputs, (frame,) = pipeline.read(plane, prompt, SPEC)
    rows, cols = np.mgrid[:32, :32]
    found = answer(np.abs(rows - cols) < 2 if thin else np.hypot(rows - 16, cols - 16) < 12)
    second = pipeline.look_again(found, frame, plane, prompt, SPEC)
    assert (second is not None) == again
    if second is not None:
        noisy, _ = second
        assert noisy.shape == inputs.shape
        torch.testing.assert_close(noisy[:, 3:], inputs[:, 3:])  # the marks
        assert noisy[:, :3].diff(dim=3).abs().mean() > 2 * inputs[:, :3].diff(dim=3).abs().mean()
