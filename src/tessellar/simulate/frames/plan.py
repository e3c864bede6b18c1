"""When frames are taken, and what happens meanwhile: the gap between orbits, momentum dumps, scattered light.

Frames follow the same clock as the 2-min cadences. Numbers (FFIINDEX) count the frames of one
exposure time since a common origin: in sector 1 frame 4697 of 1800 s begins with 2-min cadence 70458; a sector of
600-s frames counts three of them for each of 1800 s (sector 27 began with 116470), one of 200 s nine.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tessellar.errors import InputError
from tessellar.simulate import detector
from tessellar.simulate.fields import MIDDLE, sector_span, wcs_of
from tessellar.simulate.frames.orbit import barycentric_place, light_travel
from tessellar.simulate.schedule import DESATURATION, MANUAL_EXCLUDE, SCATTERED_LIGHT, STEP, clock_of
from tessellar.targets import Field

FloatArray = NDArray[np.float64]

#: Exposure times of the mission's frames, s.
CADENCES = (1800, 600, 200)
# Frame 4697 of 1800 s begins half a step before the middle of 2-min cadence 70458.
_FIRST_FRAME, _FIRST_CADENCE, _LONGEST = 4697, 70458, 1800

# The gap between the orbits begins after 47.4 % of a sector and lasts 4 % of it, as in sector 1.
_GAP_START, _GAP_LENGTH = 0.474, 0.0406
# Momentum dumps every 2.5 days; at least four in a series of some length.
_DUMP_DAYS = 2.5
_SHORTEST_EVENTFUL = 24
_FLAGGED_GLOW = 0.5


@dataclass(frozen=True)
class FramePlan:
    """The frames of one CCD, in order.

    Attributes
    ----------
    field : Field
        Sector, camera, CCD.
    cadence : int
        Seconds from one frame to the next, read-out included.
    number : int32 array, shape (n,)
        FFIINDEX; a gap leaves some out.
    start, mid, stop : array, shape (n,)
        Times at the spacecraft (TJD, days), of this CCD's own read-out.
    place : array, shape (n, 3)
        Of the spacecraft at mid-time, from the solar system's barycentre, days of light.
    barycorr : array, shape (n,)
        Days to add to have barycentric times at the middle of the CCD.
    quality : int32 array, shape (n,)
        DQUALITY.
    glow : array, shape (n,)
        Scattered light as a multiple of the dark sky.
    """

    field: Field
    cadence: int
    number: NDArray[np.int32]
    start: FloatArray
    mid: FloatArray
    stop: FloatArray
    place: FloatArray
    barycorr: FloatArray
    quality: NDArray[np.int32]
    glow: FloatArray

    def __len__(self) -> int:
        return len(self.number)

    @property
    def btjd(self) -> FloatArray:
        """Barycentric mid-times, BTJD."""
        return self.mid + self.barycorr


def plan_frames(field: Field, cadence: int, n_frames: int | None = None) -> FramePlan:
    """Lay out the frames of a sector, or its first ones with a gap and dumps in proportion.

    Parameters
    ----------
    field : Field
        Sector, camera and CCD.
    cadence : int
        200, 600 or 1800 s.
    n_frames : int, optional
        How many; all of the sector if not given.

    Raises
    ------
    InputError
        If the cadence or the number is none that the sector can have.

    Examples
    --------
    >>> plan = plan_frames(Field(1, 4, 1), 1800, 100)
    >>> len(plan), int(plan.number[0]), int(plan.number[-1])
    (100, 4697, 4800)
    """
    if cadence not in CADENCES:
        raise InputError(f"frames of {cadence} s: the mission's last 200, 600 or 1800 s")
    begin, end = sector_span(field.sector)
    step = STEP * cadence / detector.CADENCE
    origin = float(clock_of(_FIRST_CADENCE)) - 0.5 * STEP - _FIRST_FRAME * STEP * _LONGEST / detector.CADENCE
    first = int(np.ceil((begin - origin) / step - 1e-6))
    slots = int((end - origin) / step + 1e-6) - first
    gap = round(_GAP_LENGTH * slots)
    whole = slots - gap
    count = whole if n_frames is None else int(n_frames)
    if not 1 <= count <= whole:
        raise InputError(f"{n_frames} frames of {cadence} s of sector {field.sector} asked for: ask for 1 to {whole}")
    if n_frames is not None:
        gap = round(_GAP_LENGTH * count) if count >= _SHORTEST_EVENTFUL else 0
    before = round(_GAP_START * count)
    number = first + np.arange(count) + np.where(np.arange(count) < before, 0, gap)
    late = detector.stagger(field.camera, field.ccd) / 86400
    start: FloatArray = np.asarray(origin + number * step + late, dtype=np.float64)
    mid: FloatArray = start + 0.5 * step
    ra, dec = wcs_of(field).all_pix2world([MIDDLE], 1)[0]
    quality, glow = _events(count, before, round(_DUMP_DAYS / step))
    place = barycentric_place(mid)
    return FramePlan(
        field, cadence, number.astype(np.int32), start, mid, start + step, place,
        light_travel(float(ra), float(dec), place), quality, glow,
    )  # fmt: skip


def _events(count: int, before: int, every: int) -> tuple[NDArray[np.int32], FloatArray]:
    """Flags and scattered light of a series of frames, whose gap comes after `before` of them."""
    quality, glow = np.zeros(count, dtype=np.int32), np.zeros(count)
    if count < _SHORTEST_EVENTFUL:
        return quality, glow
    every = max(min(every, count // 5), 6)
    for begin, end in ((0, before), (before, count)):
        quality[begin + every : end - 1 : every] |= DESATURATION
        # The Earth climbs towards the camera as an orbit ends.
        rise = 4.0 * np.exp((np.arange(end - begin) - (end - begin)) / max(0.012 * count, 1.0))
        glow[begin:end] = np.where(rise > 0.02, rise, 0.0)
        quality[begin:end][rise > _FLAGGED_GLOW] |= SCATTERED_LIGHT
    quality[before : before + max(count // 400, 1)] |= MANUAL_EXCLUDE
    return quality, glow
