"""What is said on the screen of a training: while it goes on, when it is interrupted, and at its end."""

from __future__ import annotations

import contextlib
import signal
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from ._app import progress_bar

if TYPE_CHECKING:
    from rich.console import Console

    from ..training.finetune import Outcome
    from ..training.update import Update

_ECHO = 1.0  # seconds in which torchrun passes on the signal that the terminal has sent already


def conclude(outcome: Outcome, minutes: float, screen: Console) -> None:
    """Say how a fine-tuning ended, whether it helped, and where the model is."""

    def say(line: str) -> None:
        screen.print(line, markup=False, soft_wrap=True)

    if outcome.ended == "stopped":
        at = f"at step {outcome.steps}" if outcome.steps else "during the rounds of judging"
        say(f"Stopped {at}; the same command goes on from there.")
    elif outcome.ended == "settled":
        say(f"Ended at step {outcome.steps}, as validation no longer improved.")
    if outcome.verdict is not None:
        say(outcome.verdict.sentence())
    elif outcome.after:
        say(f"Validation IoU {_mean(outcome.after):.3f} (step {outcome.best_step}).")
    elif outcome.ended != "stopped":
        say("Nothing judged the model; leave out --hold-out 0 to know what it gained.")
    say(f"The model is in {outcome.model}, after {minutes:.0f} minutes.")


def conclude_unbegun(screen: Console) -> None:
    """Say what a stop means that came before anything was learned."""
    screen.print(
        "Stopped while the objects were cut out, so nothing was learned; the same command begins anew.",
        markup=False,
        soft_wrap=True,
    )


def keep_if_it_helps(outcome: Outcome, name: str | None, screen: Console) -> str | None:
    """Put the model into the library if it helps, or nothing was to judge it; its name there."""
    if name is None:
        return None
    if outcome.ended == "stopped" or (outcome.verdict is not None and not outcome.verdict.helps):
        screen.print("It was not put into the library.", markup=False)
        return None
    from ..models.own import keep_model

    kept = keep_model(outcome.model, name)
    screen.print(f"It is in the library as '{kept.name}': give --model '{kept.name}'.", markup=False, soft_wrap=True)
    return kept.name


def follow(updates: Iterator[Update], screen: Console, stop: Callable[[], None] | None = None) -> list[dict[str, Any]]:
    """Show a training's updates until it ends; returns its validations.

    At Ctrl+C ``stop`` asks the training to end by itself; without it, the updates are closed.
    """
    reports: list[dict[str, Any]] = []
    with progress_bar("Training", unit="steps") as progress, _interruptible(screen, stop) as interrupted:
        for update in updates:
            progress(update.step, update.steps)
            for notice in update.notices:
                screen.print(notice, markup=False, soft_wrap=True)
            if update.validation is not None:
                screen.print(_told(update), markup=False, soft_wrap=True)
                reports.append({"step": update.step, "loss": update.loss, "iou": dict(update.validation)})
            if interrupted() and stop is None:
                if isinstance(updates, Generator):
                    updates.close()
                screen.print(f"Stopped at step {update.step}; the same command goes on from there.", soft_wrap=True)
                break
    return reports


def _told(update: Update) -> str:
    values = ", ".join(f"{name} {iou:.3f}" for name, iou in (update.validation or {}).items())
    judged = f"IoU {values}" if values else f"IoU of its batch {update.train_iou:.3f}"
    stage = f"{update.stage}: " if update.stage else ""
    return (
        f"{stage}step {update.step} of {update.steps}: loss {update.loss:.3f}, {judged}; "
        f"{update.samples_per_second:.0f} samples/s, {100 * update.outside_network:.0f} % outside the network, "
        f"{_duration(update.seconds_left)} left"
    )


@contextlib.contextmanager
def _interruptible(screen: Console, stop: Callable[[], None] | None) -> Iterator[Callable[[], bool]]:
    """Let the first Ctrl+C (or a cluster's SIGTERM) ask for an end, and a later Ctrl+C force it."""
    asked: list[float] = []

    def handle(number: int, _frame: object) -> None:
        now = time.monotonic()
        if not asked:
            screen.print("Stopping after this step; press Ctrl+C again to stop at once.", markup=False, soft_wrap=True)
            if stop is not None:
                stop()
        elif number == signal.SIGINT and now - asked[0] > _ECHO:
            raise KeyboardInterrupt
        asked.append(now)

    before: dict[int, Any] = {}
    with contextlib.suppress(ValueError):  # not the main thread: nobody presses Ctrl+C there
        for sent in (signal.SIGINT, signal.SIGTERM):
            before[sent] = signal.signal(sent, handle)
    try:
        yield lambda: bool(asked)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _mean(values: Mapping[str, float]) -> float:
    return sum(values.values()) / len(values)


def _duration(seconds: float) -> str:
    minutes = round(seconds / 60)
    return f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{minutes} min"
