"""The light curve of an observation, as SPOC would measure it with the optimal aperture.

SAP is the plain sum of the pixels. PDCSAP is freed of image motion (exactly: its effect
is known), of the light of other stars, and scaled up for the light outside the aperture:
PDCSAP = (SAP - motion - (1 - CROWDSAP) median) / FLFRCSAP.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tessellar.simulate import detector
from tessellar.simulate.observation import Observation
from tessellar.simulate.schedule import NO_PDC

FloatArray = NDArray[np.float64]

_CDPP_HOURS = (0.5, 1.0, 2.0)
_LEAST_BINS = 8


@dataclass(frozen=True)
class Measured:
    """Columns of a light curve: flux, error and background in e-/s, centroids in CCD pixels (1-based); each (n,).

    `cadence` is in seconds.
    """

    sap: FloatArray
    sap_err: FloatArray
    sap_bkg: FloatArray
    sap_bkg_err: FloatArray
    pdcsap: FloatArray
    pdcsap_err: FloatArray
    centroid: FloatArray
    centroid_err: FloatArray
    cadence: float = detector.TWO_MINUTES.cadence

    @property
    def cdpp(self) -> tuple[float, float, float]:
        """Scatter (ppm) of means over 0.5, 1 and 2 hours; of too short a light curve what its errors foretell.

        The robust standard deviation of means of PDCSAP about their running median; SPOC's own figure weighs
        with wavelets, so the two agree only roughly.
        """
        ppm = [self._scatter(hours) for hours in _CDPP_HOURS]
        return ppm[0], ppm[1], ppm[2]

    def _scatter(self, hours: float) -> float:
        width = round(hours * 3600 / self.cadence)
        rows = len(self.pdcsap) // width
        bins = self.pdcsap[: rows * width].reshape(rows, width)
        full = bins[np.isfinite(bins).all(axis=1)].mean(axis=1)
        if len(full) < _LEAST_BINS:
            ratio = self.pdcsap_err / self.pdcsap
            good = ratio[np.isfinite(ratio)]
            return round(1e6 * float(np.median(good)) / float(np.sqrt(width)), 4) if len(good) else 0.0
        steps = np.diff(full) / np.sqrt(2)
        return round(1e6 * 1.4826 * float(np.median(np.abs(steps)) / np.median(full)), 4)


def measure(observation: Observation) -> Measured:
    """Sum the pixels of the optimal aperture.

    Parameters
    ----------
    observation : Observation
        The stamp and its truth, which the co-trended flux makes use of.
    """
    mask, (left, bottom) = observation.aperture.mask, observation.corner
    flux = observation.flux[:, mask].astype(np.float64)
    variance = observation.flux_err[:, mask].astype(np.float64) ** 2
    sap, sap_err = flux.sum(axis=1), np.sqrt(variance.sum(axis=1))
    rows, columns = np.nonzero(mask)
    crowding, fraction = observation.aperture.crowding, observation.aperture.flux_fraction
    known = np.isfinite(sap) & ((observation.quality & NO_PDC) == 0)
    still = sap - (observation.true_flux - observation.steady_flux)
    others = (1 - crowding) * float(np.median(still[known])) if known.any() else 0.0
    centroid, centroid_err = [], []
    for places in (columns + left, rows + bottom):
        mean = flux @ places / sap
        centroid.append(mean)
        centroid_err.append(np.sqrt((variance * (places - mean[:, None]) ** 2).sum(axis=1)) / sap)
    sky_err = np.where(np.isfinite(sap), observation.sky_error * len(rows), np.nan)
    return Measured(
        sap, sap_err,
        observation.flux_bkg[:, mask].sum(axis=1, dtype=np.float64), sky_err,
        np.where(known, (still - others) / fraction, np.nan), np.where(known, sap_err / fraction, np.nan),
        np.column_stack(centroid), np.column_stack(centroid_err), observation.schedule.exposure.cadence,
    )  # fmt: skip
