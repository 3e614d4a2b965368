"""The folders in which fine-tunings run: where they are, and which of them were not brought to an end."""

from __future__ import annotations

import json
import os
import re
import shutil
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from ..errors import OutputError
from ..files import make_folder
from ..locks import FileLock
from ..places import data_folder
from .lock import LOCK

# named here once more, as the modules they belong to bring PyTorch, and a list of folders must not wait for that
_PLAN, _CONFIG, _METRICS = "plan.json", "config.json", "metrics.jsonl"
_FORBIDDEN = re.compile(r"[^\w.-]+")
_ROUNDS = "rounds"


@dataclass(frozen=True)
class UnfinishedRun:
    """A run that was interrupted, or whose outcome was not seen.

    Attributes
    ----------
    path : path
        Its folder.
    name : str
        Of the model to be.
    started : datetime
        UTC.
    step, steps : int
        Steps done and to do in the stage it is at; 0 of 0 before the first.
    busy : bool
        Whether a process works on it now.
    """

    path: Path
    name: str
    started: datetime
    step: int
    steps: int
    busy: bool


def runs_folder() -> Path:
    """Where runs go unless told: a folder of the user's own, also where several people share a library of models."""
    return data_folder() / "runs"


def new_run(name: str, folder: str | os.PathLike[str] | None = None) -> Path:
    """A new folder for a run, made and empty: the name, the date, and a number where that is taken.

    Raises
    ------
    OutputError
        If it cannot be made.
    """
    place = make_folder(folder or runs_folder())
    stem = f"{_FORBIDDEN.sub('-', name).strip('.-') or 'model'}-{datetime.now():%Y-%m-%d}"
    for number in range(1, 10_000):
        path = place / (stem if number == 1 else f"{stem}-{number}")
        try:
            path.mkdir()
        except FileExistsError:
            continue
        except OSError as error:
            raise OutputError(f"The folder '{path}' cannot be made ({error.strerror or error}).") from error
        return path
    raise OutputError(f"'{place}' holds too many runs of that name; remove some.")


def unfinished_runs(folder: str | os.PathLike[str] | None = None) -> tuple[UnfinishedRun, ...]:
    """Runs that nobody brought to an end, newest first; what cannot be understood is passed over.

    Among them those that ended while nobody looked: going on with one gives its verdict once more.
    """
    place = Path(folder) if folder is not None else runs_folder()
    found = []
    for path in place.glob(f"*/{_PLAN}"):
        try:
            plan = json.loads(path.read_text(encoding="utf-8"))
            started = datetime.fromisoformat(plan["started"]).astimezone(timezone.utc)
            name = str(plan["name"] or path.parent.name)
            found.append(UnfinishedRun(path.parent, name, started, *_progress(path.parent), _busy(path.parent)))
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            continue
    return tuple(sorted(found, key=lambda run: run.started, reverse=True))


def discard_run(path: str | os.PathLike[str]) -> None:
    """Remove a run with all it holds.

    Raises
    ------
    OutputError
        If it is no run, a process works on it, or the system refuses.
    """
    folder = Path(path)
    if not (folder / _PLAN).is_file():
        raise OutputError(f"'{folder}' is not the folder of a fine-tuning, so it was left alone.")
    lock = FileLock(folder / LOCK)
    try:
        if not lock.acquire():
            raise OutputError(f"A training works in '{folder}'; stop it first.")
        lock.release()
        (folder / _PLAN).unlink()  # whatever happens from here on, it is no run any more
        shutil.rmtree(folder)
    except OutputError:
        raise
    except OSError as error:
        raise OutputError(f"'{folder}' cannot be removed ({error.strerror or error}); remove it by hand.") from error


def _progress(folder: Path) -> tuple[int, int]:
    """Steps done and to do, of the stage that a run is at."""
    stages = sorted((folder / _ROUNDS).glob("*/"), key=lambda path: path.stat().st_mtime)
    for place in (folder, *reversed(stages)):
        try:
            steps = int(json.loads((place / _CONFIG).read_text(encoding="utf-8"))["steps"])
            lines = (place / _METRICS).read_text(encoding="utf-8", errors="replace").splitlines()
        except (OSError, ValueError, KeyError, TypeError):
            continue
        return _last_step(lines), steps
    return 0, 0


def _last_step(lines: list[str]) -> int:
    for line in reversed(lines):
        try:
            return int(json.loads(line)["step"])
        except (ValueError, KeyError, TypeError):  # a crash cut it off
            continue
    return 0


def _busy(folder: Path) -> bool:
    lock = FileLock(folder / LOCK)
    if not (folder / LOCK).exists():
        return False
    try:
        if not lock.acquire():
            return True
    except OSError:
        return False
    lock.release(remove=False)
    return False
