"""The memory of a survey, in one SQLite file: what is to be done, what was, and what came of it.

One process writes it, the one that runs the survey; any may read it meanwhile.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from tessellar.errors import Corrupt, MissingInput, NoPermission, NoSpace, StoreError, Unrecognised
from tessellar.photometry.status import STATUS
from tessellar.survey.outcomes import METRIC_NAMES, Outcomes
from tessellar.survey.sharing import SEPARATING, Sighting
from tessellar.targets import Field

#: Of the file.
NAME = "survey.sqlite"
#: Raised where tables change.
VERSION = 1
# Seconds to wait for another program that holds the file.
_PATIENCE = 60.0

WAITING, DONE, STORED, ASIDE = "waiting", "done", "stored", "aside"

_SCHEMA = f"""
CREATE TABLE setting (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;  -- JSON
CREATE TABLE rank (method TEXT PRIMARY KEY, place INTEGER NOT NULL) WITHOUT ROWID;  -- of the plan's methods
CREATE TABLE field (
    id INTEGER PRIMARY KEY,
    sector INTEGER NOT NULL, camera INTEGER NOT NULL, ccd INTEGER NOT NULL,
    cadence INTEGER NOT NULL,   -- seconds
    kind TEXT NOT NULL,         -- ffi or tpf
    path TEXT NOT NULL,         -- the prepared field, or the target pixel file whose cadences count
    UNIQUE (sector, camera, ccd, cadence, kind)
);
CREATE TABLE task (
    id INTEGER PRIMARY KEY,     -- tasks are stored in this order
    field INTEGER NOT NULL REFERENCES field,
    first_row INTEGER, last_row INTEGER,        -- of a band of CCD rows, 1-based, both included; none: star by star
    stars INTEGER NOT NULL,
    state TEXT NOT NULL DEFAULT '{WAITING}',    -- {WAITING}, {DONE}, {STORED} or {ASIDE}
    tries INTEGER NOT NULL DEFAULT 0,           -- that failed
    seconds REAL,
    reason TEXT NOT NULL DEFAULT ''             -- of the last try that failed
);
CREATE TABLE target (
    priority INTEGER PRIMARY KEY,               -- the brightest first
    tic INTEGER NOT NULL,
    field INTEGER NOT NULL REFERENCES field,
    source TEXT NOT NULL,                       -- ffi, tpf, tpf:N
    tmag REAL,
    ccd_column REAL, ccd_row REAL,              -- 1-based
    edge REAL,                                  -- pixels to the border, or to pixels that were not collected
    method TEXT,                                -- none: as is best
    path TEXT NOT NULL,                         -- the file of the pixels
    task INTEGER NOT NULL REFERENCES task,
    UNIQUE (tic, field, source)
);
CREATE INDEX target_task ON target (task);
CREATE TABLE left_out (
    tic INTEGER NOT NULL, sector INTEGER NOT NULL, camera INTEGER NOT NULL, ccd INTEGER NOT NULL,
    cadence INTEGER NOT NULL, source TEXT NOT NULL, tmag REAL, path TEXT NOT NULL, reason TEXT NOT NULL
);
CREATE TABLE outcome (
    priority INTEGER NOT NULL REFERENCES target,
    method TEXT NOT NULL,
    status INTEGER NOT NULL,                    -- of STATUS, before it is decided who is skipped
    reason TEXT NOT NULL,
    {", ".join(f"{name} REAL" for name in METRIC_NAMES)},
    PRIMARY KEY (priority, method)
) WITHOUT ROWID;
CREATE TABLE sharing (                          -- stars in the mask of others
    priority INTEGER NOT NULL, method TEXT NOT NULL, tic INTEGER NOT NULL, PRIMARY KEY (priority, method, tic)
) WITHOUT ROWID;
CREATE TABLE skipped (                          -- the brightest of those that share a mask keeps it
    priority INTEGER NOT NULL, method TEXT NOT NULL, skipped_by INTEGER NOT NULL, PRIMARY KEY (priority, method)
) WITHOUT ROWID;
-- One row a target: the outcome that counts. Of several methods that is the one which a table names for it, else the
-- first of the plan's (rank 1) that has one.
CREATE VIEW result AS
SELECT target.priority, tic, target.field, source, tmag, path, target.method AS wanted, outcome.method AS method,
    CASE WHEN skipped_by IS NOT NULL THEN {int(STATUS.SKIPPED)} WHEN outcome.status IS NOT NULL THEN outcome.status
        WHEN state = '{ASIDE}' THEN {int(STATUS.ERROR)} ELSE {int(STATUS.UNKNOWN)} END AS status,
    CASE WHEN skipped_by IS NOT NULL THEN 'its light is in the mask of a brighter star'
        WHEN outcome.status IS NOT NULL THEN outcome.reason
        WHEN state = '{ASIDE}' THEN task.reason ELSE '' END AS reason,
    task.state, skipped_by, {", ".join(f"outcome.{name}" for name in METRIC_NAMES)}
FROM target JOIN task ON task.id = target.task
LEFT JOIN outcome ON outcome.priority = target.priority AND outcome.method = (
    SELECT each.method FROM outcome AS each JOIN target AS its ON its.priority = each.priority
    LEFT JOIN rank ON rank.method = each.method WHERE each.priority = target.priority
    ORDER BY each.method IS NOT its.method, ifnull(rank.place, 0), each.method LIMIT 1)
LEFT JOIN skipped ON skipped.priority = target.priority AND skipped.method = outcome.method;
"""

_TASK = "id, field, first_row, last_row, stars, state, tries, seconds, reason"


@dataclass(frozen=True)
class FieldRow:
    """One field in one cadence, by one kind of pixels: all that goes into one store of light curves."""

    id: int
    field: Field
    cadence: int
    kind: str
    path: str

    @property
    def name(self) -> str:
        """As in names of files: ``s0027-1-1-c0600-ffi``."""
        return f"{self.field}-c{self.cadence:04d}-{self.kind}"


@dataclass(frozen=True)
class TaskRow:
    """A task as the ledger has it."""

    id: int
    field: int
    rows: tuple[int, int] | None
    stars: int
    state: str
    tries: int
    seconds: float | None
    reason: str


class Ledger:
    """A survey's SQLite file.

    Parameters
    ----------
    path : Path
        Made by `Ledger.create`.

    Raises
    ------
    MissingInput, Unrecognised
        If there is none, or it is something else.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.require(path)
        with self._translated():
            self._connection = _connect(path)
        try:
            version = self._version()
            if not isinstance(version, int):
                raise Unrecognised(f"{path}: is not the ledger of a survey; move it away, and plan")
            if version != VERSION:
                told = (
                    "a newer tessellar; update this one, or plan" if version > VERSION else "an older tessellar; plan"
                )
                raise Unrecognised(f"{path}: written by {told} again with --overwrite")
        except BaseException:
            self.close()
            raise

    @staticmethod
    def require(path: Path) -> None:
        """Say what to do where there is none (`MissingInput`)."""
        if not path.exists():
            raise MissingInput(f"{path}: no survey is planned here; `tessellar survey plan {path.parent.parent}` does")

    @classmethod
    def create(cls, path: Path, settings: Mapping[str, Any], rows: Mapping[str, Iterable[Sequence[Any]]]) -> Ledger:
        """Write a ledger: it appears whole, or not at all; an older one is replaced.

        Parameters
        ----------
        path : Path
        settings : mapping
            What was planned, and how: values that JSON can hold.
        rows : mapping of str to iterable
            Rows by name of table, without those columns at their end that have a default.
        """
        draft = path.with_name(f".{path.name}.part")
        with _translated(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            draft.unlink(missing_ok=True)
            connection = _connect(draft)
            try:
                connection.executescript(_SCHEMA)
                with connection:
                    _insert(
                        connection, "setting", ((n, json.dumps(v)) for n, v in {"version": VERSION, **settings}.items())
                    )
                    for table, lines in rows.items():
                        _insert(connection, table, lines)
                connection.execute("ANALYZE")
            finally:
                connection.close()
            draft.replace(path)
        return cls(path)

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()

    def setting(self, name: str) -> Any:
        """One of the settings that the survey was planned with."""
        found = self.select("SELECT value FROM setting WHERE name = ?", name)
        return json.loads(found[0][0]) if found else None

    def fields(self) -> list[FieldRow]:
        """All fields, in the order of their ids."""
        rows = self.select("SELECT id, sector, camera, ccd, cadence, kind, path FROM field ORDER BY id")
        return [FieldRow(number, Field(*place), cadence, kind, path) for number, *place, cadence, kind, path in rows]

    def tasks(self) -> list[TaskRow]:
        """All tasks, in the order in which they are stored."""
        return [_task(*row) for row in self.select(f"SELECT {_TASK} FROM task ORDER BY id")]

    def task(self, number: int) -> TaskRow:
        """One task."""
        return _task(*self.select(f"SELECT {_TASK} FROM task WHERE id = ?", number)[0])

    def targets(self, task: int) -> list[tuple[int, int, str, str | None, str, float]]:
        """Priority, TIC id, source, method, path and magnitude of the stars of a task, the brightest first."""
        return self.select(
            "SELECT priority, tic, source, method, path, tmag FROM target WHERE task = ? ORDER BY priority", task
        )

    def record(self, task: int, outcomes: Outcomes, seconds: float | None) -> None:
        """Write down what came of a task; what was known of its stars is replaced."""
        names = ("priority", "method", "status", "reason", *METRIC_NAMES)
        with self._writing() as connection:
            for table in ("outcome", "sharing"):
                connection.execute(
                    f"DELETE FROM {table} WHERE priority IN (SELECT priority FROM target WHERE task = ?)", (task,)
                )
            connection.executemany(
                f"INSERT INTO outcome ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})",
                outcomes.rows(),
            )
            connection.executemany("INSERT INTO sharing VALUES (?, ?, ?)", outcomes.shared())
            connection.execute(
                "UPDATE task SET state = ?, seconds = ?, reason = '' WHERE id = ?", (DONE, seconds, task)
            )

    def fail(self, task: int, reason: str, *, tries: int, aside: bool) -> None:
        """Write down that a task failed, and whether it is set aside: its stars end with ERROR and the reason."""
        with self._writing() as connection:
            state = ASIDE if aside else WAITING
            connection.execute(
                "UPDATE task SET state = ?, tries = ?, reason = ? WHERE id = ?", (state, tries, reason, task)
            )

    def move(self, tasks: Iterable[int], state: str) -> None:
        """Give tasks another state."""
        with self._writing() as connection:
            connection.executemany("UPDATE task SET state = ? WHERE id = ?", ((state, each) for each in tasks))
            if state == WAITING:
                connection.execute("UPDATE task SET tries = 0 WHERE state = ?", (WAITING,))

    def sightings(self) -> Iterator[Sighting]:
        """Stars that were measured in masks, by whatever method, for `skipped_by`: those who share with any other."""
        shared: dict[tuple[int, str], list[int]] = {}
        for priority, method, tic in self.select("SELECT priority, method, tic FROM sharing"):
            shared.setdefault((priority, method), []).append(tic)
        rows = self.select(
            "SELECT priority, outcome.method, tic, tmag, field, status FROM outcome JOIN target USING (priority) "
            f"WHERE outcome.method NOT IN ({_marks(SEPARATING)}) "
            "AND (priority IN (SELECT priority FROM sharing) OR tic IN (SELECT tic FROM sharing))",
            *SEPARATING,
        )
        for priority, method, tic, tmag, field, status in rows:
            bright = float("nan") if tmag is None else tmag
            yield Sighting(priority, tic, bright, field, STATUS(status), tuple(shared.get((priority, method), ())))

    def skip(self, skipped: Mapping[int, int]) -> None:
        """Write down who is skipped for whom, in place of what was written down before.

        It is about all light curves of a star but those by methods that separate its light from that of others.
        """
        query = (
            "INSERT INTO skipped SELECT priority, method, ? FROM outcome WHERE priority = ? AND status IN (?, ?) "
            f"AND method NOT IN ({_marks(SEPARATING)})"
        )
        with self._writing() as connection:
            connection.execute("DELETE FROM skipped")
            connection.executemany(
                query, ((by, star, int(STATUS.OK), int(STATUS.WARNING), *SEPARATING) for star, by in skipped.items())
            )

    def select(self, query: str, *values: Any) -> list[Any]:
        """Ask the ledger in SQL."""
        with self._translated():
            return self._connection.execute(query, values).fetchall()

    def _version(self) -> Any:
        """What the file says of itself; None where it is another kind of database."""
        try:
            return self.setting("version")
        except (sqlite3.OperationalError, ValueError, TypeError):
            return None
        except Corrupt as error:
            if isinstance(error.__cause__, sqlite3.OperationalError):
                return None  # a database without our tables
            raise

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._translated(), self._connection:
            yield self._connection

    @contextmanager
    def _translated(self) -> Iterator[None]:
        with _translated(self.path):
            yield


def _task(number: int, field: int, first: int | None, last: int | None, *rest: Any) -> TaskRow:
    return TaskRow(number, field, None if first is None or last is None else (first, last), *rest)


def _marks(values: Collection[Any]) -> str:
    return ", ".join("?" * len(values))


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=_PATIENCE)
    try:
        # A rollback journal works on network file systems too; there is one writer, with a few transactions a minute.
        connection.execute("PRAGMA journal_mode = DELETE")
        connection.execute("PRAGMA synchronous = FULL")
    except BaseException:
        connection.close()
        raise
    return connection


def _insert(connection: sqlite3.Connection, table: str, lines: Iterable[Sequence[Any]]) -> None:
    """Insert lines, each for the first columns of the table."""
    names = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
    for count, group in groupby(lines, key=len):
        query = f"INSERT INTO {table} ({', '.join(names[:count])}) VALUES ({', '.join('?' * count)})"
        connection.executemany(query, group)


@contextmanager
def _translated(path: Path) -> Iterator[None]:
    """Turn what SQLite and the system say into our errors."""
    try:
        yield
    except PermissionError as error:
        raise NoPermission(f"{path}: may not be written") from error
    except sqlite3.DatabaseError as error:
        text = str(error)
        if "full" in text or "disk I/O" in text:
            raise NoSpace(f"{path}: no space left; what was done is kept: free some and run again") from error
        if "readonly" in text or "unable to open" in text:
            raise NoPermission(f"{path}: may not be written ({text})") from error
        if "locked" in text or "busy" in text:
            told = f"another program has held it for {_PATIENCE:.0f} s ({text}); close it, and try again"
            raise StoreError(f"{path}: {told}") from error
        if isinstance(error, sqlite3.OperationalError) and "no such" not in text:
            raise
        raise Corrupt(f"{path}: the ledger of the survey is damaged ({text}); plan again with --overwrite") from error
