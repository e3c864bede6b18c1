"""What the store remembers: one SQLite row a file, and one a partial file."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import astuple, dataclass, fields
from pathlib import Path

from tessellar.errors import NoPermission, StoreError

_SCHEMA = """
CREATE TABLE IF NOT EXISTS file (
    path TEXT PRIMARY KEY,      -- relative to the data folder, with '/'
    uri TEXT NOT NULL,
    size INTEGER NOT NULL,
    sha256 TEXT NOT NULL,
    mtime_ns INTEGER NOT NULL,
    etag TEXT,
    origin TEXT NOT NULL,       -- the URL it came from
    fetched TEXT NOT NULL       -- UTC
);
CREATE INDEX IF NOT EXISTS file_uri ON file (uri);
CREATE TABLE IF NOT EXISTS partial (
    path TEXT PRIMARY KEY,      -- of the final file
    validator TEXT              -- ETag or Last-Modified of the version being fetched
);
"""


@dataclass(frozen=True)
class Entry:
    """One file as the ledger describes it.

    Attributes
    ----------
    path : str
        Relative to the data folder, with ``/``.
    uri : str
        Its name in the archive.
    size : int
        Bytes.
    sha256 : str
        Digest of its bytes, in hexadecimal.
    mtime_ns : int
        Modification time when it was verified; a file that still has it and
        its size is taken as unchanged.
    etag : str or None
        The archive's name for this version.
    origin : str
        The URL it came from.
    fetched : str
        When, in UTC (ISO 8601).
    """

    path: str
    uri: str
    size: int
    sha256: str
    mtime_ns: int
    etag: str | None
    origin: str
    fetched: str


_COLUMNS = ", ".join(field.name for field in fields(Entry))


class Ledger:
    """The store's memory, in one SQLite file; safe to share between threads and processes.

    Parameters
    ----------
    path : Path
        Made, with its folder, when something is first written.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None

    def find(self, path: str) -> Entry | None:
        """Look up one file by its relative path."""
        return next(self._select("WHERE path = ?", path), None)

    def find_uri(self, uri: str) -> list[Entry]:
        """Look up the files that came from one archive name."""
        return list(self._select("WHERE uri = ? ORDER BY path", uri))

    def entries(self) -> Iterator[Entry]:
        """Every file, by path."""
        return self._select("ORDER BY path")

    def record(self, entry: Entry) -> None:
        """Remember a whole file; what was known of it is replaced."""
        marks = ", ".join("?" * len(fields(Entry)))
        with self._writing() as connection:
            connection.execute(f"INSERT OR REPLACE INTO file ({_COLUMNS}) VALUES ({marks})", astuple(entry))

    def settle(self, path: str) -> None:
        """Forget the partial file of `path`: it has become whole."""
        with self._writing() as connection:
            connection.execute("DELETE FROM partial WHERE path = ?", (path,))

    def forget(self, path: str) -> None:
        """Drop what is known of a file."""
        with self._writing() as connection:
            connection.execute("DELETE FROM file WHERE path = ?", (path,))

    def validator(self, path: str) -> str | None:
        """Return the version that the partial file of `path` belongs to."""
        if not self._path.exists() and self._connection is None:
            return None
        with self._lock, self._translated():
            row = self._open().execute("SELECT validator FROM partial WHERE path = ?", (path,)).fetchone()
        return row[0] if row else None

    def set_validator(self, path: str, validator: str | None) -> None:
        """Remember the version that the partial file of `path` belongs to."""
        with self._writing() as connection:
            connection.execute("INSERT OR REPLACE INTO partial (path, validator) VALUES (?, ?)", (path, validator))

    def close(self) -> None:
        """Close the SQLite file; it opens again when needed."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def _select(self, where: str, *values: str) -> Iterator[Entry]:
        if not self._path.exists() and self._connection is None:
            return iter(())
        with self._lock, self._translated():
            rows = self._open().execute(f"SELECT {_COLUMNS} FROM file {where}", values).fetchall()
        return (Entry(*row) for row in rows)

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._lock, self._translated():
            connection = self._open()
            with connection:
                yield connection

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            connection = sqlite3.connect(self._path, timeout=30.0, check_same_thread=False)
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")
            connection.executescript(_SCHEMA)
            self._connection = connection
        return self._connection

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.DatabaseError as error:
            text = str(error)
            if "readonly" in text or "unable to open" in text:
                raise NoPermission(f"{self._path}: the ledger may not be written ({text})") from error
            raise StoreError(
                f"{self._path}: the ledger cannot be used ({text}); move it away, and the files will be adopted again"
            ) from error
