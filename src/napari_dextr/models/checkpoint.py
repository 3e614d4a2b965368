"""Checkpoint files: what they hold, and how they are read and written.

Two layouts are known. The project's own is safetensors with the `ModelSpec` in the header. The other is that of the
authors' published DEXTR models: a pickle of tensors, which is read without running any code.
"""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import DataError, ModelError
from ..files import atomic_write
from .architectures import build_network
from .catalogue import PUBLISHED, published_spec
from .spec import ModelSpec

if TYPE_CHECKING:
    import torch

    State = dict[str, torch.Tensor]

RUN_FILES = ("best.safetensors", "model.safetensors")
"""What is looked for in a run folder, in this order."""

_NESTS = ("state_dict", "model_state_dict", "model", "net")
_COUNTER = "num_batches_tracked"
_HALF_LIMIT = 65504.0
_LARGEST_HEADER = 100_000_000  # the safetensors format's own limit, bytes


def weights_file(source: str | Path) -> Path:
    """The weights file of a path: the file itself, or the best one of a run folder.

    Raises
    ------
    ModelError
        If there is none.
    """
    path = Path(source).expanduser()
    if path.is_dir():
        for name in RUN_FILES:
            if (path / name).is_file():
                return path / name
        raise ModelError(
            f"The folder '{path}' holds no weights ({' or '.join(RUN_FILES)}); choose the folder of a finished run."
        )
    if not path.is_file():
        raise ModelError(f"The weights file '{path}' does not exist; check the path.")
    return path


def read_header(source: str | Path, *, whole: bool = False) -> tuple[dict[str, Any], int]:
    """The header of one of the project's own checkpoints, and where in the file the tensors begin (bytes).

    Parameters
    ----------
    source : str or Path
        A ``.safetensors`` file, or a run folder.
    whole : bool
        Refuse a file that is shorter than its header says.

    Raises
    ------
    ModelError
        If the file is missing or broken.
    """
    path = weights_file(source)
    try:
        with path.open("rb") as file:
            (length,) = struct.unpack("<Q", file.read(8))
            if length > _LARGEST_HEADER:
                raise ValueError("header too long")
            header = json.loads(file.read(length))
            size = file.seek(0, os.SEEK_END)
        ends = [tensor["data_offsets"][1] for name, tensor in header.items() if name != "__metadata__"] if whole else []
        if ends and 8 + length + max(ends) > size:
            raise ValueError("tensors are missing")
    except OSError as error:
        raise _unreadable(path, error) from error
    except (struct.error, ValueError, AttributeError, KeyError, IndexError, TypeError, RecursionError) as error:
        raise _broken(path) from error
    return header, 8 + length


def read_spec(source: str | Path) -> ModelSpec:
    """The spec of one of the project's own checkpoints, from its header alone; loads no tensor.

    Raises
    ------
    ModelError
        If the file is missing, broken or holds no spec.
    """
    path = weights_file(source)
    header, _ = read_header(path)
    try:
        text = header.get("__metadata__", {}).get("spec")
    except AttributeError as error:
        raise _broken(path) from error
    if not isinstance(text, str):
        raise ModelError(
            f"'{path}' does not say how its network is run (no spec in its header); use one exported by napari-dextr."
        )
    return ModelSpec.from_json(text)


def read_checkpoint(source: str | Path) -> tuple[ModelSpec, State]:
    """Read a checkpoint of either layout.

    Parameters
    ----------
    source : str or Path
        A ``.safetensors`` file of this project, a published DEXTR ``.pth`` (psp or atrous head; ``module.`` before
        the names, ``num_batches_tracked`` and a surrounding ``state_dict`` are optional), or a run folder.

    Returns
    -------
    spec : ModelSpec
    state : dict of str to torch.Tensor
        Fits the network of ``spec`` strictly; floating-point tensors are float32, on the CPU.

    Raises
    ------
    ModelError
        If the file is missing, truncated, of an unknown layout, or would run code when loaded.
    """
    path = weights_file(source)
    try:
        with path.open("rb") as file:
            start = file.read(512)
    except OSError as error:
        raise _unreadable(path, error) from error
    if len(start) < 16:
        raise _broken(path)
    if start.lstrip().lower().startswith((b"<!doctype", b"<html", b"<?xml", b"<head")):
        raise ModelError(f"'{path}' is a web page, not weights; delete it and download the file again.")
    if start[8:9] == b"{":
        spec, state = read_spec(path), _read_tensors(path)
    elif start[:1] == b"\x80" or start[:4] == b"PK\x03\x04":
        spec, state = _recognise(path, _read_pickle(path))
    else:
        raise _unknown(path)
    return spec, _fitted(path, spec, state)


def load_network(source: str | Path) -> tuple[ModelSpec, torch.nn.Module]:
    """Read a checkpoint and make its network, in evaluation mode, float32, on the CPU.

    Raises
    ------
    ModelError
        As `read_checkpoint`.
    """
    import torch

    spec, state = read_checkpoint(source)
    with torch.device("meta"):  # nothing is drawn at random only to be overwritten
        network = build_network(spec)
    check = getattr(network, "check_canvas", None)
    if check is not None:
        try:
            check(spec.canvas)  # now, not at the first click
        except DataError as error:
            raise ModelError(f"'{source}' cannot be run: {error}") from None
    network.load_state_dict(state, strict=True, assign=True)
    if any(tensor.is_meta for tensor in (*network.parameters(), *network.buffers())):
        network = build_network(spec)  # it computes buffers of its own that no checkpoint holds
        network.load_state_dict(state, strict=True)
    return spec, network.eval()


def write_checkpoint(
    path: str | Path,
    network: torch.nn.Module | Mapping[str, torch.Tensor],
    spec: ModelSpec,
    dtype: torch.dtype | None = None,
) -> Path:
    """Write a checkpoint of the project's own layout, completely or not at all.

    Parameters
    ----------
    path : str or Path
        A ``.safetensors`` file; its folder must exist.
    network : torch.nn.Module or mapping of str to torch.Tensor
        A network, or its state.
    spec : ModelSpec
    dtype : torch.dtype, optional
        Type that weights are stored in, float16 unless told. Normalisation statistics, and tensors whose values
        leave its range, stay float32.

    Raises
    ------
    ModelError
        If a weight is not a finite number.
    OutputError
        If the file cannot be written.
    """
    import torch
    from safetensors.torch import save

    state = network.state_dict() if isinstance(network, torch.nn.Module) else network
    stored = torch.float16 if dtype is None else dtype
    tensors: State = {}
    for name, tensor in state.items():
        if name.endswith(_COUNTER):
            continue
        tensor = tensor.detach().cpu()
        if tensor.is_floating_point():
            if not bool(torch.isfinite(tensor).all()):
                raise ModelError(
                    f"The weights '{name}' are not finite numbers, so '{path}' was not written; "
                    "the training diverged: lower its learning rate."
                )
            statistics = name.endswith(("running_mean", "running_var"))
            too_large = stored == torch.float16 and tensor.numel() and float(tensor.abs().max()) > _HALF_LIMIT
            tensor = tensor.to(torch.float32 if statistics or too_large else stored)
        tensors[name] = tensor.contiguous().clone()
    with atomic_write(path) as temporary:
        temporary.write_bytes(save(tensors, metadata={"spec": spec.to_json(), "format": "pt"}))
    return Path(path)


def _read_tensors(path: Path) -> State:
    from safetensors import SafetensorError
    from safetensors.torch import load

    try:
        state: State = load(path.read_bytes())  # not mapped: the file may be replaced while the model is in use
    except OSError as error:
        raise _unreadable(path, error) from error
    except (SafetensorError, ValueError) as error:
        raise _broken(path) from error
    return state


def _read_pickle(path: Path) -> Any:
    import pickle

    import torch

    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        if "truncated" in str(error).lower():
            raise _broken(path) from error
        raise ModelError(
            f"'{path}' holds more than tensors and could run code when opened, so it was refused; "
            "use weights saved as a plain state_dict, or a .safetensors file."
        ) from error
    except MemoryError as error:
        raise ModelError(f"There is not enough memory to open '{path}'; close other programs.") from error
    except Exception as error:  # a damaged pickle can raise anything
        raise _broken(path) from error


def _recognise(path: Path, content: Any) -> tuple[ModelSpec, State]:
    """Spec and state of what a published file holds; `ModelError` where it is something else."""
    import torch

    for nest in _NESTS:
        if isinstance(content, Mapping) and isinstance(content.get(nest), Mapping):
            content = content[nest]
    if not isinstance(content, Mapping) or not content:
        raise _unknown(path)
    state: State = {}
    for name, value in content.items():
        if not isinstance(name, str) or not isinstance(value, torch.Tensor):
            raise _unknown(path)
        while name.startswith("module."):
            name = name.removeprefix("module.")
        state[name] = value
    if "layer5.final.weight" in state:
        head = "psp"
    elif "layer5.conv2d_list.0.weight" in state:
        head = "atrous"
    else:
        raise _unknown(path)
    known = {entry.file_name: entry for entry in PUBLISHED}
    if path.name in known:
        return replace(known[path.name].spec, options={"head": head}), state
    return published_spec(path.stem, head, {"file": path.name}), state


def _fitted(path: Path, spec: ModelSpec, state: State) -> State:
    """The state as float32, checked name by name against the network of the spec."""
    import torch

    with torch.device("meta"):
        expected = build_network(spec).state_dict()
    fitted: State = {}
    for name, there in expected.items():
        if name not in state and name.endswith(_COUNTER):
            fitted[name] = torch.zeros((), dtype=torch.int64)
        elif name not in state:
            raise ModelError(f"'{path}' lacks the weights '{name}' of the model '{spec.name}'; get the complete file.")
        elif state[name].shape != there.shape:
            shapes = f"{tuple(state[name].shape)} instead of {tuple(there.shape)}"
            raise ModelError(f"In '{path}' the weights '{name}' have shape {shapes}; the file is of another model.")
        else:
            fitted[name] = state[name].to(there.dtype) if there.is_floating_point() else state[name]
            if not bool(torch.isfinite(fitted[name]).all()):
                raise ModelError(
                    f"In '{path}' the weights '{name}' are not finite numbers; use another file of the model."
                )
    extra = [name for name in state if name not in expected and not name.endswith(_COUNTER)]
    if extra:
        raise ModelError(
            f"'{path}' holds weights that the model '{spec.name}' has no place for ('{extra[0]}'"
            + (f" and {len(extra) - 1} more" if len(extra) > 1 else "")
            + "); the file is of another model."
        )
    return fitted


def _unreadable(path: Path, error: OSError) -> ModelError:
    return ModelError(f"'{path}' cannot be read ({error.strerror or error}); check its permissions.")


def _broken(path: Path) -> ModelError:
    return ModelError(f"'{path}' is incomplete or damaged; delete it and download or copy it again.")


def _unknown(path: Path) -> ModelError:
    return ModelError(
        f"'{path}' is not in a layout this plugin knows; it opens published DEXTR checkpoints (.pth) "
        "and its own .safetensors files."
    )
