"""Where the sky falls on the CCDs: the simulation's only door to the mission's geometry, dates and names."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from tessellar.errors import InputError
from tessellar.mission.ccd import Located, ccd_wcs, locate
from tessellar.mission.names import build_name
from tessellar.mission.offsets import time_offset
from tessellar.mission.sectors import get_sector
from tessellar.mission.time import btjd_to_time
from tessellar.simulate.stars import Sky, Star
from tessellar.targets import Field

if TYPE_CHECKING:
    from astropy.wcs import WCS
    from numpy.typing import NDArray

#: Science pixels of a CCD, 1-based as in full-frame images: columns 45 to 2092, rows 1 to 2048.
COLUMNS, ROWS = (45, 2092), (1, 2048)
#: Middle of the science pixels, column and row.
MIDDLE = (1068.5, 1024.5)

_EDGE = 16
# Half the width of the patch of sky that must fall on one CCD, and where on a CCD its middle is tried.
_PATCH_DEG = 0.5
_TRIED = (1068, 700, 1400, 450, 1700)

# Start times and configuration numbers in the names of the mission's files, where known; those of other
# sectors are made from their first day and the last number known before them.
_STAMPS = {
    1: ("2018206045859", "0120"),
    2: ("2018234235059", "0121"),
    10: ("2019085135100", "0140"),
    24: ("2020106103520", "0180"),
    27: ("2020186164531", "0189"),
}

# BTJD of the first cadence's beginning and the last one's end: of sectors 1 and 24 from light curves of the mission
# (20076 and 19074 cadences), of sector 2 its published dates. Those of other sectors are the scheduled days.
_SPANS = {1: (1325.29366, 1353.17698), 2: (1354.101, 1381.513), 24: (1955.78922, 1982.28073)}
_TURN_DAYS = 0.6


@dataclass(frozen=True)
class Spot:
    """A star on a CCD: column and row are 1-based, as in full-frame images (science columns 45 to 2092)."""

    field: Field
    column: float
    row: float


def sector_span(sector: int) -> tuple[float, float]:
    """BTJD at which a sector's first cadence begins and its last one ends.

    Raises
    ------
    InputError
        If the sector is not known.
    """
    known = get_sector(sector)
    # The day on which a sector begins is spent turning to it.
    return _SPANS.get(sector, (known.start + _TURN_DAYS, known.end))


def image_cadence(sector: int) -> float:
    """Seconds from one full-frame image of a sector to the next."""
    return float(get_sector(sector).ffi_cadence)


def has_twenty_seconds(sector: int) -> bool:
    """Whether some stars of a sector were observed every 20 s."""
    return 20 in get_sector(sector).cadences


def time_lag(author: str, sector: int, version: str) -> float:
    """Days by which an author's times of a sector are known to be late; 0 where nothing is known."""
    offset = time_offset(author, sector, version=version)
    return -offset.days if offset is not None else 0.0


def file_name(product: str, tic: int, sector: int) -> str:
    """Name a product of a star and sector as the mission does.

    Parameters
    ----------
    product : str
        ``"tp"`` or ``"lc"`` of 2 min, ``"fast-tp"`` or ``"fast-lc"`` of 20 s.
    tic, sector : int
        Star and sector.
    """
    timestamp, scid = stamp_of(sector)
    # Cosmic rays are taken care of on board, those of 20-s cadences on the ground.
    cr = "a" if product.startswith("fast-") else "s"
    return build_name(f"spoc-{product}", sector=sector, tic=tic, timestamp=timestamp, scid=scid, cr=cr)


def stamp_of(sector: int) -> tuple[str, str]:
    """Start time and spacecraft configuration, as they stand in a sector's file names."""
    if sector in _STAMPS:
        return _STAMPS[sector]
    scid = max((number for known, (_, number) in _STAMPS.items() if known < sector), default="0120")
    return name_stamp(sector_span(sector)[0]), scid


def name_stamp(btjd: float) -> str:
    """Year, day of the year and time of day (UTC), as they stand in file names."""
    return str(btjd_to_time(btjd).utc.datetime.strftime("%Y%j%H%M%S"))


@lru_cache(maxsize=64)
def wcs_of(field: Field) -> WCS:
    """Sky to full-frame pixel of one CCD."""
    return ccd_wcs(field)


def pixels_of(field: Field, stars: Sequence[Star]) -> NDArray[np.float64]:
    """Columns and rows (1-based) of stars that are on a CCD or near it; shape (n, 2)."""
    if not stars:
        return np.empty((0, 2))
    sky = np.array([(star.ra, star.dec) for star in stars])
    result: NDArray[np.float64] = np.asarray(wcs_of(field).all_world2pix(sky, 1, quiet=True), dtype=np.float64)
    return result


def spot_of(star: Star, sector: int) -> Spot:
    """Find the CCD pixel of a star in a sector.

    Raises
    ------
    InputError
        If the sector does not see it, or only at the edge of a CCD.
    """
    for found in locate(star.ra, star.dec, sectors=[sector]):
        if _inside(found.column, found.row):
            return Spot(found.field, float(found.column), float(found.row))
    raise InputError(
        f"sector {sector} does not see the star at {star.ra:.4f} {star.dec:+.4f}: put the sky elsewhere or leave it out"
    )


def choose_centre(sectors: Sequence[int]) -> tuple[float, float]:
    """Find a place where every one of the sectors looks, each with the whole patch on one CCD.

    Raises
    ------
    InputError
        If there is none.
    """
    for centre in _centres(sectors[0]):
        if all(_whole_on_one_ccd(centre, sector) for sector in sectors):
            return centre
    listed = ", ".join(str(sector) for sector in sectors)
    raise InputError(f"no field of {2 * _PATCH_DEG:g} degrees is seen by all of sectors {listed}: choose others")


def _centres(sector: int) -> Iterator[tuple[float, float]]:
    """Places to try, those near the ecliptic pole first: many sectors see them."""
    for column in _TRIED:
        for row in _TRIED:
            for camera in (4, 1, 3, 2):
                for ccd in (1, 2, 3, 4):
                    ra, dec = wcs_of(Field(sector, camera, ccd)).all_pix2world([[column, row]], 1)[0]
                    yield round(float(ra), 3), round(float(dec), 3)


def _whole_on_one_ccd(centre: tuple[float, float], sector: int) -> bool:
    wide = _PATCH_DEG / np.cos(np.deg2rad(centre[1]))
    corners = [(0.0, 0.0), (wide, _PATCH_DEG), (wide, -_PATCH_DEG), (-wide, _PATCH_DEG), (-wide, -_PATCH_DEG)]
    seen: list[set[Field]] = []
    for east, north in corners:
        found: list[Located] = locate((centre[0] + east) % 360, centre[1] + north, sectors=[sector])
        seen.append({place.field for place in found if _inside(place.column, place.row)})
        if not seen[-1]:
            return False
    return bool(set.intersection(*seen))


def _inside(column: float, row: float) -> bool:
    return COLUMNS[0] + _EDGE < column < COLUMNS[1] - _EDGE and ROWS[0] + _EDGE < row < ROWS[1] - _EDGE


def outward(spot: Spot) -> tuple[float, float]:
    """Columns and rows from the camera's axis to a place on a CCD, px.

    The axis lies in the corner of each CCD where the four meet: beyond the last row,
    past the last column for CCDs 1 and 3 and before the first for 2 and 4.
    """
    side = COLUMNS[1] if spot.field.ccd in (1, 3) else COLUMNS[0]
    return spot.column - side, spot.row - ROWS[1]


def near(sky: Sky, star: Star, radius: float = 0.12) -> tuple[Star, ...]:
    """Other stars of the sky within a radius (degrees) of one."""
    scale = np.cos(np.deg2rad(star.dec))
    return tuple(
        other
        for other in sky.stars
        if other is not star
        and np.hypot(((other.ra - star.ra + 180) % 360 - 180) * scale, other.dec - star.dec) < radius
    )
