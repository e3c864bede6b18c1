"""Drawing the starlight of a frame, without noise: faint constant stars at once, all others one by one.

Faint stars that do not vary are drawn once, as images of the light and of its first and second
derivatives; in each frame these are added with the movement at each pixel as weights. What that leaves out is the third
order: some 1e-7 of a star's light at 0.01 px, 1e-4 in a momentum dump. Bright, variable and
saturated stars are drawn anew in each frame, where they are in it. The halos of all stars follow to first order.
"""

from __future__ import annotations

from concurrent.futures import Executor
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tessellar.pixels.response import PixelResponse, add_stars, box_corners
from tessellar.simulate.fields import MIDDLE
from tessellar.simulate.frames.motion import Motion
from tessellar.simulate.frames.population import Population
from tessellar.simulate.frames.responses import WING_REACH, WING_SHARE, wing_kernel
from tessellar.simulate.frames.variables import Variables

FloatArray = NDArray[np.float64]
Image = NDArray[np.float32]

#: Stars brighter than this are drawn where they are in each frame.
EXACT = 12.0
# Those fainter than this, which no catalogue has, take the response of the middle of their block of pixels, at the
# nearest of 8 x 8 places within the pixel, and from there its first and second derivatives: 1e-4 of their light.
_FAINT, _BLOCK, _PHASES = 16.0, 128, 8
_CHUNK = 4096
# A halo that changes by less than this, e-/s/px at its middle, is not followed.
_HALO_CHANGE = 0.01


@dataclass(frozen=True)
class Starlight:
    """The stars of a window, ready to be drawn.

    Attributes
    ----------
    corner, shape : (int, int)
        First CCD column and row (1-based); rows and columns.
    still : float32 array, (6, rows, columns)
        Light of the faint constant stars and its derivatives, halos of all stars with it: P, dP/dx, dP/dy,
        half d2P/dx2, d2P/dxdy, half d2P/dy2 (e-/s).
    halos : float32 array, (rows, columns)
        Light of all stars beyond the response, e-/s.
    exact : int64 array
        Stars that are drawn one by one.
    """

    corner: tuple[int, int]
    shape: tuple[int, int]
    population: Population
    variables: Variables
    response: PixelResponse
    motion: Motion
    still: Image
    halos: Image
    exact: NDArray[np.int64]

    def flux(self, frame: int) -> FloatArray:
        """Light of the stars that are drawn one by one, e-/s, all of it."""
        flux = self.population.flux[self.exact]
        flux[np.searchsorted(self.exact, self.variables.star)] *= self.variables.relative[:, frame]
        return flux

    def image(self, frame: int) -> Image:
        """All starlight of one frame, (rows, columns), e-/s."""
        affine, blur = self.motion.affine[frame], self.motion.blur[frame]
        image = np.empty(self.shape, dtype=np.float32)
        _compiled("move")(self.still, affine, blur, *self._offsets(), image)
        column, row = self.motion.places(frame, self.population.column[self.exact], self.population.row[self.exact])
        flux = self.flux(frame)
        core = (1 - WING_SHARE) * flux
        if blur.any():
            self._add_blurred(image, column, row, core, blur)
        else:
            add_stars(image, self.corner, column, row, core, self.response)
        self._follow_halos(image, frame)
        return image

    def _add_blurred(self, image: Image, column: FloatArray, row: FloatArray, flux: FloatArray, blur: Any) -> None:
        boxes = self.response.boxes(column, row, derivatives=2)
        spread = boxes[:, 0] + np.float32(blur[0]) * boxes[:, 3]
        spread += np.float32(blur[1]) * boxes[:, 4] + np.float32(blur[2]) * boxes[:, 5]
        _compiled("add")(
            image[None], *box_corners(column, row, self.corner, self.response.reach), flux, spread[:, None]
        )

    def _follow_halos(self, image: Image, frame: int) -> None:
        star = self.variables.star
        change = self.population.flux[star] * (self.variables.relative[:, frame] - 1) * WING_SHARE
        kernel = _kernel()
        kept = np.abs(change) * kernel.max() > _HALO_CHANGE
        if kept.any():
            places = self.population.column[star][kept], self.population.row[star][kept]
            boxes = np.broadcast_to(kernel, (int(kept.sum()), 1, *kernel.shape))
            _compiled("add")(image[None], *box_corners(*places, self.corner, WING_REACH), change[kept], boxes)

    def _offsets(self) -> tuple[float, float]:
        return self.corner[0] - MIDDLE[0], self.corner[1] - MIDDLE[1]


def place_starlight(
    population: Population,
    variables: Variables,
    response: PixelResponse,
    motion: Motion,
    corner: tuple[int, int],
    shape: tuple[int, int],
    pool: Executor,
) -> Starlight:
    """Draw what does not change, once.

    Parameters
    ----------
    population, variables, response, motion
        The stars, those that vary, where their light falls and how they move.
    corner, shape : (int, int)
        First CCD column and row (1-based) of the window; its rows and columns.
    pool : Executor
        Threads to draw in; the result does not depend on their number.
    """
    single = population.tmag < EXACT
    single[variables.star] = True
    still = np.zeros((6, *shape), dtype=np.float32)
    near = _reaches(population, corner, shape, response.reach)
    several = ~single & near
    _draw_each(still, population, np.flatnonzero(several & (population.tmag <= _FAINT)), response, corner, pool)
    _draw_faint(still, population, np.flatnonzero(several & (population.tmag > _FAINT)), response, corner)
    halos = _halos(population, corner, shape)
    still[:3] += halos
    exact = np.flatnonzero(single & (near | np.isin(np.arange(len(population)), variables.star)))
    return Starlight(corner, shape, population, variables, response, motion, still, halos[0], exact)


def _draw_each(
    still: Image,
    population: Population,
    stars: NDArray[np.int64],
    response: PixelResponse,
    corner: tuple[int, int],
    pool: Executor,
) -> None:
    """Draw constant stars, each at its own place."""
    parts = [stars[start : start + _CHUNK] for start in range(0, len(stars), _CHUNK)]

    def drawn(part: NDArray[np.int64]) -> tuple[Any, ...]:
        column, row = population.column[part], population.row[part]
        return box_corners(column, row, corner, response.reach), response.boxes(column, row, derivatives=2)

    flux = (1 - WING_SHARE) * population.flux
    # A few parts at a time, for the boxes take memory.
    for start in range(0, len(parts), 8):
        some = parts[start : start + 8]
        for part, (corners, boxes) in zip(some, pool.map(drawn, some), strict=True):
            _compiled("add")(still, *corners, flux[part], boxes)


def _draw_faint(
    still: Image, population: Population, stars: NDArray[np.int64], response: PixelResponse, corner: tuple[int, int]
) -> None:
    """Draw the many faint stars, block by block."""
    column, row = population.column[stars], population.row[stars]
    block = (np.floor(row / _BLOCK).astype(np.int64) << 32) + np.floor(column / _BLOCK).astype(np.int64)
    order = np.argsort(block, kind="stable")
    edges = np.flatnonzero(np.diff(block[order])) + 1
    steps = (np.arange(_PHASES) + 0.5) / _PHASES - 0.5
    phase_row, phase_column = (mesh.ravel() for mesh in np.meshgrid(steps, steps, indexing="ij"))
    flux = (1 - WING_SHARE) * population.flux[stars]
    for part in np.split(order, edges) if len(order) else []:
        middle = (np.floor(np.array([column[part[0]], row[part[0]]]) / _BLOCK) + 0.5) * _BLOCK
        boxes = response.boxes(middle[0] + phase_column, middle[1] + phase_row, derivatives=2)
        corners = box_corners(column[part], row[part], corner, response.reach)
        away = [each[part] - np.floor(each[part] + 0.5) for each in (column, row)]
        nearest = [np.minimum(((each + 0.5) * _PHASES).astype(np.int64), _PHASES - 1) for each in away]
        rest = [each - steps[index] for each, index in zip(away, nearest, strict=True)]
        _compiled("faint")(still, *corners, flux[part], nearest[1] * _PHASES + nearest[0], *rest, boxes)


def _reaches(population: Population, corner: tuple[int, int], shape: tuple[int, int], reach: int) -> NDArray[np.bool_]:
    column, row = population.column - corner[0], population.row - corner[1]
    margin = reach + 2
    inside = (column > -margin) & (column < shape[1] - 1 + margin) & (row > -margin) & (row < shape[0] - 1 + margin)
    result: NDArray[np.bool_] = inside
    return result


def _halos(population: Population, corner: tuple[int, int], shape: tuple[int, int]) -> Image:
    """Halos of all stars, and their slopes against the stars' movement; (3, rows, columns)."""
    from scipy.fft import irfft2, next_fast_len, rfft2

    margin = WING_REACH
    tall, wide = (size + 2 * margin for size in shape)
    x, y = population.column - corner[0] + margin, population.row - corner[1] + margin
    left, low = np.floor(x).astype(np.int64), np.floor(y).astype(np.int64)
    light = np.zeros((tall, wide))
    inside = (left >= 0) & (left < wide - 1) & (low >= 0) & (low < tall - 1)
    left, low, part_x, part_y = left[inside], low[inside], (x - left)[inside], (y - low)[inside]
    flux = WING_SHARE * population.flux[inside]
    # Each star on the four pixels about it: halos are smooth over pixels.
    for up in (0, 1):
        for right in (0, 1):
            share = (part_y if up else 1 - part_y) * (part_x if right else 1 - part_x)
            np.add.at(light, (low + up, left + right), flux * share)
    size = [next_fast_len(count + 2 * WING_REACH, real=True) for count in (tall, wide)]
    spread = irfft2(rfft2(light, size) * rfft2(_kernel().astype(np.float64), size), size)
    begin = margin + WING_REACH
    cut = spread[begin - 1 : begin + shape[0] + 1, begin - 1 : begin + shape[1] + 1]
    middle = cut[1:-1, 1:-1]
    slope_x, slope_y = (cut[1:-1, :-2] - cut[1:-1, 2:]) / 2, (cut[:-2, 1:-1] - cut[2:, 1:-1]) / 2
    return np.stack([middle, slope_x, slope_y]).astype(np.float32)


@cache
def _kernel() -> Image:
    return wing_kernel()


@cache
def _compiled(name: str) -> Any:
    from numba import njit

    return njit(cache=True, nogil=True)({"move": _move, "add": _add, "faint": _faint}[name])


def _move(still, affine, blur, left, bottom, image):  # type: ignore[no-untyped-def]
    """Add the images of light and derivatives with the movement at each pixel as weights. Compiled by numba."""
    high, wide = image.shape
    for j in range(high):
        v = bottom + j
        dx0, dy0 = affine[0, 0] + affine[0, 2] * v, affine[1, 0] + affine[1, 2] * v
        for i in range(wide):
            u = left + i
            dx, dy = dx0 + affine[0, 1] * u, dy0 + affine[1, 1] * u
            image[j, i] = (
                still[0, j, i]
                + dx * still[1, j, i]
                + dy * still[2, j, i]
                + (dx * dx + blur[0]) * still[3, j, i]
                + (dx * dy + blur[1]) * still[4, j, i]
                + (dy * dy + blur[2]) * still[5, j, i]
            )


def _add(images, bottoms, lefts, flux, boxes):  # type: ignore[no-untyped-def]
    """Add boxes times fluxes to several images at once. Compiled by numba."""
    terms, high, wide = images.shape
    for star in range(len(flux)):
        bottom, left, light = bottoms[star], lefts[star], np.float32(flux[star])
        for term in range(terms):
            for j in range(max(0, -bottom), min(boxes.shape[2], high - bottom)):
                for k in range(max(0, -left), min(boxes.shape[3], wide - left)):
                    images[term, bottom + j, left + k] += light * boxes[star, term, j, k]


def _faint(still, bottoms, lefts, flux, phases, dx, dy, boxes):  # type: ignore[no-untyped-def]
    """Add stars by the boxes of the nearest place in the pixel and their derivatives. Compiled by numba."""
    _, high, wide = still.shape
    for star in range(len(flux)):
        bottom, left, light = bottoms[star], lefts[star], np.float32(flux[star])
        x, y, box = np.float32(dx[star]), np.float32(dy[star]), boxes[phases[star]]
        for j in range(max(0, -bottom), min(box.shape[1], high - bottom)):
            for k in range(max(0, -left), min(box.shape[2], wide - left)):
                px, py, pxx, pxy, pyy = box[1, j, k], box[2, j, k], box[3, j, k], box[4, j, k], box[5, j, k]
                row, column = bottom + j, left + k
                still[0, row, column] += light * (box[0, j, k] + x * (px + x * pxx + y * pxy) + y * (py + y * pyy))
                still[1, row, column] += light * (px + 2 * x * pxx + y * pxy)
                still[2, row, column] += light * (py + x * pxy + 2 * y * pyy)
                still[3, row, column] += light * pxx
                still[4, row, column] += light * pxy
                still[5, row, column] += light * pyy
