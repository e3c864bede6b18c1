"""Answers of archives, kept with the question and its time: for work without network.

One gzipped file an answer, in the user's cache folder, named by the digest of
the question: a line of JSON a page, and a last one that says what was asked and
when. A file that cannot be read is as good as none.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import platformdirs

from tessellar.config import Settings
from tessellar.errors import ArchiveError
from tessellar.products.tables import even_columns


@dataclass(frozen=True)
class Answer:
    """What an archive answered, and when (UTC)."""

    value: Any
    asked: datetime


class Page(list[dict[str, Any]]):
    """The rows of one page of an answer."""

    @cached_property
    def columns(self) -> dict[str, Sequence[Any]] | None:
        """The same by columns, if all rows have the same ones; worked out once for all who want it."""
        return even_columns(self)


class Keeping:
    """An answer that is being kept, page by page; it is there once it is finished. What cannot be written is not kept.

    Parameters
    ----------
    path : Path
        Of the file.
    question : mapping
        What was asked.
    """

    def __init__(self, path: Path, question: Mapping[str, Any]) -> None:
        self._path, self._question = path, question
        self._part = path.with_name(f"{path.name}.{os.getpid()}-{threading.get_ident()}")
        self._stream: gzip.GzipFile | None = None
        with suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            self._stream = gzip.open(self._part, "wb", compresslevel=1)  # noqa: SIM115 - closed when it is finished

    def add(self, page: Any) -> None:
        """Keep one page, or a whole answer that is no list of rows."""
        self._write(_packed(page))

    def finish(self, *, in_pages: bool = True) -> None:
        """Say that the answer is whole."""
        asked = datetime.now(UTC).isoformat()
        self._write({"question": self._question, "asked": asked, "in_pages": in_pages})
        if self._stream is not None:
            with suppress(OSError):
                self._stream.close()
                self._part.replace(self._path)
        self.drop()

    def drop(self) -> None:
        """Keep nothing; does nothing to an answer that is finished."""
        if self._stream is not None:
            with suppress(OSError):
                self._stream.close()
            with suppress(OSError):
                self._part.unlink(missing_ok=True)
        self._stream = None

    def _write(self, line: Any) -> None:
        if self._stream is not None:
            try:
                self._stream.write(json.dumps(line).encode() + b"\n")
            except OSError:
                self.drop()


def _packed(value: Any) -> Any:
    """Write rows by their columns, where all have the same: names once, and so a value that all rows have."""
    columns = value.columns if isinstance(value, Page) else None
    if columns is None:
        return {"value": value}
    return {"rows": len(value), "columns": {name: _alike(column) for name, column in columns.items()}}


def _alike(column: Sequence[Any]) -> Any:
    first = column[0]
    alike = not isinstance(first, list) and first == column[-1] and column.count(first) == len(column)
    # 1 and True are equal, and 1.0 too, but not the same.
    return first if alike and len(set(map(type, column))) == 1 else column


def _unpacked(page: Mapping[str, Any]) -> Any:
    if "value" in page:
        return page["value"]
    count, columns = page["rows"], page["columns"]
    if not columns:
        return [{} for _ in range(count)]
    values = (value if isinstance(value, list) else [value] * count for value in columns.values())
    return [dict(zip(columns, row, strict=True)) for row in zip(*values, strict=True)]


class Answers:
    """The answers that are kept, and when they will do.

    Parameters
    ----------
    settings : Settings
        ``offline`` and ``answers_for``.
    folder : Path, optional
        By default a folder in the user's cache.
    """

    def __init__(self, settings: Settings, folder: Path | None = None) -> None:
        self._settings = settings
        self._folder = folder or Path(platformdirs.user_cache_dir("tessellar", appauthor=False)) / "answers"

    def recall(self, question: Mapping[str, Any]) -> Answer | None:
        """Return a kept answer that will do: any when offline, else one that is young enough.

        Raises
        ------
        ArchiveError
            When offline, if nothing is kept.
        """
        settings = self._settings
        if not settings.offline and settings.answers_for <= 0:
            return None
        kept = self._read(question)
        if settings.offline:
            if kept is None:
                told = f"offline: {question['archive']} was never asked this, or answered too much to keep"
                raise ArchiveError(f"{told}; ask once with the network")
            return kept
        if kept is None or (datetime.now(UTC) - kept.asked).total_seconds() > settings.answers_for * 3600:
            return None
        return kept

    def keep(self, question: Mapping[str, Any], value: Any) -> Answer:
        """Keep an answer. Where that is not possible, it is done without."""
        keeping = self.keeping(question)
        keeping.add(value)
        keeping.finish(in_pages=False)
        return Answer(value, datetime.now(UTC))

    def keeping(self, question: Mapping[str, Any]) -> Keeping:
        """Begin to keep an answer that comes in pages."""
        return Keeping(self._path(question), question)

    def _read(self, question: Mapping[str, Any]) -> Answer | None:
        try:
            with gzip.open(self._path(question), "rt", encoding="utf-8") as stream:
                *pages, told = (json.loads(line) for line in stream)
            values = [_unpacked(page) for page in pages]
            value = Page(row for page in values for row in page) if told["in_pages"] else values[0]
            return Answer(value, datetime.fromisoformat(told["asked"]))
        except (OSError, EOFError, ValueError, KeyError, TypeError, IndexError):
            return None

    def _path(self, question: Mapping[str, Any]) -> Path:
        digest = hashlib.sha256(json.dumps(question, sort_keys=True).encode()).hexdigest()
        return self._folder / digest[:2] / f"{digest[2:40]}.json.gz"
