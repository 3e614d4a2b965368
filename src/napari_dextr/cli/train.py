"""``napari-dextr train``: train on one's own annotations, or by a recipe."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict, replace
from enum import Enum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import DataError
from ..models.naming import check_name
from ._app import Device, DeviceOption, JsonOption, ThreadsOption, console, set_threads, write_json
from ._training import conclude, conclude_unbegun, follow, keep_if_it_helps

if TYPE_CHECKING:
    from rich.console import Console

    from ..training.distribution import World
    from ..training.finetune import FineTunePlan

_DATA = "Data"
_SETTINGS = "Settings (by default those that suit the start)"
_RECIPE = "By a recipe"
_LEAST_AREA = 60  # pixels


class Arithmetic(str, Enum):
    """Arithmetic of the training."""

    auto = "auto"
    float32 = "float32"
    bfloat16 = "bfloat16"
    float16 = "float16"


class Preset(str, Enum):
    """Presets of a fine-tuning."""

    quick = "quick"
    thorough = "thorough"


class Frozen(str, Enum):
    """What of the network stays as it is (`napari_dextr.training.config.FROZEN`)."""

    nothing = "nothing"
    early = "early"
    encoder = "encoder"
    all_but_heads = "all but heads"


class Loss(str, Enum):
    """Losses that have a name."""

    house = "house"
    balanced = "balanced"


def train(
    annotations: Annotated[
        Path | None, typer.Argument(metavar="COCO.json", help="Objects to train on.", show_default=False)
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="RUN", help="Run folder.", show_default=False)
    ] = None,
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
        typer.Option(
            min=0,
            max=0.9,
            help="Share of the objects to hold out as judges, 0 for none; by default as suits their number.",
            rich_help_panel=_DATA,
            show_default=False,
        ),
    ] = None,
    least_area: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Leave out objects of fewer pixels.",
            rich_help_panel=_DATA,
            show_default=str(_LEAST_AREA),
        ),
    ] = None,
    skip_unreadable: Annotated[
        bool,
        typer.Option("--skip-unreadable", help="Leave out images that are missing or broken.", rich_help_panel=_DATA),
    ] = False,
    initial: Annotated[
        str | None,
        typer.Option(
            "--init",
            help="What to start from: a model's name or file, a run folder, or scratch; for a COCO file embedded.",
            show_default=False,
        ),
    ] = None,
    preset: Annotated[
        Preset | None,
        typer.Option(
            help="quick: some minutes on a processor; thorough: several times as long.",
            show_default=Preset.quick.value,
        ),
    ] = None,
    keep: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="Put the model into the library under this name if it helps.", show_default=False
        ),
    ] = None,
    resume: Annotated[
        Path | None,
        typer.Option(
            metavar="RUN", help="Go on with the run of this folder, from the objects it holds.", show_default=False
        ),
    ] = None,
    upright: Annotated[
        bool, typer.Option("--upright", help="The images have a right way up: turn objects by small angles only.")
    ] = False,
    config: Annotated[
        Path | None, typer.Option(metavar="FILE.toml", help="File of settings; flags go before it.", show_default=False)
    ] = None,
    steps: Annotated[
        int | None, typer.Option(min=1, help="Optimiser steps.", rich_help_panel=_SETTINGS, show_default=False)
    ] = None,
    canvas: Annotated[
        int | None,
        typer.Option(
            min=32, help="Side of what the network sees, pixels.", rich_help_panel=_SETTINGS, show_default=False
        ),
    ] = None,
    batch: Annotated[
        int | None,
        typer.Option(min=1, help="Samples a step, at least 4.", rich_help_panel=_SETTINGS, show_default=False),
    ] = None,
    learning_rate: Annotated[
        float | None, typer.Option(help="At its highest.", rich_help_panel=_SETTINGS, show_default=False)
    ] = None,
    frozen: Annotated[
        Frozen | None,
        typer.Option(help="What of the network stays as it is.", rich_help_panel=_SETTINGS, show_default=False),
    ] = None,
    anchor: Annotated[
        float | None,
        typer.Option(
            min=0,
            help="Pull towards the weights of the start; 0 for none.",
            rich_help_panel=_SETTINGS,
            show_default=False,
        ),
    ] = None,
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
    seed: Annotated[
        int | None,
        typer.Option(min=0, help="Of all that is drawn at random.", rich_help_panel=_SETTINGS, show_default=False),
    ] = None,
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

    Objects that did not teach judge the model: the last line says whether it helps. The run folder gets settings,
    record, curves, pictures, checkpoints, and best.safetensors, which every other command takes as its --model: the
    new model if it helps, else the one that training started from. Ctrl+C ends the run after the step it is at.

    [bold]Examples[/bold]

        napari-dextr train cells.json --images photos -o runs/cells --keep cells

        napari-dextr train --resume runs/cells

        torchrun --nproc-per-node 2 -m napari_dextr train cells.json --images photos -o runs/cells --device cuda

        napari-dextr train --recipe embedded --data packs -o runs/embedded
    """
    set_threads(threads)
    flags = {
        "steps": steps,
        "canvases": None if canvas is None else ((canvas, 1.0),),
        "batch": batch,
        "learning_rate": learning_rate,
        "frozen": None if frozen is None else frozen.value,
        "anchor": anchor,
        "mask_loss": None if loss is None else loss.value,
        "patience": patience,
        "seed": seed,
        "precision": None if precision is Arithmetic.auto else precision.value,
        "turning": () if upright else None,
    }
    chosen = {name: value for name, value in flags.items() if value is not None}
    data_options = images or validation or validation_images or hold_out is not None or config or upright
    data_options = data_options or least_area is not None or skip_unreadable or preset is not None
    if keep is not None:
        check_name(keep)  # before the training, not after it
    if resume is not None:
        if annotations or data or recipe or out or initial or data_options or chosen:
            raise DataError("A run that goes on has its own data and settings; give only --device or --keep with it.")
    elif (annotations is None) == (data is None):
        raise DataError("Give either a COCO file to train on, or a recipe's data folder (--data).")
    elif annotations is not None and recipe is not None:
        raise DataError("A recipe brings its own data; give --data with it, or a COCO file without a recipe.")
    elif annotations is None and (data_options or keep):
        raise DataError("A recipe says itself what is trained on what; leave out the options for a COCO file.")
    elif out is None:
        raise DataError("Say where the run goes: give a folder with -o.")
    from ..training.distribution import World

    screen = console(json_file)
    world = World.join()
    screen.quiet = screen.quiet or not world.first
    try:
        if resume is not None:
            from ..training.finetune import FineTunePlan

            plan = FineTunePlan.reopen(resume, None if device is Device.auto else device.value)
            _tune(plan, keep, world, screen, json_file)
            return
        assert out is not None  # it was asked for
        if annotations is None:
            assert data is not None  # one of both was asked for
            _cook(recipe or "embedded", data, out, initial, chosen, device.value, world, screen, json_file)
            return

        from ..training.config import read_settings
        from ..training.finetune import GROUP, FineTunePlan
        from ..training.sources import CocoSource

        settings = {} if config is None else read_settings(config)
        if settings.get("turning"):
            settings["turning"] = (GROUP,)  # the one group there is, whatever the file calls it
        judge, least = None, least_area or _LEAST_AREA
        if validation is not None:
            folder = validation_images or images or validation.parent
            judge = CocoSource(validation, folder, least, skip_unreadable=skip_unreadable)
        elif validation_images is not None:
            raise DataError("Images to validate on need their annotations as well: give --validation COCO.json.")
        if judge is not None and hold_out:
            raise DataError("Give validation objects or a share to hold out, not both.")
        source = CocoSource(annotations, images or annotations.parent, least, skip_unreadable=skip_unreadable)
        settings.update(chosen)
        wanted = (preset or Preset.quick).value
        plan = FineTunePlan(source, out, initial or "embedded", judge, hold_out, settings, device.value, preset=wanted)
        _tune(plan, keep, world, screen, json_file)
    finally:
        world.leave()


def _cook(
    name: str,
    data: Path,
    out: Path,
    initial: str | None,
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
    start = None
    if initial not in (None, "scratch"):
        from ..training.starts import recipe_network

        start = partial(recipe_network, plan, str(initial))
    reports = follow(run(plan, data, out, say, initial=start, device=world.device(device), world=world), screen)
    say(f"The model is in {out / 'best.safetensors'}.")
    if world.first:
        write_json(json_file, {"run": str(out), "validation": reports})


def _tune(plan: FineTunePlan, keep: str | None, world: World, screen: Console, json_file: Path | None) -> None:
    from ..training.finetune import FineTuning

    tuning = FineTuning(plan, lambda line: screen.print(line, markup=False, soft_wrap=True), world=world)
    started = time.perf_counter()
    reports = follow(tuning.run(), screen, tuning.stop)
    outcome = tuning.outcome
    if outcome is None:
        if world.first:  # the others have none
            conclude_unbegun(screen)
            write_json(json_file, {"run": str(plan.out), "model": None, "steps": 0, "ended": "stopped"})
        return
    conclude(outcome, (time.perf_counter() - started) / 60, screen)
    kept = keep_if_it_helps(outcome, keep, screen)
    write_json(
        json_file,
        {
            "run": str(plan.out),
            "model": str(outcome.model),
            "kept": kept,
            "verdict": None if outcome.verdict is None else outcome.verdict.to_dict(),
            "steps": outcome.steps,
            "best_step": outcome.best_step,
            "ended": outcome.ended,
            "threshold": outcome.threshold,
            "before": dict(outcome.before),
            "after": dict(outcome.after),
            "validation": reports,
        },
    )
