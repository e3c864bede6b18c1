"""What is asked of the TESS Input Catalog: stars by id, in a cone, on a CCD."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tessellar.archives.asking import known_column
from tessellar.archives.portal import range_filter, text_filter
from tessellar.archives.sweep import Question, Span
from tessellar.errors import InputError
from tessellar.mission.ccd import FIRST_COLUMN, FIRST_ROW, LAST_COLUMN, LAST_ROW, ccd_plane
from tessellar.products.stars import STAR_COLUMNS
from tessellar.targets import Field

ROWS = "Mast.Catalogs.Filtered.Tic.Rows"
NEAR = "Mast.Catalogs.Filtered.Tic.Position.Rows"

# Asked for unless the caller says otherwise; without the second lot a row is not understood.
USUAL = ("ID", "ra", "dec", "pmRA", "pmDEC", "Tmag", "e_Tmag", "objType", "disposition", "duplicate_id", "GAIA",
         "TWOMASS", "HIP", "GAIAmag", "plx", "Teff", "logg", "rad", "mass", "contratio")  # fmt: skip
_NEEDED = ("ID", "ra", "dec", "pmRA", "pmDEC", "Tmag", "disposition", "duplicate_id")
_OURS = ("dstArcSec", "ra_epoch", "dec_epoch", "moved")

_GRID = 34  # points along a side of a CCD, some 62 pixels apart
_PAD = 0.4  # degrees: more than the distance of neighbours in that grid
_POLAR = 88.0  # beyond this declination all right ascensions are asked for
_BRIGHTEST = -5.0


def columns_of(wanted: Sequence[str] | None) -> tuple[str, str]:
    """Return the columns that a table is to have, and those that are asked for, each in one text.

    Raises
    ------
    QueryError
        If there is no such column.
    """
    names = list(USUAL if wanted is None else wanted)
    for name in names:
        known_column(name, STAR_COLUMNS)
    return ",".join(names), ",".join(dict.fromkeys([*(name for name in names if name not in _OURS), *_NEEDED]))


def of_ids(ids: Sequence[int], columns: str) -> dict[str, Any]:
    """Return the parameters that ask for stars by their TIC ids."""
    return {"columns": columns, "filters": [text_filter("ID", *map(str, ids))]}


def in_cone(ra: float, dec: float, radius: float, tmag: float | None, columns: str) -> dict[str, Any]:
    """Return the parameters that ask for the stars in a cone, in degrees."""
    return {"ra": ra, "dec": dec, "radius": radius, "columns": columns, "filters": _brightness(tmag)}


def on_ccd(field: Field, tmag: float | None, columns: str, margin: float) -> tuple[Span, Question]:
    """Return the declinations that a CCD covers, and the question for those of its stars in a strip of them.

    The archive is asked for the right ascensions between which the CCD lies in
    a strip, a little too many; `places_of` tells which stars are on it.

    Parameters
    ----------
    field : Field
        Sector, camera, CCD.
    tmag : float or None
        The faintest TESS magnitude.
    columns : str
        What is asked for.
    margin : float
        Pixels around the CCD that count as well.
    """
    column = np.linspace(FIRST_COLUMN - 0.5 - margin, LAST_COLUMN + 0.5 + margin, _GRID)
    row = np.linspace(FIRST_ROW - 0.5 - margin, LAST_ROW + 0.5 + margin, _GRID)
    ra, dec = (each.ravel() for each in ccd_plane(field).to_sky(*np.meshgrid(column, row)))
    pad = _PAD + margin * 21 / 3600 / _GRID

    def question(strip: Span) -> tuple[str, Mapping[str, Any]] | None:
        inside = (dec > strip[0] - pad) & (dec < strip[1] + pad)
        if not inside.any():
            return None
        filters = [*_brightness(tmag), range_filter("dec", *strip)]
        arcs = _arcs(ra[inside], strip, pad)
        if arcs is not None:
            filters.append({"paramName": "ra", "values": [{"min": low, "max": high} for low, high in arcs]})
        return ROWS, {"columns": columns, "filters": filters}

    return (max(float(dec.min()) - pad, -90.0), min(float(dec.max()) + pad, 90.0)), question


def places_of(field: Field, margin: float) -> Callable[[NDArray[np.float64], NDArray[np.float64]], NDArray[np.bool_]]:
    """Return a function that tells which positions (degrees) fall on a CCD, or within `margin` pixels of it."""
    plane = ccd_plane(field)

    def on(ra: NDArray[np.float64], dec: NDArray[np.float64]) -> NDArray[np.bool_]:
        column, row = plane.to_pixel(ra, dec)
        within: NDArray[np.bool_] = (column >= FIRST_COLUMN - 0.5 - margin) & (column < LAST_COLUMN + 0.5 + margin)
        within &= (row >= FIRST_ROW - 0.5 - margin) & (row < LAST_ROW + 0.5 + margin)
        return within

    return on


def check_faintest(tmag: float | None) -> None:
    """Raise `InputError` unless it is a magnitude that stars of the catalogue can have."""
    if tmag is not None and not _BRIGHTEST < tmag < 30:
        raise InputError(f"a limit of TESS magnitude {tmag:g} leaves nothing or means nothing: give one as in 15")


def _brightness(tmag: float | None) -> list[dict[str, Any]]:
    return [] if tmag is None else [range_filter("Tmag", _BRIGHTEST, tmag)]


def _arcs(ra: NDArray[np.float64], strip: Span, pad: float) -> list[Span] | None:
    """Return the right ascensions around some points, across 0 in two pieces; None for all of them."""
    highest = max(abs(strip[0]), abs(strip[1])) + pad
    if highest > _POLAR:
        return None
    ordered = np.sort(ra)
    gaps = np.diff(ordered, append=ordered[0] + 360)
    widest = int(np.argmax(gaps))
    wider = pad / math.cos(math.radians(highest))
    if gaps[widest] < 2 * wider + 1:
        return None
    low, high = float(ordered[(widest + 1) % len(ordered)]) - wider, float(ordered[widest]) + wider
    low, high = low % 360, high % 360
    return [(low, high)] if low <= high else [(low, 360.0), (0.0, high)]
