"""Where the spacecraft is, and how long light travels from there to the solar system's barycentre.

The orbit is an ellipse about the Earth with the size, shape and period of TESS's (13.7 days,
perigee at 17 Earth radii, apogee at 59), its perigee in the gap between the orbits of sector 1.
Its orientation is made up: what matters is that times depend on the spacecraft's place as real ones do.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]

_EARTH_GM = 398600.4418  # km3/s2
_PERIOD = 13.7  # days
_ECCENTRICITY = 0.553
_PERIGEE = 1339.1  # BTJD of one
LIGHT_SPEED = 299792.458  # km/s
# Towards the perigee, and a quarter of a turn further; unit vectors, ICRS.
_ALONG = np.array([0.48, -0.72, -0.5011985634456667])
_ACROSS = np.array([0.0, 0.5713188, -0.8207293])
_NODES = 24


def spacecraft(clock: FloatArray) -> FloatArray:
    """Place of the spacecraft from the Earth's centre, km (ICRS axes), shape (n, 3); `clock` in BTJD.

    Examples
    --------
    >>> distance = np.linalg.norm(spacecraft(np.linspace(1325, 1353, 1000)), axis=1) / 6378.137
    >>> distance.min().round(), distance.max().round()
    (np.float64(17.0), np.float64(59.0))
    """
    size = (_EARTH_GM * (_PERIOD * 86400 / (2 * np.pi)) ** 2) ** (1 / 3)
    mean = 2 * np.pi * (np.asarray(clock, dtype=np.float64) - _PERIGEE) / _PERIOD
    angle = mean.copy()
    for _ in range(12):
        angle -= (angle - _ECCENTRICITY * np.sin(angle) - mean) / (1 - _ECCENTRICITY * np.cos(angle))
    x = size * (np.cos(angle) - _ECCENTRICITY)
    y = size * np.sqrt(1 - _ECCENTRICITY**2) * np.sin(angle)
    across = _ACROSS - (_ACROSS @ _ALONG) * _ALONG
    across /= np.linalg.norm(across)
    along = _ALONG / np.linalg.norm(_ALONG)
    place: FloatArray = x[:, None] * along + y[:, None] * across
    return place


def earth(clock: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Barycentric place (km) and velocity (km/s) of the Earth's centre, each of shape (n, 3)."""
    from astropy.coordinates import get_body_barycentric_posvel
    from astropy.time import Time
    from numpy.polynomial import Chebyshev

    begin, end = float(clock.min()) - 0.5, float(clock.max()) + 0.5
    nodes = 0.5 * (begin + end) + 0.5 * (end - begin) * np.cos(np.pi * (np.arange(_NODES) + 0.5) / _NODES)
    time = Time(2457000.0, nodes, format="jd", scale="tdb")
    place, velocity = get_body_barycentric_posvel("earth", time, ephemeris="builtin")
    series = np.concatenate([place.xyz.to_value("km"), velocity.xyz.to_value("km/s")])
    curves = [Chebyshev.fit(nodes, values, _NODES - 1, domain=[begin, end])(clock) for values in series]
    return np.stack(curves[:3], axis=1), np.stack(curves[3:], axis=1)


def barycentric_place(clock: FloatArray) -> FloatArray:
    """Place of the spacecraft from the solar system's barycentre, days of light (ICRS axes), shape (n, 3)."""
    result: FloatArray = (earth(clock)[0] + spacecraft(clock)) / LIGHT_SPEED / 86400
    return result


def directions(ra: ArrayLike, dec: ArrayLike) -> FloatArray:
    """Unit vectors towards places on the sky (degrees), shape (..., 3)."""
    a, d = np.radians(np.asarray(ra, dtype=np.float64)), np.radians(np.asarray(dec, dtype=np.float64))
    result: FloatArray = np.stack([np.cos(d) * np.cos(a), np.cos(d) * np.sin(a), np.sin(d)], axis=-1)
    return result


def light_travel(ra: float, dec: float, place: FloatArray) -> FloatArray:
    """Days to add to the spacecraft's time to have the barycentric one, for a direction on the sky (degrees).

    Parameters
    ----------
    ra, dec : float
        ICRS degrees.
    place : array, shape (n, 3)
        Of the spacecraft, from `barycentric_place`.

    Returns
    -------
    array, shape (n,)
        Such that a 32-bit float holds them, as in the mission's files.
    """
    result: FloatArray = (place @ directions(ra, dec)).astype(np.float32).astype(np.float64)
    return result
