"""Tasks in the background: news, ends, and cancelling."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from napari.utils.progress import progress

from napari_dextr.widgets.background import Background, Tell


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    event = threading.Event()
    yield event
    event.set()  # no thread may stay behind


class Ear:
    """Hears everything that a `Background` says."""

    def __init__(self, background: Background) -> None:
        self.news: list[Any] = []
        self.ends: list[Any] = []
        background.told.connect(self.news.extend)
        background.done.connect(lambda result: self.ends.append(("done", result)))
        background.failed.connect(lambda error: self.ends.append(("failed", str(error))))
        background.cancelled.connect(lambda: self.ends.append(("cancelled", None)))


def test_news_and_result_arrive_in_the_main_thread(qtbot: Any) -> None:
    background = Background()
    ear = Ear(background)
    threads: list[threading.Thread] = []
    background.done.connect(lambda _: threads.append(threading.current_thread()))

    def work(tell: Tell) -> str:
        assert threading.current_thread() is not threading.main_thread()
        for number in range(5):
            tell(number)
        return "result"

    background.start(work)
    assert background.running
    qtbot.waitUntil(lambda: bool(ear.ends))
    assert ear.news == [0, 1, 2, 3, 4]
    assert ear.ends == [("done", "result")]
    assert threads == [threading.main_thread()]
    assert not background.running


def test_a_task_that_has_nothing_to_give_is_done_all_the_same(qtbot: Any) -> None:
    background = Background()
    ear = Ear(background)
    background.start(lambda _tell: None)
    qtbot.waitUntil(lambda: bool(ear.ends))
    assert ear.ends == [("done", None)]


@pytest.mark.parametrize("error", [RuntimeError("out of memory"), ValueError("odd")])
def test_every_error_arrives(qtbot: Any, error: Exception) -> None:
    background = Background()
    ear = Ear(background)

    def work(tell: Tell) -> None:
        raise error

    background.start(work)
    qtbot.waitUntil(lambda: bool(ear.ends))
    assert ear.ends == [("failed", str(error))]


def test_a_task_can_be_cancelled(qtbot: Any, gate: threading.Event) -> None:
    background = Background("Something long")
    ear = Ear(background)
    cleaned: list[bool] = []

    def work(tell: Tell) -> str:
        try:
            tell("begun")
            assert gate.wait(30)
            tell("more")
        finally:
            cleaned.append(True)
        return "never"

    background.start(work, total=3)
    assert [str(bar.desc).rstrip(": ") for bar in progress._all_instances] == ["Something long"]
    qtbot.waitUntil(lambda: ear.news == ["begun"])
    background.advance(2)
    background.cancel()
    gate.set()
    qtbot.waitUntil(lambda: bool(ear.ends))
    assert ear.ends == [("cancelled", None)]
    assert cleaned == [True]
    assert not progress._all_instances


def test_the_cancel_button_of_the_activity_dock_counts(qtbot: Any, gate: threading.Event) -> None:
    background = Background("Something long")
    ear = Ear(background)

    def work(tell: Tell) -> None:
        while True:
            tell(None)
            gate.wait(0.01)

    background.start(work)
    (bar,) = progress._all_instances
    bar.cancel()
    qtbot.waitUntil(lambda: ear.ends == [("cancelled", None)])


def test_a_new_task_replaces_the_one_that_runs(qtbot: Any, gate: threading.Event) -> None:
    background = Background()
    ear = Ear(background)

    def slow(tell: Tell) -> str:
        assert gate.wait(30)
        return "old"

    background.start(slow)
    background.start(lambda tell: "new")
    gate.set()
    qtbot.waitUntil(lambda: bool(ear.ends))
    assert ear.ends == [("done", "new")]


def test_stopping_is_silent(qtbot: Any) -> None:
    background = Background("Something long")
    ear = Ear(background)
    background.start(lambda tell: "unheard")
    background.stop()
    assert not background.running
    assert not progress._all_instances
    qtbot.wait(1)
    assert ear.ends == []


QUITTING = """
import time
from qtpy.QtCore import QCoreApplication
from napari_dextr.widgets.background import Background

def work(tell):
    while True:
        time.sleep(0.5)  # as in a network, where nothing is told
        try:
            tell("news")
        except BaseException:
            print("ended in good order", flush=True)
            raise

application = QCoreApplication([])
background = Background()
background.start(work)
background.stop()
"""


def test_the_interpreter_waits_at_its_end_for_what_was_let_go() -> None:
    result = subprocess.run([sys.executable, "-c", QUITTING], capture_output=True, text=True, check=True)
    assert "ended in good order" in result.stdout
