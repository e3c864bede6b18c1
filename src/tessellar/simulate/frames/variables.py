"""Which stars vary, how, and their exact relative flux in every frame."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tessellar.simulate.frames.orbit import directions
from tessellar.simulate.frames.plan import FramePlan
from tessellar.simulate.frames.population import Population
from tessellar.simulate.signals import EclipsingBinary, Pulsation, Signal, Transit

FloatArray = NDArray[np.float64]

#: Share of the catalogued stars brighter than `FAINTEST_VARIABLE` that vary.
SHARE, FAINTEST_VARIABLE = 0.03, 15.0
# Kinds of variable stars and how common each is among them.
_KINDS = (("pulsator", 0.5), ("eclipser", 0.2), ("flares", 0.2), ("planet", 0.1))
# Points at which an exposure is averaged, one for every so many seconds.
_SECONDS_A_POINT = 120.0


@dataclass(frozen=True)
class Flares:
    """A star that flares: each one rises in minutes and decays with two time scales.

    The shape is that of Davenport et al. (2014, ApJ 797, 122), equations 1 and 4, with the time in units of
    the full width at half maximum.

    Parameters
    ----------
    peaks : tuple of float
        BTJD of the maxima.
    heights : tuple of float
        Relative flux above the quiet star at them.
    widths : tuple of float
        Full widths at half maximum, days.
    """

    peaks: tuple[float, ...]
    heights: tuple[float, ...]
    widths: tuple[float, ...]
    period: float = np.nan

    @property
    def epoch(self) -> float:
        """BTJD of the highest one."""
        return self.peaks[int(np.argmax(self.heights))] if self.peaks else np.nan

    @property
    def depth(self) -> float:
        """Relative height of the highest one."""
        return max(self.heights, default=0.0)

    @property
    def duration(self) -> float:
        """Full width at half maximum of the highest one, d."""
        return self.widths[int(np.argmax(self.heights))] if self.peaks else np.nan

    def relative(self, btjd: ArrayLike) -> FloatArray:
        """Relative flux; 1 when nothing happens.

        Examples
        --------
        >>> Flares((1326.0,), (0.5,), (0.01,)).relative([1325.0, 1326.0]).round(2)
        array([1. , 1.5])
        """
        time = np.asarray(btjd, dtype=np.float64)
        flux = np.ones_like(time)
        for peak, height, width in zip(self.peaks, self.heights, self.widths, strict=True):
            since = (time - peak) / width
            rising, falling = (since > -1) & (since <= 0), since > 0
            t = since[rising]
            flux[rising] += height * (1 + 1.941 * t - 0.175 * t**2 - 2.246 * t**3 - 1.125 * t**4)
            t = since[falling]
            flux[falling] += height * (0.6890 * np.exp(-1.600 * t) + 0.3030 * np.exp(-0.2783 * t)) / 0.992
        return flux


@dataclass(frozen=True)
class Variables:
    """The variable stars of a population.

    Attributes
    ----------
    star : int64 array, shape (m,)
        Their indices in it, rising.
    kind, signal
        What they are, and how they change.
    relative : array, shape (m, n)
        Relative flux averaged over each frame's exposure; 1 when nothing happens.
    """

    star: NDArray[np.int64]
    kind: tuple[str, ...]
    signal: tuple[Signal, ...]
    relative: FloatArray

    def parameters(self) -> list[str]:
        """The parameters of each signal as JSON."""
        return [
            json.dumps(
                {"kind": kind, "signal": type(signal).__name__, **asdict(signal)}  # type: ignore[call-overload]
            )
            for kind, signal in zip(self.kind, self.signal, strict=True)
        ]


def choose_variables(population: Population, plan: FramePlan, seed: int) -> Variables:
    """Let some stars vary: a share of all, and at least two of every kind where there are stars enough.

    Parameters
    ----------
    population : Population
        The stars.
    plan : FramePlan
        When frames are taken. Every star has barycentric times of its own: those of two stars of one CCD are up to a
        minute apart.
    seed : int
        Which ones, and how.
    """
    rng = np.random.default_rng([seed, 9])
    tmag = population.tmag[: population.catalogued]
    able = np.flatnonzero(tmag < FAINTEST_VARIABLE)
    kinds = np.array([name for name, _ in _KINDS])
    count = min(max(round(SHARE * len(able)), 2 * len(kinds)), len(able))
    chosen = rng.choice(able, count, replace=False)
    names = rng.choice(kinds, count, p=[share for _, share in _KINDS])
    # The first of them are stars that show it well: bright, but not saturated.
    shown = able[(tmag[able] > 8.0) & (tmag[able] < 12.0)][:200]
    shown = rng.permutation(shown)[: 2 * len(kinds)]
    chosen[: len(shown)], names[: len(shown)] = shown, np.tile(kinds, 2)[: len(shown)]
    chosen, first = np.unique(chosen, return_index=True)
    names = names[first]
    span = float(plan.btjd[0]), float(plan.btjd[-1])
    signals = tuple(_MAKERS[str(name)](rng, span) for name in names)
    late = plan.place @ directions(population.ra[chosen], population.dec[chosen]).T
    relative = np.array([averaged(each, plan.mid + late[:, k], plan.cadence) for k, each in enumerate(signals)])
    return Variables(chosen, tuple(map(str, names)), signals, relative.reshape(len(chosen), len(plan)))


def averaged(signal: Signal, btjd: FloatArray, cadence: float) -> FloatArray:
    """Relative flux of a signal, averaged over exposures in the middle of which these times lie; shape (n,)."""
    points = max(1, round(cadence / _SECONDS_A_POINT))
    offsets = ((np.arange(points) + 0.5) / points - 0.5) * cadence / 86400
    result: FloatArray = signal.relative((btjd[:, None] + offsets).ravel()).reshape(-1, points).mean(axis=1)
    return result


def _pulsator(rng: np.random.Generator, span: tuple[float, float]) -> Signal:
    slow = rng.random() < 0.5
    frequencies = rng.uniform(0.3, 3.0, 3) if slow else rng.uniform(8.0, 30.0, 3)
    sizes = np.sort(10 ** rng.uniform(-3.0, -1.6, 3))[::-1]
    phases = rng.uniform(0, 2 * np.pi, 3)
    modes, amplitudes, angles = (tuple(map(float, each)) for each in (frequencies, sizes, phases))
    return Pulsation(modes, amplitudes, angles, epoch=round(span[0], 3))


def _orbit(rng: np.random.Generator, span: tuple[float, float], period: tuple[float, float], ratio: float) -> Transit:
    # Something happens within the frames: the first event lies in their first half or one period.
    days = float(period[0] * (period[1] / period[0]) ** rng.random())
    length = span[1] - span[0]
    epoch = span[0] + rng.random() * (min(days, 0.5 * length) if length else days)
    # Kepler's third law for a star of the Sun's density.
    axis = 4.2 * days ** (2 / 3)
    return Transit(days, float(epoch), ratio, float(axis), impact=float(rng.uniform(0, 0.5)))


def _planet(rng: np.random.Generator, span: tuple[float, float]) -> Signal:
    return _orbit(rng, span, (1.2, 12.0), float(rng.uniform(0.03, 0.12)))


def _eclipser(rng: np.random.Generator, span: tuple[float, float]) -> Signal:
    orbit = _orbit(rng, span, (0.8, 6.0), float(rng.uniform(0.3, 0.9)))
    return EclipsingBinary(orbit, surface_ratio=float(rng.uniform(0.1, 0.9)), bulge=float(rng.uniform(0.0, 0.01)))


def _flares(rng: np.random.Generator, span: tuple[float, float]) -> Signal:
    count = 1 + int(rng.poisson(0.5 * (span[1] - span[0])))
    peaks = np.sort(rng.uniform(span[0], max(span[1], span[0] + 1e-3), count))
    heights, widths = 10 ** rng.uniform(-2.3, 0.0, count), 0.002 * 10 ** rng.uniform(0.0, 1.0, count)
    return Flares(tuple(map(float, peaks)), tuple(map(float, heights)), tuple(map(float, widths)))


_MAKERS: dict[str, Callable[[np.random.Generator, tuple[float, float]], Signal]] = {
    "pulsator": _pulsator,
    "eclipser": _eclipser,
    "flares": _flares,
    "planet": _planet,
}
