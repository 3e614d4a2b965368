"""Image files of a data set: found, kept inside the folder, and named."""

from __future__ import annotations

import sys
import unicodedata

import imageio.v3
import numpy as np
import pytest
import tifffile

from napari_dextr.coco import (
    CocoImage,
    MissingImageError,
    find_image,
    open_annotated,
    plane_file_name,
    relative_name,
    write_plane,
)
from napari_dextr.coco.images import check_file_name, check_there
from napari_dextr.errors import DataError


def image(name: str, **extra) -> CocoImage:
    return CocoImage(1, name, 4, 6, extra)


def test_images_are_found_with_and_without_their_folder(tmp_path):
    wanted = image("train\\a.png")
    with pytest.raises(MissingImageError, match="not in"):
        find_image(tmp_path, wanted)
    (tmp_path / "a.png").touch()
    assert find_image(tmp_path, wanted) == tmp_path / "a.png"
    (tmp_path / "train").mkdir()
    (tmp_path / "train" / "a.png").touch()
    assert find_image(tmp_path, wanted) == tmp_path / "train" / "a.png"


@pytest.mark.parametrize(
    "name",
    [
        "../a.png",
        "x/../../a.png",
        "..\\a.png",
        "/etc/passwd",
        "\\\\server\\share\\a.png",
        "C:\\a.png",
        "c:a.png",
        "",
        "/",
        "a\0.png",
    ],
)
def test_names_that_leave_the_folder_are_refused_in_one_sentence(tmp_path, name):
    (tmp_path / "a.png").touch()
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "a.png").touch()
    with pytest.raises(DataError) as caught:
        find_image(tmp_path / "images", image(name))
    assert not isinstance(caught.value, MissingImageError)
    assert "\n" not in str(caught.value)


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights on Windows")
def test_links_out_of_the_folder_are_refused_and_links_inside_are_followed(tmp_path):
    (tmp_path / "secret.png").touch()
    folder = tmp_path / "images"
    folder.mkdir()
    (folder / "a.png").symlink_to(tmp_path / "secret.png")
    with pytest.raises(DataError, match="leads out"):
        find_image(folder, image("a.png"))
    (folder / "deep").symlink_to(tmp_path)
    with pytest.raises(DataError, match="leads out"):
        find_image(folder, image("deep/secret.png"))
    (folder / "b.png").touch()
    (folder / "c.png").symlink_to(folder / "b.png")
    assert find_image(folder, image("c.png")).name == "c.png"


def test_an_image_of_another_size_is_refused(tmp_path):
    imageio.v3.imwrite(tmp_path / "a.png", np.zeros((4, 6), np.uint8))
    imageio.v3.imwrite(tmp_path / "b.png", np.zeros((6, 4), np.uint8))
    assert open_annotated(tmp_path, image("a.png")).shape == (4, 6)
    with pytest.raises(DataError, match="6 x 4 pixels, but the annotations say 4 x 6"):
        open_annotated(tmp_path, image("b.png"))


def test_a_plane_without_a_file_comes_from_its_stack(tmp_path):
    stack = np.arange(3 * 5 * 4 * 6, dtype=np.uint16).reshape(3, 5, 4, 6)
    tifffile.imwrite(tmp_path / "s.tif", stack)
    name = plane_file_name("s.tif", (2, 1))
    plane = image(name, napari_dextr={"source": "s.tif", "plane": [2, 1], "axes": "tz"})
    np.testing.assert_array_equal(open_annotated(tmp_path, plane), stack[2, 1])
    write_plane(tmp_path / name, stack[2, 1])
    np.testing.assert_array_equal(open_annotated(tmp_path, plane), stack[2, 1])
    with pytest.raises(MissingImageError):
        open_annotated(tmp_path, image("t.png", napari_dextr={"source": "t.tif", "plane": [0]}))


def test_names_of_planes_sort_as_the_planes_do():
    assert plane_file_name("stack.tif", (3, 12)) == "stack_t003_z012.png"
    assert plane_file_name("day 1\\cells.ome.tif", (7,), extents=(8,)) == "day 1/cells_z7.png"
    names = [plane_file_name("s.tif", (index,), "z", (120,)) for index in range(120)]
    assert names == sorted(names)
    assert plane_file_name("s.tif", (1, 2, 3, 4)) == "s_a001_b002_c003_d004.png"
    with pytest.raises(DataError, match="a letter and a length"):
        plane_file_name("s.tif", (1, 2), "z")


def test_relative_names_have_forward_slashes(tmp_path):
    assert relative_name(tmp_path / "a" / "b.png", tmp_path) == "a/b.png"
    assert relative_name(tmp_path / "b.png", tmp_path / "a") == "b.png"
    assert check_file_name("a\\b.png") == "a/b.png"


@pytest.mark.parametrize(
    ("plane", "expected"),
    [
        (np.arange(24, dtype=np.uint8).reshape(4, 6), None),
        (np.arange(24, dtype=np.uint16).reshape(4, 6) * 2000, None),
        (np.arange(72, dtype=np.uint8).reshape(4, 6, 3), None),
        (np.linspace(0, 1, 24).reshape(4, 6), (4, 6)),
        (np.zeros((4, 6, 2), np.uint8), (4, 6, 3)),
    ],
)
def test_planes_are_written_as_they_are_or_as_they_look(tmp_path, plane, expected):
    write_plane(tmp_path / "a.png", plane)
    back = imageio.v3.imread(tmp_path / "a.png")
    if expected is None:
        assert back.dtype == plane.dtype
        np.testing.assert_array_equal(back, plane)
    else:
        assert (back.shape, back.dtype) == (expected, np.uint8)


def test_contrast_limits_decide_what_a_float_plane_looks_like(tmp_path):
    write_plane(tmp_path / "a.png", np.array([[0.0, 5.0], [10.0, 20.0]]), limits=(0, 10))
    assert imageio.v3.imread(tmp_path / "a.png").tolist() == [[0, 128], [255, 255]]


@pytest.mark.parametrize(("on_disk", "in_file"), [("NFC", "NFD"), ("NFD", "NFC")])
def test_accents_are_found_however_they_are_spelled(tmp_path, on_disk, in_file):
    """A Mac's file names take them apart."""
    name = "zellkörper.png"
    (tmp_path / unicodedata.normalize(on_disk, name)).write_bytes(b"x")
    found = find_image(tmp_path, CocoImage(1, unicodedata.normalize(in_file, name), 4, 5))
    assert found.read_bytes() == b"x"


def test_a_plane_of_a_stack_counts_as_there(tmp_path):
    tifffile.imwrite(tmp_path / "st.tif", np.zeros((3, 4, 6), np.uint16))
    check_there(tmp_path, image("st_z0.png", napari_dextr={"source": "st.tif", "plane": [0]}))
    with pytest.raises(DataError, match="check the images folder"):
        check_there(tmp_path, image("st_z0.png", napari_dextr={"source": "other.tif", "plane": [0]}))


def test_16_bits_stay_whatever_the_order_of_their_bytes(tmp_path):
    plane = np.arange(20, dtype=">u2").reshape(4, 5) * 3000
    write_plane(tmp_path / "a.png", plane)
    np.testing.assert_array_equal(np.asarray(imageio.v3.imread(tmp_path / "a.png")), plane)


def test_the_picture_of_another_folder_is_not_taken_for_a_missing_one(tmp_path):
    (tmp_path / "a.png").touch()
    other = CocoImage(2, "val/a.png", 4, 6, bare=False)
    for look in (find_image, check_there, open_annotated):
        with pytest.raises(MissingImageError, match=r"val/a\.png"):
            look(tmp_path, other)
    assert find_image(tmp_path, CocoImage(1, "a.png", 4, 6, bare=False)) == tmp_path / "a.png"
