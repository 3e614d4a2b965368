"""Processes that fork off a warm one behave as programs do: words, streams, surroundings, and a death that is one."""

from __future__ import annotations

from pathlib import Path

import pytest

from napari_dextr.locks import FileLock

from .warm_python import WarmPython

SAYS = "import os, sys; print(__name__, sys.argv, os.getcwd(), os.environ['COLOUR'], sys.stdin.read())"
HOLDS = """
import sys
from napari_dextr.locks import FileLock
lock = FileLock(sys.argv[1])
assert lock.acquire()
print("here", flush=True)
sys.stdin.read()
"""


def test_they_are_programs(start_python: WarmPython, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = tmp_path / "script.py"
    script.write_text(SAYS, encoding="utf-8")
    monkeypatch.setenv("COLOUR", "green")
    monkeypatch.chdir(tmp_path)
    for words in (("-c", SAYS, "a", 1), (script, "a", 1)):
        process = start_python(*words)
        assert process.stdin is not None
        process.stdin.write("heard")
        arguments = [str(words[0]), "a", "1"]
        expected = f"__main__ {arguments} {Path.cwd()} green heard\n"
        assert process.communicate()[0] == expected


def test_one_that_fails_ends_and_the_next_one_starts(start_python: WarmPython) -> None:
    assert start_python("-c", "print('so far', flush=True); raise SystemExit(3)").communicate()[0] == "so far\n"
    assert start_python("-c", "print('well')").communicate()[0] == "well\n"


def test_what_was_held_is_free_once_one_was_killed(start_python: WarmPython, tmp_path: Path) -> None:
    lock = FileLock(tmp_path / "lock")
    first, second = start_python("-c", HOLDS, lock.path), start_python("-c", "print(input())")
    assert first.stdout is not None
    assert second.stdin is not None
    assert first.stdout.readline() == "here\n"
    assert not lock.acquire()
    first.kill()
    assert first.communicate()[0] == ""
    assert lock.acquire()
    lock.release()
    second.stdin.write("still there\n")
    assert second.communicate()[0] == "still there\n"


def test_each_has_torch_and_nothing_of_the_tests(start_python: WarmPython) -> None:
    program = "import sys, torch; print(*sorted({'pytest', 'napari', 'qtpy', 'warm_python'} & set(sys.modules)))"
    assert start_python("-c", program).communicate()[0] == "\n"
