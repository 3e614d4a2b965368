"""The journal of a session that ended in good order, while there is something in it that no file has."""

from __future__ import annotations

import contextlib
import json
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..locks import FileLock
from .unsaved import Rest


class Kept:
    """Keeps such a journal up to date, and removes it when all of it is saved after all.

    It is offered for recovery after `release`. A disk that is full or read-only stops nothing here: at worst the
    journal tells later that more is unsaved than is.

    Parameters
    ----------
    path : Path
    lock : FileLock
        Of the journal, held by the session that has ended.
    rests : mapping of int to Rest
        What is not saved, by the number that stands for a label image in the journal.
    last : sequence of JSON
        Lines that end the journal.

    Attributes
    ----------
    path : Path
    rests : dict of int to Rest
        True entries only.
    """

    def __init__(
        self, path: Path, lock: FileLock, rests: Mapping[int, Rest], last: Sequence[dict[str, Any]] = ()
    ) -> None:
        self.path = path
        self.rests = {number: rest for number, rest in rests.items() if rest}
        self._lock = lock
        self._note(last)

    def save(self, number: int, began: int) -> None:
        """Note that a file has what a label image held at a `napari_dextr.session.unsaved.moment`."""
        rest = self.rests[number]
        saved = rest.save(began)
        if not rest:
            del self.rests[number]
        self._note([{"saved": [[number, sorted(saved)]]}])

    def rename(self, number: int, description: Any) -> None:
        """Note that a label image is described in other words now."""
        self._note([{"renamed": number, "target": description}])

    def hand_over(self, number: int) -> None:
        """Note that another journal has a label image now."""
        del self.rests[number]
        self._note([{"gone": number}])

    def discard(self) -> None:
        """Remove the journal with all that is in it."""
        self.rests.clear()
        self._note([])

    def release(self) -> None:
        """Let the journal be offered for recovery."""
        self._lock.release()

    def _note(self, lines: Sequence[dict[str, Any]]) -> None:
        end: dict[str, Any] = {"end": True}
        if self.rests:
            end["left"] = sum(len(rest.objects) for rest in self.rests.values())
        with contextlib.suppress(OSError):
            if self.path.exists():  # nobody has recovered it or thrown it away
                with self.path.open("ab") as file:
                    # On a line of its own, also where a full disk has cut the last one off.
                    file.write(b"\n" + b"".join(map(as_line, [*lines, end])))
        if not self.rests:
            with contextlib.suppress(OSError):
                self.path.unlink(missing_ok=True)
            self.release()


def as_line(record: Mapping[str, Any]) -> bytes:
    """A line, with the checksum of what follows it in front: what a disk has changed must not pass for an object."""
    rest = json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode()[1:]
    return b'{"sum":"%08x",%b\n' % (zlib.crc32(rest), rest)
