"""Smooth surfaces from few numbers: nodes with a cubic spline between them, and the level of the pixels at each."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Mesh:
    """Tiles over an image and the spline that joins their middles.

    Attributes
    ----------
    shape : (int, int)
        Rows and columns of the image.
    box : int
        Wanted side of a tile, px; the tiles divide the image evenly.
    """

    shape: tuple[int, int]
    box: int

    @cached_property
    def edges(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Borders of the tiles, rows and columns."""
        rows, cols = (np.round(np.linspace(0, size, max(round(size / self.box), 1) + 1)) for size in self.shape)
        return rows.astype(np.int64), cols.astype(np.int64)

    @cached_property
    def weights(self) -> tuple[Array, Array]:
        """Matrices from node rows to pixel rows, and from node columns to pixel columns."""
        return _spline(self.edges[0], self.shape[0]), _spline(self.edges[1], self.shape[1])

    def surface(self, nodes: NDArray[Any], rows: slice = slice(None), cols: slice = slice(None)) -> NDArray[np.float32]:
        """Pixels of the surface through `nodes`, in some rows and columns of the image (0-based).

        Of many surfaces at once, where `nodes` has an axis before those of rows and columns.
        """
        down, across = self.weights
        return np.asarray(down[rows].astype(np.float32) @ nodes.astype(np.float32) @ across[cols].T.astype(np.float32))

    def errors(self, nodes: NDArray[Any], rows: slice = slice(None), cols: slice = slice(None)) -> NDArray[np.float32]:
        """1-sigma errors of the surface from those of the nodes, which are independent."""
        down, across = self.weights
        variance = (down[rows] ** 2) @ nodes.astype(np.float64) ** 2 @ (across[cols] ** 2).T
        return np.asarray(np.sqrt(variance), np.float32)


def _spline(edges: NDArray[np.int64], size: int) -> Array:
    """Matrix from values at the middles of tiles to those at all pixels: the natural cubic spline, straight outside.

    Written out, for SciPy's is of a package whose import takes each worker of a survey as long as reading a band does.
    """
    middles = 0.5 * (edges[:-1] + edges[1:]) - 0.5
    pixels = np.arange(size, dtype=np.float64)
    if len(middles) == 1:
        return np.ones((size, 1))
    values, width = np.eye(len(middles)), np.diff(middles)
    slopes = np.diff(values, axis=0) / width[:, None]
    # Second derivatives: none at either end, and first ones that agree where two pieces meet.
    bends = np.zeros_like(values)
    joints = np.diag(2 * (width[:-1] + width[1:])) + np.diag(width[1:-1], 1) + np.diag(width[1:-1], -1)
    bends[1:-1] = np.linalg.solve(joints, 6 * np.diff(slopes, axis=0))
    # Half a tile lies outside the outermost nodes.
    inside = np.clip(pixels, middles[0], middles[-1])
    piece = np.clip(np.searchsorted(middles, inside, side="right") - 1, 0, len(width) - 1)
    wide = width[piece][:, None]
    share = (inside - middles[piece])[:, None] / wide
    rest = 1 - share
    left, right = bends[piece], bends[piece + 1]
    spline = rest * values[piece] + share * values[piece + 1]
    spline += ((rest**3 - rest) * left + (share**3 - share) * right) * wide**2 / 6
    slope = slopes[piece] + ((1 - 3 * rest**2) * left + (3 * share**2 - 1) * right) * wide / 6
    return np.asarray(spline + slope * (pixels - inside)[:, None])


def levels(
    image: NDArray[np.float32], usable: NDArray[np.bool_], mesh: Mesh, reach: float | None
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.int64]]:
    """Level of the usable, finite pixels in each tile.

    Parameters
    ----------
    image : float32 array (rows, columns)
    usable : boolean array of the same shape
    mesh : Mesh
    reach : float or None
        A number where the stars were subtracted: the mean of what lies within six robust sigmas and `reach` e-/s of
        the median. None where they were not: the mode of the histogram, which stars pull much less than a mean or
        median.

    Returns
    -------
    (array, array, array)
        Level, scatter of the pixels about it, and number of pixels; NaN where less than 5 % of a tile is usable.
    """
    rows, cols = mesh.edges
    shape = len(rows) - 1, len(cols) - 1
    level, scatter = np.empty(shape, np.float32), np.empty(shape, np.float32)
    count = np.empty(shape, np.int64)
    _kernel()(image, usable, rows, cols, np.nan if reach is None else float(reach), level, scatter, count)
    return level, scatter, count


def fill(nodes: NDArray[np.float32]) -> NDArray[np.float32]:
    """Nodes with the missing ones made from their nearest neighbours; all NaN stays so."""
    missing = ~np.isfinite(nodes)
    if not missing.any() or missing.all():
        return nodes
    from scipy.spatial import cKDTree

    there, lacking = np.argwhere(~missing), np.argwhere(missing)
    near = min(4, len(there))
    distance, index = cKDTree(there).query(lacking, k=near)
    distance, index = distance.reshape(len(lacking), near), index.reshape(len(lacking), near)
    values = nodes[~missing][index]
    filled = nodes.copy()
    filled[missing] = (values / distance).sum(axis=1) / (1 / distance).sum(axis=1)
    return filled


@cache
def _kernel() -> Any:
    from numba import njit

    return njit(cache=True, nogil=True)(_levels)


def _levels(image, usable, rows, cols, reach, level, scatter, count):  # type: ignore[no-untyped-def]
    """Level of each tile. Compiled by numba."""
    biggest = 0
    for i in range(len(rows) - 1):
        for j in range(len(cols) - 1):
            biggest = max(biggest, (rows[i + 1] - rows[i]) * (cols[j + 1] - cols[j]))
    values = np.empty(biggest, np.float32)
    bins = np.zeros(240)
    smooth = np.zeros(240)
    for i in range(len(rows) - 1):
        for j in range(len(cols) - 1):
            n = 0
            for r in range(rows[i], rows[i + 1]):
                for c in range(cols[j], cols[j + 1]):
                    if usable[r, c]:
                        value = image[r, c]
                        if np.isfinite(value):
                            values[n] = value
                            n += 1
            count[i, j] = n
            if n < 0.05 * (rows[i + 1] - rows[i]) * (cols[j + 1] - cols[j]) or n < 8:
                level[i, j] = np.nan
                scatter[i, j] = np.nan
                continue
            # Median and lower half-width from a sample: stars cannot widen the lower half.
            step = max(1, n // 600)
            sample = values[0:n:step].copy()
            middle, low = 0.0, 0.0
            last = len(sample) - 1
            for turn in range(2):
                # Quickselect: the median first, then the 16th percentile among what is below it.
                wanted = len(sample) // 2 if turn == 0 else int(0.1587 * len(sample))
                first = 0
                while first < last:
                    pivot = sample[(first + last) // 2]
                    up, down = first, last
                    while up <= down:
                        while sample[up] < pivot:
                            up += 1
                        while sample[down] > pivot:
                            down -= 1
                        if up <= down:
                            sample[up], sample[down] = sample[down], sample[up]
                            up += 1
                            down -= 1
                    if wanted <= down:
                        last = down
                    elif wanted >= up:
                        first = up
                    else:
                        break
                if turn == 0:
                    middle = float(sample[wanted])
                    last = wanted
                else:
                    low = float(sample[wanted])
            width = max(middle - low, 1e-6)
            if not np.isnan(reach):
                total = 0.0
                squares = 0.0
                inside = 0
                for k in range(n):
                    away = values[k] - middle
                    if abs(away) < 6 * width + reach:
                        total += away
                        squares += away * away
                        inside += 1
                mean = total / inside
                level[i, j] = middle + mean
                scatter[i, j] = np.sqrt(max(squares / inside - mean * mean, 0.0))
                continue
            # Histogram of 0.05 widths from 6 below to 6 above, smoothed twice over 0.35 widths.
            bins[:] = 0.0
            for k in range(n):
                at = int(np.floor((values[k] - middle) / width * 20.0)) + 120
                if 0 <= at < 240:
                    bins[at] += 1.0
            for _ in range(2):
                for k in range(240):
                    low, high = max(0, k - 5), min(240, k + 6)
                    smooth[k] = bins[low:high].sum() / (high - low)
                bins[:] = smooth
            peak = int(np.argmax(bins))
            shift = 0.0
            if 0 < peak < 239:
                bend = bins[peak - 1] - 2 * bins[peak] + bins[peak + 1]
                if bend < 0:
                    shift = 0.5 * (bins[peak - 1] - bins[peak + 1]) / bend
            level[i, j] = middle + (peak + 0.5 + shift - 120) / 20.0 * width
            scatter[i, j] = width
