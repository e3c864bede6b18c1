"""The data folder itself: a sink for the transfer engine, and answers about what is here."""

from __future__ import annotations

import hashlib
import os
from datetime import UTC, datetime
from pathlib import Path

from tessellar.errors import ChangedUpstream, InputError, IntegrityError, NoPermission, ProductError, StoreError
from tessellar.net import Kept, Partial, Received, Remote
from tessellar.store import claims
from tessellar.store.layout import ASTROQUERY, FLAT, Layout
from tessellar.store.ledger import Entry, Ledger
from tessellar.store.verify import check_whole

STATE_FOLDER = ".tessellar"


class Store:
    """A folder of fetched files with a memory.

    Parameters
    ----------
    folder : path-like
        Made when the first file is kept.
    flat : bool
        Put files straight into the folder, not into ``mastDownload/<collection>/<obs_id>``.
    layout : str, optional
        Folders of one's own, as in ``"{collection}/{sector}"``: see `tessellar.store.layout.Layout`.

    Examples
    --------
    >>> import tempfile
    >>> from tessellar import Store
    >>> store = Store(tempfile.mkdtemp())
    >>> store.knows("mast:TESS/product/tess2018206045859-s0001-0000000025155310-0120-s_lc.fits")
    False
    """

    def __init__(self, folder: str | os.PathLike[str] = ".", *, flat: bool = False, layout: str | None = None) -> None:
        if flat and layout not in (None, FLAT):
            raise InputError(f"flat and the layout {layout!r} exclude each other")
        self.folder = Path(folder).expanduser().absolute()
        self._layout = Layout(FLAT if flat else layout or ASTROQUERY)
        self.ledger = Ledger(self.folder / STATE_FOLDER / "ledger.sqlite")
        # Digests of files that came and were refused, though they may be what the archive has; by archive name.
        self._doubted: dict[str, str] = {}

    @classmethod
    def holding(cls, path: str | os.PathLike[str]) -> Store | None:
        """Return the store whose folder a file lies in, if one does."""
        for folder in Path(path).absolute().parents:
            if (folder / STATE_FOLDER / "ledger.sqlite").is_file():
                return cls(folder)
        return None

    # -- what is here; none of this touches the network ------------------------------------------

    def knows(self, uri: str) -> bool:
        """Whether the ledger has a row for an archive name, wherever the file is now."""
        return bool(self.ledger.find_uri(uri))

    def exists(self, uri: str) -> bool:
        """Whether a file of that name is there, whatever its bytes."""
        return any((self.folder / entry.path).is_file() for entry in self.ledger.find_uri(uri))

    def verified(self, uri: str) -> bool:
        """Whether the file is there and still has the digest that the ledger holds; reads it whole."""
        return any(
            digest_of_file(self.folder / entry.path) == entry.sha256
            for entry in self.ledger.find_uri(uri)
            if (self.folder / entry.path).is_file()
        )

    def digest_of(self, path: str | os.PathLike[str]) -> str | None:
        """Return the sha256 that the ledger holds of a file, if size and time say that it is unchanged."""
        path = Path(path).absolute()
        if not path.is_relative_to(self.folder):
            return None
        entry = self.ledger.find(path.relative_to(self.folder).as_posix())
        return entry.sha256 if entry is not None and _unchanged(path, entry) else None

    def close(self) -> None:
        """Close the ledger."""
        self.ledger.close()

    # -- the sink that the transfer engine fills -------------------------------------------------

    def recall(self, remote: Remote) -> Kept | None:
        """Return the file if the ledger has it and neither its size nor its time has changed, wherever it lies."""
        for entry in self.ledger.find_uri(remote.uri):
            path = self.folder / entry.path
            if not _is_other(remote, entry.sha256) and _unchanged(path, entry):
                return Kept(path, entry.size, entry.sha256, "already here")
        return None

    def claim(self, remote: Remote) -> claims.Claim | None:
        """Lock the partial file; None while another process or thread fetches this file."""
        path = self._path(remote)
        path.parent.mkdir(parents=True, exist_ok=True)
        return claims.claim(_part(path))

    def has(self, remote: Remote) -> Kept | None:
        """Return the file if it is here and verified; a stranger under its name is checked, or set aside."""
        kept = self.recall(remote)
        if kept is not None:
            return kept
        path = self._path(remote)
        entry = self.ledger.find(self._key(path))
        if not path.is_file():
            return None if entry is None or _is_other(remote, entry.sha256) else self._finish(entry, path)
        if entry is not None and entry.origin and entry.uri != remote.uri and _unchanged(path, entry):
            raise InputError(f"{path}: holds {entry.uri}; {remote.uri} has the same name: fetch it into another folder")
        sha256 = digest_of_file(path)
        if _is_other(remote, sha256):
            return None  # it stays until what was asked for is here
        if entry is not None and entry.sha256 == sha256:
            self.ledger.record(_entry(self._key(path), remote, path, sha256, entry.etag))
            return Kept(path, entry.size, sha256, "already here")
        size = path.stat().st_size
        try:
            if remote.size is not None and size != remote.size:
                raise IntegrityError(f"{size} bytes where the archive has {remote.size}")
            doubtful = check_whole(path, path.name, sha256, remote.digest)
            if doubtful:
                raise IntegrityError(f"its {' and '.join(doubtful)} does not fit")
            if entry is not None:
                raise IntegrityError("its bytes changed since it was fetched")
        except (IntegrityError, ProductError) as error:
            self.set_aside(path, str(error))
            return None
        self.ledger.record(_entry(self._key(path), remote, path, sha256, None))
        return Kept(path, size, sha256, "adopted: it was here and is whole")

    def plan(self, remote: Remote) -> Partial:
        """Say where the bytes go, and how many of which version are there."""
        path = self._path(remote)
        part = _part(path)
        size = part.stat().st_size if part.is_file() else 0
        return Partial(part, size, *(self.ledger.version(self._key(path)) if size else (None, None)))

    def begin(self, remote: Remote, validator: str | None) -> None:
        """Remember which version the partial file holds, before its first byte is written."""
        key = self._key(self._path(remote))
        if self.ledger.version(key) != (validator, remote.url):
            self.ledger.set_version(key, validator, remote.url)

    def commit(self, remote: Remote, received: Received) -> Kept:
        """Verify the partial file, record it and give it its final name, in this order."""
        path = self._path(remote)
        part = _part(path)
        try:
            doubtful = check_whole(part, remote.filename, received.sha256, remote.digest, remote.size)
            if remote.check is not None:
                remote.check(part)
        except ProductError as error:
            os.truncate(part, 0)
            raise IntegrityError(str(error)) from error
        except IntegrityError as error:
            os.truncate(part, 0)
            if remote.digest is not None and self._came_before(remote, received):
                raise ChangedUpstream(f"{error}; the same came twice: it has changed in the archive") from error
            raise
        note = self._judge(remote, received, part, doubtful)
        if path.is_file():
            self.set_aside(path, f"another version of {remote.uri} was asked for, and is here now")
        # A kill between the two leaves a row and a whole partial file: `has` finishes that.
        self.ledger.record(_entry(self._key(path), remote, part, received.sha256, received.etag))
        self._rename(part, path)
        if not note and remote.size is not None and remote.size != received.size:
            note = f"whole, though the archive's table says {remote.size} bytes"
        return Kept(path, received.size, received.sha256, note)

    # --------------------------------------------------------------------------------------------

    def _judge(self, remote: Remote, received: Received, part: Path, doubtful: list[str]) -> str:
        """Tell damage from an edited file: damage does not come twice alike."""
        if not doubtful:
            return ""
        what = f"its {' and '.join(doubtful)} does not fit"
        if self._came_before(remote, received):
            return f"{what}, but it came twice alike: it was edited after it was written"
        os.truncate(part, 0)
        raise IntegrityError(f"{remote.filename}: {what}: damaged on the way, or edited in the archive")

    def _came_before(self, remote: Remote, received: Received) -> bool:
        """Whether the same bytes were refused before; they are remembered."""
        before = self._doubted.get(remote.uri)
        self._doubted[remote.uri] = received.sha256
        return before == received.sha256

    def _finish(self, entry: Entry, path: Path) -> Kept | None:
        """Give a file its name that was verified and recorded, when we were killed."""
        part = _part(path)
        if not _unchanged(part, entry) or digest_of_file(part) != entry.sha256:
            return None
        self._rename(part, path)
        return Kept(path, entry.size, entry.sha256, "already here")

    def _rename(self, part: Path, path: Path) -> None:
        part.replace(path)
        _sync_folder(path.parent)
        self.ledger.settle(self._key(path))

    def _path(self, remote: Remote) -> Path:
        return self.folder / self._layout.path(remote)

    def _key(self, path: Path) -> str:
        return path.relative_to(self.folder).as_posix()

    def set_aside(self, path: Path, reason: str) -> None:
        """Move a file that is not what its name says out of the way; nothing is deleted."""
        folder = self.folder / STATE_FOLDER / "quarantine"
        folder.mkdir(parents=True, exist_ok=True)
        target = _free_name(folder, f"{datetime.now(UTC):%Y%m%dT%H%M%S%f}", f"-{path.name}")
        path.replace(target)
        target.with_name(target.name + ".reason").write_text(f"{self._key(path)}: {reason}\n", encoding="utf-8")
        self.ledger.forget(self._key(path))


def check_folder(folder: Path) -> None:
    """Raise `StoreError` unless files can be kept in a folder, made here if need be."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError as error:
        raise StoreError(f"{folder}: is a file; give a folder") from error
    except OSError as error:
        raise NoPermission(f"{folder}: cannot be made ({error.strerror}); choose another folder") from error
    if not os.access(folder, os.W_OK | os.X_OK):
        raise NoPermission(f"{folder}: may not be written; choose another folder")


def _is_other(remote: Remote, sha256: str) -> bool:
    """Whether bytes with this digest are known not to be those that are asked for."""
    kind, _, wanted = (remote.digest or "").partition(":")
    return kind == "sha256" and wanted.lower() != sha256


def _part(path: Path) -> Path:
    return path.with_name(path.name + ".part")


def digest_of_file(path: Path) -> str:
    """Return the sha256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _unchanged(path: Path, entry: Entry) -> bool:
    try:
        status = path.stat()
    except OSError:
        return False
    return status.st_size == entry.size and status.st_mtime_ns == entry.mtime_ns


def _entry(key: str, remote: Remote, path: Path, sha256: str, etag: str | None) -> Entry:
    status = path.stat()
    now = datetime.now(UTC).isoformat(timespec="seconds")
    return Entry(key, remote.uri, status.st_size, sha256, status.st_mtime_ns, etag, remote.url, now)


def _free_name(folder: Path, stem: str, suffix: str) -> Path:
    """Return a path that is not there yet: clocks stand still, and go back."""
    numbers = ("", *(f".{number}" for number in range(1, 10_000)))
    return next(path for number in numbers if not (path := folder / f"{stem}{number}{suffix}").exists())


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
