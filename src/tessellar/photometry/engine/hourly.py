"""Noise to expect of one hour of many light curves at once, as `METRICS` define ``noise_expected``."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tessellar.photometry.engine.workers import parts
from tessellar.photometry.merit.expected import expected_noise
from tessellar.photometry.merit.noise import MITIGATED
from tessellar.photometry.target import ZERO_POINT

Array = NDArray[np.float64]

_CHUNK = 4096


def aperture_noise(
    tmag: Array,
    mean_flux: Array,
    background: Array,
    pixels: NDArray[Any],
    crowdsap: Array,
    flfrcsap: Array,
    cadence: float,
) -> Array:
    """What photons and reading leave in apertures in one hour, ppm of the flux.

    Parameters
    ----------
    tmag : array (stars,)
        The star's light is what this promises, times `flfrcsap`; where either is not known, it is `mean_flux`.
    mean_flux : array (stars,)
        Median flux, e-/s.
    background : array (stars,)
        Median background, summed over the aperture, e-/s; NaN counts as none.
    pixels : array (stars,)
        Of the apertures.
    crowdsap, flfrcsap : array (stars,)
        Shares of the target in the light of the aperture, and of the aperture in the light of the target.
    cadence : float
        Seconds.

    Examples
    --------
    >>> import numpy as np
    >>> from tessellar.photometry.engine.hourly import aperture_noise
    >>> one = np.ones(1)
    >>> aperture_noise(10 * one, 15_000 * one, 1200 * one, 12 * one, 0.95 * one, 0.9 * one, 200.0).round().tolist()
    [145.0]
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        own = 10 ** (-0.4 * (tmag - ZERO_POINT)) * flfrcsap
        told = np.isfinite(tmag) & (flfrcsap > 0) & (crowdsap > 0)
        others = np.where(told, own * (1.0 / crowdsap - 1.0), 0.0)
        own = np.where(told, own, mean_flux)
        sky = np.maximum(np.nan_to_num(background), 0.0) / pixels
        noise = expected_noise(own, pixels, sky, neighbours=others, mitigated=cadence > MITIGATED)
        return np.where(mean_flux > 0, noise * own / mean_flux, np.nan)


def fit_noise(mean_flux: Array, error: NDArray[Any], good: NDArray[np.bool_], cadence: float) -> Array:
    """What the errors (stars, n) of the good cadences promise for one hour, ppm of the flux."""
    with np.errstate(invalid="ignore", divide="ignore"):
        hourly = medians(error, good) * np.sqrt(cadence / 3600.0)
        return np.where(mean_flux > 0, 1e6 * hourly / mean_flux, np.nan)


def medians(values: NDArray[Any], good: NDArray[np.bool_]) -> Array:
    """Median of each row (stars, n) over the good cadences, NaN left out; NaN where nothing is left."""
    out = np.full(len(values), np.nan)
    for part in parts(len(values), _CHUNK):
        some = values[part][:, good]
        finite = np.isfinite(some)
        known = finite.any(axis=1)
        broken = known & ~finite.all(axis=1)
        whole = known & ~broken
        if whole.any():
            out[part][whole] = np.median(some[whole], axis=1)
        if broken.any():
            out[part][broken] = np.nanmedian(some[broken], axis=1)
    return out
