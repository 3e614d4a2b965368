"""Keeping torch from loading triton, a compiler for graphics cards that nothing here uses."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def without_triton() -> Iterator[None]:
    """Let torch import its own compiler as on a computer that has no triton.

    The first optimiser of a process, and the import of torchvision, make torch import its compiler, and that triton.
    Its library holds an LLVM of its own: where Mesa has drawn the viewer with another LLVM, loading it ends napari with
    a segmentation fault. Where triton is loaded already, nothing is changed.
    """
    if "triton" in sys.modules:
        yield
        return
    sys.modules["triton"] = None  # type: ignore[assignment]  # an import of it raises ImportError, which torch expects
    try:
        yield
    finally:
        del sys.modules["triton"]
