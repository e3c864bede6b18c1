"""What the system says of writing files, in our own errors."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tessellar.errors import NoPermission, NoSpace, StoreError, TessellarError

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_FORBIDDEN = (errno.EACCES, errno.EPERM, errno.EROFS)


@contextmanager
def translated(path: Path, kept: str = "nothing of it was written; free some and run again") -> Iterator[None]:
    """Turn what the system says of writing to `path` into our errors.

    Parameters
    ----------
    path : Path
    kept : str
        What became of it where the disk is full, and what to do.

    Raises
    ------
    NoSpace, NoPermission, StoreError
        As the system says.

    Examples
    --------
    >>> with translated(Path("/no/such/place")):
    ...     raise PermissionError(13, "Permission denied")
    Traceback (most recent call last):
    tessellar.errors.NoPermission: /no/such/place: may not be written
    """
    try:
        yield
    except TessellarError:
        raise
    except OSError as error:
        if error.errno in _FULL:
            raise NoSpace(f"{path}: no space left; {kept}") from error
        if error.errno in _FORBIDDEN:
            raise NoPermission(f"{path}: may not be written") from error
        raise StoreError(f"{path}: cannot be written ({error.strerror or error})") from error
