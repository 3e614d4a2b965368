"""Locks that die with their process."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from napari_dextr.locks import FileLock

HOLD = """
import sys
from napari_dextr.locks import FileLock
lock = FileLock(sys.argv[1])
print(lock.acquire(), flush=True)
sys.stdin.read()
"""


def test_one_holder_at_a_time(tmp_path: Path) -> None:
    first, second = FileLock(tmp_path / "a.lock"), FileLock(tmp_path / "a.lock")
    assert first.acquire()
    assert first.acquire()
    assert not second.acquire()
    first.release()
    assert not (tmp_path / "a.lock").exists()
    assert second.acquire()
    second.release(remove=False)
    assert (tmp_path / "a.lock").exists()
    second.release()


def test_the_lock_of_a_process_that_was_killed_is_free(tmp_path: Path) -> None:
    path = tmp_path / "b.lock"
    command = [sys.executable, "-c", HOLD, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline().strip() == "True"
        assert not FileLock(path).acquire()
        process.kill()
    lock = FileLock(path)
    assert lock.acquire()
    lock.release()
