"""The drawing of the architecture: rooms on their floors, and who imports whom, read from the code.

Floors and imports come from ``tests/test_architecture.py``, which also holds the code to them: what is drawn is what is
checked.
"""

from __future__ import annotations

import html
import importlib.util
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import fmean
from typing import Any

TEST = Path(__file__).parents[2] / "tests" / "test_architecture.py"

# What a floor is, by one of its rooms.
NAMES = {
    "errors": "values and pixels",
    "segmenter": "the model",
    "session": "what is done with it",
    "demo": "measured and shown",
    "cli": "command line",
    "napari_io": "napari's layers",
    "widgets": "Qt",
}
VIEWER = "napari_io"  # the lowest floor that may import napari

WIDTH, MARGIN, LABELS = 1080, 14, 150  # of the drawing; of its border; of the column with the floors' names
BOX, ROW, BEND = 30, 62, 4  # height of a box, height of a row, width of a line that passes it
LETTER, PADDING = 7.6, 22  # width of a letter, space in a box beside its name

Edge = tuple[str, str]


@dataclass
class Place:
    """Where a room is drawn: middle of the box, and its width."""

    x: float
    y: float
    width: float


def drawing() -> str:
    """The SVG, to stand in a page: its colours are those of the page, and pointing at a room shows its lines."""
    floors, sizes, edges = _house()
    drawn = reduced(edges)
    places, ways, bands, height = _layout(floors, drawn)
    parts = [_style(sizes), *_bands(bands)]
    parts += [_line(places, way, edges[edge]) for edge, way in ways.items()]
    parts += [_box(name, places[name], count) for name, count in sorted(sizes.items())]
    svg = "\n".join(parts)
    title = "Rooms of the code on their floors, with an arrow from each room to those that it imports"
    return (
        f'<div class="house" markdown="0"><svg viewBox="0 0 {WIDTH} {height:.0f}" role="img" aria-label="{title}">'
        f'\n<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="5" markerHeight="5" orient="auto">'
        f'<path d="M0 0 8 4 0 8z" fill="context-stroke"/></marker></defs>\n{svg}\n</svg></div>'
    )


def _house() -> tuple[list[set[str]], Counter[str], Counter[Edge]]:
    """Floors from the ground up, modules in each room, and imports between rooms with how many there are."""
    test = _architecture()
    rooms = Counter(test.room(name).lstrip("_") for name in test.modules() if name and name != "__main__")
    floors = [{room for room in floor if room in rooms} for floor in test.FLOORS]
    at_import: set[Edge] = set()
    edges: Counter[Edge] = Counter()
    for name, path in test.modules().items():
        for found in test.imports(path):
            target = test.internal(found)
            edge = (test.room(name).lstrip("_"), test.room(target or "").lstrip("_"))
            if not found.typing and edge[0] != edge[1] and set(edge) <= set(rooms):
                edges[edge] += 1
                if found.top:
                    at_import.add(edge)
    # Two rooms that need each other: the one that looks the other up only when it runs stands below.
    for edge in [edge for edge in edges if edge[::-1] in edges and edge not in at_import]:
        del edges[edge]
    return floors, rooms, edges


def _architecture() -> Any:
    spec = importlib.util.spec_from_file_location("napari_dextr_architecture", TEST)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def reduced(edges: Iterable[Edge]) -> set[Edge]:
    """Edges that no longer path stands for: where a imports b and b imports c, that a imports c need not be drawn."""
    edges = set(edges)
    below: dict[str, set[str]] = {}
    for start, end in edges:
        below.setdefault(start, set()).add(end)

    def reach(name: str) -> set[str]:
        return below.get(name, set()).union(*(reach(each) for each in below.get(name, ())))

    return {(start, end) for start, end in edges if not any(end in reach(other) for other in below[start] - {end})}


def _layout(
    floors: list[set[str]], edges: set[Edge]
) -> tuple[dict[str, Place], dict[Edge, list[str]], list[tuple[str, float, float]], float]:
    """Places of rooms and of the bends of lines, which places each line passes, bands of the floors, and the height.

    A band is a room of the floor, its top and its bottom. Lines that cross a row have a place of their own in it, so
    that they pass between the rooms; lines to the same room share it.
    """
    rows: list[list[str]] = []
    belongs: list[int] = []
    for number, floor in reversed(list(enumerate(floors))):
        for row in _rows(floor, edges):
            rows.append(row)
            belongs.append(number)
    at = {name: index for index, row in enumerate(rows) for name in row}
    ways: dict[Edge, list[str]] = {}
    for start, end in sorted(edges):
        bends = [f"{end} in row {index}" for index in range(at[start] + 1, at[end])]
        ways[start, end] = [start, *bends, end]
        for index, bend in enumerate(bends, at[start] + 1):
            if bend not in rows[index]:
                rows[index].append(bend)
    _order(rows, {pair for way in ways.values() for pair in pairwise(way)})
    places: dict[str, Place] = {}
    y = float(MARGIN)
    ends: dict[int, tuple[float, float]] = {}
    for index, (row, number) in enumerate(zip(rows, belongs, strict=True)):
        if index == 0 or belongs[index - 1] != number:
            y += MARGIN
        ends[number] = (ends.get(number, (y, y))[0], y + ROW)
        for name, x, width in _spread(row, at):
            places[name] = Place(x, y + ROW / 2, width)
        y += ROW
    bands = [(next(iter(floor & set(NAMES))), *ends[number]) for number, floor in enumerate(floors) if floor]
    return places, ways, bands, y + MARGIN


def _spread(row: list[str], rooms: Mapping[str, int]) -> Iterator[tuple[str, float, float]]:
    """Name, middle and width of everything in a row, spread over the drawing."""
    widths = [PADDING + LETTER * len(name) if name in rooms else BEND for name in row]
    space = (WIDTH - LABELS - 2 * MARGIN - sum(widths)) / (len(row) + 1)
    x = LABELS + MARGIN + space
    for name, width in zip(row, widths, strict=True):
        yield name, x + width / 2, width
        x += width + space


def _rows(floor: set[str], edges: set[Edge]) -> list[list[str]]:
    """Rooms of a floor in rows, each below those that import it."""
    depth: dict[str, int] = {}

    def measure(name: str) -> int:
        if name not in depth:
            depth[name] = 1 + max((measure(end) for start, end in edges if start == name and end in floor), default=-1)
        return depth[name]

    for name in sorted(floor):
        measure(name)
    return [sorted(name for name in floor if depth[name] == level) for level in range(max(depth.values()), -1, -1)]


def _order(rows: list[list[str]], edges: set[Edge]) -> None:
    """Move rooms below those that they hang on, so that few lines cross (barycentre heuristic)."""
    near: dict[str, list[str]] = {}
    for start, end in edges:
        near.setdefault(start, []).append(end)
        near.setdefault(end, []).append(start)
    for _ in range(12):
        at = {name: (index + 0.5) / len(row) for row in rows for index, name in enumerate(row)}
        for row in rows:
            wanted = sorted((fmean(at[other] for other in near.get(name, [name])), name) for name in row)
            row[:] = [name for _, name in wanted]
            at.update((name, (index + 0.5) / len(row)) for index, name in enumerate(row))


def _bands(bands: list[tuple[str, float, float]]) -> list[str]:
    parts = []
    for room, top, bottom in bands:
        lines = f'<text class="floor" x="{MARGIN + 12}" y="{(top + bottom) / 2 + 5:.0f}">{NAMES[room]}</text>'
        parts.append(
            f'<rect class="band" x="{MARGIN}" y="{top:.0f}" width="{WIDTH - 2 * MARGIN}" height="{bottom - top:.0f}" '
            f'rx="8"/>{lines}'
        )
        if room == VIEWER:
            y = bottom + MARGIN / 2
            parts.append(f'<line class="border" x1="{MARGIN}" y1="{y}" x2="{WIDTH - MARGIN}" y2="{y}"/>')
    return parts


def _line(places: Mapping[str, Place], way: list[str], count: int) -> str:
    start, end = way[0], way[-1]
    path, x, y = "", places[start].x, places[start].y + BOX / 2
    for name in way[1:]:
        place = places[name]
        top = place.y - BOX / 2 - (2 if name == end else 0)
        bend = (top - y) / 2
        path += f"C{x:.0f} {y + bend:.0f} {place.x:.0f} {top - bend:.0f} {place.x:.0f} {top:.0f}"
        x, y = place.x, top
        if name != end:
            y = place.y + BOX / 2
            path += f"V{y:.0f}"
    width = min(3.2, 0.9 + 0.35 * count**0.5)
    return (
        f'<path class="line from-{start} to-{end}" d="M{places[start].x:.0f} {places[start].y + BOX / 2:.0f}{path}" '
        f'stroke-width="{width:.1f}" marker-end="url(#tip)">'
        f"<title>{start} imports {end} in {count} {'place' if count == 1 else 'places'}</title></path>"
    )


def _box(name: str, place: Place, modules: int) -> str:
    left, top = place.x - place.width / 2, place.y - BOX / 2
    kind = "folder" if modules > 1 else "module"
    return (
        f'<g class="room {kind} room-{name}"><rect x="{left:.0f}" y="{top:.0f}" width="{place.width:.0f}" '
        f'height="{BOX}" rx="5"/><text x="{place.x:.0f}" y="{place.y + 4.5:.0f}">{html.escape(name)}</text>'
        f"<title>{name}: {modules} {'module' if modules == 1 else 'modules'}</title></g>"
    )


def _style(names: Iterable[str]) -> str:
    """Point at a room, and the lines from it and to it stand out."""
    rules = "".join(
        f".house svg:has(.room-{name}:hover) .line:not(.from-{name},.to-{name}){{opacity:.06}}"
        f".house svg:has(.room-{name}:hover) .from-{name}{{stroke:var(--md-accent-fg-color);opacity:1}}"
        f".house svg:has(.room-{name}:hover) .to-{name}{{stroke:var(--md-primary-fg-color);opacity:1}}"
        for name in names
    )
    return f"<style>{rules}</style>"
