"""The right to write one file: a lock on its partial file, which the system takes back when we die."""

from __future__ import annotations

import errno
import fcntl
import os
from contextlib import suppress
from pathlib import Path

# A file system without locks: we go on, alone as far as we know.
_NO_LOCKS = frozenset({errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL})


class Claim:
    """A lock on a partial file; given back by `release`, or by the end of the process.

    Parameters
    ----------
    handle : int
        The open partial file, which carries the lock.
    part : Path
        Its name.
    """

    def __init__(self, handle: int, part: Path) -> None:
        self._handle = handle
        self._part = part

    def release(self) -> None:
        """Give the lock back; a partial file without a byte goes away."""
        try:
            # By now the file may have its final name, and another one may be partial.
            if os.fstat(self._handle).st_size == 0 and _is_at(self._handle, self._part):
                self._part.unlink(missing_ok=True)
        finally:
            os.close(self._handle)


def claim(part: Path, *, make: bool = True) -> Claim | None:
    """Lock a partial file, made if need be; return None while another process or thread has it.

    Raises
    ------
    OSError
        If it cannot be made; without `make`, also if it is not there.
    """
    flags = os.O_RDWR | (os.O_CREAT if make else 0)
    while True:
        handle = os.open(part, flags, 0o666)
        try:
            if not _lock(handle):
                os.close(handle)
                return None
            if _is_at(handle, part):
                return Claim(handle, part)
        except BaseException:
            with suppress(OSError):
                os.close(handle)
            raise
        # While we waited it was finished, and renamed: look again.
        os.close(handle)


def _lock(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
    return True


def _is_at(handle: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(handle), path.stat())
    except FileNotFoundError:
        return False
