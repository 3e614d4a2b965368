"""Image planes: every kind of array becomes RGB in 0..255, and only the asked-for part is read."""

from __future__ import annotations

import numpy as np
import pytest

from napari_dextr.errors import ImageError
from napari_dextr.image import as_plane

WHOLE = (slice(0, 6), slice(0, 8))


class Recorder:
    """An array that remembers which part of it was asked for."""

    def __init__(self, array):
        self.array = array
        self.shape, self.dtype, self.ndim = array.shape, array.dtype, array.ndim
        self.read = []

    def __getitem__(self, key):
        self.read.append(key)
        return self.array[key]


def ramp(dtype=np.uint8):
    return np.arange(48).reshape(6, 8).astype(dtype)


def test_grey_uint8_is_taken_as_it_is():
    pixels = as_plane(ramp()).read(WHOLE)
    assert pixels.shape == (6, 8, 3)
    assert pixels.dtype == np.float32
    for channel in range(3):
        np.testing.assert_array_equal(pixels[..., channel], ramp())


def test_rgb_is_kept_and_alpha_dropped():
    image = np.random.default_rng(0).integers(0, 256, (6, 8, 4), np.uint8)
    np.testing.assert_array_equal(as_plane(image).read(WHOLE), image[..., :3])
    np.testing.assert_array_equal(as_plane(image[..., :3]).read(WHOLE), image[..., :3])


def test_two_channels_become_a_b_and_their_mean():
    image = np.random.default_rng(0).integers(0, 256, (6, 8, 2), np.uint8)
    pixels = as_plane(image).read(WHOLE)
    np.testing.assert_array_equal(pixels[..., :2], image)
    np.testing.assert_allclose(pixels[..., 2], image.mean(axis=-1))


def test_many_channels_need_a_choice():
    image = np.random.default_rng(0).integers(0, 256, (6, 8, 7), np.uint8)
    with pytest.raises(ImageError, match="7 channels"):
        as_plane(image)
    np.testing.assert_array_equal(as_plane(image, channels=(5, 0, 3)).read(WHOLE), image[..., [5, 0, 3]])
    grey = as_plane(image, channels=[6]).read(WHOLE)
    np.testing.assert_array_equal(grey, np.repeat(image[..., 6:], 3, axis=-1))


@pytest.mark.parametrize("channels", [(7,), (0, 1, 2, 3), ()])
def test_impossible_channel_choices_are_refused(channels):
    with pytest.raises(ImageError, match="channels between 0 and 6"):
        as_plane(np.zeros((6, 8, 7), np.uint8), channels=channels)


def test_channels_of_a_grey_plane_are_refused():
    with pytest.raises(ImageError, match="no channel axis"):
        as_plane(ramp(), channels=(1,))


@pytest.mark.parametrize("dtype", [np.uint16, np.int16, np.int32, np.uint32, np.int64])
def test_other_integers_are_stretched_over_what_is_read(dtype):
    pixels = as_plane(ramp(dtype) * 10 + 1000).read(WHOLE)
    assert pixels.min() == 0
    assert pixels.max() == 255
    assert np.all(np.diff(pixels[..., 0].ravel()) > 0)


def test_large_integers_keep_their_contrast():
    pixels = as_plane(ramp(np.int64) + 2**40).read(WHOLE)
    assert len(np.unique(pixels)) == 48


def test_bool_is_black_and_white():
    pixels = as_plane(ramp() > 20).read(WHOLE)
    assert set(np.unique(pixels)) == {0, 255}


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_float_within_0_and_1_is_scaled(dtype):
    image = (ramp() / 48).astype(dtype)
    np.testing.assert_allclose(as_plane(image).read(WHOLE)[..., 0], image.astype(float) * 255, rtol=1e-3)


def test_contrast_limits_are_what_is_seen():
    pixels = as_plane(ramp(np.uint16), limits=(10, 30)).read(WHOLE)[..., 0]
    assert np.all(pixels[ramp() <= 10] == 0)
    assert np.all(pixels[ramp() >= 30] == 255)
    assert pixels[ramp() == 20] == pytest.approx(127.5)
    # 8-bit images obey them too
    np.testing.assert_array_equal(as_plane(ramp(), limits=(10, 30)).read(WHOLE)[..., 0], pixels)


@pytest.mark.parametrize("limits", [(3, 3), (5, 1), (np.nan, 1), (0, np.inf)])
def test_impossible_contrast_limits_are_refused(limits):
    with pytest.raises(ImageError, match="contrast limits"):
        as_plane(ramp(), limits=limits)


def test_nan_and_infinity_become_finite():
    image = ramp(np.float32)
    image[0, 0], image[1, 1], image[2, 2] = np.nan, np.inf, -np.inf
    pixels = as_plane(image).read(WHOLE)
    assert np.isfinite(pixels).all()
    assert pixels[0, 0, 0] == pixels.min()
    assert pixels[1, 1, 0] == pixels.max()


def test_all_nan_is_black():
    assert not as_plane(np.full((6, 8), np.nan)).read(WHOLE).any()


def test_constant_image_does_not_divide_by_zero():
    assert np.isfinite(as_plane(np.full((6, 8), 700, np.uint16)).read(WHOLE)).all()


@pytest.mark.parametrize(
    ("image", "words"),
    [
        (np.zeros((0, 5)), "empty"),
        (np.zeros((1, 1)), "1 x 1"),
        (np.zeros((1, 50)), "1 x 50"),
        (np.zeros(9), "2 axes"),
        (np.zeros((2, 3, 4, 5)), "2 axes"),
        (np.array([["a", "b"], ["c", "d"]]), "type"),
        (np.zeros((4, 4), complex), "complex"),
        (np.array([[None, 1], [2, 3]], object), "type"),
    ],
)
def test_what_is_no_image_plane_is_refused(image, words):
    with pytest.raises(ImageError, match=words):
        as_plane(image)


def test_only_the_region_is_read():
    source = Recorder(np.zeros((1000, 1000), np.uint8))
    pixels = as_plane(source).read((slice(100, 110), slice(200, 230)))
    assert pixels.shape == (10, 30, 3)
    ((rows, cols),) = source.read
    assert (rows.start, rows.stop, cols.start, cols.stop) == (100, 110, 200, 230)


def test_the_widest_floats_do_not_overflow():
    image = np.array([[-1.7e308, 0], [1.7e308, 8e307]])
    np.testing.assert_allclose(as_plane(image).read((slice(0, 2), slice(0, 2)))[:, :, 0], [[0, 127.5], [255, 187.5]])


def test_floats_wider_than_64_bits_do_not_overflow():
    wide = np.array([[-1, 0, 1], [0.5, np.nan, np.inf]], np.longdouble) * np.finfo(np.longdouble).max
    seen = as_plane(wide).read((slice(0, 2), slice(0, 3)))
    assert np.isfinite(seen).all()
    assert (seen.min(), seen.max()) == (0, 255)


def test_a_pyramid_answers_from_the_level_that_is_fine_enough():
    levels = [Recorder(np.zeros((1024 // f, 1024 // f), np.uint8)) for f in (1, 2, 4, 8)]
    block = as_plane(levels).read_coarse((slice(0, 1024), slice(0, 1024)), 5)
    assert [len(level.read) for level in levels] == [0, 0, 1, 0]
    assert block.spacing == (4, 4)
    # the first pixel of the level covers fine pixels 0..3, so its centre lies at 1.5
    assert block.origin == (1.5, 1.5)


def test_a_pyramid_of_odd_extents_loses_no_level_to_rounding():
    levels = [Recorder(np.zeros((extent, extent), np.uint8)) for extent in (1001, 500, 250)]
    block = as_plane(levels).read_coarse((slice(0, 1001), slice(0, 1001)), 4)
    assert [len(level.read) for level in levels] == [0, 0, 1]
    np.testing.assert_allclose(block.spacing, 1001 / 250)


def test_each_axis_of_a_pyramid_must_be_fine_enough():
    levels = [Recorder(np.zeros(shape, np.uint8)) for shape in ((512, 512), (512, 256), (256, 256))]
    plane = as_plane(levels)
    plane.read_coarse((slice(0, 512), slice(0, 512)), (1.5, 2.5))
    assert [len(level.read) for level in levels] == [0, 1, 0]
    plane.read_coarse((slice(0, 512), slice(0, 512)), (2.0, 1.0))
    assert [len(level.read) for level in levels] == [1, 1, 0]


def test_levels_need_not_be_halves():
    levels = [Recorder(np.zeros((extent, extent), np.uint8)) for extent in (900, 600, 400)]
    as_plane(levels).read_coarse((slice(0, 900), slice(0, 900)), 1.6)
    assert [len(level.read) for level in levels] == [0, 1, 0]


def test_a_single_array_is_decimated_for_a_coarse_use():
    block = as_plane(np.add.outer(np.arange(400), np.zeros(400)).astype(np.uint16), limits=(0, 510)).read_coarse(
        (slice(40, 240), slice(0, 200)), 10
    )
    assert block.pixels.shape[0] == 200 / block.spacing[0]
    rows = block.origin[0] + block.spacing[0] * np.arange(len(block.pixels))
    np.testing.assert_allclose(block.pixels[:, 0, 0], rows / 2, atol=1e-3)


def test_dask_and_zarr_planes_equal_numpy(tmp_path):
    import dask.array as da
    import zarr

    image = np.random.default_rng(0).integers(0, 256, (64, 48, 3), np.uint8)
    stored = zarr.open(str(tmp_path / "image.zarr"), mode="w", shape=image.shape, chunks=(16, 16, 3), dtype="u1")
    stored[...] = image
    region = (slice(5, 50), slice(7, 20))
    expected = as_plane(image).read(region)
    np.testing.assert_array_equal(as_plane(da.from_array(image, chunks=(16, 16, 3))).read(region), expected)
    np.testing.assert_array_equal(as_plane(stored).read(region), expected)


def test_a_plane_is_passed_through():
    plane = as_plane(ramp())
    assert as_plane(plane) is plane


def test_a_source_that_cannot_be_read_says_so():
    class Gone(Recorder):
        def __getitem__(self, key):
            raise OSError("the drive is gone")

    with pytest.raises(ImageError, match="the drive is gone"):
        as_plane(Gone(ramp())).read(WHOLE)


class Lazy:
    """An array of somebody else whose pixels cannot be read."""

    shape, dtype = (8, 9), np.dtype("u1")

    def __init__(self, error):
        self.error = error

    def __getitem__(self, key):
        raise self.error


class DecoderError(Exception):
    pass


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (DecoderError("block 17 is damaged\nand more"), r"\(block 17 is damaged\)"),
        (ZeroDivisionError(), "ZeroDivisionError"),
        (OSError(5, "Input/output error"), "Input/output error"),
        (MemoryError(), "not enough memory"),
    ],
)
def test_whatever_a_reader_of_somebody_else_raises_is_told(error, told):
    with pytest.raises(ImageError, match=told):
        as_plane(Lazy(error)).read((slice(0, 4), slice(0, 4)))


def test_an_array_that_does_not_know_its_size_is_refused():
    dask = pytest.importorskip("dask.array")
    flat = dask.zeros((6, 6))
    with pytest.raises(ImageError, match="compute_chunk_sizes"):
        as_plane(flat[dask.ones(6, dtype=bool)])


def test_numbers_that_numpy_does_not_know_are_refused():
    torch = pytest.importorskip("torch")
    with pytest.raises(ImageError, match="convert it to a numpy array"):
        as_plane(torch.zeros(8, 8))


def test_rows_of_different_lengths_are_no_image():
    with pytest.raises(ImageError, match="rows do not make an array"):
        as_plane([[1, 2, 3], [1, 2]])


@pytest.mark.parametrize("level", [np.zeros((0, 4)), np.zeros((4, 4, 3)), np.zeros(4), np.zeros((4, 4), "S1")])
def test_levels_that_are_none_of_this_image_are_refused(level):
    with pytest.raises(ImageError, match="level of the pyramid"):
        as_plane([np.zeros((8, 8)), level])


@pytest.mark.parametrize("above", [1.0001, 1.05, 20.0])
def test_a_float_image_a_little_above_1_is_not_taken_for_bytes(above):
    """A hot pixel or an overshoot of interpolation would make the whole image black."""
    image = np.linspace(0, 1, 100).reshape(10, 10)
    image[4, 4] = above
    shown = as_plane(image).read((slice(0, 10), slice(0, 10)))
    assert shown.max() == pytest.approx(255)
    assert np.ptp(np.delete(shown[..., 0].ravel(), 44)) > 250 / above - 1


def test_a_float_image_of_bytes_is_taken_as_it_is():
    image = np.linspace(3, 200, 100).reshape(10, 10)
    shown = as_plane(image).read((slice(0, 10), slice(0, 10)))
    np.testing.assert_allclose(shown[..., 0], image, rtol=1e-5)
