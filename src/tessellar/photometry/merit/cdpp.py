"""Noise of a light curve on the time scales of transits, in parts per million."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tessellar.robust import MAD_TO_SIGMA

Array = NDArray[np.float64]

#: Durations for which it is told, hours; the first three are those of SPOC's headers.
DURATIONS = (0.5, 1.0, 2.0, 6.5)
#: Part of the cadences that it has room for which a window must hold.
FULL = 0.8
#: Days of the filter's window, and length of gap that it does not reach across.
WINDOW, GAP = 2.0, 0.5
#: CDPP of white noise over its scatter: what filter and box take of a signal as long as the box (Gilliland et al. 2011,
#: ApJS 197, 6).
LOST = 1.168
_CLIP = 5.0
_SECONDS = 86400.0
_LEAST = 3


def flattened(time: Array, flux: Array, cadence: float) -> tuple[NDArray[np.int64], Array]:
    """A light curve without what is slower than two days, on a grid of evenly spaced cadences.

    A parabola is fitted to the 2 days about each cadence, as far as they reach without a gap of 0.5 d or more (the
    filter of Savitzky and Golay 1964, but for gaps: missing cadences have no weight), and subtracted. Cadences that
    differ by more than 5 robust standard deviations (1.4826 MAD) are left out, and the fit is made anew without them.

    Parameters
    ----------
    time : array (n,)
        Spacecraft time in days, increasing.
    flux : array (n,)
        Relative.
    cadence : float
        Seconds.

    Returns
    -------
    place : int array (m,)
        Number of each cadence that is left on the grid, from 0.
    rest : array (m,)
        What is left of its flux.
    """
    keep = np.isfinite(time) & np.isfinite(flux)
    time, flux = time[keep], flux[keep]
    if time.size < _LEAST:
        return np.zeros(0, dtype=np.int64), np.zeros(0)
    place = np.rint((time - time[0]) * _SECONDS / cadence).astype(np.int64)
    for last in (False, True):
        rest = flux - _smooth(place, flux, cadence)
        spread = MAD_TO_SIGMA * float(np.median(np.abs(rest - np.median(rest))))
        inside = np.abs(rest) <= _CLIP * spread if spread > 0 else np.ones(len(rest), dtype=bool)
        if inside.sum() < _LEAST:
            # A parabola through a few points leaves nothing but rounding.
            break
        place, flux, rest = place[inside], flux[inside], rest[inside]
        if last or inside.all():
            break
    return place, rest


def cdpp(place: NDArray[np.int64], rest: Array, cadence: float, hours: float) -> float:
    """Scatter of the means in windows of some hours, as transits of that length would see it.

    1.168 times the robust standard deviation (1.4826 MAD, so that a transit or a flare now and then does not count) of
    the running means of `flattened` flux that are at least 80 % full: the noise that the signal of a box-like transit
    of that duration has to be compared with, times what the filter and the box take of such a signal (Gilliland et al.
    2011). SPOC's combined differential photometric precision whitens the light curve and weighs by wavelets; for quiet
    stars the two agree within some per cent.

    Parameters
    ----------
    place, rest
        As `flattened` gives them.
    cadence : float
        Seconds.
    hours : float
        Duration.

    Returns
    -------
    float
        ppm; NaN where fewer than 3 full windows that do not overlap would fit in, or a window is shorter than a
        cadence.

    Examples
    --------
    >>> import numpy as np
    >>> from tessellar.photometry.merit.cdpp import cdpp, flattened
    >>> noise = np.random.default_rng(1).normal(0.0, 1e-3, 13000)
    >>> grid = flattened(np.arange(13000) / 720, noise, 120.0)
    >>> round(cdpp(*grid, 120.0, hours=1.0))  # 1.168 x 1000 ppm / sqrt(30) is 213
    199
    """
    width = round(hours * 3600.0 / cadence)
    if width < 1 or rest.size < _LEAST * max(width, 1) * FULL:
        return float("nan")
    length = int(place[-1]) + 1
    count, total = np.zeros(length + 1), np.zeros(length + 1)
    count[1:] = np.cumsum(np.bincount(place, minlength=length))
    total[1:] = np.cumsum(np.bincount(place, weights=rest, minlength=length))
    held, summed = count[width:] - count[:-width], total[width:] - total[:-width]
    full = held >= FULL * width - 1e-6
    if full.sum() < _LEAST * width * FULL:
        return float("nan")
    means = summed[full] / held[full]
    return float(1e6 * LOST * MAD_TO_SIGMA * np.median(np.abs(means - np.median(means))))


def _smooth(place: NDArray[np.int64], flux: Array, cadence: float) -> Array:
    """The parabola about each cadence; each run without a long gap on its own."""
    out = np.empty(len(flux))
    half = max(round(0.5 * WINDOW * _SECONDS / cadence), 2)
    breaks = np.flatnonzero(np.diff(place) * cadence >= GAP * _SECONDS) + 1
    for run in np.split(np.arange(len(flux)), breaks):
        at = place[run] - place[run[0]]
        out[run] = _parabolas(at, flux[run], min(half, max(int(at[-1]), 2)))
    return out


def _parabolas(at: NDArray[np.int64], flux: Array, half: int) -> Array:
    """Weighted least squares about every cadence at once: its sums are convolutions with powers of the distance."""
    # Not `scipy.signal`, whose import takes longer than a star does.
    from scipy import fft

    middle = float(np.mean(flux))
    length = int(at[-1]) + 1
    present, values = np.zeros(length), np.zeros(length)
    present[at], values[at] = 1.0, flux - middle
    # Convolution turns the window round: its cadence at +u is at -u of the array.
    u = -np.arange(-half, half + 1) / half
    powers = u[None, :] ** np.arange(5)[:, None]
    size = fft.next_fast_len(length + 2 * half, real=True)
    weights = fft.rfft(powers, size)
    moments = fft.irfft(fft.rfft(present, size) * weights, size)[:, half + at]
    sums = fft.irfft(fft.rfft(values, size) * weights[:3], size)[:, half + at]
    return np.asarray(middle + _at_middle(moments, sums))


def _at_middle(moments: Array, sums: Array) -> Array:
    """Constant terms of parabolas: of their normal equations, solved by Cramer's rule, the first unknown."""
    # A run of one or two cadences has no parabola: the little that is added holds it at 0, its mean.
    first, second, third = (moments[power] + 1e-6 for power in (0, 2, 4))
    b, c, f = moments[1], moments[2], moments[3]
    minors = second * third - f * f, c * f - b * third, b * f - c * second
    whole = first * minors[0] + b * minors[1] + c * minors[2]
    return np.asarray((minors[0] * sums[0] + minors[1] * sums[1] + minors[2] * sums[2]) / whole)
