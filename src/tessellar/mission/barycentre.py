"""The barycentric correction of any star, without kernels: where the spacecraft was is read out of other corrections.

The light of a star at the unit vector n reaches the barycentre r.n / c after (or before)
it reaches the spacecraft at r. The Earth's place is known to a millisecond; TESS is up to
1.3 light-seconds from it. Every correction that the mission wrote (TIMECORR of a star's
file, BARYCORR of a full-frame image, which is that of the CCD's centre) tells one
component of its place. Together, with the Earth as prior, they tell the correction of
any other star, and how surely.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tessellar.errors import InputError
from tessellar.mission.time import BTJD_ORIGIN

Array = NDArray[np.float64]

#: 1-sigma distance from the Earth along any axis, light-seconds: the orbit's semi-major axis is 38 Earth radii, its
#: eccentricity about 0.55.
ORBIT = 0.56
#: 1-sigma error of a correction that the mission wrote, seconds.
WRITTEN = 0.003
# Corrections are not interpolated over longer gaps than this, days.
_GAP = 0.1
_SECONDS = 86400.0


@dataclass(frozen=True, eq=False)
class WrittenCorrection:
    """Barycentric corrections of one direction, as the mission wrote them.

    Attributes
    ----------
    ra, dec : float
        The direction, ICRS degrees.
    time : array (n,)
        BTJD at the spacecraft (TIME less TIMECORR), days.
    correction : array (n,)
        Days.
    sigma : float
        1-sigma error, seconds.
    """

    ra: float
    dec: float
    time: Array
    correction: Array
    sigma: float = WRITTEN


@dataclass(frozen=True, eq=False)
class SpacecraftPosition:
    """Where TESS was, as far as corrections tell. `SpacecraftPosition.solve` makes it.

    Attributes
    ----------
    time : array (n,)
        BTJD at the spacecraft.
    offset : array (n, 3)
        From the Earth's centre, ICRS axes, light-seconds.
    covariance : array (n, 3, 3)
        Of `offset`, squared light-seconds.

    Examples
    --------
    >>> from tessellar.mission.barycentre import SpacecraftPosition
    >>> alone = SpacecraftPosition.solve([1330.0])
    >>> days, error = alone.correction([1330.0], 63.37389, -69.226789)
    >>> round(float(days[0]) * 86400), round(float(error[0]), 2)
    (81, 0.56)
    """

    time: Array
    offset: Array
    covariance: Array

    @classmethod
    def solve(cls, time: ArrayLike, written: Sequence[WrittenCorrection] = ()) -> SpacecraftPosition:
        """Solve for the place of the spacecraft.

        Parameters
        ----------
        time : array-like (n,)
            BTJD at the spacecraft for which it is wanted.
        written : sequence of WrittenCorrection
            Best of several directions far apart, as of stars in different cameras. Without any the Earth's centre is
            what is known. A time that lies in a gap of one of them does without it.

        Raises
        ------
        InputError
            If a time is not finite.
        """
        when = np.atleast_1d(np.asarray(time, dtype=np.float64))
        if not np.isfinite(when).all():
            raise InputError("the place of the spacecraft is asked for at a time that is not finite")
        precision = np.broadcast_to(np.eye(3) / ORBIT**2, (len(when), 3, 3)).copy()
        pull = np.zeros((len(when), 3))
        for each in written:
            rest, known = _beyond_earth(each, when)
            direction = unit_vector(each.ra, each.dec)
            precision[known] += np.outer(direction, direction) / each.sigma**2
            pull[known] += rest[known, None] * direction / each.sigma**2
        covariance = np.asarray(np.linalg.inv(precision), dtype=np.float64)
        return cls(when, np.einsum("nij,nj->ni", covariance, pull), covariance)

    def correction(self, time: ArrayLike, ra: float, dec: float) -> tuple[Array, Array]:
        """Barycentric correction of a star.

        Parameters
        ----------
        time : array-like (n,)
            BTJD at the spacecraft; between the times of this solution its place is interpolated linearly.
        ra, dec : float
            ICRS degrees.

        Returns
        -------
        (array, array)
            To add to the time at the spacecraft, days; and its 1-sigma error, seconds.
        """
        return along(self.place(time), ra, dec), self.error(time, ra, dec)

    def error(self, time: ArrayLike, ra: float, dec: float) -> Array:
        """1-sigma error of the correction of a star at BTJD (n,), seconds."""
        direction = unit_vector(ra, dec)
        error = np.sqrt(np.einsum("nij,i,j->n", self.covariance, direction, direction))
        return np.asarray(np.interp(np.atleast_1d(np.asarray(time, dtype=np.float64)), self.time, error))

    def place(self, time: ArrayLike) -> Array:
        """Place of the spacecraft from the barycentre, ICRS axes, light-seconds, at BTJD (n,): (n, 3)."""
        when = np.atleast_1d(np.asarray(time, dtype=np.float64))
        return np.asarray(earth(when) + np.column_stack([np.interp(when, self.time, axis) for axis in self.offset.T]))


def along(place: Array, ra: float, dec: float) -> Array:
    """Barycentric correction of a star, days, for a spacecraft at `place` (n, 3), light-seconds from the barycentre.

    Examples
    --------
    >>> float(along(np.array([[86.4, 0.0, 0.0]]), 60.0, 0.0)[0].round(7))
    0.0005
    """
    # Added up term by term: the same to the last bit wherever it is computed.
    x, y, z = unit_vector(ra, dec)
    return np.asarray((place[:, 0] * x + place[:, 1] * y + place[:, 2] * z) / _SECONDS)


def earth(time: Array) -> Array:
    """Place of the Earth's centre from the barycentre, ICRS axes, light-seconds, at BTJD (n,): (n, 3).

    From ERFA's analytic ephemeris (Moisson & Bretagnon 2001; 5 km), which needs no files.
    """
    from astropy.constants import c
    from astropy.coordinates import get_body_barycentric, solar_system_ephemeris
    from astropy.time import Time

    with solar_system_ephemeris.set("builtin"):
        place = get_body_barycentric("earth", Time(BTJD_ORIGIN, time, format="jd", scale="tdb"))
    return np.asarray(place.xyz.to_value("m").T / c.value)


def unit_vector(ra: float, dec: float) -> Array:
    """Unit vector of a direction, degrees."""
    a, d = np.radians(ra), np.radians(dec)
    return np.array([np.cos(d) * np.cos(a), np.cos(d) * np.sin(a), np.sin(d)])


def _beyond_earth(each: WrittenCorrection, when: Array) -> tuple[Array, NDArray[np.bool_]]:
    """What a correction has over the Earth's, seconds, at given times; and where it is known."""
    finite = np.isfinite(each.time) & np.isfinite(each.correction)
    order = np.flatnonzero(finite)[np.argsort(each.time[finite], kind="stable")]
    time = each.time[order].astype(np.float64)
    if not time.size:
        return np.zeros(len(when)), np.zeros(len(when), dtype=bool)
    rest = each.correction[order] * _SECONDS - earth(time) @ unit_vector(each.ra, each.dec)
    after = np.clip(np.searchsorted(time, when), 0, len(time) - 1)
    before = np.maximum(after - 1, 0)
    near = np.minimum(np.abs(time[after] - when), np.abs(time[before] - when))
    inside = (when >= time[0]) & (when <= time[-1]) & (time[after] - time[before] <= _GAP)
    return np.interp(when, time, rest), inside | (near < 1e-3)
