"""Simulated annotators: marks lie where a person would put them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.ndimage import distance_transform_edt

from napari_dextr.errors import DataError
from napari_dextr.simulation import Simulator, box_of, deepest, extreme_points, outline


def disc(radius=20, centre=(50, 40), shape=(100, 90)):
    rows, cols = np.mgrid[: shape[0], : shape[1]]
    return np.hypot(rows - centre[0], cols - centre[1]) <= radius


@st.composite
def masks(draw):
    """Unions of a few rectangles and discs: connected or not, thin or not, touching the border or not."""
    mask = np.zeros((40, 50), bool)
    for _ in range(draw(st.integers(1, 3))):
        row, col = draw(st.integers(0, 39)), draw(st.integers(0, 49))
        height, width = draw(st.integers(1, 30)), draw(st.integers(1, 30))
        mask[row : row + height, col : col + width] = True
    return mask


def test_exact_extremes_of_a_disc():
    points = Simulator().extreme(disc()).extreme_points
    np.testing.assert_array_equal(points, [[30, 40], [50, 20], [70, 40], [50, 60]])


def test_exact_extremes_of_a_flat_side_are_its_middle():
    mask = np.zeros((30, 30), bool)
    mask[5:10, 4:21] = True
    np.testing.assert_array_equal(Simulator().extreme(mask).extreme_points, [[5, 12], [7, 4], [9, 12], [7, 20]])


@given(masks())
def test_extremes_of_any_mask_span_its_box_and_lie_on_it(mask):
    points = extreme_points(outline(mask))
    assert box_of(points) == box_of(np.argwhere(mask).astype(float))
    assert mask[tuple(points.astype(int).T)].all()


@given(masks(), st.integers(0, 1000))
def test_drawn_extremes_lie_on_the_mask_near_the_extremum(mask, seed):
    points = extreme_points(outline(mask), np.random.default_rng(seed))
    assert mask[tuple(points.astype(int).T)].all()
    box, whole = np.array(box_of(points)), np.array(box_of(np.argwhere(mask).astype(float)))
    side = max(whole[2] - whole[0], whole[3] - whole[1]) + 1
    assert np.abs(box - whole).max() <= max(1, 0.02 * side)


def test_drawn_extremes_may_be_a_pixel_of_the_image_off_however_large_the_pixels():
    edge = outline(disc())
    spans = [np.ptp(extreme_points(edge, np.random.default_rng(seed), least=5.0), axis=0).max() for seed in range(50)]
    whole = np.ptp(edge, axis=0).max()
    assert whole - 10 <= min(spans) < whole - 4


@given(masks(), st.integers(0, 1000))
def test_every_mask_gives_a_usable_prompt_of_every_kind(mask, seed):
    simulator = Simulator(seed)
    for prompt in (
        simulator.extreme(mask),
        simulator.extreme(mask, jitter=0.02, exact=False),
        simulator.box(mask, jitter=0.1),
        simulator.inside_outside(mask, jitter=0.02),
        simulator.clicks(mask, count=2),
    ):
        prompt.check(mask.shape)
        assert len(prompt)


def test_the_same_seed_makes_the_same_marks():
    first, second, other = (Simulator(seed).extreme(disc(), jitter=0.05).extreme_points for seed in (3, 3, 4))
    np.testing.assert_array_equal(first, second)
    assert not np.array_equal(first, other)


def test_jitter_has_the_asked_for_size():
    simulator = Simulator(0)
    exact = simulator.extreme(disc()).extreme_points
    errors = np.concatenate([simulator.extreme(disc(), jitter=0.03).extreme_points - exact for _ in range(300)])
    assert errors.std() == pytest.approx(0.03 * 41, rel=0.1)
    assert errors.mean() == pytest.approx(0, abs=0.1)


def test_inside_outside_encloses_the_object():
    prompt = Simulator().inside_outside(disc())
    r0, c0, r1, c1 = prompt.box_bounds
    assert r0 < 30
    assert c0 < 20
    assert r1 > 70
    assert c1 > 60
    np.testing.assert_allclose(prompt.inside_points, [[50, 40]])


def test_depth_counts_the_border_of_the_image():
    mask = np.ones((9, 9), bool)
    mask[:, 7:] = False  # farthest from the border of the image on the left, too
    np.testing.assert_array_equal(deepest(mask), [3, 3])
    mask[:, 7:] = True
    np.testing.assert_array_equal(deepest(mask), [4, 4])


def test_clicks_fall_well_inside():
    simulator, mask = Simulator(1), disc()
    depth = distance_transform_edt(np.pad(mask, 1))[1:-1, 1:-1]
    for _ in range(50):
        row, col = np.round(simulator.click(mask)).astype(int)
        assert depth[row, col] > 0.4 * depth.max()


def test_strokes_stay_inside():
    simulator, mask = Simulator(2), disc()
    for _ in range(20):
        line = simulator.stroke(mask)
        assert len(line) >= 2
        assert mask[tuple(np.round(line).astype(int).T)].all()


def test_a_correction_marks_the_larger_error():
    truth = disc()
    missing = truth.copy()
    missing[:, 45:] = False
    kind, point = Simulator().correction(truth, missing)
    assert kind == "inside"
    assert truth[tuple(point.astype(int))]
    assert not missing[tuple(point.astype(int))]
    surplus = truth.copy()
    surplus[85:99, 5:40] = True
    kind, point = Simulator().correction(truth, surplus)
    assert kind == "outside"
    assert surplus[tuple(point.astype(int))]
    assert not truth[tuple(point.astype(int))]


@given(masks(), masks(), st.booleans(), st.integers(0, 100))
def test_corrections_do_not_depend_on_what_lies_around(truth, predicted, exact, seed):
    alone = Simulator(seed).correction(truth, predicted, exact=exact)
    around = ((30, 5), (7, 20))
    framed = Simulator(seed).correction(np.pad(truth, around), np.pad(predicted, around), exact=exact)
    if alone is None:
        assert framed is None
        return
    assert framed[0] == alone[0]
    np.testing.assert_allclose(framed[1], alone[1] + (30, 7))


def test_corrections_fall_deep_into_the_largest_error():
    truth = np.zeros((60, 80), bool)
    truth[10:50, 10:70] = True
    predicted = truth.copy()
    predicted[10:15, 10:15] = False  # 25 pixels missed here
    predicted[20:41, 40:61] = False  # and 441 there
    predicted[52:58, 5:9] = True  # 24 pixels too many
    kind, point = Simulator().correction(truth, predicted)
    assert kind == "inside"
    np.testing.assert_array_equal(point, [30, 50])
    assert Simulator().correction(truth, truth) is None


def test_boundary_corrections_lie_on_the_outline():
    truth = disc()
    kind, point = Simulator(0).correction(truth, np.zeros_like(truth), boundary=1.0)
    assert kind == "boundary"
    assert (outline(truth) == point).all(axis=1).any()


def test_ignored_pixels_are_no_error():
    truth, predicted = disc(), disc()
    predicted[80:, :] = True
    ignore = np.zeros_like(truth)
    ignore[80:, :] = True
    assert Simulator().correction(truth, predicted, ignore) is None
    assert Simulator().correction(truth, predicted) is not None


@pytest.mark.parametrize("what", [outline, deepest, Simulator(0).click, Simulator(0).stroke])
def test_an_empty_mask_is_refused(what):
    with pytest.raises(DataError, match="empty"):
        what(np.zeros((5, 5), bool))
