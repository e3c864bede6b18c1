"""The linear fit of all stars of an image at once: pure functions over arrays.

Light in pixel k of a frame is ``sum_i F_i P_ik (+ offset)``. P is a star's response at its place in that frame, out of
six images drawn once at a reference place near it: P, dP/dx, dP/dy and the second derivatives, weighted with 1, dx, dy
and their products (`PixelResponse.boxes`), which is exact to some 1e-6 of the light up to 0.03 px. With weights W that
do not change within a part of the sector, and a prior of precision L on some fluxes about F0, the fluxes are

    (A' W A + L) F = A' W d + L F0,

solved exactly (Cholesky) in every frame. Their variance is that of the pixels through the same equations, whatever V
is against 1/W: with H = (A' W A + L)^-1 A' W, ``cov = H V H'``. W = 1/V would be the best there is (Gauss-Markov); as V
changes little over an orbit, less than 1 % is lost, and noise of a pixel never decides over its own weight.

Pixels of an image are counted from 0, ``image[row, column]``; `corner` is the CCD column and row of pixel [0, 0].
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tessellar.errors import InputError, PhotometryError
from tessellar.photometry.fitting.linearkernel import frame_solver
from tessellar.pixels.response import box_corners

if TYPE_CHECKING:
    from tessellar.pixels import PixelResponse

Array = NDArray[np.float64]

#: Frames whose shifts fall into one square of this size, px, share a reference: none is further from it than this.
SHIFT_STEP = 0.05
#: Relative width of the prior on the fluxes of stars that cannot be told apart.
PRIOR_WIDTH = 0.25
#: A star gets a prior when its neighbours make its error larger than this many times what it were alone.
BLENDED = 3.0
#: A star with less than this share of its light on the image, and less light there than this, e-/s, is not fitted: what
#: is expected of it is taken off.
FAR_SHARE, FAR_LIGHT = 0.02, 30.0
# Frames are copied for the kernel so many at a time.
_AT_ONCE = 512


@dataclass(frozen=True, eq=False)
class Basis:
    """Six images of each star, drawn where it is on average over some frames.

    Attributes
    ----------
    images : float32 array (k, 6, side, side)
        Shares of the light and their derivatives, as `PixelResponse.boxes` gives them.
    bottom, left : int64 array (k,)
        Row and column of each box's first pixel in the image, counted from 0; boxes may stick out.
    reference : array (k, 2)
        Shifts (columns, rows; px) at which they are drawn.
    """

    images: NDArray[np.float32]
    bottom: NDArray[np.int64]
    left: NDArray[np.int64]
    reference: Array

    def __len__(self) -> int:
        return len(self.images)

    def chosen(self, which: NDArray[np.int64]) -> Basis:
        """The basis of some of the stars."""
        return Basis(self.images[which], self.bottom[which], self.left[which], self.reference[which])

    def drawn(self, shape: tuple[int, int], shift: Array | None = None) -> Array:
        """Images of all stars at unit flux, (k, rows, columns), with `shift` (k, 2) against the reference place."""
        out = np.zeros((len(self), *shape))
        side = self.images.shape[-1]
        boxes: NDArray[Any] = self.images[:, 0]
        if shift is not None:
            x, y = np.asarray(shift, dtype=np.float64).T
            terms = np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=1)
            images = self.images.reshape(len(self), 6, -1).astype(np.float64)
            boxes = (terms[:, None, :] @ images).reshape(len(self), side, side)
        for star, box in enumerate(boxes):
            j, k = int(self.bottom[star]), int(self.left[star])
            high, wide = min(j + side, shape[0]), min(k + side, shape[1])
            if high > max(j, 0) and wide > max(k, 0):
                out[star, max(j, 0) : high, max(k, 0) : wide] = box[max(-j, 0) : high - j, max(-k, 0) : wide - k]
        return out


@dataclass(frozen=True, eq=False)
class LinearFit:
    """Fluxes of all stars in some frames.

    Attributes
    ----------
    flux : array (n, k)
        e-/s; NaN in frames that have no solution.
    variance : array (n, m)
        Of the wanted stars, (e-/s)**2.
    offset : array (n,)
        Fitted constant background, e-/s/px; 0 where none was asked for.
    """

    flux: Array
    variance: Array
    offset: Array


def draw_basis(
    column: ArrayLike,
    row: ArrayLike,
    reference: ArrayLike,
    corner: tuple[int, int],
    response: PixelResponse,
    derivatives: int = 2,
) -> Basis:
    """Draw the six images of each star.

    Parameters
    ----------
    column, row : array-like (k,)
        Places in the reference frame, CCD pixels, 1-based.
    reference : array-like (k, 2)
        Shifts to add to them: those of the middle of the frames that will use these images.
    corner : (int, int)
        CCD column and row of the image's pixel [0, 0].
    response : PixelResponse
    derivatives : int
        2 for a fit; with 0 the images of the light alone are drawn, which are to be seen and not to be moved.
    """
    moved = np.asarray(reference, dtype=np.float64)
    x, y = np.asarray(column, np.float64) + moved[:, 0], np.asarray(row, np.float64) + moved[:, 1]
    bottom, left = box_corners(x, y, corner, response.reach)
    return Basis(response.boxes(x, y, derivatives=derivatives), bottom, left, moved)


def shift_groups(shifts: Array, segments: NDArray[Any], step: float = SHIFT_STEP) -> NDArray[np.int64]:
    """Which frames may share one basis: of one part of the sector, with shifts less than `step` apart.

    Parameters
    ----------
    shifts : array (n, k, 2)
        Columns and rows to add to each star's place in each frame, px.
    segments : int array (n,)
    step : float

    Returns
    -------
    int64 array (n,)
        Number of each frame's group, from 0; -1 where shifts are not known.

    Examples
    --------
    >>> import numpy as np
    >>> from tessellar.photometry.fitting.linear import shift_groups
    >>> shifts = np.zeros((4, 1, 2))
    >>> shifts[1:, 0, 0] = 0.01, 0.3, np.nan
    >>> shift_groups(shifts, np.zeros(4, int)).tolist()
    [0, 0, 1, -1]
    """
    groups = np.full(len(shifts), -1, dtype=np.int64)
    known = np.isfinite(shifts).all(axis=(1, 2))
    if known.any():
        middle = np.einsum("nks->ns", shifts[known]) / max(shifts.shape[1], 1)
        # Squares lie about the median, so that small movements fall into one.
        cells = np.rint((middle - np.median(middle, axis=0)) / step).astype(np.int64)
        keys = np.column_stack([np.asarray(segments)[known], cells])
        groups[known] = np.unique(keys, axis=0, return_inverse=True)[1].ravel()
    return groups


def normal_matrix(basis: Basis, weights: Array, *, offset: bool = False) -> Array:
    """A' W A at the reference place, (k, k), or (k + 1, k + 1) with the offset as last term."""
    light = basis.drawn(weights.shape).reshape(len(basis), weights.size)
    if offset:
        light = np.concatenate([light, np.ones((1, weights.size))])
    return np.asarray((light * weights.ravel()) @ light.T)


def prior_precision(
    basis: Basis,
    weights: Array,
    expected: Array,
    *,
    offset: bool = False,
    width: float = PRIOR_WIDTH,
    blended: float = BLENDED,
) -> Array:
    """Precision of the prior on each star's flux: 0 for all that the pixels can tell from their neighbours.

    A star whose error, were all fluxes free, is more than `blended` times what it would be if it stood alone
    with its whole box on the pixels, is held to its expected flux with the relative error `width`.

    Parameters
    ----------
    basis : Basis
    weights : array (rows, columns)
        Inverse variances of pixels, in (e-/s)**-2; 0 where a pixel is not used.
    expected : array (k,)
        Fluxes to expect, e-/s: of a mean image, or of magnitudes.
    offset : bool
        Whether a constant is fitted too.
    width, blended : float

    Returns
    -------
    array (k,)
        (e-/s)**-2.
    """
    count = len(basis)
    normal = normal_matrix(basis, weights, offset=offset)
    own = np.diag(normal)[:count].copy()
    whole = (basis.images[:, 0].astype(np.float64) ** 2).sum(axis=(1, 2))
    inside = (basis.drawn(weights.shape) ** 2).sum(axis=(1, 2))
    alone = own * whole / np.maximum(inside, 1e-12 * whole)
    size = np.sqrt(np.maximum(np.diag(normal), 1e-30))
    # Of unit diagonal, so that a tiny ridge means the same to bright and faint, near and far.
    scaled = normal / np.outer(size, size) + 1e-10 * np.eye(len(normal))
    inflated = np.diag(np.linalg.inv(scaled))[:count] / np.maximum(size[:count] ** 2, 1e-30)
    free = (alone > 0) & (inflated * alone <= blended**2) & (inflated > 0)
    flux = np.where(np.isfinite(expected), np.abs(expected), 0.0)
    return np.asarray(np.where(free, 0.0, 1.0 / (width * np.maximum(flux, 1.0)) ** 2))


def prior_weight(basis: Basis, weights: Array, precision: Array, *, offset: bool = False) -> Array:
    """How much of each star's flux is the prior's word: 1 - d(measured)/d(true), (k,).

    0 where the pixels decide, 1 where only the prior does.
    """
    count = len(basis)
    normal = normal_matrix(basis, weights, offset=offset)
    held = normal.copy()
    held[np.arange(count), np.arange(count)] += precision
    size = np.sqrt(np.maximum(np.diag(held), 1e-30))
    response = np.linalg.solve(held / np.outer(size, size) + 1e-14 * np.eye(len(held)), normal / size[:, None])
    weight = 1.0 - np.diag(response)[:count] / size[:count]
    weight[precision == 0] = 0.0
    return np.asarray(np.clip(weight, 0.0, 1.0))


def fit_frames(
    images: NDArray[Any],
    variances: NDArray[Any],
    basis: Basis,
    shifts: Array,
    weights: Array,
    *,
    precision: Array | None = None,
    expected: Array | None = None,
    offset: bool = False,
    wanted: Sequence[int] | NDArray[Any] = (),
) -> LinearFit:
    """Fluxes of all stars in some frames that share a basis.

    Parameters
    ----------
    images : array (n, rows, columns)
        e-/s; what is not finite is left out, in its frame only.
    variances : array (n, rows, columns)
        Of the pixels, (e-/s)**2: they decide over the errors, not over the fluxes.
    basis : Basis
        From `draw_basis`.
    shifts : array (n, k, 2)
        Of each star in each frame (not counted from the basis' reference), px.
    weights : array (rows, columns)
        Inverse variances of the mean image, (e-/s)**-2; 0 where a pixel is not to be used.
    precision, expected : array (k,), optional
        Prior, see `prior_precision`; none if not given.
    offset : bool
        Fit a constant background too.
    wanted : sequence of int
        Indices of the stars whose variances are wanted.

    Returns
    -------
    LinearFit

    Raises
    ------
    InputError
        If shapes disagree.
    """
    count, shape = len(basis), images.shape[1:]
    if shifts.shape != (len(images), count, 2) or weights.shape != shape or variances.shape != images.shape:
        raise InputError(
            f"images {images.shape}, variances {variances.shape}, shifts {shifts.shape} and weights {weights.shape} "
            f"do not fit each other and {count} stars"
        )
    terms, chosen = count + int(offset), np.asarray(wanted, dtype=np.int64)
    held, centre = np.zeros(terms), np.zeros(terms)
    if precision is not None and expected is not None:
        held[:count], centre[:count] = precision, np.where(precision > 0, np.nan_to_num(expected), 0.0)
    flux, variance = np.empty((len(images), terms)), np.empty((len(images), len(chosen)))
    frame_solver()(
        np.ascontiguousarray(images, dtype=np.float32), np.ascontiguousarray(variances, dtype=np.float32),
        basis.images, basis.bottom, basis.left, np.asarray(shifts - basis.reference, dtype=np.float64),
        np.ascontiguousarray(weights, dtype=np.float64), held, centre, chosen, flux, variance,
    )  # fmt: skip
    return LinearFit(flux[:, :count], variance, flux[:, count] if offset else np.zeros(len(images)))


def fit_frames_plainly(
    images: NDArray[Any],
    variances: NDArray[Any],
    basis: Basis,
    shifts: Array,
    weights: Array,
    *,
    precision: Array | None = None,
    expected: Array | None = None,
    offset: bool = False,
    wanted: Sequence[int] | NDArray[Any] = (),
) -> LinearFit:
    """The same as `fit_frames`, a line of NumPy for a line of mathematics, frame by frame; slow."""
    count, chosen = len(basis), np.asarray(wanted, dtype=np.int64)
    flux, variance = np.full((len(images), count + int(offset)), np.nan), np.full((len(images), len(chosen)), np.nan)
    held = np.zeros(count + int(offset))
    centre = np.zeros_like(held)
    if precision is not None and expected is not None:
        held[:count], centre[:count] = precision, np.where(precision > 0, np.nan_to_num(expected), 0.0)
    for frame, image in enumerate(images):
        light = basis.drawn(weights.shape, shifts[frame] - basis.reference).reshape(count, -1)
        if offset:
            light = np.concatenate([light, np.ones((1, weights.size))])
        data = np.asarray(image, np.float64).ravel()
        use = np.isfinite(data) & (weights.ravel() > 0)
        light, data = light[:, use], data[use]
        weighted = light * weights.ravel()[use]
        normal = weighted @ light.T + np.diag(held)
        if np.linalg.matrix_rank(normal) < len(normal):
            continue
        flux[frame] = np.linalg.solve(normal, weighted @ data + held * centre)
        filters = np.linalg.solve(normal, weighted)[chosen]
        variance[frame] = filters**2 @ np.asarray(variances[frame], np.float64).ravel()[use]
    return LinearFit(flux[:, :count], variance, flux[:, count] if offset else np.zeros(len(images)))


@dataclass(frozen=True, eq=False)
class LinearSeries:
    """Fluxes of all stars in all frames of a sector.

    Attributes
    ----------
    flux : array (n, k)
        e-/s; NaN where shifts are not known, or a frame has no solution. Of stars with hardly any light on the image
        (`FAR_SHARE`) it is the expected one.
    variance : array (n, m)
        Of the wanted stars, (e-/s)**2.
    offset : array (n,)
        Fitted constant background, e-/s/px; 0 where none was asked for.
    precision, prior_weight : array (k,)
        The prior that was taken, and how much of each star's flux is its word; see `prior_weight`.
    basis : Basis
        Of the largest group of frames.
    """

    flux: Array
    variance: Array
    offset: Array
    precision: Array
    prior_weight: Array
    basis: Basis


def fit_series(
    images: NDArray[Any],
    variances: NDArray[Any],
    weights: Array,
    segments: NDArray[Any],
    column: Array,
    row: Array,
    expected: Array,
    shifts: Array,
    responses: Sequence[PixelResponse],
    corner: tuple[int, int],
    *,
    offset: bool = False,
    wanted: Sequence[int] | NDArray[Any] = (),
) -> LinearSeries:
    """Fluxes of all stars in all frames: groups of frames share a basis, drawn where they are on average.

    Parameters
    ----------
    images, variances : array (n, rows, columns)
        e-/s and its square; pixels that are not finite are left out, in their frame only.
    weights : array (s, rows, columns)
        Inverse variances of the mean image of each part of the sector, (e-/s)**-2; 0 where a pixel is not to be used.
    segments : int array (n,)
        Part of each frame, from 0.
    column, row, expected : array (k,)
        Places in the reference frame (CCD pixels, 1-based), and fluxes to expect, e-/s.
    shifts : array (n, k, 2)
        What to add to the places in each frame, px; NaN where not known.
    responses : sequence of PixelResponse
        One for each part, or one for all.
    corner : (int, int)
        CCD column and row of pixel [0, 0].
    offset : bool
        Fit a constant background in each frame too.
    wanted : sequence of int
        Stars whose variances are wanted.

    Raises
    ------
    InputError
        If shapes disagree.
    PhotometryError
        If no frame has known shifts.
    """
    shifts = np.ascontiguousarray(shifts)
    groups = shift_groups(shifts, segments)
    if not (groups >= 0).any():
        raise PhotometryError("the stars' movement is known in no cadence: give times and a movement")
    flux, variance = np.full(shifts.shape[:2], np.nan), np.full((len(images), len(wanted)), np.nan)
    constant = np.full(len(images), np.nan)
    main: Basis | None = None
    for group in np.argsort(-np.bincount(groups[groups >= 0]), kind="stable"):
        frames = np.flatnonzero(groups == group)
        part = int(segments[frames[0]])
        response = responses[0 if len(responses) == 1 else part]
        middle = np.median(shifts[frames], axis=0)
        if main is None:
            # Decided once, in the largest group, so that no star changes its terms within the sector.
            main = draw_basis(column, row, middle, corner, response)
            roles = _roles(main, weights[part], expected, offset, wanted)
            near, far = roles.near, roles.far
            fitted, afar = main.chosen(near), main.chosen(far)
        else:
            fitted = draw_basis(column[near], row[near], middle[near], corner, response)
            afar = draw_basis(column[far], row[far], middle[far], corner, response, derivatives=0)
        distant = np.tensordot(roles.distant[far], afar.drawn(weights.shape[1:]), axes=1).astype(np.float32)
        for some in np.array_split(frames, -(-len(frames) // _AT_ONCE)):
            fit = fit_frames(
                images[some] - distant, variances[some], fitted, shifts[some][:, near], weights[part],
                precision=roles.precision[near], expected=expected[near], offset=offset,
                wanted=np.searchsorted(near, wanted),
            )  # fmt: skip
            flux[np.ix_(some, near)], variance[some], constant[some] = fit.flux, fit.variance, fit.offset
    assert main is not None
    flux[:, roles.far] = np.where(groups[:, None] >= 0, roles.distant[roles.far], np.nan)
    return LinearSeries(flux, variance, constant, roles.precision, roles.prior_weight, main)


@dataclass(frozen=True, eq=False)
class _Roles:
    """Which stars are fitted, with what prior, and which are only taken off (`distant`: their light, 0 for others)."""

    near: NDArray[np.int64]
    far: NDArray[np.int64]
    distant: Array
    precision: Array
    prior_weight: Array


def _roles(basis: Basis, weights: Array, expected: Array, offset: bool, wanted: Sequence[int] | NDArray[Any]) -> _Roles:
    known = np.nan_to_num(expected)
    share = basis.drawn(weights.shape).sum(axis=(1, 2))
    fitted = (share >= FAR_SHARE) | (share * known >= FAR_LIGHT)
    fitted[np.asarray(wanted, dtype=np.int64)] = True
    near = np.flatnonzero(fitted).astype(np.int64)
    precision, held = 1 / (PRIOR_WIDTH * np.maximum(known, 1.0)) ** 2, np.ones(len(basis))
    some = basis.chosen(near)
    precision[near] = prior_precision(some, weights, expected[near], offset=offset)
    held[near] = prior_weight(some, weights, precision[near], offset=offset)
    return _Roles(near, np.flatnonzero(~fitted).astype(np.int64), np.where(fitted, 0.0, known), precision, held)
