"""Writing into an index: what files say becomes rows, and what they no longer say goes."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any

from tessellar.errors import Corrupt, InputError
from tessellar.server.catalogues import Catalogue
from tessellar.server.facts import BTJD_TO_MJD, Facts, facts_from
from tessellar.server.grouping import Rows, grouped
from tessellar.server.scan import Entry
from tessellar.server.schema import KIND_COLUMNS
from tessellar.server.sphere import cap_box, insert_boxes, region_box

_FIRST_ROW_NUMBER, _ROW_NUMBERS = 10**11, 9 * 10**11
_BATCH = 10_000

Row = Mapping[str, Any]


class Described:
    """One file and what it came to: ``product``, ``catalogue``, ``foreign`` or ``damaged``."""

    def __init__(self, entry: Entry, state: str, note: str = "", told: Facts | Catalogue | None = None) -> None:
        self.entry, self.state, self.note, self.told = entry, state, note, told
        self.folder, self.name = entry.folder, entry.name

    @property
    def group(self) -> str | None:
        """Files of one group are looked at together."""
        return self.told.group if self.told is not None else None


def remember(cursor: sqlite3.Cursor, files: Sequence[Described]) -> None:
    """Take note of files that are new or changed."""
    places = [(file.folder, file.name) for file in files]
    groups = _groups_of(cursor, places)
    cursor.executemany(
        "INSERT OR REPLACE INTO files (folder, name, size, mtime_ns, state, note, grp, uri, facts) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [_file_row(file) for file in files],
    )
    groups |= _groups_of(cursor, places)
    catalogues = {file.told.group: file.told for file in files if isinstance(file.told, Catalogue)}
    _rebuild(cursor, sorted(groups - set(catalogues)))
    for catalogue in catalogues.values():
        _take_catalogue(cursor, catalogue)


def forget(cursor: sqlite3.Cursor, places: Sequence[tuple[str, str]]) -> None:
    """Forget files that have vanished, by folder and name."""
    groups = _groups_of(cursor, places)
    cursor.executemany("DELETE FROM files WHERE folder = ? AND name = ?", places)
    _rebuild(cursor, sorted(groups))


def insert_observations(cursor: sqlite3.Cursor, rows: Sequence[Row], first: int) -> None:
    """Insert observations with the keys from `first` on, and their places on the sky."""
    _insert_all(cursor, "observations", [{"row": first + i, **row} for i, row in enumerate(rows)])
    found = ((first + i, region_box(row["s_region"]), row) for i, row in enumerate(rows) if row.get("s_region"))
    placed = [(key, box, row.get("s_ra"), row.get("s_dec")) for key, box, row in found if box is not None]
    insert_boxes(cursor, "observations", placed)


def insert_products(cursor: sqlite3.Cursor, rows: Iterable[tuple[int, Row]]) -> None:
    """Insert files, each with the key of its observation; `place` is its rank among those of the observation."""
    kinds: dict[tuple[Any, ...], int] = {}
    found = []
    for observation, row in rows:
        base, slash, filename = row["dataURI"].rpartition("/")
        told = tuple(row.get(name) for name in KIND_COLUMNS)
        kind = kinds.get(told) or kinds.setdefault(told, _kind(cursor, told))
        found.append((observation, row["place"], kind, base + slash, filename, row["size"], row.get("file")))
    cursor.executemany("INSERT INTO artifacts VALUES (?, ?, ?, ?, ?, ?, ?)", found)


def insert_stars(cursor: sqlite3.Cursor, rows: Sequence[Row]) -> None:
    """Insert stars, and their places on the sky; `elect` is to follow."""
    first = next_row(cursor, "stars")
    _insert_all(cursor, "stars", [{"row": first + i, **row} for i, row in enumerate(rows)])
    placed = [(first + i, cap_box(row["ra"], row["dec"], 0), row["ra"], row["dec"]) for i, row in enumerate(rows)]
    insert_boxes(cursor, "stars", placed)


def elect(cursor: sqlite3.Cursor) -> None:
    """Of the rows that speak of each star that was touched, mark the best one."""
    cursor.execute(
        """UPDATE stars SET best = (row = (SELECT other.row FROM stars AS other WHERE other.ID = stars.ID
           ORDER BY other.rank, other.row LIMIT 1)) WHERE ID IN (SELECT ID FROM touched_stars)"""
    )
    cursor.execute("DELETE FROM touched_stars")


def next_row(cursor: sqlite3.Cursor, table: str) -> int:
    """Return the key that the next row of a table gets."""
    return int(cursor.execute(f"SELECT coalesce(max(row), 0) + 1 FROM {table}").fetchone()[0])


@cache
def sector_dates(sector: int) -> tuple[float, float, float] | None:
    """Return start and end (MJD) of a sector and the cadence of its images (s), or None for one that is not known."""
    from tessellar.mission.sectors import get_sector

    try:
        known = get_sector(sector)
    except InputError:
        return None
    return known.start + BTJD_TO_MJD, known.end + BTJD_TO_MJD, float(known.ffi_cadence)


def _file_row(file: Described) -> tuple[Any, ...]:
    entry, told = file.entry, file.told
    facts = told if isinstance(told, Facts) else None
    text = json.dumps(facts.to_dict(), separators=(",", ":")) if facts else None
    uri = facts.uri if facts else None
    return file.folder, file.name, entry.size, entry.mtime_ns, file.state, file.note, file.group, uri, text


def _groups_of(cursor: sqlite3.Cursor, places: Iterable[tuple[str, str]]) -> set[str]:
    """Return the groups of files, and of those with the same names elsewhere: one of them may now be served."""
    groups: set[str] = set()
    for place in places:
        cursor.execute(
            """SELECT files.grp, other.grp FROM files LEFT JOIN files AS other ON other.uri = files.uri
               WHERE files.folder = ? AND files.name = ?""",
            place,
        )
        groups.update(group for row in cursor for group in row if group is not None)
    return groups


def _rebuild(cursor: sqlite3.Cursor, groups: Sequence[str]) -> None:
    _touch_table(cursor)
    row = None
    for group in groups:
        _clear(cursor, group)
        cursor.execute(
            """SELECT row, facts FROM files WHERE grp = ? AND facts IS NOT NULL AND NOT EXISTS (SELECT 1 FROM files
               AS other WHERE other.uri = files.uri AND (other.folder, other.name) < (files.folder, files.name))""",
            (group,),
        )
        files = [(file, facts_from(json.loads(text))) for file, text in cursor]
        if files:
            row = row or next_row(cursor, "observations")
            rows = grouped(files, lambda what: _row_number(cursor, what), sector_dates)
            _insert_group(cursor, group, rows, row)
            row += len(rows.observations)
    elect(cursor)


def _insert_group(cursor: sqlite3.Cursor, group: str, rows: Rows, first: int) -> None:
    insert_observations(cursor, [{**row, "grp": group} for row in rows.observations], first)
    keys = {row["obsid"]: first + i for i, row in enumerate(rows.observations)}
    insert_products(cursor, [(keys[row["obsID"]], row) for row in rows.products])
    _insert_all(cursor, "names", [{**row, "grp": group} for row in rows.names])
    # What several files of a group say alike of their star is kept once.
    stars = list({tuple(row.items()): {**row, "grp": group} for row in rows.stars}.values())
    if stars:
        insert_stars(cursor, stars)
        cursor.executemany("INSERT INTO touched_stars VALUES (?)", [(row["ID"],) for row in stars])


def _take_catalogue(cursor: sqlite3.Cursor, catalogue: Catalogue) -> None:
    """Put the stars of a catalogue in the place of those that it had before; all of them, or none if it is damaged."""
    group = catalogue.group
    _clear(cursor, group)
    cursor.execute("SAVEPOINT catalogue")
    try:
        for rows in _batches(catalogue.stars()):
            insert_stars(cursor, [{**row, "rank": 0, "grp": group} for row in rows])
        cursor.execute("INSERT INTO touched_stars SELECT ID FROM stars WHERE grp = ?", (group,))
    except (Corrupt, OSError) as error:
        cursor.execute("ROLLBACK TO catalogue")
        cursor.execute("UPDATE files SET state = 'damaged', note = ? WHERE grp = ?", (str(error), group))
    cursor.execute("RELEASE catalogue")
    elect(cursor)


def _clear(cursor: sqlite3.Cursor, group: str) -> None:
    """Take away the rows of a group."""
    _touch_table(cursor)
    own = "(SELECT row FROM {} WHERE grp = ?)"
    cursor.execute("INSERT INTO touched_stars SELECT ID FROM stars WHERE grp = ?", (group,))
    for table in ("observations", "stars"):
        cursor.execute(f"DELETE FROM {table}_sky WHERE row IN {own.format(table)}", (group,))
    cursor.execute(f"DELETE FROM artifacts WHERE observation IN {own.format('observations')}", (group,))
    for table in ("observations", "stars", "names"):
        cursor.execute(f"DELETE FROM {table} WHERE grp = ?", (group,))


def _touch_table(cursor: sqlite3.Cursor) -> None:
    cursor.execute("CREATE TEMP TABLE IF NOT EXISTS touched_stars (ID INTEGER)")


def _row_number(cursor: sqlite3.Cursor, what: str) -> int:
    """Return the opaque number of an observation: the same in every index, but for the rare clash."""
    digest = hashlib.sha256(what.encode()).digest()
    number = _FIRST_ROW_NUMBER + int.from_bytes(digest[:8]) % _ROW_NUMBERS
    while cursor.execute("SELECT 1 FROM observations WHERE obsid = ?", (number,)).fetchone():
        number += 1
    return number


def _kind(cursor: sqlite3.Cursor, kind: tuple[Any, ...]) -> int:
    same = " AND ".join(f"{name} IS ?" for name in KIND_COLUMNS)
    found = cursor.execute(f"SELECT row FROM artifact_kinds WHERE {same}", kind).fetchone()
    if found is None:
        names = ", ".join(KIND_COLUMNS)
        marks = ", ".join("?" * len(KIND_COLUMNS))
        found = cursor.execute(f"INSERT INTO artifact_kinds ({names}) VALUES ({marks}) RETURNING row", kind).fetchone()
    return int(found[0])


def _insert_all(cursor: sqlite3.Cursor, table: str, rows: Sequence[Row]) -> None:
    """Insert rows, those with the same columns at once."""
    shapes: dict[tuple[str, ...], list[tuple[Any, ...]]] = {}
    for row in rows:
        shapes.setdefault(tuple(row), []).append(tuple(row.values()))
    for names, values in shapes.items():
        listed = ", ".join(f'"{name}"' for name in names)
        cursor.executemany(f"INSERT INTO {table} ({listed}) VALUES ({', '.join('?' * len(names))})", values)


def _batches(rows: Iterator[Row]) -> Iterator[list[Row]]:
    batch: list[Row] = []
    for row in rows:
        batch.append(row)
        if len(batch) == _BATCH:
            yield batch
            batch = []
    if batch:
        yield batch
