"""Sectors: when, where the spacecraft pointed, how long the full-frame images were exposed.

The facts are data (``data/sectors.csv``, made by ``scripts/build_pointings.py``,
with its source). Sectors are not only those that follow each other: special
pointings have numbers of their own.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from importlib.resources import files

from tessellar.errors import InputError
from tessellar.targets import check_sector

_UNIX_EPOCH = 2440587.5 - 2457000  # JD of 1970-01-01, less the origin of our dates


@dataclass(frozen=True)
class Sector:
    """One sector of the mission, as it was scheduled.

    Attributes
    ----------
    number : int
        Its number.
    start, end : float
        Scheduled dates, JD(UTC) - 2457000, to half a day.
    ra, dec, roll : float
        Pointing of the spacecraft, degrees (ICRS).
    ffi_cadence : int
        Exposure time of its full-frame images, in seconds.
    target_cadences : tuple of int
        Those of its target pixel files and light curves.
    measured : bool
        Whether the WCS of its CCDs was solved on images; otherwise it is predicted.
    """

    number: int
    start: float
    end: float
    ra: float
    dec: float
    roll: float
    ffi_cadence: int
    target_cadences: tuple[int, ...]
    measured: bool

    @property
    def cadences(self) -> tuple[int, ...]:
        """All exposure times of its data, in seconds, the shortest first."""
        return tuple(sorted({*self.target_cadences, self.ffi_cadence}))

    @property
    def start_utc(self) -> str:
        """Scheduled start, as ``2018-07-25T00:00:00``."""
        return _utc(self.start)

    @property
    def end_utc(self) -> str:
        """Scheduled end, as `start_utc`."""
        return _utc(self.end)


def get_sector(number: int) -> Sector:
    """Return what is known of a sector.

    Raises
    ------
    InputError
        If it is not in the table.

    Examples
    --------
    >>> from tessellar.mission import get_sector
    >>> get_sector(1).ffi_cadence, get_sector(56).ffi_cadence
    (1800, 200)
    >>> get_sector(56).cadences, get_sector(56).start_utc
    ((20, 120, 200), '2022-09-01T00:00:00')
    """
    table = _table()
    if check_sector(number) not in table:
        ordinary = [each for each in table if each + 1 in table or each - 1 in table]
        raise InputError(f"sector {number} is not in the table of sectors, which ends with {max(ordinary)}")
    return table[int(number)]


def all_sectors() -> tuple[Sector, ...]:
    """Return every sector of the table, by number."""
    return tuple(_table().values())


def read_data(name: str) -> list[str]:
    """Return the lines of a data table of this room, without its comments."""
    text = files("tessellar.mission").joinpath("data", name).read_text(encoding="utf-8")
    return [line for line in text.splitlines() if not line.startswith("#")]


def _utc(days: float) -> str:
    moment = datetime.fromtimestamp(0, UTC) + timedelta(days=days - _UNIX_EPOCH)
    return moment.replace(tzinfo=None).isoformat(timespec="seconds")


@cache
def _table() -> dict[int, Sector]:
    rows = csv.DictReader(read_data("sectors.csv"))
    sectors = [
        Sector(
            number=int(row["sector"]),
            start=float(row["start"]),
            end=float(row["end"]),
            ra=float(row["ra"]),
            dec=float(row["dec"]),
            roll=float(row["roll"]),
            ffi_cadence=int(row["ffi_cadence"]),
            target_cadences=tuple(int(each) for each in row["target_cadences"].split()),
            measured=row["measured"] == "1",
        )
        for row in rows
    ]
    return {sector.number: sector for sector in sectors}
