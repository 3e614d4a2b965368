"""The generated parts of pages, by the names that pages use."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import ablation_table
import benchmark_page
import command_line
import house
import model_table

from napari_dextr.napari_io.keys import CLASS_KEYS, SHORTCUTS, as_people_read


def keys() -> str:
    """Table of all keys."""
    rows = []
    for shortcut in SHORTCUTS:
        shown, title = [f"<kbd>{as_people_read(key)}</kbd>" for key in shortcut.keys], shortcut.title
        if shortcut.keys[0] in CLASS_KEYS[1:-1]:
            continue
        if shortcut.keys[0] == CLASS_KEYS[0]:  # the nine of them as one row, which the last one ends
            rows.append(f"| {shown[0]} to ")
        elif shortcut.keys[0] == CLASS_KEYS[-1]:
            rows[-1] += f"{shown[0]} | Class 1 to {len(CLASS_KEYS)} |"
        else:
            rows.append(f"| {', '.join(shown)} | {title} |")
    return "\n".join(("| key | what it does |", "|---|---|", *rows))


PARTS: dict[str, Callable[[], str]] = {
    "ablation": ablation_table.table,
    "ablation_data": partial(ablation_table.table, "ablation-data.jsonl"),
    "benchmarks": benchmark_page.page,
    "commands": command_line.reference,
    "floors": house.drawing,
    "keys": keys,
    "models": model_table.models,
}
