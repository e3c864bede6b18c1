"""The sphere in SQLite: an index over places, and exact functions to be used behind it.

A table whose rows lie on the sky has a companion, a virtual table of SQLite's
R*Tree, made by `sky_table` and filled by `insert_boxes`: for each row the box,
in the space of unit vectors, that encloses its footprint and its position, and
beside the box the position itself. There are no poles and no right ascension 0
in that space. A question narrows the rows by boxes first (`near`) and holds
what is left against the exact functions, which `add_functions` gives to a
connection:

``separation(ra, dec, ra, dec)``
    The angle between two positions.
``touches(region, ra, dec, radius)``
    Whether a cone and a footprint (STC-S) have a point in common.

All angles are in degrees. Whatever language a question comes in, the portal's
filters or another one, it is these two parts that it is made of.
"""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Iterable
from typing import Any

from tessellar.server.regions import bounding_cap, separation, touches

#: Lowest and highest x, y and z.
Box = tuple[float, float, float, float, float, float]
Sql = tuple[str, list[Any]]

EDGES = ("x_low", "x_high", "y_low", "y_high", "z_low", "z_high")
_INSERT = "INSERT INTO {sky} VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"

# A wider cone is looked for row by row: its box would keep nearly all of them.
_WIDEST = 60.0
_ROUNDING = 1e-9  # of unit vectors; SQLite itself rounds the boxes outwards


def sky_table(table: str) -> str:
    """Return the statement that makes the companion of a table; the table needs a whole-numbered key `row`."""
    return f"CREATE VIRTUAL TABLE {table}_sky USING rtree(row, {', '.join(EDGES)}, +ra, +dec)"


def add_functions(connection: sqlite3.Connection) -> None:
    """Give the exact functions to a connection."""
    connection.create_function("separation", 4, _separation, deterministic=True)
    connection.create_function("touches", 4, _touches, deterministic=True)


def cap_box(ra: float, dec: float, radius: float) -> Box:
    """Return the box of unit vectors around a cap of the sphere.

    Examples
    --------
    >>> [round(edge, 3) for edge in cap_box(0, 90, 60)]
    [-0.866, 0.866, -0.866, 0.866, 0.5, 1.0]
    """
    a, d, reach = math.radians(ra), math.radians(dec), math.radians(min(radius, 180.0))
    low_high: list[float] = []
    for component in (math.cos(d) * math.cos(a), math.cos(d) * math.sin(a), math.sin(d)):
        angle = math.acos(max(-1.0, min(1.0, component)))
        low = -1.0 if math.pi - angle <= reach else math.cos(angle + reach)
        high = 1.0 if angle <= reach else math.cos(angle - reach)
        low_high += [low - _ROUNDING, high + _ROUNDING]
    x_low, x_high, y_low, y_high, z_low, z_high = low_high
    return x_low, x_high, y_low, y_high, z_low, z_high


def region_box(region: str) -> Box | None:
    """Return the box around a footprint (STC-S), or None if it cannot be read."""
    cap = bounding_cap(region)
    return cap_box(*cap) if cap is not None else None


def insert_boxes(
    cursor: sqlite3.Cursor, table: str, boxes: Iterable[tuple[int, Box, float | None, float | None]]
) -> None:
    """Add the boxes and positions (degrees) of some rows of a table to its companion.

    A box is made to hold the position too; where that is unknown, it holds everything.
    """
    found = ((row, *_holding(box, ra, dec), ra, dec) for row, box, ra, dec in boxes)
    cursor.executemany(_INSERT.format(sky=f"{table}_sky"), found)


def _holding(box: Box, ra: float | None, dec: float | None) -> Box:
    if ra is None or dec is None:
        return -1.0, 1.0, -1.0, 1.0, -1.0, 1.0
    x0, x1, y0, y1, z0, z1 = cap_box(ra, dec, 0.0)
    return (min(box[0], x0), max(box[1], x1), min(box[2], y0), max(box[3], y1), min(box[4], z0), max(box[5], z1))


def near(table: str, ra: float, dec: float, radius: float) -> Sql:
    """Return the condition on `row` that a cone may touch it: true for all that are touched, and a few more.

    Examples
    --------
    >>> near("stars", 10, 20, 90)
    ('1', [])
    """
    if radius > _WIDEST:
        return "1", []
    x_low, x_high, y_low, y_high, z_low, z_high = cap_box(ra, dec, radius)
    condition = f"""row IN (SELECT row FROM {table}_sky WHERE x_high >= ? AND x_low <= ? AND y_high >= ?
                    AND y_low <= ? AND z_high >= ? AND z_low <= ?)"""
    return condition, [x_low, x_high, y_low, y_high, z_low, z_high]


def _separation(ra1: Any, dec1: Any, ra2: Any, dec2: Any) -> float | None:
    return None if None in (ra1, dec1, ra2, dec2) else separation(ra1, dec1, ra2, dec2)


def _touches(region: Any, ra: Any, dec: Any, radius: Any) -> bool:
    return region is not None and touches(region, ra, dec, radius)
