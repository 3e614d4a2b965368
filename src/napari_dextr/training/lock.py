"""One training a run folder, and who it is."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import OutputError
from ..locks import FileLock

LOCK = "run.lock"


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the lock of a run folder.

    The file ``run.lock`` says who holds it; what counts is the operating system's lock on it. So the file of a
    process that was killed is known as stale, even where another process has its number by now.

    Raises
    ------
    OutputError
        If another training holds it.
    """
    lock = FileLock(folder / LOCK)
    try:
        mine = lock.acquire()
    except OSError as error:
        raise OutputError(
            f"'{lock.path}' cannot be written ({error.strerror or error}); choose another folder."
        ) from error
    if not mine:
        raise OutputError(
            f"Another training{_holder(lock.path)} runs in '{folder}'; wait for it, stop it, or choose another folder."
        )
    lock.note(json.dumps({"pid": os.getpid(), "host": socket.gethostname()}))
    try:
        yield
    finally:
        lock.release(remove=False)


def _holder(path: Path) -> str:
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
        return f" (process {int(facts['pid'])} on {facts['host']})"
    except (OSError, ValueError, KeyError, TypeError):  # it has not written its name yet
        return ""
