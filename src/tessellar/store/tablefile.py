"""A table that is written piece by piece, too long for memory, and can be gone on with after a kill.

While it grows, its rows lie beside it in ``NAME.part`` and how far it is in
``NAME.part.json``. It gets its name when it is complete, and both go away.
"""

from __future__ import annotations

import csv
import hashlib
import json
import os
import warnings
from collections.abc import Mapping, Sequence
from contextlib import suppress
from io import StringIO
from pathlib import Path
from typing import Any

from astropy.table import Table

from tessellar.errors import InputError, NoPermission, StoreError
from tessellar.products.tables import ArchiveTable
from tessellar.store.claims import claim
from tessellar.store.packing import pyarrow_for, to_parquet

FORMATS = (".csv", ".ecsv", ".parquet")
VOTABLE = (".vot", ".xml")
_TEXT = {".csv": "ascii.csv", ".ecsv": "ascii.ecsv"}
_WHOLE = {".fits": "fits", ".vot": "votable", ".xml": "votable"}
#: What `write_table` writes.
WRITTEN = (*FORMATS, *_WHOLE)


class TableFile:
    """One table on its way to a file.

    Parameters
    ----------
    path : Path
        Where it is to be; its ending tells the format: ``.csv``, ``.ecsv`` or
        ``.parquet`` (which needs pyarrow). A file that is there is replaced at the end.
    kind : type of ArchiveTable
        Tells the types, units and meanings of columns.
    columns : sequence of str
        Those that are written.
    question : mapping
        What the rows answer. What another question left behind is not gone on with.
    meta : mapping, optional
        Written into the head of an ECSV file.
    resume : bool
        Go on with what an earlier attempt left.

    Raises
    ------
    InputError
        If the ending is none of the formats, or what is there is half the answer to another question.
    StoreError
        If it cannot be written, or another process writes it now.
    """

    def __init__(
        self,
        path: Path,
        kind: type[ArchiveTable],
        columns: Sequence[str],
        question: Mapping[str, Any],
        meta: Mapping[str, Any] | None = None,
        resume: bool = True,
    ) -> None:
        check_format(path)
        self.path, self._kind, self._columns = path, kind, list(columns)
        self._part, self._state = path.with_name(f"{path.name}.part"), path.with_name(f"{path.name}.part.json")
        self._asked = hashlib.sha256(json.dumps([question, self._columns], sort_keys=True).encode()).hexdigest()
        self._meta = dict(meta or {})
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._claim = claim(self._part)
        except OSError as error:
            raise NoPermission(f"{path}: cannot be written ({error.strerror}); choose another place") from error
        if self._claim is None:
            raise StoreError(f"{path}: another process is writing it; wait for that, or choose another name")
        try:
            self.note = self._resumed(resume)
        except BaseException:
            self._claim.release()
            raise
        self._stream = self._part.open("a", encoding="utf-8", newline="")

    def append(self, table: ArchiveTable, note: Mapping[str, Any]) -> None:
        """Write the rows of a table, on the disk when this returns, and `note` for whoever goes on from here."""
        writer = csv.writer(self._stream, lineterminator="\n")
        known = [table[name].tolist() if name in table.colnames else [None] * len(table) for name in self._columns]
        writer.writerows(zip(*known, strict=True))
        self._stream.flush()
        os.fsync(self._stream.fileno())
        self._remember(self._stream.tell(), note)

    def finish(self) -> Path:
        """Give the table its name."""
        self._stream.close()
        if self.path.suffix == ".parquet":
            self._to_parquet()
        else:
            self._part.replace(self.path)
        self._state.unlink(missing_ok=True)
        self._part.unlink(missing_ok=True)
        return self.path

    def close(self) -> None:
        """Let go of it; what is written stays, to be gone on with."""
        self._stream.close()
        assert self._claim is not None
        self._claim.release()

    def _resumed(self, resume: bool) -> Mapping[str, Any]:
        """Go back to the last whole piece; return its note, empty if there is none."""
        state: dict[str, Any] = {}
        with suppress(OSError, ValueError):
            state = json.loads(self._state.read_text(encoding="utf-8"))
        if state and state.get("question") != self._asked:
            raise InputError(
                f"{self._part}: half of another table; finish that one, remove it, or write to another file"
            )
        written = int(state.get("bytes", 0))
        if not resume or not written or self._part.stat().st_size < written:
            written = self._begin()
            state = {}
        os.truncate(self._part, written)
        return dict(state.get("note", {}))

    def _begin(self) -> int:
        head = self._head().encode()
        self._part.write_bytes(head)
        self._remember(len(head), {})
        return len(head)

    def _head(self) -> str:
        if self.path.suffix != ".ecsv":
            return ",".join(self._columns) + "\n"
        empty = self._kind.from_rows([], self._columns)
        empty.meta |= self._meta
        head = StringIO()
        empty.write(head, format="ascii.ecsv", delimiter=",")
        return head.getvalue()

    def _remember(self, written: int, note: Mapping[str, Any]) -> None:
        fresh = self._state.with_name(f"{self._state.name}.new")
        with fresh.open("w", encoding="utf-8") as stream:
            json.dump({"question": self._asked, "bytes": written, "note": dict(note)}, stream)
            stream.flush()
            os.fsync(stream.fileno())
        fresh.replace(self._state)

    def _to_parquet(self) -> None:
        """Pack the rows, some at a time, into columns."""
        known = self._kind.known_columns
        packed = self.path.with_name(f"{self.path.name}.packed")
        to_parquet(self._part, packed, {name: known[name].kind if name in known else str for name in self._columns})
        packed.replace(self.path)


def check_format(path: Path) -> None:
    """Raise `InputError` unless tables can be written to a file of this name, here."""
    if path.suffix not in FORMATS:
        raise InputError(f"{path}: a table is written to {', '.join(FORMATS)}; choose one of these endings")
    if path.suffix == ".parquet":
        pyarrow_for(path)


def write_table(table: Table, path: Path) -> Path:
    """Write a table that is here whole; it gets its name when it is complete, and the ending tells the format.

    ``.ecsv`` keeps units and what is in ``meta``, ``.fits`` and ``.vot`` units; ``.parquet`` needs pyarrow.

    Raises
    ------
    InputError
        If the file's ending is none of `WRITTEN`.
    StoreError
        If it cannot be written.
    """
    if isinstance(table, ArchiveTable) and path.suffix not in _WHOLE:
        file = TableFile(path, type(table), table.colnames, {"whole": True}, table.meta, resume=False)
        try:
            file.append(table, {})
            return file.finish()
        finally:
            file.close()
    if path.suffix not in WRITTEN:
        raise InputError(f"{path}: a table is written to {', '.join(WRITTEN)}; choose one of these endings")
    part = path.with_name(f".{path.stem}.part{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of names and units that the format wants in another way
            if path.suffix == ".parquet":
                _write_parquet(table, part)
            else:
                table.write(part, format=_TEXT.get(path.suffix) or _WHOLE[path.suffix], overwrite=True)
        part.replace(path)
    except OSError as error:
        raise NoPermission(f"{path}: cannot be written ({error.strerror or error}); choose another place") from error
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)
    return path


def _write_parquet(table: Table, path: Path) -> None:
    pa = pyarrow_for(path)
    from pyarrow import parquet

    parquet.write_table(pa.table({name: pa.array(table[name].tolist()) for name in table.colnames}), path)
