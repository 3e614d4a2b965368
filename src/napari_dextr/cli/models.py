"""``napari-dextr models``: what there is to choose from."""

from __future__ import annotations

from typing import Any

from ._app import JsonOption, console, write_json


def models(json_file: JsonOption = None) -> None:
    """List the models: those that come with the plugin, those downloaded, those that can be.

    A published model is downloaded when it is first used, and kept.

    [bold]Examples[/bold]

        napari-dextr models

        napari-dextr models --json
    """
    from rich.table import Table

    from ..models.download import cached_file
    from ..models.registry import EMBEDDED_FILE, entries

    facts: list[dict[str, Any]] = []
    for entry in entries():
        file = EMBEDDED_FILE if entry.url is None else cached_file(entry)
        there = file.is_file()
        facts.append(
            {
                "name": entry.name,
                "title": entry.title,
                "state": "comes with the plugin"
                if entry.url is None
                else "downloaded"
                if there
                else "can be downloaded",
                "file": str(file),
                "megabytes": (file.stat().st_size if there else entry.size) / 1e6,
                "marks": list(entry.spec.marks),
                "licence": entry.licence,
                "trained_on": entry.trained_on,
                "mean_iou": entry.iou,
                "mean_iou_on": entry.iou_on,
                "url": entry.url,
            }
        )
    table = Table()
    table.add_column("name", no_wrap=True)
    for heading in ("state", "MB", "takes", "trained on", "licence"):
        table.add_column(heading)
    for fact in facts:
        size, marks = f"{fact['megabytes']:.0f}", ", ".join(fact["marks"])
        table.add_row(fact["name"], fact["state"], size, marks, fact["trained_on"], fact["licence"])
    screen = console(json_file)
    screen.print(table)
    for fact in facts:
        if fact["state"] == "downloaded":
            screen.print(f"{fact['name']}: {fact['file']}", soft_wrap=True)
    write_json(json_file, {"models": facts})
