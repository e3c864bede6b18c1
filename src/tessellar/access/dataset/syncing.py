"""From a lock to files, and from files to the proof that they are those of the lock."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tessellar import config
from tessellar.access.dataset.followup import url_of
from tessellar.access.dataset.lockfile import Lock, LockedFile
from tessellar.access.dataset.locking import filled
from tessellar.access.fetching import fetch_remotes
from tessellar.access.opening import archive_of
from tessellar.access.sources import Sources
from tessellar.archives import Archive
from tessellar.errors import InputError
from tessellar.progress import Event, Listener, ignore
from tessellar.store.manifest import Manifest
from tessellar.store.store import STATE_FOLDER, check_folder, digest_of_file
from tessellar.store.upkeep import CHANGED, MISSING, WHOLE, Finding

OPEN = "open"


@dataclass(frozen=True)
class Synced:
    """What a sync did.

    Attributes
    ----------
    manifest : Manifest
        One row per file of the lock.
    lock : Lock
        The lock, with the digests that were open filled in.
    filled : tuple of str
        The names of the files of which the digest was open and is known now.
    """

    manifest: Manifest
    lock: Lock
    filled: tuple[str, ...]


def sync(
    lock: Lock,
    folder: str | os.PathLike[str] | None = None,
    *,
    layout: str | None = None,
    archive: str | Archive | None = None,
    sources: str | Sequence[str] | None = None,
    deadline: float | None = None,
    listener: Listener = ignore,
) -> Synced:
    """Bring a folder to what a lock says: exactly these bytes, or an error that names the file.

    What is here is not fetched. Where the archive has other bytes now, the file is refused, and what lies under its
    name stays.

    Parameters
    ----------
    lock : Lock
        As `read_lock` gives it.
    folder : path-like, optional
        By default the setting ``data_dir``, or the working folder.
    layout : str, optional
        Folders below `folder`: see `tessellar.store.layout.Layout`.
    archive : str or Archive, optional
        By default the one that the lock was made from.
    sources : str or sequence of str, optional
        Where files are taken from, the first first; by default the setting.
    deadline : float, optional
        Seconds after which what is not here is given up.
    listener : callable, optional
        Told of bytes.

    Returns
    -------
    Synced
        The manifest and the lock.
    """
    settings = config.load()
    opened = archive_of(archive if archive is not None else lock.archive or None)
    target = Path(folder or settings.data_dir or ".").expanduser().absolute()
    check_folder(target)
    remotes = [file.remote(url_of(file, opened)) for file in lock.files]
    offered = Sources(sources if sources is not None else settings.sources).offer(remotes)
    manifest = fetch_remotes(offered, target, layout=layout, deadline=deadline, listener=listener)
    after = {file.uri: file for file in filled(lock.open, manifest, target)}
    names = tuple(uri for uri, file in after.items() if file.sha256)
    return Synced(manifest, lock.with_files(after.get(file.uri, file) for file in lock.files), names)


def verify(lock: Lock, folder: str | os.PathLike[str] | None = None, listener: Listener = ignore) -> list[Finding]:
    """Prove, without network, that a folder holds the bytes of a lock; in whatever layout they lie there.

    Every file is read and hashed anew.

    Returns
    -------
    list of Finding
        One a file of the lock: ``whole``, ``changed``, ``missing``, or ``open`` where the lock has no digest.

    Raises
    ------
    InputError
        If there is no such folder.
    """
    root = Path(folder or config.load().data_dir or ".").expanduser().absolute()
    if not root.is_dir():
        raise InputError(f"{root}: no such folder")
    places, found, done = _Places(root), [], 0
    for file in lock.files:
        found.append(_verified(file, places))
        done += file.size
        listener(Event("verify", done, lock.size, "bytes"))
    listener(Event("verify", done, lock.size, "bytes", finished=True))
    return found


def _verified(file: LockedFile, places: _Places) -> Finding:
    wrong: Finding | None = None
    for path in places.of(file):
        size, found = path.stat().st_size, digest_of_file(path)
        shown = path.relative_to(places.root).as_posix()
        if not file.sha256:
            return Finding(shown, OPEN, size, file.uri, "the lock has no digest of it: sync fills it")
        if found == file.sha256:
            return Finding(shown, WHOLE, size, file.uri)
        wrong = wrong or Finding(
            shown, CHANGED, size, file.uri, f"its sha256 is {found}, not the {file.sha256} of the lock"
        )
    return wrong or Finding(file.name, MISSING, 0, file.uri, "it is not in the folder")


class _Places:
    """Where the files of a folder lie. No layout changes a name, and no ledger is needed, so that a copy will do."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._named: dict[str, list[Path]] = {}
        for folder, folders, names in os.walk(root):
            folders[:] = sorted(name for name in folders if name != STATE_FOLDER)
            for name in names:
                self._named.setdefault(name, []).append(Path(folder, name))

    def of(self, file: LockedFile) -> list[Path]:
        """Return every place where the file may be."""
        return self._named.get(file.name, [])
