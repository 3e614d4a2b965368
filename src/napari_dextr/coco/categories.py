"""Classes of a session and categories of a file: found by name, so that each keeps its number."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from ..errors import DataError
from ..objects import NAMESPACE, ObjectClass, class_colour
from .dataset import class_name
from .previous import Previous

UNCLASSIFIED = "object"
"""Category of objects that nobody gave a class, where there are several classes."""


def at_least_one(classes: Sequence[ObjectClass]) -> list[ObjectClass]:
    """The classes, or the one that all objects belong to where there are none."""
    return list(classes) or [ObjectClass(1, UNCLASSIFIED, class_colour(1))]


class Categories:
    """The categories that an export writes.

    Parameters
    ----------
    classes : sequence of ObjectClass
        None are one, "object".
    previous : Previous
        Of the file that is written into.

    Raises
    ------
    DataError
        When two classes have one name or one number; one name is fine where the file has it for as many categories.
    """

    def __init__(self, classes: Sequence[ObjectClass], previous: Previous) -> None:
        self.classes = at_least_one(classes)
        self.added: list[dict[str, Any]] = []
        self.unclassified = 0
        self._names = {number: class_name(number, name) for number, name in previous.categories}
        there = Counter(self._names.values())
        names = Counter(item.name for item in self.classes)
        numbers = Counter(item.id for item in self.classes)
        for what, twice in (
            ("name", next((name for name, count in names.items() if count > max(1, there[name])), None)),
            ("number", next((number for number, count in numbers.items() if count > 1), None)),
        ):
            if twice is not None:
                raise DataError(f"Two classes have the {what} '{twice}'; give one of them another.")
        self._numbers: dict[str, int] = {}
        for number, name in self._names.items():
            self._numbers.setdefault(name, number)
        self._by_class = {item.id: (self._enter(item), item.name) for item in self.classes}

    def of(self, class_id: int | None, whose: str) -> tuple[int, str]:
        """Number and name of the category of a class; without one, of the only class, or of `UNCLASSIFIED`.

        Raises
        ------
        DataError
            When the class is not listed.
        """
        if class_id is None and len(self.classes) == 1:
            class_id = self.classes[0].id
        if class_id is None:
            self.unclassified += 1
            spare = max(0, *self._names) + 1
            return self._enter(ObjectClass(spare, UNCLASSIFIED, class_colour(spare))), UNCLASSIFIED
        if class_id not in self._by_class:
            raise DataError(f"{whose} has class {class_id}, which is not among the classes.")
        return self._by_class[class_id]

    def same(self, old: Any, new: int) -> bool:
        """Whether an old category means the same as a new one: two may have one name."""
        return old == new or (old in self._names and self._names[old] == self._names.get(new))

    def _enter(self, item: ObjectClass) -> int:
        if self._names.get(item.id) == item.name:  # its own, where several categories have that name
            return item.id
        known = self._numbers.get(item.name)
        if known is not None:
            return known
        number = item.id if item.id not in self._names else max(self._names) + 1
        self._numbers[item.name], self._names[number] = number, item.name
        colour = {NAMESPACE: {"colour": item.colour}}
        self.added.append({"id": number, "name": item.name, "supercategory": "", **colour})
        return number
