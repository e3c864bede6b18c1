"""The light of a field's stars as images: what to take off a frame before the sky is measured."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tessellar.errors import InputError
from tessellar.pixels.response import box_corners

if TYPE_CHECKING:
    from tessellar.pixels.response import PixelResponse
    from tessellar.pixels.stars import StarField

# Stars are drawn this many at a time: their boxes with six terms take 50 MB.
_CHUNK = 10_000
# Pixels with more starlight than this, e-/s, are not asked for the sky: a response that is wrong by 2 % shows there.
_BRIGHT = 50.0
# Flux above which pixels saturate and bleed along columns, e-/s, and that above which wings are masked.
_SATURATED = 3.0e5
_WINGS = 3.0e4


@dataclass(frozen=True, eq=False)
class StarModel:
    """All stars of a field on one image, and how it changes when they move.

    Attributes
    ----------
    terms : float32 array (6, rows, columns)
        The image, its slopes along columns and rows, and second derivatives; see `PixelResponse.boxes`. The image
        alone, (1, rows, columns), of a model that was fitted without ``moves``.
    masked : boolean array (rows, columns)
        Pixels with too much starlight to see the sky.
    fluxes : array (n,)
        Of the stars, e-/s.
    faintest : float
        Flux of the faintest stars of the catalogue, e-/s: what it lacks is fainter.
    """

    terms: NDArray[np.float32]
    masked: NDArray[np.bool_]
    fluxes: NDArray[np.float64]
    faintest: float

    @classmethod
    def fit(
        cls,
        image: NDArray[np.floating[Any]],
        corner: tuple[int, int],
        stars: StarField,
        response: PixelResponse,
        *,
        sky: float = 100.0,
        prior: float = 0.2,
        sweeps: int = 12,
        start: NDArray[np.float64] | None = None,
        moves: bool = True,
    ) -> StarModel:
        """Fit the fluxes of all stars to an image without sky.

        Parameters
        ----------
        image : array (rows, columns)
            Background-subtracted, e-/s, best a mean of several frames; NaN where missing.
        corner : (int, int)
            CCD column and row of its pixel [0, 0], 1-based.
        stars : StarField
            Their magnitudes are where the fit begins and where its prior lies.
        response : PixelResponse
            Where their light falls.
        sky : float
            Level of the sky, e-/s, for the weights.
        prior : float
            Relative error of the fluxes from magnitudes: faint and blended stars stay near them.
        sweeps : int
            Times that each star is adjusted to what the others leave (Gauss-Seidel).
        start : array (n,), optional
            Fluxes to begin with, e-/s; by default those of the magnitudes.
        moves : bool
            Whether the model can be moved: its slopes take most of the time.
        """
        pixels = np.ascontiguousarray(image, dtype=np.float32)
        expected = stars.flux()
        boxes = response.boxes(stars.column, stars.row)[:, 0]
        bottoms, lefts = box_corners(stars.column, stars.row, corner, response.reach)
        weights = np.zeros_like(pixels)
        np.divide(1.0, sky + np.maximum(pixels, 0.0), out=weights, where=np.isfinite(pixels))
        residual = np.nan_to_num(pixels, nan=0.0, posinf=0.0, neginf=0.0)
        begin = residual.copy()
        fluxes = expected.copy() if start is None else np.array(start, dtype=np.float64)
        # Saturated pixels do not tell a flux: such stars keep the catalogue's.
        free = expected < _SATURATED
        _fitter()(residual, weights, boxes, bottoms, lefts, fluxes, expected, prior, free, sweeps)
        # What the fit took off is the image of the stars.
        terms = (begin - residual)[None]
        if moves:
            terms = np.zeros((6, *pixels.shape), dtype=np.float32)
            for part, drawn in _drawn_ahead(stars, response):
                _stacker()(terms, bottoms[part], lefts[part], fluxes[part], drawn)
        masked = terms[0] > _BRIGHT
        _mask_bright(masked, corner, stars, fluxes)
        return cls(terms, masked, fluxes, float(np.percentile(expected, 1)))

    def image(self, shift: tuple[float, float] = (0.0, 0.0)) -> NDArray[np.float32]:
        """Starlight with all stars moved by `shift` (columns, rows; px), e-/s."""
        dx, dy = (np.float32(value) for value in shift)
        if not dx and not dy:
            still: NDArray[np.float32] = self.terms[0]
            return still
        if len(self.terms) < 6:
            raise InputError("this model of stars was fitted without moves; fit it with them to move it")
        weights = np.array([1, dx, dy, dx * dx, dx * dy, dy * dy], dtype=np.float32)
        return np.asarray(np.tensordot(weights, self.terms, axes=1))

    def moved(self, kernel: NDArray[np.float64], corner: tuple[int, int]) -> NDArray[np.float32]:
        """Starlight with every star moved as an affine kernel says, e-/s.

        Parameters
        ----------
        kernel : array (6,)
            As `MovementKernel` has them, for 1-based CCD pixels.
        corner : (int, int)
            CCD column and row of the image's pixel [0, 0].
        """
        if len(self.terms) < 6:
            raise InputError("this model of stars was fitted without moves; fit it with them to move it")
        image = np.empty(self.masked.shape, dtype=np.float32)
        _mover()(self.terms, np.asarray(kernel, dtype=np.float64), corner[0], corner[1], image)
        return image


def _drawn_ahead(stars: StarField, response: PixelResponse) -> Iterator[tuple[slice, NDArray[np.float32]]]:
    """Boxes of some stars at a time, in their order, while a second thread draws the next ones."""
    parts = [slice(first, first + _CHUNK) for first in range(0, len(stars), _CHUNK)]
    with ThreadPoolExecutor(2) as pool:
        waiting: deque[tuple[slice, Future[NDArray[np.float32]]]] = deque()
        for part in parts:
            waiting.append((part, pool.submit(response.boxes, stars.column[part], stars.row[part], 2)))
            if len(waiting) > 2:
                first, drawn = waiting.popleft()
                yield first, drawn.result()
        while waiting:
            first, drawn = waiting.popleft()
            yield first, drawn.result()


def _mask_bright(
    masked: NDArray[np.bool_], corner: tuple[int, int], stars: StarField, fluxes: NDArray[np.float64]
) -> None:
    high, wide = masked.shape
    for star in np.flatnonzero(fluxes > _WINGS):
        x, y = stars.column[star] - corner[0], stars.row[star] - corner[1]
        radius = min(8.0 * (fluxes[star] / _WINGS) ** (1 / 3), 60.0)
        left, right = max(int(x - radius), 0), min(int(x + radius) + 2, wide)
        bottom, top = max(int(y - radius), 0), min(int(y + radius) + 2, high)
        if left < right and bottom < top:
            columns, rows = np.arange(left, right), np.arange(bottom, top)
            masked[bottom:top, left:right] |= np.hypot(columns[None, :] - x, rows[:, None] - y) <= radius
        if fluxes[star] > _SATURATED:
            length = 8 + fluxes[star] / 1.0e5
            rows_hit = slice(max(int(y - length), 0), max(int(y + length) + 2, 0))
            masked[rows_hit, max(int(x) - 2, 0) : max(int(x) + 4, 0)] = True


@cache
def _fitter() -> Any:
    from numba import njit

    return njit(cache=True, nogil=True)(_fit)


@cache
def _stacker() -> Any:
    from numba import njit

    return njit(cache=True, nogil=True)(_stack)


@cache
def _mover() -> Any:
    from numba import njit

    return njit(cache=True, nogil=True, fastmath=True)(_move)


def _move(terms, kernel, column, row, image):  # type: ignore[no-untyped-def]
    """Add up the six terms with the movement of each pixel. Compiled by numba."""
    high, wide = image.shape
    for j in range(high):
        y = row + j
        for k in range(wide):
            x = column + k
            dx = np.float32(kernel[0] * x + kernel[1] * y + kernel[2] - x)
            dy = np.float32(kernel[3] * x + kernel[4] * y + kernel[5] - y)
            image[j, k] = (
                terms[0, j, k]
                + dx * (terms[1, j, k] + dx * terms[3, j, k] + dy * terms[4, j, k])
                + dy * (terms[2, j, k] + dy * terms[5, j, k])
            )


def _fit(residual, weights, boxes, bottoms, lefts, fluxes, expected, prior, free, sweeps):  # type: ignore[no-untyped-def]
    """Adjust one star after the other to what all others leave. Compiled by numba."""
    high, wide = residual.shape
    side = boxes.shape[1]
    for sweep in range(sweeps + 1):
        for star in range(len(fluxes)):
            j0, j1 = max(0, -bottoms[star]), min(side, high - bottoms[star])
            k0, k1 = max(0, -lefts[star]), min(side, wide - lefts[star])
            change = 0.0
            if sweep == 0:
                # The first pass takes the catalogue's light off.
                change = fluxes[star]
            elif free[star]:
                pull = 0.0
                norm = 0.0
                for j in range(j0, j1):
                    for k in range(k0, k1):
                        share = boxes[star, j, k]
                        weight = weights[bottoms[star] + j, lefts[star] + k] * share
                        pull += weight * residual[bottoms[star] + j, lefts[star] + k]
                        norm += weight * share
                # Weights are those of one e-/s: a frame counts some 1,000 of them.
                held = 1.0e-3 / (prior * expected[star]) ** 2
                change = (pull + held * (expected[star] - fluxes[star])) / (norm + held)
                fluxes[star] += change
            if change != 0.0:
                for j in range(j0, j1):
                    for k in range(k0, k1):
                        residual[bottoms[star] + j, lefts[star] + k] -= change * boxes[star, j, k]


def _stack(terms, bottoms, lefts, fluxes, boxes):  # type: ignore[no-untyped-def]
    """Add boxes of six terms to six images. Compiled by numba."""
    high, wide = terms.shape[1:]
    for star in range(len(fluxes)):
        for term in range(terms.shape[0]):
            for j in range(max(0, -bottoms[star]), min(boxes.shape[2], high - bottoms[star])):
                for k in range(max(0, -lefts[star]), min(boxes.shape[3], wide - lefts[star])):
                    terms[term, bottoms[star] + j, lefts[star] + k] += fluxes[star] * boxes[star, term, j, k]
