"""The tangent-plane projection with SIP distortion, in numpy: for many CCDs at once, without a WCS object.

Formulas: Calabretta & Greisen 2002, A&A 395, 1077, sections 2.3 and 5.1.3
(gnomonic projection); Shupe et al. 2005, ASP Conf. Ser. 347, 491 (SIP).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

_CLOSE = 1e-7  # pixels


@dataclass(frozen=True)
class Plane:
    """One CCD's tangent plane.

    Attributes
    ----------
    crval : tuple of float
        Right ascension and declination of the reference point, degrees (ICRS).
    crpix : tuple of float
        Its pixel, column and row, 1-based.
    cd : array (2, 2)
        Degrees per pixel.
    sip_crpix : tuple of float
        Origin of the distortion polynomials, 1-based.
    a, b : array (n, n)
        Distortion polynomials: ``a[p, q]`` multiplies ``u**p v**q``.
    """

    crval: tuple[float, float]
    crpix: tuple[float, float]
    cd: Array
    sip_crpix: tuple[float, float]
    a: Array
    b: Array

    def to_sky(self, column: ArrayLike, row: ArrayLike) -> tuple[Array, Array]:
        """Return right ascension and declination (degrees) of 1-based pixels."""
        column, row = np.asarray(column, dtype=np.float64), np.asarray(row, dtype=np.float64)
        du, dv = self._distortion(column - self.sip_crpix[0], row - self.sip_crpix[1])
        x, y = column + du - self.crpix[0], row + dv - self.crpix[1]
        xi = np.radians(self.cd[0, 0] * x + self.cd[0, 1] * y)
        eta = np.radians(self.cd[1, 0] * x + self.cd[1, 1] * y)
        dec0 = np.radians(self.crval[1])
        below = np.cos(dec0) - eta * np.sin(dec0)
        ra = self.crval[0] + np.degrees(np.arctan2(xi, below))
        dec = np.degrees(np.arctan2(np.sin(dec0) + eta * np.cos(dec0), np.hypot(xi, below)))
        return np.mod(ra, 360.0), dec

    def to_pixel(self, ra: ArrayLike, dec: ArrayLike) -> tuple[Array, Array]:
        """Return 1-based column and row of positions (degrees); NaN on the far side of the sky."""
        ra, dec = np.radians(np.asarray(ra, dtype=np.float64)), np.radians(np.asarray(dec, dtype=np.float64))
        ra0, dec0 = np.radians(self.crval)
        cosine = np.sin(dec) * np.sin(dec0) + np.cos(dec) * np.cos(dec0) * np.cos(ra - ra0)
        cosine = np.where(cosine > 0, cosine, np.nan)
        xi = np.degrees(np.cos(dec) * np.sin(ra - ra0) / cosine)
        eta = np.degrees((np.sin(dec) * np.cos(dec0) - np.cos(dec) * np.sin(dec0) * np.cos(ra - ra0)) / cosine)
        inverse = np.linalg.inv(self.cd)
        goal_u = inverse[0, 0] * xi + inverse[0, 1] * eta + self.crpix[0] - self.sip_crpix[0]
        goal_v = inverse[1, 0] * xi + inverse[1, 1] * eta + self.crpix[1] - self.sip_crpix[1]
        # The distortion changes by a few per cent of a shift: this converges by more than a digit a step.
        u, v = goal_u, goal_v
        for _ in range(12):
            before_u, before_v = u, v
            du, dv = self._distortion(u, v)
            u, v = goal_u - du, goal_v - dv
            if not (np.abs(u - before_u) > _CLOSE).any() and not (np.abs(v - before_v) > _CLOSE).any():
                break
        return u + self.sip_crpix[0], v + self.sip_crpix[1]

    def _distortion(self, u: Array, v: Array) -> tuple[Array, Array]:
        # Far outside the CCD the polynomials mean nothing and would only overflow.
        u, v = np.clip(u, -4000, 4000), np.clip(v, -4000, 4000)
        du, dv = (np.polynomial.polynomial.polyval2d(u, v, each) for each in (self.a, self.b))
        return np.asarray(du, dtype=np.float64), np.asarray(dv, dtype=np.float64)


def angular_separation(ra1: float, dec1: float, ra2: float, dec2: float) -> float:
    """Return the angle between two positions (degrees) in arcsec, right at any distance.

    Vincenty's formula.

    Examples
    --------
    >>> from tessellar.mission.tangent import angular_separation
    >>> round(angular_separation(10.0, 60.0, 10.0, 60.001), 6)
    3.6
    """
    a1, d1, a2, d2 = np.radians([ra1, dec1, ra2, dec2])
    east = np.cos(d2) * np.sin(a2 - a1)
    north = np.cos(d1) * np.sin(d2) - np.sin(d1) * np.cos(d2) * np.cos(a2 - a1)
    along = np.sin(d1) * np.sin(d2) + np.cos(d1) * np.cos(d2) * np.cos(a2 - a1)
    return float(np.degrees(np.arctan2(np.hypot(east, north), along)) * 3600)
