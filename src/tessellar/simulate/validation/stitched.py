"""The light curves of a run's sectors, one after the other, as the search for transits takes them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tessellar.simulate.schedule import OUTLIER
from tessellar.simulate.stars import Star
from tessellar.simulate.validation.sighting import Sighting, phases

FloatArray = NDArray[np.float64]

#: Cadences of the median filter that takes out slow variation (192 in the mission's reports: 6.4 h).
DETREND_CADENCES = 192
# Cadences this close to a mid-transit, in durations, do not tell the level of the star.
_LEVEL = 0.75


@dataclass(frozen=True)
class Stitched:
    """All cadences from the first of the first sector to the last of the last, relative to the star's level.

    Attributes
    ----------
    sightings : tuple of Sighting
        In the order of their sectors.
    cadenceno, quality, sector : int array, shape (n,)
        Sector 0 and quality 0 where the star was not observed.
    btjd, timecorr : array, shape (n,)
        NaN and 0 where there are no data.
    raw, raw_err : array, shape (n,)
        PDCSAP_FLUX and its error, e-/s.
    flux, flux_err : array, shape (n,)
        Relative flux minus 1, and its error; NaN where there is none, or an outlier.
    """

    sightings: tuple[Sighting, ...]
    cadenceno: NDArray[np.int32]
    quality: NDArray[np.int32]
    sector: NDArray[np.int32]
    btjd: FloatArray
    timecorr: FloatArray
    raw: FloatArray
    raw_err: FloatArray
    flux: FloatArray
    flux_err: FloatArray

    @property
    def star(self) -> Star:
        """The star."""
        return self.sightings[0].star

    @property
    def sectors(self) -> tuple[int, ...]:
        """Sectors in which it was observed."""
        return tuple(sighting.sector for sighting in self.sightings)

    @property
    def known(self) -> NDArray[np.bool_]:
        """Cadences with a flux."""
        return np.isfinite(self.flux)


def stitch(sightings: Sequence[Sighting]) -> Stitched:
    """Put the light curves of a star's sectors together, each divided by its level out of transit.

    Parameters
    ----------
    sightings : sequence of Sighting
        Of one star, each sector once.
    """
    ordered = tuple(sorted(sightings, key=lambda sighting: sighting.sector))
    first, last = ordered[0].cadenceno[0], ordered[-1].cadenceno[-1]
    cadenceno = np.arange(first, last + 1, dtype=np.int32)
    whole = {name: np.full(len(cadenceno), np.nan) for name in ("btjd", "raw", "raw_err", "flux", "flux_err")}
    timecorr = np.zeros(len(cadenceno))
    quality, sector = np.zeros_like(cadenceno), np.zeros_like(cadenceno)
    for sighting in ordered:
        rows = slice(int(sighting.cadenceno[0] - first), int(sighting.cadenceno[-1] - first) + 1)
        level = _level(sighting)
        whole["btjd"][rows], timecorr[rows] = sighting.btjd, sighting.timecorr
        whole["raw"][rows], whole["raw_err"][rows] = sighting.flux, sighting.flux_err
        whole["flux"][rows], whole["flux_err"][rows] = sighting.flux / level - 1, sighting.flux_err / level
        whole["flux"][rows][(sighting.quality & OUTLIER) > 0] = np.nan
        quality[rows], sector[rows] = sighting.quality, sighting.sector
    return Stitched(ordered, cadenceno, quality, sector, timecorr=timecorr, **whole)


def detrended(stitched: Stitched) -> FloatArray:
    """Flux without its slow variation: what a running median over `DETREND_CADENCES` leaves."""
    from scipy.ndimage import median_filter

    known = stitched.known
    values = stitched.flux[known]
    phase, _ = phases(stitched.btjd[known], stitched.star.signal)
    dark = np.abs(phase) < 0.5 * stitched.star.signal.duration
    # In transit the star's own level is drawn through, so that transits stay.
    level = values.copy()
    if dark.any() and not dark.all():
        rows = np.arange(len(values))
        level[dark] = np.interp(rows[dark], rows[~dark], median_filter(values[~dark], size=31, mode="nearest"))
    result = np.full(len(stitched.flux), np.nan)
    result[known] = values - median_filter(level, size=min(DETREND_CADENCES, len(level)), mode="nearest")
    return result


def _level(sighting: Sighting) -> float:
    known = np.isfinite(sighting.flux)
    phase, _ = phases(sighting.btjd, sighting.star.signal)
    with np.errstate(invalid="ignore"):
        bright = known & (np.abs(phase) > _LEVEL * sighting.star.signal.duration)
    rows = bright if bright.any() else known
    return float(np.median(sighting.flux[rows])) if rows.any() else 1.0
