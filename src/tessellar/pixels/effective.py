"""The pixel response estimated from the frames themselves, where the mission's files are not at hand.

An effective PSF (Anderson & King 2000, PASP 112, 1360) is what a pixel sees of a star as
a function of where the star is: the optics and the pixel in one. Here it is a smooth
surface (cubic B-splines, close together in the core and wide apart in the wings) fitted
by least squares to the pixels about bright, unsaturated stars of one region, less the
light of their neighbours; stars and response are improved in turns.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tessellar.errors import InputError
from tessellar.pixels.response import REACH, SAMPLES, GriddedResponse, box_corners, spline_coefficients
from tessellar.pixels.starmodel import StarModel
from tessellar.robust import MAD_TO_SIGMA

if TYPE_CHECKING:
    from scipy.sparse import csr_array

    from tessellar.pixels.background import Sky
    from tessellar.pixels.stars import StarField

Array = NDArray[np.float64]

# Stars that the response is measured on: bright enough to show their wings, not saturated.
_BRIGHTEST, _FAINTEST = 7.5, 13.0
# Neighbours may add this share of a star's own light within 3 px of it.
_SHARED = 0.5
_CORE = 3.0
# Fewer stars give no response. A region has at least this many, and uses at most so many; a CCD is cut into 4 x 4.
_FEWEST, _LEAST, _MOST, _REGIONS = 20, 60, 250, 4
# Borders of the splines' pieces on one side of the star, px: the image has no detail finer than a pixel, and the
# wings are smooth. Of finer pieces each has so few pixels of the stars that their noise shows: a star's flux then
# changes by 1.5 % for a pixel of movement, and with these by 0.2 %.
_PIECES = (0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 3.5, 4.5, 5.5, 6.5, REACH + 1.0)
# Pixels with less than this share of the star's brightest one tell how much stars that no catalogue has scatter.
_DARK = 0.02
# Weight of the smoothness: it decides only where no star has a pixel.
_STIFFNESS = 1.0e-7
# Relative error of the response that a pixel's weight allows for: no single bright star decides.
_MISFIT = 0.01


class EffectivePSF(GriddedResponse):
    """A pixel response estimated from an image, per region; drawn as the mission's is.

    It is normalised to all light above the sky within 13 x 13 px of the star, as the mission's files are: where a star
    has a halo, the part of it that lies in that box is counted. `estimate_response` makes it.
    """


def first_response() -> GriddedResponse:
    """Return a response that resembles the mission's (noise-equivalent area 7 px), to begin with."""
    from scipy.special import erf

    places = (np.arange(2 * (REACH + 1) * SAMPLES + 1) - (REACH + 1) * SAMPLES) / SAMPLES
    samples = np.zeros((len(places), len(places)))
    for weight, width in ((0.55, 0.50), (0.31, 0.90), (0.14, 1.50)):
        edge = [erf((places + side) / (width * np.sqrt(2))) / 2 for side in (-0.5, 0.5)]
        samples += weight * np.outer(edge[1] - edge[0], edge[1] - edge[0])
    return GriddedResponse([1.0], [1.0], spline_coefficients(samples)[None, None])


def estimate_response(
    image: NDArray[Any], sky: Sky, stars: StarField, *, start: GriddedResponse | None = None, rounds: int = 3
) -> EffectivePSF:
    """Estimate the response of the pixels from an image with many stars.

    Parameters
    ----------
    image : array (rows, columns)
        With its sky, e-/s; best the mean of some frames between which the stars hardly move.
    sky : Sky
        Measures its background.
    stars : StarField
        Where the stars are in it: their places are the origin of the response.
    start : GriddedResponse, optional
        What to begin with.
    rounds : int
        Times that stars, background and response are improved in turns.

    Returns
    -------
    EffectivePSF

    Raises
    ------
    InputError
        If there are too few bright, unsaturated stars that stand fairly free.
    """
    if rounds < 1:
        raise InputError(f"{rounds} rounds: a response is estimated at least once")
    response: GriddedResponse = start or first_response()
    pixels = np.asarray(image, dtype=np.float32)
    background = sky.measure(pixels)
    fluxes = None
    for turn in range(rounds):
        light = pixels - background.image()
        level = max(float(np.nanmedian(background.nodes)), 1.0)
        model = StarModel.fit(
            light, sky.corner, stars, response, sky=level, start=fluxes, moves=False, sweeps=12 if not turn else 6
        )
        fluxes = model.fluxes
        background = sky.measure(pixels, starlight=model.image(), masked=model.masked, faintest=model.faintest)
        response = _fit_regions(pixels - background.image(), level, sky, stars, response, model)
    assert isinstance(response, EffectivePSF)
    return response


def _fit_regions(
    light: NDArray[np.float32],
    level: float,
    sky: Sky,
    stars: StarField,
    response: GriddedResponse,
    model: StarModel,
) -> EffectivePSF:
    chosen = _choose(light, sky, stars, response, model)
    (left, bottom), (high, wide) = sky.corner, sky.shape
    number = int(np.clip(np.sqrt(len(chosen) / _LEAST), 1, _REGIONS))
    edges = [first - 0.5 + np.linspace(0, size, number + 1) for first, size in ((left, wide), (bottom, high))]
    regions: list[list[Array]] = []
    for row in range(number):
        regions.append([])
        for column in range(number):
            middle = [0.5 * (edge[at] + edge[at + 1]) for edge, at in zip(edges, (column, row), strict=True)]
            # The nearest stars, also of beyond the border where the region has too few of its own.
            distance = np.hypot(stars.column[chosen] - middle[0], stars.row[chosen] - middle[1])
            nearest = np.argsort(distance, kind="stable")
            inside = int((distance < 0.75 * max(wide, high) / number).sum())
            some = chosen[nearest[: int(np.clip(inside, _LEAST, _MOST))]]
            regions[-1].append(_fit_region(light, level, sky.corner, stars.chosen(some), model, some, response))
    middles = [0.5 * (edge[1:] + edge[:-1]) for edge in edges]
    return EffectivePSF(middles[0], middles[1], np.array(regions))


def _choose(
    light: NDArray[np.float32], sky: Sky, stars: StarField, response: GriddedResponse, model: StarModel
) -> NDArray[np.int64]:
    (left, bottom), (high, wide) = sky.corner, sky.shape
    fits = (stars.tmag > _BRIGHTEST) & (stars.tmag < _FAINTEST)
    fits &= (stars.column > left + REACH) & (stars.column < left + wide - 1 - REACH)
    fits &= (stars.row > bottom + REACH) & (stars.row < bottom + high - 1 - REACH)
    index = np.flatnonzero(fits)
    if index.size:
        reach = np.arange(-int(_CORE), int(_CORE) + 1)
        bottoms, lefts = box_corners(stars.column[index], stars.row[index], sky.corner, 0)
        rows, columns = bottoms[:, None, None] + reach[:, None], lefts[:, None, None] + reach
        near = slice(REACH - int(_CORE), REACH + int(_CORE) + 1)
        own = model.fluxes[index, None, None] * response.boxes(stars.column[index], stars.row[index])[:, 0, near, near]
        others = model.terms[0][rows, columns] - own
        whole = np.isfinite(light[rows, columns]).all(axis=(1, 2))
        index = index[whole & (others.sum(axis=(1, 2)) < _SHARED * own.sum(axis=(1, 2)))]
    if len(index) < _FEWEST:
        raise InputError(
            f"{len(index)} stars of T {_BRIGHTEST} to {_FAINTEST} stand free on the frames of {sky.field}: a response "
            f"needs {_FEWEST}; give the mission's files (prf)"
        )
    return index.astype(np.int64)


def _fit_region(
    light: NDArray[np.float32],
    level: float,
    corner: tuple[int, int],
    stars: StarField,
    model: StarModel,
    which: NDArray[np.int64],
    response: GriddedResponse,
) -> Array:
    """Spline coefficients of one region's response, as `spline_coefficients` gives them."""
    bottoms, lefts = box_corners(stars.column, stars.row, corner, REACH)
    reach = np.arange(2 * REACH + 1)
    rows, columns = bottoms[:, None, None] + reach[:, None], lefts[:, None, None] + reach
    fluxes = model.fluxes[which]
    own = fluxes[:, None, None] * response.boxes(stars.column, stars.row)[:, 0]
    data = light[rows, columns].astype(np.float64)
    others = model.terms[0][rows, columns] - own
    target = (data - others) / fluxes[:, None, None]
    # Photons of a frame of some 1,400 s, stars that are not known, and what the model of star and neighbours may be off
    # by: faint stars would otherwise count for more than they know.
    noise = (level + np.abs(own) + np.abs(others)) / 1.4e3 + (_MISFIT * own) ** 2 + (0.05 * others) ** 2
    noise += _confusion((data - others - own)[own < _DARK * own.max(axis=(1, 2), keepdims=True)]) ** 2
    weights = fluxes[:, None, None] ** 2 / noise
    offsets = [place - corner[axis] for axis, place in ((0, stars.column), (1, stars.row))]
    away_x = columns[:, 0, :] - offsets[0][:, None]
    away_y = rows[:, :, 0] - offsets[1][:, None]
    solution = _solve(away_x, away_y, target, weights)
    return spline_coefficients(_sampled(solution))


def _confusion(rest: Array) -> float:
    """Scatter of what is left of an image without its known stars, e-/s."""
    rest = rest[np.isfinite(rest)]
    return MAD_TO_SIGMA * float(np.median(np.abs(rest - np.median(rest)))) if rest.size else 0.0


def _solve(away_x: Array, away_y: Array, target: Array, weights: Array) -> Array:
    """Least squares for the splines, twice: the second time without pixels that lie far off. (terms, terms)."""
    from scipy.linalg import cho_factor, cho_solve

    design = _design(away_x, away_y)
    penalty = _penalty()
    flat, weight = target.ravel(), weights.ravel()
    usable = np.isfinite(flat) & np.isfinite(weight)
    flat = np.where(usable, flat, 0.0)
    weight = np.where(usable, weight, 0.0)
    solution = np.zeros(penalty.shape[0])
    for _ in range(2):
        weighted = design.multiply(weight[:, None]).tocsr()
        normal = (design.T @ weighted).toarray()
        stiff = _STIFFNESS * float(np.median(np.diag(normal))) * penalty
        solution = cho_solve(cho_factor(normal + stiff), weighted.T @ flat)
        rest = (flat - design @ solution) * np.sqrt(weight)
        scatter = MAD_TO_SIGMA * float(np.median(np.abs(rest[weight > 0]))) + 1e-12
        weight = np.where(np.abs(rest) > 6 * scatter, 0.0, weight)
    side = len(_knots()) - 4
    return np.asarray(solution.reshape(side, side))


def _design(away_x: Array, away_y: Array) -> csr_array:
    """Each pixel's sixteen splines, (stars x pixels, terms): rows along y come first."""
    from scipy.sparse import csr_array

    count, pixels = away_x.shape
    side = len(_knots()) - 4
    (at_x, value_x), (at_y, value_y) = _splines(away_x), _splines(away_y)
    values = value_y[:, :, None, :, None] * value_x[:, None, :, None, :]
    places = at_y[:, :, None, :, None] * side + at_x[:, None, :, None, :]
    total = count * pixels * pixels
    starts = np.arange(total + 1) * 16
    return csr_array((values.ravel(), places.ravel(), starts), shape=(total, side * side))


def _splines(away: Array) -> tuple[NDArray[np.int64], Array]:
    """Which four splines reach a place, and how much: two arrays (..., 4)."""
    from scipy.interpolate import BSpline

    knots = _knots()
    matrix = BSpline.design_matrix(np.clip(away.ravel(), knots[0], knots[-1] - 1e-9), knots, 3)
    return matrix.indices.reshape(*away.shape, 4).astype(np.int64), matrix.data.reshape(*away.shape, 4)


def _sampled(solution: Array) -> Array:
    """The fitted surface on the grid of samples, (145, 145)."""
    places = (np.arange(2 * (REACH + 1) * SAMPLES + 1) - (REACH + 1) * SAMPLES) / SAMPLES
    at, value = _splines(places)
    side = len(solution)
    matrix = np.zeros((len(places), side))
    np.put_along_axis(matrix, at, value, axis=1)
    return np.asarray(matrix @ solution @ matrix.T)


@cache
def _knots() -> Array:
    positive = np.array(_PIECES)
    pieces = np.concatenate([-positive[:0:-1], positive])
    return np.concatenate([np.full(3, pieces[0]), pieces, np.full(3, pieces[-1])])


@cache
def _penalty() -> Array:
    """Squared second differences of neighbouring terms along both axes, (terms, terms)."""
    side = len(_knots()) - 4
    bend = np.diff(np.eye(side), n=2, axis=0)
    square = bend.T @ bend
    return np.asarray(np.kron(square, np.eye(side)) + np.kron(np.eye(side), square) + 1e-6 * np.eye(side * side))
