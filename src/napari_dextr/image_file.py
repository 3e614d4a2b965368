"""Reading image files: whole, or lazily where the format allows it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from .errors import ImageError, first_line

_TIFF = (".tif", ".tiff")


def read_image(path: str | os.PathLike[str]) -> Any:
    """Read an image file as an array: ``(H, W)``, ``(H, W, C)``, or more axes for a stack.

    PNG, JPEG and whatever else imageio opens; TIFF through tifffile; ``.npy``.

    Raises
    ------
    ImageError
        If the file is missing or is no image that can be read.
    """
    file = Path(path)
    if not file.exists():
        raise ImageError(f"There is no file '{file}'; check the path.")
    if file.is_dir():
        raise ImageError(f"'{file}' is a folder; give the path of one image file.")
    try:
        if file.suffix.lower() == ".npy":
            return np.load(file, allow_pickle=False)
        if file.suffix.lower() in _TIFF:
            import tifffile

            return tifffile.imread(file)
        return _decode(file)
    except Exception as error:  # every decoder has errors of its own; all mean the same to a user
        raise ImageError(
            f"'{file}' cannot be read as an image ({first_line(error)}); open and save it again as PNG or TIFF."
        ) from None


def _decode(file: Path) -> Any:
    """Whatever imageio opens, in colours that mean what their place says."""
    import imageio.v3

    pixels = np.asarray(imageio.v3.imread(file))
    if pixels.ndim == 4 and len(pixels) == 1:  # a GIF of one frame
        pixels = pixels[0]
    if pixels.ndim == 3 and pixels.shape[2] in (2, 4):
        mode = imageio.v3.immeta(file).get("mode")
        if mode == "LA":  # alpha is no second colour
            pixels = pixels[..., 0]
        elif mode == "CMYK":
            pixels = np.asarray(imageio.v3.imread(file, mode="RGB"))
    return pixels


def open_image(path: str | os.PathLike[str]) -> Any:
    """Open one image plane; of large files only the part that is used is read, where the format allows it.

    Uncompressed TIFF is mapped into memory, tiled TIFF read by tiles (where zarr is installed), a zarr folder by
    chunks; everything else is read whole with `read_image`. Channels come last, wherever the file has them.

    Returns
    -------
    array-like
        ``(H, W)`` or ``(H, W, C)``, or a list of pyramid levels of an OME-Zarr folder.

    Raises
    ------
    ImageError
        If the file is missing, cannot be read, or holds a stack instead of a plane.
    """
    file = Path(path)
    if file.is_dir():
        return _open_zarr(file)
    if file.suffix.lower() not in _TIFF or not file.exists():
        return read_image(file)
    try:
        return _open_tiff(file)
    except ImageError:
        raise
    except Exception as error:
        raise ImageError(f"'{file}' cannot be read as a TIFF ({first_line(error)}); open and save it again.") from None


def open_plane(path: str | os.PathLike[str], plane: Sequence[int]) -> Any:
    """A plane of a stack in a file, by its indices along the leading axes; of a TIFF only that page is read.

    Returns
    -------
    array-like
        As of `open_image`.

    Raises
    ------
    ImageError
        If the file cannot be read, or has no such plane.
    """
    file, place = Path(path), tuple(plane)
    if not place:
        return open_image(file)
    if file.is_dir():
        opened = _open_zarr(file)
        if isinstance(opened, list):
            return [_plane(level, place, file) for level in opened]
        return _plane(opened, place, file)
    page = _tiff_page(file, place) if file.suffix.lower() in _TIFF and file.exists() else None
    return _plane(read_image(file), place, file) if page is None else page


def _plane(stack: Any, place: tuple[int, ...], file: Path) -> Any:
    shape = tuple(int(extent) for extent in stack.shape)
    if len(place) > len(shape) - 2 or any(not 0 <= i < extent for i, extent in zip(place, shape, strict=False)):
        raise ImageError(f"'{file}' has shape {shape}, so it has no plane {place}; check the file.")
    return stack[place]


def _tiff_page(file: Path, place: tuple[int, ...]) -> Any:
    """The page that holds a plane; None where planes are not pages, or the file is not read that way."""
    import tifffile

    try:
        with tifffile.TiffFile(file) as tiff:
            series = tiff.series[0]
            leading = series.shape[: len(place)]
            if series.shape[len(place) :] != series.keyframe.shape or int(np.prod(leading)) != len(series.pages):
                return None
            page = series.pages[int(np.ravel_multi_index(place, leading))]
            return None if page is None else page.asarray()
    except Exception:  # whatever it is, reading the whole file says it in words
        return None


def _open_tiff(file: Path) -> Any:
    import tifffile

    with tifffile.TiffFile(file) as tiff:
        series = tiff.series[0]
        axes = "".join(axis for axis, extent in zip(series.axes, series.shape, strict=True) if extent > 1)
        if len(axes) < 2:  # a line or a point: the reader of planes says what is wrong with it
            return series.asarray()
        if sorted(axes) not in (["X", "Y"], ["S", "X", "Y"], ["C", "X", "Y"]):
            raise ImageError(
                f"'{file}' holds a stack with axes {series.axes} and shape {series.shape}; save the plane you want, "
                "or open the file in napari."
            )
        whole = axes == series.axes
        if whole and series.dataoffset is not None and series.keyframe.is_memmappable:
            array: Any = tifffile.memmap(file, mode="r", series=0)
        elif series.keyframe.is_tiled and whole and axes in ("YX", "YXS") and find_spec("zarr"):
            return _tiles(file)
        else:
            array = np.squeeze(series.asarray())
    return array if axes[-1] in "SC" or len(axes) == 2 else np.moveaxis(array, 0, -1)


def _tiles(file: Path) -> Any:
    import tifffile
    import zarr

    return zarr.open(tifffile.imread(file, aszarr=True, series=0, level=0), mode="r")


def _open_zarr(folder: Path) -> Any:
    if not find_spec("zarr"):
        raise ImageError(f"'{folder}' is a folder; to read it as a zarr image, install the package zarr.")
    import zarr

    try:
        opened: Any = zarr.open(str(folder), mode="r")
        if hasattr(opened, "shape"):
            return opened
        attributes = dict(opened.attrs)
        scales = attributes.get("ome", attributes)["multiscales"][0]["datasets"]
        return [opened[scale["path"]] for scale in scales]
    except Exception as error:
        raise ImageError(
            f"'{folder}' is not a zarr image ({type(error).__name__}); give the path of an image file or a zarr array."
        ) from None
