"""The index of a folder: an SQLite file of what its TESS files say, kept up to date by looking at changed files only.

It lives in the user's cache folder, in a given place, or in memory; never in
the folder itself.
"""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import platformdirs

from tessellar import __version__
from tessellar.errors import Corrupt, InputError, NoPermission
from tessellar.progress import Event, Listener, ignore
from tessellar.server.columns import OBSERVATION, PRODUCT, STAR
from tessellar.server.facts import BTJD_TO_MJD, Facts, describe, facts_from
from tessellar.server.grouping import Rows, grouped
from tessellar.server.regions import separation, touches
from tessellar.server.scan import Entry, Skipped, checked_folder, walk

#: Given as a path, it keeps the index in memory.
IN_MEMORY = ":memory:"

_LAYOUT = 1  # to be raised when the tables, or what is written into them, change
_MARK = 0x7E55E11A  # by which SQLite knows the file as ours
_BATCH = 1000
_FIRST_ROW_NUMBER, _ROW_NUMBERS = 10**11, 9 * 10**11

_EXTRA = {
    "observations": ("dec_low REAL", "dec_high REAL", "grp TEXT"),
    "products": ("path TEXT", "place INTEGER", "grp TEXT"),
    "stars": ("rank INTEGER", "grp TEXT"),
}
_TABLES = {"observations": OBSERVATION, "products": PRODUCT, "stars": STAR}
_SCHEMA = (
    """CREATE TABLE files (path TEXT PRIMARY KEY, size INTEGER, mtime_ns INTEGER, state TEXT, note TEXT,
       grp TEXT, uri TEXT, facts TEXT)""",
    "CREATE INDEX files_grp ON files (grp)",
    "CREATE INDEX files_uri ON files (uri)",
    "CREATE TABLE row_numbers (what TEXT PRIMARY KEY, number INTEGER UNIQUE)",
    "CREATE TABLE names (key TEXT, name TEXT, tic INTEGER, grp TEXT)",
    "CREATE INDEX names_key ON names (key)",
    "CREATE INDEX names_grp ON names (grp)",
    *(
        f"CREATE TABLE {table} ({', '.join([*(column.sql for column in columns.values()), *_EXTRA[table]])})"
        for table, columns in _TABLES.items()
    ),
    *(f"CREATE INDEX {table}_grp ON {table} (grp)" for table in _TABLES),
    "CREATE INDEX observations_obsid ON observations (obsid)",
    "CREATE INDEX observations_target ON observations (target_name)",
    "CREATE INDEX observations_obs_id ON observations (obs_id)",
    "CREATE INDEX observations_dec ON observations (dec_low, dec_high)",
    "CREATE INDEX products_obsid ON products (obsID)",
    "CREATE INDEX products_uri ON products (dataURI COLLATE BINARY)",
    "CREATE INDEX stars_id ON stars (ID)",
    "CREATE INDEX stars_dec ON stars (dec)",
    # Of several headers that speak of a star, the best one counts: with min(), SQLite gives that row's values.
    "CREATE VIEW tic AS SELECT *, min(rank) FROM stars GROUP BY ID",
)


@dataclass
class Report:
    """What bringing the index up to date came to.

    Attributes
    ----------
    products, foreign, damaged : int
        Files that are served, that are not of TESS, and that should be but cannot be read.
    observations, targets, size : int
        What is served: observations, stars, bytes.
    read, removed : int
        Files that were opened this time, and that have vanished since the last.
    outside, unreadable : list of str
        Links that lead out of the folder, and what may not be read.
    duplicates : int
        Files with the name of another one, which are not served.
    seconds : float
        What it took.
    """

    products: int = 0
    foreign: int = 0
    damaged: int = 0
    observations: int = 0
    targets: int = 0
    size: int = 0
    read: int = 0
    removed: int = 0
    duplicates: int = 0
    seconds: float = 0.0
    outside: list[str] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)


class Index:
    """What the TESS files below one folder say.

    Parameters
    ----------
    directory : path-like
        The folder. Nothing in it is changed.
    index_path : path-like, optional
        Where to keep the index; by default in the user's cache folder, or in
        memory if that cannot be written. `IN_MEMORY` keeps it in memory.

    Raises
    ------
    InputError
        If there is no such folder, or `index_path` lies in it.
    NoPermission
        If the folder may not be read, or `index_path` not be written.
    """

    def __init__(self, directory: str | os.PathLike[str], *, index_path: str | os.PathLike[str] | None = None) -> None:
        self.root = checked_folder(directory)
        self.report = Report()
        self._lock = threading.RLock()
        self._refreshing = threading.Lock()
        self._stopped = threading.Event()
        self._connection = _open(self.root, index_path)

    def close(self) -> None:
        """Close the index; a refresh under way ends after the file that it is at."""
        self._stopped.set()
        with self._refreshing, self._lock:
            self._connection.close()

    def refresh(self, listener: Listener = ignore, *, wait: bool = True) -> Report:
        """Look for files that are new, changed or gone, and bring the index up to date.

        Parameters
        ----------
        listener : callable, optional
            Told of progress.
        wait : bool
            Whether to wait for a refresh that is under way in another thread; if
            not, its last report is returned.
        """
        if not self._refreshing.acquire(blocking=wait):
            return self.report
        try:
            return self._refresh(listener)
        finally:
            self._refreshing.release()

    def select(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Ask the index; `separation` and `touches` of `tessellar.server.regions` can be used in the question."""
        with self._lock:
            return self._connection.execute(sql, values).fetchall()

    def path_of(self, uri: str) -> str | None:
        """Return the path below the folder of the file with an archive name, or None without one."""
        rows = self.select("SELECT path FROM products WHERE dataURI = ? COLLATE BINARY", (uri,))
        return str(rows[0][0]) if rows else None

    def stop(self) -> None:
        """Let a refresh that is under way in another thread end soon."""
        self._stopped.set()

    def _refresh(self, listener: Listener) -> Report:
        started = time.perf_counter()
        skipped = Skipped()
        known = {path: (size, mtime) for path, size, mtime in self.select("SELECT path, size, mtime_ns FROM files")}
        found = {entry.path: entry for entry in walk(self.root, skipped)}
        changed = [entry for entry in found.values() if known.get(entry.path) != (entry.size, entry.mtime_ns)]
        gone = [path for path in known if path not in found]
        if gone:
            self._forget(gone)
        read = 0
        for start in range(0, len(changed), _BATCH):
            if self._stopped.is_set():
                break
            batch = changed[start : start + _BATCH]
            rows = list(self._described(batch, listener, read, len(changed)))
            read += len(rows)
            self._remember(rows)
        if changed:
            listener(Event("index", read, len(changed), "files", finished=True))
        self.report = self._summary()
        self.report.read, self.report.removed = read, len(gone)
        self.report.outside, self.report.unreadable = skipped.outside, skipped.unreadable
        self.report.seconds = time.perf_counter() - started
        return self.report

    def _described(
        self, entries: Iterable[Entry], listener: Listener, done: int, total: int
    ) -> Iterator[tuple[Entry, str, str, Facts | None]]:
        for number, entry in enumerate(entries, start=done):
            if self._stopped.is_set():
                return
            if number % 100 == 0:
                listener(Event("index", number, total, "files"))
            try:
                facts = describe(self.root, entry.path, entry.size)
            except (Corrupt, OSError) as error:
                yield entry, "damaged", str(error), None
            else:
                yield entry, "foreign" if facts is None else "product", "", facts

    def _remember(self, rows: Sequence[tuple[Entry, str, str, Facts | None]]) -> None:
        with self._writing() as cursor:
            touched = self._groups_of(cursor, [entry.path for entry, *_ in rows])
            for entry, state, note, facts in rows:
                group, uri, text = (facts.group, facts.uri, json.dumps(facts.to_dict())) if facts else (None,) * 3
                cursor.execute(
                    "INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                    (entry.path, entry.size, entry.mtime_ns, state, note, group, uri, text),
                )
            touched |= self._groups_of(cursor, [entry.path for entry, *_ in rows])
            self._rebuild(cursor, touched)

    def _forget(self, paths: Sequence[str]) -> None:
        with self._writing() as cursor:
            touched = self._groups_of(cursor, paths)
            cursor.executemany("DELETE FROM files WHERE path = ?", [(path,) for path in paths])
            self._rebuild(cursor, touched)

    @staticmethod
    def _groups_of(cursor: sqlite3.Cursor, paths: Iterable[str]) -> set[str]:
        """Return the groups of files, and of those with the same names elsewhere: one of them may now be served."""
        groups: set[str] = set()
        for path in paths:
            cursor.execute(
                """SELECT DISTINCT other.grp FROM files JOIN files AS other ON other.uri = files.uri
                   WHERE files.path = ?""",
                (path,),
            )
            groups.update(row[0] for row in cursor)
        return groups

    def _rebuild(self, cursor: sqlite3.Cursor, groups: Iterable[str]) -> None:
        for group in groups:
            for table in ("observations", "products", "stars", "names"):
                cursor.execute(f"DELETE FROM {table} WHERE grp = ?", (group,))
            cursor.execute(
                """SELECT path, facts FROM files WHERE grp = ? AND NOT EXISTS
                   (SELECT 1 FROM files AS other WHERE other.uri = files.uri AND other.path < files.path)""",
                (group,),
            )
            files = [(path, facts_from(json.loads(text))) for path, text in cursor]
            if files:
                rows = grouped(files, lambda what: _row_number(cursor, what), sector_dates)
                _insert(cursor, group, rows)

    def _summary(self) -> Report:
        states = dict(self.select("SELECT state, count(*) FROM files GROUP BY state"))
        ((served, size),) = self.select("SELECT count(*), coalesce(sum(size), 0) FROM products")
        ((observations,),) = self.select("SELECT count(*) FROM observations")
        ((targets,),) = self.select("SELECT count(DISTINCT ID) FROM stars")
        return Report(
            products=served,
            foreign=states.get("foreign", 0),
            damaged=states.get("damaged", 0),
            observations=observations,
            targets=targets,
            size=size,
            duplicates=states.get("product", 0) - served,
        )

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Cursor]:
        with self._lock:
            cursor = self._connection.cursor()
            cursor.execute("BEGIN IMMEDIATE")
            try:
                yield cursor
            except BaseException:
                cursor.execute("ROLLBACK")
                raise
            cursor.execute("COMMIT")


@cache
def sector_dates(sector: int) -> tuple[float, float, float] | None:
    """Return start and end (MJD) of a sector and the cadence of its images (s), or None for one that is not known."""
    from tessellar.mission.sectors import get_sector

    try:
        known = get_sector(sector)
    except InputError:
        return None
    return known.start + BTJD_TO_MJD, known.end + BTJD_TO_MJD, float(known.ffi_cadence)


def _row_number(cursor: sqlite3.Cursor, what: str) -> int:
    """Return the opaque number of an observation: the same in every index, but for the rare clash."""
    row = cursor.execute("SELECT number FROM row_numbers WHERE what = ?", (what,)).fetchone()
    if row is not None:
        return int(row[0])
    digest = hashlib.sha256(what.encode()).digest()
    number = _FIRST_ROW_NUMBER + int.from_bytes(digest[:8]) % _ROW_NUMBERS
    while cursor.execute("SELECT 1 FROM row_numbers WHERE number = ?", (number,)).fetchone():
        number += 1
    cursor.execute("INSERT INTO row_numbers VALUES (?, ?)", (what, number))
    return number


def _insert(cursor: sqlite3.Cursor, group: str, rows: Rows) -> None:
    for table, values in (
        ("observations", rows.observations),
        ("products", rows.products),
        ("stars", rows.stars),
        ("names", rows.names),
    ):
        for row in values:
            _insert_row(cursor, table, {**row, "grp": group})


def _insert_row(cursor: sqlite3.Cursor, table: str, row: Mapping[str, Any]) -> None:
    names = ", ".join(f'"{name}"' for name in row)
    cursor.execute(f"INSERT INTO {table} ({names}) VALUES ({', '.join('?' * len(row))})", tuple(row.values()))


def _open(root: Path, index_path: str | os.PathLike[str] | None) -> sqlite3.Connection:
    if index_path is not None and os.fspath(index_path) != IN_MEMORY:
        path = Path(index_path).resolve()
        if path.is_relative_to(root):
            raise InputError(f"{path}: an index must not lie in the folder that is served; choose another place")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            return _prepared(str(path))
        except sqlite3.DatabaseError as error:
            if isinstance(error, sqlite3.OperationalError):
                raise NoPermission(f"{path}: cannot keep an index there: {error}; choose another place") from error
            raise InputError(f"{path}: is not an index of tessellar ({error}); choose another place") from error
        except OSError as error:
            raise NoPermission(f"{path}: cannot keep an index there: {error}; choose another place") from error
    if index_path is None:
        cached = _cache_file(root)
        if not cached.is_relative_to(root):
            # Where that cannot be, an index in memory serves as well: it only has to be made anew each time.
            with suppress(OSError, sqlite3.Error, InputError):
                return _cached(cached)
    return _prepared(IN_MEMORY)


def _cache_file(root: Path) -> Path:
    folder = Path(platformdirs.user_cache_dir("tessellar", appauthor=False)) / "server"
    return folder.resolve() / f"{hashlib.sha256(os.fsencode(root)).hexdigest()[:24]}.sqlite"


def _cached(path: Path) -> sqlite3.Connection:
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        return _prepared(str(path))
    except sqlite3.DatabaseError as error:
        if isinstance(error, sqlite3.OperationalError):
            raise
        path.unlink()  # not a database, or a damaged one: it can be made anew
        return _prepared(str(path))


def _prepared(path: str) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=30, isolation_level=None, check_same_thread=False)
    try:
        connection.create_function("separation", 4, separation, deterministic=True)
        connection.create_function("touches", 4, touches, deterministic=True)
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("BEGIN IMMEDIATE")
        if _stamp(connection) != _version():
            _create(connection, path)
        connection.execute("COMMIT")
    except BaseException:
        connection.close()
        raise
    return connection


def _version() -> str:
    return f"{_LAYOUT} {__version__}"


def _stamp(connection: sqlite3.Connection) -> str:
    try:
        row = connection.execute("SELECT version FROM stamp").fetchone()
    except sqlite3.OperationalError:
        return ""
    return str(row[0]) if row else ""


def _create(connection: sqlite3.Connection, path: str) -> None:
    found = connection.execute("SELECT type, name FROM sqlite_master WHERE type IN ('view', 'table')").fetchall()
    if found and connection.execute("PRAGMA application_id").fetchone()[0] != _MARK:
        raise InputError(f"{path}: is a database, but not an index of tessellar; choose another place")
    for kind, name in found:
        connection.execute(f'DROP {kind} "{name}"')
    connection.execute(f"PRAGMA application_id = {_MARK}")
    for statement in _SCHEMA:
        connection.execute(statement)
    connection.execute("CREATE TABLE stamp (version TEXT)")
    connection.execute("INSERT INTO stamp VALUES (?)", (_version(),))
