"""The prediction thread: the latest request wins, and nothing is delivered late."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from napari_dextr.widgets.worker import PredictionWorker


class Heard:
    """What the worker said, and in which thread it was heard."""

    def __init__(self, worker: PredictionWorker) -> None:
        self.said: list[tuple[str, Any]] = []
        self.threads: set[int] = set()
        worker.loaded.connect(lambda model: self._note("loaded", model))
        worker.load_failed.connect(lambda error: self._note("load_failed", str(error)))
        worker.predicted.connect(lambda serial, answer: self._note("predicted", (serial, answer)))
        worker.failed.connect(lambda serial, error: self._note("failed", (serial, str(error))))

    def _note(self, what: str, value: Any) -> None:
        self.said.append((what, value))
        self.threads.add(threading.get_ident())


class Slow:
    """A loader or a job that waits until it is let go."""

    def __init__(self, answer: Any = None) -> None:
        self.answer = answer
        self.entered, self.gate = threading.Event(), threading.Event()

    def __call__(self, _: Any) -> Any:
        self.entered.set()
        assert self.gate.wait(30)
        return self.answer


@pytest.fixture
def worker(qtbot: Any) -> Iterator[PredictionWorker]:
    made = PredictionWorker()
    yield made
    made.stop()
    qtbot.waitUntil(lambda: not made.running)


def test_loads_then_answers_in_the_main_thread(qtbot: Any, worker: PredictionWorker) -> None:
    heard = Heard(worker)
    worker.predict(1, lambda model: f"{model} answers")  # before the model is there
    worker.load(lambda progress: "model")
    qtbot.waitUntil(lambda: len(heard.said) == 2)
    assert heard.said == [("loaded", "model"), ("predicted", (1, "model answers"))]
    assert heard.threads == {threading.get_ident()}


def test_the_latest_request_wins(qtbot: Any, worker: PredictionWorker) -> None:
    heard = Heard(worker)
    slow = Slow()
    ran: list[int] = []
    worker.load(lambda progress: "model")
    worker.predict(1, slow)
    assert slow.entered.wait(30)
    worker.predict(2, lambda _: ran.append(2))  # replaced before it starts
    worker.predict(3, lambda _: ran.append(3) or "three")
    slow.gate.set()
    qtbot.waitUntil(lambda: len(heard.said) == 2)
    assert heard.said[1] == ("predicted", (3, "three"))
    assert ran == [3]


def test_a_cancelled_request_is_not_delivered(qtbot: Any, worker: PredictionWorker) -> None:
    heard = Heard(worker)
    slow = Slow()
    worker.load(lambda progress: "model")
    worker.predict(1, slow)
    assert slow.entered.wait(30)
    worker.cancel()
    slow.gate.set()
    worker.predict(2, lambda _: "two")
    qtbot.waitUntil(lambda: len(heard.said) == 2)
    assert heard.said[1] == ("predicted", (2, "two"))


def test_errors_are_delivered_and_the_thread_goes_on(qtbot: Any, worker: PredictionWorker) -> None:
    heard = Heard(worker)
    worker.load(lambda progress: "model")
    worker.predict(1, lambda _: 1 / 0)
    qtbot.waitUntil(lambda: len(heard.said) == 2)
    worker.predict(2, lambda _: "fine")
    qtbot.waitUntil(lambda: len(heard.said) == 3)
    assert [what for what, _ in heard.said] == ["loaded", "failed", "predicted"]


def test_requests_fail_with_the_error_of_loading_until_another_model_is_there(
    qtbot: Any, worker: PredictionWorker
) -> None:
    heard = Heard(worker)

    def broken(progress: Any) -> None:
        raise ValueError("broken file")

    worker.load(broken)
    worker.predict(1, lambda _: "never")
    qtbot.waitUntil(lambda: len(heard.said) == 2)
    assert heard.said == [("load_failed", "broken file"), ("failed", (1, "broken file"))]
    worker.load(lambda progress: "good")
    worker.predict(2, lambda model: model)
    qtbot.waitUntil(lambda: len(heard.said) == 4)
    assert heard.said[-1] == ("predicted", (2, "good"))


def test_where_loading_fails_the_model_before_answers_on(qtbot: Any, worker: PredictionWorker) -> None:
    heard = Heard(worker)

    def broken(progress: Any) -> None:
        raise ValueError("broken file")

    worker.load(lambda progress: "good")
    qtbot.waitUntil(lambda: len(heard.said) == 1)
    worker.load(broken)
    worker.predict(1, lambda model: model)
    qtbot.waitUntil(lambda: len(heard.said) == 4)
    assert heard.said[1:] == [("load_failed", "broken file"), ("loaded", "good"), ("predicted", (1, "good"))]


def test_a_superseded_model_is_not_delivered(qtbot: Any, worker: PredictionWorker) -> None:
    heard = Heard(worker)
    slow = Slow("first")
    worker.load(slow)
    assert slow.entered.wait(30)
    worker.load(lambda progress: "second")
    slow.gate.set()
    worker.predict(1, lambda model: model)
    qtbot.waitUntil(lambda: len(heard.said) == 2)
    assert heard.said == [("loaded", "second"), ("predicted", (1, "second"))]


def test_stopping_while_busy_delivers_nothing(qtbot: Any, worker: PredictionWorker) -> None:
    heard = Heard(worker)
    slow = Slow()
    worker.load(lambda progress: "model")
    worker.predict(1, slow)
    assert slow.entered.wait(30)
    worker.stop()
    slow.gate.set()
    qtbot.waitUntil(lambda: not worker.running)
    assert [what for what, _ in heard.said] in ([], ["loaded"])


def test_a_cancelled_load_goes_back_to_the_model_before(qtbot: Any, worker: PredictionWorker) -> None:
    with qtbot.waitSignal(worker.loaded):
        worker.load(lambda progress: "first")
    slow = Slow("second")
    worker.load(slow)
    worker.predict(1, lambda model: f"answer of the {model}")
    with qtbot.waitSignal(worker.loaded) as loaded:
        worker.cancel_load()
    assert loaded.args == ["first"]
    with qtbot.waitSignal(worker.predicted) as predicted:
        slow.gate.set()
    assert predicted.args == [1, "answer of the first"]
