"""Frames: maps invert each other, reading and pasting agree, nothing shifts."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from napari_dextr.frame import Frame, resample
from napari_dextr.image import as_plane
from napari_dextr.noise import averaging_width

coordinate = st.floats(-300, 700, allow_nan=False)
extent = st.floats(1, 500)


@st.composite
def frames(draw, turned=True):
    """Frames around boxes that may leave the image, square or not, turned or mirrored."""
    row, col = draw(coordinate), draw(coordinate)
    bounds = (row, col, row + draw(extent), col + draw(extent))
    turn = None
    if turned and draw(st.booleans()):
        angle = draw(st.floats(-np.pi, np.pi))
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        turn = turn @ np.diag([1.0, draw(st.sampled_from([-1.0, 1.0]))])
    size = draw(st.sampled_from([64, 128, 256, 512]))
    margin = draw(st.floats(0, 0.6))
    return Frame.around(bounds, size, (400, 350), margin=margin, turn=turn)


@given(frames(), st.lists(st.tuples(coordinate, coordinate), min_size=1, max_size=5))
def test_to_canvas_and_back_is_the_identity(frame, points):
    back = frame.to_image(frame.to_canvas(points))
    np.testing.assert_allclose(back, points, atol=1e-4)
    there = frame.to_canvas(frame.to_image(points))
    np.testing.assert_allclose(there, points, atol=1e-4)


@given(frames(turned=False))
def test_the_crop_holds_its_box_and_margin_inside_the_canvas(frame):
    corners = frame.to_image([(-0.5, -0.5), (frame.size - 0.5, frame.size - 0.5)])
    assert np.all(corners[1] > corners[0])
    aspect = np.ptp(corners, axis=0)
    assert aspect.max() / aspect.min() <= 2 + 1e-6


def test_margin_is_a_share_of_the_longer_side():
    frame = Frame.around((100, 100, 199, 149), 128, (400, 400), margin=0.2)
    # rows: 100 px + 2 * 20; columns: 50 px + 2 * 20, the box through pixel centres covers half a pixel more
    np.testing.assert_allclose(frame.to_image([(-0.5, -0.5)])[0], [99.5 - 20, 99.5 - 20])
    np.testing.assert_allclose(frame.to_image([(127.5, 127.5)])[0], [199.5 + 20, 149.5 + 20])


def test_a_long_box_gets_surroundings_instead_of_stretch():
    frame = Frame.around((100, 0, 109, 299), 128, (400, 400), margin=0.1)
    scale = np.abs(np.diag(frame.matrix[:, :2]))
    assert scale[0] / scale[1] == pytest.approx(2)


@pytest.mark.parametrize("origin", [(0, 0), (-20, 30), (350, 390)])
def test_paste_of_read_is_the_identity_at_scale_one(origin):
    size = 64
    image = np.random.default_rng(1).integers(0, 256, (400, 420), np.uint8)
    matrix = np.array([[1.0, 0, -origin[0]], [0, 1.0, -origin[1]]])
    frame = Frame(matrix, size, image.shape)
    pixels, _ = frame.read(as_plane(image))
    probability = (pixels[0] / 255).clamp(1e-4, 1 - 1e-4)
    pasted, region = frame.paste(torch.logit(probability))
    expected = np.clip(image[region] / 255, 1e-4, 1 - 1e-4)
    np.testing.assert_allclose(pasted, expected, atol=1e-4)
    rows, cols = region
    assert rows.start == max(origin[0], 0)
    assert rows.stop == min(origin[0] + size, 400)
    assert cols.start == max(origin[1], 0)
    assert cols.stop == min(origin[1] + size, 420)


@given(frames(turned=True))
def test_a_ramp_keeps_its_values_through_read(frame):
    """Resampling shifts nothing: a linear image is read exactly where it lies inside the image."""
    image = np.add.outer(np.arange(400), 0.5 * np.arange(350)).astype(np.float32)
    inside = frame.covers_image()
    if not inside.any():
        return
    pixels, _ = frame.read(as_plane(image, limits=(0, 600)))
    points = np.argwhere(inside.numpy())
    places = frame.to_image(points)
    shrink = max(1.0, 1 / frame.zoom, float(np.linalg.norm(frame.inverse[:, :2], axis=0).max()))
    away = np.all((places > 3 * shrink) & (places < np.array([399, 349]) - 3 * shrink), axis=1)
    expected = (places[:, 0] + 0.5 * places[:, 1]) * 255 / 600
    got = pixels[0].numpy()[tuple(points.T)]
    # within the spacing of the averaged blocks along a ramp
    np.testing.assert_allclose(got[away], expected[away], atol=0.02 + 0.25 * shrink * (shrink > 1.2))


@pytest.mark.parametrize("side", [6, 20, 90, 300])
def test_a_disc_survives_the_way_to_the_canvas_and_back(side):
    """Small objects (many canvas pixels each) and large ones keep their outline."""
    rows, cols = np.mgrid[:400, :400]
    truth = np.hypot(rows - 203, cols - 190) <= side / 2
    frame = Frame.around((203 - side / 2, 190 - side / 2, 203 + side / 2, 190 + side / 2), 256, truth.shape)
    on_canvas = frame.read_mask(truth, (slice(0, 400), slice(0, 400)))
    pasted, region = frame.paste(torch.logit(on_canvas.clamp(1e-4, 1 - 1e-4)))
    found = np.zeros_like(truth)
    found[region] = pasted > 0.5
    assert (found & truth).sum() / (found | truth).sum() > 0.98


def test_paste_in_bands_equals_paste_at_once(monkeypatch):
    frame = Frame.around((10, 20, 290, 240), 128, (300, 260))
    logits = torch.randn(64, 64, generator=torch.Generator().manual_seed(0))
    whole, region = frame.paste(logits)
    monkeypatch.setattr("napari_dextr.frame._BAND", 1000)
    banded, again = frame.paste(logits)
    assert again == region
    np.testing.assert_allclose(banded, whole, atol=1e-5)


@given(st.integers(-40, 40), st.integers(-40, 40))
def test_a_shift_by_whole_pixels_shifts_the_result(rows, cols):
    """Seen through the frame a shifted image is the same canvas; pasted back it lies shifted by as much."""
    image = np.random.default_rng(0).integers(0, 256, (300, 300), np.uint8)
    moved = np.roll(image, (rows, cols), axis=(0, 1))
    bounds = (110.25, 120.5, 170.75, 181.0)
    shifted = (bounds[0] + rows, bounds[1] + cols, bounds[2] + rows, bounds[3] + cols)
    first, second = Frame.around(bounds, 128, image.shape), Frame.around(shifted, 128, image.shape)
    a, b = first.read(as_plane(image))[0], second.read(as_plane(moved))[0]
    np.testing.assert_allclose(a, b, atol=0.05)
    logits = a[0] / 50 - 2
    (p, region), (q, further) = first.paste(logits), second.paste(logits)
    assert further == tuple(slice(s.start + d, s.stop + d) for s, d in zip(region, (rows, cols), strict=True))
    np.testing.assert_array_equal(p > 0.5, q > 0.5)


def test_beyond_the_image_is_marked_and_padded():
    frame = Frame.around((-30, -30, 29, 29), 64, (100, 100), margin=0)
    pixels, inside = frame.read(as_plane(np.full((100, 100), 200, np.uint8)))
    assert inside[40:, 40:].all()
    assert not inside[:20].any()
    assert torch.isfinite(pixels).all()


class Chunked:
    """A level of a pyramid stored in chunks, that remembers which chunks were touched. Its pixels are their rows."""

    CHUNK = 64

    def __init__(self, side, factor):
        self.shape, self.dtype, self.ndim = (side, side), np.dtype(np.float32), 2
        self.factor, self.touched = factor, set()

    def __getitem__(self, key):
        rows, cols = (range(side)[part] for side, part in zip(self.shape, key, strict=True))
        lines = [range(part[0] // self.CHUNK, part[-1] // self.CHUNK + 1) for part in (rows, cols)]
        self.touched |= {(row, col) for row in lines[0] for col in lines[1]}
        centres = (np.asarray(rows, np.float32) + 0.5) * self.factor - 0.5
        return np.repeat(centres[:, None], len(cols), axis=1)


@given(
    st.floats(20, 30_000), st.floats(20, 30_000), st.floats(0, 30_000), st.floats(0, 30_000), st.sampled_from([64, 512])
)
def test_the_level_fits_the_canvas_and_only_chunks_of_the_crop_are_read(height, width, row, col, size):
    side = 50_001  # odd, so that the levels do not divide it
    levels = [Chunked(max(1, side >> power), side / (side >> power)) for power in range(8)]
    frame = Frame.around((row, col, min(row + height, side - 1), min(col + width, side - 1)), size, (side, side))
    plane = as_plane(levels, limits=(0, 51_000))
    pixels, inside = frame.read(plane)

    (used,) = [level for level in levels if level.touched]
    shrink = 1 / np.diag(frame.matrix[:, :2])
    assert max(used.factor / shrink) <= 1.02 or used is levels[0]  # as fine as the canvas
    coarser = levels[min(levels.index(used) + 1, 7)]
    assert coarser is used or max(coarser.factor / shrink) > 1.0  # and no finer than need be
    crop = size * shrink / used.factor / used.CHUNK
    assert len(used.touched) <= np.prod(np.ceil(crop) + 2)

    rows = np.clip(frame.to_image(np.column_stack([np.arange(size), np.full(size, size / 2)]))[:, 0], 0, side - 1)
    column = inside[:, size // 2].numpy()
    shown = pixels[0, :, size // 2].numpy() * 200  # back from 0..255 to rows
    np.testing.assert_allclose(shown[column], rows[column], atol=2 * max(shrink) + 1)


def test_a_mask_brought_to_the_canvas_is_zero_outside_its_region():
    frame = Frame.around((10, 10, 60, 60), 128, (100, 100))
    canvas = frame.read_mask(np.ones((10, 10)), (slice(30, 40), slice(30, 40)))
    points = frame.to_canvas([(35, 35), (20, 35), (50, 50)]).round().astype(int)
    assert canvas[tuple(points[0])] == 1
    assert canvas[tuple(points[1])] == 0
    assert canvas[tuple(points[2])] == 0


def test_resample_averages_where_the_target_is_coarser():
    checker = torch.tensor(np.indices((64, 64)).sum(axis=0) % 2, dtype=torch.float32)[None]
    matrix = np.array([[8.0, 0, 3.5], [0, 8.0, 3.5]])
    np.testing.assert_allclose(resample(checker, matrix, (8, 8)), 0.5, atol=1e-6)


@pytest.mark.parametrize("extent", [40, 500])  # magnified, and averaged over blocks first
def test_the_averaging_is_told_in_pixels_of_the_image(extent):
    image = np.linspace(60, 200, 800, dtype=np.float32) + np.zeros((800, 1), np.float32)
    image += np.random.default_rng(0).normal(0, 200, image.shape).astype(np.float32)
    frame = Frame.around((100, 100, 99 + extent, 99 + extent), 96, image.shape)
    plane = as_plane(image, limits=(-1000, 1000))
    if extent == 40:
        expected = averaging_width(plane.read(frame.region).transpose(2, 0, 1))
    else:
        expected = averaging_width(frame.read(plane)[0].numpy()) / frame.zoom
    assert frame.averaging(plane) == pytest.approx(expected, rel=0.5)
    assert frame.averaging(plane) > 2
    assert frame.averaging(as_plane(np.zeros((800, 800), np.uint8))) == 0
