"""Labels layers as the planes that the writers of files take, one after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

from ..coco import NAMESPACE, ImageLabels
from ..coco.categories import at_least_one
from ..objects import ObjectClass
from .export_images import Pictures
from .export_source import LabelSource
from .object_table import KEY, record, store

STACK = "stack"
"""Key, in the namespaced facts of an image, of what is known of the layer that it is a plane of."""


def image_labels(
    sources: Sequence[LabelSource],
    pictures: Pictures,
    *,
    with_empty: bool = False,
    tell: Callable[[tuple[int, int]], None] = lambda _: None,
) -> Iterator[ImageLabels]:
    """Every plane of some Labels layers, read when it is asked for; one plane is in memory at a time.

    Parameters
    ----------
    sources : sequence of LabelSource
    pictures : Pictures
        Names the images, and writes them.
    with_empty : bool
        Planes without objects too: pictures in which there is nothing to find. Planes whose objects have all been
        deleted since the last export always come.
    tell : callable
        Called with (planes done, planes in all); may raise to stop.

    Raises
    ------
    OutputError
        If a picture cannot be written.
    """
    total, done = sum(source.planes for source in sources), 0
    for source in sources:
        stack = {NAMESPACE: {STACK: {**source.place, "extents": list(source.extents)}}}
        for index in source.indices():
            tell((done, total))
            done += 1
            values, ids = source.read(index), pictures.ids(source, index)
            if not (with_empty or ids or values.any()):
                continue
            picture = pictures.place(source, index)
            yield ImageLabels(
                picture.file_name,
                values,
                facts=source.facts_on(index),
                layer=source.name,
                ids=ids,
                source=picture.stack,
                plane=index,
                axes=source.axes,
                crowds=source.crowds,
                extra=stack,
            )
    tell((total, total))


def join_classes(sources: Sequence[LabelSource]) -> tuple[list[LabelSource], list[ObjectClass]]:
    """One list of classes for all layers: those of one name are one, with the number that came first.

    Two classes of one name in the same layer stay two, as the file has them that it was opened from.

    Returns
    -------
    sources : list of LabelSource
        The same, knowing what their classes are called now.
    classes : list of ObjectClass
        In the order of their numbers; one class "object" where no layer has any.
    """
    classes: dict[int, ObjectClass] = {}
    joined = []
    spare = max((entry.id for source in sources for entry in source.classes), default=0) + 1
    for source in sources:
        numbers = {entry.id: entry.id for entry in source.classes if _name_in(classes, entry.id) == entry.name}
        for entry in source.classes:
            if entry.id in numbers:
                continue
            taken = set(numbers.values())
            same = [number for number in classes if number not in taken and classes[number].name == entry.name]
            if same:
                number = same[0]
            elif entry.id in classes:
                number, spare = spare, spare + 1
            else:
                number = entry.id
            classes.setdefault(number, replace(entry, id=number))
            numbers[entry.id] = number
        joined.append(replace(source, numbers=numbers))
    return joined, at_least_one([classes[number] for number in sorted(classes)])


def keep_numbers(
    source: LabelSource,
    pictures: Pictures,
    ids: Mapping[tuple[str, str], Mapping[int, int]],
    classes: Sequence[ObjectClass],
) -> None:
    """Note in a Labels layer what its objects and planes are called in the file, so that they keep it next time.

    Parameters
    ----------
    source : LabelSource
        What was exported, as `join_classes` returned it.
    pictures : Pictures
        That named its planes.
    ids : mapping of (file name, layer) to mapping of label to number
        What the writer returned. Planes that were not written keep what they had: other formats have no numbers.
    classes : sequence of ObjectClass
        As they were written, with new names; the layer's own get theirs.
    """
    entries = pictures.entries(source)
    metadata = source.layer.metadata.setdefault(KEY, {})
    numbers = {}
    for entry in entries:
        name = str(entry["file_name"])
        written = ids.get((name, source.name))
        numbers[name] = pictures.ids(source, tuple(entry["index"])) if written is None else dict(written)
    metadata["coco"] = {**source.coco, "file": str(pictures.file), "images": entries, "ids": numbers}
    names = {entry.id: entry.name for entry in classes}
    called = {entry.id: names.get(source.numbers.get(entry.id, entry.id), entry.name) for entry in source.classes}
    own = [replace(entry, name=called[entry.id]) for entry in source.classes]
    if own != list(source.classes):
        facts, _ = record(source.layer)
        store(source.layer, facts, own)


def _name_in(classes: Mapping[int, ObjectClass], number: int) -> str | None:
    return classes[number].name if number in classes else None
