"""What the store remembers: one SQLite row a file, and one a partial file."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from typing import Any

from tessellar.errors import NoPermission, StoreError
from tessellar.store.filesystem import file_system_of, is_network
from tessellar.store.lockfile import LockFile

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
    validator TEXT,             -- ETag or Last-Modified of the version being fetched
    source TEXT                 -- the URL it is being fetched from
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
    shared : bool, optional
        Whether it is on a file system that several machines share; by default the system is asked.

    Notes
    -----
    On a local file system it keeps a write-ahead log, and SQLite's own locks
    serve several processes. Over a network neither can be trusted: there it
    keeps a rollback journal, and whoever reads or writes holds a lock file.
    A ledger that was ever used that way stays so, also when the machine that
    has the disk opens it. `journal` says which it is.
    """

    def __init__(self, path: Path, shared: bool | None = None) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self._shared = shared
        self._guard: AbstractContextManager[Any] | None = None

    @property
    def journal(self) -> str:
        """How it is kept, in words."""
        if not self._is_shared():
            return "write-ahead log"
        kind = file_system_of(self._path)
        where = f", for it is on {kind}" if is_network(kind) else ""
        return f"rollback journal behind a lock file{where}"

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

    def partials(self) -> list[str]:
        """The files, by path, of which a part is known."""
        if not self._path.exists() and self._connection is None:
            return []
        with self._lock, self._translated(), self._guarded():
            rows = self._open().execute("SELECT path FROM partial ORDER BY path").fetchall()
        return [row[0] for row in rows]

    def version(self, path: str) -> tuple[str | None, str | None]:
        """Return the version that the partial file of `path` belongs to, and the URL that it came from."""
        if not self._path.exists() and self._connection is None:
            return None, None
        with self._lock, self._translated(), self._guarded():
            row = self._open().execute("SELECT validator, source FROM partial WHERE path = ?", (path,)).fetchone()
        return tuple(row) if row else (None, None)

    def set_version(self, path: str, validator: str | None, source: str) -> None:
        """Remember the version that the partial file of `path` belongs to, and the URL that it comes from."""
        with self._writing() as connection:
            connection.execute("INSERT OR REPLACE INTO partial VALUES (?, ?, ?)", (path, validator, source))

    def close(self) -> None:
        """Close the SQLite file; it opens again when needed."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def _select(self, where: str, *values: str) -> Iterator[Entry]:
        if not self._path.exists() and self._connection is None:
            return iter(())
        with self._lock, self._translated(), self._guarded():
            rows = self._open().execute(f"SELECT {_COLUMNS} FROM file {where}", values).fetchall()
        return (Entry(*row) for row in rows)

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._lock, self._translated(), self._guarded():
            connection = self._open()
            with connection:
                yield connection

    def _guarded(self) -> AbstractContextManager[Any]:
        if self._guard is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            lock = self._path.with_name(self._path.name + ".lock")
            self._guard = LockFile(lock) if self._is_shared() else nullcontext()
        return self._guard

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            connection = sqlite3.connect(self._path, timeout=30.0, check_same_thread=False)
            if self._is_shared():
                connection.execute("PRAGMA journal_mode = DELETE")
                connection.execute("PRAGMA synchronous = FULL")
            else:
                connection.execute("PRAGMA journal_mode = WAL")
                connection.execute("PRAGMA synchronous = NORMAL")
            connection.executescript(_SCHEMA)
            if "source" not in {row[1] for row in connection.execute("PRAGMA table_info(partial)")}:
                connection.execute("ALTER TABLE partial ADD COLUMN source TEXT")  # made by an earlier version
            self._connection = connection
        return self._connection

    def _is_shared(self) -> bool:
        if self._shared is None:
            self._shared = is_network(file_system_of(self._path)) or _keeps_rollback_journal(self._path)
        return self._shared

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise NoPermission(f"{self._path}: the ledger may not be used ({error.strerror or error})") from error
        except sqlite3.DatabaseError as error:
            text = str(error)
            if "readonly" in text or "unable to open" in text:
                raise NoPermission(f"{self._path}: the ledger may not be written ({text})") from error
            raise StoreError(
                f"{self._path}: the ledger cannot be used ({text}); move it away, and the files will be adopted again"
            ) from error


def _keeps_rollback_journal(path: Path) -> bool:
    """Read from the header of an SQLite file whether it is not one with a write-ahead log."""
    try:
        with path.open("rb") as stream:
            header = stream.read(20)
    except OSError:
        return False
    return header.startswith(b"SQLite format 3\x00") and header[18:20] == b"\x01\x01"
