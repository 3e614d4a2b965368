"""The list of classes that objects belong to. Lists are tuples and never changed: each function returns a new one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from ..errors import PromptError
from ..objects import ObjectClass, class_colour

Classes = tuple[ObjectClass, ...]


def checked(classes: Iterable[ObjectClass]) -> Classes:
    """A list whose ids are all different; of several classes with one id, the first counts."""
    found: dict[int, ObjectClass] = {}
    for item in classes:
        found.setdefault(item.id, item)
    return tuple(found.values())


def find(classes: Classes, number: int) -> ObjectClass:
    """The class with an id; a `PromptError` if there is none."""
    for item in classes:
        if item.id == number:
            return item
    raise PromptError(f"There is no class {number}; add it to the list of classes first.")


def with_class(
    classes: Classes, name: str, colour: str | None = None, *, after: int = 0
) -> tuple[Classes, ObjectClass]:
    """Add a class.

    Parameters
    ----------
    name : str
        Another name than those of the list.
    colour : str, optional
        ``"#rrggbb"``; by default one that the others do not have.
    after : int
        Ids up to this one were given before, and are not given again.

    Raises
    ------
    PromptError
        If the name is empty or taken.
    """
    number = max((after, *(item.id for item in classes))) + 1
    taken = {item.colour for item in classes}
    colours = [class_colour(number + turn) for turn in range(len(classes) + 1)]
    chosen = colour or next((candidate for candidate in colours if candidate not in taken), colours[0])
    added = ObjectClass(number, _free_name(classes, name), chosen)
    return (*classes, added), added


def renamed(classes: Classes, number: int, name: str) -> Classes:
    """Give a class another name; a `PromptError` if that is empty or taken."""
    old = find(classes, number)
    others = tuple(item for item in classes if item is not old)
    return _changed(classes, old, replace(old, name=_free_name(others, name)))


def recoloured(classes: Classes, number: int, colour: str) -> Classes:
    """Give a class another colour, ``"#rrggbb"``."""
    old = find(classes, number)
    return _changed(classes, old, replace(old, colour=colour))


def without(classes: Classes, number: int) -> Classes:
    """Take a class out of the list."""
    old = find(classes, number)
    return tuple(item for item in classes if item is not old)


def _changed(classes: Classes, old: ObjectClass, new: ObjectClass) -> Classes:
    return tuple(new if item is old else item for item in classes)


def _free_name(classes: Classes, name: str) -> str:
    name = name.strip()
    if not name:
        raise PromptError("The class has no name; type one.")
    if any(item.name == name for item in classes):
        raise PromptError(f"There is a class '{name}' already; choose another name.")
    return name
