"""``napari-dextr evaluate``: simulated marks on annotated images."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ._app import (
    Device,
    DeviceOption,
    JsonOption,
    ModelOption,
    Precision,
    PrecisionOption,
    ThreadsOption,
    console,
    open_model,
    percent,
    progress_bar,
    write_json,
)

if TYPE_CHECKING:
    from rich.table import Table

    from ..evaluation import Evaluation


class PromptKind(str, Enum):
    """Marks that are simulated."""

    extreme = "extreme"
    box = "box"
    inside_outside = "inside-outside"
    clicks = "clicks"


def evaluate(
    annotations: Annotated[Path, typer.Argument(metavar="COCO.json", help="Annotated objects.", show_default=False)],
    images: Annotated[Path, typer.Option(help="Folder of the images.", show_default=False)],
    prompt: Annotated[PromptKind, typer.Option(help="What is clicked.")] = PromptKind.extreme,
    jitter: Annotated[
        float, typer.Option(help="How far clicks miss, as a share of the object's size; 0.02 is a careful hand.")
    ] = 0.0,
    min_area: Annotated[float, typer.Option(min=0, help="Leave out objects of fewer pixels.")] = 0,
    max_per_image: Annotated[
        int | None, typer.Option(min=1, help="At most so many objects of one image, drawn at random.")
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="At most so many objects in all, drawn at random.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of all that is random.")] = 0,
    baselines: Annotated[
        str | None, typer.Option(help='Baselines to compare with, "ellipse,hermite"; "none" for none. By default all.')
    ] = None,
    correction: Annotated[bool, typer.Option(help="Also measure the gain of a first correcting click.")] = True,
    model: ModelOption = "embedded",
    device: DeviceOption = Device.auto,
    precision: PrecisionOption = Precision.auto,
    threads: ThreadsOption = None,
    json_file: JsonOption = None,
) -> None:
    """Measure a model on annotated images, with simulated clicks.

    The table gives the intersection over union (IoU) with the annotation: mean, median, the worst tenth, and the
    share of objects at 0.85 or more. Masks that need no model stand beside it: the box of the clicks, ellipses and
    curves through them, and GrabCut where OpenCV is installed.

    [bold]Examples[/bold]

        napari-dextr evaluate annotations.json --images photos

        napari-dextr evaluate annotations.json --images photos --prompt box

        napari-dextr evaluate annotations.json --images photos --json results.json
    """
    from ..coco import read_coco
    from ..evaluation import Settings
    from ..evaluation import evaluate as run

    settings = Settings(
        prompt=prompt.value,
        jitter=jitter,
        min_area=min_area,
        max_per_image=max_per_image,
        limit=limit,
        seed=seed,
        correction=correction,
    )
    if baselines is not None:
        names = tuple(name.strip() for name in baselines.split(",") if name.strip() not in ("", "none"))
        settings = settings.with_baselines(names)
    dataset = read_coco(annotations)
    segmenter = open_model(model, device, precision, threads)
    with progress_bar("Evaluating") as progress:
        result = run(segmenter, dataset, images, settings, progress)
    screen = console(json_file)
    if "grabcut" not in settings.baselines and baselines is None:
        screen.print("GrabCut is left out: it needs the package opencv-python-headless.")
    screen.print(_table(result))
    for line in _remarks(result):
        screen.print(line)
    write_json(json_file, result.to_json())


def _table(result: Evaluation) -> Table:
    from rich.table import Table

    settings = result.settings
    title = f"{len(result.outcomes)} objects of {result.dataset}, {settings.prompt}, jitter {settings.jitter:g}"
    table = Table("", title=title, title_justify="left")
    for heading in ("mean IoU", "median", "10th percentile", "at least 0.85"):
        table.add_column(heading, justify="right")
    for name, spread in {result.model: result.iou, **result.baselines}.items():
        style = "bold" if name == result.model else None
        values = (f"{value:.3f}" for value in (spread.mean, spread.median, spread.p10))
        table.add_row(name, *values, percent(spread.good), style=style)
    return table


def _remarks(result: Evaluation) -> list[str]:
    median, p95 = result.latency_ms
    lines = [
        f"boundary F {result.boundary_f:.3f}; click to mask {median:.0f} ms (median), {p95:.0f} ms (95th percentile)"
    ]
    if result.error_reduction is not None:
        best, removed = next(iter(result.baselines)), result.error_reduction
        change = f"{percent(removed)} less" if removed >= 0 else f"{percent(-removed)} more"
        lines.append(f"{change} error (1 - mean IoU) than the best baseline, {best}")
    if result.correction_gain is not None:
        lines.append(f"the first correction adds {result.correction_gain:+.3f} to the mean IoU")
    if result.score_error is not None:
        lines.append(f"the model's own estimate of the IoU is off by {result.score_error:.3f} on average")
    if result.skipped:
        lines.append(f"{result.skipped} objects were too small to be clicked on and are left out")
    return lines
