"""The library: models that people trained themselves, kept in one folder under names they chose.

A model is one ``.safetensors`` file; its name is the file's. Nothing in the folder is ever replaced, and nothing but
the file that is meant is touched, so several programs may work in it at once.
"""

from __future__ import annotations

import difflib
import json
import os
import shutil
import struct
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..errors import ModelError, OutputError
from ..files import atomic_write, make_folder, move_new, reason_of
from ..places import data_folder
from .catalogue import BUILT_IN
from .checkpoint import RUN_FILES, read_checkpoint, read_header, read_spec, weights_file, write_checkpoint
from .naming import RESERVED, check_name, composed, folded, tidy_name
from .spec import ModelSpec

MODELS_VARIABLE = "NAPARI_DEXTR_MODELS"
"""Environment variable that moves the folder."""

SUFFIX = ".safetensors"

_MOST_TRIES = 100


@dataclass(frozen=True)
class OwnModel:
    """A model of the library.

    Attributes
    ----------
    name : str
        What it is asked for by.
    path : Path
        Its weights.
    spec : ModelSpec
        How it is run, under that name; where it comes from is ``spec.provenance``
        (`napari_dextr.models.provenance.describe`).
    stamp : (time, size, number)
        Of the file: when it was written (nanoseconds), bytes, its number on the disk. A renamed model keeps it.
    """

    name: str
    path: Path
    spec: ModelSpec
    stamp: tuple[int, int, int]

    @property
    def size(self) -> int:
        """Size of the file, bytes."""
        return self.stamp[1]


def models_folder() -> Path:
    """Folder of the library, whether it is there or not: `NAPARI_DEXTR_MODELS`, or one of the user's data folder."""
    chosen = os.environ.get(MODELS_VARIABLE, "").strip()
    return Path(chosen).expanduser() if chosen else data_folder() / "models"


def own_models(folder: str | os.PathLike[str] | None = None) -> tuple[OwnModel, ...]:
    """The models of the library, the newest first. Files that are no such models are passed over.

    Parameters
    ----------
    folder : path-like, optional
        Another folder than `models_folder`; so for every function here.
    """
    found = [model for model in _looked_at(folder).values() if isinstance(model, OwnModel)]
    return tuple(sorted(found, key=lambda model: (-model.stamp[0], model.name)))


def unusable_models(folder: str | os.PathLike[str] | None = None) -> dict[str, str]:
    """Names of weights files in the library that cannot be used, each with a sentence that says why and what to do."""
    return {name: model for name, model in _looked_at(folder).items() if isinstance(model, str)}


def keep_model(
    path: str | os.PathLike[str], name: str | None = None, folder: str | os.PathLike[str] | None = None
) -> OwnModel:
    """Copy a trained model into the library.

    Parameters
    ----------
    path : path-like
        A weights file (``.safetensors``, or a DEXTR ``.pth``), or a run folder. It is read completely, and left as it
        is.
    name : str, optional
        Name in the library; by default that of the run, or of the file. Where it is taken, a number follows it:
        ``"cells"``, ``"cells 2"``.
    folder : path-like, optional

    Returns
    -------
    OwnModel
        What was kept, under the name it got.

    Raises
    ------
    ModelError
        If the file is no model that this version can run, or the name cannot be used.
    OutputError
        If the library cannot be written; it is as it was.
    """
    import torch

    wanted = None if name is None else check_name(name)
    source = weights_file(Path(path))
    spec, state = read_checkpoint(source)  # all of it: a broken file is no model
    wanted = wanted or tidy_name(_usual_name(source, spec))
    try:
        place = make_folder(_place(folder))
        for _ in range(_MOST_TRIES):
            free = _free_name(wanted, place)
            target = place / f"{free}{SUFFIX}"
            try:
                with atomic_write(target, replace=False) as temporary:
                    if _is_own_layout(source):
                        _copy(source, temporary, free)
                    else:  # float32, as the authors' files are
                        write_checkpoint(temporary, state, replace(spec, name=free), dtype=torch.float32)
                return _model(free, target)
            except OutputError as error:
                if not isinstance(error.__cause__, FileExistsError):  # somebody was quicker with this name
                    raise
        raise OutputError(f"The name '{wanted}' could not be taken in '{place}'; choose another.")
    except OutputError as error:
        raise OutputError(
            f"The model was not kept: {error} The folder of your models can be moved in napari's preferences, or with "
            f"{MODELS_VARIABLE}."
        ) from error


def rename_model(name: str, new: str, folder: str | os.PathLike[str] | None = None) -> OwnModel:
    """Give a model of the library another name.

    Raises
    ------
    ModelError
        If there is no such model, or the new name cannot be used or is taken.
    OutputError
        If the folder cannot be written.
    """
    file = _file_named(name, folder)
    new = check_name(new)
    target = file.with_name(f"{new}{SUFFIX}")
    if new == name:
        return _model(new, file)
    others = {folded(other.stem) for other in _weights_in(file.parent) if other != file}
    try:
        if folded(new) in others:
            raise FileExistsError
        if folded(new) == folded(name):  # upper and lower case alone: one name to some disks
            file.rename(target)
        else:
            move_new(file, target)
    except FileExistsError:
        raise ModelError(
            f"You have a model '{new}' already; choose another name, e.g. '{_free_name(new, file.parent)}'."
        ) from None
    except FileNotFoundError:
        raise _unknown(name, folder) from None
    except OSError as error:
        raise OutputError(f"The model '{name}' cannot be renamed: {reason_of(error)}.") from error
    return _model(new, target)


def remove_model(name: str, folder: str | os.PathLike[str] | None = None) -> None:
    """Delete a model of the library: its file, and nothing else. The run that it came from stays.

    Raises
    ------
    ModelError
        If there is no such model.
    OutputError
        If it cannot be deleted.
    """
    file = _file_named(name, folder)
    try:
        file.unlink()
    except FileNotFoundError:
        raise _unknown(name, folder) from None
    except OSError as error:
        raise OutputError(f"The model '{name}' cannot be removed: {reason_of(error)}.") from error


def export_model(
    name: str,
    destination: str | os.PathLike[str],
    folder: str | os.PathLike[str] | None = None,
    *,
    overwrite: bool = False,
) -> Path:
    """Copy a model of the library to a file for others, which holds all that is needed to run it, and its name.

    Parameters
    ----------
    name : str
    destination : path-like
        A file, which gets the suffix ``.safetensors`` unless it has it, or a folder that exists.
    folder : path-like, optional
    overwrite : bool
        Whether a file that is there may be replaced.

    Raises
    ------
    ModelError
        If there is no such model, or its file is broken.
    OutputError
        If the file cannot be written, or is there and may not be replaced.
    """
    file = _file_named(name, folder)
    target = Path(destination).expanduser()
    if target.is_dir():
        target = target / f"{name}{SUFFIX}"
    elif target.suffix.lower() != SUFFIX:
        target = target.with_name(f"{target.name}{SUFFIX}")
    with atomic_write(target, replace=overwrite) as temporary:
        _copy(file, temporary, name)
    return target


# -- files ------------------------------------------------------------------------------------------------------------


_known: dict[Path, tuple[tuple[int, int, int], OwnModel | str]] = {}
"""What each file was found to be, as long as its stamp is the same."""


def _place(folder: str | os.PathLike[str] | None) -> Path:
    return models_folder() if folder is None else Path(folder)


def _weights_in(place: Path) -> list[Path]:
    """Weights files of a folder, broken ones too; none where there is no folder that can be read."""
    try:
        with os.scandir(place) as entries:
            return [place / entry.name for entry in entries if _is_weights(entry)]
    except OSError:
        return []


def _is_weights(entry: os.DirEntry[str]) -> bool:
    named = entry.name.endswith(SUFFIX) and not entry.name.startswith(".")
    readable = not any("\ud800" <= character <= "\udfff" for character in entry.name)  # bytes that are no text
    return named and readable and entry.is_file()


def _looked_at(folder: str | os.PathLike[str] | None) -> dict[str, OwnModel | str]:
    """Every weights file of the library by its name, with its model or with the reason why it is none."""
    found: dict[str, OwnModel | str] = {}
    for path in _weights_in(_place(folder)):
        name = composed(path.stem)
        try:
            stamp = _stamp(path)
        except OSError:  # it has just been removed, or renamed
            continue
        known = _known.get(path)
        if known is None or known[0] != stamp:
            _known[path] = known = (stamp, _look_at(name, path))
        found[name] = known[1]
    return found


def _look_at(name: str, path: Path) -> OwnModel | str:
    if folded(name) in RESERVED:
        return f"'{path}' has a name that means something else; give the file another one to use it."
    try:
        return _model(name, path)
    except ModelError as error:
        return str(error)


def _model(name: str, path: Path) -> OwnModel:
    spec = replace(read_spec(path), name=name)
    read_header(path, whole=True)
    try:
        return OwnModel(name, path, spec, _stamp(path))
    except OSError as error:
        raise ModelError(f"'{path}' cannot be read ({error.strerror or error}).") from error


def _stamp(path: Path) -> tuple[int, int, int]:
    facts = path.stat()
    return facts.st_mtime_ns, facts.st_size, facts.st_ino


def _file_named(name: str, folder: str | os.PathLike[str] | None) -> Path:
    """File of a name, whatever it holds."""
    place = _place(folder)
    for file in _weights_in(place):
        if composed(file.stem) == composed(name):
            return file
    raise _unknown(name, folder)


def _unknown(name: str, folder: str | os.PathLike[str] | None) -> ModelError:
    if name in BUILT_IN:
        return ModelError(f"The model '{name}' comes with napari-dextr; this is for models of your own.")
    own = {folded(model.name): model.name for model in own_models(folder)}
    near = difflib.get_close_matches(folded(name), own, n=1)
    if near:
        return ModelError(f"You have no model '{name}'. Did you mean '{own[near[0]]}'?")
    listed = f"yours are {', '.join(own.values())}" if own else "you have kept none yet"
    return ModelError(f"You have no model '{name}'; {listed}.")


def _free_name(wanted: str, place: Path) -> str:
    taken = {folded(file.stem) for file in _weights_in(place)} | set(RESERVED)
    number, name = 1, wanted
    while folded(name) in taken:
        number += 1
        name = f"{wanted} {number}"
    return name


def _usual_name(source: Path, spec: ModelSpec) -> str:
    """Every run calls its file the same, so the run's name it is; else the file's, which somebody gave it."""
    return spec.name if source.name in RUN_FILES else source.stem


def _is_own_layout(file: Path) -> bool:
    try:
        read_header(file)
    except ModelError:
        return False
    return True


def _copy(source: Path, target: Path, name: str) -> None:
    """Copy one of the project's own checkpoints under another name, its tensors byte for byte."""
    header, start = read_header(source, whole=True)
    described: Any = header["__metadata__"]
    described["spec"] = replace(read_spec(source), name=name).to_json()
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)  # the format aligns tensors so
    with source.open("rb") as old, target.open("wb") as new:
        new.write(struct.pack("<Q", len(text)) + text)
        old.seek(start)
        shutil.copyfileobj(old, new, 1 << 20)
        new.flush()
        os.fsync(new.fileno())
