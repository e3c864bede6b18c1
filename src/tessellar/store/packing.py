"""Rows that lie in a CSV file packed into columns, some at a time: Parquet and FITS tables of any length."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tessellar.errors import InputError

if TYPE_CHECKING:
    from astropy.table import Table

#: How services write true and false, in lower case.
TRUTHS = {"true": True, "t": True, "1": True, "false": False, "f": False, "0": False}

_ROWS = 10_000  # that are packed at a time
_BLOCK = 2880  # bytes, of FITS
_NO_NUMBER = -(2**63)


def pyarrow_for(path: Path) -> Any:
    """Return pyarrow, which a Parquet file needs.

    Raises
    ------
    InputError
        If it is not installed.
    """
    try:
        import pyarrow
    except ImportError as error:
        raise InputError(f"{path}: Parquet needs pyarrow: pip install 'tessellar[parquet]'") from error
    return pyarrow


def to_parquet(source: Path, target: Path, kinds: Mapping[str, type]) -> int:
    """Pack a CSV file with a header into a Parquet file; return the number of rows.

    Parameters
    ----------
    source, target : Path
        The CSV file, and where the other goes.
    kinds : mapping
        ``str``, ``int``, ``float`` or ``bool`` for each column; an empty cell is a missing value.
    """
    pa = pyarrow_for(target)
    from pyarrow import csv as arrow_csv
    from pyarrow import parquet

    types = {str: pa.string(), float: pa.float64(), int: pa.int64(), bool: pa.bool_()}
    convert = arrow_csv.ConvertOptions(
        column_types={name: types[kind] for name, kind in kinds.items()}, null_values=[""], strings_can_be_null=True,
        true_values=["True", "true", "T", "t", "1"], false_values=["False", "false", "F", "f", "0"],
    )  # fmt: skip
    parse = arrow_csv.ParseOptions(newlines_in_values=True)
    rows = 0
    reader = arrow_csv.open_csv(source, convert_options=convert, parse_options=parse)
    with parquet.ParquetWriter(target, reader.schema) as writer:
        for batch in reader:
            writer.write_batch(batch)
            rows += len(batch)
    return rows


def to_fits(source: Path, target: Path, head: Table) -> int:
    """Pack a CSV file with a header into a FITS binary table; return the number of rows.

    Text is ASCII in FITS: other characters become question marks. A missing
    number is NaN, or the column's TNULL.

    Parameters
    ----------
    source, target : Path
        The CSV file, and where the other goes.
    head : Table
        Without rows: names, types, units and descriptions of the columns, and ``meta["query"]``.
    """
    rows, widths = _measured(source, len(head.colnames))
    kinds = [head[name].dtype.kind for name in head.colnames]
    dtype = np.dtype(
        [(f"f{i}", _stored(kind, width)) for i, (kind, width) in enumerate(zip(kinds, widths, strict=True))]
    )
    with target.open("wb") as stream:
        stream.write(_headers(head, kinds, widths, rows))
        written = 0
        for part in _parts(source):
            packed = np.zeros(len(part), dtype)
            for i, (kind, cells) in enumerate(zip(kinds, zip(*part, strict=True), strict=True)):
                packed[f"f{i}"] = _values(kind, cells)
            written += stream.write(packed.tobytes())
        stream.write(b"\0" * (-written % _BLOCK))
    return rows


def _measured(source: Path, columns: int) -> tuple[int, list[int]]:
    """Return the number of rows, and of characters in the longest cell of each column."""
    rows, widths = 0, [1] * columns
    for part in _parts(source):
        rows += len(part)
        widths = [max(width, *map(len, cells)) for width, cells in zip(widths, zip(*part, strict=True), strict=True)]
    return rows, widths


def _parts(source: Path) -> Iterator[list[list[str]]]:
    with source.open(encoding="utf-8", newline="") as stream:
        reader = csv.reader(stream)
        next(reader, None)
        while part := list(islice(reader, _ROWS)):
            yield part


def _stored(kind: str, width: int) -> str:
    return {"i": ">i8", "u": ">i8", "f": ">f8", "b": "S1"}.get(kind, f"S{width}")


def _values(kind: str, cells: Sequence[str]) -> Any:
    if kind in "iu":
        return [int(cell) if cell else _NO_NUMBER for cell in cells]
    if kind == "f":
        return [float(cell) if cell else np.nan for cell in cells]
    if kind == "b":
        letters = {True: b"T", False: b"F", None: b""}
        return [letters[TRUTHS.get(cell.lower())] for cell in cells]
    return [(cell if cell.isascii() and cell.isprintable() else _ascii(cell)).encode() for cell in cells]


def _headers(head: Table, kinds: Sequence[str], widths: Sequence[int], rows: int) -> bytes:
    from astropy.io import fits

    columns = []
    for name, kind, width in zip(head.colnames, kinds, widths, strict=True):
        code = {"i": "K", "u": "K", "f": "D", "b": "L"}.get(kind, f"{width}A")
        unit = head[name].unit
        columns.append(
            fits.Column(name, code, unit=str(unit) if unit else None, null=_NO_NUMBER if code == "K" else None)
        )
    table = fits.BinTableHDU.from_columns(columns, nrows=0)
    table.header["NAXIS2"] = rows
    for i, name in enumerate(head.colnames, start=1):
        if head[name].description:
            table.header[f"TCOMM{i}"] = _ascii(head[name].description)[:68]
    for line in str(head.meta.get("query") or "").splitlines():
        table.header.add_history(_ascii(line))
    primary = fits.PrimaryHDU()
    primary.header["EXTEND"] = True
    return b"".join(each.header.tostring().encode("ascii") for each in (primary, table))


def _ascii(text: str) -> str:
    return "".join(character if " " <= character <= "~" else "?" for character in text)
