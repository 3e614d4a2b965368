"""Weights that are fetched once and kept in a cache folder.

The authors published no checksums. A file is therefore judged by what it holds, and its SHA-256 is noted beside it at
first use: a file that changes later is noticed.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import DextrError, ModelError, OutputError
from ..files import atomic_write, make_folder
from .catalogue import ModelEntry

Progress = Callable[[int, int], None]
"""Called with the bytes that have arrived and the bytes in all (0 where the server does not say)."""

CACHE_VARIABLE = "NAPARI_DEXTR_CACHE"
"""Environment variable that moves the cache folder."""

ATTEMPTS = 3
_TIMEOUT = 30.0  # seconds without an answer
_SMALLEST_SHARE = 0.5  # of the expected size; anything smaller is an error page or a stub


def cache_folder() -> Path:
    """Folder of downloaded weights: `NAPARI_DEXTR_CACHE`, or the system's place for caches."""
    chosen = os.environ.get(CACHE_VARIABLE)
    if chosen:
        return Path(chosen).expanduser()
    import pooch

    return Path(pooch.os_cache("napari-dextr"))


def cached_file(entry: ModelEntry) -> Path:
    """Where the weights of a model are kept, whether they are there or not."""
    return cache_folder() / entry.file_name


def fetch(entry: ModelEntry, *, progress: Progress | None = None, attempts: int = ATTEMPTS, pause: float = 1.0) -> Path:
    """The weights file of a published model, downloaded unless it is there.

    A download goes to a temporary name, is checked by loading it, and takes its name only then; a broken connection
    is tried again from the start.

    Parameters
    ----------
    entry : ModelEntry
        A model with a URL.
    progress : callable, optional
        Receives bytes done and bytes in all.
    attempts : int
        How often a download that breaks off is started.
    pause : float
        Seconds before the second attempt; doubled for each further one.

    Raises
    ------
    ModelError
        If the file cannot be had or is not what it should be; the message says where to put it by hand.
    OutputError
        If the cache folder cannot be written.
    """
    if entry.url is None:
        raise ModelError(f"The model '{entry.name}' has no address to download it from; give the path of its file.")
    target = cached_file(entry)
    if target.is_file():
        _check_unchanged(entry, target)
        return target
    make_folder(target.parent)
    for attempt in range(1, attempts + 1):
        try:
            _download(entry, target, progress)
            return target
        except _BrokenOffError as error:
            if attempt == attempts:
                raise ModelError(
                    f"The model '{entry.name}' could not be downloaded from {entry.url} ({error.reason}); try again "
                    f"when you are online, or save that file by hand as '{target}'."
                ) from error
            time.sleep(pause * 2 ** (attempt - 1))
    raise ValueError("attempts must be at least 1")


class _BrokenOffError(DextrError):
    """A download failed in a way that another attempt may mend."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


def _download(entry: ModelEntry, target: Path, progress: Progress | None) -> None:
    import pooch

    assert entry.url is not None
    meter = _Meter(progress)
    with atomic_write(target) as temporary:
        try:
            with _quiet_pooch():
                downloader = pooch.HTTPDownloader(progressbar=meter, timeout=_TIMEOUT)
                pooch.retrieve(entry.url, None, fname=temporary.name, path=temporary.parent, downloader=downloader)
        except OSError as error:  # that of the network derives from it as well
            _explain(entry, target, error)
        size = temporary.stat().st_size
        if size < meter.total:
            raise _BrokenOffError(f"the connection broke off after {size} of {meter.total} bytes")
        _check_content(entry, temporary, target, size)
    _remember(target)


def _explain(entry: ModelEntry, target: Path, error: OSError) -> None:
    """Raise what an error of the download means: worth another attempt, final, or about the disk."""
    status = getattr(getattr(error, "response", None), "status_code", None)
    if status is not None and 400 <= status < 500 and status not in (408, 429):
        raise ModelError(
            f"The server no longer offers the model '{entry.name}' ({entry.url} answers {status}); if you have its "
            f"file from elsewhere, save it as '{target}'."
        ) from error
    if type(error).__module__.partition(".")[0] not in ("requests", "urllib3"):
        raise error  # the disk: atomic_write says what to do
    raise _BrokenOffError(_reason(error, status)) from error


def _reason(error: OSError, status: int | None) -> str:
    if status is not None:
        return f"the server answered {status}"
    text = type(error).__name__.lower()
    return "the server did not answer in time" if "timeout" in text else "the server could not be reached or broke off"


def _check_content(entry: ModelEntry, file: Path, target: Path, size: int) -> None:
    """Refuse a download that is not the model."""
    import pooch

    from .checkpoint import read_checkpoint

    advice = f"try again later, or save the right file by hand as '{target}'"
    if entry.sha256 is not None and pooch.file_hash(str(file)) != entry.sha256:
        raise ModelError(f"What {entry.url} sent is not the model '{entry.name}' (its checksum differs); {advice}.")
    if size < _SMALLEST_SHARE * entry.size:
        megabytes = f"{size / 1e6:.1f} MB instead of about {entry.size / 1e6:.0f} MB"
        raise ModelError(f"What {entry.url} sent is not the model '{entry.name}' ({megabytes}); {advice}.")
    try:
        spec, _ = read_checkpoint(file)
    except ModelError as error:
        raise ModelError(f"What {entry.url} sent is not the model '{entry.name}'; {advice}.") from error
    if spec.architecture != entry.spec.architecture:
        raise ModelError(f"What {entry.url} sent is another network than '{entry.name}'; {advice}.")


def _note(target: Path) -> Path:
    return target.with_name(f"{target.name}.sha256")


def _remember(target: Path) -> None:
    """Write the checksum of a file beside it."""
    import pooch

    digest = pooch.file_hash(str(target))
    try:
        with atomic_write(_note(target)) as temporary:
            temporary.write_text(f"{digest}  {target.name}\n", encoding="utf-8")
    except OutputError:  # a read-only cache, filled by an administrator, works without the note
        logging.getLogger(__name__).info("No checksum could be noted beside '%s'.", target)


def _check_unchanged(entry: ModelEntry, target: Path) -> None:
    """Compare a kept file with its checksum: the published one, or the one noted when it was first used."""
    import pooch

    from .checkpoint import read_checkpoint

    note = _note(target)
    expected = entry.sha256
    if expected is None and note.is_file():
        expected = (note.read_text(encoding="utf-8", errors="replace").split() or [""])[0]
    if expected is None:  # somebody put the file there by hand
        read_checkpoint(target)
        _remember(target)
    elif pooch.file_hash(str(target)) != expected:
        raise ModelError(
            f"'{target}' has changed since it was first used; delete it to download it again, or delete "
            f"'{note.name}' beside it if you replaced it yourself."
        )


@dataclass
class _Meter:
    """The progress bar that pooch drives (``total``, ``update``, ``reset``, ``close``), as one callback."""

    progress: Progress | None
    total: int = 0
    done: int = 0

    def update(self, amount: int) -> None:
        """Pooch adds a whole chunk even for the last, shorter one."""
        self.done = min(self.done + amount, self.total) if self.total else self.done + amount
        if self.progress is not None:
            self.progress(self.done, self.total)

    def reset(self) -> None:
        """Pooch fills the bar once more at the end."""
        self.done = 0

    def close(self) -> None:
        """Nothing to tidy up."""


@contextmanager
def _quiet_pooch() -> Iterator[None]:
    """Keep pooch's advice for programmers (``known_hash``) away from users."""
    import pooch

    logger: Any = pooch.get_logger()
    level = logger.level
    logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        logger.setLevel(level)
