"""Whether an error says that memory was not enough. Light: PyTorch, which has such errors, is not imported for it."""

from __future__ import annotations

_SIGNS = ("out of memory", "can't allocate memory", "not enough memory")  # of MPS, and of processors on each system


def is_full(error: BaseException) -> bool:
    """Whether an error says that memory was not enough; only CUDA and Python have classes of their own for that.

    Examples
    --------
    >>> is_full(MemoryError()), is_full(RuntimeError("MPS backend out of memory")), is_full(RuntimeError("odd shape"))
    (True, True, False)
    """
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return True
    return isinstance(error, RuntimeError) and any(sign in str(error) for sign in _SIGNS)
