"""Results of long work, kept part by part, so that work which is killed goes on where it was.

A part is a file that appears whole or not at all. All parts carry the key of the work
(its inputs and settings): of other work nothing is taken over.
"""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tessellar.errors import NoPermission, NoSpace, StoreError

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_FORBIDDEN = (errno.EACCES, errno.EPERM, errno.EROFS)


class Checkpoints:
    """Parts of one piece of work in a folder of its own.

    Use it as a context: two processes cannot work in one folder.

    Parameters
    ----------
    folder : Path
        Made if need be.
    key : str
        Tells this work from any other.

    Raises
    ------
    StoreError
        If another process works there, or the disk is full, or may not be written.
    """

    def __init__(self, folder: Path, key: str) -> None:
        self.folder, self.key = folder, key
        self._lock: Any = None

    def __enter__(self) -> Checkpoints:
        with translated(self.folder, "kept"):
            self.folder.mkdir(parents=True, exist_ok=True)
            self._lock = (self.folder / "lock").open("w")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self._lock.close()
            raise StoreError(f"{self.folder}: another process works there; wait for it, or write elsewhere") from error
        note = self.folder / "key"
        if not note.exists() or note.read_text(encoding="utf-8") != self.key:
            for path in self.folder.glob("*.npz"):
                path.unlink()
            with translated(self.folder, "kept"):
                note.write_text(self.key, encoding="utf-8")
        for path in self.folder.glob(".*.part"):
            path.unlink(missing_ok=True)
        return self

    def __exit__(self, *_: object) -> None:
        self._lock.close()

    def has(self, name: str) -> bool:
        """Whether a part is there."""
        return (self.folder / f"{name}.npz").exists()

    def drop(self, name: str) -> None:
        """Throw a part away, if it is there."""
        (self.folder / f"{name}.npz").unlink(missing_ok=True)

    def load(self, name: str) -> dict[str, NDArray[Any]] | None:
        """Arrays of a part, or None where it is not there yet."""
        path = self.folder / f"{name}.npz"
        if not path.exists():
            return None
        with np.load(path, allow_pickle=False) as parts:
            return {each: parts[each] for each in parts.files}

    def save(self, name: str, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Keep a part; an older one of the same name is replaced."""
        path, partial = self.folder / f"{name}.npz", self.folder / f".{name}.part"
        with translated(self.folder, "what was done is kept; free some and run again"):
            with partial.open("wb") as stream:
                np.savez(stream, **arrays)  # type: ignore[arg-type]
                stream.flush()
                os.fsync(stream.fileno())
            partial.replace(path)

    def remove(self) -> None:
        """Throw the parts away: the work is done."""
        shutil.rmtree(self.folder, ignore_errors=True)


@contextmanager
def translated(path: Path, kept: str) -> Iterator[None]:
    """Turn what the system says of writing to `path` into our errors."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise NoSpace(f"{path}: no space left; {kept}") from error
        if error.errno in _FORBIDDEN:
            raise NoPermission(f"{path}: may not be written") from error
        raise
