"""What lies beneath the stars, and what noise light brings: backgrounds of stars, variance of pixels."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tessellar.photometry.engine.workers import Workers, parts
from tessellar.photometry.merit.noise import EXPOSURE, READ_NOISE, error_scale, errors_time, noise_time
from tessellar.pixels.frames import read_cubes
from tessellar.pixels.stamp import Stamp

if TYPE_CHECKING:
    from tessellar.pixels import PreparedField

Array = NDArray[np.float64]
Float = NDArray[np.float32]

# Frames and rows that are asked for the errors that their files tell.
_FRAMES, _ROWS = 8, 24
# Each of the four outputs reads so many columns, the first science column being 45.
_OUTPUT, _FIRST = 512, 45
# Stars whose backgrounds are made by one product of matrices.
_CHUNK = 256


@dataclass(frozen=True, eq=False)
class LightNoise:
    """Variance of a pixel: ``(light + read) / time``, all its light counted, e-/s.

    Attributes
    ----------
    time : float
        Seconds.
    read : array (cols,)
        e-/s, of each column of the frames.
    scale : float
        What the errors of the frames were multiplied by.
    """

    time: float
    read: Array
    scale: float = 1.0

    def variance(self, light: NDArray[Any]) -> Float:
        """Of pixels (..., cols) with so much light, sky included, e-/s."""
        return np.asarray((np.maximum(light, 0.0) + self.read) / self.time, dtype=np.float32)


def light_noise(field: PreparedField, rows: tuple[int, int]) -> LightNoise:
    """Variance of pixels as the errors of some frames tell it, mended as `photometry.merit.noise` does.

    Frames that come without errors have the noise that they should have.
    """
    usable = np.flatnonzero(field.background.usable)
    some = usable[np.unique(np.linspace(0, len(usable) - 1, min(_FRAMES, len(usable))).astype(int))]
    (left, _), wide = field.corner, field.shape[1]
    middle = (rows[0] + rows[1]) // 2
    first, last = max(rows[0], middle - _ROWS // 2), min(rows[1], middle + _ROWS // 2)
    images, errors = read_cubes([field.frames[index] for index in some], (left, first), (last - first + 1, wide))
    honest = noise_time(field.cadence)
    read = np.full(wide, READ_NOISE**2 / EXPOSURE)
    if not np.isfinite(errors).any():
        return LightNoise(honest, read)
    stamp = Stamp(
        images=images, errors=errors, background=np.zeros_like(images), time=field.time[some],
        timecorr=field.timecorr[some], cadenceno=field.cadenceno[some], quality=field.quality[some],
        corner=(left, first), field=field.field, cadence=field.cadence, origin=field.path.name,
    )  # fmt: skip
    scale = error_scale(stamp)
    told = errors_time(stamp) / scale**2
    time = told if 0.5 * honest < told < 2 * honest else honest
    rest = np.square(errors, dtype=np.float64) * scale**2 * time - np.maximum(images, 0.0)
    output = (left + np.arange(wide) - _FIRST) // _OUTPUT
    for number in np.unique(output):
        level = np.nanmedian(rest[:, :, output == number])
        read[output == number] = level if level > 0 else read[output == number]
    return LightNoise(float(time), read, scale)


def mean_sky(field: PreparedField, rows: tuple[int, int], use: NDArray[np.bool_]) -> Float:
    """Mean background of some frames in CCD rows (first, last), (rows, cols), e-/s."""
    series, bottom = field.background, field.corner[1]
    chosen = use & series.usable
    nodes = series.nodes[chosen].mean(axis=0, dtype=np.float64)
    glow = series.glow[chosen].mean(axis=0, dtype=np.float64)
    return series.sky.image(nodes, glow, slice(rows[0] - bottom, rows[1] - bottom + 1))


def star_skies(
    field: PreparedField,
    indptr: NDArray[np.int64],
    row: NDArray[np.int64],
    column: NDArray[np.int64],
    workers: Workers | None = None,
) -> Float:
    """Background of each star's pixels, summed, in every frame.

    The background is linear in its nodes, and so is its sum over any pixels: one product of matrices gives the sums of
    all stars in all frames, to the last digit those of the pixels.

    Parameters
    ----------
    field : PreparedField
    indptr : int64 array (stars + 1,)
        Where each star's pixels begin in the lists. It is fastest where neighbours follow each other.
    row, column : int64 array (entries,)
        Pixels, counted from 0 in the frames.
    workers : Workers, optional

    Returns
    -------
    float32 array (stars, n)
        e-/s; NaN in frames without a background.
    """
    series = field.background
    down, across = (weights.astype(np.float32) for weights in series.sky.mesh.weights)
    nodes = series.nodes.reshape(len(series), -1).astype(np.float32)
    values = np.ascontiguousarray(np.concatenate([nodes, series.glow.astype(np.float32)], axis=1).T)
    knots = series.glow.shape[1] if np.any(series.glow) else 0
    # No knot is where there is no glow.
    below, share = np.full(len(row), -1, dtype=np.int64), np.zeros(len(row), dtype=np.float32)
    if knots and len(row):
        begin = int(row.min())
        knot, part_of = series.sky.glow_of(slice(begin, int(row.max()) + 1))
        below, share = knot[row - begin, column], part_of[row - begin, column]
    out = np.empty((len(indptr) - 1, len(series)), dtype=np.float32)
    gather = _kernel()

    def add_up(first: int, last: int) -> None:
        weights = np.zeros((last - first, len(values)), dtype=np.float32)
        heard = np.zeros(len(values), dtype=np.bool_)
        gather(indptr, row, column, first, last, down, across, below, share, knots, weights, heard)
        # Nodes far off have no say; leaving them out saves most of the product, where neighbours are together.
        some = np.flatnonzero(heard)
        np.matmul(weights.take(some, axis=1), values.take(some, axis=0), out=out[first:last])

    (workers or Workers(1)).each(add_up, [(part.start, part.stop) for part in parts(len(out), _CHUNK)])
    return out


@cache
def _kernel() -> Any:
    from numba import njit

    return njit(cache=True, nogil=True, fastmath=True)(_gather)


def _gather(indptr, row, column, first, last, down, across, below, share, knots, weights, heard):  # type: ignore[no-untyped-def]
    """With what weight each node, and each knot, enters the background of a star's pixels. Compiled by numba."""
    tall, broad = down.shape[1], across.shape[1]
    line = np.zeros(broad, np.float32)
    for star in range(first, last):
        mine = weights[star - first]
        for at in range(indptr[star], indptr[star + 1]):
            for k in range(broad):
                line[k] += across[column[at], k]
            # Pixels of one row have the same say down the columns: once for them all.
            if at + 1 == indptr[star + 1] or row[at + 1] != row[at]:
                for j in range(tall):
                    weight = down[row[at], j]
                    if abs(weight) > 1e-8:
                        for k in range(broad):
                            mine[j * broad + k] += weight * line[k]
                line[:] = 0.0
            # Knot 0 is where the glow begins, with none; the one after the last has the light of the last.
            if below[at] >= 1:
                mine[tall * broad + min(below[at], knots) - 1] += np.float32(1.0) - share[at]
            if below[at] >= 0:
                mine[tall * broad + min(below[at] + 1, knots) - 1] += share[at]
        for node in range(len(mine)):
            if abs(mine[node]) > 1e-7:
                heard[node] = True
