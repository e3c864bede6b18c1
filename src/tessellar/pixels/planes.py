"""The world coordinates of frames as plain projections: read from headers, judged, repaired, given to astropy.

A `Plane` (tangent plane with SIP distortion) places 200,000 stars in one call; an
astropy WCS of the same header is made only for who asks for one.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tessellar.errors import InputError
from tessellar.mission.ccd import FIRST_ROW, LAST_COLUMN, LAST_ROW, PIXEL_SCALE, ccd_plane
from tessellar.mission.tangent import Plane

if TYPE_CHECKING:
    from astropy.wcs import WCS

    from tessellar.products.keywords import Keys
    from tessellar.targets import Field

_TERM = re.compile(r"([AB])_(\d)_(\d)")
# A header that puts the CCD further than this from where the mission's table has it is broken, not shifted.
_BELIEVABLE = 30.0

Array = NDArray[np.float64]


def plane_of(keys: Keys, corner: tuple[int, int] = (1, 1)) -> Plane | None:
    """Read a TAN or TAN-SIP projection out of a header.

    Parameters
    ----------
    keys : mapping
        Keywords of the image's header.
    corner : (int, int)
        CCD column and row of the image's pixel [0, 0], 1-based.

    Returns
    -------
    Plane or None
        Between the sky and 1-based CCD pixels; None where the header has no usable projection.

    Examples
    --------
    >>> plane_of({"CTYPE1": "RA---TAN"}) is None
    True
    """
    if not str(keys.get("CTYPE1") or "").startswith("RA---TAN") or "TAN" not in str(keys.get("CTYPE2") or ""):
        return None
    names = ("CRVAL1", "CRVAL2", "CRPIX1", "CRPIX2", "CD1_1", "CD1_2", "CD2_1", "CD2_2")
    values = np.array([_number(keys.get(name)) for name in names])
    if not np.isfinite(values).all() or abs(values[1]) > 90:
        return None
    scale = np.sqrt(abs(np.linalg.det(values[4:].reshape(2, 2)))) * 3600
    if not 0.5 * PIXEL_SCALE < scale < 2 * PIXEL_SCALE:
        return None
    crpix = float(values[2] + corner[0] - 1), float(values[3] + corner[1] - 1)
    crval = float(values[0]), float(values[1])
    a, b = _distortion(keys, "A"), _distortion(keys, "B")
    return Plane(crval, crpix, values[4:].reshape(2, 2), sip_crpix=crpix, a=a, b=b)


def plane_of_wcs(wcs: WCS, corner: tuple[int, int]) -> Plane | None:
    """Return an astropy WCS (TAN or TAN-SIP, else None) whose pixel (0, 0) is the CCD pixel `corner` as a plane."""
    if [str(each)[5:8] for each in wcs.wcs.ctype] != ["TAN", "TAN"]:
        return None
    crpix, offset = np.asarray(wcs.wcs.crpix, dtype=np.float64), np.array(corner) - 1.0
    none = np.zeros((1, 1))
    a, b, origin = (none, none, crpix) if wcs.sip is None else (wcs.sip.a, wcs.sip.b, np.asarray(wcs.sip.crpix))
    there, about = crpix + offset, origin + offset
    plane = Plane(
        crval=(float(wcs.wcs.crval[0]), float(wcs.wcs.crval[1])),
        crpix=(float(there[0]), float(there[1])),
        cd=np.asarray(wcs.pixel_scale_matrix, dtype=np.float64),
        sip_crpix=(float(about[0]), float(about[1])),
        a=none if a is None else np.asarray(a),
        b=none if b is None else np.asarray(b),
    )
    scale = np.sqrt(abs(np.linalg.det(plane.cd))) * 3600
    return plane if 0.5 * PIXEL_SCALE < scale < 2 * PIXEL_SCALE else None


def is_believable(plane: Plane, field: Field) -> bool:
    """Tell whether a projection puts its CCD where the mission's table has it, to 30 pixels.

    A sector that is not in the table is believed.
    """
    try:
        table = ccd_plane(field)
    except InputError:
        return True
    column, row = np.array([500.0, 1600.0]), np.array([500.0, 1600.0])
    there = table.to_pixel(*plane.to_sky(column, row))
    return bool(np.hypot(there[0] - column, there[1] - row).max() < _BELIEVABLE)


def repair(planes: Sequence[Plane | None], field: Field) -> tuple[list[Plane], NDArray[np.bool_]]:
    """Fill in the projections of frames whose header has none, or a broken one.

    Parameters
    ----------
    planes : sequence of Plane or None
        One a frame, in order of time.
    field : Field
        Where the mission's table is asked, if no frame has a usable one.

    Returns
    -------
    (list of Plane, boolean array)
        A plane for each frame, that of the nearest good frame where its own is missing; and which ones were filled in.

    Raises
    ------
    InputError
        If no frame has a usable projection and the sector is not in the table.
    """
    usable = np.array([plane is not None and is_believable(plane, field) for plane in planes], dtype=bool)
    if not usable.any():
        return [ccd_plane(field)] * len(planes), ~usable
    good = np.flatnonzero(usable)
    nearest = good[np.abs(np.arange(len(planes))[:, None] - good[None, :]).argmin(axis=1)]
    # Only indices of usable planes are in `nearest`, so none of these is None.
    return [plane for plane in (planes[i] for i in nearest) if plane is not None], ~usable


def wcs_of(plane: Plane, corner: tuple[int, int], inverse: tuple[Array, Array] | None = None) -> WCS:
    """Return a projection as an astropy WCS whose pixel (0, 0), counted from 0, is the CCD pixel `corner`.

    `inverse` is what `inverse_of` gives for the plane, or for one that lies a pixel beside it.
    """
    from astropy.wcs import WCS, Sip

    wcs = WCS(naxis=2)
    ending = "-SIP" if plane.a.size > 1 else ""
    wcs.wcs.ctype = [f"RA---TAN{ending}", f"DEC--TAN{ending}"]
    wcs.wcs.cunit = ["deg", "deg"]
    wcs.wcs.radesys = "ICRS"
    wcs.wcs.crval = plane.crval
    wcs.wcs.crpix = [plane.crpix[0] - corner[0] + 1, plane.crpix[1] - corner[1] + 1]
    wcs.wcs.cd = plane.cd
    if plane.a.size > 1:
        origin = np.array([plane.sip_crpix[0] - corner[0] + 1, plane.sip_crpix[1] - corner[1] + 1])
        inverse_a, inverse_b = inverse or inverse_of(plane)
        wcs.sip = Sip(plane.a, plane.b, inverse_a, inverse_b, origin)
    wcs.wcs.set()
    return wcs


def inverse_of(plane: Plane) -> tuple[Array, Array]:
    """Polynomials that undo the distortion, fitted over the CCD: astropy's ``world_to_pixel`` starts from them."""
    order = plane.a.shape[0] - 1
    columns, rows = np.meshgrid(np.linspace(1, LAST_COLUMN, 24), np.linspace(FIRST_ROW, LAST_ROW, 24))
    u, v = columns.ravel() - plane.sip_crpix[0], rows.ravel() - plane.sip_crpix[1]
    du = np.polynomial.polynomial.polyval2d(u, v, plane.a)
    dv = np.polynomial.polynomial.polyval2d(u, v, plane.b)
    powers = [(p, q) for p in range(order + 1) for q in range(order + 1 - p)]
    scale = 1000.0
    design = np.column_stack([((u + du) / scale) ** p * ((v + dv) / scale) ** q for p, q in powers])
    fitted = []
    for shift in (du, dv):
        terms = np.linalg.lstsq(design, -shift, rcond=None)[0]
        table = np.zeros((order + 1, order + 1))
        for (p, q), term in zip(powers, terms, strict=True):
            table[p, q] = term / scale ** (p + q)
        fitted.append(table)
    return fitted[0], fitted[1]


def _distortion(keys: Keys, axis: str) -> NDArray[np.float64]:
    terms = {}
    for key, value in keys.items():
        match = _TERM.fullmatch(key)
        if match and match[1] == axis:
            terms[int(match[2]), int(match[3])] = _number(value)
    order = max((max(powers) for powers in terms), default=0)
    table = np.zeros((order + 1, order + 1))
    for powers, value in terms.items():
        table[powers] = value
    return np.nan_to_num(table)


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else float("nan")
