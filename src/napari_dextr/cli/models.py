"""``napari-dextr models``: what there is to choose from, and the library of models of one's own."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ._app import JsonCommand, JsonGroup, JsonOption, console, write_json

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..training.outcome import Outcome

library = typer.Typer(name="models", cls=JsonGroup, invoke_without_command=True, rich_markup_mode="rich")
"""``models`` by itself, and its commands."""

NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="A model of yours.", show_default=False)]


@library.callback()
def models(context: typer.Context, json_file: JsonOption = None) -> None:
    """List the models: those that come with the plugin, those downloaded, those that can be, and your own.

    A published model is downloaded when it is first used, and kept. A model that you trained is listed once you keep
    it: here, with keep, or in the viewer.

    [bold]Examples[/bold]

        napari-dextr models

        napari-dextr models --json

        napari-dextr models keep runs/cells --name "nuclei, 20x"
    """
    if context.invoked_subcommand is not None:
        return
    from rich.table import Table

    from ..models.download import cache_folder
    from ..models.own import models_folder, unusable_models
    from ..models.registry import entries

    facts = [_facts(entry) for entry in entries()]
    table = Table(show_lines=True)
    for heading in ("name", "about"):  # more columns would be too narrow for their longest words on 80 characters
        table.add_column(heading, overflow="fold")
    for fact in facts:
        table.add_row(_plain(fact["name"]), _plain(_about(fact)))
    console(json_file).print(table)
    for fact in facts:
        if fact["state"] in ("downloaded", _OWN):
            _say(f"{fact['name']}: {fact['file']}", json_file)
    unusable = unusable_models()
    for sentence in unusable.values():
        _say(f"Left out: {sentence}", json_file)
    folders = {"downloads": str(cache_folder()), "own": str(models_folder())}
    _say(f"Downloads are kept in {folders['downloads']}, your own models in {folders['own']}.", json_file)
    write_json(json_file, {"models": facts, "folders": folders, "left_out": unusable})


@library.command(cls=JsonCommand)
def keep(
    source: Annotated[
        Path, typer.Argument(metavar="RUN_OR_FILE", help="A training run, or a weights file.", show_default=False)
    ],
    name: Annotated[
        str | None, typer.Option(help="Its name from now on; by default that of the run.", show_default=False)
    ] = None,
    json_file: JsonOption = None,
) -> None:
    """Put a trained model among your own: from then on every command and the viewer take it by its name.

    It is copied; the run can go. No model is ever replaced: where the name is taken, a number follows it.

    [bold]Examples[/bold]

        napari-dextr models keep runs/cells

        napari-dextr models keep best.safetensors --name "nuclei, 20x"
    """
    from ..models.own import keep_model
    from ..models.provenance import describe

    model = keep_model(source, name)
    _say(f"Kept as '{model.name}': {describe(model.spec)}. Use it with --model \"{model.name}\".", json_file)
    refused = _refused(source) if source.is_dir() else None
    if refused is not None:
        also = "" if refused.tuned is None else f" The new one is {refused.tuned}, if you want it all the same."
        _say(f"This run did not help, so what you kept is the model that it started from.{also}", json_file)
    write_json(json_file, {"name": model.name, "file": str(model.path), "is_the_base": refused is not None})


@library.command(cls=JsonCommand)
def rename(
    name: NameArgument,
    new: Annotated[str, typer.Argument(metavar="NEW", help="Its name from now on.", show_default=False)],
    json_file: JsonOption = None,
) -> None:
    """Give a model of yours another name.

    [bold]Examples[/bold]

        napari-dextr models rename cells "nuclei, 20x"
    """
    from ..models.own import rename_model

    model = rename_model(name, new)
    _say(f"'{name}' is now '{model.name}'.", json_file)
    write_json(json_file, {"name": model.name, "file": str(model.path)})


@library.command(cls=JsonCommand)
def remove(name: NameArgument) -> None:
    """Delete a model of yours: its file among your models, and nothing else. The run that it came from stays.

    [bold]Examples[/bold]

        napari-dextr models remove cells
    """
    from ..models.own import remove_model

    remove_model(name)
    _say(f"'{name}' is removed.")


@library.command(cls=JsonCommand)
def export(
    name: NameArgument,
    destination: Annotated[
        Path, typer.Argument(metavar="FILE", help="A .safetensors file, or a folder.", show_default=False)
    ],
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a file that is there.")] = False,
    json_file: JsonOption = None,
) -> None:
    """Write a model of yours to a file for others, who keep it with `models keep FILE`.

    [bold]Examples[/bold]

        napari-dextr models export cells for-the-lab.safetensors
    """
    from ..models.own import export_model

    written = export_model(name, destination, overwrite=overwrite)
    _say(f"'{name}' is in {written}.", json_file)
    write_json(json_file, {"name": name, "file": str(written)})


_OWN = "your own"


def _refused(source: Path) -> Outcome | None:
    """The outcome of a run whose verdict was no: its folder's model is the one that it started from."""
    from ..errors import DataError
    from ..training.outcome import read_outcome

    try:
        outcome = read_outcome(source)
    except DataError:  # damaged, but the model beside it was read
        return None
    return outcome if outcome is not None and outcome.verdict is not None and not outcome.verdict.helps else None


def _facts(entry: Any) -> dict[str, Any]:
    from ..coco.assembly import finite
    from ..models.download import cached_file

    file = entry.file or cached_file(entry)
    there = file.is_file()
    if entry.own:
        state = _OWN
    elif entry.url is None:
        state = "comes with the plugin"
    else:
        state = "downloaded" if there else "can be downloaded"
    facts = {
        "name": entry.name,
        "title": entry.title,
        "state": state,
        "file": str(file),
        "megabytes": (file.stat().st_size if there else entry.size) / 1e6,
        "marks": list(entry.spec.marks),
        "licence": entry.licence,
        "trained_on": entry.trained_on,
        "mean_iou": entry.iou,
        "mean_iou_on": entry.iou_on,
        "url": entry.url,
    }
    return facts | {"provenance": finite(dict(entry.spec.provenance))} if entry.own else facts


def _about(fact: Mapping[str, Any]) -> str:
    """What the table says of a model, a line for each subject."""
    learned = fact["title"] if fact["state"] == _OWN else f"trained on {fact['trained_on']}"
    lines = (
        f"{fact['state']}, {fact['megabytes']:.0f} MB",
        f"takes {', '.join(fact['marks'])}",
        learned,
        f"licence: {fact['licence']}" if fact["licence"] else "",
    )
    return "\n".join(filter(None, lines))


def _say(sentence: str, json_file: Path | None = None) -> None:
    console(json_file).print(sentence, soft_wrap=True, markup=False, highlight=False)


def _plain(text: str) -> Any:
    """Text for a table as it is: names may hold square brackets."""
    from rich.text import Text

    return Text(text)
