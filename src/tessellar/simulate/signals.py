"""What makes a star's brightness change: exact relative flux at any time.

Every signal is 1 when nothing happens (for a pulsation: on average). Times are BTJD,
BJD(TDB) - 2457000, in days, at the middle of an exposure; the change within one
2-min exposure is not averaged, neither in the pixels nor in the truth.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]

#: Quadratic limb darkening in the TESS band of a Sun-like star, of the size that Claret (2017) tabulates.
SOLAR_LIMB = (0.30, 0.22)


class Signal(Protocol):
    """A source of variability; a number that means nothing for it is NaN."""

    @property
    def period(self) -> float:
        """Days."""
        ...

    @property
    def epoch(self) -> float:
        """BTJD."""
        ...

    @property
    def depth(self) -> float:
        """Relative."""
        ...

    @property
    def duration(self) -> float:
        """Days."""
        ...

    def relative(self, btjd: ArrayLike) -> FloatArray:
        """Flux at these times divided by the flux when nothing happens."""
        ...


@dataclass(frozen=True)
class Constant:
    """A star that does nothing."""

    period: float = np.nan
    epoch: float = np.nan
    depth: float = 0.0
    duration: float = np.nan

    def relative(self, btjd: ArrayLike) -> FloatArray:
        """One, at any time."""
        return np.ones_like(np.asarray(btjd, dtype=np.float64))


@dataclass(frozen=True)
class Transit:
    """A dark body that crosses a limb-darkened star on a circular orbit.

    Parameters
    ----------
    period, epoch : float
        Days, and BTJD of one mid-transit.
    radius_ratio : float
        Radius of the body in stellar radii.
    semi_axis : float
        Semi-major axis in stellar radii.
    impact : float
        Smallest distance of the centres on the sky, in stellar radii.
    limb : (float, float)
        Quadratic limb-darkening coefficients.

    Examples
    --------
    >>> planet = Transit(period=3.6, epoch=1326.0, radius_ratio=0.085, semi_axis=10.0, impact=0.2)
    >>> planet.relative([1326.0, 1327.8]).round(5)
    array([0.99169, 1.     ])
    """

    period: float
    epoch: float
    radius_ratio: float
    semi_axis: float
    impact: float = 0.0
    limb: tuple[float, float] = SOLAR_LIMB

    @property
    def depth(self) -> float:
        """Relative depth at mid-transit, limb darkening included."""
        return float(occulted(np.array([self.impact]), self.radius_ratio, self.limb)[0])

    @property
    def duration(self) -> float:
        """First to fourth contact, in days (Winn 2010, equation 14, circular orbit)."""
        chord = np.sqrt((1 + self.radius_ratio) ** 2 - self.impact**2)
        sine = np.sqrt(1 - (self.impact / self.semi_axis) ** 2)
        return float(self.period / np.pi * np.arcsin(chord / self.semi_axis / sine))

    def relative(self, btjd: ArrayLike) -> FloatArray:
        """Relative flux: 1 minus the occulted fraction while the body is in front."""
        angle, separation = self._geometry(btjd)
        flux = np.ones_like(separation)
        hidden = (separation < 1 + self.radius_ratio) & (np.cos(angle) > 0)
        flux[hidden] -= occulted(separation[hidden], self.radius_ratio, self.limb)
        return flux

    def _geometry(self, btjd: ArrayLike) -> tuple[FloatArray, FloatArray]:
        angle = 2 * np.pi * (np.asarray(btjd, dtype=np.float64) - self.epoch) / self.period
        across = self.semi_axis * np.sin(angle)
        along = self.impact * np.cos(angle)
        return angle, np.hypot(across, along)


@dataclass(frozen=True)
class EclipsingBinary:
    """Two stars that eclipse each other on a circular orbit, with the tidal bulge of the pair.

    Parameters
    ----------
    primary : Transit
        The orbit, as the eclipse of the brighter star; ``radius_ratio`` is that of the fainter star.
    surface_ratio : float
        Surface brightness of the fainter star over that of the brighter one.
    bulge : float
        Semi-amplitude of the ellipsoidal variation (half the period), relative.
    """

    primary: Transit
    surface_ratio: float = 0.3
    bulge: float = 0.004

    @property
    def period(self) -> float:
        """Orbital period, d."""
        return self.primary.period

    @property
    def epoch(self) -> float:
        """BTJD of one primary mid-eclipse."""
        return self.primary.epoch

    @property
    def duration(self) -> float:
        """First to fourth contact, d."""
        return self.primary.duration

    @property
    def depth(self) -> float:
        """Relative depth of the primary eclipse below the brightest phase, bulge included."""
        return float(1 - self.relative([self.epoch])[0])

    @property
    def faint_share(self) -> float:
        """Share of the fainter star in the light of the pair."""
        light = self.surface_ratio * self.primary.radius_ratio**2
        return light / (1 + light)

    def relative(self, btjd: ArrayLike) -> FloatArray:
        """Relative flux; 1 is the brightest phase, at quadrature."""
        ratio, share = self.primary.radius_ratio, self.faint_share
        angle, separation = self.primary._geometry(btjd)
        flux = 1 - self.bulge * (1 + np.cos(2 * angle))
        touching = separation < 1 + ratio
        front = touching & (np.cos(angle) > 0)
        flux[front] -= (1 - share) * occulted(separation[front], ratio, self.primary.limb)
        behind = touching & (np.cos(angle) <= 0)
        # The same overlap of discs hides 1/ratio**2 times as large a share of the smaller one.
        flux[behind] -= share * occulted(separation[behind], ratio, (0.0, 0.0)) / ratio**2
        return flux


@dataclass(frozen=True)
class Pulsation:
    """A sum of sines, as in a delta Scuti star.

    Parameters
    ----------
    frequencies, amplitudes, phases : tuple of float
        Cycles per day, relative semi-amplitudes, radians at ``epoch``; the strongest comes first.
    epoch : float
        BTJD.
    """

    frequencies: tuple[float, ...]
    amplitudes: tuple[float, ...]
    phases: tuple[float, ...]
    epoch: float = 1325.0
    duration: float = np.nan

    @property
    def period(self) -> float:
        """Period of the strongest mode, d."""
        return 1 / self.frequencies[0]

    @property
    def depth(self) -> float:
        """Relative semi-amplitude of the strongest mode."""
        return self.amplitudes[0]

    def relative(self, btjd: ArrayLike) -> FloatArray:
        """Relative flux; the mean over a long time is 1."""
        since = np.asarray(btjd, dtype=np.float64) - self.epoch
        flux = np.ones_like(since)
        for frequency, amplitude, phase in zip(self.frequencies, self.amplitudes, self.phases, strict=True):
            flux += amplitude * np.sin(2 * np.pi * frequency * since + phase)
        return flux


def occulted(separation: FloatArray, ratio: float, limb: tuple[float, float]) -> FloatArray:
    """Fraction of a limb-darkened star's light that a dark disc hides.

    Integrates rings of the star: of the ring of radius r, the arc
    2 arccos((r**2 + z**2 - k**2) / (2 r z)) lies behind the disc.

    Parameters
    ----------
    separation : array, shape (n,)
        Distance z of the centres, in stellar radii.
    ratio : float
        Radius k of the disc, in stellar radii.
    limb : (float, float)
        I(mu) = 1 - u1 (1 - mu) - u2 (1 - mu)**2.

    Returns
    -------
    array, shape (n,)
        Exact to about 1e-7 of the hidden fraction.

    Examples
    --------
    >>> occulted(np.array([0.0, 0.5, 2.0]), 0.1, (0.0, 0.0)).round(9)
    array([0.01, 0.01, 0.  ])
    """
    z = np.maximum(np.abs(separation), 1e-9)
    u1, u2 = limb
    total = np.pi * (1 - u1 / 3 - u2 / 6)
    inner = np.clip(ratio - z, 0, 1)
    hidden = _whole_disc(inner, limb)
    low, high = np.abs(z - ratio), np.minimum(1, z + ratio)
    nodes, weights = np.polynomial.legendre.leggauss(48)
    # r = middle + half sin(t) takes the square roots out of both ends of the range.
    swing = np.sin(np.pi / 2 * nodes)[:, None]
    half = np.maximum(high - low, 0) / 2
    r = np.maximum((high + low) / 2 + half * swing, 1e-12)
    arc = np.arccos(np.clip((r**2 + z**2 - ratio**2) / (2 * r * z), -1, 1))
    shade = 1 - np.sqrt(np.clip(1 - r**2, 0, 1))
    light = 2 * r * arc * (1 - u1 * shade - u2 * shade**2)
    slope = half * np.pi / 2 * np.cos(np.pi / 2 * nodes)[:, None]
    result: FloatArray = (hidden + (weights[:, None] * light * slope).sum(axis=0)) / total
    return result


def _whole_disc(radius: FloatArray, limb: tuple[float, float]) -> FloatArray:
    """Light of the star within a radius about its centre."""
    u1, u2 = limb
    cosine = np.sqrt(1 - radius**2)
    # Integrals of 2 pi r I(r) dr, with mu**2 = 1 - r**2.
    flat, linear, square = radius**2 / 2, (1 - cosine**3) / 3, (1 - cosine**4) / 4
    result: FloatArray = 2 * np.pi * ((1 - u1 - u2) * flat + (u1 + 2 * u2) * linear - u2 * square)
    return result
