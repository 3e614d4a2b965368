"""Weights files: damaged headers, wrong tensors, numbers that are none, and pickles that would run code."""

from __future__ import annotations

import io
import json
import pickle
import struct
import zipfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import strategies as st

from napari_dextr import Prompt, load_model
from napari_dextr.models.checkpoint import write_checkpoint
from napari_dextr.models.spec import ModelSpec

from .harness import Area, Wrong
from .images import check_answer
from .mutations import as_bytes, byte_edits, damage, json_edits, reshape

CANARY = "canary"
"""A file that a hostile pickle would make."""

POINTS = [(3, 12), (12, 3), (20, 12), (12, 22)]


@cache
def small() -> bytes:
    """A whole checkpoint of our own, as small as they come."""
    import tempfile

    import torch

    from napari_dextr.models.architectures import build_network

    torch.manual_seed(0)
    options = {"widths": [4, 8], "blocks": [1, 1], "decoder": 4, "pools": [1, 2]}
    spec = ModelSpec("stress", "compact", options, canvas=32, marks=("extreme", "box", "mask"), has_score=True)
    with tempfile.TemporaryDirectory() as folder:
        return write_checkpoint(Path(folder) / "small.safetensors", build_network(spec), spec).read_bytes()


def _taken_apart() -> tuple[dict[str, Any], bytes]:
    data = small()
    (length,) = struct.unpack("<Q", data[:8])
    return json.loads(data[8 : 8 + length]), data[8 + length :]


def _together(header: Any, body: bytes, length: int | None = None) -> bytes:
    text = as_bytes(header)
    return struct.pack("<Q", len(text) if length is None else length) + text + body


def _tensors(change: str, where: float) -> bytes:
    """A whole file whose tensors are not what they should be."""
    import torch
    from safetensors.torch import load, save

    header, _ = _taken_apart()
    state = load(small())
    name = sorted(state)[int(where * len(state))]
    tensor = state[name]
    changed: dict[str, Callable[[], Any]] = {
        "nan": lambda: torch.full_like(tensor, float("nan")),
        "one nan": lambda: torch.where(
            torch.arange(tensor.numel()).reshape(tensor.shape) == 0, float("nan"), tensor.float()
        ),
        "inf": lambda: torch.full_like(tensor, float("inf")),
        "huge": lambda: torch.full(tensor.shape, 3e38),
        "shape": lambda: torch.zeros(*tensor.shape, 2),
        "empty": lambda: torch.zeros(0),
        "whole numbers": lambda: tensor.to(torch.int64),
        "double": lambda: tensor.double(),
        "bool": lambda: tensor.bool(),
    }
    if change == "missing":
        del state[name]
    elif change == "extra":
        state["stranger"] = torch.zeros(3)
    elif change == "none":
        state = {}
    else:
        state[name] = changed[change]()
    return save(state, metadata=header["__metadata__"])


class _Attack:
    """Unpickles to a call."""

    def __init__(self, function: Any, arguments: tuple[Any, ...]) -> None:
        self.call = function, arguments

    def __reduce__(self) -> Any:
        return self.call


def _hostile(kind: str, folder: Path) -> Any:
    """What a hostile pickle holds; whatever runs makes the canary."""
    import builtins
    import os

    program = f"open({str(folder / CANARY)!r}, 'w').close()"
    return {
        "exec": lambda: _Attack(builtins.exec, (program,)),
        "eval": lambda: _Attack(builtins.eval, (program,)),
        "open": lambda: _Attack(open, (str(folder / CANARY), "w")),
        "system": lambda: _Attack(os.system, (f"echo > {folder / CANARY}",)),
        "getattr": lambda: _Attack(builtins.getattr, (_Attack(__import__, ("os",)), "system")),
        "in state": lambda: {"state_dict": {"layer5.final.weight": _Attack(builtins.exec, (program,))}},
        "as name": lambda: {_Attack(builtins.exec, (program,)): 1},
        "pickle in pickle": lambda: _Attack(pickle.loads, (pickle.dumps(_Attack(builtins.exec, (program,))),)),
        "numpy": lambda: {"layer5.final.weight": np.zeros(3, object)},
        "deep": lambda: _deep(),
        "numbers": lambda: {"layer5.final.weight": 10**5000, "b": float("nan")},
        "strings": lambda: ["x" * 10_000] * 50,
        "nothing": lambda: None,
    }[kind]()


def _deep() -> Any:
    value: Any = []
    for _ in range(300):
        value = [value]
    return value


def _pickled(kind: str, wrapping: str, protocol: int, folder: Path) -> bytes:
    import torch

    data = pickle.dumps(_hostile(kind, folder), protocol=protocol)
    if wrapping == "plain":
        return data
    buffer = io.BytesIO()
    if wrapping == "torch":
        torch.save(_hostile(kind, folder), buffer)
        return buffer.getvalue()
    if wrapping == "legacy":
        torch.save(_hostile(kind, folder), buffer, _use_new_zipfile_serialization=False)
        return buffer.getvalue()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("archive/data.pkl", data)
        archive.writestr("archive/version", "3\n")
    return buffer.getvalue()


@cache
def _published() -> bytes:
    """A file in the layout of the published ones, with two small tensors."""
    import torch

    buffer = io.BytesIO()
    torch.save(
        {"module.layer5.final.weight": torch.zeros(1, 8, 1, 1), "module.conv1.weight": torch.ones(4, 3, 7, 7)}, buffer
    )
    return buffer.getvalue()


_KINDS = (
    "exec", "eval", "open", "system", "getattr", "in state", "as name", "pickle in pickle", "numpy", "deep", "numbers",
    "strings", "nothing",
)  # fmt: skip
_CHANGES = (
    "nan",
    "one nan",
    "inf",
    "huge",
    "shape",
    "empty",
    "whole numbers",
    "double",
    "bool",
    "missing",
    "extra",
    "none",
)
_share = st.floats(0, 1, exclude_max=True)
cases: st.SearchStrategy[Any] = st.one_of(
    st.tuples(st.just("header"), json_edits(2), st.none() | st.sampled_from([0, 1, 2**31, 2**63, 10**8, 10**8 + 1])),
    st.tuples(st.just("spec"), json_edits(2)),
    st.tuples(st.just("bytes"), byte_edits()),
    st.tuples(st.just("tensors"), st.sampled_from(_CHANGES), _share),
    st.tuples(
        st.just("pickle"),
        st.sampled_from(_KINDS),
        st.sampled_from(["plain", "torch", "legacy", "zip"]),
        st.integers(2, 5),
    ),
    st.tuples(st.just("published"), byte_edits()),
)


def content(case: Any, folder: Path) -> tuple[str, bytes]:
    """Name and bytes of the file of a case."""
    kind = case[0]
    if kind == "header":
        header, body = _taken_apart()
        return "model.safetensors", _together(reshape(header, case[1]), body, case[2])
    if kind == "spec":
        header, body = _taken_apart()
        # put into a list, so that the whole spec can be damaged as well
        (spec,) = reshape([json.loads(header["__metadata__"]["spec"])], case[1])[:1] or [None]
        header["__metadata__"]["spec"] = as_bytes(spec).decode("ascii")
        return "model.safetensors", _together(header, body)
    if kind == "bytes":
        return "model.safetensors", damage(small(), case[1])
    if kind == "tensors":
        return "model.safetensors", _tensors(case[1], case[2])
    if kind == "pickle":
        return "model.pth", _pickled(case[1], case[2], case[3], folder)
    return "model.pth", damage(_published(), case[1])


def check(case: Any, folder: Path) -> str:
    name, data = content(case, folder)
    path = folder / name
    path.write_bytes(data)
    try:
        model = load_model(path, device="cpu", precision="full")
    finally:
        if (folder / CANARY).exists():
            raise Wrong("opening the file has run code")
    result = model.segment(np.random.default_rng(0).integers(0, 255, (24, 28), np.uint8), Prompt.extreme(POINTS))
    check_answer(result, (24, 28))
    return "mask"


AREA = Area("checkpoints", "weights files: damaged, of wrong shapes, not finite, hostile pickles", 500, cases, check)
