"""How the threads of PyTorch wait for each other; to be said before PyTorch is imported."""

from __future__ import annotations

import os
import sys

_SPIN = "20000"  # turns of a loop, some tenths of a millisecond


def wait_politely() -> None:
    """Let threads of OpenMP spin for a moment while they wait, and then sleep, unless the user has said otherwise.

    By default they spin for milliseconds: beside other programs, or software OpenGL, a click then takes up to thirty
    times as long. Threads that go to sleep at once double the time of a click on a machine with nothing else to do,
    because a network is hundreds of short steps. Does nothing once PyTorch, which reads this, is there.
    """
    if "torch" not in sys.modules and "OMP_WAIT_POLICY" not in os.environ:
        os.environ["OMP_WAIT_POLICY"] = "PASSIVE"
        os.environ.setdefault("GOMP_SPINCOUNT", _SPIN)  # of GNU's OpenMP, which PyTorch has on Linux
