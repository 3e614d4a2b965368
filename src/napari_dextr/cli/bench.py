"""``napari-dextr bench``: how fast this machine is."""

from __future__ import annotations

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
    progress_bar,
    write_json,
)

if TYPE_CHECKING:
    from rich.table import Table

    from ..bench import BenchReport


def bench(
    quick: Annotated[
        bool, typer.Option("--quick", help="Few repetitions and no ResNet-101: seconds, not minutes.")
    ] = False,
    model: ModelOption = "embedded",
    device: DeviceOption = Device.auto,
    precision: PrecisionOption = Precision.auto,
    threads: ThreadsOption = None,
    json_file: JsonOption = None,
) -> None:
    """Measure speed and memory on this machine.

    From click to mask with the chosen model, on a small image and on one of 20 000 x 20 000 pixels (where zarr is
    installed); the published ResNet-101 in exact and in faster arithmetic, in turns; peak memory; import time.

    [bold]Examples[/bold]

        napari-dextr bench

        napari-dextr bench --quick --threads 2 --json bench.json
    """
    from ..bench import run_bench

    segmenter = open_model(model, device, precision, threads)
    with progress_bar("Measuring", unit="steps") as progress:
        report = run_bench(segmenter, resnet=not quick, quick=quick, progress=progress)
    screen = console(json_file)
    screen.print(_table(report))
    for line in report.remarks():
        screen.print(line, soft_wrap=True)
    write_json(json_file, report.to_json())


def _table(report: BenchReport) -> Table:
    from rich.table import Table

    table = Table("", title=report.machine, title_justify="left")
    for heading in ("median ms", "95th percentile ms", "runs"):
        table.add_column(heading, justify="right")
    for name, timing in report.timings.items():
        table.add_row(name, f"{timing.median_ms:.1f}", f"{timing.p95_ms:.1f}", str(timing.runs))
    return table
