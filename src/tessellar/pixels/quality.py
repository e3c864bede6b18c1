"""Flags of frames beyond those in their headers: taken over from the stars' files, and excluded by hand."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tessellar.mission.exclusions import exclusions
from tessellar.mission.flags import SPOCQuality
from tessellar.pixels.stamp import PixelFlag

if TYPE_CHECKING:
    from tessellar.pixels.series import FrameSeries
    from tessellar.products.series import TimeSeries
    from tessellar.targets import Field

# What happens to the spacecraft or its camera, not to one star, is taken over from a star's cadences.
_SPACECRAFT = (
    SPOCQuality.AttitudeTweak
    | SPOCQuality.SafeMode
    | SPOCQuality.CoarsePoint
    | SPOCQuality.EarthPoint
    | SPOCQuality.Argabrightening
    | SPOCQuality.Desat
    | SPOCQuality.ManualExclude
)
# Stray light is seen by one CCD.
_CCD = SPOCQuality.Straylight | SPOCQuality.Straylight2 | SPOCQuality.BadCalibrationExclude


@dataclass(frozen=True)
class Excluded:
    """Pixels of some frames that are excluded by hand: flat ranges of rows and columns (1-based), and the frames."""

    columns: tuple[int, int]
    rows: tuple[int, int]
    frames: NDArray[np.int64]
    reason: str


def transfer_flags(frames: FrameSeries, stars: Iterable[TimeSeries]) -> NDArray[np.int32]:
    """Flags that stars' cadences of 20 s or 2 min say of longer frames taken at the same time.

    The headers of frames often carry no flags; the light curves and target pixel files of the same sector do. A frame
    gets the bits of all cadences whose middle lies in its exposure; times are compared at the spacecraft.

    Parameters
    ----------
    frames : FrameSeries
    stars : iterable of LightCurve or TargetPixelFile
        Of the same sector; others say nothing. Stray light counts only of stars on the same CCD.

    Returns
    -------
    int32 array (n,)
        Bits to add.
    """
    added = np.zeros(len(frames), dtype=np.int32)
    start, stop = frames.time_start - frames.timecorr, frames.time_stop - frames.timecorr
    for star in stars:
        if star.sector != frames.field.sector:
            continue
        bits = int(_SPACECRAFT)
        if (star.camera, star.ccd) == (frames.field.camera, frames.field.ccd):
            bits |= int(_CCD)
        at_spacecraft = np.asarray(star.btjd, np.float64) - np.asarray(star.timecorr, np.float64)
        flags = np.asarray(star.quality).astype(np.int64) & bits
        known = np.isfinite(at_spacecraft) & (flags != 0)
        which = np.searchsorted(start, at_spacecraft[known], side="right") - 1
        inside = (which >= 0) & (at_spacecraft[known] < stop[np.maximum(which, 0)])
        np.bitwise_or.at(added, which[inside], flags[known][inside].astype(np.int32))
    return added


def excluded_by_hand(field: Field, time: NDArray[np.float64]) -> tuple[Excluded, ...]:
    """What the mission's table of exclusions says of frames at these times (BTJD)."""
    found = []
    for each in exclusions(field):
        frames = np.flatnonzero((time >= each.begin) & (time <= each.end))
        if frames.size:
            found.append(Excluded(each.columns, each.rows, frames, each.reason))
    return tuple(found)


def excluded_pixels(
    excluded: Sequence[Excluded], index: int, corner: tuple[int, int], shape: tuple[int, int]
) -> NDArray[np.bool_] | None:
    """Pixels of one frame's window that are excluded, or None where none is."""
    mask = None
    for each in excluded:
        if index not in each.frames:
            continue
        columns, rows = corner[0] + np.arange(shape[1]), corner[1] + np.arange(shape[0])
        inside = (rows >= each.rows[0]) & (rows <= each.rows[1])
        across = (columns >= each.columns[0]) & (columns <= each.columns[1])
        here = inside[:, None] & across[None, :]
        mask = here if mask is None else mask | here
    return mask if mask is not None and mask.any() else None


def whole_frames(excluded: Sequence[Excluded], corner: tuple[int, int], shape: tuple[int, int]) -> NDArray[np.int64]:
    """Frames of which all pixels are excluded."""
    last = corner[0] + shape[1] - 1, corner[1] + shape[0] - 1
    whole = [
        each.frames
        for each in excluded
        if each.columns[0] <= corner[0] and each.columns[1] >= last[0]
        if each.rows[0] <= corner[1] and each.rows[1] >= last[1]
    ]
    return np.unique(np.concatenate(whole)) if whole else np.empty(0, np.int64)


def pixel_flags(
    excluded: Sequence[Excluded],
    jumped: NDArray[np.bool_],
    used: NDArray[np.bool_],
    corner: tuple[int, int],
) -> NDArray[np.uint8]:
    """Flags of a window, (n, rows, columns): see `PixelFlag`."""
    flags = np.where(jumped, np.uint8(PixelFlag.BACKGROUND_JUMP), np.uint8(0))
    flags |= np.where(used, np.uint8(0), np.uint8(PixelFlag.NOT_USED_FOR_BACKGROUND))
    for index in np.unique(np.concatenate([each.frames for each in excluded])) if excluded else ():
        mask = excluded_pixels(excluded, int(index), corner, used.shape)
        if mask is not None:
            flags[index][mask] |= np.uint8(PixelFlag.EXCLUDED)
    return flags
