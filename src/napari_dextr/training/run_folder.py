"""What a run leaves behind: settings, the record of its steps, checkpoints and pictures, in one folder."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ..errors import OutputError
from ..files import atomic_write, make_folder
from . import checkpoints
from .config import TrainConfig
from .lock import locked

METRICS = "metrics.jsonl"
CONFIG = "config.json"
CURVES = "curves.png"
OVERLAYS = "overlays"


class RunFolder:
    """The folder of a run; made where it is missing.

    Parameters
    ----------
    path : path
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = make_folder(path)
        self._claims = 0
        self._broken_line = False

    @contextmanager
    def claimed(self) -> Iterator[None]:
        """Keep every other training out of the folder; claims of the same object may be nested.

        Raises
        ------
        OutputError
            If another training is in it.
        """
        if self._claims:
            self._claims += 1
            try:
                yield
            finally:
                self._claims -= 1
            return
        with locked(self.path):
            checkpoints.sweep(self.path)
            self._claims = 1
            try:
                yield
            finally:
                self._claims = 0

    def start(self, config: TrainConfig, step: int) -> None:
        """Write the settings, and drop what the record says of steps after ``step``, which will be done again."""
        with atomic_write(self.path / CONFIG) as part:
            part.write_text(config.to_json(), encoding="utf-8")
        kept = [line for line in read_metrics(self.path) if line["step"] <= step]
        with atomic_write(self.path / METRICS) as part:
            part.write_text("".join(json.dumps(line) + "\n" for line in kept), encoding="utf-8")

    def record(self, line: Mapping[str, Any]) -> None:
        """Append one line to the record.

        Raises
        ------
        OutputError
            If it cannot be written.
        """
        text = json.dumps(line) + "\n"
        try:
            with (self.path / METRICS).open("a", encoding="utf-8") as file:
                # what a full disk cut off must not spoil the line after it
                file.write("\n" + text if self._broken_line else text)
        except OSError as error:
            self._broken_line = True
            raise OutputError(f"The record of the steps cannot be written ({error.strerror or error}).") from error
        self._broken_line = False

    @property
    def curves(self) -> Path:
        """Where the picture of the curves goes."""
        return self.path / CURVES

    def overlay(self, step: int) -> Path:
        """Where the picture of a validation's examples goes."""
        return make_folder(self.path / OVERLAYS) / f"step_{step:07d}.png"


def read_metrics(folder: str | os.PathLike[str]) -> list[dict[str, Any]]:
    """The record of a run's steps; a line that a crash cut off is left out, and so is one that makes no sense."""
    try:
        text = (Path(folder) / METRICS).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []
    lines: list[dict[str, Any]] = []
    for line in text.splitlines():
        try:
            entry = json.loads(line)
        except ValueError:
            continue
        if isinstance(entry, dict) and isinstance(entry.get("step"), int):
            lines.append(entry)
    return lines
