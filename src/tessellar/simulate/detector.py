"""One CCD as the light meets it: exposure times, gains, noise, saturation.

Facts are those of the mission's target pixel files of sector 1, camera 4, CCD 1
(header keywords named below) and of the TESS Instrument Handbook.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

#: INT_TIME, READTIME: seconds of light and of read-out in one 2-s frame.
INT_TIME, READ_TIME = 1.98, 0.02


@dataclass(frozen=True)
class Exposure:
    """How the frames of one cadence are added up.

    Parameters
    ----------
    cadence : float
        Seconds from one cadence to the next.
    frames, kept : int
        Frames in it (NUM_FRM), and frames whose light is kept (NREADOUT).
    worth : float
        Frames that the noise of a cadence is worth.
    block : int or None
        Frames in a block of the on-board cosmic-ray mitigation (CRBLKSZ), that drops two of them; None without it.
    """

    cadence: float
    frames: int
    kept: int
    worth: float
    block: int | None

    @property
    def live_time(self) -> float:
        """Seconds of light in the counts of one cadence."""
        return self.kept * INT_TIME

    @property
    def noise_time(self) -> float:
        """Seconds of light that the noise of one cadence is worth; errors in the files are of this noise too."""
        return self.worth * INT_TIME

    @property
    def share(self) -> float:
        """Share of the time whose light is kept (DEADC)."""
        return self.live_time / self.cadence


#: The mean of 8 values left after the lowest and the highest of 10 are dropped has the variance of the mean of 9.49
#: of them, not of 8.
TWO_MINUTES = Exposure(120.0, 60, 48, 60 * 0.949, 10)
#: Of 20 s nothing is dropped.
TWENTY_SECONDS = Exposure(20.0, 10, 10, 10.0, None)
#: Cadence of most target pixel files, s.
CADENCE = TWO_MINUTES.cadence

#: GAINA..GAIND (e-/count), READNOIA..READNOID (e- per read) of outputs A to D.
GAINS = (5.26, 5.18, 5.2, 5.2)
READ_NOISES = (10.0466, 7.7182, 7.54, 9.88)
#: FXDOFF: offset of the raw counts.
FIXED_OFFSET = 209700
#: MEANBLCA..MEANBLCD: counts.
BLACK_LEVELS = (6553, 6637, 6542, 6438)

#: Electrons that one pixel holds before they spill along its column (handbook: about 200,000).
FULL_WELL = 200_000.0
#: The same as a rate, e-/s: a frame that collects more has spilled.
SATURATION = FULL_WELL / INT_TIME

#: Seconds by which the read-out of each camera and CCD is later than that of camera 1, CCD 1 (TMOFST).
CAMERA_STAGGER = {1: 0.0, 2: 1.5, 3: 0.5, 4: 1.0}
CCD_STAGGER = {1: 0.0, 2: 0.02, 3: 0.04, 4: 0.06}


def stagger(camera: int, ccd: int) -> float:
    """Seconds by which this CCD is read later than camera 1, CCD 1.

    Examples
    --------
    >>> round(stagger(2, 3) - stagger(4, 1), 3)
    0.54
    """
    return CAMERA_STAGGER[camera] + CCD_STAGGER[ccd]


def output(column: float) -> int:
    """Which of the outputs A to D (0 to 3) reads a science column (45 to 2092, 1-based).

    Examples
    --------
    >>> output(993), output(1619)
    (1, 3)
    """
    return int(min(max((column - 45) // 512, 0), 3))


def variance(rate: NDArray[np.floating], read_noise: float, exposure: Exposure = TWO_MINUTES) -> NDArray[np.float32]:
    """Variance of one cadence's flux, (e-/s)**2.

    Parameters
    ----------
    rate : array
        All light that falls on the pixel, sky included, e-/s.
    read_noise : float
        Electrons per read.
    exposure : Exposure
        How the frames are added up.
    """
    seconds = exposure.noise_time
    read = exposure.worth * read_noise**2 / seconds**2
    result: NDArray[np.float32] = np.multiply(rate, 1 / seconds, dtype=np.float32)
    result += np.float32(read)
    return result


def bleed(images: NDArray[np.float32], level: float = SATURATION) -> NDArray[np.float32]:
    """Let charge above the full well spill along the columns, half up and half down, none lost inside.

    Parameters
    ----------
    images : array, shape (n, rows, columns)
        Rates, e-/s.
    level : float
        What a pixel holds, e-/s.

    Returns
    -------
    array, shape (n, rows, columns)
        A new one. Charge that reaches the first or last row with nowhere to go leaves there.

    Examples
    --------
    >>> column = np.array([0, 0, 500, 0, 0], dtype=np.float32).reshape(1, 5, 1)
    >>> bleed(column, level=200).ravel()
    array([  0., 150., 200., 150.,   0.], dtype=float32)
    """
    result = images.copy()
    columns = np.flatnonzero((images > level).any(axis=(0, 1)))
    full = np.ascontiguousarray(images[:, :, columns].transpose(1, 0, 2))
    spilled = np.minimum(full, np.float32(level))
    half = (full - spilled) / 2
    rows = len(full)
    for order in (range(rows), range(rows - 1, -1, -1)):
        carried = np.zeros_like(full[0])
        for row in order:
            taken = np.minimum(carried, np.float32(level) - spilled[row])
            spilled[row] += taken
            carried += half[row] - taken
    result[:, :, columns] = spilled.transpose(1, 0, 2)
    return result
