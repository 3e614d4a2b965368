"""``napari-dextr segment``: one object of one image."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated, Any

import typer

from ..errors import OutputError
from ..postprocess import PostProcess
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
    write_json,
)
from ._marks import parse_numbers, parse_prompt, parse_whole

_CLEANING = "Cleaning up"


def segment(
    image: Annotated[Path, typer.Argument(help="PNG, JPEG, TIFF or NPY file, or a zarr folder.", show_default=False)],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Mask to write: .png, .tif (0 and 255) or .npy.", show_default=False)
    ],
    points: Annotated[
        str | None, typer.Option(help='Extreme points, "row,col row,col row,col row,col", in any order.')
    ] = None,
    box: Annotated[str | None, typer.Option(help='Box around the object, "row,col,row,col".')] = None,
    inside: Annotated[str | None, typer.Option(help='Clicks inside the object, "row,col …".')] = None,
    outside: Annotated[str | None, typer.Option(help='Clicks outside the object, "row,col …".')] = None,
    boundary: Annotated[str | None, typer.Option(help='Further points on the outline, "row,col …".')] = None,
    channels: Annotated[
        str | None, typer.Option(help='One to three channels to look at, counted from 0: "2,0,1".')
    ] = None,
    limits: Annotated[
        str | None, typer.Option(help='Intensities shown as black and white, "low,high"; for 16-bit and float images.')
    ] = None,
    threshold: Annotated[
        float | None, typer.Option(min=0, max=1, help="Probability from which a pixel counts; by default the model's.")
    ] = None,
    fill_holes: Annotated[
        float, typer.Option(min=0, help="Fill holes of up to so many pixels (inf: all).", rich_help_panel=_CLEANING)
    ] = 0,
    remove_islands: Annotated[
        float, typer.Option(min=0, help="Drop parts of fewer pixels than this.", rich_help_panel=_CLEANING)
    ] = 0,
    keep_marked: Annotated[
        bool, typer.Option("--keep-marked", help="Keep only parts that a mark touches.", rich_help_panel=_CLEANING)
    ] = False,
    clip: Annotated[
        float | None,
        typer.Option(min=0, help="Cut off what lies this many pixels outside the marks.", rich_help_panel=_CLEANING),
    ] = None,
    model: ModelOption = "embedded",
    device: DeviceOption = Device.auto,
    precision: PrecisionOption = Precision.auto,
    threads: ThreadsOption = None,
    json_file: JsonOption = None,
) -> None:
    """Segment one object of an image from a few marks.

    Coordinates are rows and columns in pixels, as napari shows them: the centre of the first pixel is 0,0.

    [bold]Examples[/bold]

    Four extreme points (topmost, leftmost, bottommost, rightmost; three suffice where one is a corner of the object):

        napari-dextr segment cells.tif --points "12,40 55,8 96,42 50,81" -o a.png

    A box, and one click on something that does not belong to the object:

        napari-dextr segment cells.tif --box 12,8,96,81 --outside 20,75 -o b.tif
    """
    from ..image_file import open_image
    from ..mask_file import check_mask_path, write_mask
    from ..session import NEEDED

    prompt = parse_prompt(points, box, inside, outside, boundary)
    if points is not None and len(prompt.outline_points) < NEEDED:
        typer.echo(
            "napari-dextr: Only three extreme points were given. Unless one of them is a corner of the object, it ends "
            "further out on the fourth side, and the mask may be cut off there: give the fourth point as well.",
            err=True,
        )
    chosen = None if channels is None else parse_whole(channels, "--channels")
    shown = None if limits is None else tuple(parse_numbers(limits, "--limits", 2))
    check_mask_path(output)
    keep_apart(output, json_file)
    if output.exists() and image.exists() and output.samefile(image):
        raise OutputError(f"'{output}' is the image itself; choose another name for the mask.")
    plane = open_image(image)
    segmenter = open_model(model, device, precision, threads)
    result = segmenter.segment(plane, prompt, channels=chosen, limits=shown)  # type: ignore[arg-type]
    if threshold is not None:
        result = result.with_threshold(threshold)
    result = result.with_post(PostProcess(fill_holes, remove_islands, keep_marked, clip))
    write_mask(output, result.full_mask())
    rows, cols = result.region
    area = int(result.mask.sum())
    score = None if result.score is None or math.isnan(result.score) else result.score
    facts: dict[str, Any] = {
        "image": str(image),
        "output": str(output),
        "shape": list(result.shape),
        "region": [rows.start, cols.start, rows.stop, cols.stop],
        "area": area,
        "score": score,
        "threshold": result.threshold,
        "milliseconds": result.seconds * 1e3,
        "model": result.model,
        "device": segmenter.device,
        "precision": segmenter.precision,
    }
    guess = "" if score is None else f", estimated IoU {score:.2f}"
    told = f"{output}: {area} pixels{guess} ({result.seconds * 1e3:.0f} ms, {result.model})"
    console(json_file).print(told, markup=False)
    write_json(json_file, facts)
