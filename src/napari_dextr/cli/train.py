"""``napari-dextr train``: train on one's own annotations, or by a recipe."""

from __future__ import annotations

import contextlib
import signal
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import asdict, replace
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import DataError
from ._app import Device, DeviceOption, JsonOption, ThreadsOption, console, progress_bar, set_threads, write_json

if TYPE_CHECKING:
    from rich.console import Console

    from ..training.distribution import World
    from ..training.finetune import FineTunePlan, Outcome
    from ..training.loop import Update

_DATA = "Data"
_SETTINGS = "Settings (by default those that suit the start)"
_RECIPE = "By a recipe"
_ECHO = 1.0  # seconds in which torchrun passes on the signal that the terminal has sent already


class Arithmetic(str, Enum):
    """Arithmetic of the training."""

    auto = "auto"
    float32 = "float32"
    bfloat16 = "bfloat16"
    float16 = "float16"


class Loss(str, Enum):
    """Losses that have a name."""

    house = "house"
    balanced = "balanced"


def train(
    annotations: Annotated[
        Path | None, typer.Argument(metavar="COCO.json", help="Objects to train on.", show_default=False)
    ] = None,
    out: Annotated[Path, typer.Option("--out", "-o", metavar="RUN", help="Run folder.", show_default=False)] = ...,  # type: ignore[assignment]
    images: Annotated[
        Path | None,
        typer.Option(help="Folder of their images; by default that of the file.", rich_help_panel=_DATA),
    ] = None,
    validation: Annotated[
        Path | None,
        typer.Option(metavar="COCO.json", help="Objects that judge and never train.", rich_help_panel=_DATA),
    ] = None,
    validation_images: Annotated[
        Path | None, typer.Option(help="Folder of their images.", rich_help_panel=_DATA)
    ] = None,
    hold_out: Annotated[
        float | None,
        typer.Option(min=0, max=0.9, help="Share of the images to hold out as judges.", rich_help_panel=_DATA),
    ] = None,
    least_area: Annotated[
        int, typer.Option(min=1, help="Leave out objects of fewer pixels.", rich_help_panel=_DATA)
    ] = 60,
    skip_unreadable: Annotated[
        bool,
        typer.Option("--skip-unreadable", help="Leave out images that are missing or broken.", rich_help_panel=_DATA),
    ] = False,
    initial: Annotated[
        str, typer.Option("--init", help="What to start from: embedded, a model file, a run folder, or scratch.")
    ] = "embedded",
    upright: Annotated[
        bool, typer.Option("--upright", help="The images have a right way up: turn objects by small angles only.")
    ] = False,
    config: Annotated[
        Path | None, typer.Option(metavar="FILE.toml", help="File of settings; flags go before it.", show_default=False)
    ] = None,
    steps: Annotated[int | None, typer.Option(min=1, rich_help_panel=_SETTINGS, show_default=False)] = None,
    canvas: Annotated[
        int | None,
        typer.Option(
            min=32, help="Side of what the network sees, pixels.", rich_help_panel=_SETTINGS, show_default=False
        ),
    ] = None,
    batch: Annotated[
        int | None, typer.Option(min=1, help="Samples a step.", rich_help_panel=_SETTINGS, show_default=False)
    ] = None,
    learning_rate: Annotated[float | None, typer.Option(rich_help_panel=_SETTINGS, show_default=False)] = None,
    loss: Annotated[
        Loss | None,
        typer.Option(help="house, or the paper's balanced.", rich_help_panel=_SETTINGS, show_default=False),
    ] = None,
    patience: Annotated[
        int | None,
        typer.Option(
            min=0,
            help="Stop after so many validations without progress.",
            rich_help_panel=_SETTINGS,
            show_default=False,
        ),
    ] = None,
    seed: Annotated[int | None, typer.Option(rich_help_panel=_SETTINGS, show_default=False)] = None,
    precision: Annotated[
        Arithmetic, typer.Option(help="auto takes the fastest that the device does well.", rich_help_panel=_SETTINGS)
    ] = Arithmetic.auto,
    device: DeviceOption = Device.auto,
    threads: ThreadsOption = None,
    recipe: Annotated[
        str | None,
        typer.Option(
            help="A recipe that comes with the program (embedded), or a TOML file.",
            rich_help_panel=_RECIPE,
            show_default=False,
        ),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(help="Folder that the recipe's paths start from.", rich_help_panel=_RECIPE, show_default=False),
    ] = None,
    json_file: JsonOption = None,
) -> None:
    """Train a model on your own annotations; a run that was stopped goes on where it was.

    The run folder gets settings, record, curves, pictures, checkpoints, and best.safetensors, which every other
    command takes as its --model. Ctrl+C ends the run after the step it is at and keeps the best.

    [bold]Examples[/bold]

        napari-dextr train cells.json --images photos --hold-out 0.2 -o runs/cells

        torchrun --nproc-per-node 2 -m napari_dextr train cells.json --images photos -o runs/cells --device cuda

        napari-dextr train --recipe embedded --data packs -o runs/embedded
    """
    set_threads(threads)
    flags = {
        "steps": steps,
        "canvases": None if canvas is None else ((canvas, 1.0),),
        "batch": batch,
        "learning_rate": learning_rate,
        "mask_loss": None if loss is None else loss.value,
        "patience": patience,
        "seed": seed,
        "precision": None if precision is Arithmetic.auto else precision.value,
        "turning": () if upright else None,
    }
    chosen = {name: value for name, value in flags.items() if value is not None}
    if (annotations is None) == (data is None):
        raise DataError("Give either a COCO file to train on, or a recipe's data folder (--data).")
    if annotations is not None and recipe is not None:
        raise DataError("A recipe brings its own data; give --data with it, or a COCO file without a recipe.")
    if annotations is None and (images or validation or validation_images or hold_out or config or upright):
        raise DataError("A recipe says itself what is trained on what; leave out the options for a COCO file.")
    if annotations is None and initial != "embedded":
        raise DataError("A recipe describes its own network; give a COCO file to go on from a model.")
    from ..training.distribution import World

    screen = console(json_file)
    world = World.join()
    screen.quiet = screen.quiet or not world.first
    try:
        if annotations is None:
            assert data is not None  # one of both was asked for
            _cook(recipe or "embedded", data, out, chosen, device.value, world, screen, json_file)
            return

        from ..training.config import read_settings
        from ..training.finetune import GROUP, FineTunePlan
        from ..training.sources import CocoSource

        settings = {} if config is None else read_settings(config)
        if settings.get("turning"):
            settings["turning"] = (GROUP,)  # the one group there is, whatever the file calls it
        judge = None
        if validation is not None:
            folder = validation_images or images or validation.parent
            judge = CocoSource(validation, folder, least_area, skip_unreadable=skip_unreadable)
        elif validation_images is not None:
            raise DataError("Images to validate on need their annotations as well: give --validation COCO.json.")
        if judge is not None and hold_out:
            raise DataError("Give validation objects or a share to hold out, not both.")
        source = CocoSource(annotations, images or annotations.parent, least_area, skip_unreadable=skip_unreadable)
        settings.update(chosen)
        plan = FineTunePlan(source, out, initial, judge, hold_out or 0.0, settings, device.value)
        _tune(plan, world, screen, json_file)
    finally:
        world.leave()


def _cook(
    name: str,
    data: Path,
    out: Path,
    chosen: Mapping[str, Any],
    device: str,
    world: World,
    screen: Console,
    json_file: Path | None,
) -> None:
    from ..training.config import TrainConfig
    from ..training.recipe import Recipe, run

    def say(line: str) -> None:
        screen.print(line, markup=False, soft_wrap=True)

    plan = Recipe.read(name)
    plan = replace(plan, train=TrainConfig.from_mapping({**asdict(plan.train), **chosen}))
    reports = _follow(run(plan, data, out, say, device=world.device(device), world=world), screen)
    say(f"The model is in {out / 'best.safetensors'}.")
    if world.first:
        write_json(json_file, {"run": str(out), "validation": reports})


def _tune(plan: FineTunePlan, world: World, screen: Console, json_file: Path | None) -> None:
    from ..training.finetune import FineTuning

    tuning = FineTuning(plan, lambda line: screen.print(line, markup=False, soft_wrap=True), world=world)
    started = time.perf_counter()
    reports = _follow(tuning.run(), screen, tuning.stop)
    outcome = tuning.outcome
    if outcome is None:  # another process than the first
        return
    _conclude(outcome, plan, (time.perf_counter() - started) / 60, screen)
    write_json(
        json_file,
        {
            "run": str(plan.out),
            "model": str(outcome.model),
            "steps": outcome.steps,
            "best_step": outcome.best_step,
            "ended": outcome.ended,
            "threshold": outcome.threshold,
            "before": dict(outcome.before),
            "after": dict(outcome.after),
            "validation": reports,
        },
    )


def _conclude(outcome: Outcome, plan: FineTunePlan, minutes: float, screen: Console) -> None:
    def say(line: str) -> None:
        screen.print(line, markup=False, soft_wrap=True)

    if outcome.ended == "stopped":
        say(f"Stopped at step {outcome.steps}; the same command goes on from there.")
    elif outcome.ended == "settled":
        say(f"Ended at step {outcome.steps}, as validation no longer improved.")
    if outcome.after:
        after = _mean(outcome.after)
        if outcome.before and outcome.best_step == 0:
            say(f"No step was better than the start (validation IoU {after:.3f}), so the model is as it was.")
        elif outcome.before:
            say(f"Validation IoU {_mean(outcome.before):.3f} before, {after:.3f} after (step {outcome.best_step}).")
        else:
            say(f"Validation IoU {after:.3f} (step {outcome.best_step}).")
    else:
        say("Nothing judged the model; hold some images out to know what it gained (--hold-out 0.2).")
    say(f"The model is in {outcome.model}, after {minutes:.0f} minutes.")


def _follow(updates: Iterator[Update], screen: Console, stop: Callable[[], None] | None = None) -> list[dict[str, Any]]:
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
    return (
        f"step {update.step} of {update.steps}: loss {update.loss:.3f}, {judged}; "
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
