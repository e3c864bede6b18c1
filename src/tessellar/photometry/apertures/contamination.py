"""How much of the light in an aperture is the star's, and how much of the star's light is in the aperture.

Two numbers say it, as SPOC defines them (Kepler Archive Manual, KDMC-10008, and the headers of light curves):

``CROWDSAP``
    light of the target over the light of all stars, both in the aperture;
``FLFRCSAP``
    light of the target in the aperture over all light of the target.

Sky is in neither. Other conventions are of the same light, and are converted here, explicitly: TASOC's AP_CONT counts a
star's whole light where its pixel is in the mask; the TIC's contratio is that of a catalogue, neighbours over target.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tessellar.errors import InputError
from tessellar.photometry.apertures.optimal import draw_scene

if TYPE_CHECKING:
    from tessellar.pixels import PixelResponse, Surroundings

Array = NDArray[np.float64]


class Crowding(NamedTuple):
    """CROWDSAP and FLFRCSAP of one aperture; NaN where not known."""

    crowdsap: float
    flfrcsap: float


UNKNOWN = Crowding(float("nan"), float("nan"))


def crowding(mask: NDArray[np.bool_], corner: tuple[int, int], stars: Surroundings, star: int) -> Crowding:
    """CROWDSAP and FLFRCSAP of a mask of any shape, from the pixel response and the stars about it.

    For many stars at a time, see `tessellar.photometry.apertures.optimal.choose_apertures`: it gives the same numbers.

    Parameters
    ----------
    mask : boolean array (rows, cols)
    corner : (int, int)
        CCD column and row of its pixel [0, 0], 1-based.
    stars : Surroundings
        At their places in the reference frame, with a response; to 7 px about the mask, or more.
    star : int
        Index of the target among them.

    Examples
    --------
    >>> crowding(mask, stamp.corner, stars, stars.index(25155310))  # doctest: +SKIP
    Crowding(crowdsap=0.97, flfrcsap=0.88)
    """
    response = middle_response(stars)
    if response is None:
        return UNKNOWN
    everything = draw_scene(stars.column, stars.row, stars.flux, response, corner=corner, shape=mask.shape)[0]
    place = [stars.column[star]], [stars.row[star]], [1.0]
    share = float(draw_scene(*place, response, corner=corner, shape=mask.shape)[0][mask].sum())
    total = float(everything[mask].sum())
    if not total > 0:
        return Crowding(float("nan"), share)
    return Crowding(min(max(share * float(stars.flux[star]) / total, 0.0), 1.0), share)


def middle_response(stars: Surroundings) -> PixelResponse | None:
    """The response that masks are chosen with: that of the part of the sector in the middle of the cadences."""
    if not stars.responses:
        return None
    return stars.response_of(int(stars.segments[len(stars.segments) // 2]) if len(stars.segments) else 0)


def corrected_flux(
    flux: ArrayLike, flux_err: ArrayLike, crowdsap: float, flfrcsap: float, good: NDArray[np.bool_] | None = None
) -> tuple[Array, Array]:
    """All light of the star alone: neighbours' light taken off, the star's light outside the aperture put back.

    ``(F - (1 - CROWDSAP) median(F)) / FLFRCSAP``, as SPOC corrects PDCSAP; the error is ``FLUX_ERR / FLFRCSAP``. Both
    shares are taken as known: an error of theirs is the same in all cadences, and scales or shifts the whole curve.

    Parameters
    ----------
    flux, flux_err : array (n,)
        e-/s.
    crowdsap, flfrcsap : float
    good : boolean array (n,), optional
        Cadences of which the median is taken; all if not given.

    Returns
    -------
    (array (n,), array (n,))
        e-/s; NaN throughout where a share is not known, or none of the light is in the aperture.

    Examples
    --------
    >>> from tessellar.photometry.apertures.contamination import corrected_flux
    >>> corrected_flux([90.0, 100.0, 110.0], [1.0, 1.0, 1.0], crowdsap=0.8, flfrcsap=0.5)[0].tolist()
    [140.0, 160.0, 180.0]
    """
    values, errors = np.asarray(flux, dtype=np.float64), np.asarray(flux_err, dtype=np.float64)
    chosen = values if good is None else values[good]
    chosen = chosen[np.isfinite(chosen)]
    if not (np.isfinite(crowdsap) and flfrcsap > 0 and chosen.size):
        return np.full_like(values, np.nan), np.full_like(values, np.nan)
    return (values - (1.0 - crowdsap) * float(np.median(chosen))) / flfrcsap, errors / flfrcsap


def ap_cont(tmag: float, inside: ArrayLike) -> float:
    """AP_CONT of TASOC: 1 - 10^(0.4 (m_tot - tmag)), m_tot the magnitude of all stars whose pixel is in the mask.

    Parameters
    ----------
    tmag : float
        TESS magnitude of the target.
    inside : array
        Those of the stars in the mask, the target's included.

    Returns
    -------
    float
        0 where the target is alone, never below; NaN where no star is in the mask.

    Examples
    --------
    >>> from tessellar.photometry.apertures.contamination import ap_cont
    >>> ap_cont(10.0, [10.0, 10.0]), ap_cont(10.0, [10.0])
    (0.5, 0.0)
    """
    light = float((10 ** (-0.4 * np.asarray(inside, dtype=np.float64))).sum())
    return max(0.0, float(1.0 - 10 ** (-0.4 * tmag) / light)) if light > 0 else float("nan")


def crowdsap_from_ap_cont(contamination: float) -> float:
    """CROWDSAP of an aperture that holds all light of all its stars: 1 - AP_CONT."""
    return 1.0 - _share(contamination, "AP_CONT")


def ap_cont_from_crowdsap(crowdsap: float) -> float:
    """AP_CONT of the same light: 1 - CROWDSAP."""
    return 1.0 - _share(crowdsap, "CROWDSAP")


def crowdsap_from_contratio(contratio: float) -> float:
    """CROWDSAP of a contamination ratio as the TIC gives it, neighbours' light over the target's: 1 / (1 + contratio).

    Examples
    --------
    >>> from tessellar.photometry.apertures.contamination import contratio_from_crowdsap, crowdsap_from_contratio
    >>> crowdsap_from_contratio(0.25), contratio_from_crowdsap(0.8)
    (0.8, 0.25)
    """
    if contratio < 0:
        raise InputError(f"contratio {contratio!r} is below 0: it is neighbours' light over the target's")
    return 1.0 / (1.0 + contratio)


def contratio_from_crowdsap(crowdsap: float) -> float:
    """Neighbours' light over the target's: 1 / CROWDSAP - 1; infinite where nothing is the target's."""
    share = _share(crowdsap, "CROWDSAP")
    return 1.0 / share - 1.0 if share > 0 else float("inf")


def _share(value: float, word: str) -> float:
    if value < 0 or value > 1:
        raise InputError(f"{word} {value!r} is no share: it must be from 0 to 1")
    return value


def stars_in(mask: NDArray[Any], corner: tuple[int, int], column: ArrayLike, row: ArrayLike) -> NDArray[np.int64]:
    """Indices of the stars whose pixel is in a mask.

    Parameters
    ----------
    mask : boolean array (rows, cols)
    corner : (int, int)
        CCD column and row of its pixel [0, 0], 1-based.
    column, row : array
        Places of the stars, 1-based.
    """
    col = np.floor(np.asarray(column) + 0.5).astype(np.int64) - corner[0]
    line = np.floor(np.asarray(row) + 0.5).astype(np.int64) - corner[1]
    inside = (line >= 0) & (line < mask.shape[0]) & (col >= 0) & (col < mask.shape[1])
    found = np.flatnonzero(inside)
    return np.asarray(found[np.asarray(mask, dtype=bool)[line[found], col[found]]])
