"""``napari-dextr bench``: how fast this machine is."""

from __future__ import annotations

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
    progress_bar,
    write_json,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.table import Table

    from ..bench import BenchReport
    from ..segmenter import Segmenter


def bench(
    quick: Annotated[
        bool, typer.Option("--quick", help="Few repetitions and no ResNet-101: seconds, not minutes.")
    ] = False,
    viewer: Annotated[
        bool, typer.Option("--viewer", help="Measure in the viewer instead: opens windows, needs a screen.")
    ] = False,
    coco: Annotated[
        bool, typer.Option("--coco", help="Measure COCO files instead: export, import, boxes to masks.")
    ] = False,
    model: ModelOption = "embedded",
    device: DeviceOption = Device.auto,
    precision: PrecisionOption = Precision.auto,
    threads: ThreadsOption = None,
    json_file: JsonOption = None,
) -> None:
    """Measure speed and memory on this machine.

    From click to mask with the chosen model, on a small image and on one of 20,000 x 20,000 pixels (where zarr is
    installed); the published ResNet-101 in exact and in faster arithmetic, in turns; peak memory; import time.

    With --viewer: from the fourth click to the label on the screen, on images of 512 to 50,000 pixels a side; frames
    while the model runs; and accepting, saving and memory in a session of 1,000 objects.

    With --coco: 10,000 objects on 100 planes of 1024 x 1024 pixels written and read, beside a plain loop over
    pycocotools in the same run; boxes to masks one by one, in batches of 8, and as many together as is usual here.

    [bold]Examples[/bold]

        napari-dextr bench

        napari-dextr bench --quick --threads 2 --json bench.json

        napari-dextr bench --viewer

        napari-dextr bench --coco
    """
    if viewer and coco:
        raise typer.BadParameter("Choose --viewer or --coco, not both.")
    if viewer:
        _bench_viewer(model, device, threads, quick, json_file)
        return
    if coco:
        _bench_coco(lambda: open_model(model, device, precision, threads), quick, json_file)
        return
    from ..bench import run_bench

    segmenter = open_model(model, device, precision, threads)
    with progress_bar("Measuring", unit="steps") as progress:
        report = run_bench(segmenter, resnet=not quick, quick=quick, progress=progress)
    screen = console(json_file)
    screen.print(_table(report))
    for line in report.remarks():
        screen.print(line, soft_wrap=True)
    write_json(json_file, report.to_json())


def _bench_viewer(model: str, device: Device, threads: int | None, quick: bool, json_file: Path | None) -> None:
    from ._viewer_bench import measure_viewer, viewer_table

    report = measure_viewer(model, device.value, threads=threads, quick=quick)
    screen = console(json_file)
    screen.print(viewer_table(report))
    for line in report["remarks"]:
        screen.print(line, soft_wrap=True)
    write_json(json_file, report)


def _bench_coco(load: Callable[[], Segmenter], quick: bool, json_file: Path | None) -> None:
    from ..bench_coco import Size, bench_annotate, bench_coco

    with progress_bar("Measuring", unit="jobs") as progress:
        report = bench_coco(Size(10, 100, 512) if quick else Size(), progress)
    # Loaded only now: the peak memory of a process counts what the one that started it held.
    segmenter = load()
    rates = bench_annotate(segmenter, 16 if quick else 64)
    gain = rates["in batches"] / rates["one by one"]
    screen = console(json_file)
    for line in report.remarks():
        screen.print(line, soft_wrap=True)
    each = ", ".join(f"{name} {rate:.1f}" for name, rate in rates.items())
    screen.print(
        f"boxes to masks, objects a second: {each}; batches are {gain:.2f} times as fast, the default is "
        f"{segmenter.at_once} at once",
        soft_wrap=True,
    )
    write_json(json_file, {**report.to_json(), "annotate": rates})


def _table(report: BenchReport) -> Table:
    from rich.table import Table

    table = Table("", title=report.machine, title_justify="left")
    for heading in ("median ms", "95th percentile ms", "runs"):
        table.add_column(heading, justify="right")
    for name, timing in report.timings.items():
        table.add_row(name, f"{timing.median_ms:.1f}", f"{timing.p95_ms:.1f}", str(timing.runs))
    return table
