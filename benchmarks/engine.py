"""Photometry of 12,500 stars on 512 x 512 pixels x 400 frames: tessellar's engine beside what else there is.

Sky, noise, stars (200,000 a CCD, T = 6.5 to 16) and movement are drawn from a seed; the stars' images are
Gaussians of 0.85 px, integrated over the pixels. Every method gets the same arrays in the same process, after a call
that counts for nothing; the best of some turns counts. Slow methods get fewer stars or frames, and all are told as
star-cadences a second, by the clock and by processor time. Nothing is read from disk.

Aperture photometry (radius 2.5 px, 19.6 px each): photutils, sep, lightkurve, SciPy's sparse matrices, and loops over
stars and frames as the TASOC pipeline does them (written from its formulas). The engine is there with one sum, and with
eight: flux, variance, light, two moments, missing pixels and brightest pixel in one sweep over the pixels, and the
background of the mask by a product of matrices, which counts as well. lightkurve makes an object of each light curve;
the loop body sums errors, centroid and background too.

Linear PSF: all stars solved in every frame, their images moved to second order. Beside it: least squares frame by
frame for one stamp with SciPy's LAPACK, a loop over stars with integrals of splines and a pseudo-inverse as the TASOC
pipeline has them, and SciPy's sparse LU of all stars, which is also what the fluxes are compared with.

    python benchmarks/engine.py            the table
    python benchmarks/engine.py --quick    256 x 256, 3,125 stars, fewer turns
    python benchmarks/engine.py --json     one object on stdout

Exit status 1: on 2 threads less than 1.5e8 star-cadences/s with one sum, 5e7 with eight, 1e7 with the linear PSF
(--quick: half of each); 2 threads less than 1.8 times as fast as 1 in any of these (not with --quick); a sum is off by
more than 1e-5 of the naive one; fluxes differ from the exact solution by more than 0.01 sigma rms or 0.3 at most; or
one of these numbers is none.
photutils, sep and lightkurve are left out where they are not installed.
"""

# ruff: noqa: E402  (threads of linear algebra are limited before NumPy is there)
from __future__ import annotations

import argparse
import json
import math
import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

import numpy as np
from numpy.typing import NDArray

from crowd import FRAMES, READ, SECONDS, SKY, Gaussian, Scene
from peers import (
    exact,
    sparse_masks,
    with_lapack,
    with_lightkurve,
    with_loops,
    with_photutils,
    with_sep,
    with_splines,
)
from tessellar import Field
from tessellar.photometry.engine import kernels
from tessellar.photometry.engine.grouping import group_frames
from tessellar.photometry.engine.light import star_skies
from tessellar.photometry.engine.order import run_of
from tessellar.photometry.engine.solving import solve
from tessellar.photometry.engine.system import Stars, System, build_system
from tessellar.photometry.engine.workers import Workers, parts
from tessellar.pixels.background import Sky
from tessellar.pixels.backgrounds import BackgroundSeries

LIMITS = {"one sum": 1.5e8, "eight sums": 5.0e7, "linear PSF": 1.0e7}
GAIN = 1.8
# Stars that a thread takes at a time, as the engine gives them out.
SHARE = 128
SAME_SUM, RMS, MOST = 1e-5, 0.01, 0.3


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
    spans = [(part.start, part.stop) for part in parts(len(scene), SHARE)]
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
    sky = star_skies(field, indptr, rows, cols, workers)
    read = np.diff(indptr).astype(np.float32) * np.float32(READ)
    star = np.repeat(np.arange(len(scene)), np.diff(indptr))
    across = (cols + 1 - np.floor(scene.column + 0.5)[star]).astype(np.float32)
    along = (rows + 1 - np.floor(scene.row + 0.5)[star]).astype(np.float32)
    run = kernels.compiled("mask_sums")
    arrays = scene.pixels, indptr, scene.indices, across, along, sky, read, SECONDS
    spans = [(part.start, part.stop) for part in parts(len(scene), SHARE)]
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
        if len(group.frames) == FRAMES:
            return found
        out[:, run_of(group.frames)] = found[:, run_of(group.frames - begin)]
    return out


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
    return lines, sum_difference(scene, (summed, out[0]))


def sum_difference(scene: Scene, sums: Sequence[NDArray[np.float32]]) -> float:
    """Largest difference from the naive sum in double precision, relative to it; infinite, if one is not finite."""
    indptr = scene.masks[0]
    worst = 0.0
    for star in range(0, len(scene), 97):
        naive = scene.pixels[scene.indices[indptr[star] : indptr[star + 1]]].astype(np.float64).sum(axis=0)
        for found in sums:
            if not (np.isfinite(found[star]).all() and np.isfinite(naive).all()):
                return math.inf
            worst = max(worst, float(np.max(np.abs(found[star] - naive) / np.abs(naive))))
    return worst


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
        if not got >= needed:
            failed.append(f"{what}: {got:.2g} star-cadences/s, less than {needed:.2g}")
        if not quick and not got >= GAIN * alone:
            failed.append(f"{what}: 2 threads are {got / alone:.2f} times as fast as 1, less than {GAIN}")
    # A difference that is no number is a failure.
    if not result["sum difference"] <= SAME_SUM:
        failed.append(f"a sum is off by {result['sum difference']:.1e}")
    if not (result["exactness"]["rms"] <= RMS and result["exactness"]["max"] <= MOST):
        failed.append(f"fluxes are off by {result['exactness']['rms']:.4f} rms, {result['exactness']['max']:.2f} sigma")
    return failed


def run(quick: bool) -> dict[str, Any]:
    """Measure everything."""
    size, turns = (256, 5) if quick else (512, 15)
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
