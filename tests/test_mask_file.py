"""Masks on disk: what the suffix says, whole, or a sentence why not."""

from __future__ import annotations

import imageio.v3
import numpy as np
import pytest
import tifffile

from napari_dextr.errors import OutputError
from napari_dextr.mask_file import check_mask_path, write_image, write_mask

MASK = np.random.default_rng(0).random((13, 17)) > 0.6


def test_png_and_tiff_hold_0_and_255(tmp_path):
    for name in ("a.png", "a.tif", "A.TIFF"):
        write_mask(tmp_path / name, MASK)
        np.testing.assert_array_equal(imageio.v3.imread(tmp_path / name), np.where(MASK, 255, 0))


def test_npy_holds_bool(tmp_path):
    write_mask(tmp_path / "a.npy", MASK)
    loaded = np.load(tmp_path / "a.npy")
    assert loaded.dtype == bool
    np.testing.assert_array_equal(loaded, MASK)


def test_masks_in_any_memory_order_come_back(tmp_path):
    for number, mask in enumerate((np.asfortranarray(MASK), MASK[::2, ::-1], MASK.T, np.zeros((0, 3), bool))):
        write_mask(tmp_path / f"{number}.npy", mask)
        np.testing.assert_array_equal(np.load(tmp_path / f"{number}.npy"), mask)


def test_labels_keep_their_type_and_colours_their_axes(tmp_path):
    labels = np.arange(221, dtype=np.uint16).reshape(13, 17) * 300
    write_image(tmp_path / "labels.tif", labels)
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "labels.tif"), labels)
    colours = np.random.default_rng(0).integers(0, 256, (13, 17, 3), np.uint8)
    for name in ("c.tif", "c.png"):
        write_image(tmp_path / name, colours)
        np.testing.assert_array_equal(imageio.v3.imread(tmp_path / name), colours)


@pytest.mark.parametrize("name", ["mask.jpg", "mask", "mask.png.txt"])
def test_unknown_suffixes_are_refused(tmp_path, name):
    with pytest.raises(OutputError, match=r"must end in \.png, \.tif"):
        write_mask(tmp_path / name, MASK)
    assert list(tmp_path.iterdir()) == []


def test_folders_in_the_way_and_missing_ones_are_named(tmp_path):
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(OutputError, match="is a folder"):
        check_mask_path(tmp_path / "folder.png")
    with pytest.raises(OutputError, match="does not exist"):
        check_mask_path(tmp_path / "no" / "mask.png")
    assert check_mask_path(str(tmp_path / "mask.png")) == tmp_path / "mask.png"
