"""Checkpoints of a run: the last one and the one before, so that no crash in between loses both."""

from __future__ import annotations

import io
import os
import zipfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch

from ..errors import ModelError
from ..files import atomic_write, temporaries

CHECKPOINT = "last.pt"
EARLIER = "previous.pt"
BEST = "best.pt"

State = dict[str, Any]


def save(folder: Path, state: Mapping[str, Any]) -> None:
    """Write a checkpoint; the one before becomes ``previous.pt``.

    At every moment of this, one complete checkpoint is there. When the disk is full, both earlier ones stay.

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    last = folder / CHECKPOINT
    with atomic_write(last) as part:
        _write(part, state)
        with suppress(FileNotFoundError):
            os.replace(last, folder / EARLIER)


def save_best(folder: Path, state: Mapping[str, Any]) -> None:
    """Write the best weights so far to ``best.pt``; as `save`, completely or not at all."""
    with atomic_write(folder / BEST) as part:
        _write(part, state)


def load(folder: Path) -> tuple[State | None, str | None]:
    """The newest checkpoint that is whole, and a sentence where that is not the last one.

    Returns
    -------
    state : dict or None
        None where the run has no checkpoint yet.
    notice : str or None

    Raises
    ------
    ModelError
        If there are checkpoints, but none that can be read.
    """
    found = [folder / name for name in (CHECKPOINT, EARLIER) if (folder / name).exists()]
    reasons: list[str] = []
    for path in found:
        try:
            state = read(path)
        except ModelError as error:
            reasons.append(str(error))
            continue
        if not reasons:
            return state, None
        return state, f"{reasons[0]} The run goes on from the checkpoint before it, of step {state.get('step')}."
    if not found:
        return None, None
    raise ModelError(f"The run in '{folder}' cannot be resumed: {reasons[0]} Move it away to start the run afresh.")


def read(path: Path) -> State:
    """Read one file written by `save` or `save_best`, all of it checked against its checksums.

    Raises
    ------
    ModelError
        If it is damaged, or no such file.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()  # PyTorch itself does not compare the checksums
        if damaged is not None:
            raise ValueError(f"'{damaged}' in it is damaged")
        state = torch.load(path, map_location="cpu", weights_only=True)
        if not isinstance(state, dict):
            raise ValueError("it holds no state")
    except MemoryError:
        raise ModelError(f"There is not enough memory to open '{path}'; close other programs.") from None
    except Exception as error:  # a damaged archive or pickle can raise anything
        raise ModelError(f"The checkpoint '{path.name}' cannot be read ({type(error).__name__}).") from error
    return state


def sweep(folder: Path) -> None:
    """Remove what a process that was killed while writing left behind."""
    for name in (CHECKPOINT, EARLIER, BEST):
        for orphan in temporaries(folder / name):  # whoever holds the folder's lock is alone with them
            with suppress(OSError):
                orphan.unlink()


def remove(folder: Path) -> None:
    """Remove the checkpoints of a run that is over and will not go on."""
    for name in (CHECKPOINT, EARLIER, BEST):
        with suppress(OSError):
            (folder / name).unlink()


def _write(path: Path, state: Mapping[str, Any]) -> None:
    # by way of memory: on a full disk PyTorch's own writer dies of internal errors, a file says what is wrong
    buffer = io.BytesIO()
    torch.save(dict(state), buffer)
    with path.open("wb") as file:
        file.write(buffer.getbuffer())
        file.flush()
        os.fsync(file.fileno())
