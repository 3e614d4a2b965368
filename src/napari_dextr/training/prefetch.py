"""Batches drawn ahead of the step that needs them, so that a graphics card does not wait for the processor."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")


def drawn_ahead(draw: Callable[[int], T], start: int, stop: int, threads: int) -> Generator[T, None, None]:
    """``draw(step)`` for each step from ``start`` to below ``stop``, in order.

    Parameters
    ----------
    draw : callable
        Depends on its argument alone, and may run in any thread.
    threads : int
        How many draw at once, each a step ahead of the one before; 0 draws when asked.
    """
    if threads == 0:
        yield from map(draw, range(start, stop))
        return
    waiting: deque[Future[T]] = deque()
    pool = ThreadPoolExecutor(threads, thread_name_prefix="draw")
    try:
        for step in range(start, stop):
            waiting.append(pool.submit(draw, step))
            if len(waiting) > threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
