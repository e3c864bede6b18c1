"""The background of full frames: tessellar beside photutils and sep, and against truth.

One 2048 x 2048 frame with 200,000 stars to T = 16, fainter ones to T = 20, a gradient and the glow
of the corner. Every method gets the same array; all run on one thread of one process, and
processor time is counted (the least of some turns, after one to warm up). tessellar is timed a round: one
measurement of tiles and glow on a frame whose starlight is known, the evaluation of the image included.
photutils runs with the settings of the TASOC pipeline (64 px, 3 x 3 filter, 3 sigma, SExtractor's estimator),
sep with 64 px and 3 x 3. Both are needed for this benchmark only: pip install photutils sep.

Then a whole field is prepared, in a process of its own (`whole_field.py`): 100 frames of 2048 x 2048, with the
response that they were drawn with. From the processor time of what is done once, once an orbit, and for each
frame comes what 1,300 frames of two orbits take on two cores. Frames take 3.6 GB of disk below --folder.

    python benchmarks/prepare.py            the table
    python benchmarks/prepare.py --quick    1024 x 1024, fewer turns; 24 frames of 512 x 512
    python benchmarks/prepare.py --json     one object on stdout

Exit status 1: a round takes more than 0.15 s (of a whole frame), is less than 6 times faster than photutils,
more than 3 times slower than sep, or the joint background is off by more than 0.3 e-/s in the median; or a whole field
takes more than 6 min, or 4 GiB; or one of these numbers is none. photutils and sep are left out where not installed.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tessellar import Field
from tessellar.pixels import Sky, StarField, measure_jointly

FIELD = Field(1, 4, 1)
CORNER = (45, 1)
STARS_PER_CCD = 200_000
ROUND_LIMIT = 0.15
FASTER_THAN_PHOTUTILS = 6.0
SLOWER_THAN_SEP = 3.0
BIAS = 0.3
WHOLE_LIMIT, MEMORY_LIMIT = 360.0, 4.0


class Gaussians:
    """A pixel response with the noise-equivalent area of the mission's: three Gaussians, integrated over pixels."""

    reach = 7
    _parts = ((0.55, 0.50), (0.31, 0.90), (0.14, 1.50))

    def boxes(self, column: Any, row: Any, derivatives: int = 0) -> NDArray[np.float32]:
        """See `tessellar.pixels.PixelResponse`; the derivatives are differences."""
        column, row = np.atleast_1d(np.asarray(column, float)), np.atleast_1d(np.asarray(row, float))
        x, y = column - np.floor(column + 0.5), row - np.floor(row + 0.5)
        terms = [self._draw(x, y)]
        if derivatives:
            h = 0.02
            left, right, down, up = (self._draw(x + a, y + b) for a, b in ((-h, 0), (h, 0), (0, -h), (0, h)))
            terms += [(right - left) / (2 * h), (up - down) / (2 * h)]
        if derivatives == 2:
            cross = self._draw(x + h, y + h) + self._draw(x - h, y - h) - left - right - down - up + 2 * terms[0]
            terms += [
                (right - 2 * terms[0] + left) / (2 * h * h),
                cross / (2 * h * h),
                (up - 2 * terms[0] + down) / (2 * h * h),
            ]
        return np.stack(terms, axis=1).astype(np.float32)

    def _draw(self, x: NDArray[Any], y: NDArray[Any]) -> NDArray[Any]:
        from scipy.special import erf

        edges = np.arange(-self.reach, self.reach + 2) - 0.5
        image: Any = 0.0
        for weight, width in self._parts:
            across, along = (
                np.diff(erf((edges - place[:, None]) / (width * np.sqrt(2))) / 2, axis=1) for place in (x, y)
            )
            image = image + weight * along[:, :, None] * across[:, None, :]
        return np.asarray(image)


def make_frame(size: int, seed: int = 1) -> tuple[NDArray[np.float32], NDArray[np.float64], StarField]:
    """Draw a frame: image, true background, and the stars that a catalogue to T = 16 has."""
    from tessellar.pixels import add_stars

    rng = np.random.default_rng(seed)
    count = round(STARS_PER_CCD * (size / 2048) ** 2)
    tmag = np.sort(np.clip(16 - rng.exponential(1.4, count), 6.5, 16))
    rest = np.exp(4 / 1.4) - 1
    faint = 16 + 1.4 * np.log(1 + rng.random(round(count * rest)) * rest)
    column, row = (first - 0.5 + rng.random(count) * size for first in CORNER)
    stars = StarField(np.arange(count), tmag, np.zeros(count), np.zeros(count), column, row, np.ones(count, int))
    rows, cols = np.mgrid[:size, :size]
    away = np.hypot(cols + CORNER[0] - 2155, rows + CORNER[1] - 2095)
    sky = 110 + 20 * cols / 2048 - 15 * (rows / 2048) ** 2 + 60 * np.clip((away - 2500) / 470, 0, None) ** 3
    image = np.zeros((size, size))
    fluxes = 10 ** (-0.4 * (faint - 20.44))
    response = Gaussians()
    for start in range(0, len(faint), 100_000):
        part = slice(start, start + 100_000)
        x, y = (first - 0.5 + rng.random(len(fluxes[part])) * size for first in CORNER)
        add_stars(image, CORNER, x, y, fluxes[part], response)
    for start in range(0, count, 100_000):
        part = slice(start, start + 100_000)
        add_stars(image, CORNER, column[part], row[part], stars.flux()[part], response)
    image += sky
    image += rng.normal(0, 1, image.shape) * np.sqrt(image / 1690 + 0.03)
    return image.astype(np.float32), sky + fluxes.sum() / size**2, stars


def seconds(call: Callable[[], object], turns: int) -> float:
    """Least processor time of some turns, after one to warm up."""
    call()
    taken = []
    for _ in range(turns):
        begin = time.process_time()
        call()
        taken.append(time.process_time() - begin)
    return min(taken)


def with_photutils(image: NDArray[np.float32]) -> NDArray[Any] | None:
    """Background2D in the settings of the TASOC pipeline; None where photutils is absent."""
    try:
        from astropy.stats import SigmaClip
        from photutils.background import Background2D, SExtractorBackground
    except ImportError:
        return None
    made = Background2D(
        image,
        (64, 64),
        filter_size=(3, 3),
        sigma_clip=SigmaClip(sigma=3.0, maxiters=5),
        bkg_estimator=SExtractorBackground(),
        exclude_percentile=50,
    )
    return np.asarray(made.background)


def with_sep(image: NDArray[np.float32]) -> NDArray[Any] | None:
    """Sep's background; None where sep is absent."""
    try:
        import sep
    except ImportError:
        return None
    return np.asarray(sep.Background(image, bw=64, bh=64, fw=3, fh=3).back())


def run(quick: bool) -> dict[str, Any]:
    """Measure everything."""
    size, turns = (1024, 3) if quick else (2048, 5)
    image, truth, stars = make_frame(size)
    sky = Sky(FIELD, CORNER, image.shape)
    begin = time.process_time()
    _, model = measure_jointly(sky, image, stars, Gaussians(), rounds=2)
    joint = time.process_time() - begin
    starlight = model.image()
    known = {"starlight": starlight, "masked": model.masked, "faintest": model.faintest}
    rounds = 2
    methods: dict[str, Callable[[], NDArray[Any] | None]] = {
        "tessellar, stars known": lambda: sky.measure(image, **known, rounds=rounds).image(),
        "tessellar, mode": lambda: sky.measure(image, rounds=rounds).image(),
        "sep": lambda: with_sep(image),
        "photutils": lambda: with_photutils(image),
    }
    rows = []
    for name, method in methods.items():
        found = method()
        if found is None:
            rows.append({"method": name, "seconds": None, "bias": None, "rms": None})
            continue
        # Two rounds make one measurement; what is compared is a round.
        shared = rounds if name.startswith("tessellar") else 1
        taken = seconds(method, turns) / shared
        error = found - truth
        rows.append({"method": name, "seconds": taken, "bias": float(np.median(error)), "rms": float(error.std())})
    packages = {name: _version(name) for name in ("tessellar", "numpy", "numba", "photutils", "sep")}
    return {"size": size, "stars": len(stars), "joint_seconds": joint, "methods": rows, "versions": packages}


def run_whole(quick: bool, folder: Path | None) -> dict[str, Any]:
    """Prepare a whole field, in a process of its own."""
    size, frames = (512, 24) if quick else (2048, 100)
    script = Path(__file__).with_name("whole_field.py")
    with TemporaryDirectory(dir=folder) as place:
        command = [sys.executable, str(script), place, str(size), str(frames)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    return {"size": size, **json.loads(done.stdout)}


def _version(name: str) -> str | None:
    try:
        return version(name)
    except ImportError:
        return None


def failures(result: dict[str, Any]) -> list[str]:
    """What does not hold of the claims."""
    taken = {row["method"]: row["seconds"] for row in result["methods"]}
    ours = taken["tessellar, stars known"]
    share = (result["size"] / 2048) ** 2
    failed = []
    if not ours <= ROUND_LIMIT * share:
        failed.append(f"a round takes {ours:.3f} s, more than {ROUND_LIMIT * share:.3f} s")
    if taken["photutils"] is not None and not taken["photutils"] >= FASTER_THAN_PHOTUTILS * ours:
        failed.append(f"only {taken['photutils'] / ours:.1f} times faster than photutils")
    if taken["sep"] is not None and not ours <= SLOWER_THAN_SEP * taken["sep"]:
        failed.append(f"{ours / taken['sep']:.1f} times slower than sep")
    bias = result["methods"][0]["bias"]
    if not abs(bias) <= BIAS:
        failed.append(f"the joint background is off by {bias:+.2f} e-/s")
    whole = result["whole"]
    if not whole["extrapolated"] <= WHOLE_LIMIT:
        failed.append(f"1,300 frames take {whole['extrapolated']:.0f} s on two cores, more than {WHOLE_LIMIT:.0f} s")
    if not whole["peak_gib"] <= MEMORY_LIMIT:
        failed.append(f"a whole field takes {whole['peak_gib']:.1f} GiB, more than {MEMORY_LIMIT:.0f} GiB")
    return failed


def main() -> int:
    """Run, print, judge."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="1024 x 1024, fewer turns")
    parser.add_argument("--json", action="store_true", help="one object on stdout")
    parser.add_argument("--folder", type=Path, help="where the frames go for a while (default: the system's)")
    arguments = parser.parse_args()
    result = run(arguments.quick) | {"whole": run_whole(arguments.quick, arguments.folder)}
    result["failures"] = failures(result)
    if arguments.json:
        print(json.dumps(result))
        return 1 if result["failures"] else 0
    print(f"background of {result['size']} x {result['size']} pixels, {result['stars']:,} stars; one thread")
    print(f"{'method':<26}{'s a round':>10}{'bias':>8}{'rms':>8}   (bias: median error; e-/s)")
    for row in result["methods"]:
        if row["seconds"] is None:
            print(f"{row['method']:<26}{'absent':>10}")
            continue
        print(f"{row['method']:<26}{row['seconds']:>10.3f}{row['bias']:>+8.2f}{row['rms']:>8.2f}")
    print(f"stars fitted with the background, once a stack: {result['joint_seconds']:.1f} s")
    whole = result["whole"]
    print(
        f"whole field, {whole['frames']} frames of {whole['size']} x {whole['size']}, {whole['stars']:,} stars: "
        f"{whole['wall']:.0f} s ({whole['cpu']:.0f} s of processor), {whole['peak_gib']:.1f} GiB, "
        f"file of {whole['file_mb']:.0f} MB"
    )
    print(
        f"  once {whole['once']:.1f} s, an orbit {whole['per_orbit']:.1f} s, a frame {whole['per_frame']:.3f} s: "
        f"1,300 frames on two cores in {whole['extrapolated']:.0f} s (by the clock {whole['extrapolated_wall']:.0f} s)"
    )
    print(", ".join(f"{name} {number}" for name, number in result["versions"].items() if number))
    for line in result["failures"]:
        print(f"failed: {line}")
    return 1 if result["failures"] else 0


if __name__ == "__main__":
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        import os

        os.environ.setdefault(name, "1")
    sys.exit(main())
