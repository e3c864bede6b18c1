"""Frames in order of time, and when they were taken."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from tessellar.pixels.frames import Frame
    from tessellar.targets import Field


class FrameSeries:
    """Frames of one field in order of time: their times, numbers and flags.

    Parameters
    ----------
    frames : iterable of Frame
        In any order.
    """

    def __init__(self, frames: Iterable[Frame]) -> None:
        self.frames: tuple[Frame, ...] = tuple(sorted(frames, key=lambda frame: (frame.mid, frame.path)))

    def __len__(self) -> int:
        return len(self.frames)

    @property
    def field(self) -> Field:
        """Sector, camera and CCD."""
        return self.frames[0].field

    @cached_property
    def time(self) -> NDArray[np.float64]:
        """Middle of each exposure, BTJD at the CCD's centre, shape (n,)."""
        return self._each("mid", np.float64)

    @cached_property
    def time_start(self) -> NDArray[np.float64]:
        """Begin of each exposure, BTJD."""
        return self._each("start", np.float64)

    @cached_property
    def time_stop(self) -> NDArray[np.float64]:
        """End of each exposure, BTJD."""
        return self._each("stop", np.float64)

    @cached_property
    def timecorr(self) -> NDArray[np.float64]:
        """Barycentric correction in the times, days."""
        return self._each("timecorr", np.float64)

    @cached_property
    def quality(self) -> NDArray[np.int32]:
        """The mission's flags of each frame."""
        return self._each("quality", np.int32)

    @cached_property
    def cadence(self) -> float:
        """Seconds from one frame to the next: the median exposure, dead time included, to the whole second."""
        return float(np.round(np.median([frame.exposure for frame in self.frames])))

    @cached_property
    def cadenceno(self) -> NDArray[np.int32]:
        """Number of each frame; where files do not tell it, counted from the first frame's time."""
        numbers = [frame.cadenceno for frame in self.frames]
        if None not in numbers:
            return np.array(numbers, dtype=np.int32)
        at_spacecraft = self.time - self.timecorr
        return np.asarray(np.round((at_spacecraft - at_spacecraft[0]) * 86400 / self.cadence), dtype=np.int32)

    @cached_property
    def missing(self) -> NDArray[np.int32]:
        """Numbers between the first and the last frame for which there is none: gaps, or files that are not here."""
        every = np.arange(self.cadenceno[0], self.cadenceno[-1] + 1, dtype=np.int32)
        return np.asarray(np.setdiff1d(every, self.cadenceno), dtype=np.int32)

    def _each(self, name: str, dtype: Any) -> NDArray[Any]:
        values = np.array([getattr(frame, name) for frame in self.frames], dtype=dtype)
        values.flags.writeable = False
        return values
