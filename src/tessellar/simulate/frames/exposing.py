"""From light to what a CCD gives: bleeding, cosmic rays, photon and read noise, and the error of each pixel.

On board, the lowest and the highest of every ten 2-s exposures are dropped. Counts keep eight tenths of the time;
the noise is that of 9.49 exposures of ten. Frames are drawn with that variance, not exposure by exposure.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tessellar.simulate import detector
from tessellar.simulate.detector import Exposure
from tessellar.simulate.frames.light import Starlight
from tessellar.simulate.frames.passers import Asteroids, ray_tracks
from tessellar.simulate.frames.skylight import Skylight

if TYPE_CHECKING:
    from tessellar.simulate.frames.plan import FramePlan

Image = NDArray[np.float32]

#: What frames say of their noise.
NOISE_MODEL = "variance equivalent to sub-exposures"


def exposure_of(cadence: int, mitigated: bool = True) -> Exposure:
    """How a frame of so many seconds is added up, with or without the on-board cosmic-ray mitigation.

    Examples
    --------
    >>> round(exposure_of(1800).share, 3), exposure_of(200).kept
    (0.792, 80)
    """
    frames = cadence // 2
    if not mitigated:
        return Exposure(float(cadence), frames, frames, float(frames), None)
    return Exposure(float(cadence), frames, frames * 8 // 10, frames * 0.949, 10)


@dataclass(frozen=True)
class Camera:
    """All that makes the pixels of a window.

    Attributes
    ----------
    plan, starlight, skylight, asteroids
        When, and what shines.
    exposure : Exposure
        How a frame is added up.
    seed : int
        Of the noise; every frame has a stream of its own.
    """

    plan: FramePlan
    starlight: Starlight
    skylight: Skylight
    asteroids: Asteroids
    exposure: Exposure
    seed: int

    def light(self, frame: int) -> Image:
        """All light of one frame, noiseless, bled, e-/s; no cosmic rays."""
        corner, shape = self.starlight.corner, self.starlight.shape
        image = self.starlight.image(frame)
        span = float(self.plan.start[frame]), float(self.plan.stop[frame])
        self.asteroids.add(image, corner, frame, span, self.starlight.motion, self.starlight.response)
        image += self.skylight.image(frame, corner, shape)
        if image.max() > detector.SATURATION:
            image = detector.bleed(image[None])[0]
        return image

    def rays(self, frame: int) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
        """Pixels of one frame that cosmic rays hit: rows, columns (from 0), and what they add, e-/s."""
        seconds = self.plan.cadence * self.exposure.share
        mitigated = self.exposure.block is not None
        row, column, charge = ray_tracks(self._stream(frame, 1), self.starlight.shape, self.plan.cadence, mitigated)
        return row, column, charge / seconds

    def expose(self, frame: int) -> tuple[Image, Image]:
        """One frame as the CCD gives it, e-/s, and the 1-sigma error of each pixel, from its own counts."""
        image = self.light(frame)
        row, column, hits = self.rays(frame)
        np.add.at(image, (row, column), hits.astype(np.float32))
        read = self.read_variance()
        noise = self._stream(frame, 0).standard_normal(image.shape, dtype=np.float32)
        noise *= np.sqrt(image / np.float32(self.exposure.noise_time) + read)
        image += noise
        errors = np.maximum(image, 0, out=noise)
        errors /= np.float32(self.exposure.noise_time)
        errors += read
        return image, np.sqrt(errors, out=errors)

    def read_variance(self) -> Image:
        """Variance of the read noise in one frame, (e-/s)**2, for each column."""
        columns = self.starlight.corner[0] + np.arange(self.starlight.shape[1])
        noises = np.array([detector.READ_NOISES[detector.output(float(column))] for column in columns])
        result: Image = (self.exposure.worth * noises**2 / self.exposure.noise_time**2).astype(np.float32)
        return result

    def blank(self, frame: int, shape: tuple[int, int], part: int) -> tuple[Image, Image]:
        """Pixels that see no sky: what the read-out leaves in them, and its error."""
        error = np.float32(np.sqrt(self.exposure.worth) * 10 / self.exposure.noise_time / 5)
        noise = error * self._stream(frame, 2 + part).standard_normal(shape, dtype=np.float32)
        return noise, np.full(shape, error, dtype=np.float32)

    def _stream(self, frame: int, part: int) -> np.random.Generator:
        field = self.plan.field
        number = int(self.plan.number[frame])
        return np.random.default_rng(
            [self.seed, 11, field.sector, field.camera, field.ccd, self.plan.cadence, number, part]
        )
