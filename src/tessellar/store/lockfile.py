"""A lock that is a file: for network file systems, where the system's own locks cannot be trusted."""

from __future__ import annotations

import os
import random
import socket
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from tessellar.errors import StoreError

# Nobody holds the lock longer than one small transaction; who does is dead.
STALE_AFTER = 20.0
_PATIENCE = 60.0


class LockFile:
    """Held while the file exists; made so that only one can make it.

    Parameters
    ----------
    path : Path
        The file.
    stale_after : float
        Seconds after which an unchanged lock is taken for that of a dead process. One of a process of this
        machine that is no more is known at once.
    """

    def __init__(self, path: Path, stale_after: float = STALE_AFTER) -> None:
        self._path = path
        self._stale_after = stale_after

    def __enter__(self) -> Self:
        start = time.monotonic()
        seen, since = "", start
        while not self._take():
            holder = self._holder()
            if holder != seen:
                seen, since = holder, time.monotonic()
            if holder and (_is_dead(holder) or time.monotonic() - since > self._stale_after):
                self._break(holder)
            elif time.monotonic() - start > _PATIENCE + self._stale_after:
                raise StoreError(f"{self._path}: held by {holder or 'somebody'}; remove it if that is no more")
            else:
                time.sleep(random.uniform(0.002, 0.02))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._path.unlink(missing_ok=True)

    def _take(self) -> bool:
        try:
            handle = os.open(self._path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666)
        except FileExistsError:
            return False
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(f"{socket.gethostname()} {os.getpid()} {time.time_ns()}")
        return True

    def _holder(self) -> str:
        try:
            # An empty one has just been made: it counts as somebody, and grows stale like any.
            return self._path.read_text(encoding="utf-8") or "somebody"
        except FileNotFoundError:
            return ""

    def _break(self, holder: str) -> None:
        """Remove a dead lock; of several that try, renaming lets only one succeed."""
        aside = self._path.with_name(f"{self._path.name}.{os.getpid()}.{random.getrandbits(32):x}")
        if self._holder() != holder:
            return
        try:
            self._path.rename(aside)
        except FileNotFoundError:
            return
        aside.unlink(missing_ok=True)


def _is_dead(holder: str) -> bool:
    host, _, rest = holder.partition(" ")
    number = rest.split(" ")[0]
    if host != socket.gethostname() or not number.isdecimal():
        return False
    try:
        os.kill(int(number), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False
