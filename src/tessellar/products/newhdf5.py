"""HDF5 files that are written anew: a disk that is full is an error like any other, not the end of the process."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


@contextmanager
def new_hdf5(path: Path, **settings: Any) -> Iterator[Any]:
    """Give a new HDF5 file to be filled in a block; at its end all of it is on the disk.

    HDF5 cannot close a file of which it could not write a part, and the process dies of it at its end. Here HDF5 writes
    through a stream that takes everything; what the system said first is raised when the file is closed.

    Parameters
    ----------
    path : Path
        The file; one that is there is replaced.
    **settings
        Of `h5py.File`.

    Raises
    ------
    OSError
        If it cannot be written. What is on the disk then is no HDF5 file.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with new_hdf5(Path(folder, "x.h5")) as file:
    ...         file["time"] = [1.0, 2.0]
    ...     Path(folder, "x.h5").read_bytes()[1:4]
    b'HDF'
    """
    import h5py

    with path.open("w+b", buffering=0) as file:
        stream = _Taking(file)
        try:
            with h5py.File(stream, "w", **settings) as hdf5:
                yield hdf5
        finally:
            if stream.failure is not None:
                raise stream.failure
        os.fsync(file.fileno())


class _Taking:
    """As much of a file as HDF5 asks of one; after the first failure it takes what it is given, and drops it."""

    def __init__(self, file: Any) -> None:
        self.failure: OSError | None = None
        self.seek, self.tell, self.read, self.readinto = file.seek, file.tell, file.read, file.readinto
        self._file = file

    def write(self, data: Any) -> int:
        """Write all of it, or none of it and nothing from now on."""
        rest = memoryview(data)
        with self._noting():
            while len(rest) and self.failure is None:
                rest = rest[self._file.write(rest) :]
        return len(data)

    def truncate(self, size: int) -> int:
        """Make the file so long."""
        with self._noting():
            if self.failure is None:
                self._file.truncate(size)
        return size

    def flush(self) -> None:
        """Nothing is kept back."""

    @contextmanager
    def _noting(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            self.failure = error
