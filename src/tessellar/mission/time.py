"""BTJD, the time of TESS products: barycentric Julian date in TDB, less 2,457,000 days."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

if TYPE_CHECKING:
    from astropy.time import Time

#: JD of BTJD 0, and MJD of it.
BTJD_ORIGIN = 2457000.0
BTJD_TO_MJD = BTJD_ORIGIN - 2400000.5


def btjd_to_time(btjd: ArrayLike) -> Time:
    """Return BTJD as an astropy Time (scale TDB, format jd), without loss of precision.

    Parameters
    ----------
    btjd : array-like
        Days; NaN, as at missing cadences, becomes a masked element.

    Returns
    -------
    astropy.time.Time
        Of the same shape. It is the time at the barycentre, not at the spacecraft.

    Examples
    --------
    >>> from tessellar.mission import btjd_to_time
    >>> btjd_to_time(1325.29698).isot
    '2018-07-25T19:07:39.072'
    """
    from astropy.time import Time

    days = np.asarray(btjd, dtype=np.float64)
    missing = ~np.isfinite(days)
    if missing.any():
        return Time(BTJD_ORIGIN, np.ma.MaskedArray(np.where(missing, 0.0, days), missing), format="jd", scale="tdb")
    return Time(BTJD_ORIGIN, days, format="jd", scale="tdb")


def time_to_btjd(time: Time) -> NDArray[np.float64]:
    """Return an astropy Time as BTJD, in days; masked elements become NaN.

    The time must already be that at the barycentre: no light travel time is added.
    """
    tdb = time.tdb
    # Time keeps two doubles; the larger one is taken from the origin first, so that nothing is rounded away.
    days: Any = (tdb.jd1 - BTJD_ORIGIN) + tdb.jd2
    return np.asarray(np.ma.filled(np.ma.asarray(days), np.nan), dtype=np.float64)
