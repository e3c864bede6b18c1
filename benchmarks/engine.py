"""Photometry of 12,500 stars on 512 x 512 pixels x 400 frames: tessellar's engine beside what else there is.

Sky, noise, stars (200,000 a CCD, T = 6.5 to 16) and movement are drawn from a seed; the stars' images are
Gaussians of 0.85 px, integrated over the pixels. Every method gets the same arrays in the same process, after a call
that counts for nothing; the best of some turns counts. Slow methods get fewer stars or frames, and all are told as
star-cadences a second, by the clock and by processor time. Nothing is read from disk.

Aperture photometry (radius 2.5 px, 19.6 px each): photutils, sep, lightkurve, SciPy's sparse matrices, and loops over
stars and frames as the TASOC pipeline does them (written from its formulas). The engine is there with one sum, and with
eight: flux, variance, background, light, two moments, missing pixels, brightest pixel; there the backgrounds of all
masks are computed too. lightkurve makes an object of each light curve; the loop body sums errors, centroid and
background as well.

Linear PSF: all stars solved in every frame, their images moved to second order. Beside it: least squares frame by
frame for one stamp with SciPy's LAPACK, a loop over stars with integrals of splines and a pseudo-inverse as the TASOC
pipeline has them, and SciPy's sparse LU of all stars, which is also what the fluxes are compared with.

    python benchmarks/engine.py            the table
    python benchmarks/engine.py --quick    256 x 256, 3,125 stars, fewer turns
    python benchmarks/engine.py --json     one object on stdout

Exit status 1: on 2 threads less than 1.5e8 star-cadences/s with one sum, 5e7 with eight, 1e7 with the linear PSF
(--quick: half of each); 2 threads less than 1.8 times as fast as 1 (not with --quick); a sum is off by more than 1e-5
from the naive one; or fluxes differ from the exact solution by more than 0.01 sigma rms or 0.3 at most.
photutils, sep and lightkurve are left out where they are not installed.
"""

# ruff: noqa: E402  (threads of linear algebra are limited before NumPy is there)
from __future__ import annotations

import argparse
import json
import os
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import PackageNotFoundError, version
from typing import Any

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

import numpy as np
from numpy.typing import NDArray

from tessellar import Field
from tessellar.photometry.engine import kernels
from tessellar.photometry.engine.grouping import group_frames
from tessellar.photometry.engine.light import star_skies
from tessellar.photometry.engine.solving import solve
from tessellar.photometry.engine.system import Stars, System, build_system
from tessellar.photometry.engine.workers import Workers, parts
from tessellar.pixels import add_stars
from tessellar.pixels.background import Sky
from tessellar.pixels.backgrounds import BackgroundSeries
from tessellar.pixels.response import box_corners

STARS_PER_CCD = 200_000
FRAMES = 400
RADIUS = 2.5
SKY, READ, SECONDS = 100.0, 50.0, 1440.0
LIMITS = {"one sum": 1.5e8, "eight sums": 5.0e7, "linear PSF": 1.0e7}
GAIN = 1.8
SAME_SUM, RMS, MOST = 1e-5, 0.01, 0.3


class Gaussian:
    """A pixel response: a Gaussian of 0.85 px, integrated over pixels."""

    reach, width = 7, 0.85

    def boxes(self, column: Any, row: Any, derivatives: int = 0) -> NDArray[np.float32]:
        """See `tessellar.pixels.PixelResponse`."""
        column, row = (np.atleast_1d(np.asarray(each, float)) for each in (column, row))
        x, y = self._line(column - np.floor(column + 0.5)), self._line(row - np.floor(row + 0.5))
        orders = ((0, 0), (1, 0), (0, 1), (2, 0), (1, 1), (0, 2))[: {0: 1, 1: 3, 2: 6}[derivatives]]
        return np.stack([y[b][:, :, None] * x[a][:, None, :] for a, b in orders], axis=1).astype(np.float32)

    def _line(self, place: NDArray[Any]) -> list[NDArray[Any]]:
        from scipy.special import ndtr

        u = (np.arange(-self.reach, self.reach + 2) - 0.5 - place[:, None]) / self.width
        density = np.exp(-0.5 * u * u) / np.sqrt(2 * np.pi) / self.width
        return [
            np.diff(ndtr(u), axis=1),
            -np.diff(density, axis=1),
            -0.5 * np.diff(density * u, axis=1) / self.width,
        ]


@dataclass(frozen=True, eq=False)
class Scene:
    """Stars, their movement, and pixels of all frames, laid by time and frame by frame."""

    size: int
    column: NDArray[np.float64]
    row: NDArray[np.float64]
    flux: NDArray[np.float64]
    shifts: NDArray[np.float64]
    pixels: NDArray[np.float32]
    variance: NDArray[np.float32]

    @classmethod
    def draw(cls, size: int, seed: int = 0) -> Scene:
        """Draw it."""
        rng = np.random.default_rng(seed)
        count = round(STARS_PER_CCD * (size / 2048) ** 2)
        flux = 10 ** (-0.4 * (np.clip(16 - rng.exponential(1.4, count), 6.5, 16) - 20.44))
        column, row = 0.5 + rng.random((2, count)) * size
        shifts = rng.normal(0, 0.01, (FRAMES, 2)) + 0.02 * (np.arange(FRAMES) / FRAMES - 0.5)[:, None]
        amplitude = np.where(rng.random(count) < 0.1, 0.02, 0.0)
        phase = rng.random(count) * 2 * np.pi
        response = Gaussian()
        terms = np.zeros((6, size, size))
        wave = np.zeros((2, 6, size, size))
        boxes = response.boxes(column, row, 2)
        corners = box_corners(column, row, (1, 1), 7)
        for images, light in ((terms, flux), (wave[0], flux * amplitude * np.cos(phase)),
                              (wave[1], flux * amplitude * np.sin(phase))):  # fmt: skip
            for term in range(6):
                _put(images[term], *corners, light, boxes[:, term])
        variance = ((terms[0] + SKY + READ) / SECONDS).astype(np.float32)
        scatter = np.sqrt(variance)
        cube = np.empty((size, size, FRAMES), dtype=np.float32)
        for frame, (dx, dy) in enumerate(shifts):
            weights = np.array([1, dx, dy, dx * dx, dx * dy, dy * dy])
            angle = 2 * np.pi * frame / 50
            image = np.tensordot(weights, terms + np.sin(angle) * wave[0] + np.cos(angle) * wave[1], 1)
            cube[:, :, frame] = image + scatter * rng.standard_normal((size, size), dtype=np.float32)
        return cls(size, column, row, flux, shifts, cube.reshape(-1, FRAMES), variance)

    def __len__(self) -> int:
        return len(self.column)

    def frame(self, index: int) -> NDArray[np.float32]:
        """One frame, (rows, columns)."""
        return self.by_frame[index]

    @cached_property
    def by_frame(self) -> NDArray[np.float32]:
        """The pixels frame by frame, as images come."""
        return np.ascontiguousarray(self.pixels.T).reshape(FRAMES, self.size, self.size)

    @cached_property
    def masks(self) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """Pixels within 2.5 px of each star: pointers, rows, columns (from 0)."""
        near = np.arange(-3, 4)
        rows = np.floor(self.row + 0.5).astype(int)[:, None, None] - 1 + near[:, None] + 0 * near
        cols = np.floor(self.column + 0.5).astype(int)[:, None, None] - 1 + near[None, :] + 0 * near[:, None]
        inside = np.hypot(rows + 1 - self.row[:, None, None], cols + 1 - self.column[:, None, None]) <= RADIUS
        inside &= (rows >= 0) & (rows < self.size) & (cols >= 0) & (cols < self.size)
        indptr = np.concatenate([[0], np.cumsum(inside.sum(axis=(1, 2)))])
        return indptr, rows[inside], cols[inside]

    @cached_property
    def indices(self) -> NDArray[np.int64]:
        """Flat indices of the masks' pixels."""
        _, rows, cols = self.masks
        return rows * self.size + cols

    def kernels(self) -> NDArray[np.float64]:
        """Movement as affine kernels."""
        made = np.tile([1.0, 0, 0, 0, 1, 0], (FRAMES, 1))
        made[:, 2], made[:, 5] = self.shifts.T
        return made


def _put(image: Any, bottoms: Any, lefts: Any, light: Any, boxes: Any) -> None:
    """Add boxes times light to an image."""
    padded = np.zeros((image.shape[0] + 32, image.shape[1] + 32))
    lines = bottoms[:, None, None] + 16 + np.arange(15)[:, None]
    places = lefts[:, None, None] + 16 + np.arange(15)[None, :]
    np.add.at(padded, (lines, places), light[:, None, None] * boxes)
    image += padded[16:-16, 16:-16]


@dataclass
class Line:
    """One row of the table."""

    method: str
    wall: float | None
    cpu: float | None
    note: str


def rate(name: str, amount: int, call: Callable[[], object], turns: int, note: str = "") -> Line:
    """Star-cadences a second of the best of some turns, after one that counts for nothing."""
    call()
    walls, cpus = [], []
    for _ in range(turns):
        begin, used = time.perf_counter(), time.process_time()
        call()
        walls.append(time.perf_counter() - begin)
        cpus.append(time.process_time() - used)
    return Line(name, amount / min(walls), amount / max(min(cpus), 1e-9), note)


def one_sum(scene: Scene, workers: Workers, out: NDArray[np.float32]) -> None:
    """The engine, one aperture."""
    indptr = scene.masks[0]
    weights = np.ones(len(scene.indices), np.float32)
    run = kernels.compiled("weighted_sums")
    spans = [(part.start, part.stop) for part in parts(len(scene), 256)]
    workers.each(lambda a, b: run(scene.pixels, indptr, scene.indices, weights, a, b, out), spans)


class _Field:
    """As much of a prepared field as the background of masks needs."""

    def __init__(self, size: int) -> None:
        sky = Sky(Field(1, 1, 3), (1000, 1000), (size, size))
        nodes = np.full((FRAMES, *(len(each) - 1 for each in sky.mesh.edges)), SKY, np.float32)
        nothing = np.zeros((FRAMES, 0), np.float32)
        self.background = BackgroundSeries(
            sky, nodes, nodes, nothing, np.ones((size, size), bool), np.zeros((FRAMES, 1, 1), bool), None
        )


def eight_sums(scene: Scene, field: Any, workers: Workers, out: NDArray[np.float32]) -> None:
    """The engine, all that it takes from an aperture."""
    indptr, rows, cols = scene.masks
    sky = star_skies(field, indptr, rows, cols)
    read = np.diff(indptr).astype(np.float32) * np.float32(READ)
    star = np.repeat(np.arange(len(scene)), np.diff(indptr))
    across = (cols + 1 - np.floor(scene.column + 0.5)[star]).astype(np.float32)
    along = (rows + 1 - np.floor(scene.row + 0.5)[star]).astype(np.float32)
    run = kernels.compiled("mask_sums")
    arrays = scene.pixels, indptr, scene.indices, across, along, sky, read, SECONDS
    spans = [(part.start, part.stop) for part in parts(len(scene), 256)]
    workers.each(lambda a, b: run(*arrays, a, b, out), spans)


def systems(scene: Scene, threads: int) -> list[tuple[Any, System]]:
    """Groups of frames and their systems."""
    made = []
    precision = None
    weights = (1 / scene.variance).astype(np.float32)
    groups = group_frames(scene.kernels(), np.zeros(FRAMES, int), (1, 1), (scene.size,) * 2, np.ones(FRAMES, bool))
    for group in sorted(groups, key=lambda each: -len(each.frames)):
        x, y = scene.column + group.kernel[2], scene.row + group.kernel[5]
        system = build_system(
            Stars(x, y, scene.flux), Gaussian(), (1, 1), weights, scene.variance, time=SECONDS,
            expanded=group.expanded, precision=precision, threads=threads,
        )  # fmt: skip
        precision = system.precision
        made.append((group, system))
    return made


def all_stars(scene: Scene, made: list[tuple[Any, System]], workers: Workers) -> NDArray[np.float32]:
    """The engine, linear PSF of all stars in all frames."""
    middle = np.full(2, scene.size / 2)
    offsets = (np.column_stack([scene.column, scene.row]) - middle).astype(np.float32)
    out = np.empty((len(scene), FRAMES), np.float32)
    for group, system in made:
        begin, end = int(group.frames[0]), int(group.frames[-1]) + 1
        motion = np.zeros((6, end - begin), np.float32)
        if group.expanded:
            motion[:, group.frames - begin] = group.motion(scene.kernels()[group.frames], middle)
        found = solve(system, scene.pixels, motion, offsets, begin, workers=workers)
        out[:, group.frames] = found[:, group.frames - begin]
    return out


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


def aperture_lines(scene: Scene, turns: int, out: NDArray[np.float32]) -> tuple[list[Line], float]:
    """Rows of aperture photometry, and the largest relative difference of a sum."""
    lines = []
    every = len(scene) * FRAMES
    few = min(len(scene), 100)
    lines.append(rate("loop body (TASOC)", few * 20, lambda: with_loops(scene, few, 20), 1, "per star and frame"))
    for method in ("center", "exact"):
        call = with_photutils(scene, method)
        if call is not None:
            lines.append(rate(f"photutils {method}", len(scene), call, 2, "one frame, all stars"))
    call = with_lightkurve(scene, 20)
    if call is not None:
        lines.append(rate("lightkurve to_lightcurve", 20 * FRAMES, call, 2, "pixels in memory"))
    call = with_sep(scene)
    if call is not None:
        lines.append(rate("sep sum_circle", len(scene), call, 3, "one frame, all stars"))
    masks = sparse_masks(scene)
    lines.append(rate("scipy sparse @ (pixels, n)", every, lambda: masks @ scene.pixels, turns, "one sum"))
    summed = np.empty((len(scene), FRAMES), np.float32)
    field = _Field(scene.size)
    for threads in (1, 2):
        with Workers(threads) as workers:
            name = f"tessellar, {threads} thread{'s' * (threads > 1)}"
            lines.append(rate(f"{name}, one sum", every, lambda w=workers: one_sum(scene, w, summed), turns))
            lines.append(rate(f"{name}, eight sums", every, lambda w=workers: eight_sums(scene, field, w, out), turns))
    indptr = scene.masks[0]
    worst = 0.0
    for star in range(0, len(scene), 97):
        values = scene.pixels[scene.indices[indptr[star] : indptr[star + 1]]].astype(np.float64)
        naive = values.sum(axis=0)
        for found in (summed[star], out[0, star]):
            worst = max(worst, float(np.max(np.abs(found - naive) / np.abs(values).sum(axis=0))))
    return lines, worst


def fit_lines(scene: Scene, turns: int) -> tuple[list[Line], dict[str, float]]:
    """Rows of the linear PSF, and how far the fluxes are from the exact ones."""
    call, amount = with_lapack(scene, 20)
    begin = time.perf_counter()
    made = systems(scene, 2)
    made = systems(scene, 2)
    setting_up = (time.perf_counter() - begin) / 2
    lines = [
        rate("spline integrals, pinv (TASOC)", 2, lambda: with_splines(scene, 2), 1, "targets, not all stars"),
        rate("scipy lstsq, frame by frame", amount, call, 2, "all stars of one stamp"),
        rate("scipy splu, frame by frame", len(scene), lambda: exact(scene, 0, made[0][1].precision), 1, "exact"),
    ]
    found = np.empty(0)
    for threads in (1, 2):
        with Workers(threads) as workers:
            name = f"tessellar, {threads} thread{'s' * (threads > 1)}, linear PSF"
            lines.append(rate(name, len(scene) * FRAMES, lambda w=workers: all_stars(scene, made, w), turns))
            found = all_stars(scene, made, workers)
    sigma = np.sqrt(made[0][1].noise[:, 0])
    away = []
    for frame in (0, FRAMES // 2, FRAMES - 1):
        away.append((found[:, frame] - exact(scene, frame, made[0][1].precision)) / sigma)
    off = np.concatenate(away)
    free = made[0][1].precision == 0
    facts = {
        "groups": len(made),
        "held by a prior": int((~free).sum()),
        "setting up, s": setting_up,
        "rms": float(np.sqrt(np.mean(off**2))),
        "max": float(np.abs(off).max()),
    }
    return lines, facts


def failures(result: dict[str, Any], quick: bool) -> list[str]:
    """What does not hold of the claims."""
    rates = {line["method"]: line["wall"] for line in result["aperture"] + result["fit"]}
    failed = []
    for what, least in LIMITS.items():
        needed = least / 2 if quick else least
        got, alone = rates[f"tessellar, 2 threads, {what}"], rates[f"tessellar, 1 thread, {what}"]
        if got < needed:
            failed.append(f"{what}: {got:.2g} star-cadences/s, less than {needed:.2g}")
        if not quick and what != "one sum" and got < GAIN * alone:
            failed.append(f"{what}: 2 threads are {got / alone:.2f} times as fast as 1, less than {GAIN}")
    if result["sum difference"] > SAME_SUM:
        failed.append(f"a sum is off by {result['sum difference']:.1e}")
    if result["exactness"]["rms"] > RMS or result["exactness"]["max"] > MOST:
        failed.append(f"fluxes are off by {result['exactness']['rms']:.4f} rms, {result['exactness']['max']:.2f} sigma")
    return failed


def run(quick: bool) -> dict[str, Any]:
    """Measure everything."""
    size, turns = (256, 2) if quick else (512, 5)
    scene = Scene.draw(size)
    out = np.empty((len(kernels.SUMS), len(scene), FRAMES), np.float32)
    before = os.getloadavg()[0]
    apertures, difference = aperture_lines(scene, turns, out)
    del out
    fits, facts = fit_lines(scene, turns)
    return {
        "size": size,
        "stars": len(scene),
        "frames": FRAMES,
        "aperture": [vars(line) for line in apertures],
        "fit": [vars(line) for line in fits],
        "sum difference": difference,
        "exactness": facts,
        "load": [before, os.getloadavg()[0]],
        "versions": {name: _version(name) for name in ("numpy", "numba", "scipy", "photutils", "sep", "lightkurve")},
    }


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def main() -> int:
    """Run, print, judge."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="256 x 256, fewer turns")
    parser.add_argument("--json", action="store_true", help="one object on stdout")
    arguments = parser.parse_args()
    result = run(arguments.quick)
    result["failures"] = failures(result, arguments.quick)
    if arguments.json:
        print(json.dumps(result))
        return 1 if result["failures"] else 0
    print(f"{result['stars']:,} stars, {result['size']} x {result['size']} pixels x {FRAMES} frames, float32")
    for title, key in (("aperture photometry", "aperture"), ("linear PSF", "fit")):
        print(f"\n{title:<34}{'star-cadences/s':>16}{'per s of CPU':>14}")
        for line in result[key]:
            print(f"{line['method']:<34}{line['wall']:>16.3g}{line['cpu']:>14.3g}  {line['note']}")
    facts = result["exactness"]
    print(
        f"\nsums differ from naive ones by {result['sum difference']:.1e} at most; fluxes of the linear PSF from the "
        f"exact solution by {facts['rms']:.4f} sigma rms, {facts['max']:.3f} at most"
    )
    print(
        f"{facts['groups']} group(s) of frames, {facts['setting up, s']:.2f} s to set up; {facts['held by a prior']} "
        f"stars cannot be told apart; load {result['load'][0]:.1f} to {result['load'][1]:.1f}"
    )
    print(", ".join(f"{name} {number}" for name, number in result["versions"].items() if number))
    for line in result["failures"]:
        print(f"failed: {line}")
    return 1 if result["failures"] else 0


if __name__ == "__main__":
    sys.exit(main())
