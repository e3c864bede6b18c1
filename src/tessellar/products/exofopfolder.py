"""A folder of ExoFOP data: where its tables, tagged files and users lie, and how they are written.

::

    exofop/
    ├── tois.csv, time_series.csv, …     one file a table, as ExoFOP gives it out (csv, or .pipe)
    ├── targets/38877496.json            parts of a target's page that no table has
    ├── tags/5903/…                      the files of a tag; or tags/5903.zip, sent as it is
    └── users.json                       who may log in, with hashed passwords

`tessellar.products.exofoptables.COLUMNS` names the tables and their columns, `tessellar.products.exofopusers`
knows the users.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from io import StringIO
from pathlib import Path

from tessellar.errors import Corrupt, MissingInput

FOLDER = "exofop"
TAGS = "tags"
TARGETS = "targets"
#: Endings of a table's file, in the order in which they are looked for.
TABLE_ENDINGS = (".csv", ".pipe")

_TO_QUOTE = re.compile(r'[",\r\n]')

csv.field_size_limit(16 * 1024 * 1024)


@dataclass(frozen=True)
class TextTable:
    """A table whose cells are text, kept as it was written.

    Attributes
    ----------
    columns : tuple of str
        Names, also where two are alike.
    rows : tuple of tuple of str
        As many cells each as there are columns.

    Examples
    --------
    >>> table = TextTable(("TIC ID", "TOI"), (("234523599", "127.01"),))
    >>> table.cell(table.rows[0], "toi")
    '127.01'
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...] = ()
    _by_value: dict[str, dict[str, list[int]]] = field(default_factory=dict, repr=False, compare=False)

    @cached_property
    def places(self) -> Mapping[str, int]:
        """Where a column is, by its name in small letters; of two that are alike, the first."""
        places: dict[str, int] = {}
        for place, name in enumerate(self.columns):
            places.setdefault(name.strip().lower(), place)
        return places

    def cell(self, row: Sequence[str], *names: str) -> str:
        """The value of the first of these columns that the table has; empty if it has none of them."""
        for name in names:
            place = self.places.get(name.lower())
            if place is not None:
                return row[place]
        return ""

    def where(self, column: str, value: str) -> list[tuple[str, ...]]:
        """The rows that have this value in a column."""
        if column not in self._by_value:
            found: dict[str, list[int]] = {}
            for number, row in enumerate(self.rows):
                found.setdefault(self.cell(row, column), []).append(number)
            self._by_value[column] = found
        return [self.rows[number] for number in self._by_value[column].get(value, [])]


def read_table(path: Path) -> TextTable:
    """Read a table of such a folder: comma-separated, or with bars where its name ends in ``.pipe``.

    A byte-order mark is passed over; with bars, the last column may hold bars
    itself, and a line that has too few goes on with the text of the one before.

    Raises
    ------
    MissingInput
        If there is no such file.
    Corrupt
        If it has no header, or is no text.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig", errors="replace")
    except FileNotFoundError as error:
        raise MissingInput(f"{path}: no such file") from error
    except OSError as error:
        raise Corrupt(f"{path}: cannot be read ({error.strerror})") from error
    try:
        lines = _barred(text) if path.suffix == ".pipe" else list(csv.reader(StringIO(text, newline="")))
    except csv.Error as error:
        raise Corrupt(f"{path}: not comma-separated text: {error}") from error
    lines = [line for line in lines if line]
    if not lines or len(lines[0]) < 2 or "\0" in text:
        raise Corrupt(f"{path}: no table; its first line must name the columns")
    columns = tuple(lines[0])
    width = len(columns)
    return TextTable(columns, tuple(tuple((*row, *[""] * width)[:width]) for row in lines[1:]))


def _barred(text: str) -> list[list[str]]:
    lines = text.rstrip("\n").split("\n")
    width = lines[0].count("|") + 1
    rows: list[list[str]] = []
    for line in lines:
        cells = line.rstrip("\r").split("|", width - 1)
        if len(cells) < width and rows and len(rows) > 1:
            rows[-1][-1] += f"\n{line}"
        else:
            rows.append(cells)
    return rows


def table_text(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    r"""Write a table as comma-separated text.

    Examples
    --------
    >>> table_text(("TIC ID", "Notes"), [("1", "two, or three")])
    'TIC ID,Notes\n1,"two, or three"\n'
    """
    # The csv module leaves a lone carriage return without quotes, and then cannot read it again.
    return "".join(",".join(map(_quoted, line)) + "\n" for line in (columns, *rows))


def _quoted(cell: str) -> str:
    return '"' + cell.replace('"', '""') + '"' if _TO_QUOTE.search(cell) else cell
