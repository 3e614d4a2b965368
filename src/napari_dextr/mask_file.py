"""Writing masks and labels as image files; the suffix of the name chooses the format."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import numpy.typing as npt

from .errors import OutputError
from .files import atomic_write

MASK_SUFFIXES = (".png", ".tif", ".tiff", ".npy")
"""Suffixes that `write_mask` knows."""


def check_mask_path(path: str | os.PathLike[str]) -> Path:
    """The path, if a mask may be written there; for checking before the work, not after it.

    Raises
    ------
    OutputError
        When the suffix is unknown, the folder does not exist, or a folder of that name does.
    """
    file = Path(path)
    if file.suffix.lower() not in MASK_SUFFIXES:
        raise OutputError(f"'{file}' cannot be written: its name must end in {', '.join(MASK_SUFFIXES)}.")
    if os.path.isdir(file):  # noqa: PTH112 - Path.is_dir raises where a folder may not be entered
        raise OutputError(f"'{file}' is a folder; give the name of a file.")
    if not os.path.isdir(file.parent):  # noqa: PTH112
        raise OutputError(f"The folder '{file.parent}' does not exist; make it or choose another.")
    return file


def write_mask(path: str | os.PathLike[str], mask: npt.ArrayLike) -> None:
    """Write a mask: PNG and TIFF hold 0 and 255, NPY holds bool.

    Parameters
    ----------
    path : path-like
        Ends in one of `MASK_SUFFIXES`. An existing file is replaced in one step.
    mask : (H, W) array of bool

    Raises
    ------
    OutputError
        When the file cannot be written.
    """
    file = check_mask_path(path)
    pixels = np.asarray(mask, dtype=bool)
    if file.suffix.lower() == ".npy":
        with atomic_write(file) as temporary, temporary.open("wb") as stream:
            # np.save does not say why a write fails; the stream does.
            np.lib.format.write_array_header_1_0(stream, np.lib.format.header_data_from_array_1_0(pixels))
            stream.write(pixels.tobytes("F" if np.isfortran(pixels) else "C"))
    else:
        write_image(file, np.where(pixels, np.uint8(255), np.uint8(0)))


def write_image(path: str | os.PathLike[str], image: npt.NDArray[np.generic]) -> None:
    """Write an ``(H, W)`` or ``(H, W, 3)`` image: TIFF with any integers (labels), PNG with uint8.

    Raises
    ------
    OutputError
        When the file cannot be written.
    """
    file = Path(path)
    with atomic_write(file) as temporary:
        if file.suffix.lower() in (".tif", ".tiff"):
            import tifffile

            photometric = "rgb" if image.ndim == 3 else "minisblack"
            tifffile.imwrite(temporary, image, compression="zlib", photometric=photometric)
        else:
            from PIL import Image

            Image.fromarray(image).save(temporary, format="PNG")
