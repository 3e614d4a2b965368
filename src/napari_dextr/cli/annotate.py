"""``napari-dextr annotate``: boxes or extreme points of a COCO file to masks."""

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
    keep_apart,
    open_model,
    progress_bar,
    write_json,
)

if TYPE_CHECKING:
    from ..annotate import AnnotateReport

_SHOWN = 5  # problems on the screen; the review list holds all


class Start(str, Enum):
    """What masks are made from."""

    auto = "auto"
    marks = "marks"
    extreme = "extreme"
    box = "box"


class Form(str, Enum):
    """How masks are written."""

    auto = "auto"
    rle = "rle"
    polygons = "polygons"


def annotate(
    annotations: Annotated[
        Path, typer.Argument(metavar="COCO.json", help="Objects with boxes or extreme points.", show_default=False)
    ],
    images: Annotated[Path, typer.Option(help="Folder of the images.", show_default=False)],
    output: Annotated[Path, typer.Option("--output", "-o", help="COCO file to write.", show_default=False)],
    prompt: Annotated[
        Start,
        typer.Option(help="What to start from; auto takes recorded marks, else extreme_points, else bbox."),
    ] = Start.auto,
    keep_masks: Annotated[
        bool, typer.Option("--keep-masks", help="Leave objects alone that have a mask already.")
    ] = False,
    segmentation: Annotated[
        Form, typer.Option(help="auto writes polygons where an object has no hole, else run lengths.")
    ] = Form.auto,
    review: Annotated[
        Path | None,
        typer.Option(help="List of all masks, worst first: .csv or .json.", show_default="OUTPUT.review.csv"),
    ] = None,
    batch: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Objects of one image that are segmented together; by default as many as are fast here: 1 on a "
            "processor without bfloat16, else 8.",
            show_default=False,
        ),
    ] = None,
    restart: Annotated[bool, typer.Option("--restart", help="Forget an unfinished run and begin anew.")] = False,
    cluster: Annotated[
        str | None,
        typer.Option(metavar="ADDRESS", help="Work on a dask cluster: its scheduler's address, or 'local'."),
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Local worker processes, or workers of the cluster to wait for.")
    ] = None,
    model: ModelOption = "embedded",
    device: DeviceOption = Device.auto,
    precision: PrecisionOption = Precision.auto,
    threads: ThreadsOption = None,
    json_file: JsonOption = None,
) -> None:
    """Turn the boxes or extreme points of a COCO file into masks.

    Every object gets a mask and the IoU that the model expects of it. The review list has them all, worst first. A
    run that was interrupted goes on where it stopped, if it is started again in the same way.

    [bold]Examples[/bold]

        napari-dextr annotate boxes.json --images photos -o masks.json

        napari-dextr annotate points.json --images photos -o masks.json --prompt extreme --segmentation rle

        napari-dextr annotate boxes.json --images /data/photos -o masks.json --cluster tcp://node1:8786
    """
    from ..annotate import AnnotateSettings, annotate_coco
    from ..annotate.review import check_review_path, review_beside
    from ..files import check_target

    settings = AnnotateSettings(prompt.value, keep_masks, segmentation.value, batch)
    if review is not None:
        check_review_path(review)
    check_target(output)
    keep_apart(output, review or review_beside(output), json_file)
    segmenter = open_model(model, device, precision, threads)
    with progress_bar("Segmenting") as progress:
        if cluster is None:
            report = annotate_coco(
                annotations, images, output, segmenter, settings, review=review, restart=restart, progress=progress
            )
        else:
            from ..annotate.cluster import Job, connect, spread

            job = Job(model, device.value, precision.value, threads, str(images.resolve()), settings)
            with connect(cluster, workers) as client:
                worker = spread(client, job)
                report = annotate_coco(
                    annotations,
                    images,
                    output,
                    segmenter,
                    settings,
                    review=review,
                    restart=restart,
                    progress=progress,
                    worker=worker,
                )
    screen = console(json_file)
    for line in _lines(report):
        screen.print(line, markup=False, soft_wrap=True)
    write_json(json_file, report.to_json())


def _lines(report: AnnotateReport) -> list[str]:
    earlier = f" ({report.resumed} of them by an earlier run)" if report.resumed else ""
    left = f"; {report.left} left as they are" if report.left else ""
    lines = [f"{report.path}: {report.masks} of {report.objects} objects have a mask{earlier}{left}"]
    scores = [row.score for row in report.rows if row.score is not None]
    if scores:
        doubtful = sum(score < 0.7 for score in scores)
        lines.append(
            f"expected IoU {sum(scores) / len(scores):.2f} on average, below 0.70 for {doubtful}; "
            f"worst first in {report.review}"
        )
    lines += report.problems[:_SHOWN]
    if len(report.problems) > _SHOWN:
        lines.append(f"… and {len(report.problems) - _SHOWN} more problems, all in {report.review}")
    return lines
