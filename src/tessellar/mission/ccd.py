"""The CCDs: their geometry, and where each lies on the sky in each sector.

Pixels are counted as in full-frame images, from 1: columns 1 to 44 are
virtual, 45 to 2092 are science pixels, rows 1 to 2048 are science rows. The
WCS are data (``data/ccd_wcs.csv``, made by ``scripts/build_pointings.py`` from
what tesswcs measured; the script tells where the two differ). Over a CCD they
hold to 0.05 pixel (median; 0.5 in the corners) of the headers of one image of
the sector, which other images leave by some tenths of a pixel; for sectors to
come to about 0.4 pixel of the announced pointing. The header of an image is the
better source where it is at hand.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tessellar.errors import InputError
from tessellar.mission.sectors import get_sector, read_data
from tessellar.mission.tangent import Plane
from tessellar.targets import Field

if TYPE_CHECKING:
    from astropy.wcs import WCS

Array = NDArray[np.float64]

PIXEL_SCALE = 21.0  # arcsec
FULL_FRAME_SHAPE = (2078, 2136)  # rows, columns
FIRST_COLUMN, LAST_COLUMN = 45, 2092
FIRST_ROW, LAST_ROW = 1, 2048

# Half the diagonal of a CCD is 8.6 degrees; a star further from its reference point than this is not on it.
_REACH = 9.5


@dataclass(frozen=True)
class Located:
    """Where a position falls: a field, and the 1-based column and row of a full-frame image of it."""

    field: Field
    column: float
    row: float


def locate(ra: float, dec: float, sectors: Iterable[int] | None = None) -> list[Located]:
    """Find the CCDs on which a position falls.

    Parameters
    ----------
    ra, dec : float
        ICRS, degrees, at the epoch of observation.
    sectors : iterable of int, optional
        By default all sectors of the table, also those that are only scheduled.

    Returns
    -------
    list of Located
        By sector, camera and CCD; empty where the position was not, and will not be, observed.

    Raises
    ------
    InputError
        If the position is not on the sky, or a sector is not in the table.

    Examples
    --------
    >>> from tessellar.mission import locate
    >>> place, = locate(63.37389, -69.226789, sectors=[1])
    >>> str(place.field), round(place.column), round(place.row)
    ('s0001-4-1', 1624, 393)
    """
    if not (np.isfinite(ra) and np.isfinite(dec) and -90 <= dec <= 90):
        raise InputError(f"position {ra:g} {dec:g} is not on the sky: give degrees, declination from -90 to 90")
    table = _table()
    near = table["cosine"](ra, dec) > np.cos(np.radians(_REACH))
    if sectors is not None:
        near &= np.isin(table["field"][:, 0], [get_sector(sector).number for sector in sectors])
    places = []
    for index in np.flatnonzero(near):
        field = Field(*(int(value) for value in table["field"][index]))
        column, row = (float(value) for value in ccd_plane(field).to_pixel(ra, dec))
        if FIRST_COLUMN - 0.5 <= column < LAST_COLUMN + 0.5 and FIRST_ROW - 0.5 <= row < LAST_ROW + 0.5:
            places.append(Located(field, column, row))
    return places


def footprint(field: Field) -> tuple[Array, Array]:
    """Return right ascension and declination (degrees, ICRS) of the four outer corners of a CCD's science pixels.

    Examples
    --------
    >>> from tessellar import Field
    >>> from tessellar.mission import footprint
    >>> ra, dec = footprint(Field(1, 1, 1))
    >>> ra.shape
    (4,)
    """
    columns = [FIRST_COLUMN - 0.5, LAST_COLUMN + 0.5, LAST_COLUMN + 0.5, FIRST_COLUMN - 0.5]
    rows = [FIRST_ROW - 0.5, FIRST_ROW - 0.5, LAST_ROW + 0.5, LAST_ROW + 0.5]
    return ccd_plane(field).to_sky(columns, rows)


def ccd_wcs(field: Field) -> WCS:
    """Return the WCS of a CCD in a sector, for the pixels of a full-frame image.

    Its own convention is that of FITS, 1-based; astropy's ``world_to_pixel``
    counts from 0.

    Raises
    ------
    InputError
        If the sector is not in the table.
    """
    from astropy.wcs import WCS, Sip

    plane = ccd_plane(field)
    sip = _sip()["ccds"][f"{field.camera}-{field.ccd}"]
    # The reference pixel is also the origin of the distortion, or the WCS would not survive being written to a header.
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---TAN-SIP", "DEC--TAN-SIP"]
    wcs.wcs.cunit = ["deg", "deg"]
    wcs.wcs.radesys = "ICRS"
    wcs.wcs.crval = plane.crval
    wcs.wcs.crpix = plane.crpix
    wcs.wcs.cd = plane.cd
    wcs.sip = Sip(*(np.array(sip[name]) for name in ("a", "b", "ap", "bp")), np.array(plane.sip_crpix))
    wcs.pixel_shape = FULL_FRAME_SHAPE[::-1]
    wcs.wcs.set()
    return wcs


@cache
def ccd_plane(field: Field) -> Plane:
    """Return the projection of a CCD in a sector.

    Raises
    ------
    InputError
        If the sector is not in the table.
    """
    get_sector(field.sector)
    table = _table()
    row = table["values"][table["index"][(field.sector, field.camera, field.ccd)]]
    sip = _sip()
    distortion = sip["ccds"][f"{field.camera}-{field.ccd}"]
    return Plane(
        crval=(float(row[0]), float(row[1])),
        crpix=(float(sip["crpix"][0]), float(sip["crpix"][1])),
        cd=row[2:6].reshape(2, 2),
        sip_crpix=(float(sip["crpix"][0]), float(sip["crpix"][1])),
        a=np.array(distortion["a"]),
        b=np.array(distortion["b"]),
    )


@cache
def _table() -> dict[str, Any]:
    lines = read_data("ccd_wcs.csv")
    data = np.loadtxt(lines[1:], delimiter=",")
    fields, values = data[:, :3].astype(int), data[:, 3:]
    ra, dec = np.radians(values[:, 0]), np.radians(values[:, 1])
    vectors = np.column_stack([np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)])

    def cosine(ra: float, dec: float) -> Array:
        ra, dec = np.radians(ra), np.radians(dec)
        return np.asarray(vectors @ [np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)])

    index = {tuple(int(part) for part in field): i for i, field in enumerate(fields)}
    return {"field": fields, "values": values, "index": index, "cosine": cosine}


@cache
def _sip() -> dict[str, Any]:
    text = files("tessellar.mission").joinpath("data", "ccd_sip.json").read_text(encoding="utf-8")
    loaded: dict[str, Any] = json.loads(text)
    return loaded
