"""Every model that everybody has, as a page tells of it."""

from __future__ import annotations

from napari_dextr.models.catalogue import ModelEntry
from napari_dextr.models.registry import built_in


def models() -> str:
    """A table of all models, and a section of facts for each."""
    head = ("| name | takes | trained on | licence | size |", "|---|---|---|---|---|")
    return "\n".join((*head, *map(_row, built_in()), "", *map(_section, built_in())))


def _row(entry: ModelEntry) -> str:
    marks = ", ".join(entry.spec.marks)
    size = f"{entry.size / 1e6:.0f} MB"
    return f"| [`{entry.name}`](#{entry.name}) | {marks} | {entry.trained_on} | {entry.licence} | {size} |"


def _section(entry: ModelEntry) -> str:
    spec = entry.spec
    published = spec.pipeline == "published"
    margin = f"{spec.margin:g} pixels" if published else f"{100 * spec.margin:g} % of the longer side"
    facts = [
        ("network", f"`{spec.architecture}`"),
        ("what it sees", f"a crop with a margin of {margin}, as {spec.canvas} × {spec.canvas} pixels"),
        ("threshold", f"{spec.threshold:g}"),
        ("predicts its own IoU", "yes" if spec.has_score else "no"),
        ("comes from", f"`{entry.url}`, on first use" if entry.url else "the plugin itself"),
        ("file", f"`{entry.file_name}`"),
    ]
    if entry.iou is not None:
        facts.append(("mean IoU, by its authors", f"{entry.iou:.3f} on {entry.iou_on}"))
    if entry.citation:
        facts.append(("source", entry.citation))
    rows = "\n".join(f"| {name} | {value} |" for name, value in facts)
    return f"### {entry.name} {{ #{entry.name} }}\n\n{entry.title}.\n\n| | |\n|---|---|\n{rows}\n"
