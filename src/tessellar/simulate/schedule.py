"""When a sector's cadences are taken, and what happens meanwhile: gaps, momentum dumps, scattered light, jitter.

Sectors follow the spacecraft's own clock: cadence numbers and times of two real light
curves, 1.7 years apart, fix the line on which all 2-min cadences lie.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tessellar.errors import InputError
from tessellar.simulate.detector import TWENTY_SECONDS, TWO_MINUTES, Exposure

FloatArray = NDArray[np.float64]

# Cadence number and spacecraft mid-time (BTJD, as camera 1, CCD 1 has it) in sectors 1 and 24: TIME - TIMECORR of
# TIC 25155310 and TIC 188589164, the first less the 1 s of camera 4 and the 1.979 s by which the first
# data releases were late.
_ANCHORS = ((70444, 1325.29432771), (524401, 1955.78989516))
#: Days from one cadence to the next, by the spacecraft's clock.
STEP = (_ANCHORS[1][1] - _ANCHORS[0][1]) / (_ANCHORS[1][0] - _ANCHORS[0][0])

#: Bits of QUALITY that the simulation sets (TESS Science Data Products Description).
EARTH_POINT, DESATURATION, MANUAL_EXCLUDE, OUTLIER, SCATTERED_LIGHT = 8, 32, 128, 512, 4096
#: Bits at which SPOC leaves PDCSAP_FLUX empty.
NO_PDC = 4 | EARTH_POINT | 16 | DESATURATION | MANUAL_EXCLUDE | SCATTERED_LIGHT

# Of sector 1: the gap between its orbits begins after 47.4 % of the cadences and lasts 815 of 20076.
_GAP_START, _GAP_LENGTH = 0.474, 0.0406
_DUMP_EVERY, _DUMP_LENGTH = 1800, 5
_SHORTEST_EVENTFUL = 100
# Cadences after which a kick to the pointing is forgotten; half of it after 23.
_MEMORY = 200
# Jitter of the image from one 20-s cadence to the next, px.
_FAST_JITTER = 0.003


@dataclass(frozen=True)
class Schedule:
    """The cadences of one sector, or the first of them.

    Attributes
    ----------
    sector : int
        Its number.
    cadenceno : int32 array, shape (n,)
        Cadence numbers.
    clock : array, shape (n,)
        Spacecraft mid-times, BTJD, as camera 1, CCD 1 has them; also within gaps.
    quality : int32 array, shape (n,)
        Flags that all stars share.
    glow : array, shape (n,)
        Scattered light, as a multiple of the dark sky.
    exposure : Exposure
        How a cadence is taken.
    """

    sector: int
    cadenceno: NDArray[np.int32]
    clock: FloatArray
    quality: NDArray[np.int32]
    glow: FloatArray
    exposure: Exposure = TWO_MINUTES

    def __len__(self) -> int:
        return len(self.cadenceno)

    @property
    def gap(self) -> NDArray[np.bool_]:
        """Cadences without data."""
        result: NDArray[np.bool_] = (self.quality & EARTH_POINT) > 0
        return result


def plan(sector: int, start: float, end: float, n_cadences: int | None = None) -> Schedule:
    """Lay out a sector's cadences and events.

    Parameters
    ----------
    sector : int
        Its number.
    start, end : float
        BTJD of the sector's beginning and end.
    n_cadences : int, optional
        Only the first of them, with a gap and dumps in proportion.

    Raises
    ------
    InputError
        If that is less than one.

    Examples
    --------
    >>> schedule = plan(1, 1325.29366, 1353.17698)
    >>> len(schedule), int(schedule.cadenceno[0]), int(schedule.gap.sum())
    (20076, 70444, 815)
    """
    first = int(np.ceil(_ANCHORS[0][0] + (start - _ANCHORS[0][1]) / STEP - 0.5))
    whole = int((end - start) / STEP + 0.5)
    count = whole if n_cadences is None else min(int(n_cadences), whole)
    if count < 1:
        raise InputError(f"{n_cadences} cadences of sector {sector} asked for: ask for 1 to {whole}")
    cadenceno = np.arange(first, first + count, dtype=np.int32)
    clock = clock_of(cadenceno)
    quality, glow = _events(count)
    return Schedule(sector, cadenceno, clock, quality, glow)


def in_twenty_seconds(schedule: Schedule, motion: FloatArray, seed: int) -> tuple[Schedule, FloatArray]:
    """Lay out the 20-s cadences of some of 2 min, with an image motion whose means over 2 min are those given.

    Cadence N of 2 min is 20-s cadences 6 N + 1 to 6 N + 6, as the first of 15 2-min cadences in an image of
    30 min, C, is 15 C + 1.

    Parameters
    ----------
    schedule, motion : Schedule, array of shape (n, 2)
        Of 2 min.
    seed : int
        Of the jitter within 2 min.

    Returns
    -------
    schedule, motion : Schedule, array of shape (6 n, 2)
    """
    count = round(TWO_MINUTES.cadence / TWENTY_SECONDS.cadence)
    part = np.tile(np.arange(count), len(schedule))

    def each(values: NDArray[Any]) -> NDArray[Any]:
        return np.repeat(values, count, axis=0)

    clock = each(schedule.clock) + (part - (count - 1) / 2) * STEP / count
    cadenceno = (each(schedule.cadenceno) * count + part + 1).astype(np.int32)
    fine = Schedule(
        schedule.sector, cadenceno, clock, each(schedule.quality), each(schedule.glow), exposure=TWENTY_SECONDS
    )
    rng = np.random.default_rng([seed, 6, schedule.sector])
    jitter = _FAST_JITTER * rng.standard_normal((len(schedule), count, 2))
    jitter -= jitter.mean(axis=1, keepdims=True)
    return fine, each(motion) + jitter.reshape(-1, 2)


def cadences_between(begin: float, end: float) -> tuple[NDArray[np.int32], FloatArray]:
    """Numbers and spacecraft mid-times (BTJD) of the 2-min cadences that lie wholly between two times.

    Examples
    --------
    >>> cadences_between(1325.3, 1325.304)[0]
    array([70449, 70450], dtype=int32)
    """
    first = int(np.ceil(_ANCHORS[0][0] + (begin - _ANCHORS[0][1]) / STEP + 0.5 - 1e-6))
    last = int(np.floor(_ANCHORS[0][0] + (end - _ANCHORS[0][1]) / STEP - 0.5 + 1e-6))
    cadenceno = np.arange(first, last + 1, dtype=np.int32)
    return cadenceno, clock_of(cadenceno)


def clock_of(cadenceno: ArrayLike) -> FloatArray:
    """Spacecraft mid-times of 2-min cadences, BTJD, as camera 1, CCD 1 has them."""
    return _ANCHORS[0][1] + (np.asarray(cadenceno, dtype=np.float64) - _ANCHORS[0][0]) * STEP


def _events(count: int) -> tuple[NDArray[np.int32], FloatArray]:
    """Flags and scattered light of a sector of so many cadences."""
    quality = np.zeros(count, dtype=np.int32)
    glow = np.zeros(count)
    if count < _SHORTEST_EVENTFUL:
        return quality, glow
    gap_start, gap_length = round(_GAP_START * count), round(_GAP_LENGTH * count)
    gap_end = gap_start + gap_length
    every = min(_DUMP_EVERY, count // 4)
    for begin, end in ((0, gap_start), (gap_end, count)):
        for dump in range(begin + every, end - _DUMP_LENGTH, every):
            quality[dump : dump + _DUMP_LENGTH] |= DESATURATION
        # The Earth climbs towards the camera as an orbit ends.
        length = end - begin
        rise = 4.0 * np.exp((np.arange(length) - length) / (0.012 * count))
        glow[begin:end] = np.where(rise > 0.02, rise, 0.0)
        quality[begin:end][rise > 0.5] |= SCATTERED_LIGHT
    quality[gap_end : gap_end + max(gap_length // 40, 1)] |= MANUAL_EXCLUDE
    quality[gap_start:gap_end] = EARTH_POINT
    glow[gap_start:gap_end] = 0.0
    return quality, glow


def pointing(schedule: Schedule, seed: int, camera: int) -> FloatArray:
    """How far the image of a camera is off its mean place, each cadence.

    Slow wander and fast jitter of a few thousandths of a pixel, more while the camera
    settles (flag 128) and an excursion of a tenth of a pixel in momentum dumps (flag 32).

    Parameters
    ----------
    schedule : Schedule
        The cadences.
    seed, camera : int
        Another camera wanders otherwise.

    Returns
    -------
    array, shape (n, 2)
        Columns and rows, px.
    """
    rng = np.random.default_rng([seed, 4, schedule.sector, camera])
    n = len(schedule)
    memory = 0.97 ** np.arange(_MEMORY, dtype=np.float64)
    memory *= 0.004 / np.sqrt(memory @ memory)
    kicks = rng.standard_normal((2, n + _MEMORY - 1))
    wander = np.column_stack([np.convolve(kick, memory, mode="valid") for kick in kicks])
    jitter = 0.0015 * rng.standard_normal((n, 2))
    jitter[(schedule.quality & MANUAL_EXCLUDE) > 0] *= 6
    dumps = np.flatnonzero(schedule.quality & DESATURATION)
    jitter[dumps] += 0.1 * rng.standard_normal((len(dumps), 2))
    result: FloatArray = wander + jitter
    return result


def aberration(schedule: Schedule, place: tuple[float, float]) -> FloatArray:
    """How far a star drifts in a sector because the spacecraft's velocity turns (differential aberration).

    Parameters
    ----------
    schedule : Schedule
        The cadences.
    place : (float, float)
        Column and row on the CCD, px, from its middle.

    Returns
    -------
    array, shape (n, 2)
        Columns and rows, px; zero in the middle of the sector, up to 0.04 px at its ends.
    """
    phase = (schedule.clock - schedule.clock.mean()) / 27.4
    stretch = np.asarray(place) / 1024
    shear = 0.5 * stretch[::-1] * (1, -1)
    drift = 0.05 * (stretch + shear) * phase[:, None]
    # The velocity turns through 27 degrees of arc, so the drift bends a little.
    result: FloatArray = drift + 0.02 * (phase[:, None] ** 2 - 1 / 12) * stretch
    return result


def light_travel(ra: float, dec: float, clock: FloatArray) -> FloatArray:
    """Travel time of light from the Earth to the solar system's barycentre along a direction, in days.

    What TIMECORR holds, as seen from the Earth's centre: the spacecraft's own place,
    up to 1.3 s of light away, is left out.

    Parameters
    ----------
    ra, dec : float
        ICRS, degrees.
    clock : array, shape (n,)
        BTJD.

    Returns
    -------
    array, shape (n,)
        Days to add to a spacecraft time to have the barycentric one; values that float32 holds exactly.
    """
    from astropy.coordinates import get_body_barycentric
    from astropy.time import Time
    from numpy.polynomial import Chebyshev

    a, d = np.deg2rad([ra, dec])
    star = np.array([np.cos(d) * np.cos(a), np.cos(d) * np.sin(a), np.sin(d)])

    def exact(btjd: FloatArray) -> FloatArray:
        earth = get_body_barycentric("earth", Time(2457000.0, btjd, format="jd", scale="tdb"), ephemeris="builtin")
        days: FloatArray = star @ earth.xyz.to_value("km") / 299792.458 / 86400
        return days

    days = Chebyshev.interpolate(exact, 20, domain=[clock[0] - 0.5, clock[-1] + 0.5])(clock)
    # The files keep 32 bits of it; times are made with the rounded value, so that they agree.
    result: FloatArray = days.astype(np.float32).astype(np.float64)
    return result
