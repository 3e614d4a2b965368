"""A lock on a file that ends with the process that holds it, however that ends."""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path
from typing import BinaryIO

_BEYOND = 1 << 30  # Windows locks bytes against reading as well: lock one that is not there


class FileLock:
    """A lock that at most one holder has; the system releases it when the process dies.

    Where a drive knows no locks (some network drives), everybody gets it.

    Parameters
    ----------
    path : path-like
        A file of its own, which is made. Others may read what its holder writes into it with `note`.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self._file: BinaryIO | None = None

    def acquire(self) -> bool:
        """Take the lock; False where somebody else has it. An `OSError` where the file cannot be made."""
        if self._file is not None:
            return True
        file = self.path.open("ab")
        try:
            _lock(file)
        except BlockingIOError:
            file.close()
            return False
        if not self._is_there(file):  # its last holder has just removed it: another file of that name counts now
            file.close()
            return False
        self._file = file
        return True

    def _is_there(self, file: BinaryIO) -> bool:
        try:
            return os.path.samestat(os.fstat(file.fileno()), self.path.stat())
        except FileNotFoundError:
            return False

    def note(self, text: str) -> None:
        """Write who holds the lock into its file. Where that fails (a full disk), the lock holds all the same."""
        assert self._file is not None, "only the holder writes into the file"
        with contextlib.suppress(OSError):
            self._file.truncate(0)
            self._file.write(text.encode())
            self._file.flush()

    def release(self, *, remove: bool = True) -> None:
        """Give the lock back, and remove its file or leave it empty."""
        if self._file is not None:
            if not remove:
                self.note("")
            self._file.close()
            self._file = None
            if remove:
                with contextlib.suppress(OSError):  # Windows removes no file that somebody else looks at
                    self.path.unlink()


if sys.platform == "win32":
    import msvcrt

    def _lock(file: BinaryIO) -> None:
        file.seek(_BEYOND)
        try:
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        except OSError as error:
            raise BlockingIOError(str(error)) from None

else:
    import errno
    import fcntl

    _UNSUPPORTED = (errno.ENOLCK, errno.ENOTSUP, errno.EINVAL, errno.ENOSYS)

    def _lock(file: BinaryIO) -> None:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise
        except OSError as error:
            if error.errno not in _UNSUPPORTED:
                raise BlockingIOError(str(error)) from None
