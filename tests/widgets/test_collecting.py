"""Garbage is collected in the main thread."""

from __future__ import annotations

import gc
import threading
import weakref
from collections.abc import Iterator
from typing import Any

import pytest

from napari_dextr.widgets.collecting import MainThreadCollector


@pytest.fixture
def collector(qtbot: Any) -> Iterator[MainThreadCollector]:
    made = MainThreadCollector()
    made._timer.setInterval(1)
    yield made
    made.stop()
    assert gc.isenabled()


class Node:
    """Part of a cycle, which only the collector can take apart."""

    def __init__(self) -> None:
        self.itself = self


def test_cycles_are_collected_in_the_main_thread(collector: MainThreadCollector, qtbot: Any) -> None:
    collector.start()
    where: list[threading.Thread] = []

    def work() -> None:
        node = Node()
        weakref.finalize(node, lambda: where.append(threading.current_thread()))
        del node
        for _ in range(5000):  # Python would collect at one of these
            Node()

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert where == []
    qtbot.waitUntil(lambda: bool(where))
    assert where == [threading.main_thread()]


def test_afterwards_python_collects_again(collector: MainThreadCollector) -> None:
    collector.start()
    assert not gc.isenabled()
    collector.start()
    collector.stop()
    assert gc.isenabled()
    collector.stop()


def test_what_somebody_else_has_turned_off_stays_off(collector: MainThreadCollector) -> None:
    gc.disable()
    try:
        collector.start()
        collector.stop()
        assert not gc.isenabled()
    finally:
        gc.enable()
