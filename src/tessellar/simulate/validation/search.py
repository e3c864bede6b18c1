"""The search for transits: a matched filter of box-shaped pulses, in the white noise of the simulated light curves."""

from __future__ import annotations

from dataclasses import dataclass
from math import erfc, sqrt

import numpy as np
from numpy.typing import NDArray

from tessellar.simulate.detector import TWO_MINUTES
from tessellar.simulate.validation.sighting import phases
from tessellar.simulate.validation.stitched import Stitched

FloatArray = NDArray[np.float64]

#: Trial durations of the pulse, hours: a shorter list than the mission's.
DURATIONS = (0.5, 1.0, 1.5, 2.0, 3.0, 4.5, 6.0)
#: Multiple-event statistic from which on an event is one (7.1 in the mission's search).
THRESHOLD = 7.1
# Phases at which a secondary event is looked for.
_PHASES = 400
# The pulse must see this share of its cadences.
_FULL = 0.5


@dataclass(frozen=True)
class SingleEvents:
    """Statistics of single events, cadence by cadence, of one trial duration.

    Attributes
    ----------
    hours : float
        The trial duration.
    correlation, normalisation : array, shape (n,)
        The light curve's correlation with a pulse about each cadence, and the norm of the pulse; 0 without data.
        Their ratio is the event's significance, and 1e6 over the norm the precision (CDPP, ppm).
    """

    hours: float
    correlation: FloatArray
    normalisation: FloatArray

    @property
    def significance(self) -> FloatArray:
        """Signal to noise of a pulse about each cadence."""
        usable = self.normalisation > 0
        return np.divide(self.correlation, self.normalisation, out=np.zeros_like(self.correlation), where=usable)


@dataclass(frozen=True)
class Secondary:
    """The strongest event at another phase than the transit's.

    Attributes
    ----------
    strongest, weakest, median, spread : float
        Multiple-event statistics over all phases: largest, smallest, median, median absolute deviation.
    phase, weakest_phase : float
        Days from mid-transit.
    depth, depth_error : float
        Parts per million.
    count : int
        Phases that were looked at.
    """

    strongest: float
    weakest: float
    median: float
    spread: float
    phase: float
    weakest_phase: float
    depth: float
    depth_error: float
    count: int


@dataclass(frozen=True)
class Detection:
    """What the search found.

    Attributes
    ----------
    hours : float
        The trial duration with the largest statistic.
    multiple : float
        Multiple-event statistic (MES).
    single, single_in : float
        Largest single-event statistic of all cadences, and of those in transit.
    observed, expected : int
        Transits with data, and transits between the first and the last cadence.
    secondary : Secondary or None
        None where no other phase was observed.
    chi_square : float
        Of the transits' own statistics about their mean; one degree of freedom less than transits.
    """

    hours: float
    multiple: float
    single: float
    single_in: float
    observed: int
    expected: int
    secondary: Secondary | None
    chi_square: float

    @property
    def false_alarm(self) -> float:
        """Probability that white noise makes such a statistic."""
        return 0.5 * erfc(self.multiple / sqrt(2))


def single_events(stitched: Stitched, flux: FloatArray) -> tuple[SingleEvents, ...]:
    """Correlate a light curve with pulses of every trial duration.

    Parameters
    ----------
    stitched : Stitched
        Gives errors and gaps.
    flux : array, shape (n,)
        The detrended flux, relative, minus 1.
    """
    known = np.isfinite(flux)
    weight = np.where(known, 1 / np.where(known, stitched.flux_err, 1.0) ** 2, 0.0)
    dimming = np.where(known, -np.nan_to_num(flux), 0.0) * weight
    events = []
    for hours in DURATIONS:
        half = round(hours * 3600 / TWO_MINUTES.cadence) // 2
        seen = _windowed(known.astype(np.float64), half) >= _FULL * (2 * half + 1)
        correlation = np.where(seen, _windowed(dimming, half), 0.0)
        normalisation = np.sqrt(np.where(seen, np.maximum(_windowed(weight, half), 0.0), 0.0))
        events.append(SingleEvents(hours, correlation, normalisation))
    return tuple(events)


def detect(stitched: Stitched, events: tuple[SingleEvents, ...]) -> Detection | None:
    """Look for the star's transits; None if there are fewer than two, or too weak ones.

    Parameters
    ----------
    stitched : Stitched
        The light curve.
    events : tuple of SingleEvents
        Of `single_events`.
    """
    signal = stitched.star.signal
    phase, number = phases(stitched.btjd, signal)
    timed = np.isfinite(stitched.btjd)
    centres = _centres(phase, number, timed)
    found = [(_multiple(each, centres), each) for each in events]
    statistic, best = max(found, key=lambda item: item[0])
    seen = best.normalisation[centres] > 0
    if seen.sum() < 2 or statistic < THRESHOLD:
        return None
    own = best.significance[centres][seen]
    span = stitched.btjd[timed][[0, -1]]
    first, last = np.ceil((span[0] - signal.epoch) / signal.period), np.floor((span[1] - signal.epoch) / signal.period)
    return Detection(
        hours=best.hours,
        multiple=statistic,
        single=float(max(each.significance.max() for each in events)),
        single_in=float(own.max()),
        observed=int(seen.sum()),
        expected=int(last - first + 1),
        secondary=_secondary(stitched, best, phase),
        chi_square=float(((own - own.mean()) ** 2).sum()),
    )


def _windowed(values: FloatArray, half: int) -> FloatArray:
    """Sums over a window of 2 half + 1 cadences about each."""
    total = np.concatenate([np.zeros(half + 1), values, np.zeros(half)]).cumsum()
    return np.asarray(total[2 * half + 1 :] - total[: -2 * half - 1], dtype=np.float64)


def _centres(phase: FloatArray, number: NDArray[np.int64], timed: NDArray[np.bool_]) -> NDArray[np.int64]:
    """The cadence nearest to the middle of each transit that has a time near it."""
    rows = np.flatnonzero(timed & (np.abs(np.nan_to_num(phase, nan=np.inf)) < TWO_MINUTES.cadence / 86400))
    order = rows[np.argsort(np.abs(phase[rows]), kind="stable")]
    _, first = np.unique(number[order], return_index=True)
    return np.sort(order[first])


def _multiple(events: SingleEvents, centres: NDArray[np.int64]) -> float:
    norm = float((events.normalisation[centres] ** 2).sum())
    return float(events.correlation[centres].sum()) / sqrt(norm) if norm > 0 else 0.0


def _secondary(stitched: Stitched, events: SingleEvents, phase: FloatArray) -> Secondary | None:
    """Fold the single events and add up those at each phase, one a transit, but the transit's own."""
    period = stitched.star.signal.period
    step = max(period / _PHASES, TWO_MINUTES.cadence / 86400)
    usable = np.isfinite(phase) & (events.normalisation > 0)
    usable &= np.abs(np.nan_to_num(phase)) > max(stitched.star.signal.duration, events.hours / 24)
    if not usable.any():
        return None
    bins = np.floor((phase[usable] + period / 2) / step).astype(np.int64)
    # Neighbours share their data: only the first cadence of each orbit counts in a bin.
    orbits = np.round((stitched.btjd[usable] - phase[usable] - stitched.star.signal.epoch) / period).astype(np.int64)
    _, first = np.unique(np.column_stack([orbits, bins]), axis=0, return_index=True)
    rows, bins = np.flatnonzero(usable)[first], bins[first]
    correlation = np.bincount(bins, events.correlation[rows])
    weight = np.bincount(bins, events.normalisation[rows] ** 2)
    filled = np.flatnonzero(weight > 0)
    statistics = correlation[filled] / np.sqrt(weight[filled])
    high, low = int(np.argmax(statistics)), int(np.argmin(statistics))
    middle = float(np.median(statistics))
    return Secondary(
        strongest=float(statistics[high]),
        weakest=float(statistics[low]),
        median=middle,
        spread=float(np.median(np.abs(statistics - middle))),
        phase=float((filled[high] + 0.5) * step - period / 2),
        weakest_phase=float((filled[low] + 0.5) * step - period / 2),
        depth=1e6 * float(correlation[filled[high]] / weight[filled[high]]),
        depth_error=1e6 / float(np.sqrt(weight[filled[high]])),
        count=len(filled),
    )
