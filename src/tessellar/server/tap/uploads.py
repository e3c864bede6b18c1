"""Tables that come with a question, as VOTables."""

from __future__ import annotations

import io
import math
import re
import sqlite3
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any
from xml.etree import ElementTree

import numpy as np

from tessellar.errors import QueryError
from tessellar.server.sphere import cap_box, insert_boxes, sky_table
from tessellar.server.tap.model import Column, Sky, Table

#: Rows and columns that an uploaded table may have.
MOST_ROWS, MOST_COLUMNS = 1_000_000, 500

_MOST_CELLS = 4096
_NAME = re.compile(r"[A-Za-z_]\w{0,63}", re.ASCII)
_TYPES = {"b1": "boolean", "u1": "short", "i2": "short", "i4": "int", "i8": "long", "f4": "float", "f8": "double"}
_SQL = {"char": "TEXT COLLATE NOCASE", "float": "REAL", "double": "REAL"}  # the others are whole numbers


@dataclass(frozen=True)
class Upload:
    """A table that came with a question.

    Attributes
    ----------
    name : str
        It is asked for as ``TAP_UPLOAD.name``.
    columns : tuple of Column
        As its own fields say.
    values : tuple of arrays
        Of each column; masked where there is nothing.
    """

    name: str
    columns: tuple[Column, ...]
    values: tuple[Any, ...]

    def table(self, number: int) -> Table:
        """Return what a question may know of it."""
        ra, dec = self._position()
        sky = Sky(ra, dec, "", "row__", f"upload_{number}_sky") if ra else None
        columns = tuple(replace(column, sql=f"column{i}") for i, column in enumerate(self.columns, start=1))
        return Table("tap_upload", self.name, columns, f"upload_{number}", "uploaded", sky)

    def fill(self, connection: sqlite3.Connection, table: Table, *, placed: bool) -> None:
        """Put it in a temporary table of a connection, which is in a transaction and forgets it at its end.

        Parameters
        ----------
        connection : sqlite3.Connection
            Of a reader.
        table : Table
            What `table` said of it.
        placed : bool
            Whether the question looks for its rows by their places.
        """
        kinds = [_SQL.get(column.datatype, "INTEGER") for column in self.columns]
        names = [f"column{i} {kind}" for i, kind in enumerate(kinds, start=1)]
        connection.execute("PRAGMA query_only = OFF")
        try:
            connection.execute(f"CREATE TEMP TABLE {table.rows} (row__ INTEGER PRIMARY KEY, {', '.join(names)})")
            marks = ", ".join("?" * (len(names) + 1))
            connection.executemany(f"INSERT INTO {table.rows} VALUES ({marks})", self._rows())
            if placed and table.sky is not None:
                connection.execute(sky_table(table.rows).replace("CREATE VIRTUAL TABLE ", "CREATE VIRTUAL TABLE temp."))
                ra, dec = (table.by_name[name].sql for name in (table.sky.ra, table.sky.dec))
                places = connection.execute(f"SELECT row__, {ra}, {dec} FROM {table.rows}").fetchall()
                boxes = [(row, cap_box(a, d, 0.0), a, d) for row, a, d in places if _on_sky(a, d)]
                insert_boxes(connection.cursor(), table.rows, boxes)
        finally:
            connection.execute("PRAGMA query_only = ON")

    def _rows(self) -> Iterator[tuple[Any, ...]]:
        lists = [_plain(column, values) for column, values in zip(self.columns, self.values, strict=True)]
        yield from zip(range(1, len(lists[0]) + 1), *lists, strict=True)

    def _position(self) -> tuple[str, str]:
        """Return the names of its columns with a position, by their UCDs or their names; empty without them."""
        found = {}
        for axis, names in (
            ("ra", ("ra", "s_ra", "raj2000", "ra_icrs")),
            ("dec", ("dec", "s_dec", "dej2000", "de_icrs")),
        ):
            real = [column for column in self.columns if column.datatype in ("float", "double")]
            of_ucd = [column for column in real if column.ucd.lower().startswith(f"pos.eq.{axis}")]
            of_name = [column for column in real if column.name.lower() in names]
            found[axis] = next((column.name for column in (*of_ucd, *of_name)), "")
        return (found["ra"].lower(), found["dec"].lower()) if all(found.values()) else ("", "")


def read_upload(name: str, content: bytes) -> Upload:
    """Read a table that was sent with a question.

    Raises
    ------
    QueryError
        If its name is none, or it is not a VOTable, or too large.
    """
    from astropy.io import votable

    if not _NAME.fullmatch(name):
        raise QueryError(f"upload {name!r} is no name of a table: use letters, digits and _")
    if content[:2] == b"\x1f\x8b" or b"<" not in content[:1024]:
        raise QueryError(f"upload {name}: not a VOTable (it begins with {content[:20]!r})")
    _look_through(name, content)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            table = votable.parse_single_table(io.BytesIO(content), verify="ignore")
            data = table.to_table(use_names_over_ids=True)
    except Exception as error:
        raise QueryError(f"upload {name}: cannot be read as a VOTable: {' '.join(str(error).split())[:200]}") from error
    if len(data) > MOST_ROWS or len(data.colnames) > MOST_COLUMNS:
        raise QueryError(f"upload {name} has {len(data):,} rows and {len(data.colnames)} columns: "
                         f"at most {MOST_ROWS:,} and {MOST_COLUMNS} are taken")  # fmt: skip
    if not data.colnames:
        raise QueryError(f"upload {name} has no columns")
    if len({column.lower() for column in data.colnames}) < len(data.colnames):
        raise QueryError(f"upload {name} has two columns whose names differ in case only: rename one")
    fields = {told.name: told for told in table.fields}
    columns = []
    for column in data.colnames:
        told = fields.get(column)
        kind = data[column].dtype.str[1:]
        columns.append(
            Column(
                column,
                _TYPES.get(kind, "char") if data[column].ndim == 1 else "char",
                str(data[column].unit or ""),
                str(getattr(told, "ucd", None) or ""),
                str(getattr(told, "description", None) or ""),
                xtype=str(getattr(told, "xtype", None) or ""),
            )
        )
    return Upload(name, tuple(columns), tuple(data[column] for column in data.colnames))


def _on_sky(ra: float | None, dec: float | None) -> bool:
    return ra is not None and dec is not None and math.isfinite(ra) and -90 <= dec <= 90


def _look_through(name: str, content: bytes) -> None:
    """Refuse, before anything is read, what would be fetched from elsewhere, or would not fit into memory.

    The reader of VOTables follows links in them, to files of this machine too.
    """
    cells = fields = 0
    try:
        for _, element in ElementTree.iterparse(io.BytesIO(content), events=("start",)):
            tag = element.tag.rpartition("}")[2].upper()
            if tag in ("FITS", "PARQUET") or any(key.rpartition("}")[2].lower() == "href" for key in element.attrib):
                raise QueryError(f"upload {name}: holds a {tag} that lies elsewhere; send TABLEDATA, BINARY or BINARY2")
            if tag == "FIELD":
                fields += 1
                cells = max(cells, _cells(element.get("arraysize", "1")))
                if fields > MOST_COLUMNS or cells > _MOST_CELLS:
                    raise QueryError(
                        f"upload {name}: at most {MOST_COLUMNS} columns, of {_MOST_CELLS} values, are taken"
                    )
            if tag == "LINK":
                continue
            element.clear()
    except ElementTree.ParseError as error:
        raise QueryError(f"upload {name}: cannot be read as a VOTable: {error}") from error


def _cells(arraysize: str) -> int:
    """Return how many values of fixed number a cell has."""
    count = 1
    for part in arraysize.lower().split("x"):
        count *= int(part) if part.strip().isdigit() else 1
    return count


def _plain(column: Column, values: Any) -> list[Any]:
    """Return the values as SQLite takes them; None where there is nothing."""
    if getattr(values, "ndim", 1) != 1:
        return [" ".join(map(str, np.ravel(value))) for value in values]
    mask = np.ma.getmaskarray(np.ma.asarray(values))
    listed = np.ma.getdata(np.ma.asarray(values)).tolist()
    if _SQL.get(column.datatype) == "REAL":
        return [None if hidden or value != value else float(value) for value, hidden in zip(listed, mask, strict=True)]
    if column.datatype not in _SQL:
        return [None if hidden else int(value) for value, hidden in zip(listed, mask, strict=True)]
    return [None if hidden else value.decode() if isinstance(value, bytes) else str(value)
            for value, hidden in zip(listed, mask, strict=True)]  # fmt: skip
