"""VOTable, written row by row as the answer comes: TABLEDATA or BINARY2.

VOTable 1.4 (Ochsenbein et al. 2019, IVOA Recommendation); what a TAP answer
has to say of itself is DALI 1.1, section 4.4.
"""

from __future__ import annotations

import base64
import re
import struct
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from tessellar.errors import QueryError
from tessellar.server.tap.model import Column

_OPENING = (
    '<?xml version="1.0" encoding="UTF-8"?>\n'
    '<VOTABLE version="1.4" xmlns="http://www.ivoa.net/xml/VOTable/v1.3"'
    ' xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">\n<RESOURCE type="results">\n'
)
_CLOSING = "</RESOURCE>\n</VOTABLE>\n"
_CODES = {"short": ">h", "int": ">i", "long": ">q", "float": ">f", "double": ">d"}
_ZERO = {"short": b"\0" * 2, "int": b"\0" * 4, "long": b"\0" * 8, "float": b"\0" * 4, "double": b"\0" * 8,
         "boolean": b"?", "char": b"\0" * 4}  # fmt: skip
_ROWS = 500  # in one piece of the answer
# Whole numbers have no value for "none" of their own; TABLEDATA leaves the cell empty, and says so.
_NULLS = {"short": "-32768", "int": "-2147483648", "long": "-9223372036854775808"}
# XML cannot hold these at all.
_UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


def error(message: str) -> bytes:
    """Return the VOTable that tells of an error."""
    return f'{_OPENING}<INFO name="QUERY_STATUS" value="ERROR">{_text(message)}</INFO>\n{_CLOSING}'.encode()


def document(
    columns: Sequence[Column], rows: Iterable[Sequence[Any]], query: str, overflow: Callable[[], bool], *, binary: bool
) -> Iterator[bytes]:
    """Write an answer piece by piece.

    Parameters
    ----------
    columns : sequence of Column
        What the cells are.
    rows : iterable of sequences
        The cells; None where there is nothing.
    query : str
        The question in ADQL, which goes into the answer; empty if it was put in another language.
    overflow : callable
        Asked after the last row whether there would have been more.
    binary : bool
        BINARY2, else TABLEDATA.
    """
    fields = "".join(map(_field, columns))
    standard = '<INFO name="standardID" value="ivo://ivoa.net/std/TAP#sync-1.1"/>\n'
    about = f'<INFO name="QUERY" value={_attribute(query)}/>\n{standard}' if query else ""
    yield f'{_OPENING}<INFO name="QUERY_STATUS" value="OK"/>\n{about}<TABLE>\n{fields}<DATA>\n'.encode()
    yield from _binary(columns, rows) if binary else _tabledata(columns, rows)
    more = '<INFO name="QUERY_STATUS" value="OVERFLOW"/>\n' if overflow() else ""
    yield f"</DATA>\n</TABLE>\n{more}{_CLOSING}".encode()


def _field(column: Column) -> str:
    told = {
        "name": column.name, "datatype": column.datatype, "arraysize": "*" if column.datatype == "char" else "",
        "unit": column.unit, "ucd": column.ucd, "utype": column.utype, "xtype": column.xtype,
    }  # fmt: skip
    attributes = " ".join(f"{name}={_attribute(value)}" for name, value in told.items() if value)
    inside = f"<DESCRIPTION>{_text(column.description)}</DESCRIPTION>" if column.description else ""
    if column.datatype in _NULLS:
        inside += f'<VALUES null="{_NULLS[column.datatype]}"/>'
    return f"<FIELD {attributes}>{inside}</FIELD>\n"


def _tabledata(columns: Sequence[Column], rows: Iterable[Sequence[Any]]) -> Iterator[bytes]:
    cells = [_CELLS.get(column.datatype, _plain) for column in columns]
    nothing = [f"<TD>{_NULLS.get(column.datatype, '')}</TD>" for column in columns]
    yield b"<TABLEDATA>\n"
    for part in _fitting(columns, rows):
        lines = [
            "<TR>" + "".join(none if value is None else f"<TD>{cell(value)}</TD>"
                             for cell, none, value in zip(cells, nothing, row, strict=True)) + "</TR>\n"
            for row in part
        ]  # fmt: skip
        yield "".join(lines).encode()
    yield b"</TABLEDATA>\n"


def _binary(columns: Sequence[Column], rows: Iterable[Sequence[Any]]) -> Iterator[bytes]:
    packers = [_packer(column.datatype) for column in columns]
    empty = [_ZERO[column.datatype] for column in columns]
    count = len(columns)
    flag_bytes = (count + 7) // 8
    bits = [1 << (8 * flag_bytes - 1 - i) for i in range(count)]
    yield b'<BINARY2>\n<STREAM encoding="base64">\n'
    left = b""
    for part in _fitting(columns, rows):
        packed = [left]
        for row in part:
            flags = 0
            cells = []
            for i, value in enumerate(row):
                if value is None:
                    flags |= bits[i]
                    cells.append(empty[i])
                else:
                    cells.append(packers[i](value))
            packed += [flags.to_bytes(flag_bytes), *cells]
        whole = b"".join(packed)
        # Base64 takes three bytes at a time: what is over waits for the next piece.
        cut = len(whole) - len(whole) % 3
        left = whole[cut:]
        yield base64.b64encode(whole[:cut])
    yield base64.b64encode(left) + b"\n</STREAM>\n</BINARY2>\n"


def _fitting(columns: Sequence[Column], rows: Iterable[Sequence[Any]]) -> Iterator[list[Sequence[Any]]]:
    """Give rows some at a time, and refuse values that are not what their column is told to hold.

    What SQLite works out may be anything, whatever a question promises.
    """
    wanted = [(i, column, _FITS[column.datatype]) for i, column in enumerate(columns) if column.datatype in _FITS]
    for part in _pieces(rows):
        for row in part:
            for i, column, fits in wanted:
                if row[i] is not None and not fits(row[i]):
                    raise QueryError(f"column {column.name} is {column.datatype}, but has the value {row[i]!r:.60}")
        yield part


def _within(bits: int) -> Callable[[Any], bool]:
    most = 1 << (bits - 1)
    return lambda value: isinstance(value, int | float) and -most <= value < most and value == int(value)


_FITS: dict[str, Callable[[Any], bool]] = {
    "short": _within(16), "int": _within(32), "long": _within(64),
    "float": lambda value: isinstance(value, int | float), "double": lambda value: isinstance(value, int | float),
}  # fmt: skip


def _pieces(rows: Iterable[Sequence[Any]]) -> Iterator[list[Sequence[Any]]]:
    remaining = iter(rows)
    while part := list(islice(remaining, _ROWS)):
        yield part


def _packer(datatype: str) -> Callable[[Any], bytes]:
    if datatype == "char":
        return _packed_text
    if datatype == "boolean":
        return lambda value: b"T" if value else b"F"
    pack, whole = struct.Struct(_CODES[datatype]).pack, datatype not in ("float", "double")
    return lambda value: pack(int(value) if whole else float(value))


def _packed_text(value: Any) -> bytes:
    text = str(value).encode()
    return struct.pack(">i", len(text)) + text


def _plain(value: Any) -> str:
    text = str(value)
    return _text(text) if "<" in text or "&" in text or ">" in text or not text.isprintable() else text


def _real(value: Any) -> str:
    return repr(float(value)) if value == value and abs(value) != float("inf") else _ODD[str(float(value))]


_ODD = {"nan": "NaN", "inf": "+Inf", "-inf": "-Inf"}
_CELLS: dict[str, Callable[[Any], str]] = {
    "double": _real,
    "float": _real,
    "boolean": lambda value: "T" if value else "F",
    "short": lambda value: str(int(value)),
    "int": lambda value: str(int(value)),
    "long": lambda value: str(int(value)),
}


def printable(text: str) -> str:
    """Return a text without what XML cannot hold."""
    return _UNPRINTABLE.sub("\ufffd", text)


def _text(text: str) -> str:
    return escape(printable(text))


def _attribute(text: str) -> str:
    return quoteattr(printable(text), {"\n": "&#10;"})
