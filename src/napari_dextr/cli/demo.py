"""``napari-dextr demo``: the main job without a screen."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

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
    progress_bar,
    write_json,
)


def demo(
    out: Annotated[Path, typer.Option(help="Folder for the results.")] = Path("demo-output"),
    model: ModelOption = "embedded",
    device: DeviceOption = Device.auto,
    precision: PrecisionOption = Precision.auto,
    threads: ThreadsOption = None,
    json_file: JsonOption = None,
) -> None:
    """Segment objects of three photographs, and show how long it takes.

    The photographs come with scikit-image; nothing is downloaded and no screen is needed. Writes a label image
    (TIFF) and a picture with masks and clicks (PNG) for each, and one COCO file.

    [bold]Examples[/bold]

        napari-dextr demo

        napari-dextr demo --out ~/dextr-demo --device cpu --threads 2
    """
    from rich.table import Table

    from ..demo import run_demo

    segmenter = open_model(model, device, precision, threads)
    with progress_bar("Segmenting") as progress:
        report = run_demo(segmenter, out, progress=progress)
    table = Table("photograph", "object", title=f"{segmenter.spec.name} on {segmenter.device}", title_justify="left")
    for heading in ("ms", "pixels", "estimated IoU"):
        table.add_column(heading, justify="right")
    for result in report.results:
        score = "–" if result.score is None else f"{result.score:.2f}"
        table.add_row(result.photo, result.name, f"{result.milliseconds:.0f}", str(result.area), score)
    screen = console(json_file)
    screen.print(table)
    screen.print(
        f"Pictures, labels and COCO annotations are in [bold]{report.folder.resolve()}[/bold]:", soft_wrap=True
    )
    for file in report.files:
        screen.print(f"  {file.name}", markup=False, soft_wrap=True)
    write_json(json_file, report.to_json())
