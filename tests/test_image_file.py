"""Reading image files: what can be read comes back unchanged, what cannot says why."""

from __future__ import annotations

import imageio.v3
import numpy as np
import pytest
import tifffile
from PIL import Image

from napari_dextr.errors import ImageError
from napari_dextr.image_file import open_image, open_plane, read_image

IMAGE = np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)


def test_png_tiff_and_npy_come_back_unchanged(tmp_path):
    imageio.v3.imwrite(tmp_path / "a.png", IMAGE)
    tifffile.imwrite(tmp_path / "a.tif", IMAGE.astype(np.uint16) * 200, photometric="rgb")
    np.save(tmp_path / "a.npy", IMAGE / 255)
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), IMAGE)
    np.testing.assert_array_equal(read_image(tmp_path / "a.tif"), IMAGE.astype(np.uint16) * 200)
    np.testing.assert_array_equal(read_image(str(tmp_path / "a.npy")), IMAGE / 255)


def test_a_missing_file_and_a_folder_are_named(tmp_path):
    with pytest.raises(ImageError, match=r"no file .*gone\.png"):
        read_image(tmp_path / "gone.png")
    with pytest.raises(ImageError, match="is a folder"):
        read_image(tmp_path)


@pytest.mark.parametrize("name", ["text.png", "text.tif", "text.npy", "text.jpg", "text.xyz"])
def test_what_is_no_image_is_refused_in_one_line(tmp_path, name):
    (tmp_path / name).write_text("this is no image", encoding="utf-8")
    with pytest.raises(ImageError, match="cannot be read as an image") as caught:
        read_image(tmp_path / name)
    assert "\n" not in str(caught.value)


def test_a_truncated_file_is_refused(tmp_path):
    imageio.v3.imwrite(tmp_path / "a.png", IMAGE)
    whole = (tmp_path / "a.png").read_bytes()
    (tmp_path / "cut.png").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ImageError, match="cannot be read"):
        read_image(tmp_path / "cut.png")


@pytest.mark.parametrize(
    ("options", "kind"),
    [
        ({"photometric": "rgb"}, np.memmap),
        ({"photometric": "rgb", "compression": "zlib"}, np.ndarray),
        ({"photometric": "rgb", "compression": "zlib", "tile": (16, 16)}, None),
    ],
)
def test_tiff_planes_open_lazily_where_the_format_allows_it(tmp_path, options, kind):
    tifffile.imwrite(tmp_path / "a.tif", IMAGE, **options)
    opened = open_image(tmp_path / "a.tif")
    assert kind is None or type(opened) is kind
    np.testing.assert_array_equal(np.asarray(opened[3:9, 4:20]), IMAGE[3:9, 4:20])
    assert tuple(opened.shape) == IMAGE.shape


@pytest.mark.parametrize(
    ("array", "options"),
    [
        (np.moveaxis(IMAGE, -1, 0), {"imagej": True, "metadata": {"axes": "CYX"}}),
        (np.moveaxis(IMAGE, -1, 0), {"photometric": "rgb", "planarconfig": "separate"}),
        (IMAGE[None], {"ome": True, "photometric": "rgb", "metadata": {"axes": "ZYXS"}}),
    ],
)
def test_channels_come_last_and_single_planes_are_unpacked(tmp_path, array, options):
    tifffile.imwrite(tmp_path / "a.tif", np.ascontiguousarray(array), **options)
    np.testing.assert_array_equal(np.asarray(open_image(tmp_path / "a.tif")), IMAGE)


def test_stacks_are_refused_with_their_axes(tmp_path):
    tifffile.imwrite(
        tmp_path / "a.tif", np.zeros((4, 20, 30), np.uint8), metadata={"axes": "ZYX"}, photometric="minisblack"
    )
    with pytest.raises(ImageError, match="stack with axes ZYX"):
        open_image(tmp_path / "a.tif")


def test_zarr_arrays_and_pyramids_open(tmp_path):
    zarr = pytest.importorskip("zarr")
    array = zarr.open(str(tmp_path / "a.zarr"), mode="w", shape=IMAGE.shape, chunks=(8, 8, 3), dtype="u1")
    array[:] = IMAGE
    np.testing.assert_array_equal(open_image(tmp_path / "a.zarr")[2:5, 3:9], IMAGE[2:5, 3:9])
    group = zarr.open_group(str(tmp_path / "p.zarr"), mode="w")
    for name, level in (("0", IMAGE), ("1", IMAGE[::2, ::2])):
        created = zarr.open(str(tmp_path / "p.zarr" / name), mode="w", shape=level.shape, chunks=(8, 8, 3), dtype="u1")
        created[:] = level
    group.attrs["multiscales"] = [{"datasets": [{"path": "0"}, {"path": "1"}]}]
    levels = open_image(tmp_path / "p.zarr")
    assert [tuple(level.shape) for level in levels] == [(20, 30, 3), (10, 15, 3)]


def test_other_folders_broken_tiffs_and_missing_files_are_refused(tmp_path):
    with pytest.raises(ImageError, match="zarr"):
        open_image(tmp_path)
    with pytest.raises(ImageError, match="no file"):
        open_image(tmp_path / "gone.tif")
    tifffile.imwrite(tmp_path / "a.tif", IMAGE, photometric="rgb", compression="zlib")
    whole = (tmp_path / "a.tif").read_bytes()
    (tmp_path / "cut.tif").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ImageError, match=r"cut\.tif"):
        open_image(tmp_path / "cut.tif")


def test_other_formats_are_read_whole(tmp_path):
    imageio.v3.imwrite(tmp_path / "a.png", IMAGE)
    np.testing.assert_array_equal(open_image(tmp_path / "a.png"), IMAGE)


def test_a_plane_of_a_stack_is_one_page_of_its_file(tmp_path, monkeypatch):
    stack = np.arange(3 * 5 * 4 * 6, dtype=np.uint16).reshape(3, 5, 4, 6)
    tifffile.imwrite(tmp_path / "s.tif", stack)
    np.save(tmp_path / "s.npy", stack)
    np.testing.assert_array_equal(open_plane(tmp_path / "s.npy", (2, 1)), stack[2, 1])
    np.testing.assert_array_equal(open_plane(tmp_path / "s.npy", ()), stack)
    for place in ((2, 9), (3, 0), (-1, 0), (1, 1, 1)):
        for name in ("s.npy", "s.tif"):
            with pytest.raises(ImageError, match="no plane"):
                open_plane(tmp_path / name, place)
    monkeypatch.setattr("napari_dextr.image_file.read_image", lambda file: pytest.fail("the whole stack was read"))
    np.testing.assert_array_equal(open_plane(tmp_path / "s.tif", (2, 1)), stack[2, 1])


def test_a_plane_of_a_zarr_stack_is_read_from_it(tmp_path):
    zarr = pytest.importorskip("zarr")
    stack = np.arange(3 * 4 * 6, dtype=np.uint8).reshape(3, 4, 6)
    zarr.save_array(str(tmp_path / "s.zarr"), stack)
    np.testing.assert_array_equal(open_plane(tmp_path / "s.zarr", (1,)), stack[1])


def test_a_stack_that_is_missing_is_told(tmp_path):
    with pytest.raises(ImageError, match="no file"):
        open_plane(tmp_path / "s.tif", (1,))


def test_colours_of_files_mean_what_their_place_says(tmp_path):
    grey = np.arange(80, dtype=np.uint8).reshape(8, 10)
    seen = Image.merge("LA", [Image.fromarray(grey), Image.new("L", (10, 8), 255)])
    seen.save(tmp_path / "a.png")
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), grey)
    red = Image.new("RGB", (10, 8), (200, 10, 10))
    red.convert("CMYK").save(tmp_path / "a.jpg", quality=95)
    np.testing.assert_allclose(read_image(tmp_path / "a.jpg")[4, 5], (200, 10, 10), atol=12)
    red.save(tmp_path / "a.gif")
    assert read_image(tmp_path / "a.gif").shape == (8, 10, 3)
    transparent = Image.new("RGBA", (10, 8), (200, 10, 10, 128))
    transparent.save(tmp_path / "b.png")
    np.testing.assert_array_equal(read_image(tmp_path / "b.png")[4, 5], (200, 10, 10, 128))
