"""Writing files so that nothing half-written is ever left behind."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import secrets
import shutil
import socket
import sys
import tempfile
import time
import zlib
from collections.abc import Iterator
from pathlib import Path

from .errors import DextrError, OutputError

_FRESH = 60.0  # seconds

_PARTS = ".parts"  # of temporary folders

_FULL = "the disk is full; free some space or choose another folder"
_REASONS = {
    errno.ENOSPC: _FULL,
    getattr(errno, "EDQUOT", errno.ENOSPC): _FULL,  # Windows has no quota error
    errno.ENOENT: "its folder does not exist; make the folder or choose another",
    errno.ENOTDIR: "a part of its path is a file, not a folder; choose another path",
    errno.EACCES: "it may not be written there; choose another folder, or close the program that uses the file",
    errno.EPERM: "it may not be written there; choose another folder, or close the program that uses the file",
    errno.EROFS: "the disk is read-only; choose another folder",
    errno.EISDIR: "a folder of that name exists; choose another name",
    errno.EEXIST: "a file of that name exists; choose another name",
    errno.ENAMETOOLONG: "the name is too long; choose a shorter one",
}


@contextlib.contextmanager
def atomic_write(path: str | os.PathLike[str], *, versions: int = 0, replace: bool = True) -> Iterator[Path]:
    """Write a file completely or not at all.

    Yields a temporary path in the same folder and with the same suffix (writers choose their format by it). When
    the block ends well the temporary file takes the place of `path` in one step; when it raises, the temporary
    file is removed and whatever stood at `path` is untouched. What a process left that was killed while it wrote the
    same file is removed by the next one on that machine.

    Parameters
    ----------
    path : path-like
        File to write. Its folder must exist. A link is followed: the file it points to is replaced.
    versions : int
        How many earlier versions to keep beside it, as ``NAME.1.bak``, ``NAME.2.bak`` and on (`keep_version`).
    replace : bool
        Whether a file that stands at `path` is replaced; otherwise it is left alone, even where another process has
        made it in the meantime.

    Raises
    ------
    OutputError
        When the file cannot be written (no space, no permission, no such folder, a folder of that name); where only
        a file stands in the way, its cause is a `FileExistsError`.

    Examples
    --------
    >>> import tempfile
    >>> target = Path(tempfile.mkdtemp()) / "note.txt"
    >>> with atomic_write(target) as temporary:
    ...     _ = temporary.write_text("four clicks", encoding="utf-8")
    >>> target.read_text(encoding="utf-8")
    'four clicks'
    """
    shown = Path(path)
    target = Path(os.path.realpath(shown))
    stem = f".{_short(target.stem)}-{_machine()}-{os.getpid()}-"
    temporary = target.with_name(f"{stem}{secrets.token_hex(4)}{target.suffix}")
    try:
        if target.exists() and not target.is_file():
            reason = _REASONS[errno.EISDIR] if target.is_dir() else "it is not an ordinary file; choose another name"
            raise OutputError(f"'{shown}' cannot be written: {reason}.")
        if not replace and target.exists():
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target))
        _clear_abandoned(target)
        temporary.touch()  # a folder that cannot be written to is told before the work; and what rights a new file gets
        mode = temporary.stat().st_mode
        temporary.unlink()
        yield temporary
        # Some writers make files that only their owner may read.
        temporary.chmod(target.stat().st_mode if target.exists() else mode)
        if versions:
            keep_version(target, versions)
        if replace:
            os.replace(temporary, target)
        else:
            move_new(temporary, target)
    except DextrError:
        raise
    except OSError as error:
        raise OutputError(f"'{shown}' cannot be written: {reason_of(error)}.") from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def move_new(source: Path, target: Path) -> None:
    """Give a file a new name in the same folder, in one step, unless something has that name already.

    Raises
    ------
    FileExistsError
        When the name is taken; nothing has changed.
    OSError
        When the file cannot be moved.
    """
    if sys.platform == "win32":  # which replaces nothing
        source.rename(target)
        return
    try:
        os.link(source, target, follow_symlinks=False)
    except FileExistsError:
        raise
    except (OSError, NotImplementedError):  # no links on this disk: an empty file keeps the name free for the move
        os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
        try:
            os.replace(source, target)
        except OSError:
            target.unlink(missing_ok=True)
            raise
    else:
        source.unlink()


def _machine() -> str:
    """Eight digits for this machine: numbers of processes mean nothing on another one."""
    return f"{zlib.crc32(socket.gethostname().encode()):08x}"


def _short(stem: str) -> str:
    """The start of a name, so that what is added to it does not make it longer than the 255 bytes a disk takes."""
    return stem.encode("utf-8", "surrogateescape")[:80].decode("utf-8", "ignore")


def temporaries(target: Path) -> Iterator[Path]:
    """Temporary files that `atomic_write` has made for a file on this machine, and that are still there."""
    for path, _ in _temporaries(target):
        yield path


def temporary_folder(target: Path) -> Path:
    """Make a hidden folder beside a file, for what goes with it; its maker removes it.

    What a process left that was killed is removed by the next one on that machine.

    Raises
    ------
    OSError
        When it cannot be made.
    """
    _clear_abandoned(target, _PARTS)
    folder = target.with_name(f".{_short(target.stem)}-{_machine()}-{os.getpid()}-{secrets.token_hex(4)}{_PARTS}")
    folder.mkdir()
    return folder


def _temporaries(target: Path, suffix: str | None = None) -> Iterator[tuple[Path, int]]:
    """Such files, and the numbers of the processes that made them."""
    start = re.escape(f".{_short(target.stem)}-{_machine()}-")
    end = re.escape(target.suffix if suffix is None else suffix)
    pattern = re.compile(rf"{start}(\d+)-[0-9a-f]{{8}}{end}")
    for other in sorted(target.parent.iterdir()):
        if found := pattern.fullmatch(other.name):
            yield other, int(found[1])


def _clear_abandoned(target: Path, suffix: str | None = None) -> None:
    """Remove temporary files, or folders, of `target` whose process, on this machine, has ended."""
    with contextlib.suppress(OSError):
        for other, process in _temporaries(target, suffix):
            if not _abandoned(other, process):
                continue
            if other.is_dir():
                shutil.rmtree(other, ignore_errors=True)
            else:
                other.unlink(missing_ok=True)


def _abandoned(temporary: Path, process: int) -> bool:
    # A file that was written just now belongs to somebody, whatever the numbers of processes say (containers).
    if process == os.getpid() or time.time() - temporary.stat().st_mtime < _FRESH:
        return False
    if sys.platform == "win32":  # asking for a process there would end it; files that are open cannot be removed
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return True
    except OSError:  # it is somebody else's
        return False
    return False


def keep_version(path: str | os.PathLike[str], versions: int) -> Path | None:
    """Keep what stands at `path` under the next free number: ``NAME.1.bak``, ``NAME.2.bak`` and on.

    Versions are only added, never renamed or changed; beyond `versions` of them the oldest go.

    Returns
    -------
    Path or None
        The version, or None where there is no file to keep.

    Raises
    ------
    OSError
        When it cannot be kept; `atomic_write` says it in words.
    """
    file = Path(path)
    if not file.exists():
        return None
    kept = dict(sorted((number, version) for version, number in _versions(file)))
    version = file.with_name(f"{file.name}.{max(kept, default=0) + 1}.bak")
    try:
        os.link(file, version)  # the old file itself, under a second name: nothing is copied, nothing can fail halfway
    except OSError:  # no links on this disk
        partial = version.with_name(f".{version.name}-{secrets.token_hex(4)}")
        try:
            shutil.copy2(file, partial)
            os.replace(partial, version)
        finally:
            partial.unlink(missing_ok=True)
    for old in list(kept.values())[: max(0, len(kept) + 1 - versions)]:
        old.unlink(missing_ok=True)
    return version


def _versions(file: Path) -> Iterator[tuple[Path, int]]:
    for other in file.parent.iterdir():
        number = other.name.removeprefix(f"{file.name}.").removesuffix(".bak")
        if other.name == f"{file.name}.{number}.bak" and number.isdecimal():
            yield other, int(number)


def make_folder(path: str | os.PathLike[str]) -> Path:
    """Make a folder, and its parents, unless it exists.

    Raises
    ------
    OutputError
        When it cannot be made, or a file of that name exists.
    """
    folder = Path(path)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        raise OutputError(f"'{folder}' is a file, not a folder; choose another name.") from None
    except OSError as error:
        raise OutputError(f"The folder '{folder}' cannot be made: {reason_of(error)}.") from error
    return folder


def check_target(path: str | os.PathLike[str]) -> Path:
    """The path, if a file can be written there; for asking before long work, not after it.

    Raises
    ------
    OutputError
        When a folder has that name, there is no such folder, nothing may be written in it, or it is no ordinary file.
    """
    file = Path(path)
    # os.path: Path.is_dir raises where a folder may not be entered
    if os.path.isdir(file) or not os.path.isdir(file.parent):  # noqa: PTH112
        raise OutputError(f"'{file}' cannot be written: give the name of a file in a folder that exists.")
    if file.exists() and not file.is_file():
        raise OutputError(f"'{file}' is no ordinary file, which could be replaced; give the name of one.")
    try:
        with tempfile.TemporaryFile(dir=file.parent):
            pass
    except OSError as error:
        raise OutputError(f"'{file}' cannot be written: {reason_of(error)}.") from error
    return file


def reason_of(error: OSError) -> str:
    """Why a file could not be written, and what to do, as the end of a sentence without its full stop."""
    known = _REASONS.get(error.errno) if error.errno is not None else None
    return known or (error.strerror or str(error) or type(error).__name__).rstrip(".")
