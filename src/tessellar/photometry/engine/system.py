"""The linear system of all stars of an image: whose light falls on whom, tile by tile, and what it is worth.

With the images P of the stars (light 1) and weights w of the pixels, the fluxes F of a frame d are those that make
``sum w Q (d - sum P F)`` vanish for every star. Q is the star's image near its middle: least squares would have all of
P there, but a star's faint wings tell nothing of it, so that leaving them out costs less than 0.1 % of the noise and
saves most of the work. P is always whole, so that nothing is biased.

The normal matrix ``N = Q w P`` couples neighbours only. Its inverse falls off within some pixels of a star: that of
tiles with a rim is as good as that of the whole (to 0.04 of a sigma at worst with 12 px, and to 0.0003 with 16 px).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tessellar.photometry.engine.workers import Workers, parts
from tessellar.photometry.fitting.linear import BLENDED, PRIOR_WIDTH
from tessellar.pixels.response import box_corners

if TYPE_CHECKING:
    from tessellar.pixels.response import PixelResponse

Array = NDArray[np.float64]
Float = NDArray[np.float32]
_Places = list[tuple[NDArray[np.int64], NDArray[np.int64]]]

#: Side of a tile, and the rim about it whose stars are solved with it, px.
TILE, RIM = 16, 14
# Half the width of the box in which a star is measured, by its brightest pixel over what lies beneath it: with the
# mission's response, what is left out holds less than 0.1 % of the information.
_REACHES = ((0.0, 3), (1.0, 4), (15.0, 5), (150.0, 7))
_PEAK = 0.3
_CHUNK = 8192


@dataclass(frozen=True, eq=False)
class Stars:
    """Stars on an image, as arrays.

    Attributes
    ----------
    column, row : array (k,)
        CCD places, 1-based.
    flux : array (k,)
        What to expect of each, e-/s: where the solution begins, and what the prior holds it to.
    """

    column: Array
    row: Array
    flux: Array

    def __len__(self) -> int:
        return len(self.column)


@dataclass(frozen=True, eq=False)
class Tile:
    """One tile: its own stars, all that are solved with them (in order), and the rows of the inverse for its own."""

    stars: NDArray[np.int64]
    members: NDArray[np.int64]
    inverse: Float


@dataclass(frozen=True, eq=False)
class System:
    """All that solving frames needs; `build_system` makes it.

    Attributes
    ----------
    stars : Stars
    boxes : float32 array (k, 3, side, side)
        Weighted response and slopes, as `kernels.projections` takes them.
    bottoms, lefts, reaches : int64 array (k,)
    indptr, indices, matrix
        Normal matrix, as `kernels.products` takes it.
    free : boolean array (k,)
        Stars that are solved for: those with pixels of their own.
    tiles : tuple of Tile
    noise : array (k, 3)
        Variance of each flux: at the mean light, and what it gains with an e-/s/px of sky and of the star itself.
    weights : float32 array (rows, cols)
        Of the pixels, (e-/s)**-2; 0 where one is not used.
    precision : array (k,)
        Of the prior on each flux, (e-/s)**-2: 0 for all stars that the pixels can tell from their neighbours.
    prior_weight : array (k,)
        How much of each flux is the prior's word: all of it where a star is not free.
    corner : (int, int)
        CCD column and row of the image's first pixel, 1-based.
    shape : (int, int)
        Its rows and columns.
    """

    stars: Stars
    boxes: Float
    bottoms: NDArray[np.int64]
    lefts: NDArray[np.int64]
    reaches: NDArray[np.int64]
    indptr: NDArray[np.int64]
    indices: NDArray[np.int64]
    matrix: Float
    free: NDArray[np.bool_]
    tiles: tuple[Tile, ...]
    noise: Array
    weights: Float
    precision: Array
    prior_weight: Array
    corner: tuple[int, int]
    shape: tuple[int, int]


def build_system(
    stars: Stars,
    response: PixelResponse,
    corner: tuple[int, int],
    weights: Float,
    variance: Float,
    *,
    level: float = 150.0,
    time: float = 1.0,
    expanded: bool = True,
    precision: Array | None = None,
    threads: int = 1,
) -> System:
    """Make the system of the stars of an image.

    Parameters
    ----------
    stars : Stars
        All whose light falls on the image.
    response : PixelResponse
    corner : (int, int)
        CCD column and row of the image's pixel [0, 0], 1-based.
    weights : float32 array (rows, cols)
        Of the pixels, (e-/s)**-2; 0 where one is not to be used.
    variance : float32 array (rows, cols)
        Of the pixels, (e-/s)**2, in the mean.
    level : float
        Sky and read noise in a pixel, e-/s: how far out stars are measured depends on how bright they are above it.
    time : float
        Seconds by which light has to be divided to be variance.
    expanded : bool
        Whether frames are solved in which the stars have moved; otherwise only where they are.
    precision : array (k,), optional
        Of the prior on the fluxes, of another system of the same stars; decided here if not given: a star whose error
        is more than 3 times what it were alone is held to its flux within a quarter, as in
        `tessellar.photometry.fitting.linear`.
    threads : int
    """
    with Workers(threads) as workers:
        draft = _draw(stars, response, corner, weights, level, expanded, workers)
        places = _tiles(draft.bottoms + response.reach, draft.lefts + response.reach, draft.free, weights.shape)
        held = _precision(draft, places, workers) if precision is None else precision
        draft.matrix[draft.own, 0] += held.astype(np.float32)
        tiles, prior_weight, noise = _invert(draft, held, places, variance, workers)
    noise[:, 1:] /= time
    return System(
        stars=stars, boxes=draft.boxes, bottoms=draft.bottoms, lefts=draft.lefts, reaches=draft.reaches,
        indptr=draft.indptr, indices=draft.indices, matrix=draft.matrix, free=draft.free, tiles=tiles, noise=noise,
        weights=weights, precision=held, prior_weight=prior_weight, corner=corner, shape=weights.shape,
    )  # fmt: skip


@dataclass(frozen=True, eq=False)
class _Draft:
    """A system on its way: stars as drawn, and the normal matrix.

    `own` are the entries of the matrix that are a star's with itself, and `alone` what these were if no pixel were
    outside the image.
    """

    stars: Stars
    drawn: Float
    boxes: Float
    bottoms: NDArray[np.int64]
    lefts: NDArray[np.int64]
    reaches: NDArray[np.int64]
    indptr: NDArray[np.int64]
    indices: NDArray[np.int64]
    matrix: Float
    own: NDArray[np.int64]
    alone: Array
    free: NDArray[np.bool_]

    def normal(self) -> tuple[NDArray[np.int64], NDArray[np.int64], Float]:
        """The normal matrix where the stars are drawn."""
        return self.indptr, self.indices, np.ascontiguousarray(self.matrix[:, 0])


def _draw(
    stars: Stars,
    response: PixelResponse,
    corner: tuple[int, int],
    weights: Float,
    level: float,
    expanded: bool,
    workers: Workers,
) -> _Draft:
    """Draw the stars, weigh them, and multiply each with its neighbours."""
    bottoms, lefts = box_corners(stars.column, stars.row, corner, response.reach)
    rows, columns = bottoms + response.reach, lefts + response.reach
    high, wide = weights.shape
    inside = (rows >= 0) & (rows < high) & (columns >= 0) & (columns < wide)
    count, side = len(stars), 2 * response.reach + 1
    reaches = _reaches(stars.flux, level, response.reach)
    drawn = np.empty((count, 6 if expanded else 1, side, side), dtype=np.float32)
    boxes = np.zeros((count, 3, side, side), dtype=np.float32)
    whole, alone = np.zeros(count), np.zeros(count)

    def draw(first: int, last: int) -> None:
        drawn[first:last] = response.boxes(stars.column[first:last], stars.row[first:last], 2 if expanded else 0)
        _kernel("_weigh")(drawn, weights, bottoms, lefts, reaches, first, last, boxes, whole, alone)

    indptr, indices = _neighbours(rows, columns, reaches + response.reach)
    matrix = np.zeros((len(indices), 12), dtype=np.float32)
    lists = boxes, drawn, bottoms, lefts, reaches, indptr, indices
    spans = [(part.start, part.stop) for part in parts(count, _CHUNK)]
    workers.each(draw, spans)
    workers.each(lambda first, last: _kernel("_multiply")(*lists, first, last, matrix), spans)
    own = np.flatnonzero(indices == np.repeat(np.arange(count), np.diff(indptr)))
    # A star of which no pixel can be used stays what it is expected to be.
    free = inside & (matrix[own, 0] > 1e-6 * np.maximum(whole, 1e-30))
    return _Draft(stars, drawn, boxes, bottoms, lefts, reaches, indptr, indices, matrix, own, alone, free)


def _precision(draft: _Draft, places: _Places, workers: Workers) -> Array:
    """Prior on the flux of each star that its neighbours make too uncertain, 0 for the others."""
    normal = draft.normal()
    inflated = np.zeros(len(draft.stars))

    def look(own: NDArray[np.int64], members: NDArray[np.int64]) -> None:
        rows, inverse = _inverted(own, members, normal)
        inflated[own] = inverse[np.arange(len(own)), rows]

    workers.each(look, places)
    blended = draft.free & ~((inflated > 0) & (inflated * draft.alone <= BLENDED**2))
    width = PRIOR_WIDTH * np.maximum(np.abs(np.nan_to_num(draft.stars.flux)), 1.0)
    return np.where(blended, 1.0 / width**2, 0.0)


def _invert(
    draft: _Draft, precision: Array, places: _Places, variance: Float, workers: Workers
) -> tuple[tuple[Tile, ...], Array, Array]:
    """The tiles with their inverses; how much of each flux is the prior's; the variance of each, by its terms."""
    normal = draft.normal()
    tiles: list[Tile] = []
    prior_weight = np.where(draft.free, 0.0, 1.0)
    noise = np.zeros((len(draft.stars), 3))
    boxes = draft.boxes, draft.drawn, draft.bottoms, draft.lefts, draft.reaches

    def invert(own: NDArray[np.int64], members: NDArray[np.int64]) -> None:
        rows, inverse = _inverted(own, members, normal)
        prior_weight[own] = inverse[np.arange(len(own)), rows] * precision[own]
        made = Tile(own, members, inverse.astype(np.float32))
        _kernel("_spread")(made.inverse, made.stars, made.members, *boxes, variance, noise)
        tiles.append(made)

    workers.each(invert, places)
    return tuple(tiles), np.clip(prior_weight, 0.0, 1.0), noise


def _reaches(flux: Array, level: float, most: int) -> NDArray[np.int64]:
    """Half the widths of the boxes that stars are measured in: brighter ones tell from further out."""
    ratio = _PEAK * np.nan_to_num(flux) / level
    reaches = np.full(len(flux), _REACHES[0][1], dtype=np.int64)
    for least, reach in _REACHES:
        reaches[ratio >= least] = reach
    return np.minimum(reaches, most)


def _neighbours(
    row: NDArray[np.int64], column: NDArray[np.int64], radius: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Stars whose box meets the one a star is measured in, itself included: pointers and indices."""
    from scipy.spatial import cKDTree

    count = len(row)
    tree = cKDTree(np.column_stack([column, row]))
    pairs = tree.query_pairs(float(radius.max()) + 0.5 if count else 1.0, p=np.inf, output_type="ndarray")
    every = np.arange(count)
    one = np.concatenate([pairs[:, 0], pairs[:, 1], every])
    other = np.concatenate([pairs[:, 1], pairs[:, 0], every])
    apart = np.maximum(np.abs(row[one] - row[other]), np.abs(column[one] - column[other]))
    meets = apart <= radius[one]
    one, other = one[meets], other[meets]
    order = np.lexsort((other, one))
    indptr = np.concatenate([[0], np.cumsum(np.bincount(one, minlength=count))])
    return indptr.astype(np.int64), other[order].astype(np.int64)


def _tiles(
    row: NDArray[np.int64], column: NDArray[np.int64], free: NDArray[np.bool_], shape: tuple[int, int]
) -> _Places:
    """Own stars of each tile, and these with those of its rim."""
    across = -(-shape[1] // TILE)
    number = np.where(free, (row // TILE) * across + column // TILE, -1)
    order = np.argsort(number, kind="stable")
    order = order[np.searchsorted(number[order], 0) :]
    # Stars in order of rows: those about a tile are a run of them.
    by_row = np.flatnonzero(free)
    by_row = by_row[np.argsort(row[by_row], kind="stable")]
    sorted_rows = row[by_row]
    starts = np.flatnonzero(np.concatenate([[True], np.diff(number[order]) != 0])) if order.size else np.empty(0, int)
    made = []
    for own in np.split(order, starts[1:]) if order.size else []:
        first_row, first_column = row[own[0]] // TILE * TILE, column[own[0]] // TILE * TILE
        run = slice(*np.searchsorted(sorted_rows, [first_row - RIM, first_row + TILE + RIM]))
        near = by_row[run]
        aside = (column[near] >= first_column - RIM) & (column[near] < first_column + TILE + RIM)
        made.append((own, np.sort(near[aside])))
    return made


def _inverted(
    own: NDArray[np.int64],
    members: NDArray[np.int64],
    normal: tuple[NDArray[np.int64], NDArray[np.int64], Float],
) -> tuple[NDArray[np.int64], Array]:
    """Rows of a tile's inverse for its own stars, and which of the members these are."""
    dense = np.zeros((len(members), len(members)))
    _kernel("_dense")(*normal, members, dense)
    rows = np.searchsorted(members, own)
    columns = np.zeros((len(members), len(own)))
    columns[rows, np.arange(len(own))] = 1.0
    _kernel("solve_small")(np.ascontiguousarray(dense.T), columns)
    return rows, np.ascontiguousarray(columns.T)


@cache
def _kernel(name: str) -> Any:
    from numba import njit

    return njit(cache=True, nogil=True, fastmath=True)(globals()[name])


def _weigh(drawn, weights, bottoms, lefts, reaches, first, last, boxes, whole, alone):  # type: ignore[no-untyped-def]
    """Weighted boxes; what a star's own product would be if no pixel lacked, and if none were outside. By numba."""
    high, wide = weights.shape
    side = drawn.shape[2]
    middle = side // 2
    terms = min(drawn.shape[1], 3)
    for star in range(first, last):
        usual = lost = outside = total = own = 0.0
        used = 0
        for j in range(middle - reaches[star], middle + reaches[star] + 1):
            for k in range(middle - reaches[star], middle + reaches[star] + 1):
                r, c = bottoms[star] + j, lefts[star] + k
                within = 0 <= r < high and 0 <= c < wide
                share = drawn[star, 0, j, k]
                if within and weights[r, c] > 0:
                    weight = weights[r, c]
                    for term in range(terms):
                        boxes[star, term, j, k] = weight * drawn[star, term, j, k]
                    own += weight * share * share
                    usual += weight
                    used += 1
                else:
                    lost += share * share
                total += share * share
                if not within:
                    outside += share * share
        # What is outside has no weight of its own, and what is masked none: they get that of the other pixels.
        whole[star] = own + (lost * usual / used if used else 0.0)
        alone[star] = own * total / max(total - outside, 1e-12 * total)


def _multiply(boxes, drawn, bottoms, lefts, reaches, indptr, indices, first, last, matrix):  # type: ignore[no-untyped-def]
    """Products of each star's weighted box with the images of its neighbours. Compiled by numba."""
    side = drawn.shape[2]
    middle = side // 2
    expanded = drawn.shape[1] == 6
    for one in range(first, last):
        low, top = middle - reaches[one], middle + reaches[one] + 1
        for at in range(indptr[one], indptr[one + 1]):
            other = indices[at]
            down, right = bottoms[one] - bottoms[other], lefts[one] - lefts[other]
            j0, j1 = max(low, -down), min(top, side - down)
            k0, k1 = max(low, -right), min(top, side - right)
            if not expanded:
                total = np.float32(0.0)
                for j in range(j0, j1):
                    for k in range(k0, k1):
                        total += boxes[one, 0, j, k] * drawn[other, 0, j + down, k + right]
                matrix[at, 0] = total
                continue
            s0, sx, sy = np.float32(0.0), np.float32(0.0), np.float32(0.0)
            sxx, sxy, syy = np.float32(0.0), np.float32(0.0), np.float32(0.0)
            x0, xx, xy = np.float32(0.0), np.float32(0.0), np.float32(0.0)
            y0, yx, yy = np.float32(0.0), np.float32(0.0), np.float32(0.0)
            c0, c1, c2, c3 = np.float32(0.0), np.float32(0.0), np.float32(0.0), np.float32(0.0)
            for j in range(j0, j1):
                for k in range(k0, k1):
                    q, qx, qy = boxes[one, 0, j, k], boxes[one, 1, j, k], boxes[one, 2, j, k]
                    p = drawn[other, 0, j + down, k + right]
                    px, py = drawn[other, 1, j + down, k + right], drawn[other, 2, j + down, k + right]
                    s0 += q * p
                    sx += q * px
                    sy += q * py
                    pxx, pxy = drawn[other, 3, j + down, k + right], drawn[other, 4, j + down, k + right]
                    pyy = drawn[other, 5, j + down, k + right]
                    sxx += q * pxx
                    sxy += q * pxy
                    syy += q * pyy
                    c0 += qx * pxx
                    c1 += qx * pxy + qy * pxx
                    c2 += qx * pyy + qy * pxy
                    c3 += qy * pyy
                    x0 += qx * p
                    xx += qx * px
                    xy += qx * py
                    y0 += qy * p
                    yx += qy * px
                    yy += qy * py
            matrix[at, 0] = s0
            matrix[at, 1], matrix[at, 2] = sx + x0, sy + y0
            matrix[at, 3], matrix[at, 4], matrix[at, 5] = sxx + xx, sxy + xy + yx, syy + yy
            matrix[at, 6], matrix[at, 7] = sx, sy
            # Third derivatives are not drawn: by parts, with steady weights, they take a third of this away.
            third = np.float32(2.0 / 3.0)
            matrix[at, 8], matrix[at, 9] = third * c0, third * c1
            matrix[at, 10], matrix[at, 11] = third * c2, third * c3


def _dense(indptr, indices, values, members, dense):  # type: ignore[no-untyped-def]
    """The normal matrix of a tile; members and indices are in order. Compiled by numba."""
    for row in range(len(members)):
        place = 0
        for at in range(indptr[members[row]], indptr[members[row] + 1]):
            other = indices[at]
            while place < len(members) and members[place] < other:
                place += 1
            if place < len(members) and members[place] == other:
                dense[row, place] = values[at]


def solve_small(matrix, sides):  # type: ignore[no-untyped-def]
    """Solve ``matrix x = side`` for each column of `sides`, in place; both are overwritten. Compiled by numba.

    The matrix is all but symmetric and positive, so that no pivots are sought. Matrices of tiles are too small for the
    threads that a linear algebra library would start.
    """
    size, count = sides.shape
    for k in range(size):
        # Two stars in one place have no solution of their own: both keep a share.
        pivot = matrix[k, k]
        if pivot < 1e-30:
            pivot = 1e-30
            matrix[k, k] = pivot
        for i in range(k + 1, size):
            factor = matrix[i, k] / pivot
            if factor != 0.0:
                for j in range(k + 1, size):
                    matrix[i, j] -= factor * matrix[k, j]
                for side in range(count):
                    sides[i, side] -= factor * sides[k, side]
    for k in range(size - 1, -1, -1):
        for j in range(k + 1, size):
            factor = matrix[k, j]
            if factor != 0.0:
                for side in range(count):
                    sides[k, side] -= factor * sides[j, side]
        for side in range(count):
            sides[k, side] /= matrix[k, k]


def _spread(inverse, stars, members, boxes, drawn, bottoms, lefts, reaches, variance, noise):  # type: ignore[no-untyped-def]
    """Variance of the fluxes of a tile's stars: with what weight each pixel enters them. Compiled by numba."""
    high, wide = variance.shape
    side = boxes.shape[2]
    middle = side // 2
    bottom, left, top, right = high, wide, 0, 0
    for at in range(len(members)):
        bottom, left = min(bottom, bottoms[members[at]]), min(left, lefts[members[at]])
        top, right = max(top, bottoms[members[at]] + side), max(right, lefts[members[at]] + side)
    bottom, left, top, right = max(bottom, 0), max(left, 0), min(top, high), min(right, wide)
    weight = np.zeros((max(top - bottom, 0), max(right - left, 0)), np.float32)
    for row in range(len(stars)):
        star = stars[row]
        weight[:] = 0.0
        for at in range(len(members)):
            share = inverse[row, at]
            other = members[at]
            low, begin = bottoms[other], lefts[other]
            first, last = middle - reaches[other], middle + reaches[other] + 1
            k0, k1 = max(first, -begin), min(last, wide - begin)
            for j in range(max(first, -low), min(last, high - low)):
                r = low + j - bottom
                for k in range(k0, k1):
                    weight[r, begin - left + k] += share * boxes[other, 0, j, k]
        total, plain, own = 0.0, 0.0, 0.0
        for r in range(bottom, top):
            for c in range(left, right):
                square = weight[r - bottom, c - left] ** 2
                total += square * variance[r, c]
                plain += square
        low, begin = bottoms[star], lefts[star]
        for j in range(max(0, bottom - low), min(side, top - low)):
            for k in range(max(0, left - begin), min(side, right - begin)):
                own += weight[low + j - bottom, begin + k - left] ** 2 * drawn[star, 0, j, k]
        noise[star, 0], noise[star, 1], noise[star, 2] = total, plain, own
