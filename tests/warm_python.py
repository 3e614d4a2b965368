"""Processes for the tests that kill them, or that look at what is imported in them; they need not wait for torch.

Importing torch and making a first optimiser takes ten seconds of a processor. On Linux one process does that, and
nothing else, and each process that is asked for forks off it; elsewhere each is started as ever.

Run as a program, with the number of a socket, this is the process that they fork off.
"""

from __future__ import annotations

import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO

FORKS = sys.platform.startswith("linux") and hasattr(os, "pidfd_open")
_MESSAGE = 1 << 20  # bytes, for the command line and the environment


class Forked:
    """What the tests use of `subprocess.Popen`, of a process that was forked."""

    def __init__(self, pid: int, handle: int | None, stdin: IO[str], stdout: IO[str]) -> None:
        self.pid, self.stdin, self.stdout = pid, stdin, stdout
        self._handle = handle

    def kill(self) -> None:
        """Kill it as the system kills a program; it cannot put anything in order."""
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)

    def communicate(self) -> tuple[str, None]:
        """What it still says, once it is gone with its locks and files."""
        self.stdin.close()
        with self.stdout:
            said = self.stdout.read()
        if self._handle is not None:
            select.select([self._handle], [], [])
            os.close(self._handle)
            self._handle = None
        return said, None


class WarmPython:
    """Starts ``python WORDS...``, each time in a process of its own whose standard streams are pipes of text."""

    def __init__(self) -> None:
        self._server: subprocess.Popen[bytes] | None = None
        self._socket: socket.socket | None = None

    def __call__(self, *words: object) -> Forked | subprocess.Popen[str]:
        command = [str(word) for word in words]
        if not FORKS:
            pipe = subprocess.PIPE
            return subprocess.Popen([sys.executable, *command], stdin=pipe, stdout=pipe, text=True)
        if self._socket is None:
            self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)  # whole messages
            with theirs:
                server = [sys.executable, __file__, str(theirs.fileno())]
                self._server = subprocess.Popen(server, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL)
        return self._fork(self._socket, command)

    def _fork(self, server: socket.socket, command: list[str]) -> Forked:
        stdin, to_stdin = os.pipe()
        from_stdout, stdout = os.pipe()
        message = json.dumps({"words": command, "environment": dict(os.environ), "folder": str(Path.cwd())})
        socket.send_fds(server, [message.encode()], [stdin, stdout])
        os.close(stdin)
        os.close(stdout)
        answer = server.recv(20)
        if not answer:
            raise RuntimeError("The process that the others fork off has ended; see its last words above.")
        pid = int(answer)
        handle = None
        with suppress(ProcessLookupError):  # it is gone already
            handle = os.pidfd_open(pid)
        streams = os.fdopen(to_stdin, "w", encoding="utf-8"), os.fdopen(from_stdout, encoding="utf-8")
        return Forked(pid, handle, *streams)

    def close(self) -> None:
        """End the process that the others fork off."""
        if self._socket is not None and self._server is not None:
            self._socket.close()
            self._server.wait()
            self._socket = self._server = None


# -- the process that the others fork off ------------------------------------------------------------------------------


def warm_up() -> None:
    """Import what trainings import, as the program does; an optimiser makes torch import the rest of itself."""
    from torch import nn

    import napari_dextr.training.finetune
    import napari_dextr.training.loop  # noqa: F401
    from napari_dextr.training.config import TrainConfig
    from napari_dextr.training.optimisation import make_optimizer

    make_optimizer(nn.Linear(2, 2), TrainConfig())


def serve(asking: socket.socket) -> list[str] | None:
    """Fork for every message. Returns in each new process, with its command line, and at the end with None."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody asks how they ended
    while True:
        message, pipes, _, _ = socket.recv_fds(asking, _MESSAGE, 2)
        if not message:
            return None
        pid = os.fork()
        if pid == 0:
            break
        for pipe in pipes:
            os.close(pipe)
        asking.send(str(pid).encode())
    asking.close()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    for pipe, stream in zip(pipes, (0, 1), strict=True):
        os.dup2(pipe, stream)
        os.close(pipe)
    told = json.loads(message)
    os.chdir(told["folder"])
    os.environ.clear()
    os.environ.update(told["environment"])
    words: list[str] = told["words"]
    return words


def run(words: Sequence[str]) -> None:
    """Do as ``python WORDS...`` does: ``-c PROGRAM`` or the path of a script, and its arguments."""
    if words[0] == "-c":
        sys.argv[:] = ["-c", *words[2:]]
        exec(compile(words[1], "<string>", "exec"), {"__name__": "__main__"})
    else:
        sys.argv[:] = words
        sys.path.insert(0, str(Path(words[0]).parent))
        runpy.run_path(words[0], run_name="__main__")


if __name__ == "__main__":
    sys.path.remove(str(Path(__file__).parent))  # the modules beside this one are not for programs
    with socket.socket(fileno=int(sys.argv[1])) as parent:
        warm_up()
        asked = serve(parent)
    if asked is not None:
        run(asked)
