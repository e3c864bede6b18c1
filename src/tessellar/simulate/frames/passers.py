"""What crosses the pixels of a frame: asteroids, and the tracks of cosmic rays."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tessellar.pixels.response import PixelResponse, add_stars
from tessellar.simulate.frames.motion import Motion
from tessellar.simulate.frames.responses import WING_SHARE
from tessellar.simulate.stars import ZERO_POINT

FloatArray = NDArray[np.float64]
Image = NDArray[np.float32]

# Asteroids brighter than T = 17 on a CCD near the ecliptic; their speed, px an hour (main belt: 30 arcsec an hour).
_ASTEROIDS_A_CCD, _SPEED = 40, (0.8, 2.5)
_ASTEROID_TMAG = (13.0, 17.0)
# An asteroid's trail is drawn with one point for so many px.
_TRAIL_STEP = 0.12

#: Cosmic rays on a CCD each second: 5 on a square centimetre (TESS Instrument Handbook).
RAYS_A_SECOND = 5 * (2048 * 15e-4) ** 2
#: Share of them that the on-board mitigation lets through: it drops the highest of ten exposures, and with it all
#: hits but those that fell onto one pixel twice in 20 s.
RAYS_LEFT = 1e-3
_TRACK, _CHARGE, _CHARGE_SPREAD = 4.0, 1200.0, 0.8
_STEPS_A_PIXEL = 4


@dataclass(frozen=True)
class Asteroids:
    """Asteroids that cross a window.

    Attributes
    ----------
    tmag : array, shape (m,)
        Magnitudes.
    start, speed : array, shape (m, 2)
        Column and row at `epoch`, and px a day, before the image's own movement.
    epoch : float
        TJD.
    """

    tmag: FloatArray
    start: FloatArray
    speed: FloatArray
    epoch: float

    def __len__(self) -> int:
        return len(self.tmag)

    def places(self, time: float | FloatArray) -> FloatArray:
        """Columns and rows at a time (TJD), shape (m, 2), or (m, k, 2) at several."""
        days = np.asarray(time, dtype=np.float64) - self.epoch
        result: FloatArray = (
            self.start + self.speed * days
            if days.ndim == 0
            else (self.start[:, None] + self.speed[:, None] * days[:, None])
        )
        return result

    def add(
        self,
        image: Image,
        corner: tuple[int, int],
        frame: int,
        span: tuple[float, float],
        motion: Motion,
        response: PixelResponse,
    ) -> None:
        """Draw their trails into a frame that was exposed from the first to the second time of `span`."""
        length = np.hypot(*self.speed.T).max(initial=0.0) * (span[1] - span[0])
        points = max(1, int(np.ceil(length / _TRAIL_STEP)))
        times = span[0] + (np.arange(points) + 0.5) / points * (span[1] - span[0])
        trail = self.places(times).reshape(-1, 2)
        margin = response.reach + 2
        flux = np.repeat((1 - WING_SHARE) * 10 ** (0.4 * (ZERO_POINT - self.tmag)) / points, points)
        column, row = motion.places(frame, trail[:, 0], trail[:, 1])
        x, y = column - corner[0], row - corner[1]
        near = (x > -margin) & (x < image.shape[1] + margin) & (y > -margin) & (y < image.shape[0] + margin)
        if near.any():
            add_stars(image, corner, column[near], row[near], flux[near], response)


def send_asteroids(
    corner: tuple[int, int], shape: tuple[int, int], mid: FloatArray, latitude: float, seed: int
) -> Asteroids:
    """Let asteroids cross a window, at least one of them through its middle half; fewer off the ecliptic."""
    rng = np.random.default_rng([seed, 12])
    expected = _ASTEROIDS_A_CCD * np.exp(-abs(latitude) / 15) * shape[0] * shape[1] / 2048**2
    count = 1 + int(rng.poisson(expected))
    epoch = float(mid[len(mid) // 2])
    speed = rng.uniform(*_SPEED, count) * 24
    angle = rng.uniform(0, 2 * np.pi, count)
    start = np.array(corner) + rng.uniform(0, 1, (count, 2)) * np.array(shape[::-1])
    start[0] = np.array(corner) + rng.uniform(0.25, 0.75, 2) * np.array(shape[::-1])
    tmag = rng.uniform(*_ASTEROID_TMAG, count)
    tmag[0] = min(tmag[0], 14.0)
    return Asteroids(tmag, start, speed[:, None] * np.column_stack([np.cos(angle), np.sin(angle)]), epoch)


def ray_tracks(
    rng: np.random.Generator, shape: tuple[int, int], seconds: float, mitigated: bool
) -> tuple[NDArray[np.int64], NDArray[np.int64], FloatArray]:
    """Tracks of cosmic rays in one frame.

    Parameters
    ----------
    rng : Generator
        Of the frame.
    shape : (int, int)
        Rows and columns.
    seconds : float
        Exposure time.
    mitigated : bool
        Whether the on-board mitigation removed nearly all of them.

    Returns
    -------
    row, column, charge : array
        Pixels, counted from 0, and the electrons in each.
    """
    rate = RAYS_A_SECOND * (RAYS_LEFT if mitigated else 1.0) * shape[0] * shape[1] / 2048**2
    count = int(rng.poisson(rate * seconds))
    length = rng.exponential(_TRACK, count)
    angle = rng.uniform(0, 2 * np.pi, count)
    begin = rng.uniform(-0.5, np.array(shape) - 0.5, (count, 2))
    charge = _CHARGE * np.exp(_CHARGE_SPREAD * rng.standard_normal(count))
    steps = np.maximum(np.ceil(length * _STEPS_A_PIXEL).astype(np.int64), 1)
    which = np.repeat(np.arange(count), steps)
    along = (np.arange(len(which)) - np.repeat(np.cumsum(steps) - steps, steps) + 0.5) / _STEPS_A_PIXEL
    row = np.round(begin[which, 0] + along * np.sin(angle[which])).astype(np.int64)
    column = np.round(begin[which, 1] + along * np.cos(angle[which])).astype(np.int64)
    inside = (row >= 0) & (row < shape[0]) & (column >= 0) & (column < shape[1])
    return row[inside], column[inside], charge[which][inside] / _STEPS_A_PIXEL
