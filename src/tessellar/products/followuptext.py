"""Tables that observers write: with tabs, commas or blanks between the columns, with a header or without."""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tessellar.errors import Corrupt, Unrecognised
from tessellar.products.followuptime import is_time

FloatArray = NDArray[np.float64]

_NO_VALUE = frozenset({"", "nan", "null", "none", "-", "--", "n/a"})
_KEY = re.compile(r"#?\s*([^=:,\t]+?)\s*[=:]\s*(.*)")
_FOREIGN = "not a TESS file, nor a table that tessellar knows"
_THREE = ("BJD", "flux", "flux_err")


@dataclass(frozen=True)
class ObserversTable:
    """The cells of a table, as text.

    Attributes
    ----------
    path : Path
        Where it lies, for messages.
    columns : tuple of str
        Names, as they are written; of two that are alike, the second is lost.
    cells : dict of str to list of str
        The cells of each column.
    notes : dict of str to str
        What is said before the table: ``key = value``, ``key: value``.
    has_header : bool
        Whether the names are the file's own.
    """

    path: Path
    columns: tuple[str, ...]
    cells: dict[str, list[str]]
    notes: dict[str, str]
    has_header: bool

    def __len__(self) -> int:
        return len(self.cells[self.columns[0]])

    def numbers(self, column: str) -> FloatArray:
        """A column of numbers; NaN where there is no value.

        Raises
        ------
        KeyError
            If there is no such column.
        Corrupt
            If it holds something that is no number.
        """
        cells = self.cells[column]
        values = np.empty(len(cells))
        for row, cell in enumerate(cells):
            try:
                values[row] = float(cell)
            except ValueError as error:
                if cell.strip().lower() not in _NO_VALUE:
                    raise Corrupt(f"{self.path}: {cell!r} in row {row + 1} of column {column} is no number") from error
                values[row] = np.nan
        values.flags.writeable = False
        return values


def read_observers_table(path: Path, content: bytes) -> ObserversTable:
    """Read a table.

    Raises
    ------
    Unrecognised
        If it is no table.
    Corrupt
        If a row has fewer or more cells than there are columns.
    """
    try:
        lines = content.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError:
        lines = content.decode("latin-1").splitlines()
    numbered = [(number, line) for number, line in enumerate(lines, 1) if line.strip()]
    start = next((place for place, (_, line) in enumerate(numbered) if _is_data(line)), None)
    if start is None:
        raise Unrecognised(f"{path}: {_FOREIGN}: no line of it has numbers in columns")
    separator = _separator(numbered[start][1])
    width = len(_cells(numbered[start][1], separator))
    header = _header(numbered[start - 1][1], separator, width) if start else None
    notes = {}
    for _, line in numbered[: start - (header is not None)]:
        if match := _KEY.fullmatch(line.strip()):
            notes[match[1]] = match[2]
    if header is None and width != len(_THREE):
        raise Unrecognised(f"{path}: {_FOREIGN}: {width} columns, and no line that names them")
    columns = header or _THREE
    rows: list[list[str]] = []
    for number, line in numbered[start:]:
        if line.lstrip().startswith("#"):
            continue
        cells = _cells(line, separator)
        if len(cells) != width:
            raise Corrupt(f"{path}: line {number} has {len(cells)} cells, not {width}; fetch the file again")
        rows.append(cells)
    cells_of = {name: [row[place] for row in rows] for place, name in reversed(list(enumerate(columns)))}
    return ObserversTable(path, columns, cells_of, notes, header is not None)


def _is_data(line: str) -> bool:
    """Whether a line is a row: two numbers at least, and no more words than numbers beside file names."""
    if line.lstrip().startswith("#"):
        return False
    cells = _cells(line, _separator(line))
    numbers = sum(map(_is_number, cells))
    return numbers >= 2 and numbers * 2 >= len(cells)


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _separator(line: str) -> str:
    return next((mark for mark in ("\t", ",", ";") if mark in line), " ")


def _cells(line: str, separator: str) -> list[str]:
    if separator == " ":
        return line.split()
    cells = next(csv.reader([line], delimiter=separator))
    # A separator at the end of a line ends the last cell, it begins none.
    if cells and not cells[-1].strip() and len(cells) > 1:
        cells.pop()
    return [cell.strip() for cell in cells]


def _header(line: str, separator: str, width: int) -> tuple[str, ...] | None:
    names = _cells(line, separator if separator in line else _separator(line))
    if names and names[0] == "#" and len(names) == width + 1:
        names = names[1:]
    if names and names[0] != "#":
        names[0] = names[0].lstrip("#").strip()
    if len(names) != width or all(map(_is_number, names)) or _KEY.fullmatch(line.strip()):
        return None
    if line.lstrip().startswith("#") and width == len(_THREE) and not any(map(is_time, names)):
        return None  # three words of somebody's, above the three columns that need none
    return tuple(names)
