"""Fluxes of all stars in all frames: right-hand sides, and steps towards the solution of each frame's own system.

The inverse is that of the place of expansion. In a frame whose stars have moved the normal
matrix is another one, so that its fluxes are found by steps ``F += inverse (r - N(t) F)``:
each takes the error down by the part in which N(t) differs, some hundredths, and what the
steps end at is the exact solution, whatever the inverse. Three do.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tessellar.photometry.engine import kernels
from tessellar.photometry.engine.system import System, Tile
from tessellar.photometry.engine.workers import Workers, parts

Float = NDArray[np.float32]

STEPS = 3
#: Frames and stars that are worked on at a time: fluxes of a band then stay within some tens of megabytes.
FRAMES = 512
_STARS = 1024


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
    stars = system.stars
    start = np.nan_to_num(stars.flux).astype(np.float32)[:, None]
    held = (system.precision * np.nan_to_num(stars.flux)).astype(np.float32)[:, None]
    fluxes = np.empty((len(stars), motion.shape[1]), dtype=np.float32)
    blocks = [(part.start, part.stop) for part in parts(len(stars), _STARS)]
    boxes = system.boxes, system.bottoms, system.lefts, system.reaches
    normal = system.indptr, system.indices, system.matrix
    for part in parts(motion.shape[1], FRAMES):
        moves = np.ascontiguousarray(motion[:, part])
        sides = np.empty((len(stars), moves.shape[1]), dtype=np.float32)
        place = pixels, begin + part.start, system.shape[1], *boxes, offsets, moves
        crew.each(partial(_on, project, place, sides), blocks)
        sides += held
        found = np.repeat(start, moves.shape[1], axis=1)
        for _ in range(steps):
            left = sides.copy()
            crew.each(partial(_on, multiply, (found, *normal, offsets, moves), left), blocks)
            crew.each(partial(_step, step, left, found), [(tile,) for tile in system.tiles])
        fluxes[:, part] = found
    return fluxes


def _kernel(name: str, plain: bool) -> Any:
    return getattr(kernels, f"{name}_plain") if plain else kernels.compiled(name)


def _on(kernel: Any, arrays: tuple[Any, ...], out: Float, first: int, last: int) -> None:
    kernel(*arrays, first, last, out)


def _step(kernel: Any, left: Float, found: Float, tile: Tile) -> None:
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
