"""Fluxes of all stars in all frames: right-hand sides, and steps towards the solution of each frame's own system.

The inverse is that of the place of expansion. In a frame whose stars have moved the normal
matrix is another one, so that its fluxes are found by steps ``F += inverse (r - N(t) F)``:
each takes the error down by the part in which N(t) differs, some hundredths, and what the
steps end at is the exact solution, whatever the inverse. Three do.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tessellar.photometry.engine import kernels
from tessellar.photometry.engine.system import System, Tile
from tessellar.photometry.engine.workers import Workers, parts

Float = NDArray[np.float32]

STEPS = 3
#: Frames that are worked on at a time: fluxes of a band then stay within some tens of megabytes.
FRAMES = 512
# What a thread takes at a time.
_STARS, _TILES = 256, 16


def solve(
    system: System,
    pixels: Float,
    motion: Float,
    offsets: Float,
    begin: int = 0,
    *,
    workers: Workers | None = None,
    steps: int = STEPS,
    plain: bool = False,
) -> Float:
    """Solve frames for the fluxes of all stars.

    Parameters
    ----------
    system : System
    pixels : float32 array (rows * cols, all frames)
        Without background, e-/s; no NaN: what is missing is 0 and counts as such, until `mend` has been at it.
    motion : float32 array (6, n)
        Of the n frames to solve; see `grouping.Group.motion`.
    offsets : float32 array (stars, 2)
        Places of the stars from where the motion is told.
    begin : int
        First frame to solve.
    workers : Workers, optional
    steps : int
        Steps of refinement; 1 is the solution with the matrix at the place of expansion.
    plain : bool
        With NumPy only: slow, for tests.

    Returns
    -------
    float32 array (stars, n)
        e-/s; stars that are not free have what was expected of them.
    """
    crew = workers or Workers(1)
    project, multiply, step = (_kernel(name, plain) for name in ("projections", "products", "tile_steps"))
    stars, count = system.stars, motion.shape[1]
    start = np.nan_to_num(stars.flux).astype(np.float32)[:, None]
    held = (system.precision * np.nan_to_num(stars.flux)).astype(np.float32)[:, None]
    fluxes = np.empty((len(stars), count), dtype=np.float32)
    blocks = [(part.start, part.stop) for part in parts(len(stars), _STARS)]
    batches = [(system.tiles[part],) for part in parts(len(system.tiles), _TILES)]
    boxes = system.boxes, system.bottoms, system.lefts, system.reaches
    normal = system.indptr, system.indices, system.matrix
    # The same memory for every piece of time, and all passes over it shared by the threads.
    room = [np.empty(len(stars) * min(count, FRAMES), dtype=np.float32) for _ in range(3)]
    for part in parts(count, FRAMES):
        moves = np.ascontiguousarray(motion[:, part])
        shape = len(stars), moves.shape[1]
        sides, left, found = (each[: shape[0] * shape[1]].reshape(shape) for each in room)
        place = pixels, begin + part.start, system.shape[1], *boxes, offsets, moves

        def begin_block(first: int, last: int, place: Any = place, sides: Float = sides, found: Float = found) -> None:
            project(*place, first, last, sides)
            sides[first:last] += held[first:last]
            found[first:last] = start[first:last]

        def rest_of_block(
            first: int, last: int, moves: Float = moves, sides: Float = sides, left: Float = left, found: Float = found
        ) -> None:
            left[first:last] = sides[first:last]
            multiply(found, *normal, offsets, moves, first, last, left)

        def keep_block(first: int, last: int, part: slice = part, found: Float = found) -> None:
            fluxes[first:last, part] = found[first:last]

        crew.each(begin_block, blocks)
        for _ in range(steps):
            crew.each(rest_of_block, blocks)
            crew.each(partial(_step, step, left, found), batches)
        crew.each(keep_block, blocks)
    return fluxes


def _kernel(name: str, plain: bool) -> Any:
    return getattr(kernels, f"{name}_plain") if plain else kernels.compiled(name)


def _step(kernel: Any, left: Float, found: Float, tiles: Sequence[Tile]) -> None:
    for tile in tiles:
        kernel(left, tile.members, tile.inverse, tile.stars, found)


def flux_errors(system: System, fluxes: Float, sky: Float, mean_sky: Float, stars: NDArray[np.int64]) -> Float:
    """1-sigma errors of the fluxes of some stars in every frame.

    The variance is that of the fixed weights, ``inverse Q w V w Q inverse`` (the sandwich), with V of the mean light;
    what sky and star have in a frame over the mean is added to first order.

    Parameters
    ----------
    system : System
    fluxes : float32 array (stars, n)
        Of the chosen stars.
    sky, mean_sky : float32 array (stars, n), (stars,)
        Background at each of them, e-/s per pixel.
    stars : int array
        Which of the system's stars they are.
    """
    noise = system.noise[stars].astype(np.float32)
    variance = noise[:, 1:2] * (sky - mean_sky[:, None])
    variance += noise[:, :1]
    variance += noise[:, 2:] * (fluxes - np.nan_to_num(system.stars.flux[stars]).astype(np.float32)[:, None])
    # A star that fades cannot take more than its own noise away.
    np.maximum(variance, 0.1 * noise[:, :1], out=variance)
    return np.sqrt(variance, out=variance)
