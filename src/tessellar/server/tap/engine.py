"""Questions asked: within a time, within a number of rows, on the index as it is at that moment."""

from __future__ import annotations

import hashlib
import mimetypes
import re
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from tempfile import SpooledTemporaryFile
from typing import Any, BinaryIO

from tessellar.errors import QueryError
from tessellar.mission.names import match_name
from tessellar.server.database import GivenUp, Reader, never
from tessellar.server.index import Index
from tessellar.server.tap.formats import Format, written
from tessellar.server.tap.functions import add_functions
from tessellar.server.tap.statement import translate
from tessellar.server.tap.tables import catalogue
from tessellar.server.tap.uploads import Upload

#: Rows of an answer, unless fewer are asked for; MAST's limit.
MOST_ROWS = 100_000
#: Bytes of an answer: each lies on this machine's disk until it is sent, and that of a job for days.
MOST_BYTES = 1024 * 1024 * 1024
#: Seconds that a question may take: while a client waits for it, and as a job.
SYNC_SECONDS, ASYNC_SECONDS = 60.0, 600.0

# Bytes of one value, and of a statement: a text that is put together grows twofold with each step.
_LONGEST_VALUE = 4 * 1024 * 1024
_IN_MEMORY = 4 * 1024 * 1024
_RANGE = re.compile(r"-s(\d{4})-s(\d{4})(?:-|$)")
_MJD_0 = datetime(1858, 11, 17, tzinfo=UTC)


@dataclass(frozen=True)
class Question:
    """What is asked, and how it is to be answered.

    Attributes
    ----------
    adql : str
        The query.
    form : Format
        Of the answer.
    maxrec : int
        At most so many rows.
    base : str
        Where this archive is reached, as ``http://127.0.0.1:8000``; files are named with it.
    uploads : tuple of Upload
        Tables that came with it.
    seconds : float
        It is given up after so long.
    """

    adql: str
    form: Format
    maxrec: int
    base: str
    uploads: tuple[Upload, ...] = ()
    seconds: float = SYNC_SECONDS


@dataclass
class Outcome:
    """What came of a question."""

    rows: int = 0
    overflow: bool = False
    media_type: str = ""
    size: int = 0


class TooSlow(QueryError):
    """A question took longer than it may."""


@dataclass
class Engine:
    """Asks the index of a folder.

    Attributes
    ----------
    index : Index
        Of the folder.
    """

    index: Index
    _checksums: dict[tuple[str, int, int], str] = field(default_factory=dict)
    _guard: threading.Lock = field(default_factory=threading.Lock)

    def answer(
        self, question: Question, out: BinaryIO | SpooledTemporaryFile[bytes], given_up: Callable[[], bool] = never
    ) -> Outcome:
        """Ask, and write the answer.

        Raises
        ------
        QueryError
            If the question cannot be read or asked.
        TooSlow
            If it takes too long.
        GivenUp
            If nobody waits for it any more.
        """
        until = time.monotonic() + question.seconds
        late = threading.Event()

        def over() -> bool:
            if time.monotonic() > until:
                late.set()
            return late.is_set() or given_up()

        try:
            with self.index.reading(over) as reader:
                return self._answered(reader, question, out, over)
        except GivenUp:
            raise self._given_up(question, late.is_set()) from None
        except sqlite3.Error as error:
            if over():  # a function of ours has noticed first
                raise self._given_up(question, late.is_set()) from None
            raise QueryError(f"the query cannot be asked: {error}") from error

    @staticmethod
    def _given_up(question: Question, late: bool) -> Exception:
        if not late:
            return GivenUp()
        return TooSlow(
            f"the query was still running after {question.seconds:g} s and was stopped: "
            "ask for less, or send it as a job"
        )

    def _answered(self, reader: Reader, question: Question, out: Any, over: Callable[[], bool]) -> Outcome:
        connection = reader.connection
        connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _LONGEST_VALUE)
        add_functions(connection, over)
        base = f"{question.base}/api/v0.1/Download/file?uri="
        connection.create_function("adql_base", 0, lambda: base)
        connection.create_function("adql_run_first", 1, _run_first, deterministic=True)
        connection.create_function("adql_run_id", 2, _run_id, deterministic=True)
        connection.create_function("adql_timestamp", 1, _timestamp, deterministic=True)
        connection.create_function("adql_content_type", 1, _content_type, deterministic=True)
        connection.create_function("adql_checksum", 1, lambda row: self._checksum(reader, row))
        uploaded = [upload.table(i) for i, upload in enumerate(question.uploads)]
        statement = translate(question.adql, catalogue().having(uploaded))
        reader.spent = bool(question.uploads)  # what was made for them would stand in the way of the next question
        for upload, table in zip(question.uploads, uploaded, strict=True):
            upload.fill(connection, table, placed=table.sky is not None and table.sky.index in statement.sql)
        outcome = Outcome(media_type=question.form.media_type)
        # Closed whatever happens: the next question gets this connection, and functions of its own.
        with closing(connection.execute(statement.sql)) as cursor:
            rows = self._limited(cursor, question.maxrec, outcome, over)
            for piece in written(question.form, statement.columns, rows, question.adql, lambda: outcome.overflow):
                out.write(piece)
                if out.tell() > MOST_BYTES:
                    raise QueryError(f"the answer is longer than {MOST_BYTES >> 20} MiB: ask for fewer rows or columns")
        outcome.size = out.tell()
        return outcome

    @staticmethod
    def _limited(
        cursor: sqlite3.Cursor, most: int, outcome: Outcome, over: Callable[[], bool]
    ) -> Iterator[Sequence[Any]]:
        for row in cursor:
            if outcome.rows >= most:
                outcome.overflow = True
                return
            outcome.rows += 1
            if outcome.rows % 1000 == 0 and over():
                raise GivenUp
            yield row

    def _checksum(self, reader: Reader, row: int) -> str | None:
        """Return the MD5 of a file as CAOM writes it; kept as long as the file is the same."""
        found = reader.select("SELECT folder, name FROM files WHERE row = ?", (row,))
        if not found:
            return None
        path = self.index.root / found[0][0] / found[0][1]
        try:
            status = path.stat()
            key = (str(path), status.st_size, status.st_mtime_ns)
            if key not in self._checksums:
                with path.open("rb") as file:
                    digest = hashlib.file_digest(file, "md5").hexdigest()
                with self._guard:
                    self._checksums[key] = digest
        except OSError:
            return None
        return f"md5:{self._checksums[key]}"


def spooled(
    engine: Engine, question: Question, given_up: Callable[[], bool]
) -> tuple[SpooledTemporaryFile[bytes], Outcome]:
    """Ask, and return the answer as a file that lies in memory when it is short; whoever has it closes it."""
    stream: SpooledTemporaryFile[bytes] = SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115 - closed when sent
    try:
        outcome = engine.answer(question, stream, given_up)
        stream.seek(0)
    except BaseException:
        stream.close()
        raise
    return stream, outcome


@lru_cache(maxsize=65536)
def _run_first(obs_id: str | None) -> int | None:
    """Return the first sector of a multi-sector observation, None for any other."""
    found = _RANGE.search(obs_id or "")
    return int(found[1]) if found and found[1] != found[2] else None


def _run_id(obs_id: str | None, uri: str | None) -> str | None:
    name = match_name((uri or "").rsplit("/", 1)[-1]) if uri else None
    return f"{name.pin:05d}" if name is not None and name.pin is not None else None


def _timestamp(mjd: float | None) -> str | None:
    """Return a day (MJD, UTC) as DALI writes times."""
    if not isinstance(mjd, int | float):
        return None
    return (_MJD_0 + timedelta(days=mjd)).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3]


def _content_type(name: str | None) -> str | None:
    if not name:
        return None
    if name.endswith((".fits", ".fits.gz")):
        return "application/fits"
    return mimetypes.guess_type(name)[0] or "application/octet-stream"
