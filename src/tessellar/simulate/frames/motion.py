"""How the sky moves on the pixels of one CCD, as a function of time, and what headers say of it.

Four parts: slow wander and fast jitter of the pointing, a little roll, excursions in
momentum dumps, and differential velocity aberration, computed from the Earth's velocity.
Each frame's movement is affine in the place on the CCD.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tessellar.mission.ccd import ccd_plane
from tessellar.mission.tangent import Plane
from tessellar.simulate.fields import COLUMNS, MIDDLE, ROWS, sector_span
from tessellar.simulate.frames.orbit import LIGHT_SPEED, directions, earth
from tessellar.simulate.schedule import DESATURATION, MANUAL_EXCLUDE
from tessellar.targets import Field

if TYPE_CHECKING:
    from tessellar.simulate.frames.plan import FramePlan

FloatArray = NDArray[np.float64]

# Amplitudes, px: slow wander each axis, its periods in days; jitter of a mean over 120 s; roll over 1000 px.
_WANDER, _PERIODS, _WAVES = 0.008, (0.05, 8.0), 24
_JITTER, _ROLL = 0.0015, 0.003
# In a dump lasting seconds the image swings by a pixel; spread over a frame of 1800 s that is a tenth of this.
_SWING, _SWING_SECONDS = 0.6, 60.0
_SETTLING = 6.0
# 1-sigma error of the shift that headers tell, px: they are fitted to stars.
_HEADER_ERROR = 0.002


@dataclass(frozen=True)
class Motion:
    """The movement of each frame.

    Attributes
    ----------
    affine : array, shape (n, 2, 3)
        A star of the reference place (column, row) is at column + a00 + a01 u + a02 v and
        row + a10 + a11 u + a12 v, with u and v its column and row less `MIDDLE`.
    blur : array, shape (n, 3)
        Variance along columns, covariance and variance along rows (px2) of the movement within the frame, beyond
        the usual one that the pixel response holds.
    told : array, shape (n, 2)
        By how much the header's world coordinates are off, px.
    """

    affine: FloatArray
    blur: FloatArray
    told: FloatArray

    def places(self, frame: int, column: ArrayLike, row: ArrayLike) -> tuple[FloatArray, FloatArray]:
        """Columns and rows of stars in one frame, from those of the reference."""
        return moved(self.affine[frame], column, row)

    def track(self, column: float, row: float) -> FloatArray:
        """Columns and rows of one star in every frame, shape (n, 2)."""
        terms = np.array([1.0, column - MIDDLE[0], row - MIDDLE[1]])
        result: FloatArray = np.array([column, row]) + self.affine @ terms
        return result

    def plane(self, frame: int, reference: Plane, told: bool = True) -> Plane:
        """The sky on the pixels of one frame: as its header tells it, or (not `told`) as it is."""
        affine = self.affine[frame].copy()
        if told:
            affine[:, 0] += self.told[frame]
        return shifted(reference, affine)


def moved(affine: FloatArray, column: ArrayLike, row: ArrayLike) -> tuple[FloatArray, FloatArray]:
    """Apply an affine movement to places on the CCD."""
    x, y = np.asarray(column, dtype=np.float64), np.asarray(row, dtype=np.float64)
    u, v = x - MIDDLE[0], y - MIDDLE[1]
    return tuple(own + line[0] + line[1] * u + line[2] * v for own, line in zip((x, y), affine, strict=True))


def shifted(plane: Plane, affine: FloatArray) -> Plane:
    """Return the projection of a CCD whose stars have moved: exact, also in its distortion."""
    turn = np.eye(2) + affine[:, 1:]
    offset = np.array(plane.crpix) - MIDDLE
    crpix = tuple(float(value) for value in np.array(plane.crpix) + affine[:, 0] + affine[:, 1:] @ offset)
    inverse = np.linalg.inv(turn)
    order = plane.a.shape[0] - 1
    # A polynomial of a linear form of u and v is one of the same order in u and v: found by solving for its terms.
    grid = np.linspace(-1.0, 1.0, 2 * order + 1)
    u, v = (mesh.ravel() for mesh in np.meshgrid(grid, grid))
    scale = 1000.0
    powers = [(p, q) for p in range(order + 1) for q in range(order + 1 - p)]
    design = np.column_stack([u**p * v**q for p, q in powers])
    x, y = np.asarray(scale * (inverse @ np.stack([u, v])), dtype=np.float64)
    bent = turn @ np.stack([np.polynomial.polynomial.polyval2d(x, y, each) for each in (plane.a, plane.b)])
    terms = np.linalg.lstsq(design, bent.T, rcond=None)[0]
    tables = np.zeros((2, order + 1, order + 1))
    for (p, q), pair in zip(powers, terms, strict=True):
        if p + q > 1:
            tables[:, p, q] = pair / scale ** (p + q)
    return Plane(plane.crval, crpix, plane.cd @ inverse, crpix, tables[0], tables[1])  # type: ignore[arg-type]


def dump_swings(plan: FramePlan, seed: int) -> FloatArray:
    """Momentum dumps of a plan: times (TJD), in the middle of flagged frames, and swings (px); shape (dumps, 3)."""
    frames = np.flatnonzero(plan.quality & DESATURATION)
    rng = np.random.default_rng([seed, 13, plan.field.sector, plan.field.camera])
    return np.column_stack([plan.mid[frames], _SWING * rng.standard_normal((len(frames), 2))])


def move_frames(
    field: Field, mid: FloatArray, quality: NDArray[np.int32], cadence: float, seed: int, dumps: FloatArray
) -> Motion:
    """Let the sky of a CCD move.

    Parameters
    ----------
    field : Field
        Sector, camera and CCD.
    mid : array, shape (n,)
        Times at the spacecraft, TJD.
    quality : int32 array, shape (n,)
        Flags: the image is unquiet where flag 128 stands.
    cadence : float
        Seconds over which the jitter is averaged.
    seed : int
        Another seed moves it otherwise; wander and roll are the same function of time at all cadences.
    dumps : array, shape (dumps, 3)
        Times and swings, from `dump_swings`: they move and blur the image.
    """
    common = [seed, 8, field.sector, field.camera]
    affine = np.zeros((len(mid), 2, 3))
    affine[:, 0, 0], affine[:, 1, 0], turn = (
        wave * size
        for wave, size in zip(_waves(mid, np.random.default_rng(common)), (_WANDER, _WANDER, _ROLL), strict=True)
    )
    affine[:, 0, 2], affine[:, 1, 1] = -turn / 1000, turn / 1000
    own = np.random.default_rng([*common, field.ccd, round(cadence)])
    jitter = _JITTER * np.sqrt(120 / cadence) * own.standard_normal((len(mid), 2))
    jitter[(quality & MANUAL_EXCLUDE) > 0] *= _SETTLING
    blur = np.zeros((len(mid), 3))
    share = min(_SWING_SECONDS / cadence, 1.0)
    for time, *swings in dumps:
        dump, swing = int(np.argmin(np.abs(mid - time))), np.array(swings)
        if abs(mid[dump] - time) > 0.5 * cadence / 86400 + 1e-9:
            continue
        jitter[dump] += share * swing
        blur[dump] = share * (1 - share) * np.array([swing[0] ** 2, swing[0] * swing[1], swing[1] ** 2])
    affine[:, :, 0] += jitter
    told = _HEADER_ERROR * own.standard_normal((len(mid), 2))
    return Motion(affine + aberration(field, mid), blur, told)


def aberration(field: Field, mid: FloatArray) -> FloatArray:
    """Differential velocity aberration: what is left of it when the camera's boresight is held still.

    Returns
    -------
    array, shape (n, 2, 3)
        Affine movement of each time, zero in the middle of the sector.
    """
    plane = ccd_plane(field)
    middle = 0.5 * sum(sector_span(field.sector))
    velocity = earth(np.append(mid, middle))[1] / LIGHT_SPEED
    change = velocity[:-1] - velocity[-1]
    axis = np.array([COLUMNS[1] if field.ccd in (1, 3) else COLUMNS[0], ROWS[1]], dtype=np.float64)
    columns, rows = (mesh.ravel() for mesh in np.meshgrid(np.linspace(*COLUMNS, 6), np.linspace(*ROWS, 6)))
    columns, rows = np.append(columns, axis[0]), np.append(rows, axis[1])
    sky = directions(*plane.to_sky(columns, rows))
    design = np.column_stack([np.ones(36), columns[:-1] - MIDDLE[0], rows[:-1] - MIDDLE[1]])
    # The shift is linear in the velocity, so that three unit velocities tell it for all.
    size, response = 1e-4, np.zeros((3, 2, 3))
    for k in range(3):
        push = np.eye(3)[k] * size
        there = sky + push - (sky @ push)[:, None] * sky
        ra = np.degrees(np.arctan2(there[:, 1], there[:, 0]))
        dec = np.degrees(np.arctan2(there[:, 2], np.hypot(there[:, 0], there[:, 1])))
        column, row = plane.to_pixel(ra, dec)
        shift = np.column_stack([column - columns, row - rows])
        response[k] = np.linalg.lstsq(design, shift[:-1] - shift[-1], rcond=None)[0].T / size
    result: FloatArray = np.tensordot(change, response, axes=1)
    return result


def _waves(time: FloatArray, rng: np.random.Generator) -> list[FloatArray]:
    """Three random functions of time with a standard deviation of 1: sums of sines, stronger where slower."""
    periods = _PERIODS[0] * (_PERIODS[1] / _PERIODS[0]) ** rng.random((3, _WAVES))
    phases = rng.uniform(0, 2 * np.pi, (3, _WAVES))
    result = []
    for period, phase in zip(periods, phases, strict=True):
        weight = np.sqrt(period)
        weight /= np.sqrt(0.5 * (weight @ weight))
        result.append(np.sin(2 * np.pi * time[:, None] / period + phase) @ weight)
    return result
