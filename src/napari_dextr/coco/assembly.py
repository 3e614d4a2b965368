"""Putting a COCO file together: the old text where nothing changed, new entries from a spool on the disk."""

from __future__ import annotations

import contextlib
import json
import math
import os
import tempfile
from array import array
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np

from ..errors import DataError, OutputError
from ..files import reason_of
from .previous import Previous


class Spool:
    """Entries waiting on the disk, beside the file that they will go into, for their turn. Gone when it is closed."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: IO[bytes] | None = None
        self._places = array("q", [0])

    def __len__(self) -> int:
        return len(self._places) - 1

    def add(self, entry: Mapping[str, Any]) -> int:
        """Keep an entry; returns its number.

        Raises
        ------
        DataError
            When it holds something that JSON has no form for.
        OutputError
            When the disk does not take it.
        """
        data = to_json(entry).encode("utf-8")
        try:
            if self._file is None:
                prefix = f".{self._path.stem[:80]}-"
                self._file = tempfile.TemporaryFile(dir=self._path.parent, prefix=prefix)  # noqa: SIM115 - `close`
            if self._file.tell() != self._places[-1]:
                self._file.seek(self._places[-1])
            self._file.write(data)
        except OSError as error:
            raise OutputError(f"'{self._path}' cannot be written: {reason_of(error)}.") from error
        self._places.append(self._places[-1] + len(data))
        return len(self) - 1

    def text(self, number: int) -> str:
        """The text of an entry."""
        assert self._file is not None
        start, stop = self._places[number], self._places[number + 1]
        if self._file.tell() != start:
            self._file.seek(start)
        return self._file.read(stop - start).decode("utf-8")

    def close(self) -> None:
        """Remove it from the disk."""
        if self._file is not None:
            with contextlib.suppress(OSError):  # a full disk: what was not written yet is not needed any more
                self._file.close()


def to_json(value: Any) -> str:
    """JSON text on one line; numpy's numbers are taken too.

    Raises
    ------
    DataError
        When a value has no form in JSON (NaN, for one).
    """
    try:
        return json.dumps(value, allow_nan=False, default=_plain)
    except (TypeError, ValueError) as error:
        raise DataError(f"The annotations hold a value that JSON cannot keep ({error}).") from None


def finite(value: Any) -> Any:
    """An entry of somebody else with None for what JSON does not know: NaN and infinity, which Python writes freely."""
    if isinstance(value, dict):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, list):
        return [finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def old_texts(
    previous: Previous, spans: Iterable[tuple[int, int]], changed: Mapping[int, str], removed: set[int]
) -> Iterator[str]:
    """Entries of a list of the old file: as they stood, changed, or not at all."""
    for index, (start, stop) in enumerate(spans):
        if index in changed:
            yield changed[index]
        elif index not in removed:
            yield previous.text[start:stop]


def write_document(path: Path, head: Iterable[tuple[str, str | None]], lists: Mapping[str, Iterator[str]]) -> None:
    """Write top-level keys in order: the text of each value, or None where one of `lists` stands; one entry a line."""
    with path.open("w", encoding="utf-8", newline="\n") as stream:
        separator = "{"
        for key, text in head:
            stream.write(f"{separator}\n{json.dumps(key)}: " if separator != "{" else f"{{{json.dumps(key)}: ")
            separator = ","
            if text is not None:
                stream.write(text)
                continue
            stream.write("[")
            comma = "\n"
            for entry in lists[key]:
                stream.write(comma)
                stream.write(entry)
                comma = ",\n"
            stream.write("]" if comma == "\n" else "\n]")
        stream.write("}\n")
        stream.flush()
        os.fsync(stream.fileno())  # the new file is on the disk before it takes the old one's place


def _plain(value: Any) -> Any:
    if isinstance(value, (np.generic, np.ndarray)):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} is not JSON")
