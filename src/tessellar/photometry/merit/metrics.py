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

from tessellar.photometry.merit.cdpp import DURATIONS, cdpp, flattened
from tessellar.robust import MAD_TO_SIGMA

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
    """What metrics are made from: the good cadences of one light curve, in order of time.

    Parameters
    ----------
    time : array (n,)
        Spacecraft time, TIME - TIMECORR, days, in which cadences are evenly spaced.
    cadenceno : int array (n,)
    flux, flux_err : array (n,)
        e-/s.
    centroid : array (n, 2)
        CCD column and row, 1-based.
    cadence : float
        Seconds from one cadence to the next.
    mask : boolean array (rows, cols)
        Pixels that were summed.
    mean_image : array (rows, cols)
        Of the good cadences, e-/s.
    contamination, crowdsap, flfrcsap : float
        Shares of light, as the metrics of these names define them; NaN where they are not known.
    expected : float
        Noise to expect of the flux in one hour, e-/s; NaN where it is not known.
    """

    time: _Floats
    cadenceno: NDArray[Any]
    flux: _Floats
    flux_err: _Floats
    centroid: _Floats
    cadence: float
    mask: NDArray[np.bool_]
    mean_image: _Floats
    contamination: float = float("nan")
    crowdsap: float = float("nan")
    flfrcsap: float = float("nan")
    expected: float = float("nan")

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

    @cached_property
    def flat(self) -> tuple[NDArray[np.int64], _Floats]:
        """Relative flux without what is slower than two days: places on the grid of cadences, and what is left."""
        return flattened(self.time, self.relative, self.cadence)


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
    """Mean relative flux (`Sample.relative`) of the 1-hour bins that are at least 80 % full.

    Bins are counted from half a cadence before the first good one, in spacecraft time; 80 % of a bin is that share of
    the cadences that fit into an hour.

    Parameters
    ----------
    sample : Sample

    Returns
    -------
    array (bins,)
        In order of time; empty where no bin is full enough.

    Examples
    --------
    Two hours of 10-min cadences, of which the second lost half:

    >>> import numpy as np
    >>> from tessellar.photometry import Sample, hour_bins
    >>> flux = np.array([99.0, 101, 100, 98, 102, 100, 130, 70, 100])
    >>> sample = Sample(time=np.arange(9) / 144, cadenceno=np.arange(9), flux=flux, flux_err=np.ones(9),
    ...                 centroid=np.zeros((9, 2)), cadence=600.0, mask=np.ones((1, 1), bool),
    ...                 mean_image=np.ones((1, 1)))
    >>> hour_bins(sample).tolist()
    [0.0]
    """
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


def _cdpp(hours: float) -> Callable[[Sample], float]:
    return lambda sample: cdpp(*sample.flat, sample.cadence, hours)


def _expected(sample: Sample) -> float:
    return 1e6 * sample.expected / sample.mean_flux if sample.mean_flux > 0 else float("nan")


def _noise_ratio(sample: Sample) -> float:
    expected = _expected(sample)
    return _cdpp(1.0)(sample) / expected if expected > 0 else float("nan")


def _cdpp_metric(hours: float) -> Metric:
    told = f"{hours:.1f}"
    return Metric(
        f"cdpp_{told.replace('.', '_')}", f"CDPP{told.replace('.', '_')}", "ppm", f"[ppm] noise on {told} h, see docs",
        f"Noise on {told} hours: 1.168 times the robust standard deviation (1.4826 MAD from the median) of the running "
        f"means of f over {told} h that hold at least 80 % of their cadences. Of f, a parabola fitted to the 2 days "
        "about each cadence was subtracted (Savitzky-Golay, not across gaps of 0.5 d or more), and cadences off by "
        "more than 5 robust standard deviations were left out. 1.168 is what filter and box take of a transit as long "
        "as the box (Gilliland et al. 2011). NaN where a cadence is longer, or fewer than 3 windows would fit.",
        _cdpp(hours),
    )  # fmt: skip


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
    Metric("crowdsap", "CROWDSAP", "", "target flux / flux of all stars, in aperture",
           "Light of the target over the light of all stars, both in the aperture: from the pixel response and the "
           "catalogue; for the pipeline's aperture without these, as the input's header has it.",
           lambda sample: sample.crowdsap),
    Metric("flfrcsap", "FLFRCSAP", "", "fraction of target flux in the aperture",
           "Light of the target in the aperture over all light of the target; from where CROWDSAP is.",
           lambda sample: sample.flfrcsap),
    *(_cdpp_metric(hours) for hours in DURATIONS),
    Metric("noise_expected", "NOISEEXP", "ppm", "[ppm] 1-h noise of photons and reading",
           "Noise that photons and reading leave in FLUX in one hour, over mean_flux: sqrt((S + N + n (B + RN^2 / 1.98 "
           "s)) / t). S is the star's light in the aperture as its magnitude and FLFRCSAP promise it, N that of its "
           "neighbours by CROWDSAP (both as measured where they are not known), n the pixels, B the sky in each, RN 10 "
           "e-, and t the time that the noise of an hour is worth: 3600 s x 0.99, x 0.949 where cosmic rays are "
           "mitigated on board. Of linpsf and psf, the median FLUX_ERR brought to one hour.", _expected),
    Metric("noise_ratio", "NOISERAT", "", "CDPP1_0 / NOISEEXP; 1.17 at the limit",
           "CDPP1_0 over NOISEEXP: how far the star is from the limit of photons and reading. White noise at the limit "
           "gives 1.17 by the definition of CDPP.", _noise_ratio),
)  # fmt: skip

METRICS: Mapping[str, Metric] = {metric.name: metric for metric in _ALL}


def compute_metrics(sample: Sample) -> dict[str, float]:
    """Every metric of `METRICS` for one light curve, by name; NaN where a definition does not apply.

    Parameters
    ----------
    sample : Sample
        Units and definitions of what comes of it are those of `METRICS`; `describe_metrics` tells them.
    """
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
