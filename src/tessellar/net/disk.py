"""What can go wrong with this machine's disk, as our errors."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tessellar.errors import NoPermission, NoSpace, StoreError

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_FORBIDDEN = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})


@contextmanager
def disk_errors(filename: str) -> Iterator[None]:
    """Turn what the system says about a file into one of our errors."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise NoSpace(f"{filename}: the disk is full; free some space and run again") from error
        if error.errno in _FORBIDDEN:
            raise NoPermission(f"{error.filename or filename}: may not be written; choose another folder") from error
        raise StoreError(f"{error.filename or filename}: {error.strerror or error}") from error


def check_room(path: Path, wanted: int) -> None:
    """Refuse what cannot fit before its first bytes have filled the disk, so that smaller files still end whole."""
    space = os.statvfs(path.parent)
    free = space.f_bavail * space.f_frsize
    if wanted > free > 0:
        raise NoSpace(
            f"{path.name.removesuffix('.part')}: {wanted / 1e6:.1f} MB are to come, but the disk is full: "
            f"{free / 1e6:.1f} MB are left; free some space and run again"
        )
