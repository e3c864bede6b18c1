"""A lock: what a recipe stood for on one day, file by file and byte by byte.

Written in one canonical order, one key a line, so that version control shows
what has changed and nothing else.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import tomllib
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tessellar.access.dataset.reading import read_as
from tessellar.errors import InputError, NoPermission
from tessellar.net import Remote

VERSION = 1
_HEAD = "# What a recipe stood for when it was locked, written by `tessellar dataset lock`: not to be edited.\n"
_SHA256 = re.compile(r"[0-9a-f]{64}|", re.ASCII)


@dataclass(frozen=True)
class Query:
    """One question to the archive.

    Attributes
    ----------
    asked : str
        When, in UTC (ISO 8601).
    archive : str
        Whom.
    criteria : mapping
        What: ``target``, ``tic``, ``sector``, ``camera``, ``ccd``, ``author``, ``kind`` ...
    observations, files : int
        How many were found, and how many files of them are wanted.
    """

    asked: str
    archive: str
    criteria: Mapping[str, str | int]
    observations: int
    files: int


@dataclass(frozen=True)
class LockedFile:
    """One file, down to its bytes.

    Attributes
    ----------
    uri : str
        Its name in the archive.
    collection, obs_id : str
        What it belongs to.
    size : int
        Bytes; as long as `sha256` is open, those of the archive's table.
    sha256 : str
        Digest of its bytes; empty while it is open.
    etag : str
        The archive's name for this version; empty where it gave none.
    filename : str
        Its own name; by default the end of `uri`.
    """

    uri: str
    collection: str
    obs_id: str
    size: int = 0
    sha256: str = ""
    etag: str = ""
    filename: str = ""

    @property
    def name(self) -> str:
        """Its own name."""
        return self.filename or self.uri.rsplit("/", 1)[-1]

    def remote(self, url: str) -> Remote:
        """Return it as something to be fetched: these bytes and no others."""
        digest = f"sha256:{self.sha256}" if self.sha256 else None
        return Remote(self.uri, url, self.name, self.collection, self.obs_id, self.size or None, digest)


@dataclass(frozen=True)
class Lock:
    """What a recipe stood for.

    Attributes
    ----------
    files : tuple of LockedFile
        In order of their names in the archive.
    queries : tuple of Query
        What the archive was asked.
    title, archive, recipe, tool : str
        Title and digest of the recipe, the archive, and what made the lock.
    """

    files: tuple[LockedFile, ...]
    queries: tuple[Query, ...] = ()
    title: str = ""
    archive: str = ""
    recipe: str = ""
    tool: str = ""

    @property
    def open(self) -> list[LockedFile]:
        """The files of which the digest is still open."""
        return [file for file in self.files if not file.sha256]

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(file.size for file in self.files)

    @property
    def fingerprint(self) -> str:
        """One digest (sha256) of all names and digests: equal for equal data sets, whoever locked them."""
        lines = "".join(f"{file.sha256}  {file.uri}\n" for file in self.files)
        return hashlib.sha256(lines.encode()).hexdigest()

    def with_files(self, files: Iterable[LockedFile]) -> Lock:
        """Return this lock with other files."""
        return replace(self, files=tuple(sorted(files, key=lambda file: file.uri)))

    def text(self) -> str:
        """Return it as the text of a lock file."""
        pairs = {"title": self.title, "archive": self.archive, "recipe_sha256": self.recipe, "tool": self.tool}
        head = [f"version = {VERSION}", *(_line(name, value) for name, value in pairs.items() if value)]
        return _HEAD + "\n".join([*head, "", *map(_query_text, self.queries), *map(_file_text, self.files)])


def write_lock(lock: Lock, path: str | os.PathLike[str]) -> Path:
    """Write a lock file in one step: there is the old one or the new one, never half of one.

    Raises
    ------
    StoreError
        If it cannot be written.
    """
    target = Path(path)
    beside = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        beside.write_text(lock.text(), encoding="utf-8")
        beside.replace(target)
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise NoPermission(f"{target}: the lock cannot be written ({error.strerror})") from error
    return target


def read_lock(path: str | os.PathLike[str]) -> Lock:
    """Read a lock file.

    Raises
    ------
    InputError
        If it is none; the message says where.
    """
    return read_as(path, "lock file", parse_lock)


def parse_lock(text: str) -> Lock:
    """Read the text of a lock file.

    Raises
    ------
    InputError
        If it is none.
    """
    try:
        written = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"not a lock file (not valid TOML: {error})") from error
    if written.get("version") != VERSION:
        made = f"its version is {written['version']!r}" if "version" in written else "it has no version"
        raise InputError(f"not a lock file that this tessellar can read: {made}, not {VERSION}")
    try:
        files = [_file(entry) for entry in written.get("file", [])]
        queries = tuple(_query(entry) for entry in written.get("query", []))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(f"a damaged lock file: {error}; lock the recipe again") from error
    twice, number = max(Counter(file.uri for file in files).items(), key=lambda item: item[1], default=("", 1))
    if number > 1:
        raise InputError(f"a damaged lock file: {twice} stands in it {number} times")
    named = {name: str(written.get(name, "")) for name in ("title", "archive", "tool")}
    return Lock((), queries, recipe=str(written.get("recipe_sha256", "")), **named).with_files(files)


def _file(entry: dict[str, Any]) -> LockedFile:
    file = LockedFile(**entry)
    texts = (file.uri, file.collection, file.obs_id, file.sha256, file.etag, file.filename)
    if not all(isinstance(value, str) for value in texts) or not isinstance(file.size, int) or file.size < 0:
        raise ValueError(f"{file.uri!r} has a key that is not what it should be")
    if not file.uri or not _SHA256.fullmatch(file.sha256):
        raise ValueError(f"{file.uri!r} has the sha256 {file.sha256!r}, which is none")
    return file


def _query(entry: dict[str, Any]) -> Query:
    known = {name: entry.pop(name) for name in ("asked", "archive", "observations", "files")}
    return Query(criteria=entry, **known)


def _query_text(query: Query) -> str:
    lines = ["[[query]]", _line("asked", query.asked), _line("archive", query.archive)]
    lines += [_line(name, value) for name, value in query.criteria.items()]
    return "\n".join([*lines, _line("observations", query.observations), _line("files", query.files), ""])


def _file_text(file: LockedFile) -> str:
    pairs: dict[str, str | int] = {
        "uri": file.uri,
        "collection": file.collection,
        "obs_id": file.obs_id,
        "size": file.size,
        "sha256": file.sha256,
        "etag": file.etag,
    }
    if file.filename and file.filename != file.uri.rsplit("/", 1)[-1]:
        pairs["filename"] = file.filename
    return "\n".join(["[[file]]", *(_line(name, value) for name, value in pairs.items()), ""])


def _line(name: str, value: str | int) -> str:
    # A JSON text is a TOML text, but for DEL.
    shown = json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    return f"{name} = {shown}"
