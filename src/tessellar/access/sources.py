"""Where a file may be taken from: the archive, the cloud, another tessellar server, a folder; in order.

A source offers the same file under another URL. The transfer engine asks them
one after the other, and never makes one file of two sources' bytes unless size
and digest prove the whole.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from tessellar import config
from tessellar.archives import MastArchive
from tessellar.archives.cloud import cloud_url
from tessellar.errors import InputError
from tessellar.net import Remote
from tessellar.store import Ledger
from tessellar.store.store import STATE_FOLDER

ARCHIVE, CLOUD = "archive", "cloud"


class Sources:
    """The sources of files, in order.

    Parameters
    ----------
    named : str or sequence of str
        ``"archive"``, ``"cloud"``, URLs of tessellar servers, folders; in one text separated by commas.
    settings : Settings, optional
        By default those that hold now.

    Raises
    ------
    InputError
        If one of them cannot be.
    """

    def __init__(self, named: str | Sequence[str], settings: config.Settings | None = None) -> None:
        settings = settings or config.load()
        names = [name.strip() for name in named.split(",")] if isinstance(named, str) else list(named)
        if not names or not all(names):
            raise InputError(f"sources {named!r}: name at least one of archive, cloud, a URL, a folder")
        self._ways = [_way(name, settings) for name in dict.fromkeys(names)]

    def offer(self, remotes: Iterable[Remote]) -> list[Remote]:
        """Return the files with all URLs that offer them; the archive's stays where no source has one."""
        return [self._offered(remote) for remote in remotes]

    def _offered(self, remote: Remote) -> Remote:
        urls = list(dict.fromkeys(url for way in self._ways if (url := way(remote)) is not None))
        if not urls:
            return remote
        private = remote.private if urls[0] == remote.url else {}
        return replace(remote, url=urls[0], others=tuple(urls[1:]), private=private)


_Way = Callable[[Remote], str | None]


def _way(name: str, settings: config.Settings) -> _Way:
    """Return what gives the URL of a file at the source of this name."""
    if name.lower() == ARCHIVE:
        return lambda remote: remote.url
    if name.lower() == CLOUD:
        return lambda remote: cloud_url(remote.uri, settings)
    if name.startswith(("http://", "https://")):
        mirror = MastArchive(name, settings)
        return lambda remote: mirror.locate(remote.uri, filename=remote.filename).url
    return _Folder(Path(name).expanduser().absolute())


class _Folder:
    """A folder of files as a source: those of its ledger, and any others by their names."""

    def __init__(self, folder: Path) -> None:
        if not folder.is_dir():
            raise InputError(f"source {folder}: no such folder; the others are archive, cloud, and URLs")
        self._folder = folder
        self._ledger = Ledger(folder / STATE_FOLDER / "ledger.sqlite")
        self._named: dict[str, Path] | None = None

    def __call__(self, remote: Remote) -> str | None:
        known = (self._folder / entry.path for entry in self._ledger.find_uri(remote.uri))
        path = next((path for path in known if path.is_file()), None) or self._by_name().get(remote.filename)
        return path.as_uri() if path is not None else None

    def _by_name(self) -> dict[str, Path]:
        if self._named is None:
            self._named = {}
            for folder, folders, names in os.walk(self._folder):
                folders[:] = sorted(name for name in folders if name != STATE_FOLDER)
                for name in sorted(names):
                    if not name.endswith(".part"):
                        self._named.setdefault(name, Path(folder, name))
        return self._named
