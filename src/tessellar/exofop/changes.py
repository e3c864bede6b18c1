"""What changed between two tables of TOIs."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from astropy.table import Table

# Degrees: what is left of an angle that was written in sexagesimal notation.
_ANGLE = 1e-4


def changes(older: Table, newer: Table, *, key: str = "TOI") -> Table:
    """Compare two tables of TOIs in the same schema.

    Parameters
    ----------
    older, newer : Table
        As `toi_table` or `read_exofop_table` give them.
    key : str
        The column by which rows are told.

    Returns
    -------
    Table
        One row a change: ``TIC ID``, the key, ``Change`` (new, gone, changed), ``Column``, ``Before``, ``After``.
    """
    columns = [
        name for name in newer.colnames if name in older.colnames and name not in (key, "TIC ID", "Date Modified")
    ]
    before, after = _rows_by(older, key), _rows_by(newer, key)
    found: list[tuple[Any, ...]] = []
    shared = [toi for toi in after if toi in before]
    for toi in after:
        if toi not in before:
            found.append((newer["TIC ID"][after[toi]], toi, "new", "", "", ""))
    for toi in before:
        if toi not in after:
            found.append((older["TIC ID"][before[toi]], toi, "gone", "", "", ""))
    old_rows, new_rows = [before[toi] for toi in shared], [after[toi] for toi in shared]
    for name in columns:
        old, new = _cells(older[name], old_rows), _cells(newer[name], new_rows)
        if all(map(_nothing, old)) or all(map(_nothing, new)):
            continue  # a source that lacks the column
        tolerance = _ANGLE if name in ("RA", "Dec") else 0.0
        for place, (was, now) in enumerate(zip(old, new, strict=True)):
            if not _alike(was, now, tolerance):
                told = _word(was), _word(now)
                found.append((newer["TIC ID"][new_rows[place]], shared[place], "changed", name, *told))
    found.sort(key=lambda row: (row[1], row[2], row[3]))
    names = ("TIC ID", key, "Change", "Column", "Before", "After")
    if not found:
        return Table(names=names, dtype=(np.int64, np.float64, "U7", "U1", "U1", "U1"))
    return Table(rows=found, names=names)


def _rows_by(table: Table, key: str) -> dict[float, int]:
    return {float(value): row for row, value in enumerate(table[key].tolist()) if value is not None}


def _cells(column: Any, rows: list[int]) -> list[Any]:
    cells: list[Any] = column[rows].tolist() if rows else []
    return cells


def _nothing(value: Any) -> bool:
    return value is None or value == ""


def _alike(was: Any, now: Any, tolerance: float) -> bool:
    """Whether two cells say the same; sources differ in the last digits of a number that they write."""
    if isinstance(was, float) and isinstance(now, float):
        return math.isclose(was, now, rel_tol=1e-9, abs_tol=tolerance)
    return bool(was == now) or (_nothing(was) and _nothing(now))


def _word(value: Any) -> str:
    return "" if value is None else f"{value:.12g}" if isinstance(value, float) else str(value)
