"""What a fetch did: one row for every file that was asked for."""

from __future__ import annotations

import errno
import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from astropy.table import Table

from tessellar.errors import Interrupted, NoPermission, NoSpace, TessellarError, TransferError
from tessellar.net import Outcome, Remote

if TYPE_CHECKING:
    from tessellar.store.opened import OpenedSet

COMPLETE = "COMPLETE"
ERROR = "ERROR"

_COLUMNS = {
    "Local Path": (str, "where the file is, empty if it is not here"),
    "Status": (str, "COMPLETE or ERROR"),
    "Message": (str, "how it came to be here, or why it is not"),
    "URL": (str, "where it was asked for"),
    "Bytes": (int, "size of the file"),
    "SHA256": (str, "digest of its bytes"),
    "Attempts": (int, "requests made for it; 0 if it was here already"),
    "URI": (str, "its name in the archive"),
}


class Manifest(Table):  # type: ignore[misc]
    """One row for every file that was asked for, whatever became of it.

    The first four columns are those of astroquery's ``download_products``:
    ``Local Path, Status, Message, URL``; after them ``Bytes, SHA256, Attempts, URI``.
    """

    _again: Callable[[list[Remote]], Manifest] | None = None
    _remotes: Sequence[Remote] = ()
    _errors: Sequence[TessellarError] = ()

    @classmethod
    def from_outcomes(
        cls,
        remotes: Sequence[Remote],
        outcomes: Sequence[Outcome],
        again: Callable[[list[Remote]], Manifest] | None = None,
    ) -> Self:
        """Build the manifest, in the order of `remotes`; one without an outcome was interrupted.

        Parameters
        ----------
        remotes : sequence of Remote
            Everything that was asked for.
        outcomes : sequence of Outcome
            What was settled.
        again : callable, optional
            How `retry` fetches.
        """
        by_uri = {outcome.remote.uri: outcome for outcome in outcomes}
        rows = [_row(remote, by_uri.get(remote.uri)) for remote in remotes]
        columns: list[Any] = list(zip(*rows, strict=True)) if rows else [[] for _ in _COLUMNS]
        table = cls()
        for (name, (kind, description)), values in zip(_COLUMNS.items(), columns, strict=True):
            table[name] = cls.Column(values, dtype=kind, description=description)
        table._remotes = tuple(remotes)
        table._again = again
        interrupted = [Interrupted("interrupted") for remote in remotes if remote.uri not in by_uri]
        table._errors = [*(outcome.error for outcome in outcomes if outcome.error is not None), *interrupted]
        return table

    @property
    def ok(self) -> bool:
        """Whether every file is here."""
        return bool((self["Status"] == COMPLETE).all()) if len(self) else True

    @property
    def failed(self) -> Self:
        """The rows of the files that are not here."""
        return self[self["Status"] != COMPLETE] if len(self) else self

    @property
    def errors(self) -> Sequence[TessellarError]:
        """Why files are not here; empty also for a manifest that was read from a file."""
        return self._errors

    @property
    def paths(self) -> list[Path]:
        """The files that are here."""
        return [Path(row["Local Path"]) for row in self if row["Status"] == COMPLETE]

    def open(self) -> OpenedSet:
        """Return the files that are here as models: each is read when it is asked for."""
        from tessellar.store.opened import OpenedSet

        return OpenedSet(self.paths)

    def retry(self) -> Manifest:
        """Fetch again what failed; return the manifest of those files."""
        missing = set(self.failed["URI"]) if len(self) else set()
        wanted = [remote for remote in self._remotes if remote.uri in missing]
        if self._again is None:
            raise TransferError("this manifest was read from a file: fetch its products again")
        return self._again(wanted)

    def raise_for_failures(self) -> None:
        """Raise `TransferError`, naming the first file, if any is not here."""
        failed = self.failed
        if len(failed):
            more = f" and {len(failed) - 1} more" if len(failed) > 1 else ""
            raise TransferError(f"{len(failed)} of {len(self)} files are not here: {failed['Message'][0]}{more}")

    def to_rows(self) -> list[dict[str, Any]]:
        """Return plain rows with the keys of the command line's ``--json``."""
        return [
            {
                "path": _text(row["Local Path"]) or None,
                "status": _text(row["Status"]),
                "message": _text(row["Message"]),
                "url": _text(row["URL"]),
                "bytes": int(row["Bytes"]),
                "sha256": _text(row["SHA256"]) or None,
                "attempts": int(row["Attempts"]),
                "uri": _text(row["URI"]),
            }
            for row in self
        ]


def write_manifest(manifest: Manifest, folder: Path) -> Path:
    """Write a manifest beside the data, as ECSV and as JSON lines; return the path of the first.

    The names tell the time (UTC): ``manifest_20260131T235959Z.ecsv`` and ``.jsonl``. A line of the
    second is one row with the keys of the command line's ``--json``.

    Raises
    ------
    StoreError
        If they cannot be written.
    """
    path = folder / f"manifest_{datetime.now(UTC):%Y%m%dT%H%M%SZ}.ecsv"
    lines = path.with_suffix(".jsonl")
    try:
        manifest.write(path, format="ascii.ecsv", overwrite=True)
        lines.write_text("".join(json.dumps(row) + "\n" for row in manifest.to_rows()), encoding="utf-8")
    except OSError as error:
        kind = NoSpace if error.errno in (errno.ENOSPC, errno.EDQUOT) else NoPermission
        raise kind(f"{path}: the manifest cannot be written ({error.strerror})") from error
    return path


def _text(value: Any) -> str:
    """Return a cell as text; astropy reads an empty one back as masked."""
    return "" if value is np.ma.masked else str(value)


def _row(remote: Remote, outcome: Outcome | None) -> tuple[str, str, str, str, int, str, int, str]:
    if outcome is None:
        return ("", ERROR, "interrupted before it was whole; run again to go on", remote.url, 0, "", 0, remote.uri)
    if outcome.kept is None:
        return ("", ERROR, str(outcome.error), remote.url, 0, "", outcome.attempts, remote.uri)
    kept, url = outcome.kept, outcome.remote.url
    return (str(kept.path), COMPLETE, kept.note, url, kept.size, kept.sha256, outcome.attempts, remote.uri)
