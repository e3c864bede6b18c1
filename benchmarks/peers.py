"""What else measures stars in frames: other libraries, and loops as the TASOC pipeline has them."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from crowd import FRAMES, RADIUS, SKY, Gaussian, Scene
from tessellar.pixels import add_stars
from tessellar.pixels.response import box_corners


def with_loops(scene: Scene, stars: int, frames: int) -> None:
    """Flux, error, centroid and background of one star after the other, frame by frame: formulas of the TASOC pipeline.

    See `photometry.md` of Handberg et al. 2021 (AJ 162, 170) for what is summed.
    """
    indptr, rows, cols = scene.masks
    errors, background = np.sqrt(scene.variance), np.full_like(scene.variance, SKY)
    for star in range(stars):
        part = slice(indptr[star], indptr[star + 1])
        bottom, left = rows[part].min(), cols[part].min()
        mask = np.zeros((rows[part].max() - bottom + 1, cols[part].max() - left + 1), bool)
        mask[rows[part] - bottom, cols[part] - left] = True
        window = slice(bottom, bottom + mask.shape[0]), slice(left, left + mask.shape[1])
        lines, places = np.nonzero(mask)
        for frame in range(frames):
            image = scene.frame(frame)[window]
            inside = image[mask]
            np.sum(inside)
            np.sqrt(np.sum(errors[window][mask] ** 2))
            positive = inside > 0
            if positive.any():
                np.average(places[positive] + left, weights=inside[positive])
                np.average(lines[positive] + bottom, weights=inside[positive])
            np.nansum(background[window][mask])


def with_photutils(scene: Scene, method: str) -> Callable[[], object] | None:
    """One frame, all stars."""
    try:
        from photutils.aperture import CircularAperture, aperture_photometry
    except ImportError:
        return None
    apertures = CircularAperture(np.column_stack([scene.column - 1, scene.row - 1]), RADIUS)
    return lambda: aperture_photometry(scene.frame(0), apertures, method=method)


def with_sep(scene: Scene) -> Callable[[], object] | None:
    """One frame, all stars, pixels by their middles."""
    try:
        import sep
    except ImportError:
        return None
    frame = np.ascontiguousarray(scene.frame(0))
    return lambda: sep.sum_circle(frame, scene.column - 1, scene.row - 1, RADIUS, subpix=1)


def with_lightkurve(scene: Scene, stars: int) -> Callable[[], object] | None:
    """Target pixel files in memory, one a star."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import lightkurve
    except ImportError:
        return None
    import logging

    logging.disable(logging.CRITICAL)
    factory = lightkurve.targetpixelfile.TargetPixelFileFactory(n_cadences=FRAMES, n_rows=11, n_cols=11)
    j, k = int(scene.row[0]) % 400 + 20, int(scene.column[0]) % 400 + 20
    j, k = min(j, scene.size - 12), min(k, scene.size - 12)
    for frame in range(FRAMES):
        factory.add_cadence(frameno=frame, flux=scene.frame(frame)[j : j + 11, k : k + 11], header={"TSTART": frame})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pixels = factory.get_tpf(hdu0_keywords={"TELESCOP": "Kepler"}, ext_info={"1CRV5P": 1, "2CRV5P": 1})
    mask = np.hypot(*(np.mgrid[:11, :11] - 5)) <= RADIUS

    def call() -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for _ in range(stars):
                pixels.to_lightcurve(method="aperture", aperture_mask=mask)

    return call


def sparse_masks(scene: Scene) -> Any:
    """The masks as a sparse matrix."""
    from scipy.sparse import csr_array

    indptr = scene.masks[0]
    ones = np.ones(len(scene.indices), np.float32)
    return csr_array((ones, scene.indices, indptr), shape=(len(scene), scene.size**2))


def sparse_design(scene: Scene, frame: int) -> Any:
    """Images of all stars where they are in one frame, as a sparse matrix (pixels, stars)."""
    from scipy.sparse import csc_array

    x, y = scene.column + scene.shifts[frame, 0], scene.row + scene.shifts[frame, 1]
    boxes = Gaussian().boxes(x, y)[:, 0]
    bottoms, lefts = box_corners(x, y, (1, 1), 7)
    lines = bottoms[:, None, None] + np.arange(15)[:, None] + np.zeros(15, int)
    places = lefts[:, None, None] + np.arange(15)[None, :] + np.zeros((15, 1), int)
    inside = (lines >= 0) & (lines < scene.size) & (places >= 0) & (places < scene.size)
    indptr = np.concatenate([[0], np.cumsum(inside.sum(axis=(1, 2)))])
    flat = (lines * scene.size + places)[inside]
    return csc_array((boxes[inside].astype(float), flat, indptr), shape=(scene.size**2, len(scene)))


def exact(scene: Scene, frame: int, precision: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weighted least squares of all stars in one frame, in double precision."""
    from scipy.sparse import dia_array
    from scipy.sparse.linalg import splu

    design = sparse_design(scene, frame)
    weights = 1.0 / scene.variance.ravel().astype(float)
    weighted = design.multiply(weights[:, None]).tocsc()
    normal = (design.T @ weighted + dia_array((precision[None, :], [0]), shape=(len(scene),) * 2)).tocsc()
    return np.asarray(splu(normal).solve(weighted.T @ scene.frame(frame).ravel() + precision * scene.flux))


def stamp_of(scene: Scene, star: int) -> tuple[slice, slice, NDArray[np.int64]]:
    """A stamp of 15 x 15 pixels about a star, and the stars on it."""
    bottom = int(np.clip(scene.row[star] - 8, 0, scene.size - 15))
    left = int(np.clip(scene.column[star] - 8, 0, scene.size - 15))
    on = (scene.row > bottom) & (scene.row < bottom + 16) & (scene.column > left) & (scene.column < left + 16)
    return slice(bottom, bottom + 15), slice(left, left + 15), np.flatnonzero(on)


def with_lapack(scene: Scene, frames: int) -> tuple[Callable[[], object], int]:
    """Least squares of one stamp, frame by frame."""
    from scipy.linalg import lstsq

    rows, cols, stars = stamp_of(scene, 0)
    response = Gaussian()

    def call() -> None:
        for frame in range(frames):
            x, y = scene.column[stars] + scene.shifts[frame, 0], scene.row[stars] + scene.shifts[frame, 1]
            design = np.zeros((len(stars), 15, 15))
            for number in range(len(stars)):
                add_stars(
                    design[number], (cols.start + 1, rows.start + 1), x[number : number + 1], y[number : number + 1],
                    np.ones(1), response,
                )  # fmt: skip
            weights = 1 / np.sqrt(scene.variance[rows, cols].ravel())
            lstsq(design.reshape(len(stars), -1).T * weights[:, None], scene.frame(frame)[rows, cols].ravel() * weights)

    return call, len(stars) * frames


def with_splines(scene: Scene, frames: int) -> Callable[[], object]:
    """One target with its neighbours, by the TASOC pipeline's formulas: integrals of a spline, pinv(A'A) A'b."""
    from scipy.interpolate import RectBivariateSpline

    rows, cols, stars = stamp_of(scene, 0)
    grid = np.arange(-10, 10.01, 1 / 9)
    shape = np.exp(-0.5 * (grid[:, None] ** 2 + grid[None, :] ** 2) / Gaussian.width**2)
    spline = RectBivariateSpline(grid, grid, shape / shape.sum() * 81)

    def call() -> None:
        for frame in range(frames):
            design = np.zeros((225, len(stars)))
            for number, star in enumerate(stars):
                x = scene.column[star] + scene.shifts[frame, 0] - 1 - cols.start
                y = scene.row[star] + scene.shifts[frame, 1] - 1 - rows.start
                for j in range(15):
                    for k in range(15):
                        if np.hypot(j - y, k - x) < 5:
                            design[15 * j + k, number] = spline.integral(
                                j - y - 0.5, j - y + 0.5, k - x - 0.5, k - x + 0.5
                            )
            np.linalg.pinv(design.T @ design) @ design.T @ scene.frame(frame)[rows, cols].ravel()

    return call
