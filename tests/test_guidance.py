"""Guidance channels: right channel, right place, zero where a mark is absent."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from napari_dextr.frame import Frame
from napari_dextr.guidance import BROAD, CHANNELS, NARROW, draw, encode, to_edges
from napari_dextr.prompt import Prompt

SHAPE = (200, 220)
EXTREMES = [(40.25, 100), (90, 60), (150, 110), (95, 160)]


def frame_of(prompt, size=128):
    return Frame.around(prompt.bounds, size, SHAPE)


def peak(channel):
    return np.unravel_index(int(channel.argmax()), channel.shape)


def test_extremes_fill_the_outline_channels_and_the_box():
    prompt = Prompt.extreme(EXTREMES)
    channels = encode(prompt, frame_of(prompt))
    assert channels.shape == (CHANNELS, 128, 128)
    assert [bool(channel.any()) for channel in channels] == [True, True, False, False, False, False, True, False]


def broad(*samples, size=100):
    """The broad outline channel of samples of points: a deviation of 6 pixels on a canvas of 100."""
    none = [np.empty((0, 2))] * len(samples)
    points = [np.array(sample, float) for sample in samples]
    return draw(points, none, none, [None] * len(samples), None, size)[:, 1]


def test_a_gaussian_peaks_at_the_point_with_its_deviation():
    (canvas,) = broad([(20, 30)])
    assert peak(canvas) == (20, 30)
    assert canvas[20, 30] == 1
    assert canvas[20, 36] == pytest.approx(np.exp(-0.5), abs=1e-5)


def test_points_are_not_rounded():
    left, right = broad([(20, 30.25)])[0][20, 29:32:2]
    assert right > left


def test_narrow_and_broad_scale_with_the_canvas():
    prompt = Prompt.extreme(EXTREMES)
    for size in (128, 256):
        channels = encode(prompt, frame_of(prompt, size))
        row, col = np.round(frame_of(prompt, size).to_canvas(EXTREMES[1])[0]).astype(int)
        for channel, share in ((0, NARROW), (1, BROAD)):
            beside = channels[channel, row, col + round(share * size)]
            assert beside == pytest.approx(np.exp(-0.5), abs=0.2)


def test_several_points_are_combined_by_their_maximum():
    both, first, second = broad([(10, 10), (10, 14)], [(10, 10)], [(10, 14)])
    torch.testing.assert_close(both, torch.maximum(first, second))


def test_clicks_and_strokes_fill_their_channels():
    prompt = Prompt.extreme(EXTREMES).with_inside([(95, 110)]).with_outside([(50, 70)])
    channels = encode(prompt, frame_of(prompt))
    frame = frame_of(prompt)
    np.testing.assert_allclose(peak(channels[2]), frame.to_canvas([(95, 110)])[0], atol=0.6)
    np.testing.assert_allclose(peak(channels[4]), frame.to_canvas([(50, 70)])[0], atol=0.6)
    stroke = Prompt.box(40, 60, 150, 160).with_inside_stroke([(60, 100), (120, 110)])
    drawn = encode(stroke, frame_of(stroke))[2]
    for share in (0, 0.3, 0.6, 1):
        at = frame_of(stroke).to_canvas([(60 + 60 * share, 100 + 10 * share)])[0].round().astype(int)
        assert drawn[tuple(at)] > 0.6


def test_inside_outside_marks_four_corners_and_a_centre():
    prompt = Prompt.inside_outside((95, 110), (40, 60), (150, 160))
    frame = frame_of(prompt)
    channels = encode(prompt, frame)
    assert not channels[0].any()
    for corner in ((40, 60), (40, 160), (150, 160), (150, 60)):
        assert channels[4][tuple(frame.to_canvas([corner])[0].round().astype(int))] > 0.5


def test_the_box_map_is_one_inside_and_zero_outside():
    prompt = Prompt.box(40, 60, 150, 160)
    frame = frame_of(prompt)
    box = encode(prompt, frame)[6]
    centre, beyond = frame.to_canvas([(95, 110), (30, 110)]).round().astype(int)
    assert box[tuple(centre)] == pytest.approx(1, abs=1e-3)
    assert box[tuple(beyond)] < 1e-2


def test_an_earlier_mask_fills_the_last_channel():
    probability = np.full((50, 40), 0.7, np.float32)
    prompt = Prompt.box(40, 60, 150, 160).with_mask(probability, (slice(60, 110), slice(80, 120)))
    channels = encode(prompt, frame_of(prompt))
    assert channels[7].max() == pytest.approx(0.7, abs=1e-6)
    assert channels[7][0, 0] == 0


def test_a_batch_is_drawn_sample_by_sample():
    none = np.zeros((0, 2))
    drawn = draw([np.array([[5.0, 5.0]]), none], [none, none], [none, none], [None, (4.0, 4.0, 20.0, 20.0)], None, 32)
    assert drawn[0, 0].any()
    assert not drawn[1, 0].any()
    assert not drawn[0, 6].any()
    assert drawn[1, 6].any()


def test_batches_of_different_counts_are_drawn_as_the_formula_says():
    rng = np.random.default_rng(0)
    size, counts = 40, (3, 0, 1, 12, 2)
    points = [rng.uniform(-5, size + 5, (count, 2)) for count in counts]
    none = [np.zeros((0, 2))] * len(counts)
    drawn = draw(none, points, none, [None] * len(counts), torch.zeros(len(counts), size, size), size)
    grid = np.stack(np.mgrid[:size, :size], axis=-1)
    for index, marks in enumerate(points):
        for channel, share in ((2, NARROW), (3, BROAD)):
            expected = np.zeros((size, size))
            for mark in marks:
                squared = ((grid - mark) ** 2).sum(axis=-1)
                expected = np.maximum(expected, np.exp(-squared / (2 * (share * size) ** 2)))
            np.testing.assert_allclose(drawn[index, channel].numpy(), expected, atol=1e-5)


def test_marks_on_pixel_centres_become_the_pixels_edges():
    points = np.array([[10.0, 14.0], [12.0, 5.0], [19.0, 15.0], [15.0, 24.0]])
    edges = to_edges(points, (10, 5, 19, 24))
    np.testing.assert_allclose(edges[[0, 2], 0], [9.5, 19.5])
    np.testing.assert_allclose(edges[[1, 3], 1], [4.5, 24.5])
    np.testing.assert_allclose(edges.mean(axis=0), points.mean(axis=0), atol=0.1)
    assert len(to_edges(np.zeros((0, 2)), None)) == 0


def test_the_box_map_covers_the_outermost_pixels_wholly():
    prompt = Prompt.box(20, 20, 29, 29)
    frame = frame_of(prompt)
    box = encode(prompt, frame)[6]
    covered = (box > 0.5).float().mean().sqrt() * frame.size / frame.zoom
    assert covered == pytest.approx(10, abs=0.3)


def test_thousands_of_points_are_drawn_as_a_few_are():
    points = np.random.default_rng(0).random((3000, 2)) * 40
    few = [points[start : start + 100] for start in range(0, 3000, 100)]
    many = draw([points, few[0]], [points[:0]] * 2, [points[:0]] * 2, [None] * 2, None, 32)
    alone = draw(few, [points[:0]] * 30, [points[:0]] * 30, [None] * 30, None, 32)
    torch.testing.assert_close(many[0, :2], alone[:, :2].amax(0), rtol=1e-4, atol=1e-5)
    assert torch.equal(many[1], alone[0])
