"""Pixels and times of frames that are excluded by hand: data (``data/exclusions.csv``), each row with its source."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache

from tessellar.mission.sectors import read_data
from tessellar.targets import Field


@dataclass(frozen=True)
class Exclusion:
    """Some pixels of a CCD at some time.

    Attributes
    ----------
    columns, rows : (int, int)
        First and last CCD column and row, 1-based.
    begin, end : float
        BTJD; frames whose middle lies between them.
    reason, source : str
        Why, and who says so.
    """

    columns: tuple[int, int]
    rows: tuple[int, int]
    begin: float
    end: float
    reason: str
    source: str


def exclusions(field: Field) -> tuple[Exclusion, ...]:
    """Return what is excluded by hand of one CCD in one sector.

    Examples
    --------
    >>> from tessellar import Field
    >>> from tessellar.mission.exclusions import exclusions
    >>> [(each.reason, each.columns) for each in exclusions(Field(1, 1, 4))]
    [('Mars', (1581, 2092))]
    """
    return tuple(
        each
        for (sector, camera, ccd), each in _table()
        if (sector, camera) == (field.sector, field.camera) and ccd in (0, field.ccd)
    )


@cache
def _table() -> tuple[tuple[tuple[int, int, int], Exclusion], ...]:
    return tuple(
        (
            (int(row["sector"]), int(row["camera"]), int(row["ccd"])),
            Exclusion(
                columns=(int(row["first_column"]), int(row["last_column"])),
                rows=(int(row["first_row"]), int(row["last_row"])),
                begin=float(row["begin"]),
                end=float(row["end"]),
                reason=row["reason"],
                source=row["source"],
            ),
        )
        for row in csv.DictReader(read_data("exclusions.csv"))
    )
