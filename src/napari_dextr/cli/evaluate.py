"""``napari-dextr evaluate``: simulated marks on annotated images."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import DataError, PromptError
from ._app import (
    Device,
    DeviceOption,
    JsonOption,
    ModelOption,
    Precision,
    PrecisionOption,
    ThreadsOption,
    console,
    keep_apart,
    open_model,
    progress_bar,
    write_json,
)
from ._evaluation_tables import show
from ._marks import parse_numbers

if TYPE_CHECKING:
    from ..evaluation import Settings
    from ..segmenter import Segmenter

_OBJECTS = "Which objects"
_MEASURED = "What is measured"


def _check_plot(file: Path | None) -> Path | None:
    """Refuse a picture that cannot be made before the work is done, not after it."""
    if file is not None:
        from ..evaluation.plot import check_plot

        check_plot(file)
    return file


def evaluate(
    annotations: Annotated[
        list[Path], typer.Argument(metavar="COCO.json", help="Annotated objects.", show_default=False)
    ],
    images: Annotated[
        list[Path] | None,
        typer.Option(
            help="Folder of the images; repeat it for several files. By default 'images' beside each file.",
            show_default=False,
        ),
    ] = None,
    prompt: Annotated[
        str,
        typer.Option(
            help='What is clicked: "extreme,box,inside-outside,clicks", some of them, or "all".',
            rich_help_panel=_MEASURED,
        ),
    ] = "extreme",
    jitter: Annotated[
        str,
        typer.Option(
            help='How far clicks miss, as shares of the object\'s size: "0,0.01,0.02,0.04"; 0.02 is a careful hand.',
            rich_help_panel=_MEASURED,
        ),
    ] = "0",
    corrections: Annotated[
        int, typer.Option(min=0, max=20, help="Correcting clicks to follow.", rich_help_panel=_MEASURED)
    ] = 2,
    noc: Annotated[
        bool,
        typer.Option(
            "--noc", help="Count the clicks to IoU 0.85 and 0.90, 20 at most; takes long.", rich_help_panel=_MEASURED
        ),
    ] = False,
    turns: Annotated[
        bool,
        typer.Option("--turns", help="Compare with the flipped and turned image.", rich_help_panel=_MEASURED),
    ] = False,
    baselines: Annotated[
        str,
        typer.Option(help='Masks without a model: "all", "none", or "ellipse,hermite".', rich_help_panel=_MEASURED),
    ] = "all",
    least_area: Annotated[
        float, typer.Option(min=0, help="Leave out objects of fewer pixels.", rich_help_panel=_OBJECTS)
    ] = 0,
    most_per_image: Annotated[
        int | None,
        typer.Option(min=1, help="At most so many objects of one image, drawn at random.", rich_help_panel=_OBJECTS),
    ] = None,
    most: Annotated[
        int | None,
        typer.Option(min=1, help="At most so many objects of a file, drawn at random.", rich_help_panel=_OBJECTS),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of all that is random.", rich_help_panel=_OBJECTS)] = 0,
    model: ModelOption = "embedded",
    device: DeviceOption = Device.auto,
    precision: PrecisionOption = Precision.auto,
    threads: ThreadsOption = None,
    workers: Annotated[
        int, typer.Option(min=1, help="Images worked on at once. More than one falsifies the latency.")
    ] = 1,
    plot: Annotated[
        Path | None,
        typer.Option(metavar="FILE.png", callback=_check_plot, help="Draw the results (.png, .svg or .pdf)."),
    ] = None,
    json_file: JsonOption = None,
) -> None:
    """Measure a model on annotated images, with simulated clicks.

    The tables give the intersection over union (IoU) with the annotation: mean with its 95 % interval, median, the
    worst tenth, and the share of objects at 0.85 or more; what correcting clicks add; and how far the model's own
    estimate can be trusted. Masks that need no model stand beside it: the box of the clicks, ellipses and curves
    through them, and GrabCut where OpenCV is installed.

    [bold]Examples[/bold]

        napari-dextr evaluate annotations.json --images photos

        napari-dextr evaluate annotations.json --images photos --prompt all --jitter 0,0.02 --noc

        napari-dextr evaluate cells/a.json yeast/a.json --json results.json --plot results.png
    """
    from ..coco import read_coco
    from ..evaluation import Settings, available_baselines, check_data, report
    from ..evaluation import evaluate as run
    from ..evaluation.plot import write_plot

    keep_apart(*dict.fromkeys(annotations), plot, json_file)
    every = prompt.strip() == "all"
    settings = Settings(
        prompts=("extreme",) if every else _names(prompt),
        jitters=tuple(parse_numbers(jitter, "--jitter")),
        corrections=corrections,
        noc=noc,
        turns=turns,
        least_area=least_area,
        most_per_image=most_per_image,
        most=most,
        seed=seed,
        baselines=available_baselines() if baselines == "all" else () if baselines == "none" else _names(baselines),
    )
    folders = _folders(annotations, images or [])
    datasets = [read_coco(file) for file in annotations]
    if workers > 1 and threads is None:
        threads = max(1, (os.cpu_count() or 1) // workers)
    segmenter = open_model(model, device, precision, threads)
    if every:
        settings = _with_every_prompt(settings, segmenter)
    screen = console(json_file)
    if baselines == "all" and "grabcut" not in settings.baselines:
        screen.print(
            "GrabCut is left out: it needs OpenCV; install it with `pip install opencv-python-headless`.",
            soft_wrap=True,
        )
    for dataset, folder in zip(datasets[1:], folders[1:], strict=True):
        check_data(
            segmenter, dataset, folder, settings
        )  # not after hours with the first, which is checked as it begins
    evaluations = []
    for dataset, folder in zip(datasets, folders, strict=True):
        with progress_bar(f"Evaluating {dataset.path.parent.name}") as progress:
            evaluations.append(run(segmenter, dataset, folder, settings, progress, workers))
        show(screen, evaluations[-1])
    document = report(evaluations)
    try:
        write_json(json_file, document)
    finally:  # a disk that is full now takes the one or the other
        if plot is not None:
            write_plot(evaluations, plot)
            screen.print(f"The picture is in {plot}.", markup=False, soft_wrap=True)


def _names(text: str) -> tuple[str, ...]:
    return tuple(name for part in text.split(",") if (name := part.strip()))


def _with_every_prompt(settings: Settings, model: Segmenter) -> Settings:
    """All prompts that the model takes."""
    from dataclasses import replace

    from ..evaluation import prompts_taken

    taken = prompts_taken(model)
    if not taken:
        raise PromptError(f"The model '{model.spec.name}' takes none of the prompts that can be simulated.")
    return replace(settings, prompts=taken)


def _folders(annotations: list[Path], images: list[Path]) -> list[Path]:
    """A folder of images for each annotation file."""
    if not images:
        return [file.parent / "images" if (file.parent / "images").is_dir() else file.parent for file in annotations]
    if len(images) not in (1, len(annotations)):
        raise DataError(
            f"There are {len(annotations)} annotation files and {len(images)} folders of images; "
            "give one --images for all files, or one for each."
        )
    return images * len(annotations) if len(images) == 1 else images
