"""The forms in which an answer can be had."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from tessellar.errors import QueryError
from tessellar.server.tap import votable
from tessellar.server.tap.model import Column

_ROWS = 500
_ECSV_TYPES = {"char": "string", "short": "int16", "int": "int32", "long": "int64", "float": "float32",
               "double": "float64", "boolean": "bool"}  # fmt: skip


@dataclass(frozen=True)
class Format:
    """One form of an answer.

    Attributes
    ----------
    media_type : str
        As it is told with the answer.
    suffix : str
        Of a file with it.
    names : tuple of str
        By which it can be asked for; the media type itself is one of them.
    """

    media_type: str
    suffix: str
    names: tuple[str, ...]


_VOTABLE = Format("application/x-votable+xml", "vot", ("votable", "votable/td", "text/xml", "application/xml",
                  "application/x-votable+xml;serialization=tabledata", "votabletd"))  # fmt: skip
_BINARY2 = Format("application/x-votable+xml;serialization=BINARY2", "vot", ("votable/b2", "votableb2"))
_CSV = Format("text/csv;header=present", "csv", ("csv", "text/csv"))
_TSV = Format("text/tab-separated-values", "tsv", ("tsv",))
_JSON = Format("application/json", "json", ("json",))
_ECSV = Format("text/x-ecsv", "ecsv", ("ecsv",))

FORMATS = (_VOTABLE, _BINARY2, _CSV, _TSV, _JSON, _ECSV)


def chosen(name: str) -> Format:
    """Return a form by one of its names, in any case.

    Raises
    ------
    QueryError
        If there is no such form.
    """
    asked = name.strip().lower().replace(" ", "")
    for form in FORMATS:
        if asked in (form.media_type.lower(), *form.names):
            return form
    raise QueryError(f"RESPONSEFORMAT {name!r} is not known; there are votable, votable/b2, csv, tsv, json and ecsv")


def written(
    form: Format, columns: Sequence[Column], rows: Iterable[Sequence[Any]], query: str, overflow: Callable[[], bool]
) -> Iterator[bytes]:
    """Write an answer in a form, piece by piece.

    In CSV and TSV there is no place to say that there would have been more rows.
    """
    if form in (_VOTABLE, _BINARY2):
        return votable.document(columns, rows, query, overflow, binary=form is _BINARY2)
    if form is _JSON:
        return _json(columns, rows, overflow)
    if form is _ECSV:
        return _ecsv(columns, rows, query, overflow)
    return _separated(columns, rows, "," if form is _CSV else "\t")


def _separated(columns: Sequence[Column], rows: Iterable[Sequence[Any]], delimiter: str) -> Iterator[bytes]:
    dialect = {"delimiter": delimiter, "lineterminator": "\r\n" if delimiter == "," else "\n"}
    yield from _lines([[column.name for column in columns]], dialect)
    truths = [i for i, column in enumerate(columns) if column.datatype == "boolean"]
    yield from _lines((_spelled(row, truths) for row in rows), dialect)


def _spelled(row: Sequence[Any], truths: Sequence[int], words: tuple[str, str] = ("false", "true")) -> Sequence[Any]:
    if not truths:
        return row
    cells = list(row)
    for i in truths:
        cells[i] = None if cells[i] is None else words[bool(cells[i])]
    return cells


def _lines(rows: Iterable[Sequence[Any]], dialect: dict[str, Any]) -> Iterator[bytes]:
    remaining = iter(rows)
    while part := list(islice(remaining, _ROWS)):
        text = io.StringIO()
        csv.writer(text, **dialect).writerows(part)
        yield text.getvalue().encode()


def _json(columns: Sequence[Column], rows: Iterable[Sequence[Any]], overflow: Callable[[], bool]) -> Iterator[bytes]:
    info = [
        {"name": c.name, "datatype": c.datatype, "unit": c.unit, "ucd": c.ucd, "description": c.description}
        for c in columns
    ]
    yield f'{{"info": {json.dumps(info)}, "data": ['.encode()
    first = True
    remaining = iter(rows)
    while part := list(islice(remaining, _ROWS)):
        text = ", ".join(json.dumps([_finite(value) for value in row]) for row in part)
        yield (text if first else ", " + text).encode()
        first = False
    yield f'], "overflow": {json.dumps(overflow())}}}'.encode()


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _ecsv(
    columns: Sequence[Column], rows: Iterable[Sequence[Any]], query: str, overflow: Callable[[], bool]
) -> Iterator[bytes]:
    """Write ECSV 1.0 (Aldcroft 2020, APE 6); as its header comes first, the rows are gathered to know of more."""
    gathered = list(rows)
    lines = ["# %ECSV 1.0", "# ---", "# datatype:"]
    for column in columns:
        told = {"name": column.name, "datatype": _ECSV_TYPES[column.datatype], "unit": column.unit,
                "description": column.description}  # fmt: skip
        lines.append("# - {" + ", ".join(f"{key}: {json.dumps(value)}" for key, value in told.items() if value) + "}")
    lines += ["# meta: " + json.dumps({"query": query, "overflow": overflow()}), "# schema: astropy-2.0", ""]
    yield "\n".join(lines).encode()
    yield (" ".join(_quoted(column.name) for column in columns) + "\n").encode()
    truths = [i for i, column in enumerate(columns) if column.datatype == "boolean"]
    for start in range(0, len(gathered), _ROWS):
        part = (_spelled(row, truths, ("False", "True")) for row in gathered[start : start + _ROWS])
        yield "".join(" ".join(map(_ecsv_cell, row)) + "\n" for row in part).encode()


def _ecsv_cell(value: Any) -> str:
    return _quoted(value) if isinstance(value, str) else '""' if value is None else str(value)


def _quoted(text: str) -> str:
    plain = text and not any(character in text for character in ' "\n\r,#')
    return text if plain else '"' + text.replace('"', '""') + '"'
