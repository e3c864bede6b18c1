"""Observations of longer cadence: as many 2-min cadences as one full-frame image takes, averaged."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tessellar.mission.names import build_name
from tessellar.simulate.detector import TWO_MINUTES, Exposure
from tessellar.simulate.fields import image_cadence
from tessellar.simulate.observation import Observation
from tessellar.simulate.schedule import EARTH_POINT, OUTLIER, Schedule

FloatArray = NDArray[np.float64]


def cadences_of_image(sector: int) -> int | None:
    """2-min cadences in a full-frame image of a sector; None if that is no whole number."""
    count, rest = divmod(image_cadence(sector), TWO_MINUTES.cadence)
    return int(count) if count and rest == 0 else None


def tess_spoc_name(tic: int, sector: int) -> str | None:
    """Name TESS-SPOC's light curve; None for a sector whose images are no whole number of 2-min cadences."""
    if cadences_of_image(sector) is None:
        return None
    return build_name("tess-spoc", tic=tic, sector=sector, version="v1", product="lc")


def averaged(observation: Observation, count: int) -> Observation | None:
    """Average an observation over the images of its sector.

    Image C is made of the cadences C n + 1 to C n + n. One that lacks more than half of its
    cadences is a gap. Flags are those of any of its cadences, but outliers average out.

    Parameters
    ----------
    observation : Observation
        Of 2-min cadence.
    count : int
        Cadences in an image, n.

    Returns
    -------
    Observation or None
        None if no image is complete.
    """
    numbers = (observation.schedule.cadenceno.astype(np.int64) - 1) // count
    images, first, size = np.unique(numbers, return_index=True, return_counts=True)
    whole = size == count
    if not whole.any():
        return None
    rows = slice(int(first[whole][0]), int(first[whole][-1]) + count)
    groups = _Groups(rows, count, np.isfinite(observation.btjd[rows]).reshape(-1, count))
    flags = np.bitwise_or.reduce(groups.of(observation.quality & ~np.int32(OUTLIER | EARTH_POINT)), axis=1)
    quality = np.where(groups.gap, EARTH_POINT, flags).astype(np.int32)
    schedule = Schedule(
        observation.schedule.sector, images[whole].astype(np.int32), groups.mean(observation.schedule.clock), quality,
        groups.mean(observation.schedule.glow), _exposure(count),
    )  # fmt: skip
    return replace(
        observation,
        schedule=schedule,
        quality=quality,
        btjd=groups.mean_of_data(observation.btjd),
        timecorr=np.nan_to_num(groups.mean_of_data(observation.timecorr)).astype(np.float32).astype(np.float64),
        flux=groups.mean_of_data(observation.flux).astype(np.float32),
        flux_err=groups.error_of_data(observation.flux_err).astype(np.float32),
        flux_bkg=groups.mean_of_data(observation.flux_bkg).astype(np.float32),
        motion=groups.mean(observation.motion),
        true_times=groups.mean(observation.true_times),
        true_flux=groups.mean(observation.true_flux),
        true_target=groups.mean(observation.true_target),
        steady_flux=groups.mean(observation.steady_flux),
        signal=groups.mean(observation.signal),
    )


def _exposure(count: int) -> Exposure:
    one = TWO_MINUTES
    return Exposure(one.cadence * count, one.frames * count, one.kept * count, one.worth * count, one.block)


@dataclass(frozen=True)
class _Groups:
    """The cadences of each image: rows of the observation, `count` to an image, and which of them were taken."""

    rows: slice
    count: int
    taken: NDArray[np.bool_]

    @cached_property
    def gap(self) -> NDArray[np.bool_]:
        return np.asarray(self.taken.sum(axis=1) < self.count / 2)

    @cached_property
    def weight(self) -> FloatArray:
        """Weight of each cadence in its image's mean; NaN in gaps."""
        seen = np.where(self.gap, np.nan, self.taken.sum(axis=1))
        return np.asarray(self.taken / seen[:, None], dtype=np.float64)

    def of(self, values: NDArray[Any]) -> NDArray[Any]:
        """One row an image, its cadences along the second axis."""
        part = values[self.rows]
        return part.reshape(-1, self.count, *part.shape[1:])

    def mean(self, values: NDArray[Any]) -> FloatArray:
        """Mean of what is known of every cadence."""
        return np.asarray(self.of(values).mean(axis=1, dtype=np.float64), dtype=np.float64)

    def mean_of_data(self, values: NDArray[Any]) -> FloatArray:
        """Mean over the cadences that were taken; NaN in gaps."""
        return np.asarray(np.einsum("ik...,ik->i...", np.nan_to_num(self.of(values)), self.weight), dtype=np.float64)

    def error_of_data(self, errors: NDArray[Any]) -> FloatArray:
        """1-sigma error of such a mean."""
        variance = np.nan_to_num(self.of(errors)).astype(np.float64) ** 2
        return np.asarray(np.sqrt(np.einsum("ik...,ik->i...", variance, self.weight**2)), dtype=np.float64)
