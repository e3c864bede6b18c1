"""Measures of quality against truth: how far scatter, errors and fluxes of light curves are from what is possible.

Definitions: scatter is the standard deviation after clipping at 5 sigma, over the good cadences, 1,000 or more for
the gates; the bound is that of Cramer and Rao for known places and responses, all catalogued stars free; the spread
that a finite number of cadences brings into a quantile of ratios is taken out.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tessellar.photometry.merit.noise import light_variance
from tessellar.pixels import PixelResponse
from tessellar.simulate import FrameTruth
from tessellar.simulate.frames.responses import WING_REACH, WING_SHARE, wing_kernel

Array = NDArray[np.float64]

#: Share of a simulated star's light within its response; the rest is its halo.
CORE = 1 - WING_SHARE
#: Share of its light within 13 x 13 px, halo included: what a response that was estimated from frames stands for.
BOXED = CORE + WING_SHARE * float(wing_kernel()[WING_REACH - 6 : WING_REACH + 7, WING_REACH - 6 : WING_REACH + 7].sum())


def scatter(values: Array) -> float:
    """Standard deviation after clipping at 5 sigma, from a robust beginning; NaN are left out."""
    kept = values[np.isfinite(values)]
    kept = kept - np.median(kept)
    width = 1.4826 * np.median(np.abs(kept))
    for _ in range(3):
        inside = kept[np.abs(kept) < 5 * width]
        width = float(np.std(inside, ddof=1))
    return float(width)


@dataclass(frozen=True)
class Quantiles:
    """Median and 90 % quantile of ratios, without what a finite number of cadences adds."""

    median: float
    high: float
    count: int

    @classmethod
    def of(cls, ratios: Array, cadences: int) -> Quantiles:
        """Of scatter over bound, for light curves of so many cadences."""
        median, high = (float(value) for value in np.quantile(ratios, [0.5, 0.9]))
        own = 1.2816 * median / np.sqrt(2 * cadences)
        return cls(median, median + float(np.sqrt(max((high - median) ** 2 - own**2, 0.0))), len(ratios))


def mean_light(truth: FrameTruth, frames: NDArray[np.int64], count: int = 24) -> Array:
    """Mean of all light, without noise, of some of the frames; (rows, columns), e-/s."""
    some = frames[np.linspace(0, len(frames) - 1, count).round().astype(int)]
    return np.asarray(np.mean([truth.light(int(frame)) for frame in some], axis=0, dtype=np.float64))


def bounds(
    truth: FrameTruth, response: PixelResponse, light: Array, stars: NDArray[np.int64], radius: int = 11
) -> Array:
    """Smallest possible 1-sigma errors of the fluxes of some stars in one frame, e-/s, neighbours free.

    Parameters
    ----------
    truth : FrameTruth
    response : PixelResponse
        That the frames were drawn with.
    light : array (rows, columns)
        Mean of all light on the window, for the variances.
    stars : int array
        Indices into the truth; stars near the window's border have the pixels that there are.
    radius : int
        Pixels about each star that are counted.
    """
    cadence = float(truth.settings["cadence"])
    read = read_noise(truth)
    weights = 1 / light_variance(light, cadence, read_noise=0.0)
    weights = 1 / (1 / weights + light_variance(np.zeros_like(light), cadence, read_noise=1.0) * read**2)
    known = np.flatnonzero(truth.stars["tic"] > 0)
    columns, rows = truth.stars["column"], truth.stars["row"]
    errors = np.empty(len(stars))
    for number, star in enumerate(stars):
        x, y = columns[star] - truth.corner[0], rows[star] - truth.corner[1]
        left, low = max(int(x) - radius, 0), max(int(y) - radius, 0)
        part = weights[low : int(y) + radius + 1, left : int(x) + radius + 1]
        corner = (truth.corner[0] + left, truth.corner[1] + low)
        near = known[(np.abs(columns[known] - columns[star]) < radius) & (np.abs(rows[known] - rows[star]) < radius)]
        design = design_of(columns[near], rows[near], response, corner, part.shape)
        errors[number] = bound(design, part.ravel(), int(np.flatnonzero(near == star)[0]))
    return errors


def bound(design: Array, weights: Array, star: int) -> float:
    """Smallest possible error of one star's flux, all others free: the root of [(A' V^-1 A)^-1]_ii.

    Parameters
    ----------
    design : array (stars, pixels)
    weights : array (pixels,)
        Inverse variances.
    star : int
    """
    normal = (design * weights) @ design.T
    size = np.sqrt(np.diag(normal))
    # Stars on one place make it singular; the tiny ridge is far below any prior.
    inverse = np.linalg.inv(normal / np.outer(size, size) + 1e-10 * np.eye(len(normal)))
    return float(np.sqrt(inverse[star, star]) / size[star])


def pull(flux: Array, truth: Array, error: Array) -> float:
    """Scatter of (measured - truth) / error about its middle: a constant offset is a bias, and is told as one."""
    left = flux - truth
    return scatter((left - np.nanmedian(left)) / error)


def design_of(
    column: Array, row: Array, response: PixelResponse, corner: tuple[int, int], shape: tuple[int, ...]
) -> Array:
    """Shares of stars' light in the pixels of a window, (stars, pixels)."""
    from tessellar.pixels.response import add_stars

    design = np.zeros((len(column), *shape))
    for each, (x, y) in enumerate(zip(column, row, strict=True)):
        add_stars(design[each], corner, np.array([x]), np.array([y]), np.ones(1), response)
    return design.reshape(len(column), -1)


def transit_light(truth: FrameTruth, stars: NDArray[np.int64], depth: float, dips: NDArray[np.int64]) -> Array:
    """What transits take from the pixels: as the simulator draws the frames with them, less the frames without.

    Parameters
    ----------
    truth : FrameTruth
    stars : int array (m,)
        Indices of constant stars.
    depth : float
        Share of their light.
    dips : int array (m, k)
        Frames in which each one is fainter.

    Returns
    -------
    array (n, rows, columns)
        e-/s, negative in transit; nothing of the noise.
    """
    kept, series = truth.variables["star"], truth.variables["relative"]
    without = np.ones((len(stars), len(truth)))
    inside = without.copy()
    for one, frames in zip(inside, dips, strict=True):
        one[frames] -= depth
    change = np.zeros((len(truth), *truth.shape))
    for sign, own in ((1, inside), (-1, without)):
        varied = {**truth.variables, "star": np.append(kept, stars), "relative": np.concatenate([series, own])}
        drawn = dataclasses.replace(truth, variables=varied)
        for frame in np.unique(dips):
            change[frame] += sign * drawn.light(int(frame)).astype(np.float64)
    return change


def transit_depth(
    flux: Array, moved: Array, frames: NDArray[np.int64], usable: NDArray[np.int64], *, around: int = 72
) -> tuple[float, float]:
    """Depth of a transit against the frames before and after it, as whoever looks for planets measures it.

    A constant and two slopes against the star's movement are fitted to the usable frames out of transit, and told for
    those in transit: light curves as methods give them are not freed of what moves with the spacecraft.

    Parameters
    ----------
    flux : array (n,)
        e-/s.
    moved : array (n, 2)
        Movement of the star, pixels (POS_CORR).
    frames : int array
        In transit.
    usable : int array
        Frames that count.
    around : int
        Frames before, and after, that count.

    Returns
    -------
    (float, float)
        e-/s; its error in units of one frame's error.
    """
    near = usable[(usable >= frames[0] - around) & (usable <= frames[-1] + around)]
    inside, outside = np.intersect1d(near, frames), np.setdiff1d(near, frames)
    terms = np.column_stack([np.ones(len(flux)), 100 * (moved - moved[outside].mean(axis=0))])
    inverse = np.linalg.inv(terms[outside].T @ terms[outside])
    within = terms[inside].mean(axis=0)
    depth = within @ inverse @ (terms[outside].T @ flux[outside]) - flux[inside].mean()
    return float(depth), float(np.sqrt(1 / len(inside) + within @ inverse @ within))


def read_noise(truth: FrameTruth) -> Array:
    """Read noise of each column of the window, e-."""
    from tessellar.simulate import detector

    columns = truth.corner[0] + np.arange(truth.shape[1])
    return np.array([detector.READ_NOISES[detector.output(float(column))] for column in columns])


def isolated(
    truth: FrameTruth, stars: NDArray[np.int64], radius: float = 6.0, share: float = 0.01
) -> NDArray[np.bool_]:
    """Whether stars stand alone: other stars within `radius` px have together less than `share` of their light."""
    from scipy.spatial import cKDTree

    places = np.column_stack([truth.stars["column"], truth.stars["row"]])
    near = cKDTree(places).query_ball_point(places[stars], radius)
    others = np.array([truth.flux[about].sum() for about in near]) - truth.flux[stars]
    return np.asarray(others < share * truth.flux[stars], dtype=bool)


def halo_level() -> float:
    """Light of a star's own halo at its middle, share of its light in a pixel."""
    return float(wing_kernel().max())
