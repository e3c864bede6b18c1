"""The times of frames: known errors taken off on request, and the barycentric correction of each star."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tessellar.mission.barycentre import SpacecraftPosition, WrittenCorrection, along
from tessellar.mission.offsets import TimeOffset, time_offset

if TYPE_CHECKING:
    from tessellar.mission.tangent import Plane
    from tessellar.pixels.frames import Frame
    from tessellar.pixels.series import FrameSeries
    from tessellar.pixels.stack import FrameStack
    from tessellar.products.series import TimeSeries

# 1-sigma error of a frame's correction, seconds: its world coordinates are right to a fifth of a pixel, and a pixel
# of 21 arcsec is up to 0.05 s.
_FRAME_SIGMA = 0.01


def known_offsets(stack: FrameStack) -> dict[str, TimeOffset | None]:
    """Known errors of the begin, middle and end of a stack's exposures; None where nothing is known.

    Told by the data release and processing in the first frame's header; simulated frames have none.
    """
    first = stack.image(0)
    if first.simulated:
        return dict.fromkeys(("start", "mid", "end"))
    place, processing = stack.field, str(first.header.get("PROCVER") or "") or None
    return {
        at: time_offset(
            "SPOC", place.sector, version=first.data_release, processing=processing, frames=True,
            camera=place.camera, ccd=place.ccd, at=at,
        )
        for at in ("start", "mid", "end")
    }  # fmt: skip


def corrected(frames: Sequence[Frame], offsets: Mapping[str, TimeOffset | None]) -> list[Frame]:
    """Frames with known errors taken off their times."""
    days = {at: 0.0 if offset is None else offset.days for at, offset in offsets.items()}
    return [
        replace(
            frame,
            start=frame.start + days["start"],
            mid=frame.mid + days["mid"],
            stop=frame.stop + days["end"],
        )
        for frame in frames
    ]


def written_in_frames(frames: FrameSeries, plane: Plane) -> WrittenCorrection:
    """Corrections that the headers of frames tell (BARYCORR), with the sky as in the reference frame's `plane`."""
    ra, dec = plane.to_sky(*frames.frames[0].timed_at)
    known = np.where(frames.timecorr == 0, np.nan, frames.timecorr)
    return WrittenCorrection(float(ra), float(dec), frames.time - frames.timecorr, known, _FRAME_SIGMA)


def written_in_stars(stars: Iterable[TimeSeries]) -> list[WrittenCorrection]:
    """Corrections that light curves or target pixel files tell (TIMECORR); those without a place are passed over."""
    found = []
    for star in stars:
        ra, dec = star.ra, star.dec
        if not np.isfinite([ra, dec]).all():
            continue
        correction = np.asarray(star.timecorr, dtype=np.float64)
        at_spacecraft = np.asarray(star.btjd, dtype=np.float64) - correction
        found.append(
            WrittenCorrection(float(ra), float(dec), at_spacecraft, np.where(correction == 0, np.nan, correction))
        )
    return found


def spacecraft_of(frames: FrameSeries, plane: Plane, stars: Iterable[TimeSeries] = ()) -> SpacecraftPosition:
    """Solve for the place of the spacecraft in each frame, from the frames' own corrections and those of stars."""
    written = [written_in_frames(frames, plane), *written_in_stars(stars)]
    return SpacecraftPosition.solve(frames.time - frames.timecorr, written)


def star_times(
    frames: FrameSeries,
    spacecraft: SpacecraftPosition,
    ra: float,
    dec: float,
    place: NDArray[np.float64] | None = None,
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Times of one star in frames.

    Parameters
    ----------
    frames : FrameSeries
    spacecraft : SpacecraftPosition
    ra, dec : float
        ICRS degrees.
    place : array (n, 3), optional
        What `spacecraft.place` is in the frames, where it is known already: it takes longer than all else.

    Returns
    -------
    (array, array, array)
        BTJD of the middle of each exposure for the star, its barycentric correction (days), and the 1-sigma error of
        the correction (seconds).
    """
    at_spacecraft = frames.time - frames.timecorr
    correction = along(spacecraft.place(at_spacecraft) if place is None else place, ra, dec)
    error = spacecraft.error(at_spacecraft, ra, dec)
    return at_spacecraft + correction, correction, error
