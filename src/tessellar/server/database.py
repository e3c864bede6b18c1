"""One SQLite file with many readers: no question waits for another one, or for what is being written."""

from __future__ import annotations

import hashlib
import os
import shutil
import sqlite3
import tempfile
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import platformdirs

from tessellar.errors import InputError, NoPermission
from tessellar.server.schema import make_ready
from tessellar.server.sphere import add_functions
from tessellar.store.filesystem import file_system_of, is_network

#: Given as a path, it keeps the index only as long as it is open.
IN_MEMORY = ":memory:"

Asked = tuple[str, tuple[Any, ...]]

_PATIENCE = 30.0  # seconds that a connection waits for another process
_STEPS = 20_000  # of SQLite's machine between two looks at whether anyone still waits for the answer
_IDLE = 8  # readers that are kept for the next question
_REMEMBERED = 512


class GivenUp(Exception):
    """Nobody waits for the answer any more."""


def never() -> bool:
    """Say that a question is never given up."""
    return False


class Reader:
    """The index as it was at one moment, for one question.

    Parameters
    ----------
    connection : sqlite3.Connection
        In a transaction, and only to be read from.
    kept : OrderedDict
        Answers to questions that are asked again and again, as long as nothing is written.
    """

    def __init__(self, connection: sqlite3.Connection, kept: OrderedDict[tuple[int, Asked], Any]) -> None:
        self.connection = connection
        self.spent = False  # set by those after whom nobody else should have the connection
        self._kept = kept
        ((self._changes,),) = connection.execute("SELECT changes FROM stamp")

    def rows(self, sql: str, values: Sequence[Any] = ()) -> Iterator[tuple[Any, ...]]:
        """Ask, and give the rows one by one."""
        return iter(self.connection.execute(sql, values))

    def select(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Ask, and give all rows."""
        return self.connection.execute(sql, values).fetchall()

    def known(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Ask what will be asked again, such as how many rows there are; answered from memory then."""
        key = (self._changes, (sql, tuple(values)))
        if key not in self._kept:
            self._kept[key] = self.select(sql, values)
            while len(self._kept) > _REMEMBERED:
                with suppress(KeyError):
                    self._kept.popitem(last=False)
        return self._kept[key]  # type: ignore[no-any-return]


class Database:
    """An SQLite file with the tables of an index.

    Parameters
    ----------
    path : str
        Of the file; `IN_MEMORY` makes one for as long as this is open.
    """

    def __init__(self, path: str) -> None:
        self._scratch = tempfile.mkdtemp(prefix="tessellar-") if path == IN_MEMORY else None
        self._path = f"{self._scratch}/index.sqlite" if self._scratch else path
        self._idle: list[sqlite3.Connection] = []
        self._guard = threading.Lock()
        self._write_guard = threading.Lock()
        self._closed = threading.Event()
        self._kept: OrderedDict[tuple[int, Asked], Any] = OrderedDict()
        self._writer = self._open(path)

    def close(self) -> None:
        """Close the file; questions under way end soon."""
        self._closed.set()
        with self._write_guard:
            self._writer.close()
        with self._guard:
            for connection in self._idle:
                connection.close()
            self._idle.clear()
        if self._scratch:
            shutil.rmtree(self._scratch, ignore_errors=True)

    def beside(self, name: str) -> Path:
        """Return a path beside the file; with an index in memory, it vanishes when that is closed."""
        path = Path(self._path)
        return path.with_name(f"{path.stem}.{name}")

    def stop(self) -> None:
        """Let questions that are under way end soon, unanswered."""
        self._closed.set()

    @contextmanager
    def reading(self, given_up: Callable[[], bool] = never) -> Iterator[Reader]:
        """Give a reader that sees the index as it is now, whatever is written meanwhile.

        Parameters
        ----------
        given_up : callable
            Asked now and then whether nobody waits for the answer any more.

        Raises
        ------
        GivenUp
            If so, or if the index is being closed.
        """
        connection, reader = self._taken(), None
        connection.set_progress_handler(lambda: self._closed.is_set() or given_up(), _STEPS)
        try:
            connection.execute("BEGIN")
            reader = Reader(connection, self._kept)
            yield reader
        except sqlite3.OperationalError as error:
            if str(error) == "interrupted":
                raise GivenUp from error
            raise
        finally:
            connection.set_progress_handler(None, 0)
            if reader is not None and reader.spent:
                connection.close()
            else:
                self._put_back(connection)

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Cursor]:
        """Give a cursor whose work is kept as a whole, or, if it fails, not at all."""
        with self._write_guard:
            cursor = self._writer.cursor()
            cursor.execute("BEGIN IMMEDIATE")
            try:
                yield cursor
                cursor.execute("UPDATE stamp SET changes = changes + 1")
            except BaseException:
                cursor.execute("ROLLBACK")
                raise
            cursor.execute("COMMIT")

    def settle(self) -> None:
        """After much was written: let SQLite know how its tables are filled, and shorten its log."""
        with self._write_guard, suppress(sqlite3.OperationalError):
            self._writer.execute("PRAGMA analysis_limit = 1000")
            self._writer.execute("ANALYZE")
            self._writer.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def _open(self, path: str) -> sqlite3.Connection:
        writer = self._connection()
        try:
            if self._scratch:
                writer.execute("PRAGMA synchronous = OFF")
            make_ready(writer, path)
            # Readers go on while something is written; not over a network, where the log is not safe.
            if not is_network(file_system_of(Path(self._path))):
                writer.execute("PRAGMA journal_mode = WAL")
        except BaseException:
            writer.close()
            if self._scratch:
                shutil.rmtree(self._scratch, ignore_errors=True)
            raise
        return writer

    def _connection(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, timeout=_PATIENCE, isolation_level=None, check_same_thread=False)
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("PRAGMA cache_size = -8192")
        add_functions(connection)
        return connection

    def _taken(self) -> sqlite3.Connection:
        with self._guard:
            if self._closed.is_set():
                raise GivenUp
            if self._idle:
                return self._idle.pop()
        connection = self._connection()
        connection.execute("PRAGMA query_only = ON")
        return connection

    def _put_back(self, connection: sqlite3.Connection) -> None:
        if connection.in_transaction:
            connection.rollback()
        with self._guard:
            if len(self._idle) < _IDLE and not self._closed.is_set():
                self._idle.append(connection)
                return
        connection.close()


def open_database(root: Path, index_path: str | os.PathLike[str] | None) -> Database:
    """Open the index of a folder where it is wanted; see `tessellar.server.index.Index`."""
    if index_path is not None and os.fspath(index_path) != IN_MEMORY:
        return _at(root, Path(index_path).resolve())
    if index_path is None:
        cached = _cache_file(root)
        if not cached.is_relative_to(root):
            # Where that cannot be, one that is made anew each time serves as well.
            with suppress(OSError, sqlite3.Error, InputError):
                return _cached(cached)
    return Database(IN_MEMORY)


def _at(root: Path, path: Path) -> Database:
    if path.is_relative_to(root):
        raise InputError(f"{path}: an index must not lie in the folder that is served; choose another place")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return Database(str(path))
    except sqlite3.DatabaseError as error:
        if isinstance(error, sqlite3.OperationalError):
            raise NoPermission(f"{path}: cannot keep an index there: {error}; choose another place") from error
        raise InputError(f"{path}: is not an index of tessellar ({error}); choose another place") from error
    except OSError as error:
        raise NoPermission(f"{path}: cannot keep an index there: {error}; choose another place") from error


def _cache_file(root: Path) -> Path:
    folder = Path(platformdirs.user_cache_dir("tessellar", appauthor=False)) / "server"
    return folder.resolve() / f"{hashlib.sha256(os.fsencode(root)).hexdigest()[:24]}.sqlite"


def _cached(path: Path) -> Database:
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        return Database(str(path))
    except sqlite3.DatabaseError as error:
        if isinstance(error, sqlite3.OperationalError):
            raise
        for part in ("", "-wal", "-shm"):  # not a database, or a damaged one: it can be made anew
            path.with_name(path.name + part).unlink(missing_ok=True)
        return Database(str(path))
