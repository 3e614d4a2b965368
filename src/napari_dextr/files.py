"""Writing files so that nothing half-written is ever left behind."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

from .errors import DextrError, OutputError

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
    errno.ENAMETOOLONG: "the name is too long; choose a shorter one",
}


@contextlib.contextmanager
def atomic_write(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Write a file completely or not at all.

    Yields a temporary path in the same folder and with the same suffix (writers choose their format by it). When
    the block ends well the temporary file takes the place of `path` in one step; when it raises, the temporary
    file is removed and whatever stood at `path` is untouched.

    Parameters
    ----------
    path : path-like
        File to write. Its folder must exist. A link is followed: the file it points to is replaced.

    Raises
    ------
    OutputError
        When the file cannot be written (no space, no permission, no such folder, a folder of that name).

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
    if target.exists() and not target.is_file():
        reason = _REASONS[errno.EISDIR] if target.is_dir() else "it is not an ordinary file; choose another name"
        raise OutputError(f"'{shown}' cannot be written: {reason}.")
    temporary = target.with_name(f".{target.stem[:80]}-{secrets.token_hex(4)}{target.suffix}")
    try:
        temporary.touch()  # a folder that cannot be written to is told before the work; and what rights a new file gets
        mode = temporary.stat().st_mode
        temporary.unlink()
        yield temporary
        # Some writers make files that only their owner may read.
        temporary.chmod(target.stat().st_mode if target.exists() else mode)
        os.replace(temporary, target)
    except DextrError:
        raise
    except OSError as error:
        raise OutputError(f"'{shown}' cannot be written: {_reason(error)}.") from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


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
        raise OutputError(f"The folder '{folder}' cannot be made: {_reason(error)}.") from error
    return folder


def _reason(error: OSError) -> str:
    known = _REASONS.get(error.errno) if error.errno is not None else None
    return known or (error.strerror or str(error) or type(error).__name__).rstrip(".")
