"""A virtual screen for every process of the tests: no window covers another's there, or takes its keyboard away.

There is no window manager on such a screen, so windows of two processes that share one would do both.
"""

from __future__ import annotations

import os
import secrets
import shutil
import struct
import subprocess
import sys
import tempfile
from collections.abc import MutableMapping
from pathlib import Path

OFF_SCREEN = {"offscreen", "minimal"}
"""Platforms of Qt that draw no window anywhere."""

_SIZE = "1600x1200x24"  # as in tools/with_screen.sh
_ANY_HOST = 0xFFFF  # FamilyWild of libXau: an entry for every display
# prctl(PR_SET_PDEATHSIG, SIGTERM) and the server in place of this program: the system ends it with its parent.
_START = "import ctypes, os, sys; ctypes.CDLL(None).prctl(1, 15); os.execv(sys.argv[1], sys.argv[1:])"

_folders: list[str] = []
_started: list[subprocess.Popen[bytes]] = []  # kept: subprocess warns of a running process that nobody refers to


def take_own_screen(environment: MutableMapping[str, str]) -> bool:
    """Give a worker of pytest-xdist a screen of its own, where Xvfb is there to make one.

    To be called before Qt opens its display. The screen ends with the process that calls this, however that ends.

    Parameters
    ----------
    environment : mapping
        That of the process; it names the new screen afterwards.

    Returns
    -------
    bool
        False where nothing was changed: another system, not a worker, no windows wanted, no Xvfb.
    """
    if not sys.platform.startswith("linux") or "PYTEST_XDIST_WORKER" not in environment:
        return False
    server = shutil.which("Xvfb")
    if server is None or environment.get("QT_QPA_PLATFORM") in OFF_SCREEN:
        return False
    folder = tempfile.mkdtemp(prefix="napari-dextr-screen-")
    _folders.append(folder)
    permit = Path(folder, "Xauthority")
    write_permit(permit)
    number = start(server, permit)
    if number is None:
        return False
    # A desktop that runs Wayland would otherwise be preferred to the screen.
    environment.pop("WAYLAND_DISPLAY", None)
    environment.update(DISPLAY=f":{number}", XAUTHORITY=str(permit), QT_QPA_PLATFORM="xcb")
    return True


def tidy_up() -> None:
    """Remove the files of the screens of this process, when no window will be opened any more."""
    while _folders:
        shutil.rmtree(_folders.pop(), ignore_errors=True)


def write_permit(path: Path) -> None:
    """Write what both sides need to know each other, in the form of libXau; nobody else can open the screen."""
    name, cookie = b"MIT-MAGIC-COOKIE-1", secrets.token_bytes(16)
    with open(path, "wb", opener=lambda file, flags: os.open(file, flags, 0o600)) as file:
        file.write(struct.pack(">HHH", _ANY_HOST, 0, 0))  # neither address nor number of a display
        for part in (name, cookie):
            file.write(struct.pack(">H", len(part)) + part)


def start(server: str, permit: Path) -> int | None:
    """Start a screen and wait until it is there; its number, or None where it does not start."""
    reading, writing = os.pipe()
    options = ["-screen", "0", _SIZE, "+extension", "GLX", "-nolisten", "tcp", "-auth", str(permit)]
    options += ["-noreset"]  # else it starts anew when the last window's program ends, and the next one may be refused
    with os.fdopen(reading, "rb") as answer:
        screen = subprocess.Popen(
            [sys.executable, "-c", _START, server, "-displayfd", str(writing), *options],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=[writing],
            start_new_session=True,  # Ctrl+C ends the tests first, and they end the screen
        )
        _started.append(screen)
        os.close(writing)
        line = answer.readline().strip()  # empty where the server ended
    return int(line) if line else None
