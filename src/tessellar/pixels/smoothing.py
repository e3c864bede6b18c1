"""Smoothing of backgrounds in time, where it helps and nowhere else.

The mean over some frames has less noise than one frame, and is wrong where the sky changes
faster than linearly over them. How wrong is estimated from how badly the neighbours of a frame
foretell it, beyond what noise explains; each frame gets the window with the least expected error.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

#: Frames that may be averaged.
WINDOWS = (1, 3, 5, 9)
# Frames about one over which the wrongness of a window is averaged.
_ABOUT = 6
# Frames without which the noise cannot be told, and nothing is smoothed.
_FEWEST = 12


def smoothed(
    nodes: NDArray[np.float32], errors: NDArray[np.float32], segments: NDArray[np.int64]
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.int64]]:
    """Smooth the nodes of backgrounds in time.

    Parameters
    ----------
    nodes, errors : array (n, ...)
        Levels and their 1-sigma errors; NaN in frames that could not be used.
    segments : int array (n,)
        Parts of the sector: nothing is averaged across a gap.

    Returns
    -------
    (array, array, int array)
        Smoothed levels, their errors, and the window of each frame: 1 where it was left as it is.
    """
    flat = nodes.reshape(len(nodes), -1).astype(np.float64)
    sigma = errors.reshape(len(nodes), -1).astype(np.float64)
    out, out_sigma = flat.copy(), sigma.copy()
    windows = np.ones(len(nodes), dtype=np.int64)
    noise = np.full(len(nodes), _noise(flat, segments))
    noise[~np.isfinite(flat).all(axis=1)] = np.nan
    best = noise.copy()
    for window in WINDOWS[1:]:
        half = window // 2
        mean, whole = _around(flat, segments, half, itself=True)
        others, _ = _around(flat, segments, half, itself=False)
        # What the neighbours are off by, less the noise of both: the square of what the mean would be off by, scaled.
        beyond = np.mean((flat - others) ** 2, axis=1) - noise * window / (window - 1)
        bias = np.maximum(_local_mean(np.where(whole, beyond, np.nan)), 0.0) * ((window - 1) / window) ** 2
        expected = bias + noise / window
        better = whole & np.isfinite(noise) & (expected < best)
        best = np.where(better, expected, best)
        out[better] = mean[better]
        # What was common to all frames stays; the rest is less by what was gained.
        gained = (best / np.maximum(noise, 1e-12))[better, None]
        out_sigma[better] = sigma[better] * np.sqrt(gained)
        windows[better] = window
    return (
        out.reshape(nodes.shape).astype(np.float32),
        out_sigma.reshape(nodes.shape).astype(np.float32),
        windows,
    )


def _noise(values: Array, segments: NDArray[np.int64]) -> float:
    """Variance of the noise, from third differences in time: the usual ones, so that fast changes do not count.

    The scatter of a tile's pixels does not tell it, for faint stars scatter too, and stay.
    """
    third = np.diff(values, n=3, axis=0)
    steady = segments[3:] == segments[:-3]
    squares = third[steady & np.isfinite(third).all(axis=1)] ** 2
    if len(squares) < _FEWEST:
        return 0.0
    # Third differences have 20 times the variance; the median of squares is 0.455 of their mean.
    return float(np.mean(np.median(squares, axis=0)) / (20 * 0.455))


def _around(values: Array, segments: NDArray[np.int64], half: int, *, itself: bool) -> tuple[Array, NDArray[np.bool_]]:
    """Mean over the frames up to `half` away, and where all of them are there and of one part."""
    total, whole = np.zeros_like(values), np.ones(len(values), dtype=bool)
    for step in range(-half, half + 1):
        at = np.clip(np.arange(len(values)) + step, 0, len(values) - 1)
        whole &= (segments[at] == segments) & (np.arange(len(values)) + step == at)
        whole &= np.isfinite(values[at]).all(axis=1)
        if step or itself:
            total += values[at]
    return total / (2 * half + itself), whole


def _local_mean(values: Array) -> Array:
    known = np.isfinite(values)
    kernel = np.ones(2 * _ABOUT + 1)
    total = np.convolve(np.where(known, values, 0.0), kernel, mode="same")
    count = np.convolve(known.astype(np.float64), kernel, mode="same")
    size = min(len(values), len(total))
    first = (len(total) - size) // 2
    return np.asarray(total[first : first + size] / np.maximum(count[first : first + size], 1))
