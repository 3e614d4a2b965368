"""Images of every shape, type and kind of storage, and four clicks on them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import strategies as st

from napari_dextr import Prompt, load_model
from napari_dextr.segmentation import Segmentation

from .harness import Area, Wrong
from .mutations import mostly

TYPES = (
    "uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "int64", "float16", "float32", "float64",
    "longdouble", "bool", ">u2", ">f4", "complex64", "datetime64[s]", "object", "U3", "V4",
)  # fmt: skip
CONTENTS = (
    "noise", "zeros", "ones", "largest", "least", "nan", "inf", "some nan", "some inf", "huge", "tiny", "gradient",
)  # fmt: skip
LIMITS: tuple[Any, ...] = (
    None, None, (0, 255), (0.0, 1.0), (5, 5), (1, 0), (float("nan"), 1), (0, float("inf")), (-1e308, 1e308),
    (0, 5e-324),
)  # fmt: skip
CHANNELS: tuple[Any, ...] = (None, None, None, (0,), (2, 0), (0, 1, 2), (-1,), (7,), (), (0, 1, 2, 3))


@dataclass(frozen=True)
class Picture:
    """An image in few words."""

    shape: tuple[int, ...]
    dtype: str
    content: str
    storage: str
    limits: Any
    channels: Any
    seed: int


def pixels_of(case: Picture) -> Any:
    """The plain array of a picture."""
    rng = np.random.default_rng(case.seed)
    dtype = np.dtype(case.dtype)
    if dtype.kind not in "buif":
        return np.zeros(case.shape, dtype)
    noise = np.asarray(rng.random(case.shape))
    if dtype.kind == "b":
        return noise > 0.5
    if dtype.kind == "f":
        whole = np.finfo(dtype)
        low, high = whole.min, whole.max
    else:
        bounds = np.iinfo(dtype)
        low, high = bounds.min, bounds.max
    if case.content == "gradient":
        line = np.linspace(0, 200, int(np.prod(case.shape)))
        return line.reshape(case.shape).clip(float(low), float(high)).astype(dtype)
    if case.content in ("largest", "least"):
        return np.full(case.shape, high if case.content == "largest" else low, dtype)
    values = np.array((noise * 100).astype(dtype))
    if case.content in ("zeros", "ones"):
        values[...] = case.content == "ones"
    elif dtype.kind == "f" and case.content in _FLOATS:
        with np.errstate(over="ignore"):
            values = _FLOATS[case.content](values, noise, high)
    return values


_FLOATS: dict[str, Callable[..., Any]] = {
    "nan": lambda values, noise, high: np.full_like(values, np.nan),
    "inf": lambda values, noise, high: np.full_like(values, np.inf),
    "some nan": lambda values, noise, high: np.where(noise > 0.6, np.nan, values).astype(values.dtype),
    "some inf": lambda values, noise, high: np.where(
        noise > 0.6, np.where(noise > 0.8, np.inf, -np.inf), values
    ).astype(values.dtype),
    "huge": lambda values, noise, high: np.where(noise > 0.5, high, -high).astype(values.dtype),
    "tiny": lambda values, noise, high: (noise * float(np.finfo(values.dtype).tiny)).astype(values.dtype),
}


class Broken(Exception):
    """What a reader of somebody else may raise."""


def _dask(array: Any, folder: Path) -> Any:
    import dask.array as da

    return da.from_array(array, chunks=tuple(max(1, extent // 2) for extent in array.shape))


def _dask_unknown(array: Any, folder: Path) -> Any:
    import dask.array as da

    if not array.ndim:
        return array
    flat = da.from_array(np.ascontiguousarray(array))
    return flat[da.from_array(np.ones(array.shape[0], bool), chunks=-1)]


def _failing(error: Exception) -> Callable[[Any, Path], Any]:
    def make(array: Any, folder: Path) -> Any:
        import dask.array as da

        def chunk(block: Any) -> Any:
            raise error

        return da.map_blocks(
            chunk, _dask(array, folder), dtype=array.dtype, meta=np.empty((0,) * array.ndim, array.dtype)
        )

    return make


def _zarr(array: Any, folder: Path) -> Any:
    import zarr

    if array.dtype.kind not in "buif" or array.dtype == np.longdouble or not array.size:
        return array
    store = zarr.open(
        str(folder / "image.zarr"),
        mode="w",
        shape=array.shape,
        chunks=tuple(max(1, n // 2) for n in array.shape),
        dtype=array.dtype,
    )
    store[...] = array
    return store


def _zarr_damaged(array: Any, folder: Path) -> Any:
    store = _zarr(array, folder)
    for path in sorted((folder / "image.zarr").rglob("*")) if hasattr(store, "store") else []:
        if path.is_file() and "json" not in path.name and not path.name.startswith(".z"):
            path.write_bytes(path.read_bytes()[:-7] + b"damaged")
    return store


def _memory_map(array: Any, folder: Path) -> Any:
    if array.dtype.hasobject or not array.size:
        return array
    np.save(folder / "image.npy", array)
    return np.load(folder / "image.npy", mmap_mode="r")


def _read_only(array: Any, folder: Path) -> Any:
    array = np.array(array)
    array.flags.writeable = False
    return array


def _strided(array: Any, folder: Path) -> Any:
    if array.ndim < 2:
        return array[::-1]
    return np.repeat(np.repeat(array, 2, axis=0), 3, axis=1)[::-2, ::3]


def _masked(array: Any, folder: Path) -> Any:
    return np.ma.masked_array(array, mask=np.random.default_rng(0).random(array.shape) > 0.5)


def _pyramid(array: Any, folder: Path) -> Any:
    return [array, array[::2, ::2], array[::4, ::4]] if array.ndim >= 2 else [array]


def _odd_pyramid(array: Any, folder: Path) -> Any:
    return [array, array[:1], np.zeros((3, 3, 3, 3)), array[:0]]


def _tensor(array: Any, folder: Path) -> Any:
    import torch

    try:
        return torch.from_numpy(np.ascontiguousarray(array))
    except (TypeError, ValueError):
        return array


STORAGES: dict[str, Callable[[Any, Path], Any]] = {
    "numpy": lambda array, folder: array,
    "fortran": lambda array, folder: np.asfortranarray(array),
    "strided": _strided,
    "read only": _read_only,
    "masked": _masked,
    "list": lambda array, folder: array.tolist(),
    "tensor": _tensor,
    "memory map": _memory_map,
    "dask": _dask,
    "dask of unknown shape": _dask_unknown,
    "dask that raises OSError": _failing(OSError(5, "Input/output error")),
    "dask that raises MemoryError": _failing(MemoryError()),
    "dask that raises its own": _failing(Broken("decoder 17")),
    "dask that raises ZeroDivisionError": _failing(ZeroDivisionError("division by zero")),
    "zarr": _zarr,
    "damaged zarr": _zarr_damaged,
    "pyramid": _pyramid,
    "odd pyramid": _odd_pyramid,
}

_side = mostly(st.integers(4, 90), st.sampled_from([2, 3, 300]))
_odd_shapes = st.one_of(
    st.tuples(st.integers(0, 3), st.integers(0, 90)), st.lists(st.integers(0, 6), max_size=5).map(tuple)
)
_shapes = st.one_of(st.tuples(_side, _side), st.tuples(_side, _side), st.tuples(_side, _side, st.integers(1, 4)))
cases: st.SearchStrategy[Picture] = st.builds(
    Picture,
    shape=mostly(_shapes, st.one_of(_odd_shapes, st.tuples(_side, _side, st.integers(0, 6)))),
    dtype=mostly(st.sampled_from(TYPES[:15]), st.sampled_from(TYPES[15:])),
    content=st.sampled_from(CONTENTS),
    storage=st.sampled_from(sorted(STORAGES)),
    limits=mostly(st.sampled_from(LIMITS[:4]), st.sampled_from(LIMITS)),
    channels=mostly(st.none(), st.sampled_from(CHANNELS)),
    seed=st.integers(0, 99),
)


@cache
def model() -> Any:
    """The model that comes with the plugin, on one thread."""
    import torch

    torch.set_num_threads(1)
    return load_model(device="cpu", precision="full")


def check(case: Picture, folder: Path) -> str:
    plain = pixels_of(case)
    image = STORAGES[case.storage](plain, folder)
    height, width = (*plain.shape, 2, 2)[:2]
    points = [
        (0.1 * height, 0.5 * width),
        (0.5 * height, 0.1 * width),
        (0.9 * height, 0.6 * width),
        (0.6 * height, 0.9 * width),
    ]
    before = np.array(plain, copy=True)
    result = model().segment(image, Prompt.extreme(points), channels=case.channels, limits=case.limits)
    if before.dtype.kind in "buif" and before.tobytes() != np.asarray(plain).tobytes():
        raise Wrong("the image was changed")
    check_answer(result, (height, width))
    return "mask"


def check_answer(result: Segmentation, shape: tuple[int, int]) -> None:
    """Raise `Wrong` unless an answer is a mask on a plane of this shape."""
    rows, cols = result.region
    inside = 0 <= rows.start < rows.stop <= shape[0] and 0 <= cols.start < cols.stop <= shape[1]
    if not inside or result.probability.shape != (rows.stop - rows.start, cols.stop - cols.start):
        raise Wrong(f"region {result.region}, probability {result.probability.shape}, plane {shape}")
    if not np.isfinite(result.probability).all() or result.probability.min() < 0 or result.probability.max() > 1:
        raise Wrong("a probability is none")
    if result.score is not None and not 0 <= result.score <= 1:
        raise Wrong(f"score {result.score}")
    full = result.full_mask()
    if full.shape != shape or full.dtype != bool or full.sum() != result.mask.sum():
        raise Wrong(f"mask {full.dtype} {full.shape} of plane {shape}")


AREA = Area("images", "images of every shape, type and storage; four clicks on each", 400, cases, check)
