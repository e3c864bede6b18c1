"""What validation needs to know of one star in one sector: its light curve, and its image in and out of transit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tessellar.simulate.fields import Spot, outward
from tessellar.simulate.observation import Observation
from tessellar.simulate.photometer import Measured
from tessellar.simulate.prf import PRF
from tessellar.simulate.schedule import OUTLIER
from tessellar.simulate.signals import EclipsingBinary, Signal, Transit
from tessellar.simulate.stars import Star

FloatArray = NDArray[np.float64]

# In transit: the middle of it. Out of transit: as long again on both sides, away from its ends.
_IN, _OUT = 0.35, (0.75, 1.75)
# Cadences that tell well enough how the pixels change with the motion of the image.
_MOTION_SAMPLE = 3000


@dataclass(frozen=True)
class MeanImage:
    """Mean of some cadences' images and its 1-sigma error, e-/s, (rows, columns), and of how many cadences."""

    flux: FloatArray
    error: FloatArray
    count: int


@dataclass(frozen=True)
class Sighting:
    """One star in one sector.

    Attributes
    ----------
    star, spot : Star, Spot
        Whom, and where on the CCD.
    cadenceno, quality : int32 array, shape (n,)
        Of the 2-min light curve.
    btjd, timecorr, flux, flux_err : array, shape (n,)
        TIME, TIMECORR, PDCSAP_FLUX and its error, as in the light curve.
    core, halo : array, shape (n,)
        Sums over the aperture, and over the pixels about it, e-/s.
    corner : (int, int)
        CCD column and row (1-based) of the stamp's first pixel.
    aperture : bool array, shape (rows, columns)
        The optimal aperture.
    place : (float, float)
        Mean column and row of the star, 1-based.
    inside, outside, whole : MeanImage or None
        Of cadences in transit, beside transits, and of all; None without a transit.
    transits : int
        Transits with data in them.
    """

    star: Star
    spot: Spot
    cadenceno: NDArray[np.int32]
    quality: NDArray[np.int32]
    btjd: FloatArray
    timecorr: FloatArray
    flux: FloatArray
    flux_err: FloatArray
    core: FloatArray
    halo: FloatArray
    corner: tuple[int, int]
    aperture: NDArray[np.bool_]
    place: tuple[float, float]
    inside: MeanImage | None
    outside: MeanImage | None
    whole: MeanImage | None
    transits: int

    @property
    def sector(self) -> int:
        """The sector."""
        return self.spot.field.sector

    @property
    def prf(self) -> PRF:
        """The response where the star falls."""
        return PRF.at(outward(self.spot))


def eclipses(signal: Signal) -> bool:
    """Whether a signal is one that a search for transits finds."""
    return isinstance(signal, Transit | EclipsingBinary)


def orbit(signal: Signal) -> Transit:
    """Give the body that crosses the star: the planet, or the fainter star of a pair.

    Raises
    ------
    TypeError
        If nothing crosses it.
    """
    if isinstance(signal, EclipsingBinary):
        return signal.primary
    if isinstance(signal, Transit):
        return signal
    raise TypeError(f"nothing crosses the star in {signal!r}")


def phases(btjd: FloatArray, signal: Signal) -> tuple[FloatArray, NDArray[np.int64]]:
    """Days from the nearest mid-transit, and the number of that transit (0 at the signal's epoch)."""
    number = np.round((np.nan_to_num(btjd, nan=signal.epoch) - signal.epoch) / signal.period)
    return btjd - signal.epoch - number * signal.period, number.astype(np.int64)


def sight(observation: Observation, measured: Measured) -> Sighting:
    """Keep of an observation what validation needs.

    Parameters
    ----------
    observation : Observation
        Of 2-min cadence, of a star that eclipses.
    measured : Measured
        Its light curve.
    """
    signal = observation.star.signal
    known = np.isfinite(measured.pdcsap) & ((observation.quality & OUTLIER) == 0)
    phase, number = phases(observation.btjd, signal)
    with np.errstate(invalid="ignore"):
        away = np.abs(phase) / signal.duration
        inside = known & (away < _IN)
        outside = known & (away > _OUT[0]) & (away < min(_OUT[1], 0.5 * signal.period / signal.duration))
        slopes = _motion_slopes(observation, known & (away > _OUT[0]))
    mask = observation.aperture.mask
    ring = _grown(mask) & ~mask
    images = [_mean(observation, rows, slopes) for rows in (inside, outside, known)]
    column, row = observation.motion.mean(axis=0) + np.array([observation.spot.column, observation.spot.row])
    # What a light curve's file keeps of the flux is what a pipeline that reads it would see.
    flux, flux_err = (values.astype(np.float32).astype(np.float64) for values in (measured.pdcsap, measured.pdcsap_err))
    return Sighting(
        observation.star, observation.spot, observation.schedule.cadenceno, observation.quality,
        observation.btjd, observation.timecorr, flux, flux_err,
        measured.sap, observation.flux[:, ring].sum(axis=1, dtype=np.float64), observation.corner, mask,
        (float(column), float(row)), images[0], images[1], images[2], len(set(number[inside].tolist())),
    )  # fmt: skip


def bits(sectors: Sequence[int]) -> str:
    """Write observed sectors as the mission does: character i from the left, 0 unused, is sector i.

    Examples
    --------
    >>> bits([2, 5])
    '001001'
    """
    return "".join("1" if sector in sectors else "0" for sector in range(max(sectors) + 1))


def _mean(observation: Observation, rows: NDArray[np.bool_], slopes: FloatArray) -> MeanImage | None:
    """Mean of some images, as if the image had stood at its mean place."""
    count = int(rows.sum())
    if count < 2:
        return None
    moved = observation.motion[rows].mean(axis=0) - observation.motion.mean(axis=0)
    flux = observation.flux[rows].mean(axis=0, dtype=np.float64) - np.tensordot(moved, slopes, axes=1)
    error = np.sqrt((observation.flux_err[rows].astype(np.float64) ** 2).sum(axis=0)) / count
    return MeanImage(flux, error, count)


def _motion_slopes(observation: Observation, rows: NDArray[np.bool_]) -> FloatArray:
    """Change of each pixel with the image's motion, (2, rows, columns), e-/s/px, from images out of transit.

    A thousandth of a pixel of motion shifts the difference image of a shallow transit by a quarter of one.
    """
    chosen = np.flatnonzero(rows)
    chosen = chosen[:: max(1, len(chosen) // _MOTION_SAMPLE)]
    if len(chosen) < 10:
        return np.zeros((2, *observation.shape))
    motion = observation.motion[chosen] - observation.motion[chosen].mean(axis=0)
    flux = observation.flux[chosen].reshape(len(chosen), -1).astype(np.float64)
    slopes, *_ = np.linalg.lstsq(motion, flux - flux.mean(axis=0), rcond=None)
    result: FloatArray = slopes.reshape(2, *observation.shape)
    return result


def _grown(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    wide = np.pad(mask, 1)
    for axis in (0, 1):
        wide = wide | np.roll(wide, 1, axis) | np.roll(wide, -1, axis)
    grown: NDArray[np.bool_] = wide[1:-1, 1:-1]
    return grown
