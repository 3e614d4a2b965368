"""One program at a time: what is merged into a file must not be lost to somebody who writes it meanwhile."""

from __future__ import annotations

import os
import time
from pathlib import Path

from ..errors import OutputError
from ..files import reason_of
from ..locks import FileLock

PATIENCE = 30.0
"""Seconds to wait for another program that writes the file."""

_PAUSE = 0.05


class Guard:
    """Keeps a file to one writer of this project, from reading it to replacing it.

    Others, who know nothing of the lock, are noticed by `check`. The lock is a hidden file beside the file; it is
    removed by `release`, and means nothing once its holder has died.

    Raises
    ------
    OutputError
        When another program holds the file for longer than `PATIENCE`, or the folder cannot be written to.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        target = Path(os.path.realpath(path))
        self._lock = FileLock(target.with_name(f".{target.name[:80]}.lock"))
        until = time.monotonic() + PATIENCE
        try:
            while not self._lock.acquire():
                if time.monotonic() > until:
                    raise OutputError(f"'{path}' is being written by another program; try again when it is done.")
                time.sleep(_PAUSE)
        except OSError as error:
            if isinstance(error, OutputError):
                raise
            raise OutputError(f"'{path}' cannot be written: {reason_of(error)}.") from error
        self._seen = _state(path)

    def check(self) -> None:
        """Raise `OutputError` where the file is no longer the one that was there in the beginning."""
        if _state(self._path) != self._seen:
            raise OutputError(
                f"'{self._path}' was changed by another program during the export; nothing was written, export again."
            )

    def release(self) -> None:
        """Let others write."""
        self._lock.release()


def _state(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns
