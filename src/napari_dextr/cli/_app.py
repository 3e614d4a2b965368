"""What all commands share: errors, the ``--json`` option, the model's options, progress bars."""

from __future__ import annotations

import contextlib
import errno
import json
import sys
from collections.abc import Callable, Iterator, Mapping
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from ..errors import DextrError, OutputError

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
    """Refuse a file that cannot be written before the work is done, not after it."""
    if json_file not in (None, _STDOUT) and (json_file.is_dir() or not json_file.parent.is_dir()):
        raise OutputError(f"'{json_file}' cannot be written: give the name of a file in a folder that exists.")
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


class DextrGroup(TyperGroup):
    """The program: errors that a user can act on become one sentence and exit code 2."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except DextrError as error:
            message = str(error)
        except MemoryError:
            message = "There is not enough memory for this; close other programs or take a smaller image."
        except OSError as error:  # a full disk under a temporary folder, a vanished network drive
            if error.errno in (None, errno.EPIPE):  # typer ends quietly where the reader of a pipe has gone
                raise
            message = f"{error.strerror}{f' ({error.filename})' if error.filename else ''}."
        typer.echo(f"napari-dextr: {message}", err=True)
        raise typer.Exit(EXIT_CODE) from None


class JsonCommand(TyperCommand):
    """A command whose ``--json`` may stand alone, meaning standard output."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        filled: list[str] = []
        for number, word in enumerate(args):
            filled.append(word)
            alone = number + 1 == len(args) or (args[number + 1].startswith("-") and args[number + 1] != "-")
            if word == "--json" and alone:
                filled.append(str(_STDOUT))
        return super().parse_args(ctx, filled)


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

    Segment single objects from extreme points, boxes or clicks, and measure how well that works on your own images.
    The same model answers in napari: Plugins > Annotate (napari DEXTR).
    """


def console(json_file: Path | None) -> Console:
    """Where tables go: standard output, unless JSON goes there, which must stand alone."""
    from rich.console import Console

    return Console(quiet=json_file == _STDOUT)


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
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    amount = DownloadColumn() if unit == "bytes" else MofNCompleteColumn()
    columns = (TextColumn("{task.description}"), BarColumn(), amount, TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as bar:
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
