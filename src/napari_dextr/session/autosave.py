"""Autosave: what is done in a session goes into a journal at once, so that nothing that was accepted is lost.

A journal is a text file of JSON lines in a folder of the caller's choice. A line holds one change, and only what it
changed: marks, facts of objects, classes, and pixels as run lengths around the object, with a checksum. It reaches the
system before the next thing is done, and survives the death of the program. It stays after a good end, too, where no
file has what it holds. `napari_dextr.session.recovery` reads it.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
from collections.abc import Callable, Hashable, Iterable
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from ..errors import DextrError
from ..files import atomic_write, make_folder
from ..locks import FileLock
from ..objects import NAMESPACE, AnnotatedObject
from ..prompt import Region
from ..rle import encode
from .classes import Classes
from .history import Change
from .kept import Kept, as_line
from .patches import Labels, Mask
from .session import Session
from .unsaved import Rest, Unsaved

SUFFIX = ".dextr-session"
"""Ending of journals' names."""

VERSION = 1
_LARGE = 32 << 20  # bytes; a journal is rewritten when it is larger than this, and four times what it must hold


class Journal:
    """Saves a session while it goes on. Several sessions may save into one folder.

    Nothing here stops the work: where the journal cannot be written, `problem` says why, and saving ends.

    Parameters
    ----------
    folder : path-like
        Is made where it does not exist.
    session : Session
        Is saved from now on; what it holds already is saved first.
    describe : callable
        JSON that names a target or a place, so that a person or a program finds it again: layer, file, plane.
    run : str, optional
        What made the objects, where nobody annotated them.

    Attributes
    ----------
    path : Path
        The journal's own file.
    problem : str or None
        Why nothing is saved any more, in a sentence for the user.
    unsaved : Unsaved
        What no file has yet, the journal aside.
    """

    def __init__(
        self, folder: str | os.PathLike[str], session: Session, describe: Callable[[Hashable], Any] = str, run: str = ""
    ) -> None:
        started = datetime.now(timezone.utc)
        self.path = _new_path(Path(folder), started)
        self.problem: str | None = None
        self.unsaved = Unsaved(session)
        self._session = session
        self._describe = describe
        self._head = {NAMESPACE: "session", "version": VERSION, "started": started.isoformat(timespec="seconds")}
        self._head |= {"run": run} if run else {}
        self._names: dict[tuple[str, Hashable], int] = {}
        self._count = 0  # names that were given: none is given again
        self._named = 0  # names that stand in the file
        self._objects: dict[tuple[Hashable, int], AnnotatedObject] = {}
        self._classes: dict[Hashable, Classes] = {}  # as they stand in the file, by target
        self._saved: dict[Hashable, set[int]] = {}  # labels of which it stands in the file that another file has them
        self._gone: dict[int, Rest] = {}  # of targets that went just now, by their names
        self._lock = FileLock(lock_path(self.path))
        self._file: BinaryIO | None = None
        self._kept = 0  # bytes of the last complete rewriting
        try:
            make_folder(folder)
            self._lock.acquire()
            self.rewrite()
        except Exception as error:  # as in `_on_change`
            self._give_up(error)
        session.watch(self._on_change)

    def close(self, *, keep: bool = True) -> None:
        """End saving in good order.

        Parameters
        ----------
        keep : bool
            Leave the journal, to be offered for recovery, where no file has what it holds; False removes it.
        """
        left = self.leave()
        if left is not None and not keep:
            left.discard()
        elif left is not None:
            left.release()

    def leave(self) -> Kept | None:
        """End saving in good order, as `close` does, but let nobody recover the journal yet.

        Returns
        -------
        Kept or None
            The journal; None where it has gone, as nothing in it is unsaved.
        """
        self._session.unwatch(self._on_change)
        file, self._file = self._file, None
        if file is not None:
            with contextlib.suppress(OSError):
                file.close()
        rests = {number: self.unsaved.rests[key] for key, number in self.numbers.items() if key in self.unsaved.rests}
        back = [{"back": sorted(self._gone)}] if self._gone else []
        kept = Kept(self.path, self._lock, {**rests, **self._gone}, back)
        return kept if kept.rests else None

    @property
    def numbers(self) -> dict[Hashable, int]:
        """The number that stands for each label image in this journal."""
        return {key: number for (what, key), number in self._names.items() if what == "target"}

    def settle(self) -> Kept | None:
        """Note that label images that went were removed by somebody: they are no longer part of this session.

        One that goes just before the end is still in what `leave` leaves: a program that closes removes its layers.

        Returns
        -------
        Kept or None
            A journal of their own, if they held something that no file has.
        """
        lost = {number: rest for number, rest in self._gone.items() if rest}
        try:
            kept = self._split(lost) if lost else None
        except (OSError, DextrError):
            return None  # they stay in this journal, and come back with it
        self._gone.clear()
        return kept

    def save(self, target: Hashable, began: int) -> None:
        """Note that a file has what a label image held at a `napari_dextr.session.unsaved.moment`."""
        rest = self.unsaved.rests.get(target)
        if rest is None:
            return
        rest.save(began)
        try:
            self._append(self._newly_saved())
        except Exception as error:  # as in `_on_change`
            self._give_up(error)

    def rename(self, target: Hashable) -> None:
        """Note that a label image is described in other words now."""
        if ("target", target) in self._names:
            try:
                self._append([{"renamed": self._names["target", target], "target": self._describe(target)}])
            except Exception as error:  # as in `_on_change`
                self._give_up(error)

    def rewrite(self) -> None:
        """Write the session as it is now, instead of everything that led to it.

        Raises
        ------
        OutputError, ImageError
            If the file cannot be written, or pixels cannot be read; the journal stays as it was then.
        """
        before = self._names, self._count, self._named, self._objects, self._classes, self._saved
        self._names, self._count, self._named, self._objects, self._classes, self._saved = {}, 0, 0, {}, {}, {}
        try:
            lines = [self._head, *self._everything()]
            data = b"".join(map(as_line, lines))
            self._close_file()  # Windows replaces no open file
            with atomic_write(self.path) as temporary:
                temporary.write_bytes(data)
        except BaseException:
            self._names, self._count, self._named, self._objects, self._classes, self._saved = before
            if self.path.exists():
                self._file = self.path.open("ab")
            raise
        self._file = self.path.open("ab")
        self._kept = len(data)
        self._gone.clear()  # they are not in it any more

    # -- inside ---------------------------------------------------------------------------------------------------

    def _on_change(self, change: Change) -> None:
        gone = self.unsaved.rests.get(change.gone)
        self.unsaved.follow(change)
        if self._file is None:
            return
        try:
            if gone is not None and ("target", change.gone) in self._names:
                self._gone[self._names["target", change.gone]] = gone
            line = self._line_of(change)
            if line:
                self._append([*self._new_names(), line])
            if not self._gone and self._file.tell() > max(_LARGE, 4 * self._kept):
                self._shorten()
        except Exception as error:  # whatever it is: what the person has just done must not fail by it
            self._give_up(error)

    def _split(self, lost: dict[int, Rest]) -> Kept:
        """A copy of this journal in which there is nothing but label images that went."""
        path = _new_path(self.path.parent, datetime.now(timezone.utc))
        lock = FileLock(lock_path(path))
        lock.acquire()
        try:
            shutil.copyfile(self.path, path)
        except OSError:
            lock.release()
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)
            raise
        places = [number for (what, _), number in self._names.items() if what == "place"]
        others: list[dict[str, Any]] = [{"gone": number} for number in self.numbers.values()]
        others.append({"drafts": [{"place": number} for number in places]})  # they are still marked in this session
        return Kept(path, lock, lost, [*others, {"back": sorted(lost), "removed": True}])

    def _shorten(self) -> None:
        try:
            self.rewrite()
        except DextrError:
            self._kept = self.path.stat().st_size  # try again when it is larger still

    def _line_of(self, change: Change) -> dict[str, Any]:
        """What a change has changed, as JSON."""
        line: dict[str, Any] = {}
        if ("target", change.gone) in self._names:
            line["gone"] = self._names.pop(("target", change.gone))
            self._classes.pop(change.gone, None)
            self._saved.pop(change.gone, None)
            self._objects = {key: item for key, item in self._objects.items() if key[0] != change.gone}
        if change.pixels:
            line["pixels"] = []
            for written in change.pixels:
                mask, labels = written.patch.values(written.forward)
                values = np.zeros(mask.shape, labels.dtype)
                values[mask] = labels
                line["pixels"].append(self._pixels(written.target, written.place, written.patch.region, values, mask))
        if objects := [
            self._object(target, label)
            for target, labels in change.objects.items()
            for label in sorted(labels)
            if self._news(target, label)
        ]:
            line["objects"] = objects
        if changed := [
            [self._name("target", target), sorted(labels & self._saved[target])]
            for target, labels in change.objects.items()
            if labels & self._saved.get(target, set())
        ]:
            line["unsaved"] = changed
            for target, touched in change.objects.items():
                self._saved.get(target, set()).difference_update(touched)
        # In the 3-D view there is no place, and nothing is marked: a change of other places' marks is not told there.
        if change.marks and (change.place in self._session.drafts or ("place", change.place) in self._names):
            line["drafts"] = [self._draft(change.place)]
        if classes := self._new_classes(change.classes):
            line["classes"] = classes
        return line

    def _everything(self) -> Iterable[dict[str, Any]]:
        """The whole session as lines."""
        lines = []
        for key, target in self._session.targets.items():
            for label, item in target.objects.items():
                region, mask = target.own(item)
                line: dict[str, Any] = {"objects": [self._object(key, label)]}
                if mask.any():
                    values = np.full(mask.shape, label)
                    line["pixels"] = [self._pixels(key, item.place, region, values, mask)]
                lines.append(line)
            for place, region, mask in target.painted():
                values = np.asarray(target.image.read(place, region))
                lines.append({"pixels": [self._pixels(key, place, region, values, mask)]})
        lines.append({"drafts": [self._draft(place) for place in self._session.drafts]})
        lines.append({"classes": self._new_classes(True)})
        lines += self._newly_saved()
        return [*self._new_names(), *lines]

    def _newly_saved(self) -> list[dict[str, Any]]:
        """Labels of objects that another file has as they are, of which that does not stand in the journal yet."""
        news = []
        for key, rest in self.unsaved.rests.items():
            known = self._saved.setdefault(key, set())
            labels = (rest.clean & self._session.targets[key].objects.keys()) - known
            if labels:
                known |= labels
                news.append([self._name("target", key), sorted(labels)])
        return [{"saved": news}] if news else []

    def _object(self, target: Hashable, label: int) -> dict[str, Any]:
        item = self._session.targets[target].objects.get(label)
        line: dict[str, Any] = {"target": self._name("target", target), "label": label}
        if item is None:
            self._objects.pop((target, label), None)
            return line
        self._objects[target, label] = item
        rows, cols = item.region
        line["place"] = self._name("place", item.place)
        line["region"] = [rows.start, cols.start, rows.stop, cols.stop]
        line["facts"] = item.facts.to_json()
        return line

    def _news(self, target: Hashable, label: int) -> bool:
        """Whether an object is not what was written last."""
        known = self._session.targets.get(target)
        item = None if known is None else known.objects.get(label)
        return known is not None and item is not self._objects.get((target, label))

    def _draft(self, place: Hashable) -> dict[str, Any]:
        draft = self._session.drafts.get(place)
        line: dict[str, Any] = {"place": self._name("place", place)}
        if draft is not None:
            line["marks"] = [[mark.kind, mark.row, mark.col] for mark in draft.marks]
            line["box"] = draft.box
            if draft.correcting is not None:
                line["correcting"] = [self._name("target", draft.correcting[0]), draft.correcting[1]]
        return line

    def _new_classes(self, changed: bool) -> list[dict[str, Any]]:
        """Classes of every target that stands in the file where they are others there; if changed, of the bound one."""
        session = self._session
        lines: list[dict[str, Any]] = []
        if changed and session.target is None:
            lines.append({"target": None, "classes": [item.to_json() for item in session.classes]})
        for key in session.targets:
            classes = session.classes_of(key)
            named = ("target", key) in self._names or (changed and key == session.target)
            if named and classes is not self._classes.get(key, ()):
                self._classes[key] = classes
                number = self._name("target", key)
                lines.append({"target": number, "classes": [item.to_json() for item in classes]})
        return lines

    def _pixels(self, target: Hashable, place: Hashable, region: Region, values: Labels, mask: Mask) -> dict[str, Any]:
        """Labels of the pixels of ``mask``: for each label its run lengths in the region."""
        return {
            "target": self._name("target", target),
            "place": self._name("place", place),
            "corner": [region[0].start, region[1].start],
            "labels": [[int(label), encode((values == label) & mask)] for label in np.unique(values[mask])],
        }

    def _name(self, what: str, key: Hashable) -> int:
        """The number that stands for a target or a place in this journal."""
        if (what, key) not in self._names:
            self._names[what, key] = self._count
            self._count += 1
        return self._names[what, key]

    def _new_names(self) -> list[dict[str, Any]]:
        """Lines for targets and places that were not named before."""
        fresh = [item for item in self._names.items() if item[1] >= self._named]
        self._named = self._count
        return [{"name": number, what: self._describe(key)} for (what, key), number in fresh]

    def _append(self, lines: list[dict[str, Any]]) -> None:
        if self._file is not None:
            self._file.write(b"".join(map(as_line, lines)))
            self._file.flush()

    def _close_file(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def _give_up(self, error: Exception) -> None:
        """Save no more; what has been saved stays, and is offered for recovery after the program has ended."""
        if isinstance(error, DextrError):
            reason = str(error)
        else:
            reason = f"{getattr(error, 'strerror', None) or str(error) or type(error).__name__}."
        self.problem = f"This session is not saved automatically any more: {reason} Save the Labels layer yourself."
        file, self._file = self._file, None
        if file is not None:
            with contextlib.suppress(OSError):
                file.close()


def _new_path(folder: Path, started: datetime) -> Path:
    return folder / f"{started:%Y%m%d-%H%M%S}-{secrets.token_hex(4)}{SUFFIX}"


def lock_path(journal: Path) -> Path:
    """The file whose lock the session of a journal holds as long as it lives."""
    return journal.with_suffix(".lock")
