"""What a folder of ExoFOP data holds, read anew when it changes, and who may see which row of it."""

from __future__ import annotations

import json
import os
import re
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tessellar.errors import Corrupt
from tessellar.products.exofopfolder import FOLDER, TABLE_ENDINGS, TAGS, TARGETS, TextTable, read_table
from tessellar.products.exofoptables import COLUMNS, PROPRIETARY
from tessellar.products.exofopusers import Account, read_accounts
from tessellar.server.scan import real_file

_NO = ("", "n", "no", "0", "false")


@dataclass(frozen=True)
class TaggedFile:
    """A file that somebody uploaded: its path below the folder, and its row in the table of files, if it has one."""

    path: Path
    name: str
    tag: str
    row: tuple[str, ...] | None = None


class DataFolder:
    """The folder ``exofop`` of an archive.

    Parameters
    ----------
    root : Path
        The archive's folder.
    """

    def __init__(self, root: Path) -> None:
        self.path = root / FOLDER
        self._tables: dict[str, tuple[tuple[str, int, int], TextTable]] = {}
        self._lock = threading.Lock()

    @property
    def exists(self) -> bool:
        """Whether the archive has such a folder at all; a link to one elsewhere is none."""
        return self.path.is_dir() and not self.path.is_symlink()

    def state(self, name: str) -> tuple[str, int, int]:
        """What changes when a table does: its file, and when and how large that was written."""
        for ending in TABLE_ENDINGS:
            path = self.path / f"{name}{ending}"
            try:
                status = path.stat()
            except OSError:
                continue
            return path.name, status.st_mtime_ns, status.st_size
        return "", 0, 0

    def table(self, name: str) -> TextTable:
        """A table; one without rows where the folder has no file of it.

        Raises
        ------
        Corrupt
            If its file is no table.
        """
        state = self.state(name)
        with self._lock:
            known = self._tables.get(name)
        if known is not None and known[0] == state:
            return known[1]
        table = read_table(self.path / state[0]) if state[0] else TextTable(COLUMNS[name])
        with self._lock:
            self._tables[name] = (state, table)
        return table

    def account(self, username: str) -> Account | None:
        """Who may log in under this name."""
        return read_accounts(self.path).get(username)

    def target_page(self, tic: str) -> dict[str, Any]:
        """The parts of a target's page that are kept as JSON; an empty dict if there are none."""
        path = real_file(self.path, f"{TARGETS}/{int(tic)}.json") if tic.isascii() and tic.isdecimal() else None
        if path is None:
            return {}
        try:
            page = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise Corrupt(f"{path}: cannot be read as JSON: {error}") from error
        if not isinstance(page, dict):
            raise Corrupt(f"{path}: no JSON object")
        return page

    def tag_id(self, tag: str) -> str:
        """The number of a tag that is given by its number or its name."""
        tags = self.table("tags")
        if tags.where("Tag ID", tag):
            return tag
        named = tags.where("Tag", tag)
        return tags.cell(named[0], "Tag ID") if named else tag

    def archive_of(self, tag: str) -> Path | None:
        """The zip that the folder has of a tag, ready to be sent."""
        return real_file(self.path, f"{TAGS}/{tag}.zip") if _is_plain(tag) else None

    def files_of_tag(self, tag: str, who: Account | None) -> list[TaggedFile]:
        """The files of a tag that somebody may see, by name."""
        folder = self.path / TAGS / tag
        if not _is_plain(tag) or not self._is_folder(folder) or not self.may_see_tag(tag, who):
            return []
        files = self.table("files")
        rows = {files.cell(row, "File Name"): row for row in files.where("Tag", tag)}
        found = []
        for path in _files_below(folder):
            name = path.relative_to(folder).as_posix()
            row = rows.get(name)
            if row is None or may_see(files, row, who):
                found.append(TaggedFile(path, name, tag, row))
        return found

    def file_of_row(self, row: Sequence[str]) -> Path | None:
        """Where the file of a row of the table of files lies."""
        files = self.table("files")
        tag, name = files.cell(row, "Tag"), files.cell(row, "File Name")
        return real_file(self.path / TAGS, f"{tag}/{name}") if _is_plain(tag) and name else None

    def may_see_tag(self, tag: str, who: Account | None) -> bool:
        """Whether a tag is public, or one of somebody's own or their group's."""
        tags = self.table("tags")
        return all(may_see(tags, row, who) for row in tags.where("Tag ID", tag))

    def _is_folder(self, folder: Path) -> bool:
        """Whether it really is one, and lies here."""
        try:
            real = folder.resolve(strict=True)
        except (OSError, RuntimeError, ValueError):
            return False
        return real.is_dir() and real.is_relative_to(self.path)


def may_see(table: TextTable, row: Sequence[str], who: Account | None) -> bool:
    """Whether a row is public, or its user or one of its group asks."""
    if table.cell(row, PROPRIETARY).strip().lower() in _NO:
        return True
    if who is None:
        return False
    group = table.cell(row, "Group", "Groupname")
    return table.cell(row, "User", "Username") == who.username or (bool(group) and group in who.groups)


def _files_below(folder: Path) -> Iterator[Path]:
    """The files of a folder and all below it, by name; no links, nothing hidden."""
    for where, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            path = Path(where, name)
            if not name.startswith(".") and path.is_file() and not path.is_symlink():
                yield path


def _is_plain(tag: str) -> bool:
    """Whether a tag can be the name of a folder: no path, nothing hidden."""
    return re.fullmatch(r"[\w-][\w.-]*", tag) is not None
