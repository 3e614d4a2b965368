"""What an earlier session had done, read from the journal that it left (`napari_dextr.session.autosave`)."""

from __future__ import annotations

import contextlib
import json
import os
import re
import zlib
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import DataError
from ..locks import FileLock
from ..objects import NAMESPACE, AnnotatedObject, Marks, ObjectClass, ObjectFacts
from ..prompt import Bounds, Region
from ..rle import decode
from .autosave import SUFFIX, VERSION, lock_path
from .patches import LabelImage, Mask, SparseLabels

_SUM = re.compile(rb'\{"sum":"([0-9a-f]{8})",')
_UNKNOWN = int(np.iinfo(np.int64).min)  # pixels of which a journal says nothing

MOST_ENDED = 20
"""Journals of sessions that ended in good order which `tidy` keeps."""

LONGEST = timedelta(days=30)
"""How long it keeps them."""


@dataclass(frozen=True)
class Found:
    """A journal that was left behind.

    Attributes
    ----------
    path : Path
    started, changed : datetime
        UTC.
    objects : int
        Accepted objects that it holds.
    saved : int
        Those of them that are in a file that was saved or exported, as they are.
    ended : bool
        Whether the session ended in good order; else it died.
    removed : bool
        Whether it holds layers that were removed while the session went on.
    run : str
        What made the objects, where nobody annotated them.
    """

    path: Path
    started: datetime
    changed: datetime
    objects: int
    saved: int = 0
    ended: bool = False
    removed: bool = False
    run: str = ""


@dataclass
class RecoveredTarget:
    """One label image of an earlier session.

    Attributes
    ----------
    name : JSON
        As the session's ``describe`` named it.
    classes : list of ObjectClass
    number : int
        What stands for it in the journal.
    saved : set of int
        Labels of objects that a file has as they are here.
    """

    name: Any
    classes: list[ObjectClass] = field(default_factory=list)
    number: int = 0
    saved: set[int] = field(default_factory=set)
    _objects: dict[int, AnnotatedObject] = field(default_factory=dict)
    _pixels: SparseLabels = field(default_factory=lambda: SparseLabels(np.int64, _UNKNOWN))
    _places: dict[int, Any] = field(default_factory=dict)

    @property
    def count(self) -> int:
        """Number of accepted objects."""
        return len(self._objects)

    @property
    def places(self) -> list[Any]:
        """Places, as ``describe`` named them, on which something was written."""
        return [self._places.get(number) for number in self._pixels.places if isinstance(number, int)]

    def pixels(self, place_of: Callable[[Any], Hashable]) -> Iterator[tuple[Hashable, Region, Mask]]:
        """Piece by piece, the pixels that `write` sets: place, region, and where they are."""
        for number in self._pixels.places:
            for region, _, known in self._pixels.written(number):
                yield place_of(self._places.get(_number(number))), region, known

    def objects(self, place_of: Callable[[Any], Hashable]) -> list[AnnotatedObject]:
        """The accepted objects, by label.

        Parameters
        ----------
        place_of : callable
            Turns the name of a place, as ``describe`` wrote it, into the place.
        """
        items = sorted(self._objects.items())
        return [
            AnnotatedObject(label, place_of(self._places.get(_number(item.place))), item.region, item.facts)
            for label, item in items
        ]

    def write(self, image: LabelImage, place_of: Callable[[Any], Hashable]) -> None:
        """Write every pixel that the session had changed into a label image, as it was at the end.

        Raises
        ------
        OutputError, ImageError
            If the image cannot be written.
        """
        for number in self._pixels.places:
            place = place_of(self._places.get(_number(number)))
            for region, values, known in self._pixels.written(number):
                image.write(place, region, np.where(known, values, 0), known)


@dataclass(frozen=True)
class RecoveredDraft:
    """Marks of an object that was not accepted yet.

    Attributes
    ----------
    place : JSON
        As the session's ``describe`` named it.
    marks : tuple of Mark
    box : (row_min, col_min, row_max, col_max) or None
    correcting : int or None
        Label of the accepted object that was being corrected.
    """

    place: Any
    marks: Marks
    box: Bounds | None
    correcting: int | None


@dataclass
class Recovered:
    """Everything that a journal tells.

    Attributes
    ----------
    started : datetime
    targets : list of RecoveredTarget
    drafts : list of RecoveredDraft
    damaged : int
        Lines that could not be read; one is normal after a crash.
    ended : bool
        Whether the session ended in good order.
    left : int or None
        How many accepted objects were in no file then; None where nothing was left to save.
    removed : bool
        Whether it holds layers that were removed while the session went on.
    run : str
        What made the objects, where nobody annotated them.
    """

    started: datetime
    targets: list[RecoveredTarget]
    drafts: list[RecoveredDraft]
    damaged: int
    ended: bool
    left: int | None = None
    removed: bool = False
    run: str = ""

    @property
    def objects(self) -> int:
        """Number of accepted objects."""
        return sum(target.count for target in self.targets)


def recoverable(folder: str | os.PathLike[str]) -> list[Found]:
    """Journals in which there is something to recover, newest first.

    They are those of sessions that died, and of sessions that ended in good order with something that no file has.
    Sessions that still run are left out.
    """
    found = []
    for path in Path(folder).glob(f"*{SUFFIX}"):
        lock = FileLock(lock_path(path))
        with contextlib.suppress(OSError, DataError):
            if not lock.acquire():
                continue
            lock.release()
            journal = recover(path)
            count = journal.objects
            if journal.ended:
                wanted, saved = journal.left is not None, max(0, count - (journal.left or 0))
            else:
                wanted, saved = True, sum(len(target.saved & target._objects.keys()) for target in journal.targets)
            if wanted and (count or journal.drafts or any(target.places for target in journal.targets)):
                changed = datetime.fromtimestamp(path.stat().st_mtime, timezone.utc)
                facts = journal.ended, journal.removed, journal.run
                found.append(Found(path, journal.started, changed, count, saved, *facts))
    return sorted(found, key=lambda item: item.changed, reverse=True)


def tidy(found: Iterable[Found], now: datetime | None = None) -> list[Found]:
    """Remove journals of sessions that ended in good order, where they are old or many; the others are returned.

    Parameters
    ----------
    found : iterable of Found
        Newest first, as `recoverable` finds them. What a crash left always stays.
    now : datetime, optional
        UTC.
    """
    now = now or datetime.now(timezone.utc)
    kept: list[Found] = []
    for item in found:
        if item.ended and (now - item.changed > LONGEST or sum(other.ended for other in kept) >= MOST_ENDED):
            with contextlib.suppress(OSError):  # the next start tries again
                dismiss(item.path)
        else:
            kept.append(item)
    return kept


def dismiss(path: str | os.PathLike[str]) -> None:
    """Remove a journal that is not needed any more."""
    Path(path).unlink(missing_ok=True)
    lock_path(Path(path)).unlink(missing_ok=True)


def recover(path: str | os.PathLike[str]) -> Recovered:
    """Read a journal.

    A line that was cut off when the program died is left out, and with it the change that it would have told.

    Raises
    ------
    DataError
        If the file cannot be read, is no journal, or was written by a newer version.
    """
    try:
        lines = Path(path).read_bytes().split(b"\n")
    except OSError as error:
        raise DataError(f"'{path}' cannot be read: {error.strerror or error}.") from error
    reader = _Reader()
    head = _parsed(lines[0]) or {}
    if head.get(NAMESPACE) != "session":
        raise DataError(f"'{path}' is no saved session of napari-dextr; choose another file.")
    if not isinstance(head.get("version"), int) or head["version"] > VERSION:
        raise DataError(f"'{path}' was saved by a newer napari-dextr; update the plugin to recover it.")
    damaged = 0
    for text in lines[1:]:
        if not text:
            continue
        line = _parsed(text)
        try:
            if line is None:
                raise DataError("not JSON")
            reader.take(line)
        except Exception:  # a damaged line can hold anything
            damaged += 1
    try:
        started = datetime.fromisoformat(str(head.get("started")))
    except ValueError:
        started = datetime.fromtimestamp(0, timezone.utc)
    targets, drafts = list(reader.targets.values()), list(reader.drafts())
    run = str(head.get("run") or "")
    return Recovered(started, targets, drafts, damaged, reader.ended, reader.left, reader.removed, run)


class _Reader:
    """Builds up the end of a session, line by line."""

    def __init__(self) -> None:
        self.targets: dict[int, RecoveredTarget] = {}
        self.ended = False
        self.left: int | None = None
        self.removed = False
        self._gone: dict[int, RecoveredTarget] = {}
        self._places: dict[int, Any] = {}
        self._drafts: dict[int, tuple[ObjectFacts, int | None]] = {}
        self._classes: list[ObjectClass] = []

    def take(self, line: Mapping[str, Any]) -> None:
        if "target" in line and "name" in line:
            number = _number(line["name"])
            self.targets[number] = RecoveredTarget(line["target"], list(self._classes), number, _places=self._places)
        if "renamed" in line and (renamed := self.targets.get(_number(line["renamed"]))) is not None:
            renamed.name = line["target"]
        if "place" in line and "name" in line:
            self._places[_number(line["name"])] = line["place"]
        if "gone" in line:  # the layer was removed: what comes later is of another one, even if that has its name
            number = _number(line["gone"])
            if number in self.targets:
                self._gone[number] = self.targets.pop(number)
        for number in line.get("back", ()):  # all ended together, or this is a journal of what was removed
            if _number(number) in self._gone:
                self.targets[number] = self._gone.pop(number)
        self.removed |= line.get("removed") is True
        for item in line.get("pixels", ()):
            self._paint(item)
        for item in line.get("objects", ()):
            self._object(item)
        for item in line.get("drafts", ()):
            facts = ObjectFacts.from_json({"marks": item.get("marks", []), "box": item.get("box")})
            correcting = item.get("correcting")
            self._drafts[self._place(item)] = facts, None if correcting is None else _number(correcting[1])
        for item in line.get("classes", ()):
            classes = [ObjectClass.from_json(value) for value in item["classes"]]
            if item["target"] is None:
                self._classes = classes  # those of the first target to come
            else:
                self.targets[_number(item["target"])].classes = classes
        for number, labels in line.get("unsaved", ()):
            self.targets[_number(number)].saved.difference_update(map(_number, labels))
        for number, labels in line.get("saved", ()):
            if _number(number) in self.targets:
                self.targets[number].saved.update(map(_number, labels))
        if line.get("end"):
            self.ended, self.left = True, None if line.get("left") is None else _number(line["left"])

    def drafts(self) -> Iterator[RecoveredDraft]:
        for number, (facts, correcting) in self._drafts.items():
            if facts.marks or facts.box is not None or correcting is not None:
                yield RecoveredDraft(self._places.get(number), facts.marks, facts.box, correcting)

    def _paint(self, item: Mapping[str, Any]) -> None:
        pixels, (row, col) = self.targets[_number(item["target"])]._pixels, item["corner"]
        for label, rle in item["labels"]:
            height, width = rle["size"]
            mask = decode(rle, (height, width))
            region = slice(_number(row), row + height), slice(_number(col), col + width)
            pixels.write(self._place(item), region, np.full(mask.shape, _number(label)), mask)

    def _place(self, item: Mapping[str, Any]) -> int:
        number = _number(item["place"])
        if number not in self._places:  # the line that names it is damaged: nobody knows where to draw this
            raise DataError(f"There is no place {number}.")
        return number

    def _object(self, item: Mapping[str, Any]) -> None:
        objects, label = self.targets[_number(item["target"])]._objects, _number(item["label"])
        if "facts" not in item:
            objects.pop(label, None)
            return
        top, left, bottom, right = (_number(value) for value in item["region"])
        if not (0 <= top < bottom and 0 <= left < right):
            raise DataError("The region of an object is empty.")
        facts = ObjectFacts.from_json(item["facts"])
        objects[label] = AnnotatedObject(label, self._place(item), (slice(top, bottom), slice(left, right)), facts)


def _parsed(text: bytes) -> dict[str, Any] | None:
    """The record of a line; None where it is none, or not what was written."""
    told = _SUM.match(text)
    if told and zlib.crc32(text[told.end() :]) != int(told[1], 16):
        return None
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _number(value: Any) -> int:
    if type(value) is not int:
        raise DataError(f"'{value}' is not a whole number.")
    return value
