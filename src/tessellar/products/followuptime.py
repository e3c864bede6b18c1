"""When follow-up observations were made: in which time system, from which zero point, and whether that can be true.

Observers' files have their times as BJD_TDB, HJD, JD_UTC or as days from some round date, and
say so in the name of a column, if at all. A few seconds or minutes of a wrong system are what
transit timing cannot bear, so what can be checked is checked, and doubts are told.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]

#: Systems of time, best first, with the columns that hold them, in small letters.
SYSTEMS: Mapping[str, tuple[str, ...]] = {
    "BJD_TDB": ("bjd_tdb", "bjd_tdb_mobs", "bjd-tdb", "bjd(tdb)", "bjdtdb", "bjd_tdb_b", "btjd"),
    "BJD_UTC": ("bjd_utc",),
    "BJD": ("bjd", "bjd_mobs"),
    "HJD_UTC": ("hjd_utc", "hjd_utc_mobs"),
    "HJD": ("hjd",),
    "JD_UTC": ("jd_utc", "jd", "j.d.-2400000", "jd-2400000", "jd_utc_mobs"),
    "MJD": ("mjd",),
    "unknown": ("time", "t", "date", "jd_sobs"),
}

# Days from which times are counted: those that observers use.
_ZEROS = (0.0, 2400000.0, 2400000.5, 2450000.0, 2454833.0, 2457000.0)
_PLAUSIBLE = (2440000.0, 2500000.0)
_IN_NAME = re.compile(r"-\s*(24\d{5}(?:\.5)?)")
_JD_OF_ORDINAL = 1721424.5
_NIGHT_OFF = 1.5
_DAY = 86400.0
# Light needs 499 s from the Sun to the Earth; TT is 69.184 s ahead of UTC since 2017, and was less before.
_LONGEST_CORRECTION = 499.0 * 1.02 + 69.2
_AGREES = 2.0


@dataclass(frozen=True)
class TimeAxis:
    """The times of a file.

    Attributes
    ----------
    jd : array, shape (n,)
        Julian dates in the time system, days; whole, whatever the file counts from.
    system : str
        ``BJD_TDB``, ``HJD_UTC``, ``JD_UTC`` …; ``unknown`` where the file does not tell.
    column : str
        The column that they are from.
    zero : float
        What was added to the numbers of the file.
    doubts : tuple of str
        Why they may be wrong; empty if nothing speaks against them.
    """

    jd: FloatArray
    system: str
    column: str
    zero: float = 0.0
    doubts: tuple[str, ...] = ()


def time_axis(
    columns: Mapping[str, FloatArray],
    names: Mapping[str, str],
    night: date | None = None,
    position: tuple[float, float] | None = None,
) -> TimeAxis | None:
    """Find the times among the columns of a file, and check them.

    Parameters
    ----------
    columns : mapping of str to array
        Columns that may hold times, by their names in small letters.
    names : mapping of str to str
        Their names as they are written.
    night : date, optional
        The date in the file's name.
    position : (float, float), optional
        Right ascension and declination of the star, degrees.

    Returns
    -------
    TimeAxis or None
        None if no column holds times.
    """
    for system, candidates in SYSTEMS.items():
        for key in candidates:
            values = columns.get(key)
            if values is not None and np.isfinite(values).any():
                return _checked(values, system, names[key], columns, night, position)
    return None


def is_time(column: str) -> bool:
    """Whether a column of this name may hold times."""
    return any(column.lower() in candidates for candidates in SYSTEMS.values())


def _checked(
    values: FloatArray,
    system: str,
    column: str,
    columns: Mapping[str, FloatArray],
    night: date | None,
    position: tuple[float, float] | None,
) -> TimeAxis:
    zero, told = _zero(values, system, column, night)
    jd = values + zero
    doubts = list(told)
    if system == "unknown":
        doubts.append(f"column {column} does not say what its times are: BJD_TDB or JD_UTC, minutes apart")
    elif system == "BJD":
        doubts.append("BJD without a word on TDB or UTC: about 69 s apart")
    elif not system.startswith("BJD"):
        doubts.append(f"times are {system}, not BJD_TDB: up to 8.3 min and 69 s away from it")
    if night is not None and not told:
        first = float(np.nanmin(jd))
        off = first - (night.toordinal() + _JD_OF_ORDINAL)
        if not -_NIGHT_OFF < off - 0.5 < _NIGHT_OFF:
            doubts.append(f"first time {first:.5f} is {off:+.1f} d from the night in the file's name, {night}")
    if system == "BJD_TDB" and "jd_utc" in columns:
        doubts += _against_utc(jd, columns["jd_utc"], position)
    return TimeAxis(jd, system, column, zero, tuple(doubts))


def _zero(values: FloatArray, system: str, column: str, night: date | None) -> tuple[float, tuple[str, ...]]:
    """What must be added to make whole Julian dates of the numbers; why that is doubtful."""
    if column.lower() == "btjd":
        return 2457000.0, ()
    if match := _IN_NAME.search(column):
        return float(match[1]), ()
    if system == "MJD":
        return 2400000.5, ()
    middle = float(np.nanmedian(values))
    possible = [zero for zero in _ZEROS if _PLAUSIBLE[0] < middle + zero < _PLAUSIBLE[1]]
    if possible[:1] == [0.0]:
        return 0.0, ()
    if night is not None:
        near = [zero for zero in possible if abs(middle + zero - 0.5 - night.toordinal() - _JD_OF_ORDINAL) < _NIGHT_OFF]
        if near:  # of two that are half a day apart, that of Julian dates
            return near[0], ()
    if possible == [2400000.0, 2400000.5]:
        return 2400000.0, ()
    return 0.0, (f"column {column} counts from a day that it does not tell (first number {values[0]:.5f})",)


def _against_utc(bjd: FloatArray, utc: FloatArray, position: tuple[float, float] | None) -> Sequence[str]:
    """Compare BJD_TDB with the JD_UTC of the same file."""
    both = np.isfinite(bjd) & np.isfinite(utc)
    if not both.any():
        return ()
    correction = float(np.median(bjd[both] - utc[both])) * _DAY
    if abs(correction) < 1e-3:
        return ("BJD_TDB is the same as JD_UTC: nothing was corrected",)
    if abs(correction) > _LONGEST_CORRECTION:
        return (f"BJD_TDB is {correction:+.0f} s from JD_UTC: light needs no longer than 8.5 min from the Sun",)
    if position is None:
        return ()
    expected = float(barycentric_correction(np.median(utc[both]), *position))
    if abs(correction - expected) > _AGREES:
        return (f"BJD_TDB is {correction:+.1f} s from JD_UTC, but should be {expected:+.1f} s at this place and time",)
    return ()


def barycentric_correction(jd_utc: ArrayLike, ra: float, dec: float) -> FloatArray:
    """Seconds by which BJD_TDB is ahead of JD_UTC, as seen from the middle of the Earth.

    The way of light to the barycentre of the solar system (Earth by ERFA's ``epv00``, good to
    some microseconds), and TDB - UTC. Where on Earth the telescope stands makes 21 ms at most.

    Parameters
    ----------
    jd_utc : float or array
        When, days.
    ra, dec : float
        Where, degrees, ICRS.

    Examples
    --------
    >>> float(barycentric_correction(2460029.684037, 211.0092, 38.6183).round(1))
    409.5
    """
    import erfa

    jd = np.asarray(jd_utc, dtype=np.float64)
    day = np.floor(jd)
    tt = erfa.taitt(*erfa.utctai(day, jd - day))
    tdb_from_tt = erfa.dtdb(*tt, (jd - day + 0.5) % 1, 0.0, 0.0, 0.0)
    _, earth = erfa.epv00(*tt)
    star = erfa.s2c(np.deg2rad(ra), np.deg2rad(dec))
    light = (earth["p"] @ star) * erfa.DAU / erfa.CMPS
    return np.asarray((tt[0] - day + (tt[1] - (jd - day))) * _DAY + tdb_from_tt + light)
