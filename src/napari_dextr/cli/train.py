"""``napari-dextr train``: train a model by a recipe."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from ._app import JsonOption, ThreadsOption, console, progress_bar, set_threads, write_json


def train(
    data: Annotated[Path, typer.Option(help="Folder that the recipe's paths start from.", show_default=False)],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="RUN", help="Run folder.", show_default=False)],
    recipe: Annotated[str, typer.Option(help="A recipe that comes with the program, or a TOML file.")] = "embedded",
    threads: ThreadsOption = None,
    json_file: JsonOption = None,
) -> None:
    """Train a model by a recipe; a run that was stopped goes on where it was.

    The run folder gets the settings, a checkpoint at every validation, and at the end best.safetensors, which every
    other command takes as its --model.

    [bold]Example[/bold]

        napari-dextr train --recipe embedded --data packs -o runs/embedded
    """
    from ..training.recipe import Recipe, run

    set_threads(threads)
    plan = Recipe.read(recipe)
    screen = console(json_file)
    started = time.perf_counter()
    reports = []
    with progress_bar("Training", unit="steps") as progress:
        for update in run(plan, data, out, lambda line: screen.print(line)):
            progress(update.step, update.steps)
            if update.validation is None:
                continue
            values = ", ".join(f"{name} {iou:.3f}" for name, iou in update.validation.items())
            screen.print(
                f"step {update.step} of {update.steps}: loss {update.loss:.3f}, IoU {values}; "
                f"{update.samples_per_second:.0f} samples/s, {100 * update.outside_network:.0f} % outside the network"
            )
            reports.append({"step": update.step, "loss": update.loss, "iou": dict(update.validation)})
    minutes = (time.perf_counter() - started) / 60
    screen.print(f"The model is in {out / 'best.safetensors'}, after {minutes:.0f} minutes.")
    write_json(json_file, {"run": str(out), "validation": reports})
