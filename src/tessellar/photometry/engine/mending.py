"""Frames in which pixels are missing: the tiles about these solved anew, with what is left.

A pixel that is missing in one frame takes its part out of that frame's normal matrix: a
matrix of rank one for each such pixel. Only stars near it feel that, so that their tile is
solved exactly, stars further off staying as they are.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tessellar.photometry.engine.kernels import compiled
from tessellar.photometry.engine.system import System, Tile, solve_small
from tessellar.photometry.fitting.fitresult import LEAST_INFORMATION
from tessellar.pixels.response import box_corners

if TYPE_CHECKING:
    from tessellar.pixels.response import PixelResponse

Float = NDArray[np.float32]
Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Gaps:
    """Pixels that are missing in some frames only.

    Attributes
    ----------
    frames, pixels : int64 array (entries,)
        Frame and flat index of each, in order of frames.
    """

    frames: NDArray[np.int64]
    pixels: NDArray[np.int64]

    @classmethod
    def find(cls, pixels: Float, used: NDArray[np.bool_], frames: NDArray[np.int64]) -> Gaps:
        """Those among the used pixels, in frames that were exposed; pixels (rows * cols, n)."""
        counts = np.zeros(len(pixels), dtype=np.int32)
        compiled("count_gaps")(pixels, frames, counts)
        broken = np.flatnonzero(used & (counts > 0))
        found: list[NDArray[np.int64]] = []
        for pixel in broken:
            missing = frames[np.isnan(pixels[pixel, frames])]
            found.append(np.column_stack([missing, np.full(len(missing), pixel)]))
        every = np.concatenate(found) if found else np.empty((0, 2), np.int64)
        every = every[np.argsort(every[:, 0], kind="stable")].astype(np.int64)
        return cls(every[:, 0].copy(), every[:, 1].copy())

    def __len__(self) -> int:
        return len(self.frames)

    def of(self, frame: int) -> NDArray[np.int64]:
        """Pixels that are missing in one frame."""
        return self.pixels[slice(*np.searchsorted(self.frames, [frame, frame + 1]))]


def mend(
    system: System,
    response: PixelResponse,
    pixels: Float,
    motion: Float,
    offsets: Float,
    frame: int,
    missing: NDArray[np.int64],
    fluxes: Float,
) -> Float:
    """Solve the tiles about missing pixels of one frame anew, in place.

    Parameters
    ----------
    system : System
    response : PixelResponse
        With which the system was built.
    pixels : float32 array (rows * cols, all frames)
        The missing ones are 0.
    motion : float32 array (6, 1)
        Of this frame.
    offsets : float32 array (stars, 2)
    frame : int
        Its number.
    missing : int array
        Flat indices of pixels.
    fluxes : float32 array (stars, 1)
        Solved without regard to what is missing; NaN afterwards for stars that have lost too much.

    Returns
    -------
    float32 array (stars,)
        Share of each star's information that is left.
    """
    gone = np.zeros(system.shape, dtype=bool)
    gone.ravel()[missing] = True
    left = np.ones(len(system.stars), dtype=np.float32)
    _kernel()(gone, system.weights, system.boxes, system.bottoms, system.lefts, system.reaches, left)
    lost = left < 1 - 1e-6
    known = fluxes[:, 0].astype(np.float64)
    for tile in system.tiles:
        if lost[tile.members].any() and (left[tile.stars] >= LEAST_INFORMATION).any():
            _solve_tile(system, response, tile, pixels, motion, offsets, frame, gone, known, fluxes)
    fluxes[left < LEAST_INFORMATION] = np.nan
    return left


def _solve_tile(
    system: System,
    response: PixelResponse,
    tile: Tile,
    pixels: Float,
    motion: Float,
    offsets: Float,
    frame: int,
    gone: NDArray[np.bool_],
    known: Array,
    fluxes: Float,
) -> None:
    members, stars = tile.members, system.stars
    side = np.zeros((len(stars), 1), dtype=np.float32)
    boxes = system.boxes, system.bottoms, system.lefts, system.reaches
    for star in members:
        compiled("projections")(pixels, frame, system.shape[1], *boxes, offsets, motion, star, star + 1, side)
    m = motion[:, 0].astype(np.float64)
    dx, dy = m[0] + offsets @ m[2:4], m[1] + offsets @ m[4:6]
    normal, coupled = _normal_matrix(system, members, dx, dy, known)
    right = side[members, 0] + system.precision[members] * np.nan_to_num(stars.flux[members]) - coupled
    # What is missing takes its products out of the matrix.
    near = (
        slice(*_span(system.bottoms[members], gone.shape[0], response)),
        slice(*_span(system.lefts[members], gone.shape[1], response)),
    )
    rows, cols = np.nonzero(gone[near])
    rows, cols = rows + near[0].start, cols + near[1].start
    x, y = stars.column[members] + dx[members], stars.row[members] + dy[members]
    corners = box_corners(x, y, system.corner, response.reach)
    whole = _at(response.boxes(x, y)[:, 0], *corners, rows, cols, response.reach)
    place = system.bottoms[members], system.lefts[members], rows, cols, system.reaches[members][:, None]
    still, across, along = (_at(system.boxes[members, term], *place) for term in range(3))
    normal -= (still + dx[members, None] * across + dy[members, None] * along) @ whole.T
    solution = right[:, None].copy()
    _solver()(np.ascontiguousarray(normal), solution)
    fluxes[tile.stars, 0] = solution[np.searchsorted(members, tile.stars), 0]


def _normal_matrix(
    system: System, members: NDArray[np.int64], dx: Array, dy: Array, known: Array
) -> tuple[Array, Array]:
    """Normal matrix of a tile in a frame, and what stars outside it add to the right-hand sides."""
    degree = np.diff(system.indptr)[members]
    at = np.concatenate([np.arange(system.indptr[star], system.indptr[star + 1]) for star in members])
    one, other = np.repeat(members, degree), system.indices[at]
    a, b, m = dx[one], dy[one], system.matrix[at].astype(np.float64)
    values = m[:, 0] + a * m[:, 1] + b * m[:, 2] + a * a * m[:, 3] + a * b * m[:, 4] + b * b * m[:, 5]
    values += (dx[other] - a) * m[:, 6] + (dy[other] - b) * m[:, 7]
    values += a * a * (a * m[:, 8] + b * m[:, 9]) + b * b * (a * m[:, 10] + b * m[:, 11])
    line = np.repeat(np.arange(len(members)), degree)
    place = np.minimum(np.searchsorted(members, other), len(members) - 1)
    inside = members[place] == other
    normal = np.zeros((len(members), len(members)))
    normal[line[inside], place[inside]] = values[inside]
    coupled = np.bincount(line[~inside], values[~inside] * known[other[~inside]], len(members))
    return normal, np.asarray(coupled, dtype=np.float64)


def _span(firsts: NDArray[np.int64], count: int, response: PixelResponse) -> tuple[int, int]:
    return max(int(firsts.min()) - 1, 0), min(int(firsts.max()) + 2 * response.reach + 2, count)


def _at(
    boxes: Float,
    bottoms: NDArray[np.int64],
    lefts: NDArray[np.int64],
    rows: NDArray[np.int64],
    cols: NDArray[np.int64],
    reach: NDArray[np.int64] | int,
) -> Array:
    """What boxes hold at some pixels of the image, (stars, pixels); 0 further than `reach` from their middle."""
    side = boxes.shape[1]
    j, k = rows - bottoms[:, None], cols - lefts[:, None]
    inside = (np.abs(j - side // 2) <= reach) & (np.abs(k - side // 2) <= reach)
    star = np.arange(len(boxes))[:, None]
    values = boxes[star, np.clip(j, 0, side - 1), np.clip(k, 0, side - 1)].astype(np.float64)
    return np.where(inside, values, 0.0)


@cache
def _solver() -> Any:
    from numba import njit

    return njit(cache=True, nogil=True, fastmath=True)(solve_small)


@cache
def _kernel() -> Any:
    from numba import njit

    return njit(cache=True, nogil=True)(_left)


def _left(gone, weights, boxes, bottoms, lefts, reaches, left):  # type: ignore[no-untyped-def]
    """Share of each star's information, sum of w P**2, that is not on missing pixels. Compiled by numba."""
    high, wide = gone.shape
    middle = boxes.shape[2] // 2
    for star in range(len(bottoms)):
        total, lost = 0.0, 0.0
        for j in range(middle - reaches[star], middle + reaches[star] + 1):
            for k in range(middle - reaches[star], middle + reaches[star] + 1):
                r, c = bottoms[star] + j, lefts[star] + k
                if 0 <= r < high and 0 <= c < wide and weights[r, c] > 0:
                    # Boxes hold w P.
                    information = boxes[star, 0, j, k] ** 2 / weights[r, c]
                    total += information
                    if gone[r, c]:
                        lost += information
        if total > 0:
            left[star] = 1.0 - lost / total
