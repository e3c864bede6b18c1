"""An HDF5 file that one process changes, block by block, while others read it: every reader sees whole blocks only."""

from __future__ import annotations

import io
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from tessellar.errors import Corrupt, TessellarError
from tessellar.products.filing import translated
from tessellar.products.newhdf5 import new_hdf5
from tessellar.products.transaction import changing, journal_of, snapshot

_T = TypeVar("_T")
# The number of the last change lies in a dataset of its own, at a place of the file that does not move.
_COUNTER = "generation"
# A change is put into the file in milliseconds; a reader waits for a quiet moment that many times.
_PATIENCE, _WAIT = 400, 0.005
# Readable by HDF5 libraries since 1.10.
_FORMAT = ("v110", "v110")


class GrowingFile:
    """Reads what is there, again if it was changed meanwhile; changes it as a whole or not at all.

    Parameters
    ----------
    path : Path
        A file that `GrowingFile.create` made, or any other HDF5 file to be read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: Any = None
        self._stream: io.RawIOBase | None = None
        self._state: Any = None
        self._counter_at = 0
        self._members: dict[str, dict[str, Any]] = {}

    @classmethod
    def create(cls, path: Path, fill: Callable[[Any], None]) -> GrowingFile:
        """Make a file with what `fill` puts into it: it appears whole, or not at all.

        Raises
        ------
        NoSpace, NoPermission, StoreError
            If it cannot be written.
        """
        draft = path.with_name(f".{path.name}.{os.getpid()}.part")
        with translated(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                with new_hdf5(draft, libver=_FORMAT) as file:
                    file[_COUNTER] = np.int64(0)
                    fill(file)
                draft.replace(path)
            finally:
                draft.unlink(missing_ok=True)
        return cls(path)

    @contextmanager
    def change(self) -> Iterator[Any]:
        """Change the file: at the end of the block, as a whole; not at all if it raises or is killed.

        Raises
        ------
        NoSpace, NoPermission, StoreError
            If it cannot be written, or another process is changing it.
        """
        import h5py
        import hdf5plugin  # noqa: F401  (Blosc)

        with changing(self.path) as stream, h5py.File(stream, "r+", libver=_FORMAT) as file:
            yield file
            file[_COUNTER][()] += 1

    def read(self, question: Callable[[Any], _T]) -> _T:
        """Ask the opened file something; the answer is of one state of it.

        Raises
        ------
        Corrupt
            If it is not whole HDF5.
        """
        for _ in range(_PATIENCE):
            try:
                self._open()
                answer = question(self._file)
                if self._now() == self._state:
                    return answer
            except TessellarError:
                if self._now() == self._state:
                    raise
            except (OSError, KeyError, RuntimeError, ValueError) as error:
                if self._now() == self._state:
                    raise Corrupt(f"{self.path}: cannot be read as HDF5 ({error})") from error
            self.close()
            time.sleep(_WAIT)
        raise Corrupt(f"{self.path}: is never at rest; see who writes it")

    def close(self) -> None:
        """Let go of the file; the next question opens it again."""
        if self._file is not None:
            self._file.close()
        if self._stream is not None:
            self._stream.close()
        self._file, self._stream, self._members = None, None, {}

    def members(self, group: str) -> dict[str, Any]:
        """Inside a question: the datasets of a group, by name, opened once; none where there is no such group."""
        if group not in self._members:
            there = self._file.get(group)
            self._members[group] = (
                {} if there is None else {name: each for name, each in there.items() if hasattr(each, "shape")}
            )
        return self._members[group]

    def _open(self) -> None:
        if self._file is not None and self._now() == self._state:
            return
        self.close()
        import h5py
        import hdf5plugin  # noqa: F401

        self._state = self._now()
        # By its name HDF5 would open a file only once in a process, and show each of its readers what the first saw.
        self._stream = snapshot(self.path)
        self._file = h5py.File(self._stream, "r")
        place = int(self._file[_COUNTER].id.get_offset() or 0) if _COUNTER in self._file else 0
        if place != self._counter_at:
            # Only now is it known where to look: what was read before may have been of two states.
            self._counter_at, self._state = place, None

    def _now(self) -> tuple[bool, bytes, int]:
        """What is another after every change: between two equal ones the file was the same."""
        journal = journal_of(self.path).exists()
        with self.path.open("rb") as stream:
            return journal, os.pread(stream.fileno(), 8, self._counter_at), os.fstat(stream.fileno()).st_ino
