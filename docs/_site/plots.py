"""Plots that stand in a page: SVG whose text and axes take the page's colour, light or dark."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

# After Okabe and Ito (2008): told apart by colour-blind readers too; on white and on black.
COLOURS = ("#009e73", "#d55e00", "#0072b2", "#cc79a7", "#e69f00", "#56b4e9")
_TEXT = "#010203"  # stands for the colour of the page's text
_SETTINGS = {
    "svg.fonttype": "none",
    "svg.hashsalt": "napari-dextr",
    "font.family": "sans-serif",
    "text.color": _TEXT,
    "axes.edgecolor": _TEXT,
    "axes.labelcolor": _TEXT,
    "xtick.color": _TEXT,
    "ytick.color": _TEXT,
}


@dataclass(frozen=True)
class Bars:
    """A bar, and the line on it."""

    name: str
    value: float
    high: float | None = None
    low: float | None = None
    learns: bool = True


@dataclass(frozen=True)
class Lines:
    """A line of a plot."""

    name: str
    x: Sequence[float]
    y: Sequence[float]


def bars(unit: str, rows: Sequence[Bars], note: str = "", most: float | None = None) -> str:
    """Horizontal bars with their names at the left."""
    figure, axes = _figure(7.4, 0.55 + 0.3 * len(rows) + (0.25 if note else 0))
    for place, row in enumerate(rows):
        fill, edge = (COLOURS[0], COLOURS[0]) if row.learns else ("none", _TEXT)
        axes.barh(place, row.value, height=0.62, color=fill, edgecolor=edge, linewidth=0.9)
        if row.high is not None:
            low = row.value if row.low is None else row.low
            axes.plot([low, row.high], [place, place], color=_TEXT, linewidth=1.3)
    axes.set_yticks(range(len(rows)), [row.name for row in rows])
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.set_xlim(0, most)
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel(f"{unit} ({note})" if note else unit)
    axes.grid(axis="x", color=_TEXT, alpha=0.15)
    return _svg(figure, f"{unit}: " + ", ".join(f"{row.name} {row.value:.3g}" for row in rows))


def lines(x: str, y: str, rows: Sequence[Lines]) -> str:
    """Lines with a legend beside them."""
    figure, axes = _figure(7.4, 3.2)
    for number, row in enumerate(rows):
        style = ("-", "--", ":")[number // len(COLOURS) % 3]
        axes.plot(row.x, row.y, style, color=COLOURS[number % len(COLOURS)], marker="o", markersize=4, label=row.name)
    ticks = sorted({each for row in rows for each in row.x})
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.grid(color=_TEXT, alpha=0.15)
    figure.legend(loc="outside right center", frameon=False, fontsize=9)
    return _svg(figure, f"{y} against {x}: {', '.join(row.name for row in rows)}")


def _figure(width: float, height: float) -> tuple[Any, Any]:
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    with rc_context(_SETTINGS):
        figure = Figure(figsize=(width, height), layout="constrained")
        axes = figure.subplots()
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _svg(figure: Any, words: str) -> str:
    """The figure as an element of a page: no ids but those that are used, and a name for those who cannot see it."""
    from matplotlib import rc_context

    file = io.StringIO()
    with rc_context(_SETTINGS):
        figure.savefig(file, format="svg", transparent=True, metadata={"Date": None})
    text = file.getvalue()
    text = text[text.index("<svg") :].replace(_TEXT, "currentColor").replace("sans-serif", "inherit")
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    used = set(re.findall(r'(?:url\(#|href="#)([^)"]+)', text))
    text = re.sub(r' id="([^"]+)"', lambda found: found[0] if found[1] in used else "", text)
    text = text.replace("<svg ", f'<svg role="img" aria-label="{words}" ', 1)
    text = re.sub(r"\n\s*\n", "\n", text)
    return f'<div class="plot" markdown="0">{text.strip()}</div>'
