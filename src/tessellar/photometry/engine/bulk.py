"""Figures of merit of many light curves at once; each is that of `METRICS`, to rounding."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tessellar.photometry.merit.metrics import FULL_BIN
from tessellar.robust import MAD_TO_SIGMA

Array = NDArray[np.float64]
Float = NDArray[np.float32]

#: Metrics that `bulk_metrics` gives, in the order of its rows.
BULK = ("n_good", "mean_flux", "variance", "rms_hour", "ptp", "variability")
_HOUR = 1.0 / 24.0


def bulk_metrics(
    time: Array,
    cadenceno: NDArray[Any],
    cadence: float,
    good: NDArray[np.bool_],
    flux: Float,
    error: Float,
    each: Callable[..., None] | None = None,
) -> dict[str, Array]:
    """Metrics of light curves that share their cadences.

    Parameters
    ----------
    time : array (n,)
        TIME - TIMECORR: at the spacecraft, days.
    cadenceno : int array (n,)
    cadence : float
        Seconds.
    good : boolean array (n,)
        Cadences that count; of each star only those with a flux.
    flux, error : float32 array (stars, n)
        e-/s.
    each : callable, optional
        Called with a kernel and the spans of stars to run it on; by default they are run here, one after the other.

    Returns
    -------
    dict of str to array (stars,)
        By the names in `BULK`.
    """
    out = np.full((len(flux), len(BULK)), np.nan)
    use = np.flatnonzero(good & np.isfinite(time))
    if use.size:
        room = max(_HOUR * 86400.0 / cadence, 1.0)
        arrays = time[use], cadenceno[use].astype(np.int64), use, flux, error
        settings = 0.5 * cadence / 86400.0, FULL_BIN * room - 1e-6, MAD_TO_SIGMA
        spans = [(first, min(first + 512, len(flux))) for first in range(0, len(flux), 512)]

        def run(first: int, last: int) -> None:
            _kernel()(*arrays, *settings, first, last, out)

        if each is None:
            for span in spans:
                run(*span)
        else:
            each(run, spans)
    out[:, 0] = np.nan_to_num(out[:, 0])
    return {name: out[:, number].copy() for number, name in enumerate(BULK)}


@cache
def _kernel() -> Any:
    from numba import njit

    return njit(cache=True, nogil=True)(_measure)


def _measure(time, number, use, flux, error, half, full, sigma, first, last, out):  # type: ignore[no-untyped-def]
    """Metrics of some stars. Compiled by numba; definitions are those of `photometry.merit.metrics`."""
    size = len(use)
    t, f, e = np.empty(size), np.empty(size), np.empty(size)
    c = np.empty(size, np.int64)
    for star in range(first, last):
        n = 0
        for at in range(size):
            value = flux[star, use[at]]
            if np.isfinite(value):
                t[n], f[n], e[n], c[n] = time[at], value, error[star, use[at]], number[at]
                n += 1
        out[star, 0] = n
        if n == 0:
            continue
        mean = np.median(f[:n])
        out[star, 1] = mean
        if not mean > 0:
            continue
        r = f[:n] / mean - 1.0
        if n > 1:
            average = r.mean()
            out[star, 2] = ((r - average) ** 2).sum() / (n - 1)
        # Means of hours.
        bins = np.empty(n)
        filled, total, count = 0, 0.0, 0
        hour = np.int64(0)
        for at in range(n + 1):
            now = np.int64(-1)
            if at < n:
                now = np.int64(np.floor((t[at] - t[0] + half) * 24.0))
            if at == n or now != hour:
                if count > 0 and count >= full:
                    bins[filled] = total / count
                    filled += 1
                total, count = 0.0, 0
                hour = now
            if at < n:
                total += r[at]
                count += 1
        if filled >= 3:
            middle = np.median(bins[:filled])
            out[star, 3] = sigma * np.median(np.abs(bins[:filled] - middle))
        # Steps to the next cadence.
        steps = 0
        for at in range(n - 1):
            if c[at + 1] - c[at] == 1:
                bins[steps] = abs(r[at + 1] - r[at])
                steps += 1
        if steps:
            out[star, 4] = np.median(bins[:steps])
        # Scatter about a weighted cubic, over the error.
        known = 0
        for at in range(n):
            if np.isfinite(e[at]) and e[at] > 0:
                t[known], r[known], e[known] = t[at], r[at], e[at] / mean
                known += 1
        if known < 5 or not t[known - 1] > t[0]:
            continue
        median = np.median(e[:known])
        normal, right = np.zeros((4, 4)), np.zeros(4)
        basis = np.empty((known, 4))
        for at in range(known):
            x = 2.0 * (t[at] - t[0]) / (t[known - 1] - t[0]) - 1.0
            basis[at, 0], basis[at, 1] = 1.0, x
            basis[at, 2], basis[at, 3] = 1.5 * x * x - 0.5, 2.5 * x * x * x - 1.5 * x
            weight = (median / e[at]) ** 2
            for i in range(4):
                right[i] += weight * basis[at, i] * r[at]
                for j in range(4):
                    normal[i, j] += weight * basis[at, i] * basis[at, j]
        terms = np.linalg.solve(normal + 1e-14 * np.eye(4) * normal[0, 0], right)
        average, squares = 0.0, 0.0
        for at in range(known):
            rest = r[at]
            for i in range(4):
                rest -= terms[i] * basis[at, i]
            average += rest
            squares += rest * rest
        average /= known
        out[star, 5] = np.sqrt(max(squares / known - average * average, 0.0)) / median
