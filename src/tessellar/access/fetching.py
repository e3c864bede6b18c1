"""Fetch: files into a folder, each whole and verified, with a manifest of what became of each."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from tessellar import config
from tessellar.access.opening import archive_of
from tessellar.access.searching import list_products
from tessellar.access.sources import Sources
from tessellar.archives import Archive
from tessellar.errors import InputError
from tessellar.net import Outcome, Remote, run, transfer
from tessellar.products.tables import ObservationTable, ProductTable
from tessellar.progress import Event, Listener, ignore
from tessellar.store import Store
from tessellar.store.manifest import Manifest, write_manifest
from tessellar.store.store import check_folder
from tessellar.store.upkeep import WHOLE, set_aside, verify

__all__ = ["FetchInterrupted", "fetch", "fetch_remotes", "repair", "write_manifest"]


class FetchInterrupted(KeyboardInterrupt):
    """Ctrl-C during a fetch.

    What was whole is kept, what was not will be continued by the same fetch.

    Attributes
    ----------
    manifest : Manifest
        What became of each file, also of those that were never asked for.
    """

    def __init__(self, manifest: Manifest) -> None:
        super().__init__("the fetch was interrupted; run it again to go on")
        self.manifest = manifest


def fetch(
    what: ProductTable | ObservationTable,
    folder: str | os.PathLike[str] | None = None,
    *,
    flat: bool = False,
    layout: str | None = None,
    archive: str | Archive | None = None,
    sources: str | Sequence[str] | None = None,
    deadline: float | None = None,
    listener: Listener = ignore,
) -> Manifest:
    """Fetch files, several at a time, each verified before it gets its name.

    Files that are here and verified are not asked for again, and no network is
    needed for them. A file that was cut off goes on where it stopped. No file
    is ever under its final name before it is whole.

    Parameters
    ----------
    what : ProductTable or ObservationTable
        Files, or observations of which all files are wanted.
    folder : path-like, optional
        By default the setting ``data_dir``, or the working folder.
    flat : bool
        Put files straight into `folder`, not into ``mastDownload/<collection>/<obs_id>``.
    layout : str, optional
        Folders of one's own, as in ``"{collection}/{sector}"``: see `tessellar.store.layout.Layout`.
    archive : str or Archive, optional
        By default the one that the table came from.
    sources : str or sequence of str, optional
        Where files are taken from, the first first: ``"archive"``, ``"cloud"`` (the public bucket), the URL of a
        tessellar server, or a folder. By default the setting ``sources``.
    deadline : float, optional
        Seconds after which what is not whole is given up; the same fetch goes on with it later.
    listener : callable, optional
        Told of bytes as they arrive.

    Returns
    -------
    Manifest
        One row per file, also for those that failed.

    Raises
    ------
    InputError
        If the deadline is not a time to come, or a layout or source cannot be.
    StoreError
        If nothing can be kept in the folder.
    FetchInterrupted
        On Ctrl-C; it carries the manifest.
    """
    if deadline is not None and not deadline > 0:
        raise InputError(f"a deadline of {deadline:g} s cannot be met: give more than 0 seconds")
    opened = archive_of(archive if archive is not None else what.meta.get("archive"))
    if isinstance(what, ObservationTable):
        what = list_products(what, archive=opened, listener=listener)
    settings = config.load()
    target = Path(folder or settings.data_dir or ".").expanduser().absolute()
    check_folder(target)
    offered = Sources(sources if sources is not None else settings.sources)
    remotes = offered.offer(_remote(opened, row) for row in what.rows())
    return fetch_remotes(remotes, target, flat=flat, layout=layout, deadline=deadline, listener=listener)


def repair(store: Store, *, archive: str | Archive | None = None, listener: Listener = ignore) -> Manifest:
    """Verify a data folder, set aside what is not what it was, and fetch it again from where it came.

    Parameters
    ----------
    store : Store
        The data folder.
    archive : str or Archive, optional
        Asked for files of which nobody knows where they came from, because they were adopted.
    listener : callable, optional
        Told of bytes.

    Returns
    -------
    Manifest
        One row per file that was fetched again; none if all was whole.
    """
    wanted: dict[str, list[Remote]] = {}
    for finding in verify(store, listener):
        if finding.state == WHOLE:
            continue
        entry = store.ledger.find(finding.path)
        folder, _, name = finding.path.rpartition("/")
        url = (entry.origin if entry is not None else "") or archive_of(archive).locate(finding.uri, filename=name).url
        # It comes back where it was, whatever the layout of the others.
        layout = "/".join([*filter(None, [folder.replace("{", "{{").replace("}", "}}")]), "{filename}"])
        # What was copied from a folder of this machine may be gone there.
        others = (archive_of(archive).locate(finding.uri, filename=name).url,) if url.startswith("file:") else ()
        wanted.setdefault(layout, []).append(Remote(finding.uri, url, name, others=others))
        set_aside(store, finding.path, finding.reason)
    outcomes: list[Outcome] = []
    remotes = [remote for some in wanted.values() for remote in some]
    for layout, some in wanted.items():
        _transfer(some, remotes, Store(store.folder, layout=layout), outcomes, listener)
    return Manifest.from_outcomes(remotes, outcomes)


def fetch_remotes(
    remotes: list[Remote],
    folder: Path,
    *,
    flat: bool = False,
    layout: str | None = None,
    deadline: float | None = None,
    listener: Listener = ignore,
) -> Manifest:
    """Fetch files whose place in the archive is known: what `fetch` does once it has asked where they are.

    Raises
    ------
    FetchInterrupted
        On Ctrl-C; it carries the manifest.
    """
    store = Store(folder, flat=flat, layout=layout)
    outcomes: list[Outcome] = []

    def again(some: list[Remote]) -> Manifest:
        return fetch_remotes(some, folder, flat=flat, layout=layout, deadline=deadline, listener=listener)

    try:
        _transfer(remotes, remotes, store, outcomes, listener, deadline, again)
        return Manifest.from_outcomes(remotes, outcomes, again)
    except FetchInterrupted:
        raise
    except KeyboardInterrupt as error:  # when all was settled, and nothing but told
        raise FetchInterrupted(Manifest.from_outcomes(remotes, outcomes, again)) from error


def _transfer(
    remotes: list[Remote],
    told: list[Remote],
    store: Store,
    outcomes: list[Outcome],
    listener: Listener,
    deadline: float | None = None,
    again: Callable[[list[Remote]], Manifest] | None = None,
) -> None:
    """Fetch `remotes`; when interrupted, raise with a manifest of all that are in `told`."""
    if store.ledger.journal != "write-ahead log":
        listener(Event("fetch", note=f"{store.folder}: the ledger keeps a {store.ledger.journal}"))
    try:
        run(transfer(remotes, store, config.load(), outcomes, listener, deadline=deadline))
    except KeyboardInterrupt as error:
        raise FetchInterrupted(Manifest.from_outcomes(told, outcomes, again)) from error
    finally:
        store.close()


def _remote(archive: Archive, row: dict[str, object]) -> Remote:
    size = row.get("size")
    return archive.locate(
        str(row["dataURI"]),
        filename=str(row.get("productFilename") or ""),
        collection=str(row.get("obs_collection") or ""),
        obs_id=str(row.get("obs_id") or ""),
        size=int(size) if isinstance(size, int) and size > 0 else None,
    )
