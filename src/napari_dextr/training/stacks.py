"""Stacks: planes that show the same objects are one image, and an object on several of them is one object."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from itertools import count

from ..prompt import Region
from .annotated import AnnotatedImage
from .regions import same_objects

Found = tuple[int, AnnotatedImage, Mapping[int, Region]]
"""Number of an image, and where its objects lie, by `napari_dextr.training.annotated.Annotation.thing`."""

Neighbours = Mapping[Hashable, Sequence[Hashable | None]]
"""`AnnotatedImage.neighbours` by key, of all planes, those without an object too."""


def planes_before(stack: Mapping[tuple[int, ...], Hashable]) -> dict[tuple[int, ...], tuple[Hashable | None, ...]]:
    """For each position in a stack the keys of the nearest planes before it, one along each axis; None for none.

    Parameters
    ----------
    stack : mapping of tuple of int to hashable
        Keys of its planes by their indices; some planes may be missing.
    """
    before: dict[tuple[int, ...], list[Hashable | None]] = {place: [None] * len(place) for place in stack}
    for axis in range(max(map(len, stack), default=0)):
        last: dict[tuple[int, ...], Hashable] = {}
        for place in sorted((place for place in stack if axis < len(place)), key=lambda place: place[axis]):
            line = place[:axis] + place[axis + 1 :]
            before[place][axis] = last.get(line)
            last[line] = stack[place]
    return {place: tuple(keys) for place, keys in before.items()}


def kept_together(found: Iterable[Found], neighbours: Neighbours) -> list[list[Found]]:
    """What must be on one side: what lies on one image, and neighbouring planes that show the same objects.

    Planes without an object are passed over: what lies before them may go on behind them.
    """
    entries = list(found)
    shown: dict[Hashable, list[Mapping[int, Region]]] = {}
    for _, image, boxes in entries:
        shown.setdefault(image.key, []).append(boxes)
    joined: dict[Hashable, Hashable] = {key: key for key in shown}  # to an earlier image of the group, or itself

    def first(key: Hashable) -> Hashable:
        while joined[key] != key:
            key = joined[key]
        return key

    for _, image, boxes in entries:
        for axis, before in enumerate(image.neighbours):
            while before is not None and before not in shown:
                further = neighbours.get(before, ())
                before = further[axis] if axis < len(further) else None
            if before is not None and any(same_objects(other, boxes) for other in shown[before]):
                joined[first(image.key)] = first(before)
    groups: dict[Hashable, list[Found]] = {}
    for entry in entries:
        groups.setdefault(first(entry[1].key), []).append(entry)
    return list(groups.values())


def is_stack(group: Sequence[Found]) -> bool:
    """Whether what is kept together lies on several planes."""
    return len({image.key for _, image, _ in group}) > 1


def objects_of(group: Sequence[Found]) -> int:
    """How many objects there are in what is kept together; one that several planes show is one."""
    if is_stack(group):
        return len({thing for _, _, boxes in group for thing in boxes})
    return sum(len(boxes) for _, _, boxes in group)


class Units:
    """Numbers of images and objects: what several planes show has one number, whichever part it is dealt to.

    Parameters
    ----------
    groups : iterable of sequence of Found
        What is kept together; images that are in none are images of their own.
    """

    def __init__(self, groups: Iterable[Sequence[Found]] = ()) -> None:
        self._stacks = {image.key: group[0][1].key for group in groups if is_stack(group) for _, image, _ in group}
        self._images: dict[Hashable, int] = {}
        self._objects: dict[tuple[Hashable, int], int] = {}
        self._next = count()

    def image(self, key: Hashable) -> int:
        """Number of an image, by its key."""
        return self._images.setdefault(self._stacks.get(key, key), len(self._images))

    def object(self, key: Hashable, thing: int) -> int:
        """Number of an object on an image; a new one each time, unless the image is a plane of a stack."""
        stack = self._stacks.get(key)
        if stack is None:
            return next(self._next)
        known = self._objects.get((stack, thing))
        return self._objects.setdefault((stack, thing), next(self._next)) if known is None else known
