"""One star in one sector: what the detector measured, and the truth beneath it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from tessellar.simulate import detector
from tessellar.simulate.aperture import Aperture, optimal_aperture
from tessellar.simulate.fields import MIDDLE, Spot, outward, pixels_of
from tessellar.simulate.prf import PRF
from tessellar.simulate.scene import Placed, Scene, draw_scene
from tessellar.simulate.schedule import OUTLIER, Schedule, aberration, light_travel
from tessellar.simulate.stars import Star

FloatArray = NDArray[np.float64]
Images = NDArray[np.float32]

#: Dark sky at the default field, e-/s/px, as in real files of sector 1.
DARK_SKY = 84.0
# 1-sigma error of the background that is subtracted, e-/s/px, one error for the whole stamp.
_SKY_ERROR = 0.05
# Share by which the sky changes from one pixel to the next.
_SKY_SLOPE = (4e-4, -2e-4)
_OUTLIERS_PER_CADENCE = 3 / 20000


@dataclass(frozen=True)
class Observation:
    """One star in one sector, as its target pixel file holds it.

    Images have the shape (n, rows, columns), e-/s, and NaN where there are no data.

    Attributes
    ----------
    star, spot : Star, Spot
        Whom, and where on the CCD on average (1-based).
    corner : (int, int)
        CCD column and row (1-based) of the stamp's first pixel.
    schedule : Schedule
        Cadences and shared flags.
    btjd, timecorr : array, shape (n,)
        Barycentric mid-times, NaN in gaps; days added to the spacecraft's time, 0 in gaps.
    quality : int32 array, shape (n,)
        Flags of this star.
    flux, flux_err, flux_bkg : float32 array
        Starlight and its noise, 1-sigma error, and the sky that was subtracted.
    motion : array, shape (n, 2)
        Exact image motion, columns and rows, px.
    aperture : Aperture
        The optimal one, from the truth.
    true_times : array, shape (n,)
        As `btjd`, also in gaps.
    true_flux, true_target : array, shape (n,)
        Noiseless sums over the aperture: all stars, the target alone.
    steady_flux : array, shape (n,)
        `true_flux` as it were without image motion.
    signal : array, shape (n,)
        The target's relative flux, exact.
    saturated : bool
        Whether charge spilled.
    """

    star: Star
    spot: Spot
    corner: tuple[int, int]
    schedule: Schedule
    btjd: FloatArray
    timecorr: FloatArray
    quality: NDArray[np.int32]
    flux: Images
    flux_err: Images
    flux_bkg: Images
    motion: FloatArray
    aperture: Aperture
    true_times: FloatArray
    true_flux: FloatArray
    true_target: FloatArray
    steady_flux: FloatArray
    signal: FloatArray
    saturated: bool
    sky_error: float = _SKY_ERROR

    def __len__(self) -> int:
        return len(self.btjd)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of the stamp."""
        return self.flux.shape[1], self.flux.shape[2]

    @cached_property
    def gain(self) -> float:
        """Electrons per count of the output that reads the star."""
        return detector.GAINS[detector.output(self.spot.column)]

    def raw_counts(self, part: slice) -> NDArray[np.int32]:
        """Counts of some cadences, -1 where there are none."""
        light = self.flux[part] + self.flux_bkg[part]
        counts = np.round(light * np.float32(self.schedule.exposure.live_time / self.gain)) + np.float32(
            detector.FIXED_OFFSET
        )
        with np.errstate(invalid="ignore"):
            return np.where(np.isfinite(counts), counts, -1).astype(np.int32)


def observe(
    star: Star,
    others: Sequence[Star],
    spot: Spot,
    schedule: Schedule,
    pointing: FloatArray,
    *,
    seed: int = 1,
    shape: tuple[int, int] = (11, 11),
) -> Observation:
    """Observe one star through one sector.

    Parameters
    ----------
    star, others : Star, sequence of Star
        The target, and the stars near it.
    spot : Spot
        Where the target falls.
    schedule, pointing : Schedule, array of shape (n, 2)
        The cadences, and the camera's image motion in them, px.
    seed : int
        Of the noise; every star and sector has a stream of its own.
    shape : (int, int)
        Rows and columns of the stamp.
    """
    rng = np.random.default_rng([seed, 5, schedule.sector, star.tic])
    corner = (round(spot.column) - shape[1] // 2, round(spot.row) - shape[0] // 2)
    timecorr = light_travel(star.ra, star.dec, schedule.clock)
    late = detector.stagger(spot.field.camera, spot.field.ccd) / 86400
    btjd = schedule.clock + late + timecorr
    motion = pointing + aberration(schedule, (spot.column - MIDDLE[0], spot.row - MIDDLE[1]))
    target = Placed(star, spot.column - corner[0], spot.row - corner[1])
    placed = [
        Placed(other, float(x) - corner[0], float(y) - corner[1])
        for other, (x, y) in zip(others, pixels_of(spot.field, others), strict=True)
    ]
    prf = PRF.at(outward(spot))
    scene = draw_scene(target, placed, prf, motion, btjd, shape)
    still = draw_scene(target, placed, prf, motion.mean(axis=0, keepdims=True), btjd[:1], shape)
    sky = _sky(schedule, shape)
    read_noise = detector.READ_NOISES[detector.output(spot.column)]
    variance = detector.variance(scene.images + sky, read_noise, schedule.exposure)
    aperture = _choose_aperture(star, scene, variance, spot)
    mask = aperture.mask
    steady = _steady(still, scene, mask)
    truth = scene.images[:, mask].sum(axis=1, dtype=np.float64), scene.target[:, mask].sum(axis=1, dtype=np.float64)
    quality = schedule.quality.copy()
    flux, error = _measure(scene.images, variance, rng)
    _strike(flux, quality, mask, rng)
    gap = schedule.gap
    for images in (flux, error, sky):
        images[gap] = np.nan
    return Observation(
        star, spot, corner, schedule,
        btjd=np.where(gap, np.nan, btjd), timecorr=np.where(gap, 0.0, timecorr), quality=quality,
        flux=flux, flux_err=error, flux_bkg=sky, motion=motion, aperture=aperture,
        true_flux=truth[0], true_target=truth[1], steady_flux=steady, signal=scene.signal,
        true_times=btjd, saturated=scene.saturated,
    )  # fmt: skip


def _sky(schedule: Schedule, shape: tuple[int, int]) -> Images:
    """Smooth sky, e-/s/px: dark sky that changes by a per cent, and scattered light."""
    turn = 2 * np.pi * (schedule.clock - 1325.0) / 13.7
    level = DARK_SKY * (1 + 0.01 * np.sin(turn) + schedule.glow)
    rows, columns = np.indices(shape)
    tilt = 1 + _SKY_SLOPE[0] * (columns - shape[1] // 2) + _SKY_SLOPE[1] * (rows - shape[0] // 2)
    return level.astype(np.float32)[:, None, None] * tilt.astype(np.float32)


def _measure(light: Images, variance: Images, rng: np.random.Generator) -> tuple[Images, Images]:
    """Add photon and read noise, and the one error of the subtracted sky; the flux and its 1-sigma error.

    Every pixel has at least some 8,000 electrons in a cadence, so photon noise is drawn as Gaussian.
    """
    flux = rng.standard_normal(light.shape, dtype=np.float32)
    error = np.sqrt(variance)
    flux *= error
    flux += light
    flux += np.float32(_SKY_ERROR) * rng.standard_normal((len(light), 1, 1), dtype=np.float32)
    np.add(variance, np.float32(_SKY_ERROR**2), out=error)
    return flux, np.sqrt(error, out=error)


def _strike(flux: Images, quality: NDArray[np.int32], mask: NDArray[np.bool_], rng: np.random.Generator) -> None:
    """Let a few cadences have an impulsive outlier in the aperture, and flag them."""
    hits = rng.choice(len(flux), rng.poisson(_OUTLIERS_PER_CADENCE * len(flux)), replace=False)
    hits = hits[quality[hits] == 0]
    where = np.argwhere(mask)
    pixels = where[rng.integers(len(where), size=len(hits))]
    noise = np.sqrt(np.abs(flux[hits][:, mask].sum(axis=1)))
    flux[hits, pixels[:, 0], pixels[:, 1]] += (rng.uniform(1.5, 4, len(hits)) * noise).astype(np.float32)
    quality[hits] |= OUTLIER


def _choose_aperture(star: Star, scene: Scene, variance: Images, spot: Spot) -> Aperture:
    # Every 50th cadence tells the mean well enough; the target is taken as it is when nothing happens.
    sample = slice(None, None, max(1, len(scene.images) // 400))
    quiet = scene.signal[sample, None, None].astype(np.float32)
    target = (scene.target[sample] / quiet).mean(axis=0, dtype=np.float64)
    images = (scene.images[sample] - scene.target[sample]).mean(axis=0, dtype=np.float64) + target
    spread = np.median(variance[sample], axis=0)
    return optimal_aperture(target, images, spread, star.flux, detector.output(spot.column))


def _steady(still: Scene, scene: Scene, mask: NDArray[np.bool_]) -> FloatArray:
    """The aperture's flux if the image stood still at its mean place."""
    target = float(still.target[0][mask].sum(dtype=np.float64)) / float(still.signal[0])
    others = float(still.images[0][mask].sum(dtype=np.float64)) - target * float(still.signal[0])
    return others + target * scene.signal
