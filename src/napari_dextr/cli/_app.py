"""What all commands share: errors, the ``--json`` option, the model's options, progress bars."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from ..errors import DextrError, OutputError
from ..memory import is_full

if TYPE_CHECKING:
    from rich.console import Console

    from ..segmenter import Segmenter

Progress = Callable[[int, int], None]

EXIT_CODE = 2
_STDOUT = Path("-")


class Device(str, Enum):
    """Where the network runs."""

    auto = "auto"
    cpu = "cpu"
    cuda = "cuda"
    mps = "mps"


class Precision(str, Enum):
    """Arithmetic of the network."""

    auto = "auto"
    full = "full"
    reduced = "reduced"


ModelOption = Annotated[
    str,
    typer.Option("--model", "-m", help="A name that `napari-dextr models` lists, a weights file, or a training run."),
]
DeviceOption = Annotated[
    Device, typer.Option(help="Where the network runs; auto takes a graphics card if there is one.")
]
PrecisionOption = Annotated[
    Precision, typer.Option(help="full is exact float32; auto goes faster where the masks were shown to agree.")
]
ThreadsOption = Annotated[
    int | None,
    typer.Option(min=1, help="Processor threads; by default as many as there are cores.", show_default=False),
]


def _check_json(json_file: Path | None) -> Path | None:
    """Refuse a file that cannot be written, or should not be, before the work is done, not after it."""
    from ..coco.document import looks_like_coco
    from ..files import check_target

    if json_file is not None and json_file.is_file() and looks_like_coco(json_file):
        raise OutputError(
            f"'{json_file}' holds annotations, and --json would replace it by the results; give another name, or put "
            "--json last, by itself."
        )
    if json_file not in (None, _STDOUT):
        check_target(json_file)
    return json_file


JsonOption = Annotated[
    Path | None,
    typer.Option(
        "--json",
        metavar="[FILE]",
        callback=_check_json,
        help="Write the results as JSON; without a file, to the terminal and nothing else.",
    ),
]


def reflow(text: str | None) -> str | None:
    """A docstring as the text of ``--help``: paragraphs as long as the terminal is wide, examples line by line.

    Typer keeps the line breaks of the source, so that a narrower terminal shows lines of one word in between.
    """
    if text is None:
        return None
    paragraphs = text.split("\n\n")
    return "\n\n".join(each if each.startswith(" ") else each.replace("\n", " ") for each in paragraphs)


class DextrGroup(TyperGroup):
    """The program: errors that a user can act on become one sentence and exit code 2."""

    def __init__(self, *, help: str | None = None, **settings: Any) -> None:
        super().__init__(help=reflow(help), **settings)

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except DextrError as error:
            message = str(error)
        except (MemoryError, RuntimeError) as error:  # typer's own end of a command is a RuntimeError, too
            if not is_full(error):
                raise
            message = "There is not enough memory for this; close other programs or take a smaller image."
        except OSError as error:  # a full disk under a temporary folder, a vanished network drive
            if error.errno in (None, errno.EPIPE):  # typer ends quietly where the reader of a pipe has gone
                raise
            message = f"{error.strerror}{f' ({error.filename})' if error.filename else ''}."
        typer.echo(f"napari-dextr: {message}", err=True)
        raise typer.Exit(EXIT_CODE) from None


class JsonCommand(TyperCommand):
    """A command whose ``--json`` may stand alone, meaning standard output."""

    def __init__(self, *args: Any, help: str | None = None, **settings: Any) -> None:
        super().__init__(*args, help=reflow(help), **settings)

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        return super().parse_args(ctx, _with_stdout(args))


class JsonGroup(TyperGroup):
    """Commands under one name, which is a command by itself whose ``--json`` may stand alone."""

    def __init__(self, *, help: str | None = None, **settings: Any) -> None:
        super().__init__(help=reflow(help), **settings)

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        own = next((number for number, word in enumerate(args) if word in self.commands), len(args))
        return super().parse_args(ctx, [*_with_stdout(args[:own]), *args[own:]])


def _with_stdout(args: list[str]) -> list[str]:
    """The words of a command line, with the file ``-`` after a ``--json`` that has none."""
    filled: list[str] = []
    for number, word in enumerate(args):
        filled.append(word)
        alone = number + 1 == len(args) or (args[number + 1].startswith("-") and args[number + 1] != "-")
        if word == "--json" and alone:
            filled.append(str(_STDOUT))
    return filled


def _show_version(wanted: bool) -> None:
    if wanted:
        from .. import __version__

        typer.echo(f"napari-dextr {__version__}")
        raise typer.Exit


def program(
    version: Annotated[
        bool, typer.Option("--version", help="Show the version and exit.", is_eager=True, callback=_show_version)
    ] = False,
) -> None:
    """Four clicks on an object's outline, and its mask.

    Begin with [bold]demo[/bold]: it needs no data and no screen. [bold]segment[/bold] cuts one object out of an image,
    [bold]annotate[/bold] turns the boxes or clicks of a whole data set into masks. How good is it on your images?
    [bold]evaluate[/bold] clicks on objects that you have annotated, and compares. Not good enough?
    [bold]train[/bold] teaches a model your objects; every command takes it as --model, and [bold]models[/bold] keeps
    it for the viewer.

    In napari the same models answer to the mouse: Plugins > napari DEXTR > Annotate.

    [bold]Examples[/bold]

        napari-dextr demo

        napari-dextr segment cells.tif --points "12,40 55,8 96,42 50,81" -o a.png

        napari-dextr annotate boxes.json --images photos -o masks.json

        napari-dextr COMMAND --help

    [bold]Good to know[/bold]

    Coordinates are row,column in pixels, as napari shows them. Wrong input ends with one sentence and exit code 2.
    Where a command takes --json, programs can read its results. [bold]models[/bold] tells in which folders downloaded
    weights and your own models lie; the environment variables NAPARI_DEXTR_CACHE and NAPARI_DEXTR_MODELS name others,
    and NAPARI_DEXTR_DATA another place for models, trainings and the journals of sessions.
    """


def console(json_file: Path | None) -> Console:
    """Where tables go: standard output, unless JSON goes there, which must stand alone."""
    from rich.console import Console

    return Console(quiet=json_file == _STDOUT)


def keep_apart(*files: Path | None) -> None:
    """Refuse to write one result over another, or over what is read, before the work is done.

    Parameters
    ----------
    *files : path or None
        Everything that a command reads and writes.

    Raises
    ------
    OutputError
        If two are one file.
    """
    seen = set()
    for file in files:
        if file is None or file == _STDOUT:
            continue
        place = os.path.normcase(os.path.realpath(file))
        if place in seen:
            raise OutputError(f"'{file}' is named twice; give every result a file of its own.")
        seen.add(place)


def write_json(json_file: Path | None, results: Mapping[str, Any]) -> None:
    """Write results to the file of ``--json``, to standard output, or nowhere."""
    if json_file is None:
        return
    text = json.dumps(results, indent=2, allow_nan=False)
    if json_file == _STDOUT:
        typer.echo(text)
        return
    from ..files import atomic_write

    with atomic_write(json_file) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")


@contextlib.contextmanager
def progress_bar(what: str, unit: str = "objects") -> Iterator[Progress]:
    """A bar on standard error; yields a function that takes (done, in all). Nothing is drawn where nobody looks."""
    if not sys.stderr.isatty():  # not left to rich's `disable`, which wrote an empty line before rich 14.3
        yield lambda done, total: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    amount = DownloadColumn() if unit == "bytes" else MofNCompleteColumn()
    columns = (TextColumn("{task.description}"), BarColumn(), amount, TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=None)

        def update(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total or None)

        yield update


def open_model(source: str, device: Device, precision: Precision, threads: int | None) -> Segmenter:
    """Load the model that the options name, with a bar while it is downloaded."""
    from ..models import load_model

    set_threads(threads)
    with progress_bar(f"Downloading {source}", unit="bytes") as progress:
        return load_model(source, device=device.value, precision=precision.value, progress=progress)


def set_threads(threads: int | None) -> None:
    """Limit PyTorch to so many processor threads."""
    if threads is not None:
        import torch

        torch.set_num_threads(threads)


def percent(value: float | None) -> str:
    """A share as a percentage with one decimal, for tables."""
    return "–" if value is None else f"{100 * value:.1f} %"
