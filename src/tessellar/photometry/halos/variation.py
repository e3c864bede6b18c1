"""Weights of pixels that make a star's light curve as smooth as it can be: least total variation.

All pixels of one star's light show the same relative changes of the star, but each its own changes by image motion.
The weights that make the weighted sum vary least from one cadence to the next take out the latter and keep the
former (White et al. 2017, MNRAS 471, 2882).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_Floats = NDArray[np.float64]

# |x| is taken as sqrt(x^2 + r^2): r in parts of the median step that the weights so far leave, first large, so that the
# way is short, and then smaller and smaller, until the gap to the least is below this part.
_ROUNDINGS = (1.0, 0.3, 0.1, 0.03, 0.01, 0.003)
_NEAR = 0.005
_MOST_STEPS = 300
# A weight below this part of the mean one is raised to it before the next rounding: from zero there is no way back.
_FLOOR = 1e-3


@dataclass(frozen=True, eq=False)
class LeastVariation:
    """Weights of least total variation, and how far from the least they may still be.

    Attributes
    ----------
    weights : array (k,)
        Not negative; they sum to 1. The flux is their sum with the pixels.
    variation : float
        Mean absolute step, F(t+1) - F(t), over the mean of F.
    start : float
        The same with equal weights.
    gap : float
        No weights at all have a variation below ``(1 - gap) * variation``.
    steps : int
        Steps of the minimiser.
    """

    weights: _Floats
    variation: float
    start: float
    gap: float
    steps: int


def least_variation(pixels: NDArray[np.floating], *, most_steps: int = _MOST_STEPS) -> LeastVariation:
    """Find the weights whose sum of pixels has the least total variation.

    With p(t, i) the pixels, w >= 0 and sum(w) = 1, minimise sum_t |F(t+1) - F(t)| / mean(F), F = sum_i w_i p_i. In
    terms of u_i = w_i mean(p_i) / mean(F), which are positive and sum to 1 too, F / mean(F) = sum_i u_i q_i with
    q_i = p_i / mean(p_i): the problem is convex, a linear programme. u is the softmax of free parameters, which
    L-BFGS-B moves, by their analytic gradient, from equal weights w on. Duality then bounds the least there can be:
    for any y(t) in [-1, 1], sum_t |(Du)_t| >= min_i sum_t y_t D_ti, D being the differences of q; y is taken as the
    (rounded) signs of the steps that were found.

    Parameters
    ----------
    pixels : array (n, k)
        Flux of k pixels in n >= 3 cadences, in order of time; finite, and positive in the mean.
    most_steps : int
        Of the minimiser, for each rounding of the corner of abs(x).

    Returns
    -------
    LeastVariation

    Examples
    --------
    One pixel gains what the other loses: half of each is steady.

    >>> import numpy as np
    >>> from tessellar.photometry.halos.variation import least_variation
    >>> motion = np.sin(np.arange(300.0))
    >>> found = least_variation(np.column_stack([100 + 5 * motion, 100 - 5 * motion]))
    >>> found.weights.round(3), found.variation < 1e-3
    (array([0.5, 0.5]), True)
    """
    from scipy.optimize import minimize

    level = pixels.mean(axis=0, dtype=np.float64)
    steps = np.diff(np.asarray(pixels, dtype=np.float64), axis=0) / level
    share = level / level.sum()
    start = float(np.abs(steps @ share).mean())
    gap, taken = (1.0, 0) if start > 0 and len(level) > 1 else (0.0, 0)
    for part in _ROUNDINGS:
        corner = part * float(np.median(np.abs(steps @ share)))
        if gap < _NEAR or not corner > 0:
            break
        found = minimize(
            _rounded, np.log(np.maximum(share, _FLOOR / len(share))), args=(steps, corner), jac=True,
            method="L-BFGS-B", options={"maxiter": most_steps, "maxcor": 20, "ftol": 1e-10, "gtol": 1e-10},
        )  # fmt: skip
        share, taken = _softmax(found.x), taken + int(found.nit)
        gap = min(gap, _gap(share, steps, corner))
    weights = share / level
    return LeastVariation(weights / weights.sum(), float(np.abs(steps @ share).mean()), start, gap, taken)


def _softmax(theta: _Floats) -> _Floats:
    powers = np.exp(theta - theta.max())
    return np.asarray(powers / powers.sum())


def _rounded(theta: _Floats, steps: _Floats, corner: float) -> tuple[float, _Floats]:
    """Mean of sqrt(step**2 + corner**2), in units of `corner`, and its gradient by theta."""
    share = _softmax(theta)
    step = (steps @ share) / corner
    size = np.hypot(step, 1.0)
    slope = (step / size) @ steps / (corner * len(steps))
    return float(size.mean()), share * (slope - share @ slope)


def _gap(share: _Floats, steps: _Floats, corner: float) -> float:
    """Part of the variation by which the least may lie below it, by duality."""
    step = steps @ share
    least = float(((step / np.hypot(step, corner)) @ steps).min())
    return float(np.clip(1.0 - least / np.abs(step).sum(), 0.0, 1.0))
