"""Image and label files with damage, and label images out and back in."""

from __future__ import annotations

import io
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import strategies as st

from napari_dextr.coco import ImageLabels, read_coco, read_labels
from napari_dextr.image_file import open_image, open_plane, read_image
from napari_dextr.label_formats import FORMATS, export_labels
from napari_dextr.mask_file import write_mask
from napari_dextr.objects import ObjectClass, ObjectFacts

from .harness import Area, Wrong
from .mutations import byte_edits, damage, mostly

# -- in ----------------------------------------------------------------------------------------------------------------


@cache
def files() -> dict[str, bytes]:
    """Small whole files of every kind that is read."""
    import imageio.v3
    import tifffile

    grey = np.random.default_rng(0).integers(0, 255, (20, 26), np.uint8)
    colour = np.dstack([grey, grey[::-1], grey])

    def tiff(data: Any, **options: Any) -> bytes:
        buffer = io.BytesIO()
        tifffile.imwrite(buffer, data, **options)
        return buffer.getvalue()

    plain = io.BytesIO()
    np.save(plain, grey.astype(np.int32))
    return {
        "grey.tif": tiff(grey),
        "packed.tif": tiff(grey.astype(np.uint16), compression="zlib"),
        "tiles.tif": tiff(np.tile(grey, (3, 3)), tile=(16, 16)),
        "stack.tif": tiff(np.stack([grey] * 4), imagej=True),
        "grey.png": imageio.v3.imwrite("<bytes>", grey, extension=".png"),
        "colour.png": imageio.v3.imwrite("<bytes>", colour, extension=".png"),
        "colour.jpg": imageio.v3.imwrite("<bytes>", colour, extension=".jpg"),
        "labels.npy": plain.getvalue(),
        "colour.gif": imageio.v3.imwrite("<bytes>", colour, extension=".gif"),
    }


_reading = st.tuples(
    st.integers(0, 8),
    byte_edits(2),
    st.sampled_from(["read", "open", "plane"]),
    st.sampled_from(["", "", "", ".png", ".tif", ".npy", ".txt"]),
)


def check_reading(case: Any, folder: Path) -> str:
    number, edits, job, suffix = case
    name = sorted(files())[number]
    path = folder / (name + suffix)
    path.write_bytes(damage(files()[name], edits))
    image = {"read": read_image, "open": open_image, "plane": lambda file: open_plane(file, (1,))}[job](path)
    if not hasattr(image, "shape") or not hasattr(image, "dtype"):
        raise Wrong(f"{type(image).__name__} is no array")
    if int(np.prod(image.shape)) > 10**8:
        raise Wrong(f"{len(files()[name])} bytes became an image of shape {image.shape}")
    return "read"


# -- out ---------------------------------------------------------------------------------------------------------------

_extent = st.one_of(st.integers(1, 40), st.sampled_from([1, 2, 70]))
_odd_names = ["../a.png", "/a.png", "", "a\0b.png", "x" * 300 + ".png"]
_exporting = st.tuples(
    mostly(st.tuples(_extent, _extent), st.lists(st.integers(0, 5), max_size=4).map(tuple)),
    mostly(
        st.sampled_from(["bool", "uint8", "int8", "uint16", "int32", "int64", "uint64"]),
        st.sampled_from(["float32", "complex64", "object"]),
    ),
    st.sampled_from(["squares", "noise", "one", "none", "large", "negative", "lines", "checks"]),
    mostly(st.lists(st.sampled_from(FORMATS), min_size=1, max_size=4, unique=True), st.sampled_from([[], ["dicom"]])),
    mostly(st.sampled_from(["auto", "rle", "polygons"]), st.just("splines")),
    st.integers(0, 3),
    mostly(st.sampled_from(["a.png", "a/b.png", "été 細胞.tif", "a b"]), st.sampled_from(_odd_names)),
)


def labels_of(shape: tuple[int, ...], dtype: str, content: str) -> Any:
    """Labels of a case."""
    rng = np.random.default_rng(len(shape))
    if content == "noise":
        values = rng.integers(0, 4, shape)
    elif content == "checks":
        values = np.indices(shape).sum(axis=0) % 2 if shape else np.zeros(shape, int)
    else:
        values = np.zeros(shape, np.int64)
        number = {"large": 2**40, "negative": -3}.get(content, 2)
        if content != "none":
            values[tuple(slice(1, max(2, extent // 2)) for extent in shape)] = number
        if content == "lines" and shape:
            values[::2] = 3
        if content == "one":
            values[...] = 1
    with np.errstate(all="ignore"):
        return values.astype(dtype)


def check_exporting(case: Any, folder: Path) -> str:
    shape, dtype, content, formats, form, classes, name = case
    labels = labels_of(shape, dtype, content)
    listed = [ObjectClass(number, f"class {number}", "#102030") for number in range(1, classes + 1)]
    facts = {2: ObjectFacts(class_id=2)} if classes > 1 else {}
    path = folder / "out" / "labels.json"
    path.parent.mkdir()
    try:
        export_labels(path, [ImageLabels(name, labels, facts)], listed, formats=formats, segmentation=form)
    except Exception:
        left = [item for item in path.parent.rglob("*") if item.is_file()]
        if left:
            raise Wrong(f"a refused export has left {left}") from None
        raise
    stem = name.rpartition(".")[0] if "." in name[1:] else name
    if "coco" in formats:
        dataset = read_coco(path)
        drawn = read_labels(dataset, next(iter(dataset.images)))
        back = drawn[0].labels if drawn else np.zeros(shape, np.int32)
        values = labels.astype(np.int64)
        renumbered = len(np.unique(back)) == len(np.unique(values)) and ((back != 0) == (values != 0)).all()
        fits = np.abs(values).max(initial=0) < 2**31
        if not ((back == values).all() if fits else renumbered):
            raise Wrong("COCO gives other labels back")
    if "instances" in formats and (read_image(path.parent / "instances" / f"{stem}.tif") != labels).any():
        raise Wrong("the TIFF gives other labels back")
    if "semantic" in formats and (
        (read_image(path.parent / "semantic" / f"{stem}.png") != 0).shape[:2] != labels.shape
    ):
        raise Wrong("the PNG has another shape")
    write_mask(path.parent / "mask.png", labels != 0)
    if ((read_image(path.parent / "mask.png") > 0) != (labels != 0)).any():
        raise Wrong("the mask is another one")
    return "the same labels back"


READING = Area("image files", "image and label files, damaged as bytes", 1500, _reading, check_reading)
EXPORTING = Area(
    "label exports", "labels of every shape and type, out in four formats and back", 1200, _exporting, check_exporting
)
