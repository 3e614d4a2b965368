"""Workers get a screen of their own where one can be made, and it never outlives them."""

from __future__ import annotations

import os
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from . import own_screen
from .own_screen import take_own_screen

WORKER = {"PYTEST_XDIST_WORKER": "gw0", "DISPLAY": ":77", "WAYLAND_DISPLAY": "wayland-0"}
PROGRAM = """
import os, sys
from own_screen import take_own_screen, tidy_up
took = take_own_screen(os.environ)
print(took, os.environ["DISPLAY"], os.environ["XAUTHORITY"], os.environ.get("WAYLAND_DISPLAY"), flush=True)
sys.stdin.read()
tidy_up()
"""
needs_xvfb = pytest.mark.skipif(
    not sys.platform.startswith("linux") or own_screen.shutil.which("Xvfb") is None, reason="no Xvfb here"
)


@pytest.fixture
def worker() -> Iterator[subprocess.Popen[str]]:
    """A process that took a screen as a worker of xdist does, and waits."""
    pipe, here = subprocess.PIPE, Path(__file__).parent
    environment = {name: value for name, value in os.environ.items() if name != "QT_QPA_PLATFORM"} | WORKER
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM], cwd=here, env=environment, stdin=pipe, stdout=pipe, text=True
    ) as process:
        yield process
        process.kill()


def answer(display: str, cookie: bytes) -> int | None:
    """What an X server says to a client with a cookie: 1 come in, 0 stay out; None where there is no server."""
    name = b"MIT-MAGIC-COOKIE-1"
    greeting = struct.pack("<cxHHHHxx", b"l", 11, 0, len(name), len(cookie)) + name + bytes(2) + cookie
    with socket.socket(socket.AF_UNIX) as client:
        try:
            client.connect(f"/tmp/.X11-unix/X{display[1:]}")
            client.sendall(greeting)
            said = client.recv(1)
        except OSError:
            return None
    return said[0] if said else None


@needs_xvfb
@pytest.mark.parametrize("end", ["killed", "at its end"])
def test_a_worker_has_a_screen_for_itself_as_long_as_it_lives(worker: subprocess.Popen[str], end: str) -> None:
    assert worker.stdout is not None
    took, display, permit, wayland = worker.stdout.readline().split()
    assert (took, wayland) == ("True", "None")
    assert display != WORKER["DISPLAY"]
    assert Path(permit).stat().st_mode & 0o077 == 0
    cookie = Path(permit).read_bytes()[-16:]
    assert answer(display, cookie) == 1
    assert answer(display, bytes(16)) == 0
    if end == "killed":
        worker.kill()
    worker.communicate()
    while answer(display, cookie) == 1:  # the system tells the screen a moment later
        pass
    assert Path(permit).exists() == (end == "killed")
    own_screen.shutil.rmtree(Path(permit).parent, ignore_errors=True)


def test_others_keep_the_screen_they_have(monkeypatch: pytest.MonkeyPatch) -> None:
    for environment in (
        {"DISPLAY": ":77"},  # one process: whoever runs it may want to see the windows
        {**WORKER, "QT_QPA_PLATFORM": "offscreen"},
    ):
        before = dict(environment)
        assert not take_own_screen(environment)
        assert environment == before
    environment = dict(WORKER)
    monkeypatch.setattr(own_screen.shutil, "which", lambda name: None)
    assert not take_own_screen(environment)
    monkeypatch.undo()
    monkeypatch.setattr(own_screen.sys, "platform", "darwin")
    assert not take_own_screen(environment)
    assert environment == WORKER


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Xvfb is there on Linux alone")
def test_a_screen_that_does_not_start_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    environment = dict(WORKER)
    monkeypatch.setattr(own_screen.shutil, "which", lambda name: "/bin/false")
    assert not take_own_screen(environment)
    assert environment == WORKER
