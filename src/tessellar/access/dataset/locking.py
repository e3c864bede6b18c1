"""Locking a recipe: from what the archive has today to a list of bytes; and later, what has changed since."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tessellar import __version__, config
from tessellar.access.dataset.asking import ask
from tessellar.access.dataset.followup import url_of
from tessellar.access.dataset.lockfile import Lock, LockedFile
from tessellar.access.dataset.recipe import Recipe
from tessellar.access.fetching import fetch_remotes
from tessellar.access.opening import archive_of
from tessellar.access.sources import Sources
from tessellar.archives import Archive
from tessellar.errors import TessellarError
from tessellar.net import Version, probe, run
from tessellar.progress import Listener, ignore
from tessellar.store import Store
from tessellar.store.manifest import COMPLETE, Manifest
from tessellar.store.store import STATE_FOLDER, check_folder

ADDED, REMOVED, CHANGED, UNKNOWN = "added", "removed", "changed", "unknown"


@dataclass(frozen=True)
class Change:
    """What became of one file since it was locked.

    Attributes
    ----------
    state : str
        ``added``, ``removed``, ``changed``, or ``unknown`` where it could not be found out.
    uri : str
        The file.
    detail : str
        What differs, or why it is not known.
    """

    state: str
    uri: str
    detail: str = ""


@dataclass(frozen=True)
class Locked:
    """A lock that was made.

    Attributes
    ----------
    lock : Lock
        What the recipe stands for.
    manifest : Manifest
        What became of the files that had to be fetched.
    changes : tuple of Change
        What differs from the lock before it; empty for a first one.
    """

    lock: Lock
    manifest: Manifest
    changes: tuple[Change, ...] = ()

    @property
    def differs(self) -> bool:
        """Whether it describes other files than the lock before it."""
        return any(change.state != UNKNOWN for change in self.changes)


def lock(
    recipe: Recipe,
    folder: str | os.PathLike[str] | None = None,
    *,
    fetch: bool = True,
    layout: str | None = None,
    archive: str | Archive | None = None,
    sources: str | Sequence[str] | None = None,
    listener: Listener = ignore,
) -> Locked:
    """Find out which files a recipe stands for today, down to their bytes.

    The archive gives no digests: what `folder` does not hold yet is fetched and hashed.

    Parameters
    ----------
    recipe : Recipe
        As `read_recipe` gives it.
    folder : path-like, optional
        The data folder; by default the setting ``data_dir``, or the working folder.
    fetch : bool
        False leaves the digest open of what is not in `folder`; `sync` fills it.
    layout : str, optional
        Folders below `folder`: see `tessellar.store.layout.Layout`.
    archive : str or Archive, optional
        By default that of the recipe, or else the setting.
    sources : str or sequence of str, optional
        Where files are taken from; by default the setting.
    listener : callable, optional
        Told of progress.

    Returns
    -------
    Locked
        The lock; where a file could not be had, its digest is open, and the manifest says why.
    """
    opened = archive_of(archive if archive is not None else recipe.archive)
    wanted = ask(recipe, opened, listener)
    found = _described(recipe, opened).with_files(wanted.files.values())
    found = replace(found, queries=tuple(wanted.queries))
    return _hashed(found, found.files, _Here(folder, layout, opened, sources, fetch, listener))


def update(
    old: Lock,
    recipe: Recipe,
    folder: str | os.PathLike[str] | None = None,
    *,
    fetch: bool = True,
    layout: str | None = None,
    archive: str | Archive | None = None,
    sources: str | Sequence[str] | None = None,
    listener: Listener = ignore,
) -> Locked:
    """Lock a recipe again, and say what has changed in the archive since `old`.

    Each file is asked for its version. Only those that are new, or for which the archive names another version or
    none, are fetched and hashed; such another version never takes the place of a file in `folder`.

    Parameters
    ----------
    old : Lock
        The lock before.
    recipe, folder, fetch, layout, archive, sources, listener
        As for `lock`. Without `fetch`, the digest of what may have changed is left open.
    """
    opened = archive_of(archive if archive is not None else recipe.archive or old.archive)
    wanted = ask(recipe, opened, listener)
    here = _Here(folder, layout, opened, sources, fetch, listener)
    before = {file.uri: file for file in old.files}
    kept = [before[uri] for uri in wanted.files if uri in before]
    versions = here.versions(kept)
    suspects = [file for file in kept if file.sha256 and _may_differ(file, versions[file.uri])]
    looked_at, errors, remarks = here.looked_at(suspects)

    files = {**wanted.files, **{file.uri: file for file in kept}, **looked_at}
    found = replace(_described(recipe, opened).with_files(files.values()), queries=tuple(wanted.queries))
    new = [file for file in found.files if file.uri not in before or not before[file.uri].sha256]
    locked = _hashed(found, new, here)
    failed = {uri: str(error) for uri, error in versions.items() if isinstance(error, TessellarError)}
    return replace(locked, changes=tuple(_changes(before, locked.lock, {**failed, **errors}, remarks)))


def _described(recipe: Recipe, archive: Archive) -> Lock:
    return Lock((), title=recipe.title, archive=archive.name, recipe=recipe.sha256, tool=f"tessellar {__version__}")


@dataclass
class _Here:
    """Where files are looked for, and how they come here."""

    folder: str | os.PathLike[str] | None
    layout: str | None
    archive: Archive
    sources: str | Sequence[str] | None
    fetch: bool
    listener: Listener

    def __post_init__(self) -> None:
        self.settings = config.load()
        self.path = Path(self.folder or self.settings.data_dir or ".").expanduser().absolute()

    def fetched(self, files: Iterable[LockedFile]) -> Manifest:
        """Fetch files into the data folder."""
        check_folder(self.path)
        remotes = [file.remote(url_of(file, self.archive)) for file in files]
        offered = Sources(self.sources if self.sources is not None else self.settings.sources).offer(remotes)
        return fetch_remotes(offered, self.path, layout=self.layout, listener=self.listener)

    def versions(self, files: Sequence[LockedFile]) -> dict[str, Version | TessellarError]:
        """Ask the archive for the versions of files."""
        remotes = [file.remote(url_of(file, self.archive)) for file in files]
        return run(probe(remotes, self.settings, self.listener))

    def looked_at(self, files: Sequence[LockedFile]) -> tuple[dict[str, LockedFile], dict[str, str], dict[str, str]]:
        """Fetch files to a place aside, only to see what they are.

        Return them, why others could not be had, and what is to be said of those that are here.
        """
        opened = [replace(file, size=0, sha256="", etag="") for file in files]
        if not self.fetch or not opened:
            return {file.uri: file for file in opened}, {}, {}
        check_folder(self.path)
        aside = self.path / STATE_FOLDER
        aside.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(dir=aside, prefix="compare-") as name:
            there = replace(self, folder=name, layout=None, sources="archive")
            manifest = there.fetched(opened)
            errors = {str(row["URI"]): str(row["Message"]) for row in manifest.failed}
            seen = filled(opened, manifest, there.path)
            remarks = {str(row["URI"]): str(row["Message"]) for row in manifest if row["Status"] == COMPLETE}
            return {file.uri: file for file in seen if file.uri not in errors}, errors, remarks


def _hashed(lock: Lock, files: Sequence[LockedFile], here: _Here) -> Locked:
    """Fill in the digests of files, from the data folder or by fetching them."""
    if here.fetch:
        manifest = here.fetched(files)
    else:
        store = Store(here.path)
        held = [file for file in files if store.recall(file.remote("")) is not None]
        store.close()
        manifest = here.fetched(held) if held else Manifest.from_outcomes([], [])
    found = {file.uri: file for file in filled(files, manifest, here.path)}
    return Locked(lock.with_files(found.get(file.uri, file) for file in lock.files), manifest)


def filled(files: Iterable[LockedFile], manifest: Manifest, folder: Path) -> list[LockedFile]:
    """Return files with the size, digest and version of what is here of them."""
    rows = {str(row["URI"]): row for row in manifest if row["Status"] == COMPLETE}
    store = Store(folder)
    out = []
    for file in files:
        row = rows.get(file.uri)
        if row is None:
            out.append(file)
            continue
        path = Path(str(row["Local Path"]))
        entry = store.ledger.find(path.relative_to(store.folder).as_posix())
        etag = (entry.etag if entry is not None else None) or ""
        out.append(replace(file, size=int(row["Bytes"]), sha256=str(row["SHA256"]), etag=etag))
    store.close()
    return out


def _may_differ(file: LockedFile, version: Version | TessellarError) -> bool:
    """Whether the archive does not say that it holds the bytes that were locked."""
    if isinstance(version, TessellarError):
        return False
    return not file.etag or version.etag != file.etag or version.size not in (None, file.size)


def _changes(
    before: dict[str, LockedFile], lock: Lock, errors: dict[str, str], remarks: dict[str, str]
) -> list[Change]:
    changes = []
    after = {file.uri: file for file in lock.files}
    for uri in sorted({*before, *after}):
        old, new = before.get(uri), after.get(uri)
        if old is None:
            changes.append(Change(ADDED, uri))
        elif new is None:
            changes.append(Change(REMOVED, uri))
        elif uri in errors:
            changes.append(Change(UNKNOWN, uri, errors[uri]))
        elif old.sha256 and not new.sha256:
            changes.append(Change(UNKNOWN, uri, "the archive does not say that it is the same: its digest is open now"))
        elif old.sha256 and old.sha256 != new.sha256:
            what = f"{old.size} bytes, now {new.size}" if old.size != new.size else f"other bytes, {new.size} as before"
            changes.append(Change(CHANGED, uri, "; ".join(filter(None, (what, remarks.get(uri))))))
    return changes
