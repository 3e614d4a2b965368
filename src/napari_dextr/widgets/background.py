"""One long task at a time, off the main thread: what it reports arrives in the main thread, and it can be cancelled."""

from __future__ import annotations

import atexit
import threading
from collections import deque
from collections.abc import Callable
from io import StringIO
from typing import Any

from napari.utils.progress import cancelable_progress
from qtpy.QtCore import QObject, QTimer, Signal

Tell = Callable[[Any], None]
"""What a task calls with news; it raises `Cancelled` where nobody wants the result any more."""

Work = Callable[[Tell], Any]
"""A task: takes a `Tell`, gives its result. It must not touch layers or widgets."""

PATIENCE = 60.0
"""Seconds that the interpreter waits at its end for a thread: one that is still within PyTorch then would abort it."""

_INTERVAL = 40  # milliseconds between two looks at the task: often enough for the eye, rare enough for the viewer


class Cancelled(BaseException):
    """Raised inside a task that was cancelled. No `Exception`, so that no task takes it for a failure of its own."""


class _Run:
    """One run of a task: the thread writes, the main thread reads."""

    def __init__(self, work: Work, daemon: bool) -> None:
        self.work = work
        self.news: deque[Any] = deque()
        self.result: Any = None
        self.error: Exception | None = None
        self.cancelled = threading.Event()
        self.thread = threading.Thread(target=self._run, name="napari-dextr background", daemon=daemon)

    def tell(self, news: Any) -> None:
        if self.cancelled.is_set():
            raise Cancelled
        self.news.append(news)

    def start(self) -> None:
        """Begin in the thread. The interpreter waits for it at its end, but not for ever."""
        atexit.register(self._wait)
        self.thread.start()

    def _wait(self) -> None:
        self.cancelled.set()
        self.thread.join(PATIENCE)

    def _run(self) -> None:
        try:
            self.result = self.work(self.tell)
        except Cancelled:
            self.cancelled.set()
        except Exception as error:  # whatever it is, the user hears of it
            self.error = error
        finally:
            atexit.unregister(self._wait)


class Background(QObject):
    """Runs a task in a thread of its own. A new task replaces the one that runs.

    Parameters
    ----------
    title : str, optional
        Name of the task in napari's activity dock; without it, the task does not appear there.
    patient : bool
        Whether the program waits at its end, however long it takes, until a task that was let go has noticed: for tasks
        that leave something on the disk.

    Signals
    -------
    told(list)
        What the task has told since the last time, oldest first.
    done(result), failed(exception), cancelled
        How it ended; one of the three, once for every task that is not replaced.
    """

    told = Signal(list)
    done = Signal(object)
    failed = Signal(object)
    cancelled = Signal()

    def __init__(self, title: str | None = None, *, patient: bool = False) -> None:
        super().__init__()
        self._title = title
        self._patient = patient
        self._run: _Run | None = None
        self._bar: Any = None
        self._timer = QTimer(self)
        self._timer.setInterval(_INTERVAL)
        self._timer.timeout.connect(self._look)

    @property
    def running(self) -> bool:
        """Whether a task is under way, or its end has not been announced yet."""
        return self._run is not None

    def start(self, work: Work, total: int = 0) -> None:
        """Begin a task; ``total`` steps make the bar in the activity dock fill (`advance`), 0 makes it wander."""
        self.stop()
        self._run = _Run(work, daemon=not self._patient)
        if self._title is not None:
            self._bar = cancelable_progress(total=total, desc=self._title, file=StringIO())  # not the terminal
        self._run.start()
        self._timer.start()

    def advance(self, steps: int) -> None:
        """Set the bar in the activity dock to a number of steps done."""
        if self._bar is not None and steps > self._bar.n:
            self._bar.update(steps - self._bar.n)

    def cancel(self) -> None:
        """Ask the task to end; `cancelled` follows when it has."""
        if self._run is not None:
            self._run.cancelled.set()

    def stop(self) -> None:
        """Let go of the task without waiting for it and without a word."""
        run, self._run = self._run, None
        if run is not None:
            run.cancelled.set()
        self._timer.stop()
        self._close_bar()

    def _look(self) -> None:
        run = self._run
        if run is None:
            return
        ended = not run.thread.is_alive()  # asked first: what it told before its end is then there
        if self._bar is not None and self._bar.is_canceled:
            run.cancelled.set()
        news = [run.news.popleft() for _ in range(len(run.news))]
        if news:
            self.told.emit(news)
        if not ended or self._run is not run:  # a listener may have begun another task
            return
        unwanted = run.result is None and run.cancelled.is_set()  # asked first: letting go of it sets this, too
        self.stop()
        if run.error is not None:
            self.failed.emit(run.error)
        elif unwanted:
            self.cancelled.emit()
        else:
            self.done.emit(run.result)

    def _close_bar(self) -> None:
        bar, self._bar = self._bar, None
        if bar is not None:
            bar.close()
