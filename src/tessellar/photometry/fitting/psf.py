"""PSF photometry: places and fluxes of a few stars together, by least squares, in every cadence on its own.

The slow and honest check of the linear fit: it takes nothing for granted about how the star moves, and pays for it with
noise, most of all in crowds. Stars with free places are the target and up to four others within 5 px of it: at most 3
magnitudes fainter, at least 1.5 px from every other free star, and bright enough for their place to be found within
0.1 px in one cadence. Fluxes of all other stars are free, their places known.

With parameters p (fluxes F and places), model m and Jacobian J (the response and its slopes, analytic), each step
solves ``(J' W J + L + mu D) dp = J' W (d - m) + L (p0 - p)`` (Levenberg 1944, Marquardt 1963; mu is 0 where the plain
step, Gauss's and Newton's, makes the sum of squares smaller). It begins at the places and fluxes of the linear
fit. L is the linear fit's prior on fluxes, and one of 0.5 px on free places about the known ones, which only the
faintest feel. With H = (J' W J + L)^-1 J' W, the covariance of all parameters is H V H': the error of the flux is that
with the place unknown.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tessellar.errors import PhotometryError
from tessellar.photometry.fitting.fitresult import fitted_result, refused
from tessellar.photometry.fitting.linear import LinearSeries, fit_series
from tessellar.photometry.fitting.registration import offset_cards, placed
from tessellar.photometry.fitting.starfit import SaturatedTarget, StarFit
from tessellar.photometry.merit.sanity import Finding
from tessellar.photometry.status import STATUS
from tessellar.pixels.response import box_corners

if TYPE_CHECKING:
    from tessellar.photometry.method import Settings
    from tessellar.photometry.result import Result
    from tessellar.photometry.target import Target
    from tessellar.pixels import PixelResponse, Stamp, Surroundings

Array = NDArray[np.float64]

#: Others with free places: within so many px, so many magnitudes fainter at most, this far from each other, px.
NEAR, FAINTER, APART = 5.0, 3.0, 1.5
MOST_FREE = 5
#: Error of a place in one cadence, px: up to which others' places are free, and the target is measured at all.
NEIGHBOUR_PLACE, TARGET_PLACE = 0.1, 0.3
#: Width of the prior on places, px; one that ends further away than twice this is no fit.
PLACE_WIDTH = 0.5
_ITERATIONS = 12
# No step is longer than this, px; the fit has ended when a step is shorter than this part of the errors.
_LONGEST, _SETTLED = 0.3, 0.01


class TooFaint(PhotometryError):
    """The place of the star cannot be found in one cadence."""


@dataclass(frozen=True, eq=False)
class FrameFit:
    """Places and fluxes of the stars of one frame.

    Attributes
    ----------
    flux : array (k,)
        e-/s.
    place : array (m, 2)
        Columns and rows of the stars with free places, 1-based.
    covariance : array (k + 2 m, k + 2 m)
        Of fluxes, then of columns and rows, star by star.
    """

    flux: Array
    place: Array
    covariance: Array


def fit_places(
    image: Array,
    variance: Array,
    weights: Array,
    place: Array,
    flux: Array,
    free: Sequence[int] | NDArray[Any],
    response: PixelResponse,
    corner: tuple[int, int],
    *,
    precision: Array | None = None,
    expected: Array | None = None,
) -> FrameFit | None:
    """Fit fluxes of all stars and places of some of them to one image.

    Parameters
    ----------
    image, variance : array (rows, columns)
        e-/s and its square; what is not finite is left out.
    weights : array (rows, columns)
        Inverse variances of the mean image; 0 where a pixel is not to be used.
    place : array (k, 2)
        Columns and rows to begin with, 1-based.
    flux : array (k,)
        Fluxes to begin with, e-/s.
    free : sequence of int
        Stars whose places are fitted.
    response : PixelResponse
    corner : (int, int)
        CCD column and row of pixel [0, 0], 1-based.
    precision, expected : array (k,), optional
        Prior on fluxes; see `tessellar.photometry.fitting.linear.prior_precision`.

    Returns
    -------
    FrameFit or None
        None where there is no solution.
    """
    use = (np.isfinite(image) & (weights > 0)).ravel()
    moving = np.asarray(free, dtype=np.int64)
    known, begun = place[moving], np.concatenate([flux, place[moving].ravel()])
    held = np.full(len(begun), 1 / PLACE_WIDTH**2)
    held[: len(flux)] = 0.0 if precision is None else precision
    centre = np.concatenate([flux if expected is None else np.nan_to_num(expected), known.ravel()])
    problem = _Problem(
        np.asarray(image, np.float64).ravel()[use], weights.ravel()[use], use,
        _drawn(place, response, corner, image.shape)[:, :, use], moving, held, centre, response, corner, image.shape,
    )  # fmt: skip
    solution = _least_squares(problem, begun)
    if solution is None:
        return None
    parameters, jacobian = solution
    found = parameters[len(flux) :].reshape(-1, 2)
    if np.hypot(*(found - known).T).max(initial=0.0) > 2 * PLACE_WIDTH:
        return None
    weighted = jacobian * problem.weight
    inverse = _inverse(weighted @ jacobian.T + np.diag(held))
    if inverse is None:
        return None
    filters = inverse @ weighted
    noise = np.asarray(variance, np.float64).ravel()[use]
    return FrameFit(parameters[: len(flux)], found, (filters * noise) @ filters.T)


@dataclass(frozen=True, eq=False)
class _Problem:
    """Least squares for one frame: pixels in use and their weights, the stars, and the prior (`held` about `centre`).

    Parameters are k fluxes, then columns and rows of the m `moving` stars; `shares` are the images of all stars, and
    their slopes, (k, 3, pixels), where they began.
    """

    data: Array
    weight: Array
    use: NDArray[np.bool_]
    shares: Array
    moving: NDArray[np.int64]
    held: Array
    centre: Array
    response: PixelResponse
    corner: tuple[int, int]
    shape: tuple[int, ...]

    def state(self, trial: Array) -> tuple[Array, Array, float]:
        """Jacobian, what the model leaves, and the sum of squares."""
        terms, count = self.shares, len(self.shares)
        if len(self.moving):
            terms = terms.copy()
            place = trial[count:].reshape(-1, 2)
            terms[self.moving] = _drawn(place, self.response, self.corner, self.shape)[:, :, self.use]
        slopes = terms[self.moving, 1:] * trial[self.moving, None, None]
        jacobian = np.concatenate([terms[:, 0], slopes.reshape(-1, self.data.size)])
        rest = self.data - trial[:count] @ terms[:, 0]
        return jacobian, rest, float(self.weight @ rest**2 + self.held @ (trial - self.centre) ** 2)


def _least_squares(problem: _Problem, parameters: Array) -> tuple[Array, Array] | None:
    """Parameters of the least sum of squares, and the Jacobian there; None where a step has no solution."""
    jacobian, rest, squares = problem.state(parameters)
    count, damping = len(problem.shares), 0.0
    for _ in range(_ITERATIONS):
        weighted = jacobian * problem.weight
        normal = weighted @ jacobian.T + np.diag(problem.held)
        pull = weighted @ rest + problem.held * (problem.centre - parameters)
        inverse = _inverse(normal + damping * np.diag(np.diag(normal)))
        if inverse is None:
            return None
        step = inverse @ pull
        longest = np.abs(step[count:]).max(initial=0.0)
        step *= min(1.0, _LONGEST / longest) if longest > 0 else 1.0
        trial = problem.state(parameters + step)
        settled = np.abs(step * np.sqrt(np.diag(normal))).max() < _SETTLED
        if trial[2] > squares and not settled:
            damping = max(10 * damping, 1e-3)
            if damping > 1e6:
                break
            continue
        parameters, damping = parameters + step, damping / 10 if damping > 1e-6 else 0.0
        jacobian, rest, squares = trial
        if settled:
            break
    return parameters, jacobian


def place_error(flux: float, place: Array, weights: Array, response: PixelResponse, corner: tuple[int, int]) -> float:
    """Error of a star's place along one axis in one frame, px, were it alone; infinite without flux."""
    slopes = _drawn(place[None], response, corner, weights.shape)[0, 1:] * max(flux, 0.0)
    information = (slopes**2 @ weights.ravel()).mean()
    return float(1 / np.sqrt(information)) if information > 0 else float("inf")


def free_stars(stars: Surroundings, target: int, errors: Array) -> list[int]:
    """Which stars get free places: the target first, then the nearest ones that fit the rules of this module.

    Parameters
    ----------
    stars : Surroundings
    target : int
    errors : array (k,)
        Errors of their places, px; see `place_error`.
    """
    columns, rows = stars.column, stars.row
    away = np.hypot(columns - columns[target], rows - rows[target])
    chosen = [target]
    for star in np.argsort(away, kind="stable"):
        apart = min(np.hypot(columns[star] - columns[other], rows[star] - rows[other]) for other in chosen)
        bright = stars.flux[star] > 10 ** (-0.4 * FAINTER) * stars.flux[target]
        if len(chosen) < MOST_FREE and away[star] <= NEAR and bright and apart >= APART:
            chosen += [int(star)] if errors[star] <= NEIGHBOUR_PLACE else []
    return chosen


class PSFPhotometry:
    """Places and fluxes of the target and its nearest bright neighbours, fitted in every cadence on its own.

    See the module's text for which stars, and how. Stars whose place cannot be found within 0.3 px in one cadence are
    SKIPPED: the linear fit is for them.

    Examples
    --------
    >>> from tessellar.photometry import measure_in
    >>> measure_in(scene, 25155310, method="psf")  # doctest: +SKIP
    """

    name = "psf"

    def run(self, stamp: Stamp, target: Target, stars: Surroundings | None, settings: Settings) -> Result:
        """Measure `target` in `stamp`; see `PhotometryMethod.run`."""
        try:
            fit, moved = placed(StarFit.of(stamp, target, stars, settings), stamp)
            fit, series = _begun(fit, stamp)
            free = self._choose(fit, series, stamp, target)
        except PhotometryError as error:
            skipped = isinstance(error, SaturatedTarget | TooFaint)
            return refused(stamp, target, settings, self.name, error, skipped=skipped)
        flux, variance, place, place_variance = _fit_cadences(fit, series, stamp, free)
        tried = np.isfinite(series.flux[:, fit.target]) & fit.good
        failed = float((tried & ~np.isfinite(flux)).sum() / max(int(tried.sum()), 1))
        doubts: tuple[Finding, ...] = ()
        if failed > 0.05:
            doubts = (Finding(STATUS.WARNING, f"no place and flux could be fitted in {failed:.0%} of the cadences"),)
        result = fitted_result(
            fit, stamp, target, settings,
            method=self.name,
            flux=flux,
            variance=variance,
            centroid=place,
            light=series.basis.drawn(stamp.shape),
            offset=series.offset,
            prior_weight=float(series.prior_weight[fit.target]),
            cards={"PSFNFREE": (len(free), "of them with places of their own"), **offset_cards(moved)},
            doubts=doubts,
        )  # fmt: skip
        errors = np.sqrt(place_variance)
        extra = {"PSF_CENTR1": place[:, 0], "PSF_CENTR1_ERR": errors[:, 0],
                 "PSF_CENTR2": place[:, 1], "PSF_CENTR2_ERR": errors[:, 1]}  # fmt: skip
        return replace(result, extra=MappingProxyType(extra))

    @staticmethod
    def _choose(fit: StarFit, series: LinearSeries, stamp: Stamp, target: Target) -> list[int]:
        about = fit.stars
        fluxes = series.flux[fit.good]
        seen = np.isfinite(fluxes).any(axis=0)
        level = np.full(len(about), np.nan)
        level[seen] = np.nanmedian(fluxes[:, seen], axis=0)
        place = np.column_stack([about.column, about.row])
        response, weights = about.responses[0], fit.weights[int(np.median(about.segments))]
        errors = np.array(
            [place_error(level[star], place[star], weights, response, stamp.corner) for star in range(len(about))]
        )
        if not errors[fit.target] <= TARGET_PLACE:
            raise TooFaint(
                f"{target} is too faint for its place to be found in one cadence ({errors[fit.target]:.2f} px): "
                "measure it with linpsf"
            )
        return free_stars(replace(about, flux=level), fit.target, errors)


def _begun(fit: StarFit, stamp: Stamp) -> tuple[StarFit, LinearSeries]:
    """The linear fit to begin with; where a background is wanted, what it finds is taken off the images."""
    about = fit.stars
    series = fit_series(
        fit.images, fit.variances, fit.weights, about.segments, about.column, about.row, about.flux, about.shifts,
        about.responses, stamp.corner, offset=fit.offset, wanted=[fit.target],
    )  # fmt: skip
    if fit.offset:
        fit = replace(fit, images=fit.images - series.offset[:, None, None].astype(np.float32))
    return fit, series


def _fit_cadences(
    fit: StarFit, series: LinearSeries, stamp: Stamp, free: list[int]
) -> tuple[Array, Array, Array, Array]:
    """Flux, its variance, place and its variances of the target in every cadence."""
    about, count = fit.stars, len(fit.stars)
    flux, variance = np.full(len(stamp), np.nan), np.full(len(stamp), np.nan)
    place, place_variance = np.full((len(stamp), 2), np.nan), np.full((len(stamp), 2), np.nan)
    middle = np.column_stack([about.column, about.row])
    for cadence in np.flatnonzero(np.isfinite(series.flux).all(axis=1)):
        part = int(about.segments[cadence])
        response = about.responses[0 if len(about.responses) == 1 else part]
        found = fit_places(
            fit.images[cadence], fit.variances[cadence], fit.weights[part], middle + about.shifts[cadence],
            series.flux[cadence], free, response, stamp.corner,
            precision=series.precision, expected=about.flux,
        )  # fmt: skip
        if found is not None:
            flux[cadence], place[cadence] = found.flux[fit.target], found.place[0]
            variance[cadence] = found.covariance[fit.target, fit.target]
            place_variance[cadence] = np.diag(found.covariance)[count : count + 2]
    return flux, variance, place, place_variance


def _drawn(place: Array, response: PixelResponse, corner: tuple[int, int], shape: tuple[int, ...]) -> Array:
    """Response and slopes of stars in an image, (k, 3, pixels)."""
    boxes = response.boxes(place[:, 0], place[:, 1], derivatives=1)
    side, (high, wide) = boxes.shape[-1], shape
    bottom, left = box_corners(place[:, 0], place[:, 1], corner, response.reach)
    out = np.zeros((len(place), 3, high, wide))
    for star, (j, k) in enumerate(zip(bottom.tolist(), left.tolist(), strict=True)):
        rows, cols = slice(max(j, 0), max(min(j + side, high), 0)), slice(max(k, 0), max(min(k + side, wide), 0))
        part = boxes[star, :, max(-j, 0) : max(high - j, 0), max(-k, 0) : max(wide - k, 0)]
        out[star, :, rows, cols] = part
    return out.reshape(len(place), 3, high * wide)


def _inverse(matrix: Array) -> Array | None:
    """Inverse of a symmetric positive matrix, scaled to unit diagonal on the way; None if it is singular."""
    size = np.sqrt(np.maximum(np.diag(matrix), 1e-300))
    try:
        inverse = np.linalg.inv(matrix / np.outer(size, size))
    except np.linalg.LinAlgError:
        return None
    return np.asarray(inverse / np.outer(size, size)) if np.isfinite(inverse).all() else None
