"""Weights that are fetched once and kept in a cache folder.

The authors published no checksums. A file is therefore judged by what it holds, and its SHA-256 is noted beside it at
first use: a file that changes later is noticed.
"""

from __future__ import annotations

import contextlib
import logging
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

from ..errors import DextrError, ModelError, OutputError
from ..files import atomic_write, make_folder
from .catalogue import ModelEntry

Progress = Callable[[int, int], None]
"""Called with the bytes that have arrived and the bytes in all (0 while, or where, the server does not say).

It is called ten times a second, also where nothing arrives, and in the thread that waits: what it raises ends the
download at once.
"""

CACHE_VARIABLE = "NAPARI_DEXTR_CACHE"
"""Environment variable that moves the cache folder."""

ATTEMPTS = 3
_TIMEOUT = 30.0  # seconds without an answer
_BEAT = 0.1  # seconds between two looks whether the download is still wanted
_PARTING = 0.5  # seconds that one that is not wanted has to close its file
_CHUNK = 1 << 16  # bytes
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
    is tried again from the start. One that is called off, by what ``progress`` raises or by Ctrl+C, leaves nothing.

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
    progress = progress or _unheard
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
            _rest(pause * 2 ** (attempt - 1), progress)
    raise ValueError("attempts must be at least 1")


def _unheard(_done: int, _total: int) -> None:
    """Nobody wants to know how far a download is."""


class _BrokenOffError(DextrError):
    """A download failed in a way that another attempt may mend."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


def _rest(seconds: float, progress: Progress) -> None:
    """Wait before another attempt."""
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        progress(0, 0)
        time.sleep(min(left, _BEAT))


def _download(entry: ModelEntry, target: Path, progress: Progress) -> None:
    assert entry.url is not None
    with atomic_write(target) as temporary:
        transfer = _Transfer(entry.url, temporary)
        try:
            transfer.run(progress)
        except OSError as error:  # that of the network derives from it as well
            _explain(entry, target, error)
        size = temporary.stat().st_size
        if size < transfer.total:
            raise _BrokenOffError(f"the connection broke off after {size} of {transfer.total} bytes")
        progress(size, transfer.total or size)
        _check_content(entry, temporary, target, size)
    _remember(target)


class _LeftError(Exception):
    """Nobody waits for a download any more."""


class _Transfer:
    """One file from the network, in a thread of its own: whoever waits can leave while the server says nothing.

    It is also the progress bar that pooch drives: ``total``, ``update``, ``reset`` and ``close``.
    """

    def __init__(self, url: str, file: Path) -> None:
        self.total = self.done = 0
        self._url, self._file = url, file
        self._left = threading.Event()
        self._error: BaseException | None = None
        # A daemon: at its end the program does not wait for a server.
        self._thread = threading.Thread(target=self._work, name="napari-dextr download", daemon=True)

    def run(self, progress: Progress) -> None:
        """Wait for the file; what ``progress`` raises ends it."""
        self._thread.start()
        try:
            while self._thread.is_alive():
                progress(self.done, self.total)
                self._thread.join(_BEAT)
        except BaseException:  # Ctrl+C among them
            self._left.set()
            self._thread.join(_PARTING)
            raise
        if self._error is not None:
            raise self._error

    def update(self, amount: int) -> None:
        """Pooch adds a whole chunk even for the last, shorter one."""
        if self._left.is_set():
            raise _LeftError
        self.done = min(self.done + amount, self.total) if self.total else self.done + amount

    def reset(self) -> None:
        """Pooch fills the bar once more at the end; it is full."""

    def close(self) -> None:
        """Nothing to tidy up."""

    def _work(self) -> None:
        import pooch

        try:
            download = pooch.HTTPDownloader(progressbar=self, chunk_size=_CHUNK, timeout=_TIMEOUT)
            download(self._url, str(self._file), None)
        except BaseException as error:  # raised again where somebody waits
            self._error = error
        if self._left.is_set():  # Windows lets nobody remove it before it is closed here
            with contextlib.suppress(OSError):
                self._file.unlink(missing_ok=True)


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
