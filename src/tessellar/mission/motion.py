"""The proper motion of stars: from the epoch of a catalogue to that of an observation."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tessellar.mission.time import BTJD_ORIGIN

_J2000_JD = 2451544.5
_MAS = np.pi / 180 / 3.6e6


def move(
    ra: ArrayLike, dec: ArrayLike, pm_ra: ArrayLike, pm_dec: ArrayLike, epoch: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Carry positions from J2000 (JD 2451544.5) to an epoch.

    Parameters
    ----------
    ra, dec : array-like
        ICRS degrees.
    pm_ra, pm_dec : array-like
        mas/yr along the great circles of the place (that of right ascension with cos dec in it).
    epoch : float
        BTJD.

    Returns
    -------
    (array, array)
        Right ascension (0 to 360) and declination, degrees.

    Notes
    -----
    The shift is added to the star's unit vector, along its east and north: good at the poles too. Elsewhere it
    equals dec + t pm_dec, ra + t pm_ra / cos(dec + t pm_dec / 2), with t = (JD - 2451544.5) / 365.25.
    """
    years = (epoch + BTJD_ORIGIN - _J2000_JD) / 365.25
    a, d = np.radians(np.asarray(ra, np.float64)), np.radians(np.asarray(dec, np.float64))
    east, north = (np.asarray(pm, np.float64) * _MAS * years for pm in (pm_ra, pm_dec))
    x = np.cos(d) * np.cos(a) - east * np.sin(a) - north * np.sin(d) * np.cos(a)
    y = np.cos(d) * np.sin(a) + east * np.cos(a) - north * np.sin(d) * np.sin(a)
    z = np.sin(d) + north * np.cos(d)
    return np.mod(np.degrees(np.arctan2(y, x)), 360.0), np.degrees(np.arctan2(z, np.hypot(x, y)))
