"""The stars of the simulated sky: who they are, where they stand, what they do.

The default sky has eight targets within 0.4 degrees of a centre, each with fainter stars
about it. Their TIC ids have ten digits and begin with 99, far above those of the real
catalogue, which has fewer than two billion stars.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field, replace

import numpy as np

from tessellar.errors import InputError
from tessellar.simulate.signals import Constant, EclipsingBinary, Pulsation, Signal, Transit

#: First TIC id of the simulated block: targets have 9 900 000 001, 9 900 000 002, ...
FIRST_TIC = 9_900_000_001
#: Stars that are not targets begin here.
FIRST_FIELD_TIC = 9_900_100_001

#: TESS magnitude of a star that gives 1 e-/s (TESS Instrument Handbook: 20.44 +- 0.05).
ZERO_POINT = 20.44

_SPREAD_DEG = 0.4
_APART_DEG = 0.08
_FIELD_STARS = 8
_FIELD_RADIUS_DEG = 0.05


@dataclass(frozen=True)
class Star:
    """One star.

    Parameters
    ----------
    tic : int
        TIC id.
    kind : str
        What it is in this sky: ``planet``, ``binary``, ``pulsator``, ``blend``, ``saturated``, ``quiet``,
        ``quick``, ``field``.
    tmag : float
        TESS magnitude when nothing happens.
    ra, dec : float
        ICRS, degrees; NaN for a target that `place` has still to put somewhere.
    signal : Signal
        How its light changes.
    teff, logg, radius : float
        Of the catalogue (K, log cgs, solar radii); for the headers only.
    mh : float or None
        Metallicity, or None where the catalogue knows none.

    Examples
    --------
    >>> round(Star(FIRST_TIC, "quiet", 10.0).flux, 1)
    14996.8
    """

    tic: int
    kind: str
    tmag: float
    ra: float = np.nan
    dec: float = np.nan
    signal: Signal = field(default_factory=Constant)
    teff: float = 5800.0
    logg: float = 4.4
    radius: float = 1.0
    mh: float | None = None

    @property
    def flux(self) -> float:
        """Flux when nothing happens, e-/s."""
        return float(10 ** (0.4 * (ZERO_POINT - self.tmag)))


@dataclass(frozen=True)
class Sky:
    """Targets and the stars about them."""

    targets: tuple[Star, ...]
    field_stars: tuple[Star, ...]

    @property
    def stars(self) -> tuple[Star, ...]:
        """Every star, targets first."""
        return self.targets + self.field_stars


def default_targets(seed: int = 1) -> tuple[Star, ...]:
    """The eight targets of the default sky, not yet placed.

    Parameters
    ----------
    seed : int
        Shifts the epochs and phases; kinds, magnitudes and shapes stay.

    Examples
    --------
    >>> [star.kind for star in default_targets()]
    ['planet', 'binary', 'pulsator', 'blend', 'saturated', 'quiet', 'quiet', 'quiet']
    """
    rng = np.random.default_rng([seed, 1])
    phase = rng.uniform(0, 1, 8)
    planet = Transit(3.6, 1326.0 + 3.6 * phase[0], radius_ratio=0.085, semi_axis=10.2, impact=0.2)
    pair = EclipsingBinary(Transit(2.38, 1325.5 + 2.38 * phase[1], radius_ratio=0.5, semi_axis=6.0, impact=0.1))
    modes = Pulsation((12.316, 15.742, 21.068), (0.008, 0.004, 0.002), tuple(2 * np.pi * phase[2:5]))
    return (
        Star(FIRST_TIC, "planet", 9.5, signal=planet, teff=5700.0, logg=4.4, radius=1.0, mh=0.05),
        Star(FIRST_TIC + 1, "binary", 10.2, signal=pair, teff=6400.0, logg=4.2, radius=1.3),
        Star(FIRST_TIC + 2, "pulsator", 8.6, signal=modes, teff=7600.0, logg=4.0, radius=1.8),
        Star(FIRST_TIC + 3, "blend", 10.5, teff=5200.0, logg=4.5, radius=0.9),
        Star(FIRST_TIC + 4, "saturated", 5.5, teff=4900.0, logg=2.8, radius=9.0, mh=-0.12),
        Star(FIRST_TIC + 5, "quiet", 8.0, teff=6100.0, logg=4.3, radius=1.2, mh=0.0),
        Star(FIRST_TIC + 6, "quiet", 10.0, teff=5500.0, logg=4.5, radius=0.9),
        Star(FIRST_TIC + 7, "quiet", 12.0, teff=4300.0, logg=4.6, radius=0.7),
    )


def quick_target(seed: int = 1) -> Star:
    """A ninth target, not yet placed: a planet that goes round in half a day, for short skies and 20-s cadences.

    Examples
    --------
    >>> quick_target().kind, quick_target().signal.period
    ('quick', 0.4631)
    """
    phase = float(np.random.default_rng([seed, 8]).uniform())
    planet = Transit(0.4631, 1325.2 + 0.4631 * phase, radius_ratio=0.06, semi_axis=2.9, impact=0.3)
    return Star(FIRST_TIC + 8, "quick", 8.9, signal=planet, teff=6100.0, logg=4.2, radius=1.2, mh=0.1)


def choose(sky: Sky, kinds: Collection[str] | None) -> Sky:
    """Keep the targets of these kinds, or all of them; every star about them stays where it is.

    Raises
    ------
    InputError
        If a kind is not in this sky.
    """
    if kinds is None:
        return sky
    known = {star.kind for star in sky.targets}
    for kind in kinds:
        if kind not in known:
            raise InputError(f"no star of kind {kind!r} in the simulated sky: choose among {', '.join(sorted(known))}")
    return replace(sky, targets=tuple(star for star in sky.targets if star.kind in kinds))


def place(targets: tuple[Star, ...], centre: tuple[float, float], seed: int = 1) -> Sky:
    """Put targets about a centre, apart from each other, and fainter stars about every target.

    Parameters
    ----------
    targets : tuple of Star
        Those with a position keep it.
    centre : (float, float)
        Right ascension and declination, degrees.
    seed : int
        Where everything falls.
    """
    rng = np.random.default_rng([seed, 2])
    spots: list[tuple[float, float]] = []
    while len(spots) < len(targets):
        x, y = rng.uniform(-_SPREAD_DEG, _SPREAD_DEG, 2)
        if all(np.hypot(x - a, y - b) > _APART_DEG for a, b in spots):
            spots.append((float(x), float(y)))
    placed = tuple(
        star if np.isfinite(star.ra) else _put(star, centre, spot) for star, spot in zip(targets, spots, strict=True)
    )
    around: list[Star] = []
    for star in placed:
        own = np.random.default_rng([seed, 3, star.tic])
        if star.kind == "blend":
            spot = (0.0083 * np.cos(angle := own.uniform(0, 2 * np.pi)), 0.0083 * np.sin(angle))
            around.append(_companion(star, star.tmag + 0.9, spot, len(around)))
        for _ in range(_FIELD_STARS):
            spot = tuple(own.uniform(-_FIELD_RADIUS_DEG, _FIELD_RADIUS_DEG, 2))
            # Star counts grow by 10**0.3 a magnitude between T = 13 and T = 17.
            faint = 17 + np.log10(own.uniform(10**-1.2, 1)) / 0.3
            around.append(_companion(star, faint, spot, len(around)))
    return Sky(placed, tuple(around))


def _companion(star: Star, tmag: float, spot: tuple[float, ...], number: int) -> Star:
    companion = Star(FIRST_FIELD_TIC + number, "field", round(float(tmag), 4))
    return _put(companion, (star.ra, star.dec), (spot[0], spot[1]))


def _put(star: Star, centre: tuple[float, float], offset: tuple[float, float]) -> Star:
    """Put a star at tangent-plane offsets (degrees east, north) from a centre."""
    ra0, dec0 = np.deg2rad(centre)
    xi, eta = np.deg2rad(offset)
    below = np.cos(dec0) - eta * np.sin(dec0)
    ra = ra0 + np.arctan2(xi, below)
    dec = np.arctan2(np.sin(dec0) + eta * np.cos(dec0), np.hypot(xi, below))
    return replace(star, ra=round(float(np.rad2deg(ra) % 360), 9), dec=round(float(np.rad2deg(dec)), 9))
