from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
import skimage.data
import torch
from torch.nn import functional

from napari_dextr.errors import PromptError, UnsupportedMarkError
from napari_dextr.image import as_plane
from napari_dextr.metrics import iou
from napari_dextr.models.catalogue import published_spec
from napari_dextr.models.published import PublishedPipeline, _nearest, _resample, _taps
from napari_dextr.prompt import Prompt
from napari_dextr.segmenter import Segmenter

from .conftest import PARITY

SPEC = published_spec("dextr-test")
CASES = ("psp_astronaut", "psp_edge", "atrous_astronaut")


def edge_image() -> np.ndarray:
    rng = np.random.default_rng(7)
    ramp = (np.add.outer(np.arange(137), np.arange(211)) % 256).astype(np.uint8)
    ramp = np.stack([ramp, 255 - ramp, np.roll(ramp, 40, 0)], -1)
    return np.clip(ramp.astype(int) + rng.integers(-30, 30, ramp.shape), 0, 255).astype(np.uint8)


def image_of(case: str) -> np.ndarray:
    return edge_image() if case.endswith("edge") else skimage.data.astronaut()


def read(image, points):
    inputs, (placement,) = PublishedPipeline().read(as_plane(image), Prompt.extreme(points), SPEC)
    return inputs, placement


def photograph(height: int, width: int) -> np.ndarray:
    return np.ascontiguousarray(skimage.data.astronaut()[40 : 40 + height, 150 : 150 + width])


@dataclass
class Watched:
    """A huge image that exists only where it is read."""

    shape: tuple[int, ...]
    dtype: type = np.uint8
    pixels_read: int = 0

    def __getitem__(self, key):
        rows, cols = (np.arange(part.start, part.stop, part.step or 1) for part in key[:2])
        self.pixels_read += len(rows) * len(cols)
        grey = ((rows[:, None] // 3 + cols[None] // 5) % 256).astype(np.uint8)
        return np.repeat(grey[..., None], 3, axis=-1)


# -- the authors' numbers --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", CASES)
def test_input_is_that_of_the_authors(case):
    expected = np.load(PARITY / f"{case}.npz")
    inputs, placement = read(image_of(case), expected["points"])
    left, top, right, bottom = expected["bbox"]
    assert placement.crop == (top, left, bottom, right)
    assert inputs.shape == (1, 4, 512, 512)
    assert inputs.dtype == torch.float32
    peaks = np.argwhere(inputs[0, 3].numpy() > 254.99)[:, ::-1]
    assert sorted(map(tuple, peaks)) == sorted(map(tuple, expected["points_512"]))
    np.testing.assert_allclose(inputs[0, :, ::37, ::41], expected["input_probe"], atol=1)
    # a grey level on ten of the 262,144 pixels
    np.testing.assert_allclose(inputs[0].double().sum((1, 2)), expected["input_sum"], atol=10)


@pytest.mark.parametrize("case", CASES)
def test_mask_is_that_of_the_authors(case, reference_network):
    expected = np.load(PARITY / f"{case}.npz")
    segmenter = Segmenter(reference_network(case.split("_")[0]), SPEC, device="cpu", precision="full")
    logits = []
    runtime = segmenter.runtime
    segmenter.runtime = lambda inputs: logits.append(runtime(inputs)) or logits[0]
    result = segmenter.segment(image_of(case), Prompt.extreme(expected["points"]))
    difference = np.abs(logits[0].logits[0, 0].numpy() - expected["logits"]).max()
    assert difference <= 1e-3 * expected["logits"].std()
    mask = result.full_mask()
    reference = np.unpackbits(expected["mask"])[: mask.size].reshape(mask.shape).astype(bool)
    assert iou(mask, reference) >= 0.999
    full = np.zeros(result.shape, np.float32)
    full[result.region] = result.probability
    step = 1 if case.endswith("edge") else 5
    # the authors let the bicubic kernel overshoot; a probability stays within 0..1 here
    np.testing.assert_allclose(full[::step, ::step], np.clip(expected["probability"], 0, 1), atol=2e-3)
    assert result.probability.min() >= 0
    assert result.probability.max() <= 1


# -- reading ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("length", "canvas"), [(543, 512), (100, 512), (1700, 512), (512, 512), (512, 737), (3, 64)])
def test_resampling_is_cubic_convolution(length, canvas):
    values = np.random.default_rng(3).random((length, length, 2)).astype(np.float32)
    taps = _taps(length, canvas, 0, canvas)
    ours = _resample(values, taps, taps)
    tensor = torch.from_numpy(values.transpose(2, 0, 1)[None])
    theirs = functional.interpolate(tensor, size=(canvas, canvas), mode="bicubic", align_corners=False)
    np.testing.assert_allclose(ours, theirs[0].numpy().transpose(1, 2, 0), atol=2e-3)


def test_resampling_of_a_part_is_a_part_of_the_whole():
    values = np.random.default_rng(4).random((512, 512, 1)).astype(np.float32)
    rows, cols = _taps(512, 300, 0, 300), _taps(512, 200, 0, 200)
    part = _resample(values, _taps(512, 300, 40, 260), _taps(512, 200, 10, 150))
    np.testing.assert_array_equal(part, _resample(values, rows, cols)[40:260, 10:150])


def test_points_are_truncated_and_their_order_does_not_matter():
    image = photograph(200, 200)
    points = np.array([[60.9, 100.2], [140.7, 90.5], [100.1, 30.99], [99.0, 150.3]])
    expected, placement = read(image, points)
    for other in (np.trunc(points), points[::-1], points[[2, 0, 3, 1]]):
        inputs, there = read(image, other)
        assert there == placement
        assert torch.equal(inputs, expected)


def test_more_than_four_points_all_show():
    points = [(60, 100), (140, 90), (100, 30), (100, 150), (80, 60), (120, 130)]
    inputs, _ = read(photograph(200, 200), points)
    assert int((inputs[0, 3] > 254.99).sum()) == 6
    assert float(inputs[0, 3].min()) == 0


def test_three_points_are_enough():
    inputs, placement = read(photograph(200, 200), [(60, 100), (140, 90), (100, 30)])
    assert placement.tight == (60, 30, 140, 100)
    assert int((inputs[0, 3] > 254.99).sum()) == 3


def test_the_width_of_the_heat_map_is_ten_pixels():
    inputs, placement = read(np.zeros((612, 612), np.uint8) + 7, [(100, 300), (511, 300), (300, 100), (300, 511)])
    assert placement.size == (512, 512)
    heat = inputs[0, 3].numpy()
    row, col = 50, 250
    assert heat[row, col] == pytest.approx(255)
    assert heat[row, col + 5] == pytest.approx(127.5, abs=1e-3)


def test_outside_the_image_is_black_on_every_side():
    image = np.full((20, 30, 3), 200, np.uint8)
    inputs, placement = read(image, [(0, 15), (19, 14), (10, 0), (9, 29)])
    assert placement.crop == (-50, -50, 69, 79)
    colours = inputs[0, :3].numpy()
    assert (colours[:, 256, 256] == 200).all()
    assert not colours[:, :200].any()
    assert not colours[:, -200:].any()
    assert not colours[:, :, :180].any()
    assert not colours[:, :, -180:].any()


def test_points_beyond_the_border_are_read_as_they_lie():
    inputs, placement = read(photograph(100, 80), [(-6.7, 40), (104.2, 30), (50, -3.2), (50, 84.9)])
    assert placement.tight == (-6, -3, 104, 84)
    assert inputs.isfinite().all()


def test_grey_is_replicated():
    grey = photograph(150, 150)[..., 0]
    points = [(20, 70), (130, 75), (70, 20), (70, 130)]
    once, _ = read(grey, points)
    thrice, _ = read(np.repeat(grey[..., None], 3, axis=-1), points)
    assert torch.equal(once, thrice)


def test_values_are_whole_grey_levels():
    image = photograph(150, 150).astype(np.float32) / 255
    inputs, _ = read(image, [(20, 70), (130, 75), (70, 20), (70, 130)])
    colours = inputs[0, :3]
    assert torch.equal(colours, colours.round())
    assert colours.min() >= 0
    assert 1 < colours.max() <= 255


def test_a_crop_of_zeros_and_ones_is_not_interpolated():
    image = (np.random.default_rng(5).random((90, 110)) > 0.5).astype(np.uint8)
    inputs, placement = read(image, [(10, 50), (80, 55), (40, 10), (45, 100)])
    height, width = placement.size
    padded = np.zeros(placement.size, np.uint8)
    padded[40 : 40 + 90, 40 : 40 + 110] = image
    expected = padded[np.arange(512) * height // 512][:, np.arange(512) * width // 512]
    np.testing.assert_array_equal(inputs[0, 0].numpy(), expected)


def test_nearest_stays_inside():
    assert _nearest(1, 512).index.max() == 0
    assert _nearest(700, 512).index.max() < 700


def test_only_the_crop_is_read():
    small, huge = Watched((600, 600, 3)), Watched((100_000, 100_000, 3))
    points = np.array([[250, 300], [390, 310], [320, 230], [330, 390]])
    here, _ = read(small, points)
    there, _ = read(huge, points + 60_000)
    assert small.pixels_read == huge.pixels_read == (141 + 100) * (161 + 100)
    assert here.shape == there.shape


def test_a_huge_object_is_read_decimated_and_looks_the_same():
    image = Watched((40_000, 40_000, 3))
    inputs, placement = read(image, [(1000, 9000), (21_000, 9500), (9000, 1500), (9500, 21_500)])
    assert image.pixels_read < 4e6
    top, left, _, _ = placement.crop
    height, width = placement.size
    row, col = 200, 301
    position = top + (row + 0.5) * height / 512 - 0.5, left + (col + 0.5) * width / 512 - 0.5
    expected = (position[0] // 3 + position[1] // 5) % 256
    difference = abs(float(inputs[0, 0, row, col]) - expected)
    assert min(difference, 256 - difference) < 16


def test_extreme_points_are_needed():
    with pytest.raises(PromptError, match="needs extreme points"):
        PublishedPipeline().read(as_plane(photograph(50, 50)), Prompt.box(5, 5, 40, 40), SPEC)


def test_points_that_miss_the_image_are_refused():
    with pytest.raises(PromptError, match="outside the image of 50 x 50"):
        read(photograph(50, 50), [(60, 60), (90, 70), (70, 55), (75, 95)])


# -- pasting ---------------------------------------------------------------------------------------------------------


def paste(image, points, logits):
    prompt = Prompt.extreme(points)
    pipeline = PublishedPipeline()
    _, (placement,) = pipeline.read(as_plane(image), prompt, SPEC)
    return pipeline.paste(logits, placement, prompt, SPEC)


def test_the_result_covers_the_box_of_the_points_only():
    points = [(20.9, 70), (130, 75.5), (70, 21), (70, 131)]
    probability, region = paste(photograph(150, 150), points, torch.full((1, 1, 64, 64), 9.0))
    assert region == (slice(20, 131), slice(21, 132))
    assert probability.shape == (111, 111)
    assert probability.dtype == np.float32
    assert (probability > 0.99).all()


def test_the_result_stays_inside_the_image():
    points = [(-6, 40), (104, 30), (50, -3), (50, 84)]
    probability, region = paste(photograph(100, 80), points, torch.zeros(1, 1, 64, 64))
    assert region == (slice(0, 100), slice(0, 80))
    assert probability == pytest.approx(np.full((100, 80), 0.5))


def test_a_blob_lands_where_it_was_seen():
    rows, cols = torch.meshgrid(torch.arange(64.0), torch.arange(64.0), indexing="ij")
    logits = 8 - ((rows - 40) ** 2 + (cols - 24) ** 2)[None, None] / 4
    points = [(100, 300), (511, 250), (300, 100), (310, 511)]  # a crop of exactly 512 pixels
    probability, region = paste(np.zeros((612, 612), np.uint8) + 9, points, logits)
    found = np.argwhere(probability > 0.5).mean(axis=0) + np.array([region[0].start, region[1].start])
    expected = np.array([40, 24]) * 511 / 63 + 50  # corners aligned on the canvas, which begins at pixel 50
    np.testing.assert_allclose(found, expected, atol=0.5)


def test_shifting_the_image_shifts_the_mask():
    image = photograph(160, 150)
    points = np.array([[30.5, 70], [120, 75], [70, 25], [70, 125.2]])
    segmenter = Segmenter(brightness_network(), SPEC, device="cpu", precision="full")
    first = segmenter.segment(np.pad(image, ((60, 80), (60, 80), (0, 0))), Prompt.extreme(points + 60))
    second = segmenter.segment(np.pad(image, ((77, 63), (65, 75), (0, 0))), Prompt.extreme(points + np.array([77, 65])))
    assert first.mask.any()
    assert not first.mask.all()
    np.testing.assert_array_equal(first.mask, second.mask)
    assert second.region[0].start - first.region[0].start == 17
    assert second.region[1].start - first.region[1].start == 5


def brightness_network() -> torch.nn.Module:
    """A network that answers with the brightness of its input."""

    class Brightness(torch.nn.Module):
        def forward(self, inputs):
            return functional.avg_pool2d(inputs[:, :3].mean(1, keepdim=True), 8) / 32 - 2

    return Brightness()


def test_other_marks_are_refused_by_name():
    segmenter = Segmenter(brightness_network(), SPEC, device="cpu")
    prompt = Prompt.extreme([(20, 70), (130, 75), (70, 20), (70, 130)]).with_inside([(70, 70)])
    with pytest.raises(UnsupportedMarkError, match="does not take inside marks"):
        segmenter.segment(photograph(150, 150), prompt)
