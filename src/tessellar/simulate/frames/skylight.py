"""The smooth light of each frame: zodiacal light, scattered light that moves, the glow of the corner, and straps.

All of it is given by formulas of the place on the CCD and of a few numbers a frame, so
that the truth is exact at any pixel. Straps are metal lines under some columns that throw red light back into the
pixels: there sky is brighter by a share that grows with scattered light.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from tessellar.simulate.fields import COLUMNS, ROWS
from tessellar.targets import Field

FloatArray = NDArray[np.float64]
Image = NDArray[np.float32]

# Zodiacal light at the poles of the ecliptic, e-/s/px, as in real frames of sector 1, and what the ecliptic adds.
_ZODIACAL, _ECLIPTIC = 84.0, 60.0
# The corner glow begins so far from the camera's axis, px, and is so bright at the CCD's far corner.
_GLOW_FROM, _GLOW_TO, _GLOW = 2450.0, 2950.0, 35.0
# Straps: 1-based science columns of the left half, the right half mirrors them (TESS Instrument Handbook).
_STRAP_COMB, _STRAP_EVERY, _STRAP_TEETH = (77, 78, 81, 82, 85, 86), 128, 8
_STRAP_OTHERS = (516, 517, 520, 521, 524, 525, 673, 674, 675, 676)
_STRAP_SHARE, _STRAP_SCATTERED = 0.004, 0.02


@cache
def strap_columns() -> tuple[int, ...]:
    """CCD columns that lie over a strap, 1-based, leading virtual columns counted.

    Examples
    --------
    >>> len(strap_columns()), strap_columns()[:2], strap_columns()[-1]
    (116, (121, 122), 2016)
    """
    comb = [column + k * _STRAP_EVERY for k in range(_STRAP_TEETH) for column in _STRAP_COMB]
    left = [*comb, *_STRAP_OTHERS]
    return tuple(sorted(column + COLUMNS[0] - 1 for column in (*left, *(2049 - each for each in left))))


@dataclass(frozen=True)
class Skylight:
    """The smooth light of a CCD over time.

    Attributes
    ----------
    field : Field
        Sector, camera and CCD.
    level : array, shape (n,)
        Zodiacal light in the middle of the CCD, e-/s/px.
    slope : array, shape (2,)
        Its relative change over 1000 columns and rows.
    scattered : array, shape (n,)
        Scattered light at its source's side, e-/s/px.
    angle : array, shape (n,)
        Direction from which it comes, radians.
    beam : array, shape (n, 2)
        Middle of its brighter patch, column and row.
    corner : array, shape (n,)
        Glow of the corner, e-/s/px.
    """

    field: Field
    level: FloatArray
    slope: FloatArray
    scattered: FloatArray
    angle: FloatArray
    beam: FloatArray
    corner: FloatArray

    def image(self, frame: int, corner: tuple[int, int], shape: tuple[int, int], straps: bool = True) -> Image:
        """The smooth light of one frame on some pixels.

        Parameters
        ----------
        frame : int
            Its index.
        corner, shape : (int, int)
            CCD column and row (1-based) of the first pixel; rows and columns.
        straps : bool
            Whether with the columns over straps, where it is not smooth.

        Returns
        -------
        float32 array, (rows, columns)
            e-/s/px.
        """
        column = corner[0] + np.arange(shape[1], dtype=np.float32)
        row = corner[1] + np.arange(shape[0], dtype=np.float32)[:, None]
        u, v = (column - np.float32(1068.5)) / np.float32(1000), (row - np.float32(1024.5)) / np.float32(1000)
        image = np.float32(self.level[frame]) * (1 + np.float32(self.slope[0]) * u + np.float32(self.slope[1]) * v)
        scattered = np.float32(self.scattered[frame])
        if scattered > 0:
            across, along = np.float32(np.cos(self.angle[frame])), np.float32(np.sin(self.angle[frame]))
            ramp = (np.float32(1.6) + across * u + along * v) / np.float32(3.0)
            beam = [np.float32(value) for value in self.beam[frame]]
            wide = np.exp(-(((column - beam[0]) / np.float32(650)) ** 2))
            high = np.exp(-(((row - beam[1]) / np.float32(900)) ** 2))
            image += scattered * (ramp**2 + np.float32(0.6) * wide * high)
        image += np.float32(self.corner[frame]) * self._corner_shape(column, row)
        if straps:
            over = np.isin(column, strap_columns())
            share = _STRAP_SHARE + _STRAP_SCATTERED * scattered / (scattered + self.level[frame])
            image[:, over] *= np.float32(1 + share)
        result: Image = image
        return result

    def _corner_shape(self, column: Image, row: Image) -> Image:
        axis = COLUMNS[1] + 60 if self.field.ccd in (1, 3) else COLUMNS[0] - 60
        distance = np.hypot(column - np.float32(axis), row - np.float32(ROWS[1] + 50))
        outside = np.clip((distance - np.float32(_GLOW_FROM)) / np.float32(_GLOW_TO - _GLOW_FROM), 0, None)
        result: Image = outside**3
        return result


def shine(field: Field, mid: FloatArray, glow: FloatArray, latitude: float, seed: int) -> Skylight:
    """Make the smooth light of a CCD.

    Parameters
    ----------
    field : Field
        Sector, camera, CCD.
    mid : array, shape (n,)
        Times, TJD.
    glow : array, shape (n,)
        Scattered light, as a multiple of the dark sky.
    latitude : float
        Ecliptic latitude of the CCD, degrees: zodiacal light is brighter on the ecliptic.
    seed : int
        Another seed has other slopes and paths.
    """
    rng = np.random.default_rng([seed, 10, field.sector, field.camera, field.ccd])
    turn = 2 * np.pi * (mid - 1325.0) / 13.7
    level = (_ZODIACAL + _ECLIPTIC * (1 - abs(latitude) / 90) ** 2) * (1 + 0.01 * np.sin(turn))
    # A trickle of scattered light is there at all times, and turns with the Earth, once a day.
    scattered = level * (0.02 * (1.2 + np.sin(turn + rng.uniform(0, 6.28))) + 1.5 * glow)
    day = 2 * np.pi * mid
    angle = rng.uniform(0, 2 * np.pi) + 0.5 * np.sin(day / 3)
    phase = rng.uniform(0, 2 * np.pi, 2)
    beam = np.column_stack([1068 + 800 * np.sin(day / 1.7 + phase[0]), 1024 + 800 * np.cos(day / 2.3 + phase[1])])
    corner = _GLOW * (1 + 0.05 * np.sin(turn + phase[0]) + 0.3 * glow)
    return Skylight(field, level, rng.uniform(-0.05, 0.05, 2), scattered, angle, beam, corner)
