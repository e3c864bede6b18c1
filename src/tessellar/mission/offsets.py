"""Known errors of the times in TESS products, by author, sector and version.

The early data releases of SPOC are about two seconds late, and the headers of their
full-frame images do not know in which order cameras and CCDs are read. The facts are
data (``data/time_offsets.csv``, each row with its source). What is not known is not
guessed.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

from tessellar.errors import InputError
from tessellar.mission.sectors import read_data
from tessellar.targets import check_sector

# Seconds after those of camera 1 and CCD 1 at which the two-second exposures of each are taken (TASOC, after the Data
# Release Notes 27; seen in light curves of sector 1: TIME - TIMECORR of cameras 1, 2 and 4 differ by it).
_CAMERA_DELAY = {1: 0.0, 2: 1.5, 3: 0.5, 4: 1.0}
_CCD_DELAY = {1: 0.0, 2: 0.02, 3: 0.04, 4: 0.06}
# Whose light curves and cut-outs carry the times of SPOC's full-frame images.
_FROM_FRAMES = frozenset({"TESSCUT", "GSFC-ELEANOR-LITE", "ELEANOR"})


@dataclass(frozen=True)
class TimeOffset:
    """What has to be added to the times of a file.

    Attributes
    ----------
    seconds : float
        To add; 0 where the times are known to be right.
    uncertainty : float or None
        Seconds, of what is left after the correction; None where nobody told or measured it.
    source : str
        Who says so.
    """

    seconds: float
    uncertainty: float | None
    source: str

    @property
    def days(self) -> float:
        """`seconds` in days."""
        return self.seconds / 86400


@dataclass(frozen=True)
class _Row:
    author: str
    pixels: str
    sectors: tuple[int, int]
    versions: tuple[int, int]
    processing: frozenset[str]
    excluded: frozenset[str]
    seconds: dict[str, float]
    staggered: bool
    uncertainty: float | None
    source: str


def time_offset(
    author: str,
    sector: int,
    *,
    version: int | str | None = None,
    processing: str | None = None,
    frames: bool = False,
    camera: int | None = None,
    ccd: int | None = None,
    at: str = "mid",
) -> TimeOffset | None:
    """Return the known error of an author's times.

    Parameters
    ----------
    author : str
        ``SPOC``, ``TESS-SPOC``, ``QLP``, ``TESScut`` ... in any case.
    sector : int
        Of the file.
    version : int or str, optional
        Data release (DATA_REL) of SPOC's files, ``v01`` of QLP's.
    processing : str, optional
        PROCVER of the file: it tells the two processings of sectors 20 and 21 apart.
    frames : bool
        For full-frame images; SPOC's 2-min files need less correction. Cut-outs and light curves of authors who take
        the times of the frames count as such.
    camera, ccd : int, optional
        Needed for frames of the early releases.
    at : str
        ``start``, ``mid`` or ``end`` of the exposure.

    Returns
    -------
    TimeOffset or None
        None where nothing is known, or where what is given does not tell which of several corrections it is.

    Raises
    ------
    InputError
        If `at` is none of the three, or `version` has no number.

    Examples
    --------
    >>> from tessellar.mission import time_offset
    >>> time_offset("SPOC", 1, version=1).seconds
    -1.979
    >>> time_offset("SPOC", 1, version=42).seconds
    0.0
    >>> time_offset("SPOC", 1) is None
    True
    >>> round(time_offset("SPOC", 1, version=1, frames=True, camera=2, ccd=3).seconds, 3)
    -0.439
    """
    if at not in ("start", "mid", "end"):
        raise InputError(f"at={at!r}: times are those of start, mid or end of the exposure")
    name = author.upper()
    of_frames = frames or name in _FROM_FRAMES or name in ("TESS-SPOC", "QLP")
    who = "SPOC" if name in _FROM_FRAMES else name
    number = _number(version)
    found: list[TimeOffset] = []
    for row in _matching(who, "frames" if of_frames else "targets", check_sector(sector), number, processing):
        delay = 0.0
        if row.staggered:
            if camera is None or ccd is None:
                return None
            delay = _CAMERA_DELAY[camera] + _CCD_DELAY[ccd]
        found.append(TimeOffset(row.seconds[at] + delay, row.uncertainty, row.source))
    return found[0] if found and all(each.seconds == found[0].seconds for each in found) else None


def _matching(author: str, pixels: str, sector: int, version: int | None, processing: str | None) -> Iterable[_Row]:
    for row in _table():
        if (row.author, row.pixels) != (author, pixels) or not row.sectors[0] <= sector <= row.sectors[1]:
            continue
        if version is not None and not row.versions[0] <= version <= row.versions[1]:
            continue
        if processing is not None and (
            processing in row.excluded or (row.processing and processing not in row.processing)
        ):
            continue
        yield row


def _number(version: int | str | None) -> int | None:
    if version is None or isinstance(version, int):
        return version
    digits = re.search(r"\d+", version)
    if digits is None:
        raise InputError(f"version {version!r} has no number: give DATA_REL of SPOC's files, or v01 as of QLP's")
    return int(digits[0])


@cache
def _table() -> tuple[_Row, ...]:
    rows: list[_Row] = []
    above: frozenset[str] = frozenset()
    for row in csv.DictReader(read_data("time_offsets.csv")):
        words = frozenset(row["processing"].split())
        excluded = above if words == {"not"} else frozenset()
        rows.append(
            _Row(
                author=row["author"],
                pixels=row["pixels"],
                sectors=(int(row["first_sector"]), int(row["last_sector"])),
                versions=(int(row["first_version"]), int(row["last_version"])),
                processing=frozenset() if excluded else words,
                excluded=excluded,
                seconds={at: float(row[at]) for at in ("start", "mid", "end")},
                staggered=row["staggered"] == "1",
                uncertainty=float(row["uncertainty"]) if row["uncertainty"] else None,
                source=row["source"],
            )
        )
        above = words
    return tuple(rows)
