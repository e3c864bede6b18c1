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
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

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
    found = locate_many([ra], [dec], sectors)
    return [
        Located(Field(int(sector), int(camera), int(ccd)), float(column), float(row))
        for _, sector, camera, ccd, column, row in zip(*found, strict=True)
    ]


def locate_many(ra: ArrayLike, dec: ArrayLike, sectors: Iterable[int] | None = None) -> tuple[NDArray[Any], ...]:
    """Find the CCDs on which each of many positions falls.

    Parameters
    ----------
    ra, dec : array-like of shape (n,)
        ICRS, degrees, at the epoch of observation.
    sectors : iterable of int, optional
        By default all sectors of the table, also those that are only scheduled.

    Returns
    -------
    index, sector, camera, ccd, column, row : arrays of shape (m,)
        One element for each position and CCD that it falls on, sorted by
        position and sector. `index` counts the positions from 0; `column` and
        `row` are 1-based pixels of a full-frame image.

    Raises
    ------
    InputError
        If a position is not on the sky, or a sector is not in the table.

    Examples
    --------
    >>> from tessellar.mission import locate_many
    >>> index, sector, camera, ccd, column, row = locate_many([63.37389, 0.0], [-69.226789, 90.0], sectors=[1, 2])
    >>> index.tolist(), sector.tolist(), camera.tolist(), ccd.tolist()
    ([0, 0], [1, 2], [4, 4], [1, 2])
    """
    ra, dec = np.atleast_1d(np.asarray(ra, np.float64)), np.atleast_1d(np.asarray(dec, np.float64))
    off = ~(np.isfinite(ra) & np.isfinite(dec) & (np.abs(dec) <= 90))
    if off.any():
        where = int(np.argmax(off))
        raise InputError(
            f"position {ra[where]:g} {dec[where]:g} is not on the sky: give degrees, declination from -90 to 90"
        )
    table = _table()
    rows = np.arange(len(table["field"]))
    if sectors is not None:
        wanted = [get_sector(sector).number for sector in sectors]
        rows = rows[np.isin(table["field"][:, 0], wanted)]
    stars = _unit_vectors(ra, dec)
    reach = np.cos(np.radians(_REACH))
    pieces = [_on_ccd(Field(*map(int, table["field"][i])), np.flatnonzero(stars @ table["vectors"][i] > reach), ra, dec)
              for i in rows]  # fmt: skip
    columns = [np.concatenate(parts) for parts in zip(*(piece for piece in pieces if piece is not None), strict=True)]
    if not columns:
        return (*(np.zeros(0, dtype=np.int64) for _ in range(4)), np.zeros(0), np.zeros(0))
    order = np.lexsort((columns[3], columns[2], columns[1], columns[0]))
    return tuple(column[order] for column in columns)


def _on_ccd(field: Field, near: NDArray[np.int64], ra: Array, dec: Array) -> tuple[NDArray[Any], ...] | None:
    """Return the rows of `locate_many` for one CCD; None if no position falls on it."""
    if not len(near):
        return None
    column, row = ccd_plane(field).to_pixel(ra[near], dec[near])
    on = (column >= FIRST_COLUMN - 0.5) & (column < LAST_COLUMN + 0.5)
    on &= (row >= FIRST_ROW - 0.5) & (row < LAST_ROW + 0.5)
    if not on.any():
        return None
    same = (np.full(int(on.sum()), value) for value in (field.sector, field.camera, field.ccd))
    return (near[on], *same, column[on], row[on])


def footprint(field: Field, per_side: int = 1) -> tuple[Array, Array]:
    """Return right ascension and declination (degrees, ICRS) of the outer edge of a CCD's science pixels.

    Parameters
    ----------
    field : Field
        Sector, camera, CCD.
    per_side : int
        Points a side. With 1, the four corners: the camera distorts, so that
        the edge leaves the great circles between them by up to 7 pixels.

    Returns
    -------
    ra, dec : arrays of shape (4 * per_side,)
        In order around the CCD, from its lower left corner.

    Examples
    --------
    >>> from tessellar import Field
    >>> from tessellar.mission import footprint
    >>> ra, dec = footprint(Field(1, 1, 1))
    >>> ra.shape
    (4,)
    """
    left, right, below, above = FIRST_COLUMN - 0.5, LAST_COLUMN + 0.5, FIRST_ROW - 0.5, LAST_ROW + 0.5
    corners = np.array([[left, below], [right, below], [right, above], [left, above], [left, below]])
    part = (np.arange(per_side) / per_side)[:, None]
    edge = np.concatenate([a + part * (b - a) for a, b in pairwise(corners)])
    return ccd_plane(field).to_sky(edge[:, 0], edge[:, 1])


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
    vectors = _unit_vectors(values[:, 0], values[:, 1])
    index = {tuple(int(part) for part in field): i for i, field in enumerate(fields)}
    return {"field": fields, "values": values, "index": index, "vectors": vectors}


@cache
def _sip() -> dict[str, Any]:
    text = files("tessellar.mission").joinpath("data", "ccd_sip.json").read_text(encoding="utf-8")
    loaded: dict[str, Any] = json.loads(text)
    return loaded


def _unit_vectors(ra: Array, dec: Array) -> Array:
    ra, dec = np.radians(ra), np.radians(dec)
    return np.column_stack([np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)])


def nearest_pixel(place: ArrayLike) -> Array:
    """The pixel of a place: all that ask whose pixel a star lies on ask here, so that none lies between two bands.

    Parameters
    ----------
    place : array-like
        Columns or rows; the middle of a pixel is a whole number.

    Returns
    -------
    float64 array
        Whole numbers; on the border between two pixels the higher one.

    Examples
    --------
    >>> from tessellar.mission.ccd import nearest_pixel
    >>> nearest_pixel([99.4, 99.5, 100.5, 101.5]).tolist()
    [99.0, 100.0, 101.0, 102.0]
    """
    return np.asarray(np.floor(np.asarray(place, dtype=np.float64) + 0.5))
