"""The bad times of one field, from its frames: when, why, and whether frames of then are left out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tessellar.mission.flags import DEFAULT_MASK, good, mask_bits
from tessellar.mission.flags import flags_of as _flags_of

if TYPE_CHECKING:
    from tessellar.pixels.series import FrameSeries

# Frames whose sky is brighter than the median by this share of it, or has a spot that is by twice as much.
_SCATTERED, _SPOT = 0.5, 1.0
# Frames whose stars lie further than this, px, from where those of a day about it do.
_MOVED = 0.05
_DAY = 1.0
# Frames in which more than this share of the field jumps.
_JUMPED = 0.1


@dataclass(frozen=True, order=True)
class BadTime:
    """An interval of frames with something wrong.

    Attributes
    ----------
    begin, end : float
        BTJD, from the begin of the first frame to the end of the last.
    reason : str
        In words.
    frames : int
        How many there are; of missing ones, how many are missing.
    excluded : bool
        Whether the default mask (or the lack of pixels) leaves them out.
    """

    begin: float
    end: float
    reason: str
    frames: int
    excluded: bool


def bad_times(
    frames: FrameSeries,
    quality: NDArray[np.int32],
    *,
    level: NDArray[np.float64],
    peak: NDArray[np.float64],
    shifts: NDArray[np.float64],
    jumped: NDArray[np.float64],
) -> list[BadTime]:
    """Make the calendar of a field's bad times.

    Parameters
    ----------
    frames : FrameSeries
    quality : int array (n,)
        Flags, those taken over from stars' files included.
    level, peak : array (n,)
        Median and highest level of each frame's background, e-/s; NaN where the frame could not be used.
    shifts : array (n, 2)
        Movement of the stars, px; NaN where it was not measured.
    jumped : array (n,)
        Share of the field whose residual background jumps.

    Returns
    -------
    list of BadTime
        In order of time.
    """
    found: list[BadTime] = []
    names = {int(flag): flag.description for flag in _flags_of("SPOC")}
    every = quality.astype(np.int64) & 0xFFFFFFFF
    for bit in (1 << at for at in range(32)):
        where = (every & bit) != 0
        found += _runs(frames, where, names.get(bit, f"undocumented bit {bit}"), bool(bit & mask_bits(DEFAULT_MASK)))
    found += _runs(frames, ~np.isfinite(level), "no usable pixels", True)
    usual, brightest = np.nanmedian(level), np.nanmedian(peak)
    with np.errstate(invalid="ignore"):
        bright = (level > (1 + _SCATTERED) * usual) | (peak - brightest > _SPOT * usual)
        found += _runs(frames, bright, "bright sky: scattered light", False)
        found += _runs(frames, _moved(frames, quality, shifts), f"stars off by more than {_MOVED} px", False)
        found += _runs(frames, jumped > _JUMPED, f"background jumps in more than {_JUMPED:.0%} of the field", False)
    found += _gaps(frames)
    return sorted(found)


def _moved(frames: FrameSeries, quality: NDArray[np.int32], shifts: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Frames whose stars lie away from where they are in the good frames of the same day."""
    known = np.isfinite(shifts).all(axis=1) & good(quality, DEFAULT_MASK)
    where = np.flatnonzero(known)
    moved = np.zeros(len(frames), dtype=bool)
    if not where.size:
        return moved
    first = np.searchsorted(frames.time[where], frames.time - 0.5 * _DAY)
    last = np.searchsorted(frames.time[where], frames.time + 0.5 * _DAY, side="right")
    for index in np.flatnonzero(np.isfinite(shifts).all(axis=1)):
        near = where[first[index] : last[index]]
        if near.size >= 5:
            moved[index] = np.hypot(*(shifts[index] - np.median(shifts[near], axis=0))) > _MOVED
    return moved


def _runs(frames: FrameSeries, where: NDArray[np.bool_], reason: str, excluded: bool) -> list[BadTime]:
    edges = np.flatnonzero(np.diff(np.concatenate([[0], where.astype(np.int8), [0]])))
    return [
        BadTime(float(frames.time_start[begin]), float(frames.time_stop[end - 1]), reason, int(end - begin), excluded)
        for begin, end in edges.reshape(-1, 2)
    ]


def _gaps(frames: FrameSeries) -> list[BadTime]:
    step = np.diff(frames.cadenceno.astype(np.int64))
    return [
        BadTime(float(frames.time_stop[at]), float(frames.time_start[at + 1]), "no frames", int(step[at] - 1), True)
        for at in np.flatnonzero(step > 1)
    ]
