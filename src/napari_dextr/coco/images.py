"""Image files of a data set: their names, where they lie, and the planes of stacks among them."""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import DataError
from ..file_names import forward_slashes
from ..image_file import open_image, open_plane
from .dataset import CocoImage

_DRIVE = re.compile(r"^[A-Za-z]:")
_AXES = {1: "z", 2: "tz", 3: "ctz"}


class MissingImageError(DataError):
    """A data set names an image file that is not there."""


def check_file_name(file_name: str) -> str:
    """The name with forward slashes, after a check that it stays below the folder of its data set.

    Raises
    ------
    DataError
        When it is absolute, has a drive letter, or climbs with ``..``.
    """
    name = forward_slashes(file_name)
    if not name.strip("/ ") or "\0" in name:
        raise DataError(f"The file name '{file_name}' of an image is empty or holds a character no file name can have.")
    if name.startswith("/") or _DRIVE.match(name):
        raise DataError(
            f"The image '{file_name}' has an absolute path; file names must be relative to the images folder."
        )
    if ".." in name.split("/"):
        raise DataError(f"The image '{file_name}' lies outside the images folder; file names must not hold '..'.")
    return name


def find_image(folder: str | os.PathLike[str], image: CocoImage) -> Path:
    """Path of an image of a data set below `folder`, with the folders that its file name holds.

    Or without them, where no other image of the data set has that bare name.

    Raises
    ------
    DataError
        When its name, or a link, leads out of the folder.
    MissingImageError
        When there is no such file.
    """
    path = _find(folder, image.file_name, bare=image.bare)
    if path is None:
        raise MissingImageError(f"The image '{image.file_name}' is not in '{folder}'; check the images folder.")
    return path


def check_there(folder: str | os.PathLike[str], image: CocoImage) -> None:
    """Raise what `open_annotated` would where an image is missing, without opening it."""
    there = _find(folder, image.file_name, bare=image.bare) is not None
    if image.source is None or there or _find(folder, image.source) is None:
        find_image(folder, image)


def open_annotated(folder: str | os.PathLike[str], image: CocoImage) -> Any:
    """Open an image of a data set (`napari_dextr.image_file.open_image`) and check that its masks fit on it.

    A plane of a stack that has no file of its own is taken from the stack, where that lies in the folder.

    Raises
    ------
    DataError
        If the file is missing, lies outside the folder, or has another size than the annotations say.
    ImageError
        If it cannot be read.
    """
    path = _find(folder, image.file_name, bare=image.bare)
    stack = _find(folder, image.source) if path is None and image.source is not None else None
    if stack is not None:
        opened = open_plane(stack, image.plane)
    else:
        opened = open_image(find_image(folder, image))
    first = opened[0] if isinstance(opened, list) else opened
    if tuple(first.shape[:2]) != (image.height, image.width):
        raise DataError(
            f"The image '{image.file_name}' has {first.shape[0]} x {first.shape[1]} pixels, "
            f"but the annotations say {image.height} x {image.width}."
        )
    return opened


def relative_name(path: str | os.PathLike[str], root: str | os.PathLike[str]) -> str:
    """File name of an image for a data set in the folder `root`: relative, with forward slashes.

    An image elsewhere gets its bare name: absolute paths mean nothing on the next machine.
    """
    inside, base = Path(os.path.realpath(path)), Path(os.path.realpath(root))
    try:
        return inside.relative_to(base).as_posix()
    except ValueError:
        return Path(path).name


def plane_file_name(
    source: str | os.PathLike[str], plane: Sequence[int], axes: str | None = None, extents: Sequence[int] | None = None
) -> str:
    """File name of one plane of a stack: ``stem_``, then a letter and a number for each axis, ``.png``.

    Parameters
    ----------
    source : path-like
        Name of the stack; its folders stay.
    plane : sequence of int
        Indices along the axes that are not displayed, from 0.
    axes : str, optional
        A letter for each of them; by default z, tz or ctz, else a, b, c and on.
    extents : sequence of int, optional
        How long these axes are: numbers get as many digits, so that names sort as the planes do. By default three.

    Examples
    --------
    >>> plane_file_name("day1/cells.tif", (3, 12), "tz", (20, 140))
    'day1/cells_t03_z012.png'
    """
    path = Path(forward_slashes(str(source)))
    letters = axes or _AXES.get(len(plane), "abcdefghijklmnopqrstuvwxyz")
    digits = [3] * len(plane) if extents is None else [len(str(max(extent - 1, 0))) for extent in extents]
    if not len(letters) >= len(plane) == len(digits):
        raise DataError(f"The plane {tuple(plane)} needs a letter and a length for each of its axes.")
    parts = [f"_{letter}{index:0{width}d}" for letter, index, width in zip(letters, plane, digits, strict=False)]
    stem = path.name.removesuffix(path.suffix).removesuffix(".ome")
    return path.with_name(f"{stem}{''.join(parts)}.png").as_posix()


def write_plane(path: str | os.PathLike[str], plane: npt.ArrayLike, limits: tuple[float, float] | None = None) -> None:
    """Write a plane as PNG, which every tool opens.

    Grey of 8 or 16 bits and RGB of 8 bits stay as they are; everything else is written in 8 bits, as the viewer
    shows it between the contrast limits.

    Parameters
    ----------
    path : path-like
    plane : (H, W) or (H, W, C) array
    limits : (low, high), optional

    Raises
    ------
    ImageError
        If it is no image plane.
    OutputError
        When the file cannot be written.
    """
    from ..image import as_plane
    from ..mask_file import write_image

    pixels = np.asarray(plane)
    pixels = pixels.astype(pixels.dtype.newbyteorder("="), copy=False)  # Pillow takes the machine's order only
    grey = pixels.ndim == 2 and pixels.dtype in (np.uint8, np.uint16)
    colour = pixels.ndim == 3 and pixels.shape[2] == 3 and pixels.dtype == np.uint8
    if not (grey or colour):
        flat = pixels.ndim == 2 or pixels.shape[2] == 1
        shown = as_plane(pixels, limits=limits)
        values = shown.read((slice(0, shown.shape[0]), slice(0, shown.shape[1])))
        pixels = np.rint(values[..., 0] if flat else values).astype(np.uint8)
    write_image(path, pixels)


def bare_name(file_name: str) -> str:
    """The name without folders, accents in one form: names that a disk may take for the same are equal."""
    return unicodedata.normalize("NFC", forward_slashes(file_name).rsplit("/", 1)[-1])


def _find(folder: str | os.PathLike[str], file_name: str, *, bare: bool = True) -> Path | None:
    """Where a file lies; with ``bare`` also where it lies there without the folders of its name."""
    name = check_file_name(file_name)
    root = Path(os.path.realpath(folder))
    # a Mac takes accents apart where others do not; a name may have come from either
    forms = [unicodedata.normalize(form, name) for form in ("NFC", "NFD")]
    names = [name, *forms]
    without = [each.rsplit("/", 1)[-1] for each in names] if bare else []
    for candidate in dict.fromkeys([*names, *without]):
        path = Path(folder) / candidate
        if not path.exists():
            continue
        if not Path(os.path.realpath(path)).is_relative_to(root):
            raise DataError(f"The image '{file_name}' is a link that leads out of '{folder}'; copy the file there.")
        if path.is_file() or path.suffix == ".zarr":
            return path
    return None
