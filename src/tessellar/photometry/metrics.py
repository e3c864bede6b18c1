"""Figures of merit of a light curve, each with its definition.

`METRICS` is the one place that says what a figure means: the code, the FITS
headers and the documentation all read it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tessellar.photometry.masks import MAD_TO_SIGMA

_Floats = NDArray[np.float64]

SAMPLE = (
    "The sample of every metric: the good cadences, which have finite TIME and FLUX, none of the bits of the named "
    "quality mask in QUALITY, and no missing pixel (PIXEL_QUALITY bits 1 and 16 clear). The mask is the photometric "
    "aperture. f = FLUX / mean_flux - 1 and e = FLUX_ERR / mean_flux are undefined (NaN) where mean_flux <= 0. "
    "Nothing is detrended unless a definition says so."
)

_HOUR = 1.0 / 24.0
# A time bin counts when it holds at least this part of the cadences it has room for.
FULL_BIN = 0.8
_MIN_BINS = 3
_SECONDS = 86400.0


@dataclass(frozen=True, eq=False, kw_only=True)
class Sample:
    """What metrics are made from: the good cadences of one light curve, in order of time."""

    time: _Floats
    """TIME - TIMECORR: spacecraft time in days, in which cadences are evenly spaced."""
    cadenceno: NDArray[Any]
    flux: _Floats
    flux_err: _Floats
    centroid: _Floats
    cadence: float
    mask: NDArray[np.bool_]
    mean_image: _Floats
    contamination: float = float("nan")

    @cached_property
    def mean_flux(self) -> float:
        """Median flux, e-/s."""
        return float(np.median(self.flux)) if self.flux.size else float("nan")

    @cached_property
    def relative(self) -> _Floats:
        """FLUX / mean_flux - 1, or NaN where mean_flux is not positive."""
        if not self.mean_flux > 0:
            return np.full_like(self.flux, np.nan)
        return np.asarray(self.flux / self.mean_flux - 1.0)


@dataclass(frozen=True)
class Metric:
    """One figure of merit.

    Parameters
    ----------
    name : str
        As in results and on the command line.
    keyword : str
        Of FITS headers.
    unit : str
        FITS unit; "" for a pure number.
    comment : str
        For FITS headers, at most 47 characters.
    definition : str
        Estimator, window and mask, in words.
    compute : callable
        From a `Sample` to the number.
    """

    name: str
    keyword: str
    unit: str
    comment: str
    definition: str
    compute: Callable[[Sample], float]


def hour_bins(sample: Sample) -> _Floats:
    """Mean relative flux of the 1-hour bins that are at least 80 % full."""
    if not sample.time.size:
        return np.zeros(0)
    half = 0.5 * sample.cadence / _SECONDS
    number = np.floor((sample.time - sample.time[0] + half) / _HOUR).astype(np.int64)
    count = np.bincount(number)
    room = max(_HOUR * _SECONDS / sample.cadence, 1.0)
    # Half a cadence of tolerance would let a 79 % bin pass; 1e-6 only forgives rounding.
    full = count >= FULL_BIN * room - 1e-6
    return np.asarray(np.bincount(number, weights=sample.relative)[full] / count[full])


def _rms_hour(sample: Sample) -> float:
    bins = hour_bins(sample)
    if bins.size < _MIN_BINS:
        return float("nan")
    return MAD_TO_SIGMA * float(np.median(np.abs(bins - np.median(bins))))


def _ptp(sample: Sample) -> float:
    step = np.abs(np.diff(sample.relative))[np.diff(sample.cadenceno) == 1]
    return float(np.median(step)) if step.size else float("nan")


def _variance(sample: Sample) -> float:
    return float(np.var(sample.relative, ddof=1)) if sample.flux.size > 1 else float("nan")


def _variability(sample: Sample) -> float:
    known = np.isfinite(sample.flux_err) & (sample.flux_err > 0)
    if known.sum() < 5 or not sample.mean_flux > 0:
        return float("nan")
    time, flux = sample.time[known], sample.relative[known]
    error = sample.flux_err[known] / sample.mean_flux
    span = float(np.ptp(time))
    # On [-1, 1] the Legendre polynomials keep the normal equations well conditioned.
    basis = np.polynomial.legendre.legvander(2.0 * (time - time[0]) / span - 1.0, 3) if span > 0 else None
    if basis is None:
        return float("nan")
    weight = (float(np.median(error)) / error) ** 2
    weighted = basis * weight[:, None]
    trend = basis @ np.linalg.lstsq(weighted.T @ basis, weighted.T @ flux, rcond=None)[0]
    return float(np.std(flux - trend) / np.median(error))


def _edge_flux(sample: Sample) -> float:
    border = np.ones_like(sample.mask)
    border[1:-1, 1:-1] = False
    return float(np.nansum(sample.mean_image[sample.mask & border]))


def _centre(axis: int) -> Callable[[Sample], float]:
    def compute(sample: Sample) -> float:
        values = sample.centroid[:, axis]
        values = values[np.isfinite(values)]
        return float(np.median(values)) if values.size else float("nan")

    return compute


_ALL = (
    Metric("n_good", "NGOOD", "", "good cadences: what metrics are made from",
           "Number of good cadences.", lambda sample: sample.flux.size),
    Metric("mean_flux", "MEANFLUX", "e-/s", "[e-/s] median FLUX of good cadences",
           "Median of FLUX over the good cadences. A median; the name is the field's.",
           lambda sample: sample.mean_flux),
    Metric("variance", "VARIANCE", "", "variance of f = FLUX/MEANFLUX - 1 (ddof=1)",
           "Sample variance (divisor n - 1) of f over the good cadences; relative flux squared.", _variance),
    Metric("rms_hour", "RMSHOUR", "", "1.4826 MAD of 1-h means of f, bins 80% full",
           "1.4826 times the median absolute deviation, from their median, of the means of f in bins of 1 hour of "
           "spacecraft time (TIME - TIMECORR), the first bin starting with the exposure of the first good cadence. "
           "A bin counts when it holds at least 80 % of the cadences that it has room for; NaN with fewer than 3 such "
           "bins. Relative flux.",
           _rms_hour),
    Metric("ptp", "PTP", "", "median |f(i+1) - f(i)|, neighbouring CADENCENO",
           "Median of |f(i+1) - f(i)| over the pairs of good cadences whose CADENCENO differ by 1. Relative flux; "
           "normal noise of standard deviation s gives 0.954 s.", _ptp),
    Metric("variability", "VARIABIL", "", "std of (f - weighted cubic) / median error",
           "Standard deviation of f minus a cubic polynomial in time, over the median of e. The cubic is fitted to the "
           "good cadences with weights 1/e^2. 1 for a constant star with honest errors.", _variability),
    Metric("mask_size", "MASKSIZE", "pixel", "[pixel] pixels in the aperture",
           "Number of pixels in the aperture.", lambda sample: int(sample.mask.sum())),
    Metric("edge_flux", "EDGEFLUX", "e-/s", "[e-/s] mean-image flux of mask at stamp border",
           "Sum, over the aperture's pixels in the outermost rows and columns of the stamp, of the mean image of the "
           "good cadences.", _edge_flux),
    Metric("pos_column", "POSCOL", "pixel", "[pixel] median MOM_CENTR1, 1-based CCD column",
           "Median over the good cadences of the flux-weighted centroid's 1-based CCD column.", _centre(0)),
    Metric("pos_row", "POSROW", "pixel", "[pixel] median MOM_CENTR2, 1-based CCD row",
           "Median over the good cadences of the flux-weighted centroid's 1-based CCD row.", _centre(1)),
    Metric("contamination", "AP_CONT", "", "fraction of aperture flux from other stars",
           "Fraction of the flux in the aperture that belongs to other stars: 1 - CROWDSAP of the input's header, "
           "which holds for the pipeline's aperture only; with a star list, 1 - 10^(-0.4 tmag) / sum "
           "10^(-0.4 tmag_i) over the stars whose pixel is in the aperture. NaN where neither is known.",
           lambda sample: sample.contamination),
)  # fmt: skip

METRICS: Mapping[str, Metric] = {metric.name: metric for metric in _ALL}


def compute_metrics(sample: Sample) -> dict[str, float]:
    """Every metric of `METRICS` for one light curve; NaN where a definition does not apply."""
    return {metric.name: metric.compute(sample) for metric in METRICS.values()}


def describe_metrics() -> str:
    """The definitions as text, one paragraph a metric.

    Examples
    --------
    >>> from tessellar.photometry import describe_metrics
    >>> print(describe_metrics().splitlines()[2])
    n_good (NGOOD): Number of good cadences.
    """
    lines = [SAMPLE, ""]
    for metric in METRICS.values():
        unit = f", {metric.unit}" if metric.unit else ""
        lines.append(f"{metric.name} ({metric.keyword}{unit}): {metric.definition}")
    return "\n".join(lines)
