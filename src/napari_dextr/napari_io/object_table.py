"""The objects of a Labels layer: the full record in its metadata, the table that people see in its features."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..errors import DataError
from ..objects import NAMESPACE, ObjectClass, ObjectFacts
from .placement import plain

if TYPE_CHECKING:
    from napari.layers import Labels

KEY = NAMESPACE
"""Entry of ``layer.metadata`` with the record: a dict with ``objects`` and ``classes``, and whatever others add."""

COLUMNS = ("index", "class", "area", "score", "prompts", "seconds")
"""Columns of the features table: label, name of the class, pixels, predicted IoU, marks, seconds spent."""

Facts = dict[int, ObjectFacts]


def record(layer: Labels) -> tuple[Facts, list[ObjectClass]]:
    """What a layer knows of its objects and classes; entries that make no sense are left out.

    Returns
    -------
    facts : dict
        What made each object, by label.
    classes : list of ObjectClass
        In the order in which they were made.
    """
    entry = plain(layer).metadata.get(KEY)
    if not isinstance(entry, dict):
        return {}, []
    facts: Facts = {}
    for label, value in _items(entry.get("objects")):
        try:
            facts[int(label)] = ObjectFacts.from_json(value)
        except (DataError, TypeError, ValueError):
            continue
    classes = []
    for value in entry.get("classes") or ():
        try:
            classes.append(ObjectClass.from_json(value))
        except DataError:
            continue
    return facts, classes


def store(
    layer: Labels,
    facts: Mapping[int, ObjectFacts],
    classes: Iterable[ObjectClass],
    areas: Mapping[int, int] | None = None,
) -> None:
    """Make ``facts`` the whole record of a layer, and show them in its features table.

    Parameters
    ----------
    layer : Labels
    facts : mapping
        What made each object, by label.
    classes : iterable of ObjectClass
    areas : mapping, optional
        Pixels of each object; an object without an entry keeps the number that the table shows.
    """
    entry = _entry(layer)
    entry["objects"] = {int(label): item.to_json() for label, item in facts.items()}
    entry["classes"] = [item.to_json() for item in classes]
    show(layer, facts, classes, areas)


def note(layer: Labels, changed: Mapping[int, ObjectFacts | None], classes: Iterable[ObjectClass]) -> None:
    """Change the record of some objects only (None: the object is gone). The table is not touched; see `show`."""
    entry = _entry(layer)
    objects = entry.setdefault("objects", {})
    for label, item in changed.items():
        objects.pop(str(label), None)  # as JSON from a file has it
        if item is None:
            objects.pop(int(label), None)
        else:
            objects[int(label)] = item.to_json()
    entry["classes"] = [item.to_json() for item in classes]


def show(
    layer: Labels,
    facts: Mapping[int, ObjectFacts],
    classes: Iterable[ObjectClass],
    areas: Mapping[int, int] | None = None,
) -> None:
    """Fill the features table of a layer. Columns that somebody else made stay, for the objects that are there."""
    layer = plain(layer)
    names: dict[int | None, str] = {item.id: item.name for item in classes}
    labels = sorted(int(label) for label in facts)
    before = layer.features
    known = before.drop_duplicates("index").set_index("index") if "index" in before else None
    sizes = known["area"].to_dict() if known is not None and "area" in known else {}
    sizes.update(areas or {})
    items = [facts[label] for label in labels]
    table: dict[str, npt.NDArray[Any]] = {
        "index": np.array(labels, np.int64),
        "class": np.array([names.get(item.class_id, "") for item in items], np.object_),
        "area": np.array([sizes.get(label, np.nan) for label in labels], np.float64),
        "score": np.array([np.nan if item.score is None else item.score for item in items], np.float64),
        "prompts": np.array([item.prompts for item in items], np.object_),
        "seconds": np.array([np.nan if item.seconds is None else item.seconds for item in items], np.float64),
    }
    if known is not None:
        for name in known.columns.difference(COLUMNS):
            table[name] = known[name].reindex(labels).to_numpy()
    layer.features = table


def _entry(layer: Any) -> dict[str, Any]:
    metadata = plain(layer).metadata
    entry = metadata.get(KEY)
    if not isinstance(entry, dict):
        entry = metadata[KEY] = {}
    return entry


def _items(value: Any) -> Iterable[tuple[Any, Any]]:
    return value.items() if isinstance(value, dict) else ()
