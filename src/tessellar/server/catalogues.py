"""Extracts of the TESS Input Catalog: tables of stars with the catalogue's column names, in files named ``tic*``."""

from __future__ import annotations

import csv
import gzip
import io
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tessellar.errors import Corrupt
from tessellar.server.columns import STAR, Column
from tessellar.server.headers import read_headers

_NAME = re.compile(r"tic.*\.(?:ecsv|csv|csv\.gz|fits|fits\.gz|parquet)", re.IGNORECASE)
_NEEDED = ("ID", "ra", "dec")
_DELIMITER = re.compile(r"#\s*delimiter:\s*(['\"]?)(.+)\1\s*$")
_EMPTY = ("", "nan", "null", "none", "--", "n/a")

Convert = Callable[[str], Any]


@dataclass(frozen=True)
class Catalogue:
    """One file of stars.

    Attributes
    ----------
    path : Path
        Where it lies.
    group : str
        What the index calls it.
    """

    path: Path
    group: str

    def stars(self) -> Iterator[dict[str, Any]]:
        """Give the stars, one by one; those without an id or a position are left out.

        Raises
        ------
        Corrupt
            If the file cannot be read.
        """
        try:
            for row in _rows(self.path):
                if _usable(row):
                    yield row
        except (ValueError, EOFError, UnicodeDecodeError, csv.Error, KeyError) as error:
            raise Corrupt(f"{self.path}: cannot be read as a table of stars: {error}") from error


def find_catalogue(root: Path, path: str) -> Catalogue | None:
    """Say whether a file is an extract of the TESS Input Catalog, by its name and its columns.

    Parameters
    ----------
    root : Path
        The folder that is served.
    path : str
        The file's path below it.

    Raises
    ------
    Corrupt
        If it should be one but cannot be read.
    """
    file = root / path
    if not _NAME.fullmatch(file.name):
        return None
    catalogue = Catalogue(file, f"catalogue/{path}")
    try:
        missing = set(_NEEDED) - set(_columns(file))
        return None if missing else catalogue
    except (ValueError, EOFError, UnicodeDecodeError, csv.Error, KeyError) as error:
        raise Corrupt(f"{file}: cannot be read as a table of stars: {error}") from error


def _columns(path: Path) -> list[str]:
    if _is_text(path):
        with _opened(path) as stream:
            names, _ = _head(stream)
            return [column.name for column in map(_known, names) if column]
    # A target pixel file, say, would be read as a whole only to see that it is none.
    names = _table(path).colnames if path.suffix == ".parquet" else list(read_headers(path).columns)
    return [column.name for column in map(_known, names) if column]


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    return _text_rows(path) if _is_text(path) else _table_rows(path)


def _is_text(path: Path) -> bool:
    return path.name.lower().endswith((".ecsv", ".csv", ".csv.gz"))


def _opened(path: Path) -> io.TextIOWrapper:
    if path.name.lower().endswith(".gz"):
        return io.TextIOWrapper(gzip.open(path), encoding="utf-8", newline="")
    return path.open(encoding="utf-8", newline="")


def _head(stream: Iterable[str]) -> tuple[list[str], str]:
    """Read up to the line with the names of the columns; return them, and what stands between them."""
    delimiter = ""
    for line in stream:
        if line.startswith("#"):
            delimiter = delimiter or (" " if line.startswith("# %ECSV") else "")
            told = _DELIMITER.match(line)
            delimiter = told[2] if told else delimiter
        elif line.strip():
            delimiter = delimiter or ","
            return next(csv.reader([line], delimiter=delimiter)), delimiter
    raise ValueError("it has no line with names of columns")


def _text_rows(path: Path) -> Iterator[dict[str, Any]]:
    """Read CSV and ECSV line by line: a million stars do not fit into memory as a table."""
    with _opened(path) as stream:
        names, delimiter = _head(stream)
        wanted = [(i, column.name, _CONVERT[column.kind]) for i, column in enumerate(map(_known, names)) if column]
        for cells in csv.reader(stream, delimiter=delimiter):
            if len(cells) == len(names):
                yield {name: _value(cells[i], convert) for i, name, convert in wanted}
            elif cells:
                raise ValueError(f"a line has {len(cells)} cells where {len(names)} columns are named")


def _table(path: Path) -> Any:
    from astropy.table import Table

    try:
        return Table.read(path, format="parquet" if path.suffix == ".parquet" else "fits")
    except (OSError, TypeError, ImportError) as error:
        raise ValueError(str(error)) from error
    except Exception as error:
        # Readers of parquet have errors of their own.
        if type(error).__module__.startswith("pyarrow"):
            raise ValueError(str(error)) from error
        raise


def _table_rows(path: Path) -> Iterator[dict[str, Any]]:
    table = _table(path)
    wanted = [(column, table[name].tolist()) for name in table.colnames if (column := _known(name))]
    for i in range(len(table)):
        yield {column.name: _plain(values[i], column) for column, values in wanted}


def _plain(value: Any, column: Column) -> Any:
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return None
    if isinstance(value, str):
        return _value(value, _CONVERT[column.kind])
    return str(value) if column.kind == "text" else float(value) if column.kind == "real" else int(value)


def _usable(row: Mapping[str, Any]) -> bool:
    ra, dec, tic = row["ra"], row["dec"], row["ID"]
    return None not in (ra, dec, tic) and 0 < tic < 10**10 and abs(ra) <= 360 and abs(dec) <= 90


def _known(name: str) -> Column | None:
    return STAR.get(name) or _FOLDED.get(name.lower())


def _value(text: str, convert: Convert) -> Any:
    return None if text.lower() in _EMPTY else convert(text)


def _whole(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        return int(float(text))


def _real(text: str) -> float | None:
    number = float(text)
    return number if math.isfinite(number) else None


_CONVERT: dict[str, Convert] = {"text": str, "real": _real, "whole": _whole, "id": _whole, "flag": _whole}
_FOLDED = {name.lower(): column for name, column in STAR.items()}
