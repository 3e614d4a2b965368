"""Command line: ``napari-dextr COMMAND``. One module a command; nothing heavy is imported before it is needed."""

from __future__ import annotations

import io
import sys

import typer

from ..threads import wait_politely
from ._app import DextrGroup, JsonCommand, program
from .annotate import annotate
from .bench import bench
from .demo import demo
from .evaluate import evaluate
from .models import library
from .segment import segment
from .train import train

app = typer.Typer(
    name="napari-dextr",
    cls=DextrGroup,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.callback()(program)
for command in (demo, segment, annotate, evaluate, train):
    app.command(cls=JsonCommand)(command)
app.add_typer(library)
app.command(cls=JsonCommand)(bench)


def main() -> None:
    """Entry point of the console script."""
    wait_politely()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # an arrow must not end a training where output is in an old code page
            stream.reconfigure(errors="replace")
    app(prog_name="napari-dextr")
