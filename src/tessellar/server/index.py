"""The index of a folder: an SQLite file of what its TESS files say, kept up to date by looking at changed files only.

It lives in the user's cache folder, in a given place, or only as long as it is
open; never in the folder itself.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tessellar.errors import Corrupt
from tessellar.progress import Event, Listener, ignore
from tessellar.server.catalogues import find_catalogue
from tessellar.server.database import GivenUp, Reader, never, open_database
from tessellar.server.facts import describe
from tessellar.server.filling import Described, forget, remember
from tessellar.server.scan import Entry, Skipped, checked_folder, walk

_BATCH = 1000  # files that are read before what they say is written
_WAITING = 20_000  # files that are found before they are read
_MUCH = 1000  # files after which the tables are measured anew

# The folders of the index in order, found by leaping from one to the next.
_FOLDERS = """WITH RECURSIVE each(folder) AS (SELECT min(folder) FROM files UNION ALL
    SELECT (SELECT min(folder) FROM files WHERE folder > each.folder) FROM each WHERE each.folder IS NOT NULL)
    SELECT folder FROM each WHERE folder IS NOT NULL"""


@dataclass
class Report:
    """What bringing the index up to date came to.

    Attributes
    ----------
    products, catalogues, foreign, damaged : int
        Files that are served, tables of stars, files that are not of TESS, and
        files that should be but cannot be read.
    observations, targets, stars, size : int
        What is served: observations, stars that were observed, stars of which
        anything is known, bytes.
    read, removed : int
        Files that were opened this time, and that have vanished since the last.
    outside, unreadable : list of str
        Links that lead out of the folder, and what may not be read.
    duplicates : int
        Files with the name of another one, which are not served.
    seconds : float
        What it took.
    looking : float
        Seconds of it that went into looking through the folder, without those for files that were new or changed.
    """

    products: int = 0
    catalogues: int = 0
    foreign: int = 0
    damaged: int = 0
    observations: int = 0
    targets: int = 0
    stars: int = 0
    size: int = 0
    read: int = 0
    removed: int = 0
    duplicates: int = 0
    seconds: float = 0.0
    looking: float = 0.0
    outside: list[str] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)


class Index:
    """What the TESS files below one folder say.

    Parameters
    ----------
    directory : path-like
        The folder. Nothing in it is changed.
    index_path : path-like, optional
        Where to keep the index; by default in the user's cache folder, or, if
        that cannot be written, only as long as it is open, which
        ``":memory:"`` also asks for.

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
        self._refreshing = threading.Lock()
        self._stopped = threading.Event()
        self._database = open_database(self.root, index_path)

    def close(self) -> None:
        """Close the index; a refresh under way ends after the file that it is at."""
        self.stop()
        with self._refreshing:
            self._database.close()

    def stop(self) -> None:
        """Let a refresh and questions that are under way in other threads end soon."""
        self._stopped.set()
        self._database.stop()

    def reading(self, given_up: Callable[[], bool] = never) -> AbstractContextManager[Reader]:
        """Give a reader that sees the index as it is now, whatever is written meanwhile.

        Parameters
        ----------
        given_up : callable
            Asked now and then whether nobody waits for the answer any more.
        """
        return self._database.reading(given_up)

    def beside(self, name: str) -> Path:
        """Return a path beside the index, for what is to live and vanish with it."""
        return self._database.beside(name)

    def select(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Ask the tables and views of `tessellar.server.schema`."""
        with self.reading() as reader:
            return reader.select(sql, values)

    def path_of(self, uri: str) -> str | None:
        """Return the path below the folder of the file with an archive name, or None without one."""
        base, slash, filename = uri.rpartition("/")
        rows = self.select(
            """SELECT folder, name FROM artifacts JOIN files ON files.row = artifacts.file
               WHERE artifacts.filename = ? AND artifacts.base = ?""",
            (filename, base + slash),
        )
        return "/".join(part for part in rows[0] if part) if rows else None

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
        except GivenUp:  # it is being closed
            return self.report
        finally:
            self._refreshing.release()

    def _refresh(self, listener: Listener) -> Report:
        started = time.perf_counter()
        skipped = Skipped()
        news = _News(self, listener)
        missing = {folder for (folder,) in self.select(_FOLDERS)}
        for folder, entries in walk(self.root, skipped):
            missing.discard(folder)
            news.compare(folder, entries)
            if self._stopped.is_set():
                break
        else:
            for folder in missing:
                news.compare(folder, [])
        looking = time.perf_counter() - started - news.taking
        news.finish()
        if news.read or news.removed or not self.report.seconds:
            self.report = self._summary()
        if news.read + news.removed >= _MUCH:
            self._database.settle()
        self.report.read, self.report.removed = news.read, news.removed
        self.report.outside, self.report.unreadable = skipped.outside, skipped.unreadable
        self.report.seconds, self.report.looking = time.perf_counter() - started, looking
        return self.report

    def _summary(self) -> Report:
        with self.reading() as reader:
            states = dict(reader.select("SELECT state, count(*) FROM files GROUP BY state"))
            ((served, size),) = reader.select("SELECT count(*), coalesce(sum(size), 0) FROM artifacts")
            ((observations,),) = reader.select("SELECT count(*) FROM observations")
            # Ids are numbers, and only they can be compared with one.
            ((targets,),) = reader.select(
                "SELECT count(DISTINCT target_name) FROM observations WHERE target_name GLOB '[0-9]*'"
            )
            ((stars,),) = reader.select("SELECT count(*) FROM stars WHERE best")
        return Report(
            products=served,
            catalogues=states.get("catalogue", 0),
            foreign=states.get("foreign", 0),
            damaged=states.get("damaged", 0),
            observations=observations,
            targets=targets,
            stars=stars,
            size=size,
            duplicates=max(0, states.get("product", 0) - served),
        )


class _News:
    """What differs between a folder and its index: found folder by folder, read and written in batches."""

    def __init__(self, index: Index, listener: Listener) -> None:
        self.read = self.removed = 0
        self.taking = 0.0  # seconds
        self._index = index
        self._listener = listener
        self._changed: list[Entry] = []
        self._gone: list[tuple[str, str]] = []
        self._found = 0

    def compare(self, folder: str, entries: Sequence[Entry]) -> None:
        """Compare the files of one folder with those that the index has of it."""
        rows = self._index.select("SELECT name, size, mtime_ns FROM files WHERE folder = ?", (folder,))
        known = {name: (size, mtime) for name, size, mtime in rows}
        changed = [entry for entry in entries if known.pop(entry.name, None) != (entry.size, entry.mtime_ns)]
        self._changed += changed
        self._found += len(changed)
        self._gone += [(folder, name) for name in known]
        if len(self._changed) + len(self._gone) >= _WAITING:
            self._take_in()

    def finish(self) -> None:
        """Read and write what is left."""
        self._take_in()
        if self._found:
            self._listener(Event("index", self.read, self._found, "files", finished=True))

    def _take_in(self) -> None:
        started = time.perf_counter()
        database, stopped = self._index._database, self._index._stopped
        # What has gone goes first: it may have moved.
        for start in range(0, len(self._gone), _BATCH):
            with database.writing() as cursor:
                forget(cursor, self._gone[start : start + _BATCH])
        self.removed += len(self._gone)
        for start in range(0, len(self._changed), _BATCH):
            if stopped.is_set():
                break
            described = list(self._described(self._changed[start : start + _BATCH]))
            with database.writing() as cursor:
                remember(cursor, described)
            self.read += len(described)
        self._changed, self._gone = [], []
        self.taking += time.perf_counter() - started

    def _described(self, entries: Sequence[Entry]) -> Iterator[Described]:
        for number, entry in enumerate(entries, start=self.read):
            if self._index._stopped.is_set():
                return
            if number % 100 == 0:
                self._listener(Event("index", number, self._found, "files"))
            yield described(self._index, entry)


def described(index: Index, entry: Entry) -> Described:
    """Say what one file is."""
    try:
        catalogue = find_catalogue(index.root, entry.path)
        if catalogue is not None:
            return Described(entry, "catalogue", "", catalogue)
        facts = describe(index.root, entry.path, entry.size)
    except (Corrupt, OSError) as error:
        return Described(entry, "damaged", str(error))
    return Described(entry, "foreign" if facts is None else "product", "", facts)
