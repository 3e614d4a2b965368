"""Segmentation end to end: any image, any prompt the model takes, one sentence for what it does not."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from skimage import data

from napari_dextr import Prompt, UnsupportedMarkError, load_model
from napari_dextr.errors import ImageError, PromptError
from napari_dextr.metrics import iou
from napari_dextr.models.house import CLICK_WINDOWS
from napari_dextr.models.spec import ModelSpec
from napari_dextr.postprocess import PostProcess
from napari_dextr.prompt import MARKS
from napari_dextr.segmenter import Segmenter
from napari_dextr.simulation import Simulator


@pytest.fixture(scope="module")
def model():
    return load_model(device="cpu")


@pytest.fixture(scope="module")
def picture():
    """A bright, textured blob on a dark ground, and its mask."""
    rng = np.random.default_rng(0)
    rows, cols = np.mgrid[:240, :260]
    radius = 55 + 8 * np.sin(3 * np.arctan2(rows - 118, cols - 131))
    mask = np.hypot(rows - 118, cols - 131) < radius
    image = 50 + 110 * mask + rng.normal(0, 8, mask.shape)
    return np.stack([image, image * 0.8, image * 0.6], axis=-1).clip(0, 255).astype(np.uint8), mask


def extremes(mask):
    return Simulator().extreme(mask)


def test_the_mask_fits_the_object(model, picture):
    image, mask = picture
    result = model.segment(image, extremes(mask))
    assert result.full_mask().shape == mask.shape
    assert result.full_mask().dtype == bool
    assert iou(result.full_mask(), mask) > 0.9
    assert 0 <= result.score <= 1
    assert result.model == "embedded"
    assert result.mask.shape == result.probability.shape
    assert result.probability.dtype == np.float32
    np.testing.assert_array_equal(result.full_mask()[result.region], result.mask)
    assert result.full_mask().sum() == result.mask.sum()


def test_the_embedded_model_takes_every_mark(model):
    assert set(model.spec.marks) == set(MARKS)


@pytest.mark.parametrize("kind", ["box", "inside_outside", "clicks", "strokes", "five", "three"])
def test_every_prompt_finds_the_object(model, picture, kind):
    image, mask = picture
    simulator = Simulator(0)
    prompt = {
        "box": lambda: simulator.box(mask),
        "inside_outside": lambda: simulator.inside_outside(mask),
        "clicks": lambda: Prompt.clicks([(118, 131), (100, 110)], [(10, 10), (230, 250)]),
        "strokes": lambda: Prompt.strokes([[(90, 110), (118, 131), (140, 150)]], [[(5, 5), (5, 200)]]),
        "five": lambda: extremes(mask).with_boundary([(118 + 39, 131 + 39)]),
        "three": lambda: Prompt.extreme([(66, 104), (66, 158), (176, 131)]),
    }[kind]()
    result = model.segment(image, prompt)
    assert iou(result.full_mask(), mask) > (0.6 if kind in ("clicks", "strokes", "three") else 0.85)


@pytest.mark.parametrize("missed", [{0: (45, 44)}, {2: (58, 43)}])
def test_a_correction_with_the_earlier_mask_helps(model, missed):
    """A coin, and an extreme point that lies 12 or 17 pixels inside of it, so that something is left to correct."""
    image = data.coins()
    rows, cols = np.indices(image.shape)
    coin = ((rows - 54) / 21) ** 2 + ((cols - 44) / 22.5) ** 2 < 1
    points = {0: (33, 44), 1: (55, 22), 2: (75, 43), 3: (53, 66)}
    assert iou(model.segment(image, Prompt.extreme(list(points.values()))).full_mask(), coin) > 0.9
    first = model.segment(image, Prompt.extreme(list({**points, **missed}.values())))
    found = Simulator().correction(coin, first.full_mask())
    assert found is not None
    kind, point = found
    prompt = first.prompt.with_inside([point]) if kind == "inside" else first.prompt.with_outside([point])
    second = model.segment(image, prompt.with_mask(first.probability, first.region))
    row, col = np.round(point).astype(int)
    assert second.full_mask()[row, col] == (kind == "inside")
    assert iou(second.full_mask(), coin) > iou(first.full_mask(), coin) + 0.03


@pytest.mark.parametrize("shift", [(7, 0), (0, -13), (31, 22)])
def test_shifting_the_image_shifts_the_mask(model, picture, shift):
    image, mask = picture
    moved = np.roll(image, shift, axis=(0, 1))
    points = extremes(mask).extreme_points
    first = model.segment(image, Prompt.extreme(points))
    second = model.segment(moved, Prompt.extreme(points + shift))
    rolled = np.roll(first.full_mask(), shift, axis=(0, 1))
    assert iou(second.full_mask(), rolled) > 0.999


def test_the_order_of_the_points_does_not_matter(model, picture):
    image, mask = picture
    points = extremes(mask).extreme_points
    first, second = (model.segment(image, Prompt.extreme(p)).probability for p in (points, points[[2, 0, 3, 1]]))
    np.testing.assert_allclose(first, second, atol=1e-5)


def variants(image):
    import dask.array as da

    grey = image[..., 0]
    with_nan = grey.astype(np.float32)
    with_nan[:20, :20] = np.nan
    return {
        "grey": grey,
        "rgba": np.dstack([image, np.full(grey.shape, 255, np.uint8)]),
        "uint16": grey.astype(np.uint16) * 200 + 300,
        "int32": grey.astype(np.int32) * 1000 - 50_000,
        "bool": grey > 105,
        "float01": grey / np.float32(255),
        "float64": grey * 3.7 - 1000,
        "float with NaN": with_nan,
        "two channels": image[..., :2],
        "channels last of one": grey[..., None],
        "dask": da.from_array(image, chunks=(64, 64, 3)),
        "big endian": grey.astype(">u2"),
        "pyramid": [image, image[::2, ::2], image[::4, ::4]],
        "strided": np.asfortranarray(image),
    }


@pytest.mark.parametrize("kind", variants(np.zeros((4, 4, 3), np.uint8)))
def test_every_kind_of_image_works(model, picture, kind):
    image, mask = picture
    result = model.segment(variants(image)[kind], extremes(mask))
    assert iou(result.full_mask(), mask) > 0.88


def test_zarr_and_a_choice_of_channels(model, picture, tmp_path):
    import zarr

    image, mask = picture
    many = np.concatenate([np.zeros_like(image), image], axis=-1)
    stored = zarr.open(str(tmp_path / "i.zarr"), mode="w", shape=many.shape, chunks=(64, 64, 6), dtype="u1")
    stored[...] = many
    result = model.segment(stored, extremes(mask), channels=(3, 4, 5))
    np.testing.assert_array_equal(result.mask, model.segment(image, extremes(mask)).mask)


def test_contrast_limits_decide_what_is_seen(model, picture):
    image, mask = picture
    faint = (image[..., 0].astype(np.uint16) + 20_000).astype(np.uint16)
    faint[0, 0] = 65_535
    result = model.segment(faint, extremes(mask), limits=(20_000, 20_255))
    assert iou(result.full_mask(), mask) > 0.88


def test_objects_at_the_border_stay_inside_the_image(model, picture):
    image, mask = picture
    part, truth = image[100:, 120:], mask[100:, 120:]
    result = model.segment(part, extremes(truth))
    assert iou(result.full_mask(), truth) > 0.85


def test_points_a_little_outside_the_image_are_fine(model, picture):
    image, mask = picture
    part, truth = image[:, 131:], mask[:, 131:]
    points = extremes(truth).extreme_points.copy()
    points[1, 1] = -6.0
    assert model.segment(part, Prompt.extreme(points)).full_mask().shape == truth.shape


@pytest.mark.parametrize(
    ("image", "error", "words"),
    [
        (np.zeros((0, 0)), ImageError, "empty"),
        (np.zeros((1, 1)), ImageError, "1 x 1"),
        (np.zeros((40, 40), complex), ImageError, "complex"),
        (np.zeros((40, 40, 9)), ImageError, "9 channels"),
        (np.zeros((10, 10)), PromptError, "outside the image"),
    ],
)
def test_bad_images_are_one_sentence(model, image, error, words):
    with pytest.raises(error, match=words):
        model.segment(image, Prompt.extreme([(60, 150), (118, 80), (170, 130), (118, 180)]))


def test_an_unsupported_mark_names_itself_and_who_takes_it(picture):
    from napari_dextr.models.compact import CompactNet
    from napari_dextr.models.spec import ModelSpec

    spec = ModelSpec(name="four-points", architecture="compact", canvas=64, marks=("extreme",))
    small = Segmenter(CompactNet(), spec, device="cpu")
    with pytest.raises(UnsupportedMarkError, match=r"'four-points' does not take box marks.*embedded") as caught:
        small.segment(picture[0], Prompt.box(10, 10, 60, 60))
    assert caught.value.mark == "box"
    assert "embedded" in caught.value.models


def test_threshold_and_clean_up_need_no_network(model, picture, monkeypatch):
    image, mask = picture
    result = model.segment(image, extremes(mask))
    monkeypatch.setattr(model, "runtime", None)
    areas = [result.with_threshold(t).mask.sum() for t in (0.1, 0.5, 0.9)]
    assert areas[0] >= areas[1] >= areas[2] > 0
    tidy = result.with_post(PostProcess(fill_holes=math.inf, remove_islands=50, keep_marked=True))
    assert iou(tidy.full_mask(), mask) > 0.9
    assert result.post == PostProcess()


def test_lower_precision_agrees(model, picture):
    image, mask = picture
    full = load_model(device="cpu", precision="full").segment(image, extremes(mask))
    reduced = load_model(device="cpu", precision="reduced").segment(image, extremes(mask))
    assert iou(full.full_mask(), reduced.full_mask()) > 0.98


def test_the_network_is_not_changed_by_use(model, picture):
    image, mask = picture
    first = model.segment(image, extremes(mask)).probability
    with torch.random.fork_rng():
        torch.manual_seed(99)
        second = model.segment(image, extremes(mask)).probability
    np.testing.assert_array_equal(first, second)


def test_many_objects_at_once_are_those_of_single_calls(model, picture):
    image, mask = picture
    prompts = [extremes(mask), Prompt.box(60, 70, 180, 190), Prompt.extreme([(3, 3), (9, 9), (3, 9)])]
    for batch in (1, 2, 8):
        results = model.segment_many(image, prompts, batch=batch)
        for prompt, result in zip(prompts, results, strict=True):
            single = model.segment(image, prompt)
            assert result.prompt is prompt
            assert result.region == single.region
            np.testing.assert_allclose(result.probability, single.probability, atol=2e-2)  # bfloat16, where it is used
            assert result.score == pytest.approx(single.score, abs=2e-2)
            assert result.seconds > 0
            if batch == 1:
                np.testing.assert_array_equal(result.probability, single.probability)


@pytest.mark.parametrize(
    ("precision", "device", "at_once"),
    [("float32", "cpu", 1), ("bfloat16", "cpu", 8), ("float32", "cuda", 8), ("float32", "mps", 8)],
)
def test_as_many_go_together_as_are_fast(model, picture, monkeypatch, precision, device, at_once):
    image, mask = picture
    sizes = []

    class Fake:
        def __init__(self, real):
            self.real, self.precision, self.device = real, precision, torch.device(device)

        def __call__(self, inputs):
            sizes.append(len(inputs))
            return self.real(inputs)

    monkeypatch.setattr(model, "runtime", Fake(model.runtime))
    assert model.at_once == at_once
    model.segment_many(image, [extremes(mask)] * 9)
    assert sizes == ([1] * 9 if at_once == 1 else [8, 1])
    sizes.clear()
    model.segment_many(image, [extremes(mask)] * 9, batch=5)
    assert sizes == [5, 4]


def test_a_bad_prompt_among_many_stands_in_its_place(model, picture):
    image, mask = picture
    far = Prompt.box(900, 900, 950, 950)
    first, second, third = model.segment_many(image, [far, extremes(mask), far], batch=2)
    assert isinstance(first, PromptError)
    assert isinstance(third, PromptError)
    assert second.mask.any()
    assert model.segment_many(image, []) == []
    with pytest.raises(ImageError):
        model.segment_many(np.zeros((2, 2, 2, 2)), [far])


def test_the_limits_reach_every_object_of_many(model, picture):
    image, mask = picture
    dark = image.astype(np.uint16) * 7
    (result,) = model.segment_many(dark, [extremes(mask)], limits=(0, 255 * 7))
    single = model.segment(dark, extremes(mask), limits=(0, 255 * 7))
    np.testing.assert_array_equal(result.probability, single.probability)


def test_the_hash_is_that_of_the_weights():
    first, second = (load_model(device="cpu", precision=precision) for precision in ("auto", "full"))
    assert first.model_hash == second.model_hash
    assert len(first.model_hash) == 64


class Judge(torch.nn.Module):
    """Everything is object; the score of a canvas is the next of a list."""

    def __init__(self, scores: list[float]) -> None:
        super().__init__()
        self.scores = scores

    def forward(self, canvases: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return torch.full((len(canvases), 1, 16, 16), 9.0), torch.tensor(self.scores[: len(canvases)])


@pytest.mark.parametrize("best", [0, 2])
def test_a_lone_click_is_looked_at_in_several_windows_and_the_best_is_kept(best):
    image = np.zeros((1000, 1000), np.uint8)
    scores = [-3.0, -3.0, -3.0, -3.0]
    scores[best] = 3.0
    segmenter = Segmenter(Judge(scores), ModelSpec(name="judge", architecture="compact", canvas=32, marks=MARKS))
    result = segmenter.segment(image, Prompt.clicks([(500, 500)]))
    side = CLICK_WINDOWS[best]
    assert result.probability.shape == pytest.approx((side, side), abs=3)
    assert result.score == pytest.approx(0.953, abs=1e-3)
    assert result.post.keep_marked


def test_clicks_and_extreme_points_share_a_batch(model, picture):
    image, mask = picture
    prompts = [Prompt.clicks([(118, 131)]), extremes(mask), Prompt.clicks([(100, 120)])]
    together = model.segment_many(image, prompts)
    for prompt, result in zip(prompts, together, strict=True):
        alone = model.segment(image, prompt)
        assert result.region == alone.region
        np.testing.assert_allclose(result.probability, alone.probability, atol=0.02)
        assert result.post == alone.post


@pytest.mark.parametrize("kind", ["mask", "click"])
def test_one_click_on_the_outline_does_not_shrink_the_object_to_itself(kind):
    rows, cols = np.indices((200, 220))
    truth = np.hypot(rows - 100, cols - 110) < 40
    image = np.where(truth, 190, 60) + np.random.default_rng(0).normal(0, 8, truth.shape)
    start = Prompt().with_mask(truth, (slice(0, 200), slice(0, 220))) if kind == "mask" else Prompt.clicks([(100, 110)])
    result = load_model().segment(image.clip(0, 255).astype(np.uint8), start.with_boundary([(100, 150)]))
    assert iou(result.full_mask(), truth) > 0.85


class Told(torch.nn.Module):
    """Answers as a function does, which stays the same where the network is copied."""

    def __init__(self, answer: Callable[[], tuple[torch.Tensor, torch.Tensor]]) -> None:
        super().__init__()
        self.answer = answer

    def forward(self, canvases: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return self.answer()


ROWS, COLS = np.mgrid[:32, :32]
FIBRE, OTHER_FIBRE = np.abs(ROWS - COLS) < 2, np.abs(ROWS - 16) < 2
NUCLEUS, NOTHING = np.hypot(ROWS - 16, COLS - 16) < 12, np.zeros((32, 32), bool)


@pytest.mark.parametrize(
    ("first", "second", "asked", "kept"),
    [
        (FIBRE, OTHER_FIBRE, 2, 2),
        (FIBRE, NUCLEUS, 2, 1),  # a nucleus of which noise has left a thin part: worse with its noise
        (FIBRE, NOTHING, 2, 1),
        (NOTHING, NUCLEUS, 2, 2),
        (NUCLEUS, FIBRE, 1, 1),
    ],
)
def test_what_is_found_with_the_noise_counts_where_it_is_thin_as_well(first, second, asked, kept):
    noisy = np.random.default_rng(0).normal(0, 40, (120, 110)) + np.linspace(60, 200, 110)
    asks: list[int] = []

    def answer() -> tuple[torch.Tensor, torch.Tensor]:
        asks.append(len(asks) + 1)
        mask = first if len(asks) == 1 else second
        return torch.from_numpy(np.where(mask, 9.0, -9.0)).float()[None, None], torch.tensor([float(asks[-1])])

    spec = ModelSpec(name="told", architecture="compact", canvas=64, marks=MARKS, has_score=True)
    segmenter = Segmenter(Told(answer), spec, device="cpu", precision="full")  # other precisions are tried out first
    points = Prompt.extreme([(20, 50), (60, 25), (90, 50), (60, 80)])
    result = segmenter.segment(noisy.astype(np.float32), points, limits=(0, 255))
    assert len(asks) == asked
    assert result.score == pytest.approx(1 / (1 + math.exp(-kept)))
