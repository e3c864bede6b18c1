"""Looking after a data folder: is all what the ledger says, what can go, how large is it, what lies there unknown."""

from __future__ import annotations

import os
import shutil
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from tessellar.errors import InputError, IntegrityError, MissingInput, ProductError
from tessellar.mission.names import match_name
from tessellar.progress import Event, Listener, ignore
from tessellar.store import claims
from tessellar.store.ledger import Entry
from tessellar.store.store import STATE_FOLDER, Store, digest_of_file
from tessellar.store.verify import check_whole

_A_DAY = 86_400.0
WHOLE, MISSING, CHANGED = "whole", "missing", "changed"
ADOPTED, KNOWN, REFUSED = "adopted", "known", "refused"


@dataclass(frozen=True)
class Finding:
    """What was found out about one file.

    Attributes
    ----------
    path : str
        Relative to the data folder.
    state : str
        ``whole``, ``missing`` or ``changed`` where it was verified; ``adopted``, ``known`` or ``refused`` where
        it was to be adopted; ``partial``, ``quarantine`` or ``forgotten`` where it can go.
    size : int
        Bytes.
    uri : str
        Its name in the archive.
    reason : str
        Why, where that is not plain.
    """

    path: str
    state: str
    size: int = 0
    uri: str = ""
    reason: str = ""


def verify(store: Store, listener: Listener = ignore) -> list[Finding]:
    """Read every file that the ledger has, and compare its bytes with the digest that was recorded."""
    entries = list(store.ledger.entries())
    total, done = sum(entry.size for entry in entries), 0
    found = []
    for entry in entries:
        found.append(_verified(store, entry))
        done += entry.size
        listener(Event("verify", done, total, "bytes"))
    listener(Event("verify", done, total, "bytes", finished=True))
    return found


def set_aside(store: Store, path: str, reason: str) -> None:
    """Move a file that is not what the ledger says into quarantine; a missing one is only forgotten."""
    whole = store.folder / path
    if whole.is_file():
        store.set_aside(whole, reason)
    else:
        store.ledger.forget(path)


def collect(store: Store, *, dry_run: bool = False) -> list[Finding]:
    """Remove what is of no use: partial files that nobody is fetching, what was set aside, rows of files that are gone.

    Parameters
    ----------
    store : Store
        The data folder.
    dry_run : bool
        Only say what would be removed.
    """
    found = []
    for part in sorted(store.folder.rglob("*.part")):
        claim = claims.claim(part, make=False)
        if claim is None:
            continue
        size = part.stat().st_size
        found.append(Finding(_key(store, part), "partial", size))
        if not dry_run:
            part.unlink()
        claim.release()
    for path in sorted((store.folder / STATE_FOLDER / "quarantine").glob("*")):
        found.append(Finding(_key(store, path), "quarantine", path.stat().st_size))
        if not dry_run:
            path.unlink()
    for folder in sorted((store.folder / STATE_FOLDER).glob("compare-*")):
        # Left by a comparison that was killed; a younger one may be going on.
        if time.time() - folder.stat().st_mtime > _A_DAY:
            found.append(Finding(_key(store, folder), "partial"))
            if not dry_run:
                shutil.rmtree(folder)
    for entry in store.ledger.entries():
        if not (store.folder / entry.path).exists():
            found.append(Finding(entry.path, "forgotten", 0, entry.uri, "the file is gone"))
            if not dry_run:
                store.ledger.forget(entry.path)
    if not dry_run:
        for key in store.ledger.partials():
            if not (store.folder / (key + ".part")).exists():
                store.ledger.settle(key)
        _remove_empty_folders(store.folder / "mastDownload")
    return found


def usage(store: Store) -> list[dict[str, object]]:
    """Add up the files that the ledger has, by collection, sector and kind; partial files and quarantine apart.

    Returns
    -------
    list of dict
        ``collection, sector, kind, files, bytes``.
    """
    sums: dict[tuple[str, int | None, str], list[int]] = defaultdict(lambda: [0, 0])
    for entry in store.ledger.entries():
        name = match_name(entry.path.rpartition("/")[2])
        key = (name.collection, name.sector, name.kind) if name else ("", None, "other")
        sums[key][0] += 1
        sums[key][1] += entry.size
    for kind, files in (
        ("partial", store.folder.rglob("*.part")),
        ("quarantine", (store.folder / STATE_FOLDER / "quarantine").glob("*")),
    ):
        for path in files:
            sums["", None, kind][0] += 1
            sums["", None, kind][1] += path.stat().st_size
    return [
        {"collection": key[0], "sector": key[1], "kind": key[2], "files": files, "bytes": size}
        for key, (files, size) in sorted(sums.items(), key=lambda item: (item[0][0], item[0][1] or 0, item[0][2]))
    ]


def adopt(folder: str | os.PathLike[str], listener: Listener = ignore) -> tuple[Store, list[Finding]]:
    """Make a folder that others filled a data folder: what is whole is known from now on, where it lies.

    A ``mastDownload`` folder, of astroquery or of lightkurve's cache, becomes
    part of the folder that holds it. Nothing is moved or changed; files that are
    not whole are named.

    Raises
    ------
    InputError
        If there is no such folder.
    """
    root = Path(folder).expanduser().absolute()
    if not root.is_dir():
        raise InputError(f"{root}: no such folder")
    if root.name == "mastDownload":
        root = root.parent
    store, found = Store(root), []
    for number, path in enumerate(_products(root)):
        found.append(_adopted(store, path))
        listener(Event("adopt", number + 1, None, "files"))
    return store, found


def _products(root: Path) -> Iterator[Path]:
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(name for name in folders if name != STATE_FOLDER)
        for name in sorted(names):
            if match_name(name) is not None:
                yield Path(folder, name)


def _adopted(store: Store, path: Path) -> Finding:
    key, name = _key(store, path), match_name(path.name)
    assert name is not None
    if store.digest_of(path) is not None:
        return Finding(key, KNOWN, path.stat().st_size, name.uri)
    try:
        status = path.stat()
        sha256 = digest_of_file(path)
        doubtful = check_whole(path, path.name, sha256, None)
        # Cut-outs are made on the way to the user, and what makes them has written sums that never fitted.
        if doubtful and name.kind != "cutout":
            raise IntegrityError(f"its {' and '.join(doubtful)} does not fit: damaged, or edited after it was written")
    except (IntegrityError, ProductError) as error:
        return Finding(
            key, REFUSED, 0 if isinstance(error, MissingInput) else path.stat().st_size, name.uri, str(error)
        )
    now = datetime.now(UTC).isoformat(timespec="seconds")
    store.ledger.record(Entry(key, name.uri, status.st_size, sha256, status.st_mtime_ns, None, "", now))
    note = f"its {' and '.join(doubtful)} does not fit, as in many cut-outs" if doubtful else ""
    return Finding(key, ADOPTED, status.st_size, name.uri, note)


def _verified(store: Store, entry: Entry) -> Finding:
    path = store.folder / entry.path
    try:
        found = digest_of_file(path)
    except FileNotFoundError:
        return Finding(entry.path, MISSING, 0, entry.uri, "the file is gone")
    size = path.stat().st_size
    if found != entry.sha256:
        reason = f"its sha256 is {found}, not the {entry.sha256} that was recorded"
        return Finding(entry.path, CHANGED, size, entry.uri, reason)
    return Finding(entry.path, WHOLE, size, entry.uri)


def _key(store: Store, path: Path) -> str:
    return path.relative_to(store.folder).as_posix()


def _remove_empty_folders(root: Path) -> None:
    for folder, _, _ in os.walk(root, topdown=False):
        if not any(Path(folder).iterdir()):
            Path(folder).rmdir()
