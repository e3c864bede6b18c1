"""Single stars of full frames: from a prepared field on disk to FITS files, and the mathematics beside other tools.

1,280 frames of 600 s with 200,000 stars a CCD are simulated and prepared, their pixels also turned round
(`tessellar prepare --cube`); that is not counted. Then, in a process of its own, stars of T = 8 to 14 are measured one
by one on their 15 x 15 pixels, from the prepared field to a FITS file each, with one thread. How long the same takes
out of the frames' own files is told, too.

In memory every tool gets the same stamp, 1,280 x 15 x 15 pixels, in one process. Aperture: tessellar and a loop over
frames, as the TASOC pipeline has it (written from its formulas: Handberg et al. 2021, AJ 162, 170), give flux, error,
background, centroid; photutils gives flux and error of a circle, lightkurve flux and centroid. Linear PSF: tessellar
fits all stars on and about the stamp, and gives flux, error, metrics; the loop draws the target and its neighbours
within 5 px and 5 mag anew for each frame by integrals of splines, and solves with a pseudo-inverse, for fluxes only.
Loops run over some of the frames and are scaled up. All is processor time.

    python benchmarks/photometry.py            the table
    python benchmarks/photometry.py --quick    fewer stars, a smaller field
    python benchmarks/photometry.py --json     one object on stdout
    python benchmarks/photometry.py --folder DIR    keep the simulated field there, and use it again

Exit status 1: from disk to FITS takes more than 50 ms a star (aperture) or 100 ms (linear PSF), or a file after the
first more than 5 ms, or the process 1 GiB; in memory, tessellar is less than 10 (aperture) or 50 times (linear PSF)
faster than the loops; sums differ by more than 1e-5; or one of these numbers is none.
photutils and lightkurve are left out where not installed.
"""

# ruff: noqa: E402  (threads of linear algebra are limited before NumPy is there)
from __future__ import annotations

import argparse
import json
import logging
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

import numpy as np
from numpy.typing import NDArray

from tessellar import Field
from tessellar.photometry import FieldScene, Settings, extract, get_method, measure_in
from tessellar.pixels import FrameStack, PreparedField, Stamp, Surroundings, prepare, write_cube
from tessellar.pixels.inputs import find_catalog, find_response, read_catalog

FRAMES, STARS_PER_CCD = 1280, 200_000
FIELD = Field(27, 1, 1)
BRIGHTEST, FAINTEST = 8.0, 14.0
RADIUS = 2.5
ON_DISK = {"aperture": 50.0, "linpsf": 100.0}
WRITTEN, PEAK = 5.0, 1.0
FASTER = {"aperture": 10.0, "linpsf": 50.0}
SAME = 1e-5


def make_field(folder: Path, size: int) -> Path:
    """Simulate, prepare and turn round, unless that was done; the prepared field."""
    made = folder / "field.h5"
    cube = made.with_suffix(".cube.h5")
    if not cube.exists():
        from tessellar.simulate import simulate_frames

        window = ((600, 599 + size), (700, 699 + size))
        truth = simulate_frames(folder, FIELD, window=window, cadence=600, n_frames=FRAMES, stars=STARS_PER_CCD, seed=5)
        catalog, response = read_catalog(find_catalog(folder)), find_response(folder, FIELD)
        prepare(truth.paths, catalog, response, out=made, field=FIELD)
        write_cube(FrameStack.open(truth.paths, field=FIELD), cube, errors=True)
    return made


def chosen(scene: FieldScene, count: int) -> list[int]:
    """Stars that lie 9 px from the window's edges and saturate no pixel, spread in magnitude."""
    stars, limits = scene.prepared.stars, scene.limits
    assert stars is not None
    (left, right), (bottom, top) = limits.cols, limits.rows
    good = (stars.tmag > BRIGHTEST) & (stars.tmag < FAINTEST)
    good &= (stars.column > left + 9) & (stars.column < right - 9) & (stars.row > bottom + 9) & (stars.row < top - 9)
    order = np.flatnonzero(good)[np.argsort(stars.tmag[good])]
    return [int(stars.tic[at]) for at in order[np.linspace(0, len(order) - 1, min(count, len(order))).astype(int)]]


def measure_all(path: Path, method: str, count: int, cube: bool) -> dict[str, Any]:
    """Measure stars from disk to FITS, in this process: milliseconds of processor time, and peak memory."""
    logging.disable(logging.CRITICAL)
    with tempfile.TemporaryDirectory() as out:
        prepared = PreparedField(path)
        if not cube:
            prepared._cube = None
        scene = FieldScene(prepared)
        first, *tics = chosen(scene, count + 1)
        measure_in(scene, first, method).write(out)
        spent, written, wall, failed = [], [], time.perf_counter(), []
        for tic in tics:
            begin = time.process_time()
            result = measure_in(scene, tic, method)
            middle = time.process_time()
            if not result.status.has_light_curve:
                failed.append(f"TIC {tic}: {result.reason}")
                continue
            result.write(out)
            written.append(time.process_time() - middle)
            spent.append(time.process_time() - begin)
        wall = (time.perf_counter() - wall) / len(tics)
    return {
        "stars": len(spent),
        "ms": 1e3 * statistics.mean(spent),
        "written_ms": 1e3 * statistics.mean(written),
        "wall_ms": 1e3 * wall,
        "peak_gib": _peak(),
        "failed": failed,
    }


def _peak() -> float:
    import resource

    status = Path("/proc/self/status")
    if status.exists():
        kib = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM")).split()[1]
        return int(kib) / 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def from_disk(path: Path, method: str, count: int, cube: bool) -> dict[str, Any]:
    """`measure_all` in a process of its own."""
    command = [sys.executable, __file__, "--measure", method, "--file", str(path), "--stars", str(count)]
    done = subprocess.run(command + ["--cube"] * cube, capture_output=True, text=True, check=True)
    return dict(json.loads(done.stdout))


def frame_loop(stamp: Stamp, mask: NDArray[np.bool_], frames: int) -> NDArray[np.float64]:
    """Flux, error, background, centroid frame by frame: the TASOC pipeline's formulas. (frames, 5)."""
    columns, rows = np.meshgrid(stamp.columns, stamp.rows)
    columns, rows = columns[mask], rows[mask]
    found = np.full((frames, 5), np.nan)
    for number, (image, error, sky) in enumerate(zip(stamp.images, stamp.errors, stamp.background, strict=True)):
        if number == frames:
            break
        inside = image[mask]
        if np.all(np.isnan(inside)) or np.all(inside == 0):
            continue
        found[number, 0] = np.sum(inside)
        found[number, 1] = np.sqrt(np.sum(error[mask] ** 2))
        if not np.all(np.isnan(sky[mask])):
            found[number, 2] = np.nansum(sky[mask])
        light = inside > 0
        if np.any(light):
            found[number, 3] = np.average(columns[light], weights=inside[light])
            found[number, 4] = np.average(rows[light], weights=inside[light])
    return found


def spline_loop(stamp: Stamp, about: Surroundings, target: int, frames: int) -> NDArray[np.float64]:
    """Flux of the target frame by frame: integrals of a spline, pinv(A'A) A'b: the TASOC pipeline's formulas."""
    from scipy.interpolate import RectBivariateSpline

    away = np.hypot(about.column - about.column[target], about.row - about.row[target])
    near = np.flatnonzero((away < 5) & (about.tmag - about.tmag[target] <= 5))
    me = int(np.flatnonzero(near == target)[0])
    spline = _spline(about, RectBivariateSpline, target)
    found = np.full(frames, np.nan)
    for frame in range(frames):
        image = stamp.images[frame]
        good = np.isfinite(image)
        design = np.empty((int(good.sum()), len(near)))
        for number, star in enumerate(near):
            x = about.column[star] + about.shifts[frame, star, 0] - stamp.corner[0]
            y = about.row[star] + about.shifts[frame, star, 1] - stamp.corner[1]
            drawn = np.zeros(stamp.shape)
            for row in range(stamp.shape[0]):
                for column in range(stamp.shape[1]):
                    if np.hypot(column - x, row - y) < 5:
                        drawn[row, column] = spline.integral(
                            column - x - 0.5, column - x + 0.5, row - y - 0.5, row - y + 0.5
                        )
            design[:, number] = drawn[good]
        found[frame] = (np.linalg.pinv(design.T @ design) @ design.T @ image[good].astype(np.float64))[me]
    return found


def _spline(about: Surroundings, kind: Any, target: int) -> Any:
    """The response at the target as a spline over (column, row), nine samples a pixel as the mission's files have."""
    response = about.responses[0]
    reach = 6
    phases = (np.arange(9) - 4) / 9
    grid = np.arange(-9 * reach - 4, 9 * reach + 5) / 9
    image = np.zeros((len(grid), len(grid)))
    column, row = np.round(about.column[target]), np.round(about.row[target])
    for a, across in enumerate(phases):
        for b, along in enumerate(phases):
            box = response.boxes(np.array([column + across]), np.array([row + along]))[0, 0]
            middle = box.shape[0] // 2
            core = box[middle - reach : middle + reach + 1, middle - reach : middle + reach + 1]
            image[8 - a :: 9, 8 - b :: 9] = core.T
    return kind(grid, grid, image / image.sum() * 81)


def seconds(call: Callable[[], object], turns: int) -> float:
    """Least processor time of some turns, after one to warm up."""
    call()
    taken = []
    for _ in range(turns):
        begin = time.process_time()
        call()
        taken.append(time.process_time() - begin)
    return min(taken)


def with_photutils(stamp: Stamp, place: Any, frames: int) -> Callable[[], object] | None:
    """Flux and error in a circle, frame by frame."""
    try:
        from photutils.aperture import CircularAperture, aperture_photometry
    except ImportError:
        return None
    circle = CircularAperture((place[0] - stamp.corner[0], place[1] - stamp.corner[1]), RADIUS)

    def call() -> None:
        for frame in range(frames):
            aperture_photometry(stamp.images[frame], circle, error=stamp.errors[frame], method="center")

    return call


def with_lightkurve(stamp: Stamp, mask: NDArray[np.bool_]) -> Callable[[], object] | None:
    """Flux and centroid of a target pixel file in memory."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import lightkurve
    except ImportError:
        return None
    rows, cols = stamp.shape
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        factory = lightkurve.targetpixelfile.TargetPixelFileFactory(len(stamp), rows, cols)
        for frame, image in enumerate(stamp.images):
            factory.add_cadence(frameno=frame, flux=image, flux_err=stamp.errors[frame], header={"TSTART": frame})
        pixels = factory.get_tpf(hdu0_keywords={"TELESCOP": "Kepler"}, ext_info={"1CRV5P": 1, "2CRV5P": 1})

    def call() -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            pixels.to_lightcurve(method="aperture", aperture_mask=mask)

    return call


def largest_difference(ours: NDArray[np.float64], theirs: NDArray[np.float64]) -> float:
    """Relative, of all numbers; infinite, if one is missing in only one of them, or in all."""
    known = np.isfinite(ours)
    if not (known.any() and np.array_equal(known, np.isfinite(theirs))):
        return math.inf
    return float(np.max(np.abs(ours[known] / theirs[known] - 1)))


def in_memory(path: Path, quick: bool) -> dict[str, Any]:
    """All tools on one stamp: milliseconds of processor time for 1,280 frames."""
    scene = FieldScene(PreparedField(path))
    tics = chosen(scene, 40)
    target = scene.target(tics[len(tics) // 2])
    stamp = scene.stamp(scene.default_stamp(target), target)
    about = scene.surroundings(stamp)
    assert about is not None
    index = about.index(int(target.tic)) if target.tic is not None else None
    place = target.column, target.row
    assert index is not None
    few, fewest, turns = (128, 3, 3) if quick else (FRAMES, 12, 7)
    mask = measure_in(scene, int(about.tic[index])).mask
    assert mask is not None
    light, loop = extract(stamp, mask), frame_loop(stamp, mask, few)
    ours = np.column_stack([light.flux, light.flux_err, light.background, light.centroid])[:few]
    apart = largest_difference(ours, loop)
    method, settings = get_method("linpsf"), Settings()
    result = method.run(stamp, target, about, settings)
    theirs = spline_loop(stamp, about, index, fewest)
    calls: dict[str, tuple[Callable[[], object] | None, float]] = {
        "aperture, tessellar": (lambda: extract(stamp, mask), 1.0),
        "aperture, frame by frame (TASOC)": (lambda: frame_loop(stamp, mask, few), FRAMES / few),
        "aperture, photutils": (with_photutils(stamp, place, 64), FRAMES / 64),
        "aperture, lightkurve": (with_lightkurve(stamp, mask), 1.0),
        "linear PSF, tessellar": (lambda: method.run(stamp, target, about, settings), 1.0),
        "linear PSF, frame by frame (TASOC)": (lambda: spline_loop(stamp, about, index, fewest), FRAMES / fewest),
    }
    slow = ("TASOC", "photutils")
    rows = {
        name: None if call is None else 1e3 * scale * seconds(call, 1 if any(word in name for word in slow) else turns)
        for name, (call, scale) in calls.items()
    }
    return {
        "ms": rows,
        "tic": int(about.tic[index]),
        "tmag": target.tmag,
        "mask": int(mask.sum()),
        "fitted": len(about),
        "largest_difference": apart,
        "linear_ratio": float(np.nanmedian(theirs / result.columns["FLUX"][:fewest])),
    }


def run(quick: bool, folder: Path) -> dict[str, Any]:
    """Measure everything."""
    size, count = (64, 16) if quick else (160, 100)
    before = os.getloadavg()[0]
    path = make_field(folder, size)
    disk = {method: from_disk(path, method, count, cube=True) for method in ON_DISK}
    disk |= {f"{method}, frames": from_disk(path, method, max(count // 8, 2), cube=False) for method in ON_DISK}
    memory = in_memory(path, quick)
    names = ("tessellar", "numpy", "numba", "scipy", "photutils", "lightkurve")
    return {
        "size": size,
        "frames": FRAMES,
        "disk": disk,
        "memory": memory,
        "load": [before, os.getloadavg()[0]],
        "versions": {name: _version(name) for name in names},
    }


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def ratios(result: dict[str, Any]) -> dict[str, float]:
    """How many times faster than the loops."""
    taken = result["memory"]["ms"]
    words = {"aperture": "aperture", "linpsf": "linear PSF"}
    return {
        method: taken[f"{word}, frame by frame (TASOC)"] / taken[f"{word}, tessellar"] for method, word in words.items()
    }


def failures(result: dict[str, Any]) -> list[str]:
    """What does not hold of the claims."""
    failed = []
    for method, most in ON_DISK.items():
        found = result["disk"][method]
        if not found["ms"] <= most:
            failed.append(f"{method}: {found['ms']:.0f} ms a star from disk to FITS, more than {most:.0f}")
        if not found["written_ms"] <= WRITTEN:
            failed.append(f"{method}: a FITS file takes {found['written_ms']:.1f} ms, more than {WRITTEN:.0f}")
        if not found["peak_gib"] <= PEAK:
            failed.append(f"{method}: {found['peak_gib']:.2f} GiB, more than {PEAK:.0f}")
        failed += found["failed"]
    for method, ratio in ratios(result).items():
        if not ratio >= FASTER[method]:
            failed.append(
                f"{method}: only {ratio:.1f} times faster than frame by frame, less than {FASTER[method]:.0f}"
            )
    if not result["memory"]["largest_difference"] <= SAME:
        failed.append(f"sums differ by {result['memory']['largest_difference']:.1e}")
    return failed


def report(result: dict[str, Any]) -> str:
    """The result as a table."""
    lines = [
        f"{result['frames']} frames, window of {result['size']} x {result['size']} px, one process and thread",
        "",
        f"{'from a prepared field on disk to FITS':<40}{'ms of CPU':>10}{'of it FITS':>11}{'clock':>9}{'GiB':>6}",
    ]
    for name, found in result["disk"].items():
        method, _, source = name.partition(", ")
        told = f"{method}, {found['stars']} stars, {'out of the frames' if source else 'out of the cube'}"
        spent = f"{found['ms']:>10.1f}{found['written_ms']:>11.2f}{found['wall_ms']:>9.1f}"
        lines.append(f"{told:<40}{spent}{found['peak_gib']:>6.2f}")
    memory = result["memory"]
    star = f"TIC {memory['tic']}, T = {memory['tmag']:.1f}, {memory['mask']} px in the mask"
    lines += ["", f"in memory, ms of CPU ({star}, {memory['fitted']} stars fitted)"]
    lines += [f"{name:<40}{'absent' if ms is None else f'{ms:10.2f}':>10}" for name, ms in memory["ms"].items()]
    faster = ratios(result)
    lines += [
        "",
        f"faster than frame by frame: aperture {faster['aperture']:.0f} x (at least {FASTER['aperture']:.0f}), "
        f"linear PSF {faster['linpsf']:.0f} x (at least {FASTER['linpsf']:.0f})",
        f"largest relative difference of sums, errors, backgrounds, centroids: {memory['largest_difference']:.1e}; "
        f"flux of the spline's loop over ours: {memory['linear_ratio']:.4f}",
        f"load {result['load'][0]:.1f} to {result['load'][1]:.1f}; "
        + ", ".join(f"{name} {number}" for name, number in result["versions"].items() if number),
    ]
    return "\n".join(lines + [f"failed: {line}" for line in result["failures"]])


def main() -> int:
    """Run, print, judge."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer stars, a smaller field: under a minute")
    parser.add_argument("--json", action="store_true", help="one object on stdout")
    parser.add_argument("--folder", type=Path, help="where the simulated field is kept (default: nowhere)")
    for name in ("--measure", "--file"):
        parser.add_argument(name, help=argparse.SUPPRESS)
    parser.add_argument("--stars", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--cube", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.measure:
        print(json.dumps(measure_all(Path(asked.file), asked.measure, asked.stars, asked.cube)))
        return 0
    logging.disable(logging.CRITICAL)
    with tempfile.TemporaryDirectory(prefix="tessellar-benchmark-") as temporary:
        folder = Path(temporary)
        if asked.folder is not None:
            folder = asked.folder / ("quick" if asked.quick else "full")
            folder.mkdir(parents=True, exist_ok=True)
        result = run(asked.quick, folder)
    result["failures"] = failures(result)
    print(json.dumps(result) if asked.json else report(result))
    return 1 if result["failures"] else 0


if __name__ == "__main__":
    sys.exit(main())
