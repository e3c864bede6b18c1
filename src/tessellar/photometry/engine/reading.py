"""Rows of all frames, laid by time: read as they lie in the files, turned over in memory, freed of their background.

Each frame's rows are one run of bytes in its file. Some frames are read at a time; in one
pass their bytes are put into the machine's order, the background is taken off, and every
pixel's values are written behind one another, a cache line at a time.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tessellar.errors import Corrupt, InputError, MissingInput
from tessellar.photometry.engine.workers import parts
from tessellar.pixels.frames import announce, read_window
from tessellar.pixels.quality import excluded_by_hand, excluded_pixels

if TYPE_CHECKING:
    from tessellar.pixels import PreparedField
    from tessellar.pixels.frames import Frame

Float = NDArray[np.float32]

# Frames that are turned over at a time: values of one pixel then fill two lines of the cache.
_FRAMES = 32
# Frames whose rows are on their way from the disk meanwhile.
_AHEAD = 96
_BYTES = np.dtype(np.uint32)


@dataclass(frozen=True, eq=False)
class Window:
    """Pixels of some rows of a CCD over time.

    Attributes
    ----------
    pixels : float32 array (rows * cols, n)
        Without background, e-/s; NaN where a pixel is missing or excluded by hand, and in frames that were not exposed.
    corner : (int, int)
        CCD column and row of the first pixel, 1-based.
    shape : (int, int)
        Rows and columns.
    exposed : boolean array (n,)
        Frames that have light and a background.
    """

    pixels: Float
    corner: tuple[int, int]
    shape: tuple[int, int]
    exposed: NDArray[np.bool_]

    @property
    def cube(self) -> Float:
        """The same pixels, (rows, cols, n)."""
        return self.pixels.reshape(*self.shape, -1)


def read_rows(field: PreparedField, rows: tuple[int, int], *, threads: int = 1) -> Window:
    """Read rows (first, last; 1-based CCD rows, both included) of all frames of a prepared field.

    Raises
    ------
    InputError
        If the field has no such rows.
    MissingInput, Corrupt
        If a frame is not where it was, or is not what it was.
    """
    (left, bottom), (high, wide) = field.corner, field.shape
    first, last = rows
    if not bottom <= first <= last < bottom + high:
        raise InputError(f"rows {first} to {last} are not in {field.path.name}, {bottom} to {bottom + high - 1}")
    shape, corner = (last - first + 1, wide), (left, first)
    count = len(field)
    pixels = np.empty((shape[0] * wide, count), dtype=np.float32)
    exposed = np.zeros(count, dtype=bool)
    sky = _Skies(field, slice(first - bottom, last - bottom + 1))

    def turn(part: slice) -> None:
        size = part.stop - part.start
        for frame in field.frames[part.start + _AHEAD : part.stop + _AHEAD]:
            announce(frame, corner, shape)
        raw, room = np.empty((size, *shape), dtype=_BYTES), bytearray()
        for index in range(size):
            _read(field.frames[part.start + index], corner, raw[index], room)
        surface, glow = sky.of(part)
        _kernel()(raw, surface, sky.below, sky.share, glow, part.start, pixels, exposed)

    for frame in field.frames[:_AHEAD]:
        announce(frame, corner, shape)
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(turn, parts(count, _FRAMES)))
    exposed &= field.background.usable
    for index in np.flatnonzero(~exposed):
        pixels[:, index] = np.nan
    excluded = excluded_by_hand(field.field, field.time)
    for index in np.unique(np.concatenate([each.frames for each in excluded])) if excluded else ():
        mask = excluded_pixels(excluded, int(index), corner, shape)
        if mask is not None:
            pixels[mask.ravel(), index] = np.nan
    return Window(pixels, corner, shape, exposed)


def _read(frame: Frame, corner: tuple[int, int], out: NDArray[np.uint32], room: bytearray) -> None:
    """Read a frame's rows into `out`, the bytes as they are in the file."""
    layout = frame.pixels
    high, wide = layout.shape
    top, aside = corner[1] - layout.corner[1], corner[0] - layout.corner[0]
    inside = top >= 0 and top + out.shape[0] <= high and aside >= 0 and aside + out.shape[1] <= wide
    if layout.dtype != np.dtype(">f4") or not inside:
        raise Corrupt(f"{frame.path}: its pixels are not those of the other frames; prepare again")
    # The bytes as they are: one pass puts them into the machine's order, and does all else.
    try:
        read_window(frame.path, replace(layout, dtype=_BYTES), corner, (out.shape[0], out.shape[1]), out, room)
    except MissingInput as error:
        raise MissingInput(f"{error}; if the frames were moved, give frames=FOLDER") from error


class _Skies:
    """Backgrounds of some rows in any frame: the surface through the nodes, and the glow of the corner."""

    def __init__(self, field: PreparedField, rows: slice) -> None:
        series = field.background
        self._down, self._across = (weights.astype(np.float32) for weights in series.sky.mesh.weights)
        self._down = self._down[rows]
        self._nodes, glow = series.nodes, series.glow
        # The glow is told between knots; there is one more at either end.
        self._glow = np.concatenate([np.zeros((len(glow), 1)), glow, glow[:, -1:]], axis=1).astype(np.float32)
        self.below, self.share = series.sky.glow_of(rows) if glow.size and np.any(glow) else _nothing()

    def of(self, part: slice) -> tuple[Float, Float]:
        """Surfaces (n, rows, cols) and knots of the glow (n, knots) of some frames."""
        surface = (self._down @ np.nan_to_num(self._nodes[part])) @ self._across.T
        return np.ascontiguousarray(surface, dtype=np.float32), self._glow[part]


def _nothing() -> tuple[NDArray[np.int64], Float]:
    return np.empty((0, 0), np.int64), np.empty((0, 0), np.float32)


@cache
def _kernel() -> Any:
    from numba import njit

    return njit(cache=True, nogil=True)(_turn)


def _turn(raw, surface, below, share, glow, first, pixels, exposed):  # type: ignore[no-untyped-def]
    """Put frames into the machine's order, take their background off, lay them by time. Compiled by numba."""
    count, high, wide = raw.shape
    lines = np.empty((256, 33), np.uint32)
    values = lines.view(np.float32)
    lit = np.zeros(count, np.bool_)
    for row in range(high):
        for start in range(0, wide, 256):
            stop = min(start + 256, wide)
            for frame in range(count):
                for column in range(start, stop):
                    word = raw[frame, row, column]
                    lines[column - start, frame] = (
                        ((word & np.uint32(0xFF)) << np.uint32(24))
                        | ((word & np.uint32(0xFF00)) << np.uint32(8))
                        | ((word >> np.uint32(8)) & np.uint32(0xFF00))
                        | (word >> np.uint32(24))
                    )
                for column in range(start, stop):
                    value = values[column - start, frame]
                    if value != 0 and np.isfinite(value):
                        lit[frame] = True
                    if not np.isfinite(value):
                        value = np.float32(np.nan)
                    values[column - start, frame] = value - surface[frame, row, column]
                if below.size:
                    for column in range(start, stop):
                        knot = below[row, column]
                        if knot >= 0:
                            part = share[row, column]
                            values[column - start, frame] -= (
                                glow[frame, knot] * (np.float32(1) - part) + glow[frame, knot + 1] * part
                            )
            for column in range(start, stop):
                for frame in range(count):
                    pixels[row * wide + column, first + frame] = values[column - start, frame]
    for frame in range(count):
        exposed[first + frame] = lit[frame]
