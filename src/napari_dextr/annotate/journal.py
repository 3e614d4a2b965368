"""The journal of a run: a line for each image that is done, so that a run that was killed goes on where it stopped."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from ..errors import DataError, OutputError
from ..files import reason_of
from ..locks import FileLock
from .work import ObjectResult


class Journal:
    """A file beside the output. Use it in a ``with`` block; `remove` it when the output is written.

    Parameters
    ----------
    path : path-like
    header : mapping
        What the results depend on: annotations, model, settings. A journal with another header is not continued.
    restart : bool
        Begin anew, whatever is there.

    Raises
    ------
    DataError
        When the journal belongs to another run.
    OutputError
        When it cannot be written, or another run writes it.

    Attributes
    ----------
    done : dict of int to list of ObjectResult
        Results by image id that an earlier run left.
    """

    def __init__(self, path: str | os.PathLike[str], header: Mapping[str, Any], *, restart: bool = False) -> None:
        self.path = Path(path)
        self.done: dict[int, list[ObjectResult]] = {}
        self._lock = FileLock(self.path.with_name(f"{self.path.name}.lock"))
        try:
            self._claim()
            complete = 0 if restart else self._read(header)
            self._file: IO[bytes] = self.path.open("r+b" if complete else "wb")
            self._file.truncate(complete)  # a line that was cut by a kill goes
            self._file.seek(complete)
            if not complete:
                self._write({"header": dict(header)})
        except BaseException as error:
            self._lock.release()
            if isinstance(error, OSError) and not isinstance(error, OutputError):
                raise OutputError(f"The journal '{self.path}' cannot be written: {reason_of(error)}.") from error
            raise

    def _claim(self) -> None:
        if not self._lock.acquire():
            raise OutputError(
                f"Another run writes '{self.path}' now; wait until it is over, or give this one another output."
            )

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.suppress(OSError):  # a full disk was told of by `add`; the line that it cut is told apart
            self._file.close()
        self._lock.release()

    def add(self, image_id: int, results: Sequence[ObjectResult]) -> None:
        """Note an image as done.

        Raises
        ------
        OutputError
            When the disk does not take it.
        """
        try:
            self._write({"image": image_id, "objects": [asdict(result) for result in results]})
        except OSError as error:
            raise OutputError(f"The journal '{self.path}' cannot be written: {reason_of(error)}.") from error

    def remove(self) -> None:
        """Delete the journal: the output holds everything."""
        self._file.close()
        self.path.unlink(missing_ok=True)

    def _write(self, line: Mapping[str, Any]) -> None:
        self._file.write(json.dumps(line, allow_nan=False).encode("utf-8") + b"\n")
        self._file.flush()  # to the system: a killed process loses nothing

    def _read(self, header: Mapping[str, Any]) -> int:
        """Read what an earlier run left; returns how many bytes of it are complete lines."""
        complete = 0
        try:
            if not self.path.is_file():
                return 0
            with self.path.open("rb") as stream:
                for number, line in enumerate(stream):
                    if not line.endswith(b"\n"):
                        break
                    entry = json.loads(line)
                    if number == 0:
                        if entry["header"] != json.loads(json.dumps(header)):
                            raise DataError(
                                f"'{self.path}' is the journal of a run with other annotations, another model or other "
                                "settings; repeat that run, or begin anew with --restart."
                            )
                    elif type(entry["image"]) is not int:
                        raise TypeError("no image")
                    else:
                        self.done[entry["image"]] = [ObjectResult(**result) for result in entry["objects"]]
                    complete += len(line)
        except OSError as error:
            raise OutputError(f"The journal '{self.path}' cannot be read: {reason_of(error)}.") from error
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            if isinstance(error, DataError):
                raise
            raise DataError(f"'{self.path}' is no journal of this program; move it away or use --restart.") from None
        return complete
