"""The last two states of a table, kept on disk as they came."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import platformdirs

LIFE_TIME = 24 * 3600.0


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class Kept:
    """A table as it came.

    Attributes
    ----------
    source : str
        Its URL.
    text : str
        All of it.
    etag : str or None
        The version, where ExoFOP named it.
    fetched, checked : datetime
        When it came, and when it was last known to be current (UTC).
    """

    source: str
    text: str
    etag: str | None = None
    fetched: datetime = field(default_factory=_now)
    checked: datetime = field(default_factory=_now)

    @property
    def age(self) -> float:
        """Seconds since it was known to be current."""
        return (_now() - self.checked).total_seconds()


class Snapshots:
    """Where the states of one table of one ExoFOP are kept.

    Parameters
    ----------
    name : str
        ``tois`` or ``ctois``.
    base : str
        URL of the ExoFOP.
    """

    def __init__(self, name: str, base: str) -> None:
        self.name = name
        parts = urlsplit(base)
        digest = hashlib.sha256(base.encode()).hexdigest()[:8]
        cache = Path(platformdirs.user_cache_dir("tessellar", appauthor=False))
        self.folder = cache / "exofop" / f"{parts.hostname}-{digest}"

    def read(self, *, before: bool = False) -> Kept | None:
        """Return the last state, or the one before it; None if there is none, or it cannot be read."""
        try:
            told = json.loads(gzip.decompress(self._path(before).read_bytes()))
            times = (datetime.fromisoformat(told[key]) for key in ("fetched", "checked"))
            return Kept(str(told["source"]), str(told["text"]), told["etag"], *times)
        except (OSError, EOFError, ValueError, KeyError, TypeError):
            return None

    def write(self, kept: Kept) -> Kept:
        """Keep a state; the last one becomes the one before. Where that is not possible, it is done without."""
        last = self.read()
        path = self._path()
        part = path.with_name(f"{path.name}.{os.getpid()}")
        told = {
            "source": kept.source,
            "etag": kept.etag,
            "fetched": kept.fetched.isoformat(),
            "checked": kept.checked.isoformat(),
            "text": kept.text,
        }
        with suppress(OSError):
            try:
                self.folder.mkdir(parents=True, exist_ok=True)
                part.write_bytes(gzip.compress(json.dumps(told).encode(), compresslevel=3))
                if last is not None and last.text != kept.text:
                    path.replace(self._path(before=True))
                part.replace(path)
            finally:
                part.unlink(missing_ok=True)
        return kept

    def _path(self, before: bool = False) -> Path:
        return self.folder / f"{self.name}{'.before' if before else ''}.json.gz"
