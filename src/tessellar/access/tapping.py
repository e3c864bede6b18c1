"""Tables from and for TAP services: files to upload, answers to keep, answers too long for memory."""

from __future__ import annotations

import csv
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tessellar.errors import InputError, NoPermission
from tessellar.progress import Listener, ignore
from tessellar.store.packing import TRUTHS, pyarrow_for, to_fits, to_parquet

if TYPE_CHECKING:
    from astropy.table import Table

    from tessellar.archives.tap import TapService

#: What an answer of any length can be written to.
STREAMED = (".csv", ".ecsv", ".parquet", ".fits")

_FORMATS = {".ecsv": "ascii.ecsv", ".csv": "ascii.csv", ".fits": "fits", ".vot": "votable", ".xml": "votable"}


def read_upload(text: str) -> tuple[str, Table]:
    """Read ``NAME=FILE``: a table as ECSV, CSV, FITS or VOTable.

    Raises
    ------
    InputError
        If it is not written so, or the file is no table.
    """
    from astropy.table import Table

    name, sign, file = text.partition("=")
    if not sign or not name.isidentifier():
        raise InputError(f"upload {text!r}: write NAME=FILE, as in mine=stars.csv")
    path = Path(file).expanduser()
    form = _FORMATS.get(path.suffix)
    if form is None:
        raise InputError(f"upload {path}: a table is read from {', '.join(_FORMATS)}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return name, Table.read(path, format=form)
    except Exception as error:
        raise InputError(f"upload {path}: cannot be read as a table: {' '.join(str(error).split())[:200]}") from error


@dataclass(frozen=True)
class SavedAnswer:
    """What was written.

    Attributes
    ----------
    path : Path
        The file.
    rows : int
        Its rows.
    overflow : bool
        Whether the service has cut the answer off, or may have: it gave as many rows as it gives at all.
    """

    path: Path
    rows: int
    overflow: bool


def save_answer(
    service: TapService,
    adql: str,
    path: Path,
    *,
    maxrec: int | None = None,
    uploads: Mapping[str, Table] | None = None,
    timeout: float | None = None,
    listener: Listener = ignore,
) -> SavedAnswer:
    """Ask a question as a job, and stream its answer to a file: no more than a piece of it is in memory.

    Parameters
    ----------
    service : TapService
        Whom to ask.
    adql : str
        The question.
    path : Path
        ``.csv``, ``.ecsv`` and ``.fits`` (with units), or ``.parquet`` (extra ``parquet``).
    maxrec, uploads, timeout, listener
        As for `tessellar.archives.tap.TapService.query`.

    Raises
    ------
    InputError
        If the ending is none of these.
    QueryError, ArchiveError
        If the service refuses the question, or fails.
    NoPermission
        If it cannot be written.
    """
    if path.suffix not in STREAMED:
        raise InputError(f"{path}: an answer is streamed to {', '.join(STREAMED)}; choose one of these")
    if path.suffix == ".parquet":
        pyarrow_for(path)
    head = service.query(adql, mode="sync", maxrec=0, uploads=uploads)
    limit = maxrec if maxrec is not None else service.limits()["rows"]
    raw, part = path.with_name(f".{path.name}.csv.part"), path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        job = service.submit(adql, maxrec=maxrec, uploads=uploads, form="csv")
        job.wait(timeout=timeout, listener=listener).save(raw)
        rows = _rewritten(raw, part, head, path.suffix)
        part.replace(path)
        job.delete()
    except OSError as error:
        raise NoPermission(f"{path}: cannot be written ({error.strerror or error}); choose another place") from error
    finally:
        raw.unlink(missing_ok=True)
        part.unlink(missing_ok=True)
    return SavedAnswer(path, rows, limit is not None and rows >= int(limit))


def _rewritten(raw: Path, part: Path, head: Table, suffix: str) -> int:
    """Write the CSV of a service in another form, row by row; return the number of rows."""
    if suffix == ".fits":
        return to_fits(raw, part, head)
    if suffix == ".parquet":
        kinds = {"i": int, "u": int, "f": float, "b": bool}
        return to_parquet(raw, part, {name: kinds.get(head[name].dtype.kind, str) for name in head.colnames})
    rows = 0
    with raw.open(encoding="utf-8", newline="") as source, part.open("w", encoding="utf-8", newline="") as target:
        reader = csv.reader(source)
        names = next(reader, None)
        if suffix == ".ecsv":
            empty = head.copy()
            empty.write(target, format="ascii.ecsv", delimiter=",")
        else:
            csv.writer(target, lineterminator="\n").writerow(names or head.colnames)
        writer = csv.writer(target, lineterminator="\n")
        truths = [i for i, name in enumerate(head.colnames) if suffix == ".ecsv" and head[name].dtype.kind == "b"]
        for row in reader:
            for i in truths:  # services write them in many ways, ECSV in one
                row[i] = str(TRUTHS.get(row[i].lower(), row[i]))
            writer.writerow(row)
            rows += 1
    return rows
