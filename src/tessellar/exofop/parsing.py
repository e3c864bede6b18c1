"""The text of ExoFOP's tables, cut into records: pipe or comma, whatever stands in the free text.

ExoFOP quotes nothing in its pipe tables: the notes of observers may hold bars,
line breaks and HTML. A record is told from the lines of a note by its first
field, which is an id, and by its number of bars.
"""

from __future__ import annotations

import csv
import html
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tessellar.errors import UnexpectedReply

# Columns of free text, in any of which there may be bars and line breaks; at most one in a table.
FREE_TEXT = frozenset({"notes", "comments", "description"})
_IDS = frozenset({"tic id", "id"})
_BANNER = "this file was produced by"

_TAGS = (
    "a|abbr|b|br|code|div|em|font|h[1-6]|hr|i|img|li|ol|p|pre|s|small|span|strike|strong|sub|sup|table|tbody|td|th|tr"
    "|tt|u|ul"
)
_BREAK = re.compile(r"<\s*(?:br|/p|/div|/li|/tr)\s*/?\s*>", re.IGNORECASE)
# With attributes that have values, for a < b is no tag; also one that the end of the text has cut off.
_ATTRIBUTE = r"""\s+[\w-]+\s*=\s*(?:"[^"<>]*"?|'[^'<>]*'?|[^\s<>"']+)"""
_TAG = re.compile(rf"</?\s*(?:{_TAGS})(?:{_ATTRIBUTE})*\s*/?\s*(?:>|$)", re.IGNORECASE)


@dataclass(frozen=True)
class Records:
    """A table as it came: all cells are text.

    Attributes
    ----------
    columns : tuple of str
        As the header names them, without blanks around; one that stands there twice gets a number.
    rows : list of list of str
        One cell per column each.
    """

    columns: tuple[str, ...]
    rows: list[list[str]]


def read_records(text: str, where: str) -> Records:
    r"""Cut the text of a table into records.

    Parameters
    ----------
    text : str
        A header line and records, separated by bars or commas; before the
        header there may be a byte-order mark and the banner of ExoFOP's export.
    where : str
        Where it came from, for messages.

    Raises
    ------
    UnexpectedReply
        If it is no such table.

    Examples
    --------
    >>> from tessellar.exofop.parsing import read_records
    >>> read_records("TIC ID|Tag|Notes\n25|7|clear|\nbut windy\n", "here").rows
    [['25', '7', 'clear|\nbut windy']]
    """
    lines = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n").split("\n")
    while lines and (not lines[0].strip() or lines[0].strip('"').lower().startswith(_BANNER)):
        lines.pop(0)
    if not lines or not ("|" in lines[0] or "," in lines[0]):
        start = lines[0].strip()[:60] if lines else ""
        raise UnexpectedReply(f"{where}: not a table of ExoFOP: it begins with {start!r}")
    if "|" in lines[0]:
        columns = _distinct(lines[0].split("|"))
        rows = list(_piped(lines[1:], columns, where))
    else:
        reader = csv.reader(lines)
        columns = _distinct(next(reader))
        rows = [_fitted(row, columns, ",", where) for row in reader if any(row)]
    for index in _free_text(columns):
        for row in rows:
            row[index] = plain(row[index])
    return Records(columns, rows)


def plain(text: str) -> str:
    r"""Turn the HTML that people write into notes to plain text; what only looks like HTML stays.

    Examples
    --------
    >>> from tessellar.exofop.parsing import plain
    >>> plain("depth&nbsp;&lt; 5 ppt<br>see <a href='x'>here</a>, S/N <3 <b")
    'depth < 5 ppt\nsee here, S/N <3'
    """
    if "<" in text or "&" in text:
        text = html.unescape(_TAG.sub("", _BREAK.sub("\n", text))).replace("\xa0", " ")
    return text.strip()


def normalised(name: str) -> str:
    """Return a column's name in the form in which names are compared: without case, blanks and under-scores."""
    return re.sub(r"[\s_]+", " ", name).strip().lower()


def _free_text(columns: Sequence[str]) -> list[int]:
    return [index for index, name in enumerate(columns) if normalised(name) in FREE_TEXT]


def _distinct(names: Sequence[str]) -> tuple[str, ...]:
    found: list[str] = []
    for name in (" ".join(each.split()) for each in names):
        # In the table of CTOIs, what is the error of PM Dec is called PM RA a second time.
        again = (
            "PM Dec err (mas/yr)"
            if name in ("PM RA (mas/yr)", "PM RA (mas/yr).1") and found and found[-1] == "PM Dec (mas/yr)"
            else name
        )
        number = 2
        while again in found:
            again = f"{name} {number}"
            number += 1
        found.append(again)
    return tuple(found)


def _piped(lines: Sequence[str], columns: Sequence[str], where: str) -> Iterator[list[str]]:
    """Glue the lines of each record together, and cut it."""
    bars = len(columns) - 1
    text = _free_text(columns)
    starts = re.compile(r"\s*\d{1,19}\s*\|") if normalised(columns[0]) in _IDS else re.compile("")
    # Line breaks are only in free text: where that stands last, the first line has all bars.
    wanted = bars if not text or text[-1] == bars else 1
    record: list[str] = []
    have = 0
    for line in lines:
        if (not record or have >= bars) and line.count("|") >= wanted and starts.match(line):
            if record:
                yield _fitted("\n".join(record).split("|"), columns, "|", where)
            record, have = [line], line.count("|")
        elif record:
            record.append(line)
            have += line.count("|")
        elif line.strip():
            raise UnexpectedReply(f"{where}: a line that is no record of the table: {line.strip()[:60]!r}")
    if record:
        yield _fitted("\n".join(record).split("|"), columns, "|", where)


def _fitted(cells: list[str], columns: Sequence[str], separator: str, where: str) -> list[str]:
    """Put cells that a separator in the free text has made too many together again."""
    more = len(cells) - len(columns)
    if more > 0:
        text = _free_text(columns)
        if not text:
            raise UnexpectedReply(
                f"{where}: {len(cells)} cells for {len(columns)} columns: {separator.join(cells)[:80]!r}"
            )
        first = text[-1]
        cells = [*cells[:first], separator.join(cells[first : first + more + 1]), *cells[first + more + 1 :]]
    elif more < 0:
        if len(cells) == 1 or separator == "|":
            raise UnexpectedReply(
                f"{where}: {len(cells)} cells for {len(columns)} columns: {separator.join(cells)[:80]!r}"
            )
        cells = [*cells, *[""] * -more]
    return [cell.strip() for cell in cells]
