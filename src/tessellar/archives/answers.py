"""Answers of archives, kept with the question and its time: for work without network.

One gzipped JSON file an answer, in the user's cache folder, named by the
digest of the question. A file that cannot be read is as good as none.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import platformdirs

from tessellar.config import Settings
from tessellar.errors import ArchiveError


@dataclass(frozen=True)
class Answer:
    """What an archive answered, and when (UTC)."""

    value: Any
    asked: datetime


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
        answer = Answer(value, datetime.now(UTC))
        told = {"question": question, "asked": answer.asked.isoformat(), "value": value}
        path = self._path(question)
        part = path.with_name(f"{path.name}.{os.getpid()}")
        with suppress(OSError):
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                part.write_bytes(gzip.compress(json.dumps(told).encode(), compresslevel=3))
                part.replace(path)
            finally:
                part.unlink(missing_ok=True)
        return answer

    def _read(self, question: Mapping[str, Any]) -> Answer | None:
        try:
            told = json.loads(gzip.decompress(self._path(question).read_bytes()))
            return Answer(told["value"], datetime.fromisoformat(told["asked"]))
        except (OSError, EOFError, ValueError, KeyError, TypeError):
            return None

    def _path(self, question: Mapping[str, Any]) -> Path:
        digest = hashlib.sha256(json.dumps(question, sort_keys=True).encode()).hexdigest()
        return self._folder / digest[:2] / f"{digest[2:40]}.json.gz"
