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
"""Entry of ``layer.metadata`` with the record: a dict with ``objects``, ``classes`` and ``highest``, the highest label
that was given here, and whatever others add."""

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


def note_highest(layer: Labels, label: int) -> None:
    """Note a label that was given, so that no widget gives it again: not even where its object was undone since."""
    entry = _entry(layer)
    entry["highest"] = max(int(label), given_highest(layer))


def given_highest(layer: Labels) -> int:
    """Highest label that was given to an object of a layer, as `note_highest` noted it; 0 where none was."""
    entry = plain(layer).metadata.get(KEY)
    highest = entry.get("highest") if isinstance(entry, dict) else None
    return highest if type(highest) is int else 0


def show(
    layer: Labels,
    facts: Mapping[int, ObjectFacts],
    classes: Iterable[ObjectClass],
    areas: Mapping[int, int] | None = None,
) -> None:
    """Fill the features table of a layer. Columns that somebody else made stay, and so do rows of other labels.

    A row is ours where it says with which marks its object was made; such a row goes together with its object.
    """
    layer = plain(layer)
    names: dict[int | None, str] = {item.id: item.name for item in classes}
    labels = sorted(int(label) for label in facts)
    known = _known(layer)
    sizes = known["area"].to_dict() if "area" in known else {}
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
    for name in known.columns.difference(COLUMNS):
        table[name] = known[name].reindex(labels).to_numpy()
    others = known.loc[[label not in facts for label in known.index]]
    if "prompts" in others:
        kept = {int(label) for label, _ in _items(_entry(layer).get("objects"))}  # that this session has not taken over
        others = others[others["prompts"].isna() | others.index.isin(kept)]
    layer.features = _joined(table, others)


def _known(layer: Labels) -> Any:
    """The features table by label. Without a column of labels, napari takes the number of a row for its label."""
    import pandas

    features = layer.features
    if not len(features.columns):
        return features.iloc[:0]
    if "index" not in features:
        features = features.assign(index=np.arange(len(features)))
    features = features.assign(index=pandas.to_numeric(features["index"], errors="coerce")).dropna(subset=["index"])
    return features.astype({"index": np.int64}).drop_duplicates("index").set_index("index")


def _joined(ours: Any, others: Any) -> Any:
    """Rows of our objects and those of other labels, by label."""
    import pandas

    parts = [pandas.DataFrame(ours), others.rename_axis("index").reset_index()]
    filled = [part for part in parts if len(part)] or parts[:1]  # pandas dislikes joining empty tables
    return pandas.concat(filled).sort_values("index").reset_index(drop=True)


def _entry(layer: Any) -> dict[str, Any]:
    metadata = plain(layer).metadata
    entry = metadata.get(KEY)
    if not isinstance(entry, dict):
        entry = metadata[KEY] = {}
    return entry


def _items(value: Any) -> Iterable[tuple[Any, Any]]:
    return value.items() if isinstance(value, dict) else ()
